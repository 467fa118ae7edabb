"""The real `az`, in a Python environment of its own: a client to prove the local Azure with, got only when asked for.

Its folder is on no PATH under the name `az`, which in the sandbox is that of the stand-in.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from toolchain import virtualenv
from toolchain.errors import ToolchainError
from toolchain.find import version_of
from toolchain.records import Record, mark_of
from toolchain.workshop import Workshop, digest

NAME = "azure-cli"

#: Seconds for the first start, in which Python compiles all that is imported.
FIRST_START = 180.0

#: Isolated (-I), so that it sees no PYTHONPATH, and keeps what it compiles where PYTHONDONTWRITEBYTECODE is set.
LAUNCHER = """#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/python" -Im azure.cli "$@"
"""


def ready(shop: Workshop, records: dict[str, Record]) -> Record | None:
    """The record of an `az` that is there and of this lock, else None."""
    record = records.get(NAME)
    if record is None or not record.current(_basis(shop)):
        return None
    return record if mark_of(shop.folder.bin / NAME) else None


def provide(shop: Workshop) -> Record:
    """Install what requirements-az.lock pins; that needs the project's Python environment, whose uv does it.

    Raises:
        ToolchainError: a package cannot be had, or what is installed does not run.
    """
    if virtualenv.ready(shop) is None:
        virtualenv.provide(shop)
    version = _lock(shop).read_text().split(f"\n{NAME}==", 1)[1].split()[0]
    aside = shop.folder.aside(f"{NAME}-{version}")
    scratch, uv, python = aside / "tmp", shop.virtualenv / "bin" / "uv", aside / "bin" / "python"
    scratch.mkdir()
    env = {name: value for name, value in shop.environment.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    env |= {"TMPDIR": str(scratch)}
    make = [uv, "venv", "--quiet", "--allow-existing", "--python", shop.virtualenv / "bin" / "python", aside]
    fill = [uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", _lock(shop)]
    with shop.report.step(f"{NAME} {version}", "installing"):
        for command in (make, fill):
            shop.children.run(NAME, list(map(str, command)), cwd=shop.project, env=env)
    launcher = aside / "bin" / NAME
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)
    if version_of(launcher, ("version", "--output", "tsv"), FIRST_START) != version:
        raise ToolchainError(
            f"{NAME} {version} was installed from requirements-az.lock, but does not run with {python}"
        )
    shutil.rmtree(scratch)
    program = shop.folder.settle(aside, f"{NAME}-{version}") / "bin" / NAME
    shop.folder.link(NAME, program)
    record = Record(NAME, version, "package", str(program), _basis(shop), mark_of(program))
    shop.folder.keep(record)
    return record


def _lock(shop: Workshop) -> Path:
    return shop.project / "requirements-az.lock"


def _basis(shop: Workshop) -> str:
    return digest(LAUNCHER, _lock(shop))
