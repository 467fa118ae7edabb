"""What all forward proxies of the sandbox do: read a CONNECT, have a connection opened, carry bytes.

Who uses it says where a CONNECT leads (`Open`) and what becomes of the figures (`Record`); limits and manners are here.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import responses
from typing import NamedTuple

CHUNK = 64 * 1024  # bytes read at once; a direction holds at most about five of these
HEAD_LIMIT = 30.0  # seconds from accepting a connection to the end of its request's head
TUNNEL_IDLE = 900.0  # seconds of silence after which a tunnel is closed
HALF_CLOSED_IDLE = 60.0  # the same once one side has finished sending
TLS_LINGER = 1.0  # the same where the end could not be passed on, as asyncio's TLS cannot be half closed
FLUSH_LIMIT = 30.0  # seconds that the last bytes may take to leave

#: A name that nobody has: the router's refusal of it, seen through a proxy, shows that the way out is open.
READINESS_HOST = "ready.sandbox.invalid"

AUTHORITY = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[A-Za-z0-9_][A-Za-z0-9._-]*)):(?P<port>[0-9]{1,5})")


class Refused(Exception):
    """A request that is answered with an error.

    Args:
        status: the HTTP status of the answer.
        reason: a sentence for its body; never with credentials.
        flags: Envoy's short name of the cause for access logs, `-` where there is none.
    """

    def __init__(self, status: int, reason: str, flags: str = "-") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.flags = flags


class Stream(NamedTuple):
    """One connection's two directions."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@dataclass(frozen=True)
class Head:
    """A request's first line and headers; header names are in lower case."""

    method: str
    target: str
    version: str
    headers: Mapping[str, str]


@dataclass
class Exchange:
    """What happened on one client's connection, for access logs.

    Attributes:
        client: address and port of who asked.
        head: the request, None where none could be read.
        status: the status answered.
        flags: as of `Refused`; `DC`, `UC` and `SI` where the client, the upstream or silence ended a tunnel.
        upstream: where the connection led to; "" where none was opened.
        up: bytes from the client to the upstream, inside the tunnel.
        down: bytes the other way.
        started: when the request had arrived, or the connection where none could be read.
        seconds: from `started` to the end.
    """

    client: str
    head: Head | None = None
    status: int = 0
    flags: str = "-"
    upstream: str = ""
    up: int = 0
    down: int = 0
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: float = 0.0

    @property
    def target(self) -> str:
        """`host:port` as asked for; `-` for what is no such thing, which may hold anything."""
        return self.head.target if self.head is not None and AUTHORITY.fullmatch(self.head.target) else "-"

    @property
    def is_look(self) -> bool:
        """Whether this was no client but a look at the proxy's readiness."""
        return self.target.startswith(f"{READINESS_HOST}:")


class Upstream(NamedTuple):
    """An opened connection and its name for logs."""

    stream: Stream
    name: str


#: Opens what a CONNECT asks for: the exchange so far, host in lower case, port. Raises `Refused` where it does not.
Open = Callable[[Exchange, str, int], Awaitable[Upstream]]
Record = Callable[[Exchange], None]


def authority(text: str) -> tuple[str, int]:
    """Host (lower case, without brackets and last dot) and port of a CONNECT's target.

    Raises:
        Refused: with 400, it is not `host:port`.
    """
    match = AUTHORITY.fullmatch(text)
    port = int(match["port"]) if match else 0
    if match is None or not 0 < port < 65_536:
        raise Refused(400, "The target of a CONNECT is HOST:PORT.")
    return (match["v6"] or match["host"]).lower().rstrip("."), port


def parse_head(raw: bytes) -> Head:
    """A request's head, up to and with its empty line.

    Raises:
        Refused: with 400, it is not HTTP/1.
    """
    first, *rest = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise Refused(400, "This is a proxy for HTTP/1.1, and the request was something else.")
    fields = (line.partition(":") for line in rest)
    return Head(parts[0], parts[1], parts[2], {name.strip().lower(): value.strip() for name, _, value in fields})


async def serve(client: Stream, open_upstream: Open, record: Record, idle: float = TUNNEL_IDLE) -> None:
    """Serve one client's connection to its end; one that closes without having asked leaves no record."""
    exchange = Exchange(client=_peer(client.writer))
    begun = time.monotonic()
    upstream: Upstream | None = None
    broken = False
    try:
        raw = await _read_head(client.reader)
        if not raw:
            return
        exchange.started, begun = datetime.now(UTC), time.monotonic()
        exchange.head = parse_head(raw)
        if exchange.head.method != "CONNECT":
            raise Refused(502, "This proxy carries CONNECT alone: ask for https, there is nothing behind it for http.")
        upstream = await open_upstream(exchange, *authority(exchange.head.target))
        exchange.status, exchange.upstream = 200, upstream.name
        client.writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await relay(client, upstream.stream, exchange, idle)
    except Refused as refused:
        exchange.status, exchange.flags = refused.status, refused.flags
        client.writer.write(_answer(refused))
    except OSError:  # the client went while it was being answered
        exchange.flags = "DC"
    except asyncio.CancelledError:
        broken = True
        raise
    finally:
        if exchange.head is not None or exchange.status:
            exchange.seconds = time.monotonic() - begun
            record(exchange)
        broken = broken or exchange.flags == "DC"
        await asyncio.gather(
            close(client.writer, abort=broken),
            *([close(upstream.stream.writer, abort=broken)] if upstream else []),
        )


