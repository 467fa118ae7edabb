"""One connection to one endpoint, hop by hop: to the proxy, CONNECT, TLS, and a CONNECT inside that TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from arcgateway.answers import Answer, Trouble, parsed, refusal
from arcgateway.hops import Hops
from arcgateway.proxy import ProxyUrl
from arcgateway.resolver import Addresses, Resolver, Streams, connect
from arcgateway.trust import presented_chain, unverified

T = TypeVar("T")

_LARGEST_HEAD = 32_768
_CHUNK = 16_384

#: Seconds that an endpoint gets to answer what is asked besides: no verdict hangs on it.
GRACE = 0.5


class Tunnel:
    """A byte stream to an endpoint, direct or through a proxy, with any number of TLS layers on it.

    The layers are kept here and not left to asyncio's `start_tls`, which before Python 3.11.8 breaks when the handshake
    of a second layer fails, and that is what there is to be seen.
    """

    def __init__(self, streams: Streams) -> None:
        self._reader, self._writer = streams
        self._layers: list[_Layer] = []
        self._rest = b""
        #: What the proxy itself presented, where it speaks TLS, as DER.
        self.proxy_chain: list[bytes] = []

    @classmethod
    async def direct(cls, host: str, port: int, resolver: Resolver, hops: Hops) -> Tunnel:
        """A TCP connection to the endpoint itself."""
        with hops.timed("resolve"):
            try:
                addresses = await resolver.addresses(host, port)
            except socket.gaierror as error:
                raise Trouble("name-not-resolved", f"{host}: {error.strerror}") from None
        try:
            return await cls._to(addresses, hops)
        except OSError as error:
            raise Trouble("unreachable", f"{host}:{port}: {error.strerror or error}") from None

    @classmethod
    async def through(
        cls, proxy: ProxyUrl, host: str, port: int, proxy_tls: ssl.SSLContext, resolver: Resolver, hops: Hops
    ) -> Tunnel:
        """A CONNECT through the proxy; `proxy_tls` is for one that speaks TLS itself."""
        tunnel = await cls.to_proxy(proxy, proxy_tls, resolver, hops)
        try:
            with hops.timed("tunnel"):
                answer = await tunnel._connect_through(proxy, host, port, resolver)
        except BaseException:
            tunnel.close()
            raise
        if not 200 <= answer.status < 300:
            tunnel.close()
            raise refusal(answer, proxy)
        return tunnel

    @classmethod
    async def to_proxy(cls, proxy: ProxyUrl, proxy_tls: ssl.SSLContext, resolver: Resolver, hops: Hops) -> Tunnel:
        """A connection to the proxy, which is asked for nothing yet."""
        with hops.timed("resolve"):
            try:
                addresses = await resolver.addresses(proxy.host, proxy.port)
            except socket.gaierror as error:
                raise Trouble(
                    "proxy-unreachable", f"the name {proxy.host} does not resolve ({error.strerror})"
                ) from None
        try:
            tunnel = await cls._to(addresses, hops)
        except OSError as error:
            raise Trouble("proxy-unreachable", f"{proxy.authority}: {error.strerror or error}") from None
        try:
            if proxy.scheme == "https":
                with hops.timed("proxyTls"):
                    await tunnel._tls_to(proxy, proxy_tls)
        except BaseException:
            tunnel.close()
            raise
        return tunnel

    @classmethod
    async def _to(cls, addresses: Addresses, hops: Hops) -> Tunnel:
        with hops.timed("connect"):
            return cls(await connect(addresses))

    async def _tls_to(self, proxy: ProxyUrl, context: ssl.SSLContext) -> None:
        try:
            self.proxy_chain = presented_chain(await self.start_tls(proxy.host, context))
        except ssl.SSLCertVerificationError as error:
            raise Trouble("proxy-certificate-invalid", f"{proxy.authority}: {error.verify_message}") from None
        except Trouble as trouble:
            raise Trouble("proxy-speaks-no-tls", f"{proxy.authority}: {trouble.evidence}") from None

    async def _connect_through(self, proxy: ProxyUrl, host: str, port: int, resolver: Resolver) -> Answer:
        try:
            answer = await self.connect(host, port, proxy.authorization)
        except Trouble as trouble:
            await self.wrong_way(proxy, trouble, resolver)
            raise Trouble(trouble.cause, f"{proxy.authority}: {trouble.evidence}") from None
        if answer.status == 400:
            await self.wrong_way(proxy, refusal(answer, proxy), resolver)
        return answer

    async def wrong_way(self, proxy: ProxyUrl, trouble: Trouble, resolver: Resolver) -> None:
        """Say so where a plain request was sent to a port that speaks TLS: it is answered with none, or with a 400.

        Raises:
            Trouble: `proxy-speaks-tls`.
        """
        unanswered = not trouble.answered or trouble.cause == "proxy-refused"
        if proxy.scheme == "http" and unanswered and await _speaks_tls(proxy, resolver):
            raise Trouble("proxy-speaks-tls", f"{proxy.authority}: {trouble.evidence}") from None

    async def connect(self, host: str, port: int, authorization: str | None = None) -> Answer:
        """Ask for a tunnel to a further host and return the answer's head."""
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: arc-gateway-preflight\r\n"
        if authorization:
            head += f"Proxy-Authorization: {authorization}\r\n"
        return await self.ask(head.encode() + b"\r\n", "CONNECT")

    async def ask(self, request: bytes, name: str) -> Answer:
        """Send an HTTP request and return the answer's head; what comes after it is left to be read.

        Args:
            request: the request.
            name: what it is called when it fails.

        Raises:
            Trouble: `connection-reset` or `not-http`.
        """
        received = b""
        try:
            await self.write(request)
            while b"\r\n\r\n" not in received and len(received) < _LARGEST_HEAD:
                chunk = await self.read()
                if not chunk:
                    raise ConnectionResetError("closed")
                received += chunk
        except (OSError, ssl.SSLError) as error:
            said = received[:80].decode("latin-1").strip()
            # A TLS alert is ASCII too; what is meant for readers begins with a character that can be seen.
            plain = said.isascii() and said[:1].isprintable() and bool(said)
            detail = f"{error or type(error).__name__} during {name}" + (f" after {said!r}" if said else "")
            cause = "not-http" if plain and not said.startswith("HTTP/") else "connection-reset"
            raise Trouble(cause, detail, answered=plain) from None
        head, _, self._rest = received.partition(b"\r\n\r\n")
        return parsed(head)

    async def read(self) -> bytes:
        """What comes next; nothing where the other side has closed in the way that its protocol has for it.

        Raises:
            OSError: the connection is cut. Under TLS that is also an end without TLS's own farewell.
        """
        return await self._read(len(self._layers))

    async def write(self, data: bytes) -> None:
        """Send.

        Raises:
            OSError: the connection is cut.
        """
        await self._write(len(self._layers), data)

    async def start_tls(self, host: str, context: ssl.SSLContext) -> ssl.SSLObject:
        """Speak TLS to the endpoint from now on.

        Raises:
            ssl.SSLCertVerificationError: its chain or its name is not right.
            Trouble: the handshake failed otherwise.
        """
        below = len(self._layers)
        layer = _Layer.on(context, host)
        try:
            await self._drive(below, layer, layer.tls.do_handshake)
        except ssl.SSLCertVerificationError:
            raise
        except ssl.SSLError as error:
            raise Trouble("tls-failed", f"TLS handshake with {host}: {error.reason or error}") from None
        except OSError as error:
            raise Trouble("connection-reset", f"{type(error).__name__} during the TLS handshake with {host}") from None
        self._layers.append(layer)
        return layer.tls

    def close(self) -> None:
        """Drop the connection without waiting for the other side."""
        self._writer.transport.abort()

    async def _read(self, depth: int) -> bytes:
        if self._rest and depth == len(self._layers):
            rest, self._rest = self._rest, b""
            return rest
        if depth == 0:
            return await self._reader.read(_CHUNK)
        layer = self._layers[depth - 1]
        try:
            return await self._drive(depth - 1, layer, lambda: layer.tls.read(_CHUNK))
        except ssl.SSLZeroReturnError:
            return b""

    async def _write(self, depth: int, data: bytes) -> None:
        if depth == 0:
            self._writer.write(data)
            await self._writer.drain()
            return
        layer = self._layers[depth - 1]
        await self._drive(depth - 1, layer, lambda: layer.tls.write(data))

    async def _drive(self, below: int, layer: _Layer, step: Callable[[], T]) -> T:
        """Run one step of a TLS layer, with what it wants to read and write carried through the layers below."""
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                await self._flush(below, layer)
                received = await self._read(below)
                if not received:
                    raise ConnectionResetError("closed") from None
                layer.incoming.write(received)
                continue
            except ssl.SSLError:
                # The alert that says why goes out first: proxies log it.
                await self._flush(below, layer)
                raise
            await self._flush(below, layer)
            return done

    async def _flush(self, below: int, layer: _Layer) -> None:
        pending = layer.outgoing.read()
        if pending:
            await self._write(below, pending)


@dataclass(frozen=True)
class _Layer:
    tls: ssl.SSLObject
    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO

    @classmethod
    def on(cls, context: ssl.SSLContext, host: str) -> _Layer:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        return cls(context.wrap_bio(incoming, outgoing, server_hostname=host), incoming, outgoing)


async def _speaks_tls(proxy: ProxyUrl, resolver: Resolver) -> bool:
    try:
        tunnel = Tunnel(await connect(await resolver.addresses(proxy.host, proxy.port)))
    except OSError:
        return False
    try:
        await tunnel.start_tls(proxy.host, unverified())
    except Trouble:
        return False
    finally:
        tunnel.close()
    return True
