"""An enterprise proxy with a password, which treats pods as another network: names can be closed to them alone.

Pods of the sandbox are processes of this machine with its addresses, so a pod is known by its process.
"""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

import psutil

from sandbox.forward_proxy import Exchange, Refused, Stream, Upstream, listen, serve
from sandbox.outbound import Proxy, dial

USER, PASSWORD = "arc agents", "c4nary p@ss/w:rd"


@dataclass
class PodFirewall:
    """A proxy that runs.

    Attributes:
        way_out: the proxy behind it.
        port: of the proxy, on loopback.
        closed: host names that pods do not get through to.
        silent: host names of which pods hear nothing.
        served: targets of those that were let through, and whether a pod asked.
    """

    way_out: Proxy
    port: int = 0
    closed: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    served: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{quote(USER)}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}"

    @property
    def forms(self) -> tuple[str, ...]:
        """All texts in which the password might stand somewhere."""
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD), basic.rstrip("=")

    async def open(self, exchange: Exchange, host: str, port: int) -> Upstream:
        assert exchange.head is not None
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if exchange.head.headers.get("proxy-authorization") != wanted:
            raise Refused(407, "A user and a password are needed.")
        inside = _is_pod(exchange.client)
        if inside and host in self.closed:
            raise Refused(403, "Not from the pods' network.")
        if inside and host in self.silent:
            await asyncio.sleep(30)
        self.served.append((f"{host}:{port}", inside))
        return Upstream(await dial(host, port, self.way_out), f"{host}:{port}")


def _is_pod(client: str) -> bool:
    """Whether the process at the other end of a connection is one of a preflight's pod."""
    port = int(client.rpartition(":")[2])
    for connection in psutil.net_connections("tcp4"):
        if connection.laddr and connection.laddr.port == port and connection.pid:
            return any(word.endswith("probe.pyz") for word in psutil.Process(connection.pid).cmdline())
    return False


@contextmanager
def pod_firewall(way_out: str) -> Iterator[PodFirewall]:
    """Run one in a thread, with a proxy behind it."""
    running = PodFirewall(Proxy.of(way_out))
    ready, stop = threading.Event(), threading.Event()

    async def handle(client: Stream) -> None:
        await serve(client, running.open, lambda _: None)

    async def run() -> None:
        async with listen("127.0.0.1", 0, handle) as server:
            running.port = int(server.sockets[0].getsockname()[1])
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="pod firewall", daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield running
    finally:
        stop.set()
        thread.join()
