"""Single entries of a skip range: what they send round the proxy, and which programs understand them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from arcgateway.proxy import DOCUMENTED_MINIMUM, KEYWORDS, Network, ProxyUrl, bypasses, canonical, split

from .names import THROUGH_PROXY, host_of
from .proxies import Asked, Proxies, unescaped
from .reading import UNKNOWN, Node
from .shell import OPEN

EVERYTHING = "*"

_CIDR = re.compile(r"[0-9a-f:.]+/\d{1,3}")
_NUMBERS = re.compile(r"[\d.*-]+")
_PORT = re.compile(r"(?P<host>[^:]+|\[[0-9a-f:.]+\]):\d{1,5}")
_SHOWN = 3

#: A host of each published name, and, to pass over other entries quickly, what an entry that sends it round ends in.
_HOSTS = {name: name.replace("*", "x") for name in THROUGH_PROXY}
_ENDS = frozenset(".".join(host.split(".")[at:]) for host in _HOSTS.values() for at in range(host.count(".") + 1))
#: Under these Azure has names of its customers too: a single one of them may go round the proxy.
_CUSTOMERS = frozenset({"*.servicebus.windows.net"})
_WITHIN = {name: name[1:] for name in THROUGH_PROXY if name.startswith("*.") and name not in _CUSTOMERS}

_PUBLIC4 = ipaddress.ip_network("0.0.0.0/0")
_PUBLIC6 = ipaddress.ip_network("2000::/3")
#: What no host on the internet has: a range that lacks but these holds every address nevertheless.
_NOT_PUBLIC4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
        "224.0.0.0/3",
    )
)
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True)
class Judged:
    """What is wrong with an entry: a grade, a clause, and a mend."""

    grade: str
    problem: str
    mend: str


_TAKE_OUT = "Take it out, and name what the cluster itself needs: its service range, .svc, .svc.cluster.local."
EVERY_HOST = Judged("all", "has an entry in the skip range that sends every host round the proxy", _TAKE_OUT)
EVERY_ADDRESS = Judged(
    "all", "has a skip range that holds every public address", "Name the address ranges of the cluster instead."
)
BLANKS = Judged(
    "dead",
    "has a skip range with blanks and no commas between entries, which Go programs such as Arc's agents read as one "
    "name that no host has",
    "Separate the entries by commas.",
)
_KEYWORD = Judged(
    "endpoint",
    "has the keyword Arc in the skip range: it sends the agents' traffic round the gateway",
    "Take the keyword out; it is made for private link.",
)
_URL = Judged(
    "dead", "has a URL in the skip range, which no program takes as an exception", "Give the host name alone."
)
_DEAD = Judged(
    "dead",
    "has an entry in the skip range that no program understands, so that it has no effect",
    "Write a host name, a .suffix, an IP address, or a range such as 10.0.0.0/16.",
)
_STAR = Judged(
    "unlike",
    "has an entry in the skip range that begins with `*.`, which Go understands and Python and curl do not",
    "Write .suffix in place of *.suffix, which all understand.",
)
_DOT = Judged(
    "unlike",
    "has an entry in the skip range that ends in a dot, which most programs do not match",
    "Leave the last dot out.",
)
_WITH_PORT = Judged(
    "unlike",
    "has an entry in the skip range with a port, which some programs (curl, Python's requests) do not match",
    "Add the host without its port beside it.",
)
_WIDE = Judged(
    "wide",
    "has a very wide range of public addresses in the skip range, which may include those of Azure",
    "Name the address ranges of the cluster and of your own network.",
)


def entries(skip: Node, asked: Asked) -> list[Node]:
    """The entries of a skip range, a list or a text, each at its place; an entry that is not known is UNKNOWN."""
    found: list[Node] = []
    for item in skip.each():
        if item.open:
            found.append(item)
        for word in split(_text(item, asked)):
            found.append(Node(UNKNOWN, item.path) if OPEN in word else Node(word, item.path))
    return found


def blanks(skip: Node, asked: Asked) -> Node | None:
    """The place where blanks alone separate entries, for a reader that takes the text as it is."""
    if asked is Asked.PROJECT:
        return None
    parted = (item for item in skip.each() for part in _text(item, asked).split(",") if len(part.split()) > 1)
    return next(parted, None)


def judge(word: str, words: Iterable[str], asked: Asked) -> Judged | None:
    """What is wrong with one entry, alone but for `words`, which may hold the same host without its port."""
    entry = word.lower()
    if entry == EVERYTHING:
        return EVERY_HOST
    if entry in KEYWORDS and asked is not Asked.MACHINE:
        return _KEYWORD if entry == "arc" else None
    if network(entry) is not None:
        return _judge_range(entry, asked)
    if met := _sent_round(entry):
        return Judged(
            "endpoint",
            f"has an entry in the skip range that sends {_listed(met)} round the proxy",
            "Take it out: agents must ask the proxy for these hosts.",
        )
    if "://" in entry:
        return _URL
    if not _understood(entry, asked):
        dotted = asked is not Asked.PROJECT and entry.endswith(".") and _understood(entry[:-1], asked)
        return _DOT if dotted and not _NUMBERS.fullmatch(entry) else _DEAD
    if entry.startswith("*.") and asked is not Asked.PROJECT:
        return _STAR
    port = _PORT.fullmatch(entry)
    return _WITH_PORT if port and port["host"].strip("[]") not in words else None


def _judge_range(entry: str, asked: Asked) -> Judged | None:
    if asked is not Asked.PROJECT and "/" in entry and not _CIDR.fullmatch(entry):
        return _DEAD
    held = network(entry)
    assert held is not None
    if held.prefixlen == 0:
        return None  # Seen with the others, as what holds every address.
    public = held.overlaps(_PUBLIC6) if held.version == 6 else not held.is_private
    return _WIDE if public and held.prefixlen < (16 if held.version == 6 else 8) else None


def _understood(entry: str, asked: Asked) -> bool:
    if _NUMBERS.fullmatch(entry) or (asked is not Asked.PROJECT and entry.startswith("*") and entry[1:2] != "."):
        return False
    try:
        return bool(canonical([entry]))
    except ValueError:
        return False


@lru_cache(maxsize=16384)
def network(entry: str) -> Network | None:
    """The addresses that an entry holds, for a range or an address."""
    try:
        found = ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Network) and found.subnet_of(_MAPPED):
        address = ipaddress.IPv4Address(int(found.network_address) & 0xFFFFFFFF)
        return ipaddress.IPv4Network((address, found.prefixlen - 96))
    return found


def every_address(words: Iterable[str]) -> bool:
    """Whether these entries together hold every public address of IPv4 or of IPv6."""
    held4, held6 = _ranges(words)
    return _holds(_PUBLIC4, (*held4, *_NOT_PUBLIC4) if held4 else ()) or _holds(_PUBLIC6, held6)


def lacking(words: Iterable[str], service_ranges: Iterable[str]) -> list[str]:
    """What of the documented minimum and of these service ranges no entry covers; ranges are compared as such."""
    names = [word.lower().removeprefix("*").lstrip(".") for word in words]
    held4, held6 = _ranges(words)
    missing = [needed for needed in DOCUMENTED_MINIMUM if not any(_ends(needed, name) for name in names if name)]
    for text in service_ranges:
        wanted = network(text)
        if wanted is not None and not _holds(wanted, held4 if wanted.version == 4 else held6):
            missing.append(text)
    return missing


def has_range(words: Iterable[str]) -> bool:
    """Whether any entry is an address or a range of addresses."""
    return any(network(word) is not None for word in words)


def own_host(words: Iterable[str], proxies: Proxies) -> bool:
    """Whether an entry is the very host of a proxy."""
    hosts = {host for url in (proxies.https, proxies.http) if (host := _host(url.text))}
    return any(word.lower() in hosts for word in words)


def _host(url: str) -> str:
    try:
        return ProxyUrl.parse(url).host.lower()
    except ValueError:
        return ""


def _text(item: Node, asked: Asked) -> str:
    return item.text if asked is Asked.PROJECT else unescaped(item.text)


def _sent_round(entry: str) -> tuple[str, ...]:
    """The published names and patterns of which an entry sends hosts round the proxy."""
    entry = host_of(entry).removeprefix("*").rstrip(".")
    port = _PORT.fullmatch(entry)
    name = port["host"] if port else entry
    if name.lstrip(".") not in _ENDS and not name.endswith(tuple(_WITHIN.values())):
        return ()
    return tuple(
        pattern
        for pattern, host in _HOSTS.items()
        if bypasses(host, 443, (entry,)) or (pattern in _WITHIN and name.endswith(_WITHIN[pattern]))
    )


def _ends(needed: str, name: str) -> bool:
    needed = needed.lstrip(".")
    return needed == name or needed.endswith(f".{name}")


def _ranges(words: Iterable[str]) -> tuple[list[ipaddress.IPv4Network], list[ipaddress.IPv6Network]]:
    held4: list[ipaddress.IPv4Network] = []
    held6: list[ipaddress.IPv6Network] = []
    for word in words:
        held = network(word)
        if isinstance(held, ipaddress.IPv4Network):
            held4.append(held)
        elif held is not None:
            held6.append(held)
    return held4, held6


def _holds(wanted: Network, held: Iterable[Network]) -> bool:
    collapsed: Iterable[Network] = ipaddress.collapse_addresses(held)  # type: ignore[type-var]
    return any(
        int(one.network_address) <= int(wanted.network_address)
        and int(wanted.broadcast_address) <= int(one.broadcast_address)
        for one in collapsed
    )


def _listed(names: Sequence[str]) -> str:
    more = " and others" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
