"""Fetches the vendors' own releases, each checked against the checksum that its vendor publishes."""

from __future__ import annotations

import hashlib
import http.client
import queue
import re
import shutil
import tarfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import IO, Any

from toolchain.errors import Unavailable
from toolchain.table import Download, Tool, this_platform

#: Seconds that all vendors together may take to answer at all, when they do not: then there is no network for them.
CONNECT_BUDGET = 10.0
#: Seconds without a byte after which a started download counts as broken.
STALL = 30.0


class Vendors:
    """The vendors' download servers.

    Args:
        mirror: a server that stands in for all of them, under `/HOST/`; None for the real ones.
        budget: seconds to wait for answers in all.
    """

    def __init__(self, mirror: str | None = None, budget: float = CONNECT_BUDGET) -> None:
        self._mirror = mirror
        self._budget = budget
        self._refused: dict[str, str] = {}

    def fetch(self, tool: Tool, folder: Path) -> None:
        """Put the tool's programs, checked, into `folder`/bin.

        Raises:
            Unavailable: the vendor does not answer, has no such file, or what came is not what its checksum says.
        """
        assert tool.download is not None
        names = {"version": tool.version, **this_platform()}
        url = tool.download.url.format_map(names)
        name = url.rsplit("/", 1)[1]
        with self._open(tool.download.checksums.format_map(names)) as answer:
            wanted = _checksum(answer.read(1 << 20).decode(errors="replace"), name)
        if wanted is None:
            raise Unavailable(f"{name} has no published checksum")
        archive = folder / name
        got = self._save(url, archive)
        if got != wanted:
            raise Unavailable(f"{name} came broken (SHA-256 {got[:12]}..., published {wanted[:12]}...)")
        _unpack(tool, tool.download, archive, names, folder / "bin")
        archive.unlink(missing_ok=True)

    def _save(self, url: str, target: Path) -> str:
        digest = hashlib.sha256()
        try:
            with self._open(url) as answer, target.open("wb") as file:
                while block := answer.read(1 << 20):
                    digest.update(block)
                    file.write(block)
        except (TimeoutError, ConnectionError, http.client.HTTPException) as problem:
            raise Unavailable(f"{target.name} broke off: {problem}") from problem
        return digest.hexdigest()

    def _open(self, url: str) -> Any:
        host = urllib.parse.urlsplit(url).netloc
        if host in self._refused:
            raise Unavailable(self._refused[host], known=True)
        if self._budget <= 0:
            raise Unavailable("the vendors' servers do not answer", known=True)
        if self._mirror:
            url = f"{self._mirror}/{host}{urllib.parse.urlsplit(url).path}"
        start = time.monotonic()
        outcome = _within(url, self._budget)
        if isinstance(outcome, urllib.error.HTTPError):
            raise Unavailable(f"{host} answers {outcome.code} for {url.rsplit('/', 1)[1]}")
        if isinstance(outcome, Exception):
            self._budget -= time.monotonic() - start
            reason = outcome.reason if isinstance(outcome, urllib.error.URLError) else outcome
            self._refused[host] = f"{host} does not answer ({reason})"
            raise Unavailable(self._refused[host])
        return outcome


def _within(url: str, seconds: float) -> Any:
    """The opened answer, or the exception, within so many seconds; resolving a name knows no time limit of its own."""
    outcome: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def attempt() -> None:
        try:
            answer = urllib.request.urlopen(url, timeout=seconds)
            _set_stall(answer)
            outcome.put(answer)
        except Exception as problem:
            outcome.put(problem)

    threading.Thread(target=attempt, daemon=True).start()
    try:
        return outcome.get(timeout=seconds)
    except queue.Empty:
        return TimeoutError(f"no answer within {seconds:.0f} s")


def _set_stall(answer: Any) -> None:
    """Give reading its own time limit, in place of the one for connecting."""
    socket = getattr(getattr(answer.fp, "raw", None), "_sock", None)
    if socket is not None:
        socket.settimeout(STALL)


def _checksum(text: str, name: str) -> str | None:
    """The hash of `name` in a checksum file: a line `HASH  NAME`, or a lone hash."""
    for line in text.splitlines():
        words = line.split()
        is_hash = words and re.fullmatch(r"[0-9a-fA-F]{64}", words[0])
        if is_hash and (len(words) == 1 or Path(words[-1].lstrip("*")).name == name):
            return words[0].lower()
    return None


def _unpack(tool: Tool, download: Download, archive: Path, names: dict[str, str], target: Path) -> None:
    """Take the wanted programs, and nothing else, out of the archive."""
    target.mkdir(parents=True, exist_ok=True)
    if download.folder is None:
        shutil.copyfile(archive, target / tool.name)
        (target / tool.name).chmod(0o755)
        return
    folder = download.folder.format_map(names)
    wanted = {f"{folder}/{name}".lstrip("/"): name for name in (tool.name, *download.programs)}
    with tarfile.open(archive) as tar:
        for member in tar:
            name = wanted.get(member.name.removeprefix("./"))
            content: IO[bytes] | None = tar.extractfile(member) if name and member.isfile() else None
            if name and content:
                with (target / name).open("wb") as file:
                    shutil.copyfileobj(content, file)
                (target / name).chmod(0o755)
    if not (target / tool.name).exists():
        raise Unavailable(f"{archive.name} has no {tool.name} in it")
