"""What a squid.conf lets through: its ACLs and http_access lines, read as squid does, for CONNECT alone.

A rule is true, false, or cannot be told (a regular expression, a file that is not there, a program that decides). Who
asks, and when, is no question here: the list is for the clusters, so a rule that allows by source is taken to mean
them, and one that denies by source not to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from arcgateway.host_lists import HostList, Line, Ports, Unjudged, lines_of, read_ports

#: ACL types about who asks and when.
_CLIENT = frozenset(
    (
        *("src", "srcdomain", "srcdom_regex", "arp", "eui64", "ident", "ident_regex", "time", "browser", "note"),
        *("proxy_auth", "proxy_auth_regex", "ext_user", "ext_user_regex", "user_cert", "ca_cert"),
        *("myip", "myport", "myportname", "localip", "localport", "maxconn", "max_user_ip", "random"),
        *("client_connection_mark", "annotate_client", "annotate_transaction"),
    )
)

#: ACLs that squid has by itself, and what each is for a cluster's CONNECT.
_BUILT_IN: Mapping[str, bool] = {
    "all": True,
    "CONNECT": True,
    "manager": False,
    "localhost": False,
    "to_localhost": False,
    "to_linklocal": False,
}

_WORD = re.compile(r'"[^"]*"|\S+')
_MAX_INCLUDES = 16


@dataclass
class _Acl:
    kind: str
    values: list[tuple[int, str]] = field(default_factory=list)
    unreadable: list[Unjudged] = field(default_factory=list)

    @cached_property
    def lines(self) -> list[Line]:
        """What a dstdomain admits, once all of the file is read."""
        return [Line(number, value, _dstdomain(value)) for number, value in self.values]


@dataclass(frozen=True)
class _Rule:
    number: int
    allow: bool
    acls: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Decision:
    """What squid does with a CONNECT.

    Attributes:
        allowed: whether it lets it through.
        number: the line that decides; 0 for what follows where none does.
        text: that line.
        doubts: lines before it that might have decided, and cannot be judged.
    """

    allowed: bool
    number: int
    text: str
    doubts: tuple[int, ...] = ()


class SquidRules:
    """The rules of one file.

    Attributes:
        has_rules: whether there is an http_access line at all.
    """

    def __init__(self) -> None:
        self._acls: dict[str, _Acl] = {}
        self._rules: list[_Rule] = []
        self._notes: list[str] = []
        self._unjudged: list[Unjudged] = []

    @classmethod
    def read(cls, text: str, folder: Path | None) -> SquidRules:
        """Read a squid.conf or a part of one.

        Args:
            text: its content.
            folder: where files with relative names are looked for; None where the text came from no file.
        """
        rules = cls()
        rules._take(text, folder, None, 0)
        return rules

    @property
    def has_rules(self) -> bool:
        return bool(self._rules)

    def decide(self, host: str, port: int) -> Decision:
        """What becomes of a CONNECT to a name, or to any name of a pattern with a leading `*.`."""
        doubts: list[int] = []
        for rule in self._rules:
            verdict = self._meets(rule, host, port)
            if verdict:
                return Decision(rule.allow, rule.number, rule.text, tuple(doubts))
            if verdict is None:
                doubts.append(rule.number)
        # squid then does the opposite of its last line.
        return Decision(bool(self._rules) and not self._rules[-1].allow, 0, "no line", tuple(doubts))

    def allows(self, number: int) -> bool:
        """Whether the http_access line of this number is one that allows."""
        return any(rule.number == number and rule.allow for rule in self._rules)

    def listed(self) -> HostList:
        """The names that lines which allow refer to, with their ports, and all that cannot be judged.

        Where there is no http_access line, all names of all ACLs.
        """
        found = HostList(unjudged=[*self._unjudged], notes=[*self._notes])
        used = {name.lstrip("!") for rule in self._rules for name in self._flat(rule.acls)}
        if not self._rules:
            found.notes.append("there is no http_access line: all names of its dstdomain lists are taken as allowed")
        for rule in self._rules:
            acls = [self._acls[name] for name in self._flat(rule.acls) if name in self._acls]
            ports = [value for acl in acls if acl.kind == "port" for _, value in acl.values]
            if rule.allow:
                found.lines += self._domains(acls, read_ports(" ".join(ports)) or Ports())
            for name in dict.fromkeys(self._flat(rule.acls)):
                found.unjudged += self._doubtful(name.lstrip("!"), rule)
        for name, acl in self._acls.items():
            if acl.kind == "dstdomain":
                found.notes += self._stars(name, acl)
                if not self._rules:
                    found.lines += self._domains([acl], Ports())
                elif name not in used:
                    at = f"line {acl.values[0][0]}: " if acl.values else ""
                    found.notes.append(f"{at}acl {name} is in no http_access line, so that it admits nothing")
        found.unjudged = list(dict.fromkeys(found.unjudged))
        found.lines = list(dict.fromkeys(found.lines))
        return found

    def _take(self, text: str, folder: Path | None, line: int | None, depth: int) -> None:
        for number, content in _logical_lines(text):
            words = _WORD.findall(content)
            at = line or number
            if words[0] == "acl" and len(words) >= 3:
                self._define(at, words[1], words[2], words[3:], folder)
            elif words[0] == "http_access" and len(words) >= 2:
                self._rules.append(_Rule(at, words[1] == "allow", _until_comment(words[2:]), content.strip()))
            elif words[0] == "include":
                for name in words[1:]:
                    self._include(at, name.strip('"'), folder, depth)

    def _include(self, number: int, name: str, folder: Path | None, depth: int) -> None:
        paths = self._found(number, name, folder)
        if depth >= _MAX_INCLUDES or not paths:
            self._unjudged.append(
                Unjudged(number, f"include {name}", "the file is not here to be read: put it beside the list")
            )
        for path in paths[:64] if depth < _MAX_INCLUDES else ():
            text = _text(path)
            if text is None:
                self._unjudged.append(Unjudged(number, f"include {name}", f"{path} cannot be read"))
            else:
                self._take(text, folder, number, depth + 1)

    def _define(self, number: int, name: str, kind: str, words: Iterable[str], folder: Path | None) -> None:
        acl = self._acls.setdefault(name, _Acl(kind))
        for word in _until_comment(words):
            if word in ("-n", "-i", "+i", "--"):
                continue
            if not word.startswith('"'):
                acl.values.append((number, word))
                continue
            file = word.strip('"')
            texts = [_text(path) for path in self._found(number, file, folder)]
            if not texts or None in texts:
                acl.unreadable.append(Unjudged(number, file, "the file is not here to be read: put it beside the list"))
            for text in texts:
                lines = lines_of(text or "")
                acl.values += [(number, item) for line in lines for item in line.partition("#")[0].split()]

    def _found(self, number: int, name: str, folder: Path | None) -> list[Path]:
        """The files of a name; where the proxy's own folder is not here, those beside the list."""
        paths = _paths(name, folder)
        if not paths and Path(name).is_absolute() and (paths := _paths(Path(name).name, folder)):
            self._notes.append(f"line {number}: {paths[0]} is read in place of {name}")
        return paths

    def _meets(self, rule: _Rule, host: str, port: int) -> bool | None:
        return _all(self._literal(name, rule.allow, host, port) for name in rule.acls)

    def _literal(self, name: str, allow: bool, host: str, port: int, depth: int = 0) -> bool | None:
        bare = name.lstrip("!")
        acl = self._acls.get(bare)
        if acl is not None and acl.kind in _CLIENT and bare not in _BUILT_IN:
            return allow and not _is_loopback(acl)
        if acl is None:
            value: bool | None = _BUILT_IN.get(bare)
        elif bare in _BUILT_IN:
            value = _BUILT_IN[bare]
        elif acl.kind in ("any-of", "all-of") and depth < _MAX_INCLUDES:
            parts = [self._literal(word, allow, host, port, depth + 1) for _, word in acl.values]
            value = _all(parts) if acl.kind == "all-of" else _any(parts)
        else:
            judge = _JUDGES.get(acl.kind)
            value = judge(acl, host, port, allow) if judge else None
        return value if not name.startswith("!") or value is None else not value

    def _flat(self, names: Iterable[str], depth: int = 0) -> Iterator[str]:
        """The names of a rule with those inside any-of and all-of ACLs; negated ones keep their mark."""
        for name in names:
            acl = self._acls.get(name.lstrip("!"))
            yield name
            if acl is not None and acl.kind in ("any-of", "all-of") and depth < _MAX_INCLUDES:
                yield from self._flat([word for _, word in acl.values], depth + 1)

    def _domains(self, acls: Iterable[_Acl], ports: Ports) -> list[Line]:
        return [
            replace(line, ports=ports) for acl in acls if acl.kind == "dstdomain" for line in acl.lines if line.globs
        ]

    def _doubtful(self, name: str, rule: _Rule) -> list[Unjudged]:
        acl = self._acls.get(name)
        if acl is None:
            if name in _BUILT_IN:
                return []
            return [Unjudged(rule.number, rule.text, f"there is no acl {name}")]
        told = acl.kind in _JUDGES and acl.kind not in _WHY
        if told or acl.kind in _CLIENT or acl.kind in ("any-of", "all-of") or name in _BUILT_IN:
            return acl.unreadable
        number = acl.values[0][0] if acl.values else rule.number
        shown = f"acl {name} {acl.kind}"
        return [Unjudged(number, shown, f"{_WHY.get(acl.kind, f'what {acl.kind} means for a name is not known here')}")]

    def _stars(self, name: str, acl: _Acl) -> list[str]:
        return [
            f"line {number}: {value} admits nothing, as dstdomain knows no `*`: write {value.lstrip('*')}"
            for number, value in acl.values
            if "*" in value
        ]


