"""Lists of host names as people keep them for proxies and firewalls: plain text and CSV, in whichever style.

What a line admits is a set of globs in which `*` stands for anything, dots included: `x` is `x` alone, `*.x` what ends
in `.x`, `.x` both.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

#: Words that stand for every host.
EVERYTHING = frozenset({"*", "all", "any", "*.*", "0.0.0.0/0", "::/0"})

#: What the columns of a CSV file are called, in lower case without blanks and punctuation.
_COLUMNS = {
    "host": (
        *("host", "hostname", "hosts", "fqdn", "fqdns", "targetfqdn", "targetfqdns", "domain", "domainname"),
        *("url", "urls", "endpoint", "endpoints", "endpointdns", "dns", "dnsname", "site"),
        *("destination", "destinationhost", "address", "entry", "name"),
    ),
    "port": (
        *("port", "ports", "tcpport", "destinationport", "destinationports", "service", "protocolport"),
        *("protocols", "protocol"),
    ),
    "action": ("action", "access", "policy", "verdict", "decision", "permission"),
}
_DENIALS = frozenset({"deny", "denied", "block", "blocked", "drop", "reject", "rejected", "no", "forbid"})

_SCHEME_PORTS = {"http": 80, "https": 443, "wss": 443, "ws": 80}
_GLOB = re.compile(r"[a-z0-9_*-]+(\.[a-z0-9_*-]+)*\.?")
_ADDRESS = re.compile(r"[0-9.]+(/\d+)?|\[?[0-9a-f:]*:[0-9a-f:.]*\]?(/\d+)?")
_PORT = re.compile(r"(?:(?:tcp|https?|tls|ssl|wss?)[/:]?)?(\d{1,5})(?:-(\d{1,5}))?", re.IGNORECASE)


@dataclass(frozen=True)
class Ports:
    """Which ports a line opens; all of them where it names none."""

    ranges: tuple[tuple[int, int], ...] = ()

    def __contains__(self, port: object) -> bool:
        return not self.ranges or any(isinstance(port, int) and low <= port <= high for low, high in self.ranges)

    def __str__(self) -> str:
        return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in self.ranges)


@dataclass(frozen=True)
class Line:
    """One host name or pattern of a list.

    Attributes:
        number: of the line, from 1.
        text: as it stands there.
        globs: what it admits.
        ports: which ports.
    """

    number: int
    text: str
    globs: tuple[str, ...]
    ports: Ports = Ports()

    def admits(self, host: str) -> bool:
        """Whether it admits a name, or every name of a pattern with a leading `*.`."""
        return any(_fits_glob(host, glob) for glob in self.globs)

    def admits_part(self, pattern: str) -> bool:
        """Whether it admits some names of a pattern, and not all."""
        return not self.admits(pattern) and any(_fits_glob(glob, pattern) for glob in self.globs)


def _fits_glob(text: str, glob: str) -> bool:
    # Lists may be long, and a pattern is compiled at its first use.
    if "*" not in glob:
        return text == glob
    if glob.startswith("*.") and "*" not in glob[1:]:
        return text.endswith(glob[1:])
    return fnmatchcase(text, glob)


@dataclass(frozen=True)
class Unjudged:
    """A line of which it cannot be said what it admits."""

    number: int
    text: str
    reason: str


@dataclass
class HostList:
    """What was read.

    Attributes:
        lines: what is admitted.
        unjudged: what cannot be told.
        notes: what else is worth saying, a sentence each.
    """

    lines: list[Line] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_host(text: str) -> tuple[tuple[str, ...], Ports]:
    """The globs and ports that one word stands for.

    Takes `x`, `.x`, `*.x`, `*x`, `x/`, `x/*`, `x:443`, `https://x/path`, `||x^`, and a word for everything.

    Raises:
        ValueError: it is none of these, with the reason.
    """
    word = text.strip().strip("\"'").lower()
    if word in EVERYTHING:
        return ("*",), Ports()
    word = word.removeprefix("||").removesuffix("^")
    scheme, separator, rest = word.partition("://")
    ports = Ports()
    if separator:
        if scheme.strip("*") and scheme not in _SCHEME_PORTS:
            raise ValueError(f"its scheme is {scheme}")
        if scheme in _SCHEME_PORTS:
            ports = _one(_SCHEME_PORTS[scheme])
        word = rest
    host = word.partition("/")[0]
    if _ADDRESS.fullmatch(word) or _ADDRESS.fullmatch(host):
        raise ValueError("it is an address, and what Azure answers under changes")
    host, colon, port = host.partition(":")
    if colon and port != "*":
        found = read_ports(port)
        if found is None:
            raise ValueError(f"{port!r} is no port")
        ports = found
    if host in EVERYTHING:
        return ("*",), ports
    bare = host.removeprefix(".")
    if not _GLOB.fullmatch(bare):
        raise ValueError("it is no host name")
    bare = bare.rstrip(".")
    return ((bare, f"*.{bare}") if host.startswith(".") else (bare,)), ports


def read_ports(text: str) -> Ports | None:
    """The ports in a text: `443`, `TCP/443`, `Https:8084`, `443-445`, several of them; None where there are none."""
    words = [word for word in re.split(r"[\s,;|+&]+", text.strip()) if word]
    if words and all(word.lower() in ("*", "any", "all") for word in words):
        return Ports()
    ranges = []
    for word in words:
        match = _PORT.fullmatch(word)
        if match is None:
            if word.lower() in _SCHEME_PORTS:
                ranges.append((_SCHEME_PORTS[word.lower()],) * 2)
                continue
            return None
        low, high = int(match[1]), int(match[2] or match[1])
        if not 0 < low <= high < 65536:
            return None
        ranges.append((low, high))
    return Ports(tuple(dict.fromkeys(ranges))) if ranges else None


def lines_of(text: str) -> list[str]:
    """The lines of a text as editors number them, whichever of the three line ends it has."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def read_plain(text: str) -> HostList:
    """A list with one name or more a line, with or without ports, and comments after `#`, `;` or `//`."""
    found = HostList()
    for number, line in enumerate(lines_of(text), 1):
        content = re.split(r"(?:^|\s)(?:#|;|//)", line, maxsplit=1)[0].strip()
        words = [word for word in re.split(r"[\s,;|]+", content) if word not in ("", "-")]
        loose = [read_ports(word) for word in words]
        ports = next((one for one in loose if one is not None and one.ranges), None)
        for word, own in zip(words, loose, strict=True):
            if own is None or word.lower() in EVERYTHING:
                _add(found, number, word, ports)
    _note_ports(found)
    return found


