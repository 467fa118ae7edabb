"""Which Python the launcher takes, and that nothing of the checkout reaches `az`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LAUNCHER = Path(__file__).parents[2] / "bin" / "driver"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the POSIX launcher")


def interpreter(path: Path, name: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "{name}" "$#" "$PYTHONPATH"\n')
    path.chmod(0o755)
    return path


def run_launcher(path: str, verb: str, folder: str | Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([path, verb], cwd=folder, env=env, capture_output=True, text=True, timeout=30, check=False)


def test_the_order_of_pythons(tmp_path: Path) -> None:
    root = tmp_path / "a checkout"
    (root / "bin").mkdir(parents=True)
    launcher = root / "bin" / "driver"
    launcher.write_text(LAUNCHER.read_text())
    launcher.chmod(0o755)
    virtual = tmp_path / "venv"
    interpreter(virtual / "bin" / "python", "virtual")
    interpreter(tmp_path / "path" / "arcgateway", "installed")
    own = interpreter(root / ".venv" / "bin" / "python", "checkout")
    named = interpreter(tmp_path / "named python", "named")

    def run(*env: str) -> str:
        given = {"ARCGATEWAY_PYTHON": str(named), "VIRTUAL_ENV": str(virtual)}
        path = f"{tmp_path / 'path'}:/usr/bin:/bin" if "path" in env else "/usr/bin:/bin"
        chosen = {"PATH": path, **{name: given[name] for name in env if name in given}}
        done = run_launcher(str(launcher), "probe", "/", chosen)
        return done.stdout.split(" ")[0].strip() or done.stderr.strip()

    assert run("ARCGATEWAY_PYTHON", "VIRTUAL_ENV", "path") == "named"
    assert run("VIRTUAL_ENV", "path") == "checkout"
    own.unlink()
    assert run("VIRTUAL_ENV", "path") == "virtual"
    assert run("path") == "installed"
    assert "set ARCGATEWAY_PYTHON" in run() and len(run().splitlines()) == 1


def test_it_works_from_any_folder_and_hands_on_the_status(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "ARCGATEWAY_PYTHON": sys.executable, "ARC_PREFLIGHT": "off"}
    for folder, path in ((tmp_path, str(LAUNCHER)), (LAUNCHER.parents[1], "bin/driver")):
        done = run_launcher(path, "probe", folder, env)
        assert (done.returncode, done.stdout) == (0, '{"verdict":"off","proxy":null,"endpoints":0}\n'), done.stderr
    done = run_launcher(str(LAUNCHER), "nonsense", tmp_path, env)
    assert done.returncode == 1 and "one of connect" in done.stderr


def test_the_windows_twin_takes_the_same_order() -> None:
    text = (LAUNCHER.parent / "driver.cmd").read_text()
    words = ("ARCGATEWAY_PYTHON", r".venv\Scripts", "VIRTUAL_ENV", "where /q arcgateway")
    places = [text.index(word) for word in words]
    assert places == sorted(places)
    assert b"\r\n" in (LAUNCHER.parent / "driver.cmd").read_bytes()
