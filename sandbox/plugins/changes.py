"""What differs between two property maps, path by path, and maps changed by such differences."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from sandbox.plugins.values import UNKNOWN, Properties, Secret, Value, is_asset

_PLAIN_KEY = re.compile(r"[A-Za-z_$][\w$-]*\Z")
_INDEX = re.compile(r"\[\d+\]")
_ABSENT = object()


class Kind(IntEnum):
    """The kinds of a PropertyDiff that replaces nothing; the one that replaces has the next number."""

    ADD = 0
    DELETE = 2
    UPDATE = 4


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        kind: what happened to the property.
        replaces: whether only a new resource can take it.
    """

    kind: Kind
    replaces: bool

    @property
    def number(self) -> int:
        """Its number in the protocol."""
        return self.kind + int(self.replaces)


def changes(old: Properties, new: Properties, replaces: Callable[[str], bool]) -> dict[str, Change]:
    """The differences by their property paths.

    A secret is compared as a whole, and differs from the same value in the clear.

    Args:
        replaces: told of a path without its list indices (`rules[].name`), whether a change there makes a new resource.
    """
    return {path: Change(kind, replaces(_INDEX.sub("[]", path))) for path, kind in _compare_maps("", old, new)}


def root(path: str) -> str:
    """The top-level property of a path."""
    if path.startswith('["'):
        key, _ = json.JSONDecoder().raw_decode(path[1:])
        return str(key)
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def prefixes(path: str) -> Iterator[str]:
    """The path and the paths of all that it is inside of."""
    yield path
    for end in (match.start() for match in re.finditer(r"[.\[]", path)):
        if end:
            yield path[:end]


def transfer(base: Value, old: Value, new: Value) -> Value:
    """`base` with what changed from `old` to `new`.

    Where `new` has more than `old` had, it is taken; what both have alike leaves `base` as it is, so defaults that a
    service fills in never get into what a person wrote.
    """
    if isinstance(base, Secret):
        changed = transfer(base.value, old, new)
        return base if changed == base.value else Secret(changed)
    if isinstance(base, dict) and isinstance(old, dict) and isinstance(new, dict):
        kept = {key: value for key, value in base.items() if key in new or key not in old}
        for key, value in new.items():
            if key not in old:
                kept[key] = value
            elif old[key] != value:
                kept[key] = transfer(base[key], old[key], value) if key in base else value
        return kept
    if isinstance(base, list) and isinstance(old, list) and isinstance(new, list):
        return [
            transfer(base[index], old[index], item) if index < min(len(base), len(old)) else item
            for index, item in enumerate(new)
        ]
    return base if old == new else new


def _compare_maps(at: str, old: Properties, new: Properties) -> Iterator[tuple[str, Kind]]:
    for key in [*old, *(key for key in new if key not in old)]:
        yield from _compare(_join(at, key), old.get(key, _ABSENT), new.get(key, _ABSENT))


def _compare(at: str, old: Value, new: Value) -> Iterator[tuple[str, Kind]]:
    if old is _ABSENT:
        yield at, Kind.ADD
    elif new is _ABSENT:
        yield at, Kind.DELETE
    elif isinstance(old, dict) and isinstance(new, dict) and not is_asset(old) and not is_asset(new):
        yield from _compare_maps(at, old, new)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from _compare(
                f"{at}[{index}]",
                old[index] if index < len(old) else _ABSENT,
                new[index] if index < len(new) else _ABSENT,
            )
    elif old != new or new is UNKNOWN:
        yield at, Kind.UPDATE


def _join(at: str, key: str) -> str:
    if not _PLAIN_KEY.match(key):
        return f"{at}[{json.dumps(key)}]"
    return f"{at}.{key}" if at else key
