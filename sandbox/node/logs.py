"""Logs of containers: written with a time on each line, bounded in size, read as the Kubernetes API asks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

#: Bytes of one log file; a run of a container keeps at most two.
LIMIT = 4 * 1024 * 1024

#: Bytes of a line, beyond which it is kept in parts.
LONGEST_LINE = 16 * 1024

WHOLE, PART = b"F", b"P"


@dataclass(frozen=True)
class LogRequest:
    """What a reader wants of a log.

    Attributes:
        follow: stay until the container ends.
        tail: only the last so many lines.
        since: only lines from then on (seconds since the epoch).
        timestamps: put each line's time before it.
        limit: at most so many bytes.
    """

    follow: bool = False
    tail: int | None = None
    since: float | None = None
    timestamps: bool = False
    limit: int | None = None


class LogWriter:
    """Takes the output of one run of a container.

    Attributes:
        news: set at the next addition or at the close, and then replaced; take it before reading, wait for it after.
        closed: nothing more comes.
    """

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._limit = limit
        self._file = path.open("wb", buffering=0)
        self._size = 0
        self._rest = b""
        self.news = asyncio.Event()
        self.closed = False

    def write(self, chunk: bytes) -> None:
        """Add output as it comes; a line is visible when it is whole."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        entries = [entry for line in lines for entry in _entries(line)]
        while len(self._rest) > LONGEST_LINE:
            entries.append((PART, self._rest[:LONGEST_LINE]))
            self._rest = self._rest[LONGEST_LINE:]
        if entries:
            self._append(entries)

    def close(self) -> None:
        """Nothing more comes; readers that follow are let go."""
        if self._rest:
            self._append([(PART, self._rest)])
            self._rest = b""
        self._file.close()
        self.closed = True
        self._wake()

    def _append(self, entries: list[tuple[bytes, bytes]]) -> None:
        stamp = _stamp().encode()
        block = b"".join(b"%s %s %s\n" % (stamp, kind, text) for kind, text in entries)
        if self._size + len(block) > self._limit and self._size:
            self._file.close()
            self.path.replace(_older(self.path))
            self._file = self.path.open("wb", buffering=0)
            self._size = 0
        self._file.write(block)
        self._size += len(block)
        self._wake()

    def _wake(self) -> None:
        """Wake all who wait now; who comes later waits for the next time."""
        self.news.set()
        self.news = asyncio.Event()


def exists(path: Path) -> bool:
    """Whether a run of a container left a log there."""
    return path.exists() or _older(path).exists()


def remove(path: Path) -> None:
    """Remove the log of one run."""
    path.unlink(missing_ok=True)
    _older(path).unlink(missing_ok=True)


def last_text(path: Path, lines: int, size: int) -> str:
    """The end of a log: at most so many lines and bytes."""
    found = b"".join(_text(entry) for entry in _lines(path)[-lines:])
    return found[-size:].decode(errors="replace")


async def read(path: Path, writer: LogWriter | None, wanted: LogRequest) -> AsyncIterator[bytes]:
    """The log of one run, in pieces.

    Args:
        path: where it is.
        writer: who still writes it, if anybody.
        wanted: what of it.
    """
    left = wanted.limit
    async for entry in _follow(path, writer, wanted):
        if wanted.since is not None and _time(entry) < wanted.since:
            continue
        text = _text(entry, wanted.timestamps)
        if left is not None:
            text, left = text[:left], left - len(text[:left])
        yield text
        if left == 0:
            return


async def _follow(path: Path, writer: LogWriter | None, wanted: LogRequest) -> AsyncIterator[bytes]:
    # Nothing is awaited between reading what is there and opening what comes, so that no line falls in between.
    present = _lines(path)
    with contextlib.closing(_Tail(path)) as tail:
        for entry in present if wanted.tail is None else present[max(0, len(present) - wanted.tail) :]:
            yield entry
        while wanted.follow and writer is not None:
            closed, news = writer.closed, writer.news
            for entry in tail.read():
                yield entry
            if closed:
                return
            await news.wait()


class _Tail:
    """What is added to a log from now on, across the change to a new file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb") if path.exists() else None
        if self._file is not None:
            self._file.seek(0, os.SEEK_END)

    def read(self) -> list[bytes]:
        entries = self._file.readlines() if self._file is not None else []
        if self._file is not None and not os.path.samestat(os.fstat(self._file.fileno()), self._path.stat()):
            self._file.close()
            self._file = self._path.open("rb")
            entries += self._file.readlines()
        return entries

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _lines(path: Path) -> list[bytes]:
    files = [file for file in (_older(path), path) if file.exists()]
    return [entry for file in files for entry in file.read_bytes().splitlines(keepends=True)]


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".older")


def _entries(line: bytes) -> list[tuple[bytes, bytes]]:
    parts = [line[start : start + LONGEST_LINE] for start in range(0, len(line), LONGEST_LINE)] or [b""]
    return [(PART, part) for part in parts[:-1]] + [(WHOLE, parts[-1])]


def _stamp() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds:09d}Z"


def _text(entry: bytes, timestamps: bool = False) -> bytes:
    stamp, kind, text = entry.removesuffix(b"\n").split(b" ", 2)
    end = b"\n" if kind == WHOLE else b""
    return (stamp + b" " if timestamps else b"") + text + end


def _time(entry: bytes) -> float:
    stamp = entry.split(b" ", 1)[0].decode()
    return datetime.fromisoformat(f"{stamp[:26]}+00:00").timestamp()
