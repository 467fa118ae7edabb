"""The `arc-proxy` pod: carries the agents' connections through the enterprise proxy to the Arc gateway.

For each CONNECT it opens, one inside the other: a tunnel through the enterprise proxy to the gateway, TLS with the
gateway, a tunnel through the gateway to the target. What the gateway does not carry (it answers 403) goes directly
through the enterprise proxy instead; what NO_PROXY names goes past both. One log line on standard output for each
connection of a tunnel, in the form of Envoy's default access log; the last field tells which way it went.

Environment: GATEWAY_ENDPOINT (host name); HTTPS_PROXY, NO_PROXY; POD_IP and LISTEN_PORT (8080) to listen on;
SSL_CERT_FILE (roots), PROXY_CERT_FILE (the root of a proxy that speaks TLS); SANDBOX_HOSTS (addresses of Services).
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import TextIO

from sandbox.forward_proxy import Exchange, Refused, Stream, Upstream, listen, serve, until_told_to_stop
from sandbox.outbound import Route, bypasses, dial, secure, trusted, tunnel

GATEWAY_PORT = 443
DEFAULT_PORT = 8080
FIELD_LIMIT = 256  # characters of a client's header that a log line takes


class ArcProxy:
    """Where the connections of one pod go.

    Args:
        gateway: the gateway's host name.
        route: the way out of the cluster.
        tls: verifies the gateway, and a proxy that speaks TLS.
        log: where the access log goes.
    """

    def __init__(self, gateway: str, route: Route, tls: ssl.SSLContext, log: TextIO) -> None:
        self._gateway = gateway
        self._route = route
        self._tls = tls
        self._log = log

    async def handle(self, client: Stream) -> None:
        """Serve one connection of an agent's."""
        await serve(client, self._open, self._record)

    async def _open(self, exchange: Exchange, host: str, port: int) -> Upstream:
        begun = time.monotonic()
        name = f"{host}:{port}"
        if not bypasses(self._route.no_proxy, host, port):
            exchange.upstream = f"{self._gateway}:{GATEWAY_PORT}"
            stream = await self._to_gateway()
            try:
                return Upstream(await tunnel(stream, host, port, "the gateway"), exchange.upstream)
            except Refused as refused:
                if refused.status != 403:
                    raise
            self._record(replace(exchange, status=403, seconds=time.monotonic() - begun))
        exchange.upstream = name
        try:
            return Upstream(await dial(host, port, self._route.proxy_for(host, port), self._tls), name)
        except Refused as refused:
            raise _not_ours(refused) from None

    async def _to_gateway(self) -> Stream:
        proxy = self._route.proxy_for(self._gateway, GATEWAY_PORT)
        try:
            return await secure(await dial(self._gateway, GATEWAY_PORT, proxy, self._tls), self._gateway, self._tls)
        except Refused as refused:
            reason = f"The gateway {self._gateway} cannot be reached: {refused.reason}"
            raise Refused(502 if refused.status != 503 else 503, reason, "UF") from None

    def _record(self, exchange: Exchange) -> None:
        print(access_line(exchange), file=self._log, flush=True)


def _not_ours(refused: Refused) -> Refused:
    """A refusal of the proxy's as we pass it on: a demand for credentials is for us and not for the agent."""
    return Refused(502, refused.reason, "UF") if refused.status == 407 else refused


def access_line(exchange: Exchange) -> str:
    """One connection in Envoy's default access log format. What a client sent is cut short and loses its quotes."""
    head = exchange.head
    headers = head.headers if head is not None else {}
    method = head.method if head is not None and head.method.isalpha() else "-"
    start = exchange.started.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return (
        f'[{start}] "{_field(method)} {exchange.target} HTTP/1.1" {exchange.status} {exchange.flags}'
        f" {exchange.up} {exchange.down} {exchange.seconds * 1000:.0f} -"
        f' "-" "{_field(headers.get("user-agent", "-"))}" "{_field(headers.get("x-request-id") or str(uuid.uuid4()))}"'
        f' "{exchange.target}" "{exchange.upstream or "-"}"'
    )


def _field(text: str) -> str:
    return "".join(char if " " <= char <= "~" and char != '"' else "?" for char in text[:FIELD_LIMIT])


def from_environment(env: Mapping[str, str]) -> tuple[ArcProxy, str, int]:
    """The proxy as the pod's environment describes it, and the address to listen on.

    Raises:
        ValueError: a variable is missing or means nothing; the message says which and what it should hold.
    """
    gateway = env.get("GATEWAY_ENDPOINT", "").strip().lower()
    if not gateway or "/" in gateway or ":" in gateway:
        raise ValueError("GATEWAY_ENDPOINT must hold the gateway's host name, like PREFIX.gw.arc.azure.com")
    port = env.get("LISTEN_PORT") or str(DEFAULT_PORT)
    if not port.isdigit():
        raise ValueError("LISTEN_PORT must be the number of a port")
    return ArcProxy(gateway, Route.of(env), trusted(env), sys.stdout), env.get("POD_IP") or "127.0.0.1", int(port)


async def main() -> None:
    """Run until told to stop."""
    proxy, address, port = from_environment(os.environ)
    async with listen(address, port, proxy.handle):
        await until_told_to_stop()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (ValueError, OSError) as error:
        sys.exit(f"arc-proxy cannot start: {error}")
