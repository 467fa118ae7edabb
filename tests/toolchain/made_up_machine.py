"""A made-up machine for the tool chain: programs that say a version, a Go that builds scripts, vendors on loopback."""

from __future__ import annotations

import io
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from toolchain.engine import Engine
from toolchain.fetch import Vendors
from toolchain.progress import Reporter
from toolchain.table import Download, GoBuild, Range, Tool
from toolchain.workshop import Workshop

#: Answers `version`, and "builds" a script that says 2.0.0; each build is written down. The files beside it
#: (`slow`, `fails`) change what it does.
GO = """#!/bin/sh
here=$(dirname "$0")
case "$1" in
version) echo "go version go1.26.8 linux/amd64"; exit;;
mod) exit;;
list) [ "$2" = -m ] && echo "$here/module"; exit;;
esac
while [ $# -gt 1 ]; do [ "$1" = -o ] && target=$2; shift; done
echo "$1 $GOTOOLCHAIN $(ls | tr '\\n' ' ')" >> "$here/builds"
if [ -e "$here/fails" ]; then cat "$here/fails"; exit 1; fi
if [ -e "$here/slow" ]; then echo $$ > "$here/pid"; sleep 60; fi
printf '#!/bin/sh\\necho v2.0.0\\n' > "$target"
chmod +x "$target"
"""


class Screen(io.StringIO):
    """What a run has printed, by lines."""

    def lines(self) -> list[str]:
        return self.getvalue().splitlines()


@dataclass
class Machine:
    """One machine with one project on it."""

    project: Path
    path: Path
    home: Path
    screen: Screen = field(default_factory=Screen)
    vendors: Vendors = field(default_factory=lambda: Vendors(budget=0))

    def program(self, name: str, text: str, folder: Path | None = None) -> Path:
        """A program on PATH: a script's text, or the version that it says."""
        file = (folder or self.path) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text if text.startswith("#!") else f"#!/bin/sh\necho '{text}'\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        return file

    def engine(self, *table: Tool) -> Engine:
        """An engine of this machine's."""
        environment = {"PATH": f"{self.path}:/usr/bin:/bin", "PULUMI_HOME": str(self.home), "HOME": str(self.home)}
        reporter = Reporter(self.screen, first_sign=0.3, next_signs=0.3)
        return Engine(Workshop.of(self.project, environment, reporter, self.vendors), table)

    def builds(self) -> list[str]:
        """What Go was asked to build."""
        record = self.path / "builds"
        return [line.split()[0] for line in record.read_text().splitlines()] if record.exists() else []

    def leftovers(self) -> list[str]:
        """What is half made."""
        return [path.name for path in (self.project / ".local/toolchain").glob(".aside-*")]


def tool(name: str, **options: object) -> Tool:
    """A tool that is built from the made-up module."""
    row = {
        "version": "2.0.0",
        "accepts": Range((1, 5), (3,)),
        "ask": ("version",),
        "build": GoBuild("module", f"example.com/{name}"),
        **options,
    }
    return Tool(name, **row)  # type: ignore[arg-type]


def release(name: str) -> Download:
    """A vendor's archive of a tool, and its checksum file."""
    base = f"https://vendor.example/{name}-{{version}}"
    return Download(f"{base}.tar.gz", f"{base}.sha256", folder=f"{name}-{{version}}")


@dataclass
class Site:
    """A web server that stands in for all vendors; `files` by path, under `/HOST/`."""

    address: str
    files: dict[str, bytes]
    asked: list[str]


def alive(process: int) -> bool:
    """Whether a process runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] if Path("/proc").exists() else "R"
    return state != "Z"
