"""The Arc gateway's data plane, and the router through which the enterprise proxy finds the sandbox's Azure.

The router takes CONNECT for public Azure names and leads them to local ports. The gateway speaks TLS for
`PREFIX.gw.arc.azure.com` and takes, inside it, CONNECT for the Azure names and for no other; what it carried is in
`logs/gateway-access.log`, one JSON object a line, so that an audit of the pods' own logs can be compared with it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
import sys
from collections.abc import Callable
from functools import partial
from typing import Literal, TextIO
from weakref import WeakKeyDictionary

from sandbox.certificates import AZURE_NAMES, certificates
from sandbox.forward_proxy import Exchange, Refused, Stream, Upstream, listen, serve, until_told_to_stop
from sandbox.home import PROJECT, Home
from sandbox.outbound import connect
from sandbox.service import Service, listening

GATEWAY_NAME = "*.gw.arc.azure.com"
ACCESS_LOG = "gateway-access.log"

#: Ports on which names are open; all others on 443 alone.
PORTS: dict[str, frozenset[int]] = {"*.obo.arc.azure.com": frozenset({443, 8084})}

Place = Literal["azure", "gateway"]


def services(home: Home) -> list[Service]:
    """The process `edge`: router and gateway."""
    router, gateway = listening(home.port("router")), listening(home.port("gateway"))
    return [
        Service(
            name="edge",
            argv=(sys.executable, "-m", "sandbox.gateway"),
            ready=lambda: router() and gateway(),
            env={"PYTHONPATH": str(PROJECT)},
            ports=("router", "gateway"),
        )
    ]


def matches(pattern: str, host: str) -> bool:
    """Whether a name is one of a certificate's names; a wildcard stands for exactly one label."""
    if not pattern.startswith("*."):
        return host == pattern
    label, _, rest = host.partition(".")
    return bool(label) and rest == pattern[2:]


def place(host: str, port: int) -> Place:
    """Where in the sandbox a public name leads.

    Raises:
        Refused: 403 for this machine itself and for a closed port, 502 for a name that the sandbox does not have.
    """
    if _is_this_machine(host):
        raise Refused(403, f"{host} is this machine itself, which the sandbox's proxies do not lead to.")
    pattern = next((pattern for pattern in AZURE_NAMES if matches(pattern, host)), None)
    if pattern is None:
        raise Refused(502, f"The sandbox has no host {host}: it stands in for Azure alone.")
    if port not in PORTS.get(pattern, {443}):
        raise Refused(403, f"The sandbox's {host} is not open on port {port}.")
    return "gateway" if pattern == GATEWAY_NAME else "azure"


def _is_this_machine(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


class Gateway:
    """The data plane's answers.

    Args:
        azure: the port of the local Azure.
        log: where to write a line for each CONNECT.
        known: whether there is a gateway with this prefix; the handshake of any other fails.
    """

    def __init__(self, azure: int, log: TextIO, known: Callable[[str], bool] = lambda prefix: True) -> None:
        self._azure = azure
        self._log = log
        self._known = known
        self._names: WeakKeyDictionary[object, str] = WeakKeyDictionary()

    def tls(self, chain: str, key: str) -> ssl.SSLContext:
        """A context that answers to gateways' names only."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chain, key)
        context.sni_callback = self._choose
        return context

    async def handle(self, client: Stream) -> None:
        """Serve what came through the handshake."""
        prefix = self._names.get(client.writer.get_extra_info("ssl_object"), "-")
        await serve(client, self._open, partial(self._record, prefix))

    def _choose(self, connection: object, name: str | None, _: ssl.SSLContext) -> int | None:
        host = (name or "").lower()
        prefix = host.partition(".")[0]
        if not matches(GATEWAY_NAME, host) or not self._known(prefix):
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        self._names[connection] = prefix
        return None

    async def _open(self, _: Exchange, host: str, port: int) -> Upstream:
        try:
            carried = place(host, port) == "azure"
        except Refused:
            carried = False
        if not carried:
            raise Refused(403, f"The gateway does not carry {host}:{port}.")
        return Upstream(await connect("127.0.0.1", self._azure), f"{host}:{port}")

    def _record(self, prefix: str, exchange: Exchange) -> None:
        line = {
            "time": exchange.started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "prefix": prefix,
            "target": exchange.target,
            "status": exchange.status,
            "bytesUp": exchange.up,
            "bytesDown": exchange.down,
            "duration": round(exchange.seconds, 3),
            "client": exchange.client,
        }
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()


async def route(client: Stream, ports: dict[Place, int]) -> None:
    """Serve one connection to the router; what it refused is told on standard output, the service's log."""

    async def open_upstream(_: Exchange, host: str, port: int) -> Upstream:
        return Upstream(await connect("127.0.0.1", ports[place(host, port)]), f"{host}:{port}")

    def record(exchange: Exchange) -> None:
        if exchange.status != 200 and not exchange.is_look:
            print(f"router: {exchange.target} answered {exchange.status}", flush=True)

    await serve(client, open_upstream, record)


async def main(home: Home) -> None:
    """Run router and gateway until told to stop."""
    files = certificates(home)
    ports: dict[Place, int] = {"azure": home.port("azure"), "gateway": home.port("gateway")}
    with (home.folder("logs") / ACCESS_LOG).open("a") as log:
        gateway = Gateway(ports["azure"], log)
        tls = gateway.tls(str(files.chain), str(files.key))
        async with (
            listen("127.0.0.1", home.port("router"), partial(route, ports=ports)),
            listen("127.0.0.1", ports["gateway"], gateway.handle, tls),
        ):
            await until_told_to_stop()


if __name__ == "__main__":
    asyncio.run(main(Home.default()))
