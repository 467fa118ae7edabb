"""The project's Python environment `.venv`: exactly what requirements.lock pins, and the project itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from toolchain.errors import ToolchainError
from toolchain.find import version_of
from toolchain.records import ASIDE, Record, mark_of
from toolchain.workshop import Workshop, digest

NAME = ".venv"


def ready(shop: Workshop) -> Record | None:
    """The record of an environment that is whole and of this lock, else None."""
    python, stamp = shop.virtualenv / "bin" / "python", _stamp(shop)
    try:
        whole = stamp.read_text() == _basis(shop)
    except OSError:
        return None
    if not whole or not mark_of(python):
        return None
    return Record(NAME, "", "package", str(python), _basis(shop), mark_of(python))


def provide(shop: Workshop) -> Record:
    """Make the environment, or bring it up to the lock.

    Raises:
        ToolchainError: this Python makes no virtual environments, or a package cannot be had.
    """
    # The stamp goes first, so that an interruption leaves an environment that counts as unfinished.
    _stamp(shop).unlink(missing_ok=True)
    scratch = shop.folder.root / f"{ASIDE}venv"
    scratch.mkdir(parents=True, exist_ok=True)
    env = {
        **{name: value for name, value in shop.environment.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")},
        "TMPDIR": str(scratch),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    python, uv = shop.virtualenv / "bin" / "python", shop.virtualenv / "bin" / "uv"

    def run(what: str, *command: str | Path) -> None:
        with shop.report.step(NAME, what):
            shop.children.run(NAME, list(map(str, command)), cwd=shop.project, env=env)

    requirements = shop.modules / "uv.requirements"
    pinned = requirements.read_text().split("==", 1)[1].split()[0]
    # An environment that was brought up to the lock holds no pip any more, so another uv needs a new one.
    whole = version_of(python, ("--version",)) and (version_of(uv, ("--version",)) == pinned or _has_pip(python))
    if not whole:
        try:
            run("creating", _base_python(), "-m", "venv", "--clear", shop.virtualenv)
        except ToolchainError as problem:
            raise ToolchainError(
                "this Python makes no virtual environments: install its venv package (python3-venv on Debian and "
                f"Ubuntu), or run this with another Python; {problem}"
            ) from problem
    if version_of(uv, ("--version",)) != pinned:
        run("installing uv", python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", requirements)
    # Compiled once here, as containers often forbid Python to do it (PYTHONDONTWRITEBYTECODE): every program, pack and
    # plugin of an update would compile all that it imports, a third of an unchanged update's time.
    run(
        "installing packages", uv, "pip", "sync", "--quiet", "--compile-bytecode", "--python", python,
        "--require-hashes", shop.project / "requirements.lock",
    )  # fmt: skip
    run(
        "installing the project", uv, "pip", "install", "--quiet", "--python", python,
        "--no-deps", "--no-build-isolation", "--editable", shop.project,
    )  # fmt: skip
    _stamp(shop).write_text(_basis(shop))
    record = ready(shop)
    assert record is not None
    return record


def _has_pip(python: Path) -> bool:
    return (python.parent / "pip").exists()


def _base_python() -> str:
    """The Python under a virtual environment, so that ours does not hang on another one."""
    return str(getattr(sys, "_base_executable", "") or sys.executable)


def _stamp(shop: Workshop) -> Path:
    return shop.virtualenv / ".toolchain"


def _basis(shop: Workshop) -> str:
    # The project's own path is in it: an editable installation names it.
    return digest(os.fspath(shop.project), shop.project / "requirements.lock", shop.project / "pyproject.toml")