_WHY = {
    "dstdom_regex": "a regular expression on the name",
    "url_regex": "a regular expression on the address",
    "urlpath_regex": "a regular expression on the path, which a CONNECT has not",
    "dst": "it goes by addresses, and what Azure answers under changes",
    "external": "a program decides",
    "ssl::server_name": "it is known only while TLS begins",
    "ssl::server_name_regex": "it is known only while TLS begins",
}


def _by_domain(acl: _Acl, host: str, port: int, allow: bool) -> bool | None:
    if any(line.admits(host) for line in acl.lines):
        return True
    if acl.unreadable or (not allow and any(line.admits_part(host) for line in acl.lines)):
        return None
    return False


def _by_name_pattern(acl: _Acl, host: str, port: int, allow: bool) -> bool | None:
    """False where plainly no expression meets the name; whether one does, squid says in a dialect of its own."""
    if acl.unreadable or host.startswith("*") or any("[[" in value for _, value in acl.values):
        return None
    try:
        met = any(re.search(value, host, re.IGNORECASE) for _, value in acl.values)
    except re.error:
        return None
    return None if met else False


def _by_port(acl: _Acl, host: str, port: int, allow: bool) -> bool | None:
    ports = read_ports(" ".join(value for _, value in acl.values))
    return port in ports if ports is not None else None


