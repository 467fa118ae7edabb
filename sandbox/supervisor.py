"""Starts the sandbox's services in order, restarts what dies, and takes all of them along when it ends.

Each child asks the kernel for a signal at its parent's death, so that not even a killed supervisor leaves one behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from sandbox.home import Home, port_is_free
from sandbox.service import Service, die_with

STATUS = "status.json"
LOCK = "supervisor.lock"

READY_POLL = 0.05  # seconds between two looks at a service that starts
START_LIMIT = 60.0  # seconds after which a service that is not ready counts as failed
STARTS = 3  # in a row without becoming ready, before giving up
GRACE = 4.0  # seconds from SIGTERM to SIGKILL

State = Literal["waiting", "starting", "ready", "failed", "stopped"]


class SandboxFailed(Exception):
    """A service could not be started; the message says which, why, and where its log is."""


class AlreadyRunning(Exception):
    """Another supervisor holds this sandbox."""


@dataclass
class Status:
    """What `sandbox status` shows of one service. `seconds` is the time from start to readiness."""

    state: State = "waiting"
    pid: int | None = None
    seconds: float | None = None
    restarts: int = 0


@dataclass
class _Running:
    service: Service
    status: Status = field(default_factory=Status)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    process: asyncio.subprocess.Process | None = None


@contextlib.contextmanager
def held(home: Home) -> Iterator[None]:
    """Hold the sandbox for the life of the block.

    Raises:
        AlreadyRunning: somebody else holds it.
    """
    with (home.root / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"a sandbox runs already in {home.root}") from None
        _write_pid(lock)
        yield


def holder(home: Home) -> int | None:
    """The process id of the supervisor that holds the sandbox now, or None."""
    with (home.root / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            return int(lock.read() or 0) or None
    return None


def _write_pid(lock: IO[str]) -> None:
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()


class Supervisor:
    """Runs services until told to stop.

    As a context manager it runs in a thread of its own and returns when all services are ready, which is what tests
    want; `run` does the same in the calling thread until a signal or `stop`.

    Args:
        home: the sandbox's state.
        services: what to run; names in `after` must be among them.
    """

    def __init__(self, home: Home, services: Sequence[Service]) -> None:
        self._home = home
        self._services = {service.name: service for service in services}
        self._running: dict[str, _Running] = {}
        self._failure: str | None = None
        self._stop: asyncio.Event | None = None
        self._all_ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Supervisor:
        self._thread = threading.Thread(target=self._in_thread, name="supervisor", daemon=True)
        self._thread.start()
        self._all_ready.wait()
        if self._failure:
            self._thread.join()
            raise SandboxFailed(self._failure)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        assert self._thread is not None
        self._thread.join()

    def stop(self) -> None:
        """Ask the services to end; from any thread."""
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)

    def run(self) -> None:
        """Run in this thread until SIGTERM, SIGINT or a service that cannot be kept alive.

        Raises:
            SandboxFailed: a service could not be started, or kept dying.
        """
        asyncio.run(self._main(signals=True))
        if self._failure:
            raise SandboxFailed(self._failure)

    def pid(self, name: str) -> int | None:
        """The process id of a service that runs, for tests that want to hurt it."""
        return self._running[name].status.pid

    def _in_thread(self) -> None:
        try:
            asyncio.run(self._main(signals=False))
        finally:
            self._all_ready.set()

    async def _main(self, *, signals: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        if signals:
            for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                self._loop.add_signal_handler(signum, self._stop.set)
        self._running = {name: _Running(service) for name, service in self._services.items()}
        tasks = [asyncio.create_task(self._keep(running)) for running in self._running.values()]
        ready = asyncio.create_task(self._wait_ready())
        try:
            await self._stop.wait()
        finally:
            for task in (*tasks, ready):
                task.cancel()
            await asyncio.gather(*tasks, ready, return_exceptions=True)
            await self._end_all()

    async def _wait_ready(self) -> None:
        await asyncio.gather(*(running.ready.wait() for running in self._running.values()))
        self._all_ready.set()

    async def _keep(self, running: _Running) -> None:
        for name in running.service.after:
            await self._running[name].ready.wait()
        failures = 0
        while failures < STARTS:
            try:
                became_ready = await self._start(running)
            except OSError as error:
                self._give_up(running, str(error))
                return
            if became_ready and running.process is not None:
                failures = 0
                await running.process.wait()
                running.ready.clear()
            failures += 1
            running.status.restarts += 1
            await asyncio.sleep(0.2 * failures)
        self._give_up(running, f"ended {STARTS} times before it was ready")

    def _give_up(self, running: _Running, why: str) -> None:
        name = running.service.name
        running.status.state = "failed"
        log = self._home.root / "logs" / f"{name}.log"
        tail = _last_lines(log)
        self._failure = f"service {name} {why}; its log is {log}" + (f" and ends:\n{tail}" if tail else "")
        self._publish()
        assert self._stop is not None
        self._stop.set()

    async def _start(self, running: _Running) -> bool:
        service = running.service
        busy = [name for name in service.ports if not port_is_free(self._home.port(name))]
        if busy:
            taken = ", ".join(f"{self._home.port(name)} ({name})" for name in busy)
            raise OSError(f"finds its port {taken} taken by another program: stop it, or run `make up` again")
        if service.prepare is not None:
            service.prepare()
        running.status.state = "starting"
        started = time.monotonic()
        with (self._home.folder("logs") / f"{service.name}.log").open("ab") as log:
            running.process = await asyncio.create_subprocess_exec(
                *service.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "SANDBOX_HOME": str(self._home.root), **service.env},
                preexec_fn=die_with(os.getpid(), signal.SIGTERM),
                start_new_session=True,  # a terminal's Ctrl-C is for the supervisor, which ends them in order
            )
        running.status.pid = running.process.pid
        self._publish()
        while running.process.returncode is None:
            if await asyncio.to_thread(service.ready):
                running.status.state = "ready"
                running.status.seconds = round(time.monotonic() - started, 2)
                running.ready.set()
                self._publish()
                return True
            if time.monotonic() - started > START_LIMIT:
                raise OSError(f"was not ready within {START_LIMIT:.0f} s")
            await asyncio.sleep(READY_POLL)
        return False

    async def _end_all(self) -> None:
        """End dependants before what they depend on, a level at a time."""
        left = dict(self._running)
        while left:
            needed = {name for running in left.values() for name in running.service.after}
            level = [running for name, running in left.items() if name not in needed] or list(left.values())
            await asyncio.gather(*(self._end(running) for running in level))
            left = {name: running for name, running in left.items() if running not in level}
        self._publish()

    async def _end(self, running: _Running) -> None:
        process = running.process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), GRACE)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if running.status.state != "failed":
            running.status.state = "stopped"

    def _publish(self) -> None:
        services = {name: vars(running.status) for name, running in self._running.items()}
        self._home.write(STATUS, json.dumps({"services": services, "failure": self._failure}, indent=2))


def _last_lines(log: Path, count: int = 5) -> str:
    try:
        with log.open(errors="replace") as file:
            return "".join(f"  {line}" for line in file.readlines()[-count:]).rstrip()
    except FileNotFoundError:
        return ""
