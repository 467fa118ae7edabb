"""Logs in files and streams, as blocks of lines: packed or not, however long, in little memory."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from arcgateway.errors import Failure

#: Bytes that are read at once.
BLOCK = 256 * 1024

#: Bytes of a line. What is longer is no line of a log: it is cut, and the rest of it passed over.
LONGEST = 64 * 1024

STDIN = "-"

#: By the first bytes of a file, what unpacks it.
_PACKED: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}

#: By the first bytes, archives and packed forms that are not read, and what unpacks them.
_FOREIGN = {b"PK\x03\x04": "unzip -p", b"\x28\xb5\x2f\xfd": "zstd -dc"}

#: What PowerShell's `>` writes.
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}

_BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError)


@contextmanager
def opened(name: str) -> Iterator[IO[bytes]]:
    """A file by its name, or standard input for `-`.

    Raises:
        Failure: it cannot be read.
    """
    if name == STDIN:
        yield sys.stdin.buffer
        return
    try:
        stream = Path(name).open("rb")  # noqa: SIM115 -- closed below; only its opening is tried
    except OSError as error:
        raise Failure(f"{name} cannot be read ({error.strerror})", "name a log, or - for standard input") from None
    with stream:
        yield stream


def blocks(stream: IO[bytes], name: str) -> Iterator[list[bytes]]:
    """The lines of a stream, without their ends, some thousands at a time; a last line needs no end.

    Args:
        stream: a file, a pipe, a terminal.
        name: for messages.

    Raises:
        Failure: it is packed in a way that is not read, or breaks in the middle (what came before has been given out).
    """
    try:
        yield from lines(_chunks(stream, name))
    except _BROKEN as error:
        raise Failure(
            f"{name} breaks in the middle ({' '.join(str(error).split()) or type(error).__name__})",
            "what came before it is counted; get the file whole",
        ) from None


def lines(chunks: Iterable[bytes], *, rest: bool = True) -> Iterator[list[bytes]]:
    """Lines out of pieces of text as they come.

    Args:
        chunks: the pieces.
        rest: whether what follows the last end of a line is one as well.
    """
    left, too_long = b"", False
    for chunk in chunks:
        *found, left = (left + chunk).split(b"\n")
        if too_long and found:
            del found[0]
            too_long = False
        if too_long:
            left = b""
        elif len(left) > LONGEST:
            found, left, too_long = [*found, left[:LONGEST]], b"", True
        if found:
            yield [line.removesuffix(b"\r") for line in found] if b"\r" in chunk else found
    if left and rest:
        yield [left.removesuffix(b"\r")]


def _chunks(stream: IO[bytes], name: str) -> Iterator[bytes]:
    # A pipe gives what it has: nobody waits for a block to be full. So does what unpacks it.
    read = getattr(stream, "read1", stream.read)
    first = read(BLOCK)
    while 0 < len(first) < 6 and (more := read(BLOCK)):
        first += more
    for start, program in _FOREIGN.items():
        if first.startswith(start):
            raise Failure(f"{name} is an archive", f"unpack it: `{program} {name} | arcgateway audit --file -`")
    unpack = next((unpack for start, unpack in _PACKED.items() if first.startswith(start)), None)
    if unpack is not None:
        with unpack(cast("IO[bytes]", _Resumed(first, read))) as inner:
            yield from _chunks(inner, name)
        return
    encoding = next((encoding for mark, encoding in _UTF16.items() if first.startswith(mark)), None)
    if encoding is None:
        yield first.removeprefix(codecs.BOM_UTF8)
        yield from iter(lambda: read(BLOCK), b"")
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    yield decoder.decode(first).removeprefix("\ufeff").encode()
    for chunk in iter(lambda: read(BLOCK), b""):
        yield decoder.decode(chunk).encode("utf-8", "replace")


class _Resumed:
    """A stream whose beginning has been read already, for those who unpack it."""

    def __init__(self, first: bytes, read: Callable[[int], bytes]) -> None:
        self._first = first
        self._read = read

    def read(self, size: int = -1) -> bytes:
        """At most so many bytes; all of them for a negative size."""
        if not self._first:
            return self._read(size)
        if size < 0:
            size = len(self._first)
        given, self._first = self._first[:size], self._first[size:]
        return given

    def seekable(self) -> bool:
        """It is not."""
        return False

    def readable(self) -> bool:
        """It is."""
        return True
