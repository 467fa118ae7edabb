"""Windows: job objects, handles of processes, and programs that are batch files.

A job object is what a process group is elsewhere, and more: whatever a process in it starts is in it too, and the
system ends all of them when the last handle of the job is closed: at the latest when this process ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PureWindowsPath
from typing import IO, NamedTuple, Protocol

from arcgateway.errors import Failure

#: What cmd.exe, which runs batch files, reads in an argument as its own, whatever the quotes around it.
_NOT_FOR_BATCH = '"%!^&|<>\r\n'

_BATCH = (".cmd", ".bat")

#: The launcher's shell: processes between it and us are Python's own launchers, and above it is the plugin.
_SHELL = "cmd.exe"

_POLL_SECONDS = 0.05
_FOREVER = 0xFFFFFFFF


class Entry(NamedTuple):
    """A running process, as a snapshot has it."""

    parent: int
    program: str


class Kernel(Protocol):
    """The calls that are made of the system. A handle or a job is a number."""

    def new_job(self) -> int:
        """A job object that ends its processes when it is closed."""

    def assign(self, job: int, process: int) -> bool:
        """Put a process, by its handle, into a job."""

    def size(self, job: int) -> int:
        """How many processes of a job are running."""

    def terminate(self, job: int) -> None:
        """End all processes of a job at once."""

    def open(self, pid: int) -> int | None:
        """A handle by which the end of a process can be awaited; None where there is no such process."""

    def wait(self, handles: Sequence[int], milliseconds: int) -> bool:
        """Whether one of the processes ended in this time."""

    def close(self, handle: int) -> None:
        """Give a handle back."""

    def snapshot(self) -> Mapping[int, Entry]:
        """All processes by their ids."""


class Windows:
    """See `arcgateway.platforms.Platform`."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._jobs: dict[int, int] = {}

    def command(self, program: str, arguments: Iterable[str]) -> list[str]:
        argv = [program, *arguments]
        if PureWindowsPath(program).suffix.lower() in _BATCH:
            for argument in argv:
                if found := sorted(set(argument) & set(_NOT_FOR_BATCH)):
                    raise Failure(
                        f"{PureWindowsPath(program).name} is a batch file, to which no argument with "
                        f"{' '.join(map(repr, found))} can be handed",
                        "leave such characters out of names and tags, or run the deployment on Linux, macOS or WSL",
                    )
        return argv

    def in_own_group(self) -> dict[str, int]:
        return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x200)}

    def adopt(self, process: subprocess.Popen[bytes]) -> None:
        job = self._kernel.new_job()
        if self._kernel.assign(job, int(getattr(process, "_handle", 0))):
            self._jobs[process.pid] = job
        else:
            self._kernel.close(job)  # it has ended already

    def release(self, process: subprocess.Popen[bytes]) -> None:
        if (job := self._jobs.pop(process.pid, None)) is not None:
            self._kernel.close(job)

    def stop(self, process: subprocess.Popen[bytes], grace: float) -> None:
        job = self._jobs.get(process.pid)
        if job is None:
            process.kill()
            return
        with contextlib.suppress(OSError, ValueError):  # without a console nobody can be asked
            process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", 1))
        deadline = time.monotonic() + grace
        while self._kernel.size(job) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self._kernel.terminate(job)

    def interrupt(self, process: subprocess.Popen[str]) -> None:
        process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))

    def exists(self, pid: int) -> bool:
        handle = self._kernel.open(pid)
        if handle is None:
            return False
        ended = self._kernel.wait([handle], 0)
        self._kernel.close(handle)
        return not ended

    def ancestors(self, handed_over: Sequence[int]) -> list[int]:
        """Up to and with the process that started the launcher's shell; cmd.exe cannot hand its own id over."""
        return above(self._kernel.snapshot(), os.getpid()) or [os.getppid()]

    def until_one_ends(self, pids: Sequence[int]) -> None:
        handles = [self._kernel.open(pid) for pid in pids]
        if handles and None not in handles:
            self._kernel.wait([handle for handle in handles if handle is not None], _FOREVER)

    def command_line(self, pid: int) -> list[str]:
        return []

    def lock(self, file: IO[bytes]) -> None:
        if sys.platform == "win32":
            import msvcrt

            while True:
                file.seek(0)
                # It gives up by itself after ten seconds; who holds the file ends within a limit of his own.
                with contextlib.suppress(OSError):
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                    return


def above(processes: Mapping[int, Entry], pid: int) -> list[int]:
    """The ancestors of a process up to and with the parent of the first shell, or its parent where there is none."""
    chain: list[int] = []
    while (entry := processes.get(pid)) and entry.parent in processes and entry.parent not in chain:
        pid = entry.parent
        chain.append(pid)
    shell = next((index for index, found in enumerate(chain) if processes[found].program.lower() == _SHELL), None)
    return chain[:1] if shell is None else chain[: shell + 2]


class JobLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

    _fields_ = [
        ("process_time", ctypes.c_int64),
        ("job_time", ctypes.c_int64),
        ("flags", ctypes.c_uint32),
        ("least_memory", ctypes.c_size_t),
        ("most_memory", ctypes.c_size_t),
        ("processes", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority", ctypes.c_uint32),
        ("scheduling", ctypes.c_uint32),
        ("io_counters", ctypes.c_uint64 * 6),
        ("memory_limits_and_peaks", ctypes.c_size_t * 4),
    ]


class JobAccounting(ctypes.Structure):
    """JOBOBJECT_BASIC_ACCOUNTING_INFORMATION."""

    _fields_ = [
        ("times", ctypes.c_int64 * 4),
        ("faults", ctypes.c_uint32),
        ("total", ctypes.c_uint32),
        ("active", ctypes.c_uint32),
        ("terminated", ctypes.c_uint32),
    ]


class ProcessEntry(ctypes.Structure):
    """PROCESSENTRY32W."""

    _fields_ = [
        ("size", ctypes.c_uint32),
        ("usage", ctypes.c_uint32),
        ("pid", ctypes.c_uint32),
        ("heap", ctypes.c_size_t),
        ("module", ctypes.c_uint32),
        ("threads", ctypes.c_uint32),
        ("parent", ctypes.c_uint32),
        ("priority", ctypes.c_int32),
        ("flags", ctypes.c_uint32),
        ("program", ctypes.c_uint16 * 260),
    ]

    @property
    def name(self) -> str:
        """The program's file name."""
        return bytes(self.program).decode("utf-16-le").split("\0", 1)[0]


class Kernel32:
    """The calls, made of kernel32.dll."""

    _ACCOUNTING, _EXTENDED_LIMITS = 1, 9
    _KILL_ON_CLOSE = 0x2000
    _SYNCHRONIZE = 0x100000
    _PROCESSES = 2
    _INVALID = ctypes.c_void_p(-1).value
    _SIGNALLED_BELOW = 64

    def __init__(self) -> None:
        library = getattr(ctypes, "WinDLL")("kernel32", use_last_error=True)  # noqa: B009 - Windows alone has it
        for name in ("CreateJobObjectW", "OpenProcess", "CreateToolhelp32Snapshot"):
            getattr(library, name).restype = ctypes.c_void_p
        self._call = library

    def new_job(self) -> int:
        job = self._call.CreateJobObjectW(None, None)
        limits = JobLimits(flags=self._KILL_ON_CLOSE)
        made = job and self._call.SetInformationJobObject(
            ctypes.c_void_p(job), self._EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)
        )
        if not made:
            raise OSError("Windows made no job object, without which what is started could not be ended")
        return int(job)

    def assign(self, job: int, process: int) -> bool:
        return bool(self._call.AssignProcessToJobObject(ctypes.c_void_p(job), ctypes.c_void_p(process)))

    def size(self, job: int) -> int:
        found = JobAccounting()
        self._call.QueryInformationJobObject(
            ctypes.c_void_p(job), self._ACCOUNTING, ctypes.byref(found), ctypes.sizeof(found), None
        )
        return int(found.active)

    def terminate(self, job: int) -> None:
        self._call.TerminateJobObject(ctypes.c_void_p(job), 1)

    def open(self, pid: int) -> int | None:
        return self._call.OpenProcess(self._SYNCHRONIZE, False, pid) or None

    def wait(self, handles: Sequence[int], milliseconds: int) -> bool:
        several = (ctypes.c_void_p * len(handles))(*handles)
        ended = self._call.WaitForMultipleObjects(len(handles), several, False, ctypes.c_uint32(milliseconds))
        return bool(0 <= ended < self._SIGNALLED_BELOW)

    def close(self, handle: int) -> None:
        self._call.CloseHandle(ctypes.c_void_p(handle))

    def snapshot(self) -> Mapping[int, Entry]:
        taken = self._call.CreateToolhelp32Snapshot(self._PROCESSES, 0)
        if taken in (None, self._INVALID):
            return {}
        found: dict[int, Entry] = {}
        entry = ProcessEntry(size=ctypes.sizeof(ProcessEntry))
        more = self._call.Process32FirstW(ctypes.c_void_p(taken), ctypes.byref(entry))
        while more:
            found[entry.pid] = Entry(entry.parent, entry.name)
            more = self._call.Process32NextW(ctypes.c_void_p(taken), ctypes.byref(entry))
        self.close(taken)
        return found
