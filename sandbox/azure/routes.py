"""Addresses of fixed form, found in time that does not grow with their number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.azure.core import Azure, Call, Reply

Handler = Callable[[Azure, Call, Mapping[str, str]], Reply]


@dataclass
class _Node:
    literal: dict[str, _Node] = field(default_factory=dict)
    wild: _Node | None = None
    name: str = ""
    verbs: dict[str, Handler] = field(default_factory=dict)


class Routes:
    """A tree of templates, as `/subscriptions/{subscription}`: literals are in lower case and compared without it.

    Attributes:
        table: what it was made of: handlers by template and verb.
    """

    def __init__(self, table: Mapping[str, Mapping[str, Handler]]) -> None:
        self.table = table
        self._root = _Node()
        for template, verbs in table.items():
            node = self._root
            for segment in template.strip("/").split("/") if template.strip("/") else ():
                if segment.startswith("{"):
                    if node.wild is None:
                        node.wild = _Node(name=segment[1:-1])
                    node = node.wild
                else:
                    node = node.literal.setdefault(segment, _Node())
            node.verbs.update(verbs)

    def find(self, segments: tuple[str, ...]) -> tuple[Mapping[str, Handler], dict[str, str]] | None:
        """The verbs of an address and what stands in its braces, or None."""
        node, params = self._root, {}
        for segment in segments:
            following = node.literal.get(segment.lower())
            if following is None:
                if node.wild is None:
                    return None
                following = node.wild
                params[following.name] = segment
            node = following
        return (node.verbs, params) if node.verbs else None
