"""Looks for programs that are on the machine already, and asks them which version they are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from toolchain.table import Range, Tool

_VERSION = re.compile(r"(?<![\d.])v?(\d+\.\d+(?:\.\d+)?)")


def version_of(program: Path, ask: tuple[str, ...], within: float = 20.0) -> str | None:
    """The version that a program says it is, or None when it says none within so many seconds."""
    try:
        # Some write into their home even then: pulumi, az.
        with TemporaryDirectory() as scratch:
            answer = subprocess.run(
                [program, *ask],
                env={
                    **os.environ,
                    "PULUMI_HOME": scratch,
                    "AZURE_CONFIG_DIR": scratch,
                    "PULUMI_SKIP_UPDATE_CHECK": "true",
                },
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=within,
            )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(answer.stdout) or _VERSION.search(answer.stderr)
    return found[1] if found else None


class Finder:
    """Searches PATH, without the project's own folders.

    Args:
        project: the project's folder; what is under it is not the machine's.
        environment: the environment variables that say where to look.
    """

    def __init__(self, project: Path, environment: Mapping[str, str]) -> None:
        self._environment = environment
        folders = environment.get("PATH", "").split(os.pathsep)
        own = project.resolve()
        self.path = os.pathsep.join(
            folder
            for folder in folders
            if folder and own not in (Path(folder).resolve(), *Path(folder).resolve().parents)
        )

    def program(self, name: str, *more: str) -> Path | None:
        """The first program of this name on PATH, or in the folders `more`."""
        found = shutil.which(name, path=os.pathsep.join([self.path, *more]))
        return Path(found) if found else None

    def tool(self, tool: Tool) -> tuple[Path | None, str, list[str]]:
        """A tool of an accepted version.

        Returns:
            The program (None without one), its version, and a line for each that was passed over.
        """
        passed: list[str] = []
        for program, version in self._candidates(tool):
            if version is not None and tool.accepts.holds(version):
                return program, version, passed
            passed.append(refusal(program, version, tool.accepts))
        return None, "", passed

    def _candidates(self, tool: Tool) -> Iterator[tuple[Path, str | None]]:
        for name in (tool.name, *tool.equals) if tool.ask else ():
            if program := self.program(name):
                yield program, version_of(program, tool.ask)
        if tool.plugin:
            home = Path(self._environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
            for program in sorted(home.glob(f"plugins/{tool.plugin}-v*/{tool.name}")):
                found = _VERSION.search(program.parent.name.removeprefix(tool.plugin))
                yield program, found[1] if found else None


def refusal(program: Path, version: str | None, accepts: Range) -> str:
    """Why a program that was found is not used."""
    return f"{program} is passed over: it is {version or 'of no known version'}, and {accepts} is needed"
