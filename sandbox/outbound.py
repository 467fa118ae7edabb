"""How the sandbox's proxies and pods open connections: directly, or by way of an enterprise proxy.

Names of Services come from the node's file (SANDBOX_HOSTS), since the sandbox's clusters have no DNS.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sandbox.forward_proxy import CHUNK, Refused, Stream, close

CONNECT_LIMIT = 10.0  # seconds to a TCP connection
HANDSHAKE_LIMIT = 15.0  # seconds for a TLS handshake
ANSWER_LIMIT = 30.0  # seconds from a CONNECT to its answer
REASON_LIMIT = 2048  # bytes of a refusal's body that are passed on

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Proxy:
    """An enterprise proxy.

    Attributes:
        tls: whether it speaks TLS itself (an https:// URL).
        authorization: value of the Proxy-Authorization header, a secret; "" without credentials.
    """

    host: str
    port: int
    tls: bool = False
    authorization: str = field(default="", repr=False)

    @classmethod
    def of(cls, url: str) -> Proxy:
        """The proxy that a URL names, as HTTPS_PROXY holds it.

        Raises:
            ValueError: it is no http:// or https:// URL with a host; the message holds none of it.
        """
        parts = urlsplit(url if "://" in url else f"http://{url}")
        try:
            port = parts.port
        except ValueError:
            raise ValueError("the port in the proxy's URL is not a number up to 65535") from None
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise ValueError("the proxy's URL is not http://HOST:PORT or https://HOST:PORT")
        authorization = ""
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = "Basic " + base64.b64encode(pair.encode()).decode()
        return cls(parts.hostname, port or DEFAULT_PORTS[parts.scheme], parts.scheme == "https", authorization)


@dataclass(frozen=True)
class Route:
    """How an environment wants connections to be made: HTTPS_PROXY and NO_PROXY, either case."""

    proxy: Proxy | None
    no_proxy: str = ""

    @classmethod
    def of(cls, env: Mapping[str, str]) -> Route:
        """What an environment says.

        Raises:
            ValueError: HTTPS_PROXY is no URL of a proxy.
        """
        url = env.get("HTTPS_PROXY") or env.get("https_proxy")
        return cls(Proxy.of(url) if url else None, env.get("NO_PROXY") or env.get("no_proxy") or "")

    def proxy_for(self, host: str, port: int) -> Proxy | None:
        """The proxy that a connection to there goes through, None for a direct one."""
        return None if bypasses(self.no_proxy, host, port) else self.proxy


def bypasses(no_proxy: str, host: str, port: int) -> bool:
    """Whether NO_PROXY names a host, read as Go reads it (the agents are written in Go).

    `name` matches itself and what is below it, `.name` only what is below, an address itself, a range what is in it;
    `:port` at the end narrows an entry, `*` matches everything.
    """
    return any(_matches(entry.strip().lower(), host, port) for entry in no_proxy.split(",") if entry.strip())


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    address = _address(host)
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    if _address(entry.strip("[]")) is None:
        name, colon, narrowed = entry.rpartition(":")
        if colon and narrowed.isdigit():
            if int(narrowed) != port:
                return False
            entry = name
    entry = entry.strip("[]").removeprefix("*")
    if address is not None:
        return _address(entry) == address
    return host.endswith(entry) if entry.startswith(".") else host == entry or host.endswith(f".{entry}")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


async def connect(host: str, port: int) -> Stream:
    """A TCP connection.

    Raises:
        Refused: with 503, none could be made.
    """
    try:
        async with asyncio.timeout(CONNECT_LIMIT):
            return Stream(*await asyncio.open_connection(_service_addresses().get(host, host), port, limit=CHUNK))
    except OSError as error:  # TimeoutError and failed look-ups are kinds of it
        told = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        why = told or f"no answer within {CONNECT_LIMIT:.0f} s"
        raise Refused(503, f"No connection to {host}:{port}: {why}.", "UF") from None


def _service_addresses() -> dict[str, str]:
    path = os.environ.get("SANDBOX_HOSTS")
    try:
        return dict(json.loads(Path(path).read_text())) if path else {}
    except (FileNotFoundError, ValueError):
        return {}


def trusted(env: Mapping[str, str]) -> ssl.SSLContext:
    """Verifies servers, and a proxy that speaks TLS: by SSL_CERT_FILE, and by PROXY_CERT_FILE besides.

    Raises:
        OSError: one of the files cannot be read, or holds no certificate.
    """
    context = ssl.create_default_context(cafile=env.get("SSL_CERT_FILE") or None)
    if proxy_root := env.get("PROXY_CERT_FILE"):
        context.load_verify_locations(cafile=proxy_root)
    return context


async def dial(host: str, port: int, proxy: Proxy | None, tls: ssl.SSLContext | None = None) -> Stream:
    """A connection to a host, through a proxy where one is given; `tls` verifies a proxy that speaks TLS.

    Raises:
        Refused: it could not be had: 503 where somebody was not there, else the status of the proxy's refusal.
    """
    if proxy is None:
        return await connect(host, port)
    stream = await connect(proxy.host, proxy.port)
    if proxy.tls:
        stream = await secure(stream, proxy.host, tls or ssl.create_default_context())
    return await tunnel(stream, host, port, f"the proxy {proxy.host}:{proxy.port}", proxy.authorization)


async def secure(stream: Stream, name: str, context: ssl.SSLContext) -> Stream:
    """Begin TLS inside a connection, the certificate verified as being `name`'s.

    Raises:
        Refused: with 503, the handshake failed; the connection is closed.
    """
    try:
        await stream.writer.start_tls(context, server_hostname=name, ssl_handshake_timeout=HANDSHAKE_LIMIT)
    except OSError as error:
        await close(stream.writer, abort=True)
        why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.strerror
        raise Refused(503, f"No TLS with {name}: {why or 'the connection was closed'}.", "UF") from None
    return stream


async def tunnel(stream: Stream, host: str, port: int, who: str, authorization: str = "") -> Stream:
    """Ask the proxy at the other end of a connection for a CONNECT.

    Raises:
        Refused: with the proxy's status, or 503 where it gave no answer; the connection is closed.
    """
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = f"Proxy-Authorization: {authorization}\r\n" if authorization else ""
    try:
        async with asyncio.timeout(ANSWER_LIMIT):
            stream.writer.write(f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n{headers}\r\n".encode())
            await stream.writer.drain()
            head = (await stream.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            version, _, rest = head.partition(" ")
            status = int(rest[:3]) if version.startswith("HTTP/1.") and rest[:3].isdigit() else 502
            if 200 <= status < 300:
                return stream
            reason = await _body(stream.reader, head)
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        await close(stream.writer, abort=True)
        raise Refused(503, f"No answer from {who} to a CONNECT to {name}.", "UF") from None
    await close(stream.writer, abort=True)
    raise Refused(status, f"{who} answered {status} to a CONNECT to {name}{reason and f': {reason}'}")


async def _body(reader: asyncio.StreamReader, head: str) -> str:
    """The first line of a refusal's body where it is plain text; pages in HTML say nothing that the status does not."""
    if "content-type: text/plain" not in head.lower():
        return ""
    try:
        async with asyncio.timeout(2):
            return (await reader.read(REASON_LIMIT)).decode(errors="replace").partition("\n")[0].strip()
    except OSError:
        return ""
