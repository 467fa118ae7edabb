"""The hops of a probe, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

Hop = Literal["resolve", "connect", "proxyTls", "tunnel", "tls", "websocket", "innerTunnel", "innerTls", "idle"]

#: What is being done in each hop, for whoever waited in vain.
STAGES: Mapping[Hop, str] = {
    "resolve": "while the name was looked up",
    "connect": "before there was a connection",
    "proxyTls": "in the TLS handshake with the proxy",
    "tunnel": "before the tunnel was open: CONNECT is not answered",
    "tls": "in the TLS handshake",
    "websocket": "to the upgrade to a websocket",
    "innerTunnel": "to the CONNECT inside the gateway's TLS",
    "innerTls": "in the TLS handshake inside the gateway's",
    "idle": "after the silence",
}


class Hops:
    """How long each hop of one probe took.

    Attributes:
        milliseconds: of each hop that was begun, in their order; to a tenth.
        at: the hop that was begun last.
    """

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}
        self.at: Hop = "resolve"
        self._started = self._ended = time.monotonic()

    def elapsed(self) -> int:
        """Milliseconds from the first hop's begin to the last one's end."""
        return round((self._ended - self._started) * 1000)

    @contextmanager
    def timed(self, hop: Hop) -> Iterator[None]:
        """Measure what is done inside, done or failed."""
        self.at = hop
        started = time.monotonic()
        try:
            yield
        finally:
            self._ended = time.monotonic()
            self.milliseconds[hop] = round((self._ended - started) * 1000, 1)
