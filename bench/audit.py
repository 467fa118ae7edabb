"""Measures what the audit costs for each line, by the form of the log, and that its memory does not grow with the log.

Each run is the whole command, in a process of its own: what a person waits for. Logs of one form, short and long, are
read in turns, so that what else the machine does falls on both alike.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from sandbox.home import PROJECT

#: Bytes of the logs that are compared.
SHORT, LONG = 10_000_000, 100_000_000

#: Lines a CPU second, bytes of memory, memory for a long log in that for a short one.
TARGETS = {"rate": 100_000, "memory": 100_000_000, "ratio": 1.1}

#: Seconds between two looks at the memory.
_LOOK = 0.01

_GATEWAY = "11111111-2222-3333-4444-555555555555.gw.arc.azure.com:443"
_NAMES = ("eastus.dp.kubernetesconfiguration.azure.com", "login.windows.net", "management.azure.com")
_BEGIN = datetime(2026, 11, 24, tzinfo=UTC)


@dataclass(frozen=True)
class Line:
    """What one line tells."""

    time: datetime
    host: str
    up: int
    down: int
    number: int

    @property
    def iso(self) -> str:
        """Its time as Envoy writes it."""
        return self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _envoy(line: Line) -> str:
    name = f"{line.host}:443"
    return (
        f'[{line.iso}] "CONNECT {name} HTTP/1.1" 200 - {line.up} {line.down} {line.number % 900} - "-" "agent/1.0" '
        f'"{line.number:08x}-1111-2222-3333-444444444444" "{name}" "{_GATEWAY}"'
    )


def _json(line: Line) -> str:
    fields = {
        "start_time": line.iso,
        "method": "CONNECT",
        "path": None,
        "protocol": "HTTP/1.1",
        "response_code": 200,
        "response_flags": "-",
        "bytes_received": line.up,
        "bytes_sent": line.down,
        "duration": line.number % 900,
        "user_agent": "agent/1.0",
        "request_id": f"{line.number:08x}-1111-2222-3333-444444444444",
        "authority": f"{line.host}:443",
        "upstream_host": _GATEWAY,
    }
    return json.dumps(fields)


def _squid(line: Line) -> str:
    address = f"10.0.{line.number % 4}.{line.number % 250}"
    return (
        f"{line.time.timestamp():.3f} {line.number % 900:6} {address} TCP_TUNNEL/200 {line.down} CONNECT "
        f"{line.host}:443 - HIER_DIRECT/20.1.{line.number % 9}.{line.number % 250} -"
    )


def _common(line: Line) -> str:
    return (
        f'10.0.0.{line.number % 250} - - [{line.time:%d/%b/%Y:%H:%M:%S} +0000] "CONNECT {line.host}:443 HTTP/1.1" 200 '
        f'{line.down} "-" "agent/1.0" TCP_TUNNEL:HIER_DIRECT'
    )


def _logfmt(line: Line) -> str:
    return (
        f'time="{line.iso}" level=info msg=CANONICAL-PROXY-CN-CLOSE allow=true bytes_in={line.down} '
        f'bytes_out={line.up} requested_host="{line.host}:443" duration=0.{line.number % 900}'
    )


FORMS: Mapping[str, Callable[[Line], str]] = {
    "envoy": _envoy,
    "envoy, kubectl's times": lambda line: f"{line.iso[:-1]}123456Z {_envoy(line)}",
    "json": _json,
    "squid": _squid,
    "common": _common,
    "key=value": _logfmt,
}


@dataclass(frozen=True)
class Run:
    """What one run took: lines of the log, CPU seconds, bytes of memory at the most."""

    lines: int
    cpu_seconds: float
    memory: int


@dataclass
class Figures:
    """All runs, by form and size of the log."""

    _runs: dict[tuple[str, int], list[Run]] = field(default_factory=dict)

    def add(self, form: str, size: int, made: Run) -> None:
        """Keep a run."""
        self._runs.setdefault((form, size), []).append(made)

    @property
    def forms(self) -> tuple[str, ...]:
        """What was measured."""
        return tuple(dict.fromkeys(form for form, _ in self._runs))

    def rate(self, form: str) -> float:
        """The median of lines a CPU second, from the difference of a long and a short log: without the start."""
        pairs = zip(self._runs[form, SHORT], self._runs[form, LONG], strict=True)
        return median(
            (long.lines - short.lines) / max(long.cpu_seconds - short.cpu_seconds, 1e-9) for short, long in pairs
        )

    def start(self, form: str) -> float:
        """The median of CPU seconds for the short log, most of which is the start."""
        return median(one.cpu_seconds for one in self._runs[form, SHORT])

    def memory(self, form: str, size: int) -> float:
        """The median of bytes."""
        return median(one.memory for one in self._runs[form, size])

    def ratio(self, form: str) -> float:
        """The memory for a long log in that for a short one: the median over pairs of runs made in turn."""
        pairs = zip(self._runs[form, SHORT], self._runs[form, LONG], strict=True)
        return median(long.memory / short.memory for short, long in pairs)

    def plain(self) -> dict[str, Any]:
        """All of it for programs to read; times in seconds, memory in bytes."""
        return {
            form: {
                "rate": self.rate(form),
                "cpuSecondsShort": self.start(form),
                "memory": {size: self.memory(form, size) for size in (SHORT, LONG)},
                "ratio": self.ratio(form),
            }
            for form in self.forms
        }


def measure(
    folder: Path, rounds: int, forms: Sequence[str], say: Callable[[str], None] = lambda line: None, hosts: int = 500
) -> Figures:
    """Audit a short and a long log of each form, by turns.

    Args:
        folder: for the logs.
        rounds: how often.
        forms: of `FORMS`.
        say: takes a line of progress.
        hosts: distinct destinations in a log.
    """
    figures = Figures()
    for form in forms:
        logs = {size: write(folder / f"{size}.log", size, FORMS[form], hosts) for size in (SHORT, LONG)}
        say(f"wrote logs of the form {form}")
        for number in range(rounds):
            for size in (SHORT, LONG) if number % 2 else (LONG, SHORT):
                figures.add(form, size, run(logs[size]))
    return figures


def write(path: Path, size: int, form: Callable[[Line], str], hosts: int) -> Path:
    """A log of at least so many bytes, the same at each call."""
    with path.open("wb") as file:
        for block in _blocks(form, hosts):
            file.write(block)
            if file.tell() >= size:
                return path
    raise AssertionError("there are always more lines")


def _blocks(form: Callable[[Line], str], hosts: int) -> Iterator[bytes]:
    chance, begin = random.Random(1), 0  # noqa: S311 -- what stands in a log
    names = [*_NAMES, *(f"n{index}.servicebus.windows.net" for index in range(hosts - len(_NAMES)))]
    while True:
        lines = []
        for number in range(begin, begin + 10_000):
            moment = _BEGIN + timedelta(milliseconds=11 * number)
            figures = chance.randrange(10_000), chance.randrange(1_000_000)
            lines.append(form(Line(moment, chance.choice(names), *figures, number)))
        begin += 10_000
        yield "".join(f"{line}\n" for line in lines).encode()


def run(log: Path) -> Run:
    """Audit a log with the command, and check that it has read all of it."""
    argv = [sys.executable, "-m", "arcgateway", "audit", "--region", "eastus", "--json", "--file", str(log)]
    with (log.parent / "report.json").open("w+b") as out:
        process = subprocess.Popen(argv, stdout=out, cwd=PROJECT)
        watched, memory = psutil.Process(process.pid), 0
        # Of a child's `ru_maxrss` a part is its parent's: the kernel counts what it had before it became the command.
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            with suppress(psutil.Error):
                memory = max(memory, watched.memory_info().rss)
            time.sleep(_LOOK)
        _, status, used = ended
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        lines = json.load(out)["lines"]
    if process.returncode or lines["unread"] or lines["read"] != lines["total"]:
        raise RuntimeError(
            f"the audit ended with {process.returncode} and has read {lines['read']} of {lines['total']}"
        )
    return Run(lines["total"], used.ru_utime + used.ru_stime, memory)
