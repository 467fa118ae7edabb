"""Measures what a place of state costs: the same stacks in a folder, in Azure Blob and in S3, and several side by side.

The providers are this process, so that the engine and its state are what is measured. The servers run on this machine
and share its processors; what a real one adds is the way to it, so the same is measured over a way that takes its time.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

import yaml

from bench.engine import QUIET, Run, clean_environment, pulumi
from bench.policy import PACKAGES, PROJECT, ROOT
from sandbox import state_backends
from sandbox.home import PATH_PREFIX, Home
from sandbox.plugins.anything import AnyProvider, serving
from sandbox.state_backends import BACKENDS, Backend
from sandbox.supervisor import Supervisor

FILE = "file"
#: How many resources a stack has.
SIZES = (10, 50, 100)

#: What is measured, in order.
PHASES: Mapping[str, tuple[str, ...]] = {
    "preview, all new": ("preview",),
    "up, all new": ("up", "--yes", "--skip-preview"),
    "up, unchanged": ("up", "--yes", "--skip-preview", "--expect-no-changes"),
}

#: How many stacks are deployed side by side, and the size of each.
STACKS, SIZE = 4, 50

#: A request in the log of either server, with its method.
_REQUEST = re.compile(r'"(?:\x1b\[[\d;]*m)*(GET|HEAD|PUT|POST|DELETE) /')

Cell = tuple[str, int, str]


@dataclass
class Figures:
    """All runs, by backend, size and phase."""

    backends: tuple[str, ...]
    sizes: tuple[int, ...]
    runs: dict[Cell, list[Run]] = field(default_factory=dict)
    #: How many requests the server got.
    requests: dict[Cell, int] = field(default_factory=dict)
    #: By backend: seconds for the stacks one after the other, and side by side.
    stacks: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)

    def seconds(self, backend: str, size: int, phase: str) -> float:
        """The median time."""
        return median(run.seconds for run in self.runs[backend, size, phase])

    def cpu_seconds(self, backend: str, size: int, phase: str) -> float:
        """The median CPU time of `pulumi` and its children, the server's not among it."""
        return median(run.cpu_seconds for run in self.runs[backend, size, phase])

    def ratio(self, backend: str, size: int, phase: str) -> float:
        """The median time in that of the same in a folder."""
        return self.seconds(backend, size, phase) / self.seconds(FILE, size, phase)

    def gain(self, backend: str) -> float:
        """How many times as fast the stacks are side by side as one after the other."""
        alone, together = self.stacks[backend]
        return median(alone) / median(together)

    def plain(self) -> dict[str, Any]:
        """For programs to read."""
        return {
            backend: {
                "sizes": {
                    size: {
                        phase: {
                            "seconds": self.seconds(backend, size, phase),
                            "cpuSeconds": self.cpu_seconds(backend, size, phase),
                            "ratio": self.ratio(backend, size, phase),
                            "requests": self.requests[backend, size, phase],
                        }
                        for phase in PHASES
                    }
                    for size in self.sizes
                },
                "stacks": {
                    "oneAfterTheOther": median(self.stacks[backend][0]),
                    "sideBySide": median(self.stacks[backend][1]),
                    "gain": self.gain(backend),
                },
            }
            for backend in self.backends
        }


def measure(
    folder: Path,
    rounds: int,
    say: Callable[[str], None],
    *,
    sizes: Sequence[int] = SIZES,
    latency: float = 0.0,
    stacks: tuple[int, int] = (STACKS, SIZE),
) -> Figures:
    """Run every phase in every backend that can be had; they take turns in each round.

    Args:
        folder: for all that is kept.
        rounds: how often.
        say: takes a line of progress; also told what cannot be had.
        sizes: of the stacks.
        latency: seconds that the way to a server and back takes, besides what it takes anyway.
        stacks: how many are deployed side by side, and the size of each.
    """
    home = Home(folder)
    lacking = {name: state_backends.missing(home, name) for name in BACKENDS}
    for name, why in lacking.items():
        if why:
            say(f"{name} is left out: {why}")
    _project(home)
    figures = Figures(tuple(name for name, why in lacking.items() if not why), tuple(sizes))
    with ExitStack() as stack:
        made = {name: BACKENDS[name](home) for name in figures.backends}
        stack.enter_context(Supervisor(home, [service for one in made.values() for service in one.services]))
        variables = stack.enter_context(_engine(home))
        places = {name: stack.enter_context(_place(one, variables, latency)) for name, one in made.items()}
        for number in range(rounds):
            turn = number % len(figures.backends)
            for backend in (*figures.backends[turn:], *figures.backends[:turn]):
                for size in sizes:
                    _phases(figures, home, backend, size, places[backend])
                _stacks(figures, home, backend, places[backend], *stacks)
            say(f"round {number + 1} of {rounds}")
    return figures


