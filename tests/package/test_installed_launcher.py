"""The launcher of a project that is no checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from arcgateway.errors import Failure
from arcgateway.launcher import INSTALLED, launcher, windows
from sandbox.home import PROJECT

posix = pytest.mark.skipif(sys.platform == "win32", reason="the POSIX launcher")


@pytest.fixture(autouse=True)
def forget() -> None:
    launcher.cache_clear()


def probe(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the launcher as the command plugin does: by its relative path, without the program's virtual environment."""
    env = {"PATH": os.environ["PATH"], "ARC_PREFLIGHT": "off", **variables}
    return subprocess.run([INSTALLED, "probe"], cwd=folder, env=env, capture_output=True, text=True, timeout=30)


def test_a_checkout_uses_its_own(tmp_path: Path) -> None:
    assert launcher(PROJECT) == "bin/driver"
    assert not (PROJECT / INSTALLED).exists()  # the folder may hold what fleets keep
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/driver").write_text("something else by the same name")
    assert launcher(tmp_path) == INSTALLED


@posix
def test_elsewhere_one_is_made_and_runs_the_driver(tmp_path: Path) -> None:
    folder = tmp_path / "a project's folder"
    folder.mkdir()
    assert launcher(folder) == INSTALLED
    done = probe(folder)
    assert (done.returncode, done.stdout) == (0, '{"verdict":"off","proxy":null,"endpoints":0}\n'), done.stderr
    assert (folder / ".arc-gateway/.gitignore").read_text() == "*\n"
    assert sorted(path.name for path in (folder / ".arc-gateway").iterdir()) == [".gitignore", "driver"]


@posix
def test_it_follows_the_program_to_another_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python, removed = sys.executable, tmp_path / "other's python"
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(removed))
        launcher(tmp_path)
    gone = probe(tmp_path)
    assert gone.returncode == 1
    assert str(removed) in gone.stderr and "pulumi preview" in gone.stderr and len(gone.stderr.splitlines()) == 1
    assert probe(tmp_path, ARCGATEWAY_PYTHON=python).returncode == 0
    launcher.cache_clear()
    launcher(tmp_path)
    assert probe(tmp_path).returncode == 0


@posix
def test_a_second_program_leaves_the_file_alone(tmp_path: Path) -> None:
    launcher(tmp_path)
    before = (tmp_path / INSTALLED).stat()
    launcher.cache_clear()
    launcher(tmp_path)
    after = (tmp_path / INSTALLED).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@posix
def test_the_driver_knows_whose_end_is_its_own(tmp_path: Path) -> None:
    """The launcher stays as the parent and hands over its id and that of the plugin."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$ARCGATEWAY_ANCESTORS" "$PPID" "$@"\n')
    python.chmod(0o755)
    launcher(tmp_path)
    ancestors = probe(tmp_path, ARCGATEWAY_PYTHON=str(python)).stdout.split()
    own, plugin, parent, *rest = ancestors
    assert (own, plugin) == (parent, str(os.getpid()))
    assert rest == ["-P", "-m", "arcgateway.driver", "probe"]


def test_a_folder_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    (tmp_path / ".arc-gateway").write_text("in the way")
    with pytest.raises(Failure, match=r"\.arc-gateway/driver: .*: let the program write to its project's folder"):
        launcher(tmp_path)


def test_the_windows_twin_quotes_and_explains() -> None:
    made = windows(r"C:\100% new\python.exe")
    assert made.count("\r\n") == made.count("\n")
    assert r'set "PY=C:\100%% new\python.exe"' in made
    assert made.index("ARCGATEWAY_PYTHON") < made.index("if exist") < made.index("arcgateway.driver %*")
    assert made.endswith("exit /b\r\n")
