"""How a tool is got: found, fetched or built; and what happens where that goes wrong."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from made_up_machine import Machine, Site, alive, release, tool

from toolchain.errors import ToolchainError, sentence
from toolchain.fetch import Vendors
from toolchain.records import Folder
from toolchain.table import GoBuild, Range

REPOSITORY = Path(__file__).resolve().parents[2]


def archive(name: str, text: str) -> bytes:
    """A vendor's archive with one program in it, and something that nobody asked for."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member, content in ((f"{name}-2.0.0/{name}", text), ("../escape", "x")):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content.encode()))
    return buffer.getvalue()


def publish(site: Site, name: str, content: bytes, *, hash_of: bytes | None = None) -> None:
    digest = hashlib.sha256(content if hash_of is None else hash_of).hexdigest()
    site.files[f"/vendor.example/{name}-2.0.0.tar.gz"] = content
    site.files[f"/vendor.example/{name}-2.0.0.sha256"] = f"{digest}  {name}-2.0.0.tar.gz\n".encode()


def test_a_tool_on_path_is_linked_and_nothing_is_built(machine: Machine) -> None:
    program = machine.program("fakectl", "Client Version: v1.9.4")
    record = machine.engine(tool("fakectl")).provide(["fakectl"])["fakectl"]
    assert record is not None and (record.version, record.origin) == ("1.9.4", "path")
    assert (machine.project / ".local/toolchain/bin/fakectl").resolve() == program
    assert machine.builds() == []


def test_a_program_of_another_name_that_will_do_is_taken_where_there_is_none_of_its_own(machine: Machine) -> None:
    other = machine.program("otherctl", "Otherctl v1.9.4")
    record = machine.engine(tool("fakectl", equals=("otherctl",))).provide(["fakectl"])["fakectl"]
    assert record is not None and (record.path, record.origin) == (str(other), "path")
    assert (machine.project / ".local/toolchain/bin/fakectl").resolve() == other and machine.builds() == []


@pytest.mark.parametrize("says", ["GitVersion:v1.4.9", "v3.0.0", "who knows"])
def test_a_tool_of_a_wrong_version_is_passed_over_and_said(machine: Machine, says: str) -> None:
    program = machine.program("fakectl", says)
    record = machine.engine(tool("fakectl")).provide(["fakectl"])["fakectl"]
    assert record is not None and (record.version, record.origin) == ("2.0.0", "build")
    [line] = [line for line in machine.screen.lines() if "passed over" in line]
    assert str(program) in line and "1.5 up to, not including, 3 is needed" in line


def test_the_projects_own_folders_on_path_are_not_the_machines(machine: Machine) -> None:
    machine.program("fakectl", "v1.9.9", machine.project / ".local/toolchain/bin")
    machine.path = machine.project / ".local/toolchain/bin"
    with pytest.raises(ToolchainError, match="can neither be downloaded nor built"):
        machine.engine(tool("fakectl", build=None)).provide(["fakectl"])


def test_a_release_is_fetched_and_checked(machine: Machine, site: Site) -> None:
    publish(site, "fakectl", archive("fakectl", "#!/bin/sh\necho v2.0.0\n"))
    machine.vendors = Vendors(site.address)
    record = machine.engine(tool("fakectl", download=release("fakectl"))).provide(["fakectl"])["fakectl"]
    assert record is not None and record.origin == "download"
    linked = machine.project / ".local/toolchain/bin/fakectl"
    assert subprocess.run([linked], capture_output=True, text=True).stdout == "v2.0.0\n"
    assert not list(machine.project.rglob("*escape*")) and not list(machine.project.rglob("*.tar.gz"))
    assert machine.builds() == []


@pytest.mark.parametrize("case", ["altered", "without a checksum", "another version", "no archive", "absent"])
def test_a_release_that_is_not_what_it_should_be_is_built_instead(machine: Machine, site: Site, case: str) -> None:
    good = archive("fakectl", "#!/bin/sh\necho v2.0.0\n")
    if case == "altered":
        publish(site, "fakectl", good, hash_of=b"other")
    elif case == "without a checksum":
        publish(site, "fakectl", good)
        site.files["/vendor.example/fakectl-2.0.0.sha256"] = b"nothing\n"
    elif case == "another version":
        publish(site, "fakectl", archive("fakectl", "#!/bin/sh\necho v1.9.0\n"))
    elif case == "no archive":
        publish(site, "fakectl", archive("other", "#!/bin/sh\necho v2.0.0\n"))
    machine.vendors = Vendors(site.address)
    record = machine.engine(tool("fakectl", download=release("fakectl"))).provide(["fakectl"])["fakectl"]
    assert record is not None and record.origin == "build"
    [line] = [line for line in machine.screen.lines() if "no download" in line]
    expected = {
        "altered": "came broken",
        "without a checksum": "no published checksum",
        "another version": "it says that it is 1.9.0",
        "no archive": "has no fakectl in it",
        "absent": "answers 404",
    }
    assert expected[case] in line
    assert machine.leftovers() == []