def _phases(figures: Figures, home: Home, backend: str, size: int, variables: Mapping[str, str]) -> None:
    with _stack(home, f"alone-{size}", size, variables) as run:
        for phase, command in PHASES.items():
            before = _requests(home)
            figures.runs.setdefault((backend, size, phase), []).append(run(*command))
            figures.requests[backend, size, phase] = _requests(home) - before


def _stacks(figures: Figures, home: Home, backend: str, variables: Mapping[str, str], count: int, size: int) -> None:
    times = figures.stacks.setdefault(backend, ([], []))
    for kept, workers in zip(times, (1, count), strict=True):
        with ExitStack() as stack, ThreadPoolExecutor(workers) as pool:
            runs = [stack.enter_context(_stack(home, f"one-of-{n}", size, variables)) for n in range(count)]
            began = monotonic()
            list(pool.map(lambda run: run(*PHASES["up, all new"]), runs))
            kept.append(monotonic() - began)


@contextmanager
def _stack(home: Home, name: str, size: int, variables: Mapping[str, str]) -> Iterator[Callable[..., Run]]:
    """A stack that is new, and gone at the end; yields what runs a command on it."""
    own, project = {**variables, "BENCH_RESOURCES": str(size)}, home.root / "project"
    pulumi(project, own, "stack", "init", name, "--non-interactive")
    yield lambda *command: pulumi(project, own, *command, *QUIET, "--stack", name)
    pulumi(project, own, "destroy", "--yes", "--skip-preview", "--remove", *QUIET, "--stack", name)


@contextmanager
def _engine(home: Home) -> Iterator[dict[str, str]]:
    """The environment for `pulumi`, with providers that take anything, but for the place of its state."""
    clean = clean_environment()
    with serving([AnyProvider(name, {}) for name in PACKAGES]) as providers:
        yield {
            **clean,
            "PATH": ":".join([*map(str, PATH_PREFIX), clean["PATH"]]),
            "PULUMI_HOME": str(home.folder("pulumi")),
            "PULUMI_CONFIG_PASSPHRASE": "bench",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DEBUG_PROVIDERS": providers,
            "NO_PROXY": "127.0.0.1,localhost",
        }


def _project(home: Home) -> None:
    """Copy the program that is deployed: `stack init` writes a file for each stack beside it, whatever it is told."""
    settings = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())
    settings["runtime"]["options"]["virtualenv"] = str(ROOT / ".venv")
    home.write("project/Pulumi.yaml", yaml.safe_dump(settings))
    home.write("project/__main__.py", (PROJECT / "__main__.py").read_text())


@contextmanager
def _place(backend: Backend, variables: Mapping[str, str], latency: float) -> Iterator[dict[str, str]]:
    """The whole environment, with the way to the server as long as it is to be."""
    backend.prepare()
    own = backend.variables()
    with ExitStack() as stack:
        for service in backend.services if latency else ():
            port = backend.home.port(service.ports[0])
            road = stack.enter_context(_road(port, latency))
            own = {name: value.replace(f"127.0.0.1:{port}", f"127.0.0.1:{road}") for name, value in own.items()}
        yield {**variables, **own}


@contextmanager
def _road(target: int, latency: float) -> Iterator[int]:
    """A port that leads to another one, each way taking half of the time, however much is on it."""
    loop = asyncio.new_event_loop()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 18):
                loop.call_later(latency / 2, writer.write, data)
        loop.call_later(latency / 2, writer.close)

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(carry(reader, back), carry(there, writer))

    server = loop.run_until_complete(asyncio.start_server(take, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _requests(home: Home) -> int:
    """How many requests the servers have got."""
    return sum(len(_REQUEST.findall(log.read_text())) for log in (home.root / "logs").glob("*.log"))
