"""The end of the parents where the system gives no handle on processes, and what killed processes leave."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import until

from arcgateway import workspace

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups")

WATCHER = """
import os, subprocess, sys
if hasattr(os, "pidfd_open"):
    del os.pidfd_open
from arcgateway.lifeline import Lifeline, in_own_group
line = Lifeline()
line.watch([int(sys.argv[1])])
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], **in_own_group())
line.started(child)
print(child.pid, flush=True)
child.wait()
"""


def test_polling_sees_the_end_as_well() -> None:
    keeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    watcher = subprocess.Popen([sys.executable, "-c", WATCHER, str(keeper.pid)], stdout=subprocess.PIPE, text=True)
    try:
        assert watcher.stdout is not None
        child = int(watcher.stdout.readline())
        time.sleep(0.7)
        assert watcher.poll() is None
        keeper.kill()
        keeper.wait()
        until(lambda: watcher.poll() is not None, 15)
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
    finally:
        for process in (keeper, watcher):
            process.kill()
            process.wait()


def test_folders_of_killed_processes_are_swept_and_those_of_running_ones_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / f"arcgateway-run-{gone.pid}-x").mkdir()
    (tmp_path / "arcgateway-run-x-y").mkdir()
    with workspace.folder() as mine:
        workspace.sweep()
        assert mine.exists() and mine.stat().st_mode & 0o777 == 0o700
        assert not (tmp_path / f"arcgateway-run-{gone.pid}-x").exists() and (tmp_path / "arcgateway-run-x-y").exists()
    assert not mine.exists()


OWING = """
import sys
from arcgateway.lifeline import Lifeline
line = Lifeline()
def fails():
    raise OSError("unreachable")
with line.owing(fails), line.owing(lambda: print("owed", flush=True)):
    with line.owing(lambda: print("done with", flush=True)):
        pass
    line.end(130)
"""


def test_an_end_does_what_is_owed_just_then_and_ends_though_that_fails() -> None:
    done = subprocess.run([sys.executable, "-c", OWING], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "owed\n")
