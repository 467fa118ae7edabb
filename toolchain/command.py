"""`python3 -m toolchain [--only NAME...] [--json] [status]`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from toolchain.engine import Engine
from toolchain.errors import ToolchainError, sentence
from toolchain.progress import Reporter, duration
from toolchain.records import Record
from toolchain.workshop import Workshop

PROJECT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python3 -m toolchain",
        description="Finds, fetches or builds every tool that the project runs, into .local/toolchain.",
    )
    parser.add_argument("action", nargs="?", choices=["provide", "status"], default="provide")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], help="these tools alone, extras too")
    parser.add_argument("--json", action="store_true", help="the tools as JSON on standard output")
    options = parser.parse_args(arguments)
    return run(PROJECT, options.action, options.only, as_json=options.json)


def run(project: Path, action: str, only: list[str], *, as_json: bool) -> int:
    """What `main` does, for a project's folder."""
    # As JSON goes to standard output, the lines for people go elsewhere.
    report = Reporter(sys.stderr if as_json else sys.stdout)
    engine = Engine(Workshop.of(project, os.environ, report))
    unknown = [name for name in only if name not in engine.names]
    if unknown:
        print(f"toolchain: there is no tool {unknown[0]}; there are {', '.join(engine.names)}", file=sys.stderr)
        return 2
    start = time.monotonic()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        records = engine.look() if action == "status" else engine.provide(only)
    except KeyboardInterrupt:
        print("\ntoolchain: interrupted; run it again and it goes on with what is missing", file=sys.stderr)
        return 130
    except (ToolchainError, OSError) as problem:
        print(f"toolchain: {sentence(problem) if isinstance(problem, OSError) else problem}", file=sys.stderr)
        return 1
    if as_json:
        json.dump({name: asdict(record) if record else None for name, record in records.items()}, sys.stdout, indent=1)
        print()
    elif action == "status":
        for name, record in records.items():
            print(_status(name, record, name in engine.extras))
    else:
        there = sum(1 for record in records.values() if record and record.origin != "none")
        report.line(f"ready: {there} tools in {engine.folder.bin} ({duration(time.monotonic() - start)})")
    return 0 if all(record for name, record in records.items() if name not in engine.extras) else 1


def _status(name: str, record: Record | None, extra: bool) -> str:
    if record is None and extra:
        return f"{name:28} {'-':10} not asked for: `python3 -m toolchain --only {name}` gets it"
    if record is None:
        return f"{name:28} {'-':10} missing: run `make toolchain`"
    if record.origin == "none":
        return f"{name:28} {'-':10} left out: {record.note}"
    note = f" ({record.note})" if record.note else ""
    return f"{name:28} {record.version or '-':10} {record.origin:9} {record.path}{note}"


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
