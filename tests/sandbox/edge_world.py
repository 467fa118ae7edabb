"""A small world for tests of proxies: a TLS server in Azure's place, the edge process, and processes with an end."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from sandbox import gateway
from sandbox.certificates import certificates
from sandbox.home import PROJECT, Home
from sandbox.service import Service, listening

PREFIX = "11111111-2222-3333-4444-555555555555"
GATEWAY = f"{PREFIX}.gw.arc.azure.com"


@dataclass(frozen=True)
class World:
    home: Home

    @property
    def roots(self) -> str:
        return str(certificates(self.home).root)

    def proxy_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.home.port(name)}"

    def curl(self, proxy: str, *args: str, timeout: float = 20) -> subprocess.CompletedProcess[bytes]:
        """Run curl through a proxy, with the sandbox's root as the only one, and no variable of the caller's."""
        argv = ["curl", "-sS", "--max-time", str(timeout), "--cacert", self.roots, "-x", proxy, *args]
        return subprocess.run(argv, capture_output=True, timeout=timeout + 5, env={"PATH": os.environ["PATH"]})

    def gateway_log(self, target: str = "") -> list[dict[str, object]]:
        """The gateway's access log; of one target's connections where one is given."""
        text = (self.home.root / "logs" / gateway.ACCESS_LOG).read_text()
        lines: list[dict[str, object]] = [json.loads(line) for line in text.splitlines()]
        return [line for line in lines if not target or line["target"] == target]


def pattern(size: int) -> bytes:
    """Bytes in which a lost, doubled or moved piece shows."""
    block = b"".join(index.to_bytes(4, "big") for index in range(16_384))
    return (block * (size // len(block) + 1))[:size]


async def _hello(request: web.Request) -> web.Response:
    return web.Response(text=f"hello from {request.host}\n")


async def _big(request: web.Request) -> web.Response:
    return web.Response(body=pattern(int(request.query["size"])))


async def _digest(request: web.Request) -> web.Response:
    digest = hashlib.sha256()
    async for chunk in request.content.iter_chunked(65_536):
        digest.update(chunk)
    return web.Response(text=digest.hexdigest())


async def _serve(port: int, tls: ssl.SSLContext, ready: threading.Event, stop: asyncio.Event) -> None:
    app = web.Application(client_max_size=2**30)
    app.add_routes([web.get("/hello", _hello), web.get("/big", _big), web.post("/digest", _digest)])
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    ready.set()
    await stop.wait()
    await runner.cleanup()


@contextlib.contextmanager
def in_thread(main: Callable[[threading.Event, asyncio.Event], Awaitable[None]]) -> Iterator[None]:
    """Run a server's coroutine in a thread's loop from its readiness to the end of the block."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def body() -> None:
        await main(ready, stop)

    thread = threading.Thread(target=loop.run_until_complete, args=(body(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@contextlib.contextmanager
def running(home: Home, service: Service, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a service until it is ready, and end it by its id; its log begins anew, as ports in names come again."""
    if service.prepare:
        service.prepare()
    log = home.folder("logs") / f"{service.name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            service.argv,
            stdout=out,
            stderr=out,
            env={**os.environ, "SANDBOX_HOME": str(home.root), **service.env, **(env or {})},
        )
    try:
        deadline = time.monotonic() + 15
        while not service.ready():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


@contextlib.contextmanager
def world(root: Path) -> Iterator[World]:
    """Azure's stand-in and the edge, in a home of their own."""
    home = Home(root)
    files = certificates(home)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(files.chain, files.key)
    azure = home.port("azure")
    (edge,) = gateway.services(home)
    with in_thread(lambda ready, stop: _serve(azure, tls, ready, stop)), running(home, edge):
        yield World(home)


@contextlib.contextmanager
def image(home: Home, module: str, port: int, env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a pod's process, listening on a port, with nothing in its environment but what a pod has."""
    service = Service(name=f"{module}-{port}", argv=(sys.executable, "-m", module), ready=listening(port))
    pod = {"HTTPS_PROXY": "", "NO_PROXY": "", "https_proxy": "", "no_proxy": "", "PYTHONPATH": str(PROJECT)}
    with running(home, service, {**pod, **env}) as process:
        yield process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def serving(serves: contextlib.AbstractAsyncContextManager[asyncio.Server]) -> AsyncIterator[int]:
    """The port of an asyncio server, closed after."""
    async with serves as server:
        yield int(server.sockets[0].getsockname()[1])
