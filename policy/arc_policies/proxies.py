"""The enterprise proxies that a resource sets: their URLs and the skip range, wherever it is that they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from .commands import CHART_PROXY, CONNECT_PROXY, DRIVER_PROXY, PROXIES, UPDATE_PROXY
from .reading import Node
from .tokens import Subject

CLUSTER = "azure-native:kubernetes:connectedcluster"

_Names = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]

#: What the URLs for HTTPS and HTTP and the skip range are called: in components, in Arc's chart and configuration.
_NAMES: _Names = (
    ("httpsUrl", "proxyHttps", "httpsProxy"),
    ("httpUrl", "proxyHttp", "httpProxy"),
    ("skipRange", "proxySkipRange", "noProxy"),
)
#: The same in the driver's environment, where the machine's own variables may stand beside them.
_VARIABLES: _Names = (("ARC_PROXY_HTTPS",), ("ARC_PROXY_HTTP",), ("ARC_PROXY_SKIP_RANGE",))

#: The types that `proxies` reads, besides components.
TOKENS = PROXIES | {CLUSTER}

_ESCAPED = re.compile(r"\\([,/])")


class Asked(Enum):
    """Who reads the settings, and so what may be left to it."""

    PROJECT = "this project's components and driver, which complete and tidy a skip range themselves"
    WHOLE = "a client that takes the settings as they are, all of them"
    CHANGE = "a client that keeps what is not given"
    MACHINE = "the programs of the machine that runs a client, to which no word is a keyword"


@dataclass(frozen=True)
class Proxies:
    """The settings of one place; each node has the value None where nothing is set.

    Attributes:
        https, http: the proxies' URLs.
        skip: the skip range, a list or a text.
        asked: who reads them.
    """

    https: Node
    http: Node
    skip: Node
    asked: Asked

    @property
    def any(self) -> bool:
        """Whether a proxy is set, or may be."""
        return any(url.open or url.text for url in (self.https, self.http))


_ASKED = {
    CONNECT_PROXY: Asked.WHOLE,
    CHART_PROXY: Asked.WHOLE,
    UPDATE_PROXY: Asked.CHANGE,
}


def proxies(subject: Subject) -> Iterator[Proxies]:
    """Every place in a subject that sets a proxy or a skip range."""
    if subject.token == CLUSTER:
        for feature in subject.node.field("arcAgentryConfigurations").each():
            name = feature.get("feature")
            if feature.open:
                yield from _at(feature, Asked.CHANGE)
            elif name.open or name.text.lower() == "proxy":
                for place in (feature.get("settings"), feature.get("protectedSettings")):
                    yield from _at(place, Asked.CHANGE)
    elif subject.token == DRIVER_PROXY:
        yield from _at(subject.node, Asked.PROJECT, _VARIABLES)
    elif subject.token in PROXIES:
        yield from _at(subject.node, _ASKED[subject.token])
    else:
        for node in subject.node.walk():
            if isinstance(node.value, dict):
                yield from _at(node, Asked.PROJECT)


def _at(node: Node, asked: Asked, names: _Names = _NAMES) -> Iterator[Proxies]:
    https, http, skip = (node if node.open else node.field(*spelt) for spelt in names)
    found = Proxies(https, http, skip, asked)
    if any(place.value is not None for place in (found.https, found.http, found.skip)):
        yield found


def unescaped(text: str) -> str:
    """A text as helm's `--set` reads it, where commas (and, from the client, slashes) are escaped."""
    return _ESCAPED.sub(r"\1", text)