def test_a_download_that_breaks_off_is_built_instead(machine: Machine, site: Site) -> None:
    content = archive("short", "x")
    site.files["/vendor.example/short.tar.gz"] = content
    site.files["/vendor.example/short.sha256"] = hashlib.sha256(content).hexdigest().encode()
    download = release("short").__class__(
        "https://vendor.example/short.tar.gz", "https://vendor.example/short.sha256", folder="x"
    )
    machine.vendors = Vendors(site.address)
    record = machine.engine(tool("short", download=download)).provide(["short"])["short"]
    assert record is not None and record.origin == "build"


def test_a_silent_network_is_waited_for_once_for_all_tools(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        machine.vendors = Vendors(f"http://127.0.0.1:{silent.getsockname()[1]}", budget=1.0)
        table = [tool(name, download=release(name)) for name in ("one", "two", "three")]
        start = time.monotonic()
        records = machine.engine(*table).provide(["one", "two", "three"])
    assert time.monotonic() - start < 3.0
    assert {record.origin for record in records.values() if record} == {"build"}
    assert sum("no download" in line for line in machine.screen.lines()) == 1


def test_a_second_run_asks_nobody_and_prints_nothing(machine: Machine) -> None:
    table = [tool("one"), tool("two")]
    machine.engine(*table).provide(["one", "two"])
    printed = len(machine.screen.lines())
    # Whoever is asked for a version now, fails.
    for program in [machine.path / "go", *machine.project.glob(".local/toolchain/*-2.0.0/bin/*")]:
        text, times = program.read_text(), program.stat()
        program.write_text("#!/bin/false".ljust(len(text)))
        os.utime(program, ns=(times.st_atime_ns, times.st_mtime_ns))
    records = machine.engine(*table).provide(["one", "two"])
    assert all(records.values()) and len(machine.screen.lines()) == printed
    assert machine.builds() == ["example.com/one", "example.com/two"]


def test_a_changed_pin_is_built_anew_and_a_lost_record_is_not(machine: Machine) -> None:
    table = [tool("one")]
    machine.engine(*table).provide(["one"])
    (machine.project / ".local/toolchain/records.json").write_text("{ half a fi")
    machine.engine(*table).provide(["one"])
    assert len(machine.builds()) == 1
    (machine.project / "toolchain/module/go.sum").write_text("another sum\n")
    machine.engine(*table).provide(["one"])
    assert len(machine.builds()) == 2
    machine.engine(tool("one", accepts=Range((1,), (3,)))).provide(["one"])
    assert len(machine.builds()) == 3


def test_a_build_gets_no_other_go_and_what_it_embeds(machine: Machine) -> None:
    machine.program("schema.json", "{}", machine.path / "module/cmd")
    build = GoBuild("module", ".", embeds=(("example.com/big", "cmd/*.json"),))
    machine.engine(tool("one", build=build)).provide(["one"])
    [line] = (machine.path / "builds").read_text().splitlines()
    assert line.split() == [".", "local", "go.mod", "schema.json"]
    assert not (machine.project / "toolchain/module/schema.json").exists()


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("main.go:1: undefined: x", "main.go:1: undefined: x"),
        ("dial tcp 10.0.0.1:443: i/o timeout", "registry cannot be reached"),
        ("verifying m: checksum mismatch", "not what is pinned"),
    ],
)
def test_a_failed_build_is_one_sentence_and_leaves_nothing(machine: Machine, output: str, said: str) -> None:
    (machine.path / "fails").write_text(f"downloading\n{output}\n")
    with pytest.raises(ToolchainError) as caught:
        machine.engine(tool("one")).provide(["one"])
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert "logs/one.log" in str(caught.value)
    assert machine.leftovers() == [] and not (machine.project / ".local/toolchain/one-2.0.0").exists()
    (machine.path / "fails").unlink()
    assert machine.engine(tool("one")).provide(["one"])["one"] is not None


