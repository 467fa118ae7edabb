"""Which program the stack's commands call to have the driver run.

A command's inputs are the same on every machine, so the launcher is named by its path in the project, which is the
command plugin's working directory. A checkout of this project has one of its own, which finds its Python by itself.
Every other project (a program in another language, or a Python program that has `arc-gateway` installed) gets one in
`.arc-gateway/`, written by the program that declares the commands: that one knows a Python that has the driver. What
is written names this machine; its path does not, and its path alone is in the state.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from arcgateway.errors import Failure

CHECKOUT = "bin/driver"
FOLDER = ".arc-gateway"
INSTALLED = f"{FOLDER}/driver"

#: It stays the driver's parent (no exec): the driver watches the processes named here, and ends with them.
_POSIX = """#!/bin/sh
# Runs the driver of arc-gateway. Every preview and update writes this file anew, so it is not for version control.
python=${{ARCGATEWAY_PYTHON:-{python}}}
if ! command -v "$python" >/dev/null 2>&1; then
    echo "no Python for the driver at $python: run \\`pulumi install\\` and \\`pulumi preview\\`, which write" \\
        "{installed} anew, or set ARCGATEWAY_PYTHON to one that has arc-gateway" >&2
    exit 1
fi
ARCGATEWAY_ANCESTORS="$$ $PPID"
export ARCGATEWAY_ANCESTORS
"$python" -P -m arcgateway.driver "$@"
exit $?
"""

_WINDOWS = """@echo off
rem Runs the driver of arc-gateway. Every preview and update writes this file anew, so it is not for version control.
setlocal
set "PY={python}"
if defined ARCGATEWAY_PYTHON (
  set "PY=%ARCGATEWAY_PYTHON%"
  goto run
)
if exist "%PY%" goto run
echo no Python for the driver at "%PY%": run `pulumi install` and `pulumi preview`, which write {installed} anew, ^
or set ARCGATEWAY_PYTHON to one that has arc-gateway 1>&2
exit /b 1

:run
"%PY%" -P -m arcgateway.driver %*
exit /b
"""


def posix(python: str) -> str:
    """A launcher for a POSIX shell, with the path of a Python that has the driver."""
    return _POSIX.format(python=shlex.quote(python), installed=INSTALLED)


def windows(python: str) -> str:
    """A launcher for cmd.exe, with the path of a Python that has the driver."""
    return _WINDOWS.format(python=python.replace("%", "%%"), installed=INSTALLED).replace("\n", "\r\n")


#: File name and text by `os.name`. Go's process start finds `driver.cmd` where the state says `driver`.
KINDS: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "posix": ("driver", posix),
    "nt": ("driver.cmd", windows),
}


@cache
def launcher(project: Path) -> str:
    """The launcher's path relative to a project, made where it has none of its own.

    Args:
        project: the folder of the running Pulumi program, which is its working directory.

    Raises:
        Failure: it cannot be written there.
    """
    if (project / CHECKOUT).is_file() and (project / "arcgateway/driver.py").is_file():
        return CHECKOUT
    name, text = KINDS[os.name]
    folder = project / FOLDER
    try:
        folder.mkdir(exist_ok=True)
        _keep(folder / ".gitignore", "*\n", 0o644)
        _keep(folder / name, text(sys.executable), 0o755)
    except OSError as error:
        raise Failure(
            f"the driver's launcher cannot be written to {project / INSTALLED}: {error.strerror or error}",
            "let the program write to its project's folder",
        ) from None
    return INSTALLED


def _keep(path: Path, content: str, mode: int) -> None:
    """Have the file hold this, without a moment in which it holds less: a command may be starting it."""
    if path.exists() and path.read_bytes() == content.encode():
        return
    aside = path.with_name(f".{path.name}-{os.getpid()}")
    aside.write_bytes(content.encode())
    aside.chmod(mode)
    aside.replace(path)
