"""Squid's access rules, read for what they close: the first line whose conditions all hold decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from .closings import CLOSES, MAY_CLOSE, Closing, hit
from .names import Need, families, related
from .reading import Node
from .service_tags import everywhere

_MENTION = "http_access"
_LINE = re.compile(r"^[ \t]*(acl|http_access|include)[ \t]+([^\n]*)", re.MULTILINE | re.IGNORECASE)
_PROSE = re.compile(r"\.(?:md|rst|adoc|html?)$", re.IGNORECASE)
_PORT_LINE = re.compile(r"^[ \t]*https?_port[ \t]+([^\n#]*)", re.MULTILINE)
#: A port of a reverse proxy, before sites of one's own.
_REVERSE = re.compile(r"\b(?:accel|vhost|defaultsite)\b")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_CONTINUED = re.compile(r"\\[ \t]*\r?\n")
_WORD = re.compile(r'"[^"]*"|\S+')
_REPEATED = re.compile(r"[*+}]\)?[*+{]|\([^)]*[*+|][^)]*\)[*+{]")
_LONGEST_PATTERN = 200
_DEEPEST = 8

_CONNECT_PORT = 443
_BUILT_IN: dict[str, bool] = {
    **{"all": True, "CONNECT": True},
    **{"localhost": False, "manager": False, "to_localhost": False, "to_linklocal": False},
}


@dataclass
class _Acl:
    """A named condition: lines of one name add up."""

    kind: str
    values: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Access:
    allows: bool
    terms: tuple[str, ...]


@dataclass(frozen=True)
class _Verdict:
    """What becomes of one name: whether it is closed, whether by its name, and whether that is in doubt."""

    closed: bool
    named: bool = False
    doubtful: bool = False


def speaks(name: str, text: str) -> bool:
    """Whether a text, by its file's name no prose, holds the access rules of a forward proxy."""
    if _MENTION not in text or _PROSE.search(name):
        return False
    ports = _PORT_LINE.findall(text)
    return not ports or not all(_REVERSE.search(port) for port in ports)


def squid_closings(place: Node, text: str, files: Mapping[str, str], needs: Sequence[Need]) -> Iterator[Closing]:
    """What a squid configuration closes of these names.

    Args:
        place: where it stands.
        text: the configuration.
        files: texts beside it by their file name, which conditions may refer to.
        needs: the names.
    """
    acls, rules, included = _parsed(text, files)
    if not rules:
        return
    among = families(needs)
    for acl in acls.values():
        if acl.kind in _DOMAINS:
            acl.values = [value for value in acl.values if value.startswith('"') or related(value, among)]
    by_name: list[str] = []
    by_list: list[str] = []
    doubtful = False
    for need in needs:
        verdict = _verdict(rules, _Conditions(acls, need))
        if verdict.closed:
            (by_name if verdict.named else by_list).append(need.name)
            doubtful = doubtful or verdict.doubtful
    unsure = included or doubtful
    grade, doubt = (MAY_CLOSE, "unless a file that is not seen here opens them") if unsure else (CLOSES, "")
    if by_name:
        yield Closing(grade, place.path, "has squid deny", tuple(by_name), doubt)
    if by_list:
        yield Closing(grade, place.path, "has squid deny what it does not list, such as", tuple(by_list), doubt, False)


def _parsed(text: str, files: Mapping[str, str]) -> tuple[dict[str, _Acl], list[_Access], bool]:
    acls: dict[str, _Acl] = {}
    rules: list[_Access] = []
    included = False
    for line in _LINE.finditer(_CONTINUED.sub(" ", text)):
        words = _WORD.findall(_COMMENT.sub("", line[2]))
        directive = line[1].lower()
        if directive == "include":
            included = included or not rules
        elif directive == "acl" and len(words) > 1:
            acl = acls.setdefault(words[0], _Acl(words[1].lower()))
            acl.values += _values(words[2:], files)
        elif directive == _MENTION and words and words[0].lower() in {"allow", "deny"}:
            rules.append(_Access(words[0].lower() == "allow", tuple(words[1:])))
    return acls, rules, included


def _values(words: Sequence[str], files: Mapping[str, str]) -> Iterator[str]:
    for word in words:
        if word.startswith('"'):
            name = word.strip('"').rpartition("/")[2]
            if name in files:
                yield from (line.strip() for line in _COMMENT.sub("", files[name]).splitlines() if line.strip())
            else:
                yield word
        elif not word.startswith("-"):
            yield word