def read_csv(text: str) -> HostList:
    """A table with a column of host names, and maybe of ports and of actions; with a header or without one.

    Raises:
        ValueError: it cannot be read as a table.
    """
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=delimiter, skipinitialspace=True)
    rows: list[tuple[int, list[str]]] = []
    before = 0
    try:
        for cells in reader:
            # Of a row over several lines the first is where people look.
            number, before = before + 1, reader.line_num
            if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#"):
                rows.append((number, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise ValueError(f"line {before + 1} cannot be read as CSV: {error}") from None
    found = HostList()
    if not rows:
        return found
    names = _header(rows[0][1])
    if names:
        rows = rows[1:]
    else:
        names = _guessed([cells for _, cells in rows])
    for number, cells in rows:
        host = " ".join(_cell(cells, column) for column in names["host"])
        if _cell(cells, *names["action"]).lower() in _DENIALS:
            found.unjudged.append(Unjudged(number, host, "the line denies, and in which order lines count is not told"))
            continue
        ports = read_ports(_cell(cells, *names["port"]))
        for word in re.split(r"[\s,;|]+", host):
            if word:
                _add(found, number, word, ports)
    _note_ports(found)
    return found


def _add(found: HostList, number: int, word: str, ports: Ports | None) -> None:
    try:
        globs, own = read_host(word)
    except ValueError as error:
        found.unjudged.append(Unjudged(number, word, str(error)))
        return
    found.lines.append(Line(number, word, globs, own if own.ranges else ports or Ports()))


def _note_ports(found: HostList) -> None:
    if found.lines and not any(line.ports.ranges for line in found.lines):
        found.notes.append("the list names no ports: that the right ones are open is not judged")


def _one(port: int) -> Ports:
    return Ports(((port, port),))


def _delimiter(text: str) -> str:
    sample = [line for line in lines_of(text) if line.strip() and not line.lstrip().startswith("#")][:50]
    return max(",;\t|", key=lambda mark: sum(mark in line for line in sample))


def _header(cells: Sequence[str]) -> dict[str, list[int]]:
    """Which column is which, by their names; empty where the first row is none of names."""
    plain = [re.sub(r"[^a-z]", "", cell.lower()) for cell in cells]
    # The names are in the order of their weight: `port` says more of a port than `protocol`.
    found = {meaning: [plain.index(name) for name in names if name in plain][:1] for meaning, names in _COLUMNS.items()}
    return found if found["host"] else {}


def _guessed(rows: Sequence[Sequence[str]]) -> dict[str, list[int]]:
    """Which columns are which, by what stands in most of their cells: hosts may be in several."""
    width = max(map(len, rows))
    found: dict[str, list[int]] = {}
    for meaning in _COLUMNS:
        shares = [sum(_fits(meaning, _cell(row, column)) for row in rows) / len(rows) for column in range(width)]
        likely = [column for column, share in enumerate(shares) if share > 0.3]
        found[meaning] = likely if meaning == "host" else sorted(likely, key=lambda column: -shares[column])[:1]
    return found


def _fits(meaning: str, cell: str) -> bool:
    if meaning == "port":
        return read_ports(cell) is not None
    if meaning == "action":
        return cell.lower() in _DENIALS | {"allow", "allowed", "permit", "accept", "yes"}
    return any("." in word and _is_host(word) for word in re.split(r"[\s,;|]+", cell))


def _is_host(word: str) -> bool:
    try:
        read_host(word)
    except ValueError:
        return False
    return True


def _cell(cells: Sequence[str], *columns: int) -> str:
    return next((cells[column] for column in columns if column < len(cells)), "")