def _by_method(acl: _Acl, host: str, port: int, allow: bool) -> bool | None:
    return any(value.upper() == "CONNECT" for _, value in acl.values)


def _by_protocol(acl: _Acl, host: str, port: int, allow: bool) -> bool | None:
    return None if any(value.upper() in ("HTTPS", "NONE") for _, value in acl.values) else False


_JUDGES: Mapping[str, Callable[[_Acl, str, int, bool], bool | None]] = {
    "dstdomain": _by_domain,
    "dstdom_regex": _by_name_pattern,
    "port": _by_port,
    "method": _by_method,
    "proto": _by_protocol,
}


def _dstdomain(value: str) -> tuple[str, ...]:
    """The globs of a dstdomain value; none for one with a `*`, which squid takes for a part of the name."""
    value = value.lower()
    if "*" in value:
        return ()
    return (value[1:], f"*{value}") if value.startswith(".") else (value,)


def _is_loopback(acl: _Acl) -> bool:
    return acl.kind == "src" and all(value.startswith(("127.", "::1")) for _, value in acl.values)


def _all(values: Iterable[bool | None]) -> bool | None:
    found = list(values)
    return False if False in found else None if None in found else True


def _any(values: Iterable[bool | None]) -> bool | None:
    found = list(values)
    return True if True in found else None if None in found else False


def _until_comment(words: Iterable[str]) -> tuple[str, ...]:
    kept = []
    for word in words:
        if word.startswith("#"):
            break
        kept.append(word)
    return tuple(kept)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with what is continued after a backslash, by the number of their first; no comments, no empty ones."""
    begun, parts = 0, list[str]()
    for number, line in enumerate(lines_of(text), 1):
        if not parts and (not line.strip() or line.lstrip().startswith("#")):
            continue
        begun = begun if parts else number
        parts.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            yield begun, " ".join(parts)
            parts = []
    if parts and " ".join(parts).strip():
        yield begun, " ".join(parts)


def _paths(name: str, folder: Path | None) -> list[Path]:
    path = Path(name)
    if not path.is_absolute():
        if folder is None:
            return []
        path = folder / path
    if "*" in path.name:
        return sorted(path.parent.glob(path.name))
    return [path] if path.is_file() else []


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
