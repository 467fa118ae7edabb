"""Provides one tool of the table: on PATH, else from its vendor, else built."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from toolchain import gobuild
from toolchain.errors import ToolchainError, Unavailable
from toolchain.find import version_of
from toolchain.records import Record, mark_of
from toolchain.table import Tool
from toolchain.workshop import Workshop, digest


def basis(shop: Workshop, tool: Tool) -> str:
    """What decides how the tool is made: its row, and the sources of its build."""
    sources: list[Path] = []
    if tool.build:
        sources = sorted(f for p in gobuild.SOURCES for f in (shop.modules / tool.build.module).glob(p))
    return digest(tool, *sources)


def ready(shop: Workshop, tool: Tool, records: dict[str, Record]) -> Record | None:
    """The record of a tool that is there and right, else None."""
    record = records.get(tool.name)
    if record is None or not record.current(basis(shop, tool)):
        return None
    link, place = shop.folder.bin / tool.name, _place(shop, tool, record, records)
    return record if mark_of(link) and link.resolve() == place.resolve() else None


def provide(shop: Workshop, tool: Tool, go: Callable[[], Path]) -> Record:
    """Get a tool, and link it.

    Args:
        go: gives the Go command, once it is needed.

    Raises:
        ToolchainError: it cannot be had in any way.
    """
    record = _beside(shop, tool) or _found(shop, tool) or _made_earlier(shop, tool) or _made(shop, tool, go)
    place = _place(shop, tool, record, shop.folder.records())
    _put(Path(record.path), place)
    shop.folder.link(tool.name, place)
    shop.folder.keep(record)
    return record


def _place(shop: Workshop, tool: Tool, record: Record, records: dict[str, Record]) -> Path:
    """Where a tool is started from: beside its owner, where the engine expects a language host, and else warns."""
    owner = records.get(tool.beside)
    if owner and record.origin != "path" and Path(owner.path).is_relative_to(shop.folder.root):
        return Path(owner.path).with_name(tool.name)
    return Path(record.path)


def _record(shop: Workshop, tool: Tool, version: str, origin: str, path: Path, note: str = "") -> Record:
    return Record(tool.name, version, origin, str(path), basis(shop, tool), mark_of(path), note)


def _beside(shop: Workshop, tool: Tool) -> Record | None:
    """A tool that came with another: an official Pulumi brings its language hosts."""
    owner = shop.folder.records().get(tool.beside)
    if owner is None or owner.origin not in ("path", "download"):
        return None
    for folder in (Path(owner.path).parent, Path(owner.path).resolve().parent):
        if os.access(folder / tool.name, os.X_OK):
            return _record(shop, tool, owner.version, owner.origin, folder / tool.name, f"came with {tool.beside}")
    return None


def _found(shop: Workshop, tool: Tool) -> Record | None:
    program, version, passed = shop.finder.tool(tool)
    for line in passed:
        shop.report.line(f"{tool.name}  {line}")
    if program is None:
        return None
    shop.report.line(f"{tool.name} {version}  found: {program}")
    return _record(shop, tool, version, "path", program)


def _home(tool: Tool) -> str:
    return f"{tool.name}-{tool.version}"


def _made_earlier(shop: Workshop, tool: Tool) -> Record | None:
    """A tool whose folder is whole, but whose record is lost or was of another basis that gives the same version."""
    program = shop.folder.root / _home(tool) / "bin" / tool.name
    known = shop.folder.records().get(tool.name)
    if known is not None and known.path == str(program) and known.basis != basis(shop, tool):
        return None
    if not os.access(program, os.X_OK) or (tool.ask and version_of(program, tool.ask) != tool.version):
        return None
    return _record(shop, tool, tool.version, "build", program, "made by an earlier run")


def _made(shop: Workshop, tool: Tool, go: Callable[[], Path]) -> Record:
    subject = f"{tool.name} {tool.version}"
    aside = shop.folder.aside(_home(tool))
    origin = ""
    if tool.download:
        try:
            with shop.report.step(subject, "downloading"):
                shop.vendors.fetch(tool, aside)
            if defect := _defect(tool, aside / "bin" / tool.name):
                raise Unavailable(defect)
            origin = "download"
        except Unavailable as problem:
            if not problem.known:
                shop.report.line(f"{subject}  no download: {problem}")
            aside = shop.folder.aside(_home(tool))
    if not origin and tool.build:
        command = go()
        with shop.report.step(subject, "building"):
            gobuild.build(tool, command, shop.modules, aside, shop.children, shop.environment)
        if defect := _defect(tool, aside / "bin" / tool.name):
            raise ToolchainError(f"the build of {subject} is no good: {defect}")
        origin = "build"
    if not origin:
        raise ToolchainError(f"{subject} can neither be downloaded nor built here: install it, so that it is on PATH")
    final = shop.folder.settle(aside, _home(tool))
    return _record(shop, tool, tool.version, origin, final / "bin" / tool.name)


def _defect(tool: Tool, program: Path) -> str:
    if not os.access(program, os.X_OK):
        return f"there is no program {program.name} in it"
    if not tool.ask:
        return ""
    version = version_of(program, tool.ask)
    return "" if version == tool.version else f"it says that it is {version or 'of no version'}, not {tool.version}"


def _put(program: Path, place: Path) -> None:
    """Make a program's file appear at another place, too."""
    if place == program:
        return
    aside = place.with_name(f".{place.name}")
    aside.unlink(missing_ok=True)
    os.link(program, aside)
    aside.replace(place)
    # A rename between two links of one file does nothing, and leaves both.
    aside.unlink(missing_ok=True)
