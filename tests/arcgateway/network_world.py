"""A small network on loopback: TLS servers, an enterprise proxy with all its bad habits, and a gateway."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import trustme
from aiohttp import web

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

NAMES = (
    "management.azure.com",
    "login.microsoftonline.com",
    "*.gw.arc.azure.com",
    "*.data.mcr.microsoft.com",
    "*.his.arc.azure.com",
    "*.login.microsoft.com",
    "*.obo.arc.azure.com",
    "mcr.microsoft.com",
    "*.vault.azure.net",
    "*.servicebus.windows.net",
    "localhost",
    "127.0.0.1",
)


class Network:
    """Servers on one event loop in a thread of its own.

    Attributes:
        genuine: the authority that signs the endpoints.
        inspector: the authority of a proxy that intercepts.
        asked: `HOST:PORT` of every CONNECT that the proxy read, and its Proxy-Authorization.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda *_: None)
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._servers: list[asyncio.Server] = []
        self.genuine = trustme.CA(organization_name="Genuine")
        self.inspector = trustme.CA(organization_name="Inspector")
        self.asked: list[tuple[str, str]] = []
        self.busy = self.busiest = 0

    def close(self) -> None:
        for server in self._servers:
            self._loop.call_soon_threadsafe(server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def context(self, authority: trustme.CA | None = None, *names: str, **more: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (authority or self.genuine).issue_cert(*(names or NAMES), **more).configure_cert(context)
        return context

    def serve(self, handler: Handler, tls: ssl.SSLContext | None = None) -> int:
        """Listen on a free port."""

        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
                await handler(reader, writer)
            writer.close()

        async def start() -> int:
            server = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=tls)
            self._servers.append(server)
            return int(server.sockets[0].getsockname()[1])

        return self._run(start())

    def azure(self, tls: ssl.SSLContext | None = None) -> int:
        """A server for the endpoints: it answers the handshake and waits."""

        async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)

        return self.serve(wait, tls or self.context())

    def web(self, tls: ssl.SSLContext, *, upgrades: int = 101) -> int:
        """A real web server: `ok` to all, and to who asks for a websocket one that echoes, or another status."""

        async def answer(request: web.Request) -> web.StreamResponse:
            if "Upgrade" not in request.headers:
                return web.Response(text="ok")
            if upgrades != 101:
                return web.Response(status=upgrades)
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            async for message in socket:
                await socket.send_str(message.data)
            return socket

        async def start() -> int:
            app = web.Application()
            app.router.add_get("/{path:.*}", answer)
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
            return int(runner.addresses[0][1])

        return self._run(start())

    def delayed(self, port: int, seconds: float) -> int:
        """Leads to another port, after a while."""

        async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(seconds)
            await _join(reader, writer, port)

        return self.serve(wait)

    def site(
        self, answer: Callable[[bytes], bytes | None], tls: ssl.SSLContext | None = None, keep: bool = True
    ) -> int:
        """A server for the endpoints that answers each request's head; None cuts the connection without farewell."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                said = answer(await reader.readuntil(b"\r\n\r\n"))
                if said is None:
                    writer.transport.abort()
                    return
                writer.write(said)
                await writer.drain()
                if not keep:
                    writer.transport.abort()
                    return
                if said.startswith(b"HTTP/1.1 101"):
                    if await reader.read(6) == b"\x89\x80\0\0\0\0":
                        writer.write(b"\x8a\0")
                    await reader.read(1)
                    return

        return self.serve(serve, tls or self.context())

    def gateway(self, azure: int, refuse: bytes | None = None) -> int:
        """TLS, inside it a CONNECT to the endpoints' server."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            if refuse is not None:
                writer.write(refuse)
                await writer.drain()
                return
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await _join(reader, writer, azure)

        return self.serve(answer, self.context())

    def proxy(
        self,
        route: Callable[[str, int], int | bytes | None],
        *,
        credentials: str | None = None,
        tls: ssl.SSLContext | None = None,
        delay: float = 0,
        idle: float = 60,
    ) -> int:
        """A forward proxy.

        Args:
            route: for a host and port the local port to join, an answer to give instead, or None to keep silent.
            credentials: `user:password` to ask for.
            tls: makes it a proxy that speaks TLS itself.
            delay: seconds before it answers.
            idle: seconds of silence after which it cuts a tunnel.
        """
        wanted = "Basic " + base64.b64encode(credentials.encode()).decode() if credentials else None

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            first = await reader.readexactly(1)
            if first == b"\x16":
                writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                return
            lines = (first + await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, target, _ = lines[0].split()
            if method != "CONNECT":
                target = target.removeprefix("http://").rstrip("/") + ":80"
            host, _, port = target.rpartition(":")
            given = next((line.split(": ", 1)[1] for line in lines if line.startswith("Proxy-Authorization")), "")
            self.asked.append((f"{host}:{port}", given))
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
            await asyncio.sleep(delay)
            self.busy -= 1
            if wanted and given != wanted:
                head = b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                writer.write(head + b'Proxy-Authenticate: Basic realm="x"\r\n\r\n')
                await writer.drain()
                return
            to = route(host, int(port))
            if to is None:
                await asyncio.sleep(30)
            elif isinstance(to, bytes):
                writer.write(to)
                await writer.drain()
            else:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await _join(reader, writer, to, idle)

        return self.serve(answer, tls)

    def _run(self, work: Coroutine[Any, Any, int]) -> int:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, idle: float = 60) -> None:
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            while data := await asyncio.wait_for(source.read(65536), idle):
                sink.write(data)
                await sink.drain()
        sink.close()

    await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))


@contextmanager
def network() -> Iterator[Network]:
    world = Network()
    try:
        yield world
    finally:
        world.close()
