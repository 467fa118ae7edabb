"""An enterprise proxy that lets nobody through without a password, in a thread of the test."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

from sandbox.forward_proxy import Exchange, Refused, Stream, Upstream, listen, serve
from sandbox.outbound import Proxy, dial

USER = "arc agents"


@dataclass
class AuthenticatingProxy:
    """A proxy that leads to the sandbox's router.

    Attributes:
        port: of the proxy, on loopback.
        router: port of the router.
        password: what USER needs; may be changed while it runs.
        served: targets of those that were let through, in order.
        refused: targets of those that were not.
    """

    port: int
    router: int
    password: str = field(repr=False)
    served: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The proxy's URL with its credentials."""
        return f"http://{quote(USER)}:{quote(self.password, safe='')}@127.0.0.1:{self.port}"

    @property
    def forms(self) -> tuple[str, ...]:
        """All texts in which the password might stand somewhere."""
        basic = base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        return self.password, quote(self.password, safe=""), quote(self.password), basic.rstrip("=")

    async def open(self, exchange: Exchange, host: str, port: int) -> Upstream:
        """Let a CONNECT through, or answer 407."""
        assert exchange.head is not None
        wanted = "Basic " + base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        if exchange.head.headers.get("proxy-authorization") != wanted:
            self.refused.append(exchange.target)
            raise Refused(407, "This proxy needs a user and a password.")
        self.served.append(exchange.target)
        return Upstream(await dial(host, port, Proxy("127.0.0.1", self.router)), f"{host}:{port}")


@contextmanager
def running(proxy: AuthenticatingProxy) -> Iterator[AuthenticatingProxy]:
    """Serve until the end of the block."""
    loop = asyncio.new_event_loop()
    listening = threading.Event()
    stop = asyncio.Event()

    async def handle(client: Stream) -> None:
        await serve(client, proxy.open, lambda exchange: None)

    async def main() -> None:
        async with listen("127.0.0.1", proxy.port, handle):
            listening.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), name="proxy", daemon=True)
    thread.start()
    assert listening.wait(10), "the proxy did not start"
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