def _verdict(rules: Sequence[_Access], conditions: _Conditions) -> _Verdict:
    for rule in rules:
        held: list[bool | None] = []
        for term in rule.terms:
            held.append(conditions.term(term))
            if held[-1] is False:
                break
        if False in held:
            continue
        if rule.allows:
            # Who is let in on a condition that cannot be judged here, such as an address, may be the clusters.
            return _Verdict(False)
        named = [one for term, one in zip(rule.terms, held, strict=True) if conditions.names_hosts(term)]
        if None not in held:
            return _Verdict(True, named=bool(named))
        if True in named:
            return _Verdict(True, named=True, doubtful=True)
    return _Verdict(rules[-1].allows)


class _Conditions:
    """Named conditions, judged once each for a CONNECT to port 443 of one host; None where that cannot be told."""

    def __init__(self, acls: Mapping[str, _Acl], need: Need) -> None:
        self._acls = acls
        self._need = need
        self._known: dict[str, bool | None] = dict(_BUILT_IN)
        self._depth = 0

    def term(self, term: str) -> bool | None:
        """Whether a condition, or by a `!` its opposite, holds."""
        held = self._holds(term.removeprefix("!"))
        return held if held is None or not term.startswith("!") else not held

    def names_hosts(self, term: str) -> bool:
        """Whether a condition is about host names, and not the opposite of one."""
        return not term.startswith("!") and term in self._acls and self._acls[term].kind in _HOSTS

    def _holds(self, name: str) -> bool | None:
        if name not in self._known:
            # What refers to itself is not known.
            self._known[name] = None
            acl = self._acls.get(name)
            if acl is not None:
                self._known[name] = self._judged(acl)
        return self._known[name]

    def _judged(self, acl: _Acl) -> bool | None:
        if acl.kind not in {"any-of", "all-of"}:
            judge = _KINDS.get(acl.kind)
            return None if judge is None else judge(acl.values, self._need)
        if self._depth == _DEEPEST:
            return None
        self._depth += 1
        held = [self.term(value) for value in acl.values]
        self._depth -= 1
        decisive = acl.kind == "any-of"
        if decisive in held:
            return decisive
        return None if None in held else not decisive


def _domain(values: Sequence[str], need: Need) -> bool | None:
    hits = [None if value.startswith('"') else hit(value, need) for value in values]
    return True if True in hits else (None if None in hits else False)


def _expression(values: Sequence[str], need: Need, ending: str = "") -> bool | None:
    host = (f"x{need.name[1:]}" if need.name.startswith("*") else need.name).replace("*", "x") + ending
    found: bool | None = False
    for value in values:
        pattern = None if value.startswith('"') else _compiled(value)
        if pattern is None:
            found = None
        elif pattern.search(host):
            return True
    return found


@lru_cache(maxsize=1024)
def _compiled(value: str) -> re.Pattern[str] | None:
    """A regular expression; None for one that is none, or that might take long."""
    if len(value) > _LONGEST_PATTERN or _REPEATED.search(value):
        return None
    try:
        return re.compile(value, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError):
        return None


def _address(values: Sequence[str], need: Need) -> bool | None:
    return _expression([value for value in values if "://" not in value], need, f":{_CONNECT_PORT}")


def _port(values: Sequence[str], _: Need) -> bool | None:
    spans = [re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", value) for value in values]
    return any(span and int(span[1]) <= _CONNECT_PORT <= int(span[2] or span[1]) for span in spans)


def _method(values: Sequence[str], _: Need) -> bool | None:
    return any(value.upper() == "CONNECT" for value in values)


def _source(values: Sequence[str], _: Need) -> bool | None:
    return True if any(everywhere(value) for value in values) else None


def _destination(values: Sequence[str], _: Need) -> bool | None:
    return True if any(value in {"all", "0.0.0.0/0"} for value in values) else None


_DOMAINS = frozenset({"dstdomain", "ssl::server_name"})
_HOSTS = _DOMAINS | {"dstdom_regex", "ssl::server_name_regex", "url_regex"}
_KINDS: dict[str, Callable[[Sequence[str], Need], bool | None]] = {
    "dstdomain": _domain,
    "ssl::server_name": _domain,
    "dstdom_regex": _expression,
    "ssl::server_name_regex": _expression,
    "url_regex": _address,
    "urlpath_regex": lambda _values, _need: False,
    "port": _port,
    "method": _method,
    "src": _source,
    "dst": _destination,
}
