"""One connection to one endpoint, hop by hop: to the proxy, CONNECT, TLS, and a CONNECT inside that TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from arcgateway.proxy import ProxyUrl
from arcgateway.trust import unverified

T = TypeVar("T")

_LARGEST_HEAD = 32_768
_CHUNK = 16_384


class Trouble(Exception):
    """A hop failed.

    Attributes:
        cause: its name in the results, for example `denied-by-proxy`.
        evidence: what was seen.
        answered: whether the other side spoke the protocol that was expected of it, or another plain one.
    """

    def __init__(self, cause: str, evidence: str, *, answered: bool = True) -> None:
        super().__init__(f"{cause}: {evidence}")
        self.cause = cause
        self.evidence = evidence
        self.answered = answered


@dataclass(frozen=True)
class Answer:
    """The head of an HTTP answer; header names in lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.status} {self.reason}".strip()


class Tunnel:
    """A byte stream to an endpoint, direct or through a proxy, with any number of TLS layers on it.

    The layers are kept here and not left to asyncio's `start_tls`, which before Python 3.11.8 breaks when the handshake
    of a second layer fails, and that is what there is to be seen.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._layers: list[_Layer] = []

    @classmethod
    async def direct(cls, host: str, port: int) -> Tunnel:
        """A TCP connection to the endpoint itself."""
        try:
            return cls(*await asyncio.open_connection(host, port))
        except socket.gaierror as error:
            raise Trouble("name-not-resolved", f"{host}: {error.strerror}") from None
        except OSError as error:
            raise Trouble("unreachable", f"{host}:{port}: {error.strerror or error}") from None

    @classmethod
    async def through(cls, proxy: ProxyUrl, host: str, port: int, proxy_tls: ssl.SSLContext) -> Tunnel:
        """A CONNECT through the proxy; `proxy_tls` is for one that speaks TLS itself."""
        tunnel = await cls._to(proxy)
        try:
            if proxy.scheme == "https":
                await tunnel._tls_to(proxy, proxy_tls)
            answer = await tunnel._connect_through(proxy, host, port)
        except BaseException:
            tunnel.close()
            raise
        if not 200 <= answer.status < 300:
            tunnel.close()
            raise Trouble(_refusal(answer), _shown(answer))
        return tunnel

    @classmethod
    async def _to(cls, proxy: ProxyUrl) -> Tunnel:
        try:
            return cls(*await asyncio.open_connection(proxy.host, proxy.port))
        except socket.gaierror as error:
            raise Trouble("proxy-unreachable", f"the name {proxy.host} does not resolve ({error.strerror})") from None
        except OSError as error:
            raise Trouble("proxy-unreachable", f"{proxy.authority}: {error.strerror or error}") from None

    async def _tls_to(self, proxy: ProxyUrl, context: ssl.SSLContext) -> None:
        try:
            await self.start_tls(proxy.host, context)
        except ssl.SSLCertVerificationError as error:
            raise Trouble("proxy-certificate-invalid", f"{proxy.authority}: {error.verify_message}") from None
        except Trouble as trouble:
            raise Trouble("proxy-speaks-no-tls", f"{proxy.authority}: {trouble.evidence}") from None

    async def _connect_through(self, proxy: ProxyUrl, host: str, port: int) -> Answer:
        try:
            return await self.connect(host, port, proxy.authorization)
        except Trouble as trouble:
            wrong_way = proxy.scheme == "http" and not trouble.answered and await _speaks_tls(proxy)
            cause = "proxy-speaks-tls" if wrong_way else trouble.cause
            raise Trouble(cause, f"{proxy.authority}: {trouble.evidence}") from None

    async def connect(self, host: str, port: int, authorization: str | None = None) -> Answer:
        """Ask for a tunnel to a further host and return the answer's head."""
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: arc-gateway-preflight\r\n"
        if authorization:
            head += f"Proxy-Authorization: {authorization}\r\n"
        received = b""
        try:
            await self._write(len(self._layers), head.encode() + b"\r\n")
            while b"\r\n\r\n" not in received and len(received) < _LARGEST_HEAD:
                chunk = await self._read(len(self._layers))
                if not chunk:
                    raise ConnectionResetError("closed")
                received += chunk
        except (OSError, ssl.SSLError) as error:
            said = received[:80].decode("latin-1").strip()
            detail = f"{error or type(error).__name__} during CONNECT" + (f" after {said!r}" if said else "")
            plain = bool(said) and said.isascii()
            raise Trouble("connection-reset", detail, answered=plain) from None
        return _parsed(received)

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


async def _speaks_tls(proxy: ProxyUrl) -> bool:
    try:
        _, writer = await asyncio.open_connection(proxy.host, proxy.port, ssl=unverified())
    except OSError:
        return False
    writer.transport.abort()
    return True


def _parsed(head: bytes) -> Answer:
    lines = head.decode("latin-1").split("\r\n")
    version, _, rest = lines[0].partition(" ")
    status, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/") or not status.isdigit():
        raise Trouble("not-http", f"answered {lines[0][:80]!r}")
    pairs = (line.split(":", 1) for line in lines[1:] if ":" in line)
    return Answer(int(status), reason, {name.strip().lower(): value.strip() for name, value in pairs})


def _refusal(answer: Answer) -> str:
    squid = answer.headers.get("x-squid-error", "")
    if answer.status == 407:
        return "proxy-auth-required"
    if answer.status in (401, 403, 451):
        return "denied-by-proxy"
    if squid.startswith("ERR_DNS_FAIL"):
        return "name-not-resolved"
    if answer.status == 504:
        return "timed-out"
    if answer.status in (500, 502, 503):
        return "unreachable"
    return "proxy-refused"


def _shown(answer: Answer) -> str:
    details = [f"the proxy answered {answer}"]
    for name in ("proxy-authenticate", "x-squid-error", "server", "via"):
        if name in answer.headers:
            details.append(f"{name}: {answer.headers[name][:120]}")
    return "; ".join(details)
