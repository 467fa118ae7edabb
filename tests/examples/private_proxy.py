"""A forward proxy as companies have it: TLS with a certificate of a private CA, and a password."""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import trustme

from sandbox.forward_proxy import Exchange, Refused, Stream, Upstream, listen, serve
from sandbox.outbound import Proxy, dial


@dataclass
class PrivateProxy:
    """A proxy that runs.

    Attributes:
        url: its address, without credentials.
        root: PEM text of the CA that signed its certificate.
        user, password: whom it lets through.
        carried: the targets of the connections that it carried.
        refused: how many came without the right password.
    """

    root: str
    user: str = "arc@corp"
    password: str = "canary/p@ss:word"
    url: str = ""
    carried: list[str] = field(default_factory=list)
    refused: int = 0

    @property
    def authorization(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@contextmanager
def private_proxy(way_out: str) -> Iterator[PrivateProxy]:
    """Run one in a thread.

    Args:
        way_out: URL of the proxy behind it.
    """
    authority = trustme.CA(organization_name="A company's own CA")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    running = PrivateProxy(authority.cert_pem.bytes().decode())
    behind = Proxy.of(way_out)

    async def open_upstream(exchange: Exchange, host: str, port: int) -> Upstream:
        assert exchange.head is not None
        if exchange.head.headers.get("proxy-authorization") != running.authorization:
            running.refused += 1
            raise Refused(407, "A user and a password are needed.")
        running.carried.append(f"{host}:{port}")
        return Upstream(await dial(host, port, behind), f"{host}:{port}")

    async def handle(client: Stream) -> None:
        await serve(client, open_upstream, lambda _: None)

    async def run(ready: threading.Event) -> None:
        async with listen("127.0.0.1", 0, handle, tls) as server:
            running.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            ready.set()
            await asyncio.to_thread(stop.wait)

    ready, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(run(ready)), name="private proxy", daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield running
    finally:
        stop.set()
        thread.join()
