"""Asks one server for many things over a fixed number of connections, and takes the times."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
from yarl import URL


@dataclass(frozen=True)
class Ask:
    """One request, and the status of its answer; `path` has the query, and is below the server's address."""

    method: str
    path: str
    body: bytes | None = None
    status: int = 200
    content_type: str = "application/json"


#: What each connection asks before anything is measured.
_FIRST = Ask("GET", "/metadata/endpoints?api-version=2022-09-01")

#: Requests that follow one another on a connection.
Script = Sequence[Ask]


@dataclass(frozen=True)
class Run:
    """What one run of scripts took: seconds for all, for each request, and of CPU of the server and of the asking."""

    seconds: float
    latencies: list[float]
    cpu_seconds: float
    own_cpu_seconds: float

    @property
    def cost(self) -> float:
        """CPU seconds of the server for a request."""
        return self.cpu_seconds / len(self.latencies)


def run(url: str, roots: Path, token: str, pid: int, scripts: Sequence[Script], connections: int) -> Run:
    """Work through scripts, each connection taking the next one when it is done with one.

    The connections are made, and have asked once, before anything is measured.

    Args:
        url: scheme and authority.
        roots: certificates that the server's is checked against.
        token: sent with every request.
        pid: the server's process, whose CPU time is taken.
        scripts: what to ask.
        connections: how many at a time.

    Raises:
        RuntimeError: an answer has another status than its request says.
    """
    return asyncio.run(_run(url, roots, token, pid, scripts, connections))


async def _run(url: str, roots: Path, token: str, pid: int, scripts: Sequence[Script], connections: int) -> Run:
    waiting = iter(scripts)
    latencies: list[float] = []
    server, here = psutil.Process(pid), psutil.Process()
    context = ssl.create_default_context(cafile=str(roots))
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, ssl=context),
        headers={"Authorization": f"Bearer {token}", "User-Agent": "bench"},
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:

        async def ask(one: Ask) -> None:
            address = URL(url + one.path, encoded=True)
            kind = {"Content-Type": one.content_type} if one.body else None
            async with session.request(one.method, address, data=one.body, headers=kind) as answer:
                text = await answer.read()
            if answer.status != one.status:
                raise RuntimeError(f"{one.method} {one.path} was answered {answer.status}: {text[:300]!r}")

        async def work() -> None:
            for script in waiting:
                for one in script:
                    began = time.perf_counter()
                    await ask(one)
                    latencies.append(time.perf_counter() - began)

        await asyncio.gather(*(ask(_FIRST) for _ in range(connections)))
        before, own, began = _cpu(server), _cpu(here), time.perf_counter()
        await asyncio.gather(*(work() for _ in range(connections)))
        return Run(time.perf_counter() - began, latencies, _cpu(server) - before, _cpu(here) - own)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
