"""Reading a resource's inputs without falling over what is not known yet.

The engine hands inputs over as proxies that raise when an unknown value is touched, and that end the whole policy for
that resource when nobody catches it. `plain` copies them once, with `UNKNOWN` in the place of each value that is open;
`Node` walks the copy and keeps the path for the message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from pulumi_policy import proxy


class Unknown(Enum):
    """Its one value, `UNKNOWN`, stands for what only the update will tell, or what is not readable here."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN

Value: TypeAlias = "bool | int | float | str | Unknown | list[Value] | dict[str, Value] | None"
Path: TypeAlias = tuple[str | int, ...]

_SENTINELS = frozenset(
    value for name, value in vars(proxy).items() if name.startswith("UNKNOWN_") and isinstance(value, str)
)
#: The kinds of proxies, asked for what lies behind them: copying it is four times as fast as asking for each value.
_PROXIES: tuple[type[Any], ...] = tuple(
    vars(proxy)[name] for name in ("_DictProxy", "_ListProxy") if name in vars(proxy)
)
_PLAIN_KEY = re.compile(r"[A-Za-z_][\w-]*\Z", re.ASCII)
_LONGEST_KEY = 60


def plain(props: object) -> Value:
    """A copy of inputs in plain lists and dictionaries; unknown values, and assets without text, become UNKNOWN.

    Keys are sorted: the engine sends a map in another order each time, and a finding is to name the same property.
    """
    if isinstance(props, str):
        return UNKNOWN if props in _SENTINELS else props
    if props is None or isinstance(props, bool | int | float):
        return props
    if isinstance(props, _PROXIES):
        props = props["__target"]
    if isinstance(props, dict):
        return {str(key): plain(props[key]) for key in sorted(props, key=str)}
    if isinstance(props, list):
        return [plain(item) for item in props]
    if isinstance(props, Mapping):
        return {str(key): _known(props.__getitem__, key) for key in sorted(props, key=str)}
    if isinstance(props, Sequence) and not isinstance(props, bytes | bytearray):
        return [_known(props.__getitem__, index) for index in range(len(props))]
    text = getattr(props, "text", None)
    return text if isinstance(text, str) else UNKNOWN


def _known(entry: Callable[[Any], object], key: object) -> Value:
    try:
        return plain(entry(key))
    except proxy.UnknownValueError:
        return UNKNOWN


@lru_cache(maxsize=8192)
def fold(key: str) -> str:
    """One spelling for `privateLinkState`, `private_link_state` and ARM's any case."""
    return key.replace("_", "").lower()


def show(path: Path) -> str:
    """A property path as Pulumi writes it: `spec.rules[0].hosts`, `data["squid.conf"]`."""
    shown = ""
    for step in path:
        if isinstance(step, int):
            shown += f"[{step}]"
        elif _PLAIN_KEY.match(step) and len(step) <= _LONGEST_KEY:
            shown += f".{step}" if shown else step
        else:
            shown += f"[{json.dumps(step[:_LONGEST_KEY])}]"
    return shown


class Node(NamedTuple):
    """A place in a resource's inputs: what is there, and the way to it."""

    value: Value
    path: Path = ()

    def get(self, *names: str) -> Node:
        """Go down by keys, whatever their case and underscores; None where nothing is, UNKNOWN below an UNKNOWN."""
        node = self
        for name in names:
            if isinstance(node.value, dict):
                key = _key(node.value, name)
                node = Node(None if key is None else node.value[key], (*node.path, key or name))
            else:
                node = Node(UNKNOWN if node.open else None, (*node.path, name))
        return node

    def field(self, *names: str) -> Node:
        """The first of these keys that is there, beside `properties` or (as in ARM) inside; else the first, absent."""
        if not isinstance(self.value, dict):
            return Node(UNKNOWN if self.open else None, (*self.path, names[0]))
        inner = self.get("properties")
        for place in (self, inner):
            if isinstance(place.value, dict):
                for name in names:
                    key = _key(place.value, name)
                    if key is not None and place.value[key] is not None:
                        return Node(place.value[key], (*place.path, key))
        return Node(UNKNOWN if inner.open else None, (*self.path, names[0]))

    def each(self) -> list[Node]:
        """The items of a list; a lone value counts as a list of one, nothing as an empty one."""
        if isinstance(self.value, list):
            return [Node(item, (*self.path, index)) for index, item in enumerate(self.value)]
        return [] if self.value is None else [self]

    def children(self) -> list[Node]:
        """What lies directly below: a list's items, a dictionary's values."""
        if isinstance(self.value, dict):
            return [Node(value, (*self.path, key)) for key, value in self.value.items()]
        return self.each() if isinstance(self.value, list) else []

    def walk(self) -> Iterator[Node]:
        """This place and every one below it."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += reversed(node.children())

    @property
    def open(self) -> bool:
        """Whether the value is not known."""
        return self.value is UNKNOWN

    @property
    def text(self) -> str:
        """The value where it is text, without blanks around; else the empty string."""
        return self.value.strip() if isinstance(self.value, str) else ""

    @property
    def key(self) -> str:
        """The last key on the way, folded; the empty string for a list's item and for the top."""
        last = self.path[-1] if self.path else 0
        return fold(last) if isinstance(last, str) else ""

    @property
    def on(self) -> bool:
        """Whether the value switches something on: true, or a word that says so in any case."""
        return self.value is True or self.text.lower() in {"true", "enabled", "yes", "on"}


def _key(mapping: Mapping[str, Value], name: str) -> str | None:
    if name in mapping:
        return name
    folded = fold(name)
    for key in mapping:
        if fold(key) == folded:
            return key
    return None


def from_json(text: str) -> Value:
    """The value of JSON text, with line breaks within strings as in ARM's templates; UNKNOWN where it is none."""
    try:
        return plain(json.loads(text, strict=False))
    except (ValueError, RecursionError):
        return UNKNOWN