async def relay(client: Stream, upstream: Stream, exchange: Exchange, idle: float = TUNNEL_IDLE) -> None:
    """Carry bytes both ways until both sides have finished, one breaks, or nothing moves for `idle` seconds.

    The end of one direction is passed on and the other goes on, where both sides can be half closed.
    """

    def count_up(size: int) -> None:
        exchange.up += size

    def count_down(size: int) -> None:
        exchange.down += size

    up = asyncio.create_task(_copy(client.reader, upstream.writer, count_up))
    down = asyncio.create_task(_copy(upstream.reader, client.writer, count_down))
    ends = {up: (client, upstream, "DC", "UC"), down: (upstream, client, "UC", "DC")}
    pending = {up, down}
    try:
        while pending:
            carried = exchange.up + exchange.down
            done, pending = await asyncio.wait(pending, timeout=idle, return_when=asyncio.FIRST_COMPLETED)
            if not done and carried == exchange.up + exchange.down:
                exchange.flags = "SI" if len(pending) == 2 else "-"
                return
            for task in done:
                source, sink, source_broke, sink_broke = ends[task]
                broken = task.result()
                if broken:
                    exchange.flags = source_broke if broken == "source" else sink_broke
                    return
                if not source.writer.can_write_eof():  # TLS: its end is the end of both directions
                    return
                idle = min(idle, HALF_CLOSED_IDLE if _pass_end(sink.writer) else TLS_LINGER)
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)


async def close(writer: asyncio.StreamWriter, *, abort: bool = False) -> None:
    """Send what is left and close; break off where told to, or where it takes too long."""
    if abort:
        writer.transport.abort()
    writer.close()
    try:
        async with asyncio.timeout(FLUSH_LIMIT):
            await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()
    except OSError:
        pass


@contextlib.asynccontextmanager
async def listen(
    host: str, port: int, handle: Callable[[Stream], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[asyncio.Server]:
    """Accept connections on an address and hand each to `handle`; those open at the end of the block are broken off."""
    connections: set[asyncio.Future[None]] = set()

    # Not a coroutine, whose task asyncio would make: before Python 3.12 that one is an error when it is cancelled.
    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.ensure_future(handle(Stream(reader, writer)))
        connections.add(connection)
        connection.add_done_callback(connections.discard)

    limits = {} if tls is None else {"ssl_handshake_timeout": HEAD_LIMIT}
    server = await asyncio.start_server(accepted, host, port, limit=CHUNK, backlog=512, ssl=tls, **limits)
    try:
        yield server
    finally:
        server.close()
        broken_off = [*connections]
        for connection in broken_off:
            connection.cancel()
        await asyncio.gather(*broken_off, return_exceptions=True)


async def until_told_to_stop() -> None:
    """Return at SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    await stop.wait()


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        async with asyncio.timeout(HEAD_LIMIT):
            return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise Refused(400, "The connection ended in the middle of the request.", "DC") from None
        return b""
    except asyncio.LimitOverrunError:
        raise Refused(431, f"The request's head is larger than {CHUNK} bytes.") from None
    except TimeoutError:
        raise Refused(408, f"No whole request arrived within {HEAD_LIMIT:.0f} seconds.") from None
    except OSError:
        return b""


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: Callable[[int], None]) -> str:
    """Copy to the end; the name of the side that broke, "" when it ended well."""
    while True:
        try:
            data = await reader.read(CHUNK)
        except OSError:
            return "source"
        if not data:
            return ""
        try:
            writer.write(data)
            await writer.drain()
        except OSError:
            return "sink"
        count(len(data))


def _pass_end(writer: asyncio.StreamWriter) -> bool:
    if not writer.can_write_eof():
        return False
    with contextlib.suppress(OSError):  # it has gone meanwhile, which its own direction will find
        writer.write_eof()
    return True


def _answer(refused: Refused) -> bytes:
    body = refused.reason.encode() + b"\n"
    lines = (
        f"HTTP/1.1 {refused.status} {responses.get(refused.status, 'Refused')}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _peer(writer: asyncio.StreamWriter) -> str:
    host, port = (writer.get_extra_info("peername") or ("-", 0))[:2]
    return f"{host}:{port}"