def test_a_full_disk_is_said_as_such(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine.path / "fails").write_text("write $WORK/b001/_pkg_.a: no space left on device\n")
    with pytest.raises(OSError, match="No space left") as caught:
        machine.engine(tool("one")).provide(["one"])
    assert sentence(caught.value).startswith("the disk is full")

    def full(self: Folder, name: str) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere")

    monkeypatch.setattr(Folder, "aside", full)
    with pytest.raises(OSError, match="No space left") as caught:
        machine.engine(tool("one")).provide(["one"])
    assert "the disk is full (/somewhere)" in sentence(caught.value)


def test_a_build_of_the_wrong_version_is_refused(machine: Machine) -> None:
    with pytest.raises(ToolchainError, match=r"it says that it is 2\.0\.0, not 2\.0\.1"):
        machine.engine(tool("one", version="2.0.1")).provide(["one"])


def test_a_leftover_of_an_interrupted_run_goes(machine: Machine) -> None:
    leftover = machine.project / ".local/toolchain/.aside-one-2.0.0/bin"
    leftover.mkdir(parents=True)
    (leftover / "one").write_text("half a prog")
    machine.engine(tool("one")).provide(["one"])
    assert machine.leftovers() == []
    assert "half" not in (machine.project / ".local/toolchain/bin/one").read_text()


RUN = """
import sys
sys.path[:0] = [{tests!r}, {repository!r}]
from pathlib import Path
from made_up_machine import Machine, tool
from toolchain import command
machine = Machine(Path({project!r}), Path({path!r}), Path({home!r}))
machine.screen = sys.stdout
command.Engine = lambda shop: machine.engine(tool("one"), tool("two"))
sys.exit(command.run(Path({project!r}), "provide", ["one", "two"], as_json=False))
"""


def start_run(machine: Machine) -> subprocess.Popen[str]:
    script = RUN.format(
        tests=str(Path(__file__).parent),
        repository=str(REPOSITORY),
        project=str(machine.project),
        path=str(machine.path),
        home=str(machine.home),
    )
    return subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    )


def wait_for(file: Path, run: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 20
    while not (file.exists() and file.read_text().strip()):
        assert time.monotonic() < deadline and run.poll() is None, run.communicate()
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_takes_its_build_along_and_the_next_goes_on(
    machine: Machine, number: signal.Signals
) -> None:
    (machine.path / "slow").touch()
    run = start_run(machine)
    wait_for(machine.path / "pid", run)
    build = int((machine.path / "pid").read_text())
    # To this process alone, as `kill` does; a terminal's Ctrl-C would reach the build by itself.
    run.send_signal(number)
    _, errors = run.communicate(timeout=20)
    assert run.returncode == 130
    assert "interrupted; run it again" in errors and "Traceback" not in errors
    assert not alive(build) and machine.leftovers() == []
    (machine.path / "slow").unlink()
    again = start_run(machine)
    output, errors = again.communicate(timeout=30)
    assert again.returncode == 0, errors
    assert output.splitlines()[-1].startswith("toolchain  ready: 2 tools")


def test_two_runs_side_by_side_wait_for_each_other(machine: Machine) -> None:
    (machine.path / "slow").touch()
    first = start_run(machine)
    wait_for(machine.path / "pid", first)
    second = start_run(machine)
    try:
        assert second.stdout is not None
        line = second.stdout.readline()
        assert f"another run (process {first.pid}) is at work here" in line
        (machine.path / "slow").unlink()
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=20)
        output, errors = second.communicate(timeout=30)
        assert second.returncode == 0, errors
        assert "ready: 2 tools" in output
    finally:
        for run in (first, second):
            run.kill()
            run.wait()


def test_a_long_step_shows_that_it_lives(machine: Machine) -> None:
    machine.program("go", (machine.path / "go").read_text().replace("sleep 60", "sleep 1"))
    (machine.path / "slow").touch()
    machine.engine(tool("one")).provide(["one"])
    lines = machine.screen.lines()
    assert any(line.startswith("toolchain  one 2.0.0  building ... 0.") and line.endswith("so far") for line in lines)
    assert lines[-1].startswith("toolchain  one 2.0.0  building ... 1.") and not lines[-1].endswith("so far")
