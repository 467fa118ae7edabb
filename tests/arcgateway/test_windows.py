"""What Windows does in its own way, with a made-up system in the place of its calls."""

from __future__ import annotations

import ctypes
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from arcgateway import windows
from arcgateway.errors import Failure
from arcgateway.windows import Entry, JobLimits, ProcessEntry, Windows, above

FOREVER = 0xFFFFFFFF


class MadeUpKernel:
    """Processes by their ids, and jobs with the handles in them. A process's handle is its id."""

    def __init__(self) -> None:
        self.processes: dict[int, Entry] = {}
        self.jobs: dict[int, set[int]] = {}
        self.waited: list[tuple[list[int], int]] = []
        self.handles: list[int] = []

    def new_job(self) -> int:
        job = 1000 + len(self.jobs)
        self.jobs[job] = set()
        return job

    def assign(self, job: int, process: int) -> bool:
        if process in self.processes:
            self.jobs[job].add(process)
        return process in self.processes

    def size(self, job: int) -> int:
        return len(self.jobs[job] & self.processes.keys())

    def terminate(self, job: int) -> None:
        for process in self.jobs[job]:
            self.processes.pop(process, None)

    def open(self, pid: int) -> int | None:
        if pid not in self.processes:
            return None
        self.handles.append(pid)
        return pid

    def wait(self, handles: Sequence[int], milliseconds: int) -> bool:
        self.waited.append((list(handles), milliseconds))
        return any(handle not in self.processes for handle in handles)

    def close(self, handle: int) -> None:
        """As Windows does: the end of a job ends what is in it."""
        if handle in self.jobs:
            self.terminate(handle)
        else:
            self.handles.remove(handle)

    def snapshot(self) -> Mapping[int, Entry]:
        return self.processes


class Child:
    """A Popen, as far as it is used; a polite one ends with all its children when it is asked to."""

    def __init__(self, kernel: MadeUpKernel, pid: int, *, polite: bool) -> None:
        self.pid = self._handle = pid
        self._kernel, self._polite = kernel, polite
        self.asked: list[int] = []
        self.killed = False

    def send_signal(self, number: int) -> None:
        self.asked.append(number)
        if self._polite:
            self._kernel.processes.clear()

    def kill(self) -> None:
        self.killed = True


def popen(child: Child) -> subprocess.Popen[bytes]:
    return cast("subprocess.Popen[bytes]", child)


@pytest.mark.parametrize("polite", [True, False])
def test_a_child_is_asked_and_then_ended_with_all_that_it_started(polite: bool) -> None:
    kernel = MadeUpKernel()
    kernel.processes = {7: Entry(1, "az.cmd")}
    here, child = Windows(kernel), Child(kernel, 7, polite=polite)
    here.adopt(popen(child))
    (job,) = kernel.jobs
    kernel.processes[8] = Entry(7, "python.exe")
    kernel.jobs[job].add(8)  # as the system does with whatever a member starts
    here.stop(popen(child), grace=0.2)
    assert child.asked == [getattr(signal, "CTRL_BREAK_EVENT", 1)]
    assert not kernel.processes and not child.killed


def test_where_nobody_can_be_asked_a_child_is_ended_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = MadeUpKernel()
    kernel.processes = {7: Entry(1, "az.cmd")}
    here, child = Windows(kernel), Child(kernel, 7, polite=False)

    def no_console(number: int) -> None:
        raise OSError("the handle is invalid")

    monkeypatch.setattr(child, "send_signal", no_console)
    here.adopt(popen(child))
    here.stop(popen(child), grace=0.0)
    assert not kernel.processes


def test_a_job_is_given_back_once_its_child_has_ended() -> None:
    kernel = MadeUpKernel()
    kernel.processes = {7: Entry(1, "az.cmd")}
    here, child = Windows(kernel), Child(kernel, 7, polite=True)
    here.adopt(popen(child))
    here.release(popen(child))
    here.release(popen(child))
    assert not kernel.processes, "what a child has left running ends with its job"
    here.adopt(popen(child))
    here.stop(popen(child), grace=0.0)
    assert child.killed, "one that ended before it was taken in is in no job"


def test_the_ancestors_are_those_up_to_the_plugin() -> None:
    checkout = {
        90: Entry(80, "python.exe"),
        80: Entry(70, "python.exe"),
        70: Entry(60, "CMD.EXE"),
        60: Entry(50, "pulumi-resource-command.exe"),
        50: Entry(40, "pulumi.exe"),
        40: Entry(4, "cmd.exe"),
    }
    assert above(checkout, 90) == [80, 70, 60]
    assert above({90: Entry(80, "python.exe"), 80: Entry(4, "pwsh.exe")}, 90) == [80]
    assert above({90: Entry(80, "python.exe")}, 90) == []
    assert above({1: Entry(2, "a.exe"), 2: Entry(1, "b.exe")}, 1) == [2]


def test_the_end_of_one_ancestor_is_awaited_by_handles() -> None:
    kernel = MadeUpKernel()
    kernel.processes = {pid: Entry(1, "x.exe") for pid in (70, 60)}
    here = Windows(kernel)
    here.until_one_ends([70, 60])
    assert kernel.waited == [([70, 60], FOREVER)]
    here.until_one_ends([70, 50])
    assert len(kernel.waited) == 1, "one is gone already"


def test_whether_a_process_exists_is_asked_without_ending_it() -> None:
    kernel = MadeUpKernel()
    kernel.processes = {70: Entry(1, "x.exe")}
    here = Windows(kernel)
    assert here.exists(70) and not here.exists(60)
    assert kernel.processes and kernel.handles == []


def test_a_batch_file_gets_no_argument_that_its_shell_would_read() -> None:
    here = Windows(MadeUpKernel())
    az = r"C:\Program Files\Microsoft SDKs\Azure\CLI2\wbin\az.CMD"
    fine = ["connectedk8s", "connect", "--tags", "team=edge west", "--proxy-https", r"@C:\Temp\value-1"]
    assert here.command(az, fine) == [az, *fine]
    for bad in ("team=a&b", "100%", 'say "x"', "a|b", "a^b", "a>b", "line\nbreak"):
        with pytest.raises(Failure, match=r"az\.CMD is a batch file") as refused:
            here.command(az, ["--tags", bad])
        assert bad not in str(refused.value)
        assert here.command(r"C:\helm.exe", ["--tags", bad])[-1] == bad


def test_structures_have_the_systems_layout() -> None:
    if ctypes.sizeof(ctypes.c_void_p) != 8:
        pytest.skip("the documented sizes are those of 64 bits")
    assert (ctypes.sizeof(JobLimits), JobLimits.flags.offset) == (144, 16)
    assert (ctypes.sizeof(ProcessEntry), ProcessEntry.program.offset) == (568, 44)
    assert windows.JobAccounting.active.offset == 40
    entry = ProcessEntry()
    name: Any = "cmd.exe".encode("utf-16-le")
    ctypes.memmove(ctypes.addressof(entry) + ProcessEntry.program.offset, name, len(name))
    assert entry.name == "cmd.exe"
