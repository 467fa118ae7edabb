"""`pulumi-language-python`: the official one where Pulumi brought it, else a launcher of the project's own host."""

from __future__ import annotations

import os
from pathlib import Path

from toolchain.records import Record, mark_of
from toolchain.workshop import Workshop, digest

NAME = "pulumi-language-python"
EXEC = f"{NAME}-exec"

#: Four folders up from its own place, through links, is the project.
LAUNCHER = """#!/bin/sh
project=$(dirname "$(readlink -f "$0")")/../../../..
exec "$project/.venv/bin/python" "$project/sandbox/language_host.py" "$@"
"""


def ready(shop: Workshop, records: dict[str, Record]) -> Record | None:
    """The record of a host that is there and fits the Pulumi that is there, else None."""
    record = records.get(NAME)
    if record is None or not record.current(_basis(records)):
        return None
    return record if mark_of(shop.folder.bin / NAME) else None


def provide(shop: Workshop) -> Record:
    """Link the official host, or write our launcher where the engine expects it."""
    records = shop.folder.records()
    pulumi = records.get("pulumi")
    official = _official(pulumi) if pulumi else None
    if pulumi and official:
        shop.folder.link(EXEC, official.with_name(EXEC))
        return _keep(shop, pulumi.version, pulumi.origin, official, "came with pulumi")
    own = Path(pulumi.path).parent if pulumi else None
    if own is None or not own.is_relative_to(shop.folder.root):
        own = shop.folder.root / f"{NAME}-own" / "bin"
        own.mkdir(parents=True, exist_ok=True)
    aside = own / f".{NAME}"
    aside.write_text(LAUNCHER)
    aside.chmod(0o755)
    aside.replace(own / NAME)
    shop.folder.unlink(EXEC)
    return _keep(shop, "own", "project", own / NAME, "sandbox/language_host.py")


def _official(pulumi: Record) -> Path | None:
    if pulumi.origin not in ("path", "download"):
        return None
    for folder in (Path(pulumi.path).parent, Path(pulumi.path).resolve().parent):
        if os.access(folder / NAME, os.X_OK) and os.access(folder / EXEC, os.X_OK):
            return folder / NAME
    return None


def _basis(records: dict[str, Record]) -> str:
    pulumi = records.get("pulumi")
    return digest(LAUNCHER, pulumi.path if pulumi else "", pulumi.mark if pulumi else "")


def _keep(shop: Workshop, version: str, origin: str, program: Path, note: str) -> Record:
    shop.folder.link(NAME, program)
    record = Record(NAME, version, origin, str(program), _basis(shop.folder.records()), mark_of(program), note)
    shop.folder.keep(record)
    return record
