"""What a fleet costs beside one stack of the same size, on the real engine with the file backend.

The leaves do nothing, so what is measured is the engine, the partition and what runs around them; or each waits for a
set time, so what is measured is how well the time is used. No Azure and no cluster is needed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from bench.engine import clean_environment
from sandbox import plugin_choice
from sandbox.environment import environment
from sandbox.home import PROJECT, Home

PROGRAM = Path(__file__).parent / "fleet_project"

#: What the figures are held against.
TARGETS = {"speedup": 4.0, "growth": 1.2, "plan": 60.0, "efficiency": 0.85, "memory": 3 * 1024}

_SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
#: Seconds between two looks at memory: each reads some hundred processes, on the processors that are measured.
_SAMPLE = 2.0


@dataclass(frozen=True)
class Run:
    """One run of a verb.

    Attributes:
        seconds: until it ended.
        cpu_seconds: of it and all that it started.
        memory: the most that it and all that it started held at once, in MiB.
    """

    seconds: float
    cpu_seconds: float
    memory: float

    def plain(self) -> dict[str, float]:
        """For machines."""
        return {name: round(value, 1) for name, value in vars(self).items()}


@dataclass
class Fleet:
    """A fleet in a folder and a backend of its own.

    Attributes:
        folder: for all of it.
        home: gives the environment of the engine.
        clusters: how many there are.
        per_stack: how many a stack takes.
        parallel: stacks side by side.
        parallel_clusters: operations side by side in each.
        latency: seconds that each creation waits; None for no process.
        policy: whether the policy pack is there.
    """

    folder: Path
    home: Home
    clusters: int
    per_stack: int
    parallel: int
    parallel_clusters: int | None = None
    latency: float | None = None
    policy: bool = True

    def describe(self) -> None:
        """Write its file."""
        self.folder.mkdir(parents=True)
        (self.folder / "backend").mkdir()
        entries: dict[str, dict[str, Any]] = {
            f"cluster-{number:04}": {"stack": number // self.per_stack + 1} for number in range(self.clusters)
        }
        fleet = {
            "name": "bench",
            "clustersPerStack": max(self.per_stack, 1),
            "subscriptions": [_SUBSCRIPTION],
            "gateways": {"main": {"resourceGroup": "gateways", "location": "eastus"}},
            "rings": [{"name": "all", "gate": {"preflight": False, "connected": 0}}],
            "defaults": {
                "subscriptionId": _SUBSCRIPTION,
                "resourceGroup": "clusters",
                "location": "eastus",
                "ring": "all",
            },
            "clusters": entries,
            "preflight": {"mode": "off"},
        }
        (self.folder / "fleet.yaml").write_text(yaml.safe_dump(fleet, sort_keys=False))
        contexts = [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in entries]
        (self.folder / "kubeconfig").write_text(
            json.dumps({"apiVersion": "v1", "kind": "Config", "contexts": contexts, "clusters": [], "users": []})
        )

    def run(self, verb: str) -> tuple[Run, dict[str, Any]]:
        """Do a verb; returns what it cost, and its account.

        Raises:
            RuntimeError: it failed.
        """
        words = ["--parallel", str(self.parallel)]
        if verb == "up" and self.parallel_clusters:
            words += ["--parallel-clusters", str(self.parallel_clusters)]
        words += ["--policy-pack", str(PROJECT / "policy")] if self.policy else ["--no-policy"]
        argv = [sys.executable, "-m", "arcgateway", "fleet", verb, str(self.folder / "fleet.yaml"), "--json"]
        argv += ["--program", str(PROGRAM), "--work-dir", str(self.folder / "work"), *words]
        began = time.monotonic()
        with subprocess.Popen(
            argv, cwd=self.folder, env=self._env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.PIPE,
        ) as process, _sampled(process.pid) as peak:  # fmt: skip
            said: list[str] = []
            assert process.stderr is not None and process.stdout is not None
            errors = process.stderr
            reader = threading.Thread(target=lambda: said.extend(errors), daemon=True)
            reader.start()
            printed = process.stdout.read()
            reader.join()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"fleet {verb} ended with {process.returncode}:\n{printed}\n{''.join(said)}")
        run = Run(time.monotonic() - began, used.ru_utime + used.ru_stime, peak[0])
        return run, dict(json.loads(printed))

    def _env(self) -> Mapping[str, str]:
        more = {"BENCH_LATENCY": str(self.latency)} if self.latency else {}
        return {
            **clean_environment(),
            **environment(self.home),
            "PYTHONPATH": str(PROJECT),
            "PULUMI_BACKEND_URL": (self.folder / "backend").as_uri(),
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            **more,
        }


def measure(
    folder: Path, clusters: int, per_stack: int, parallel: int, say: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """The engine and the partition alone: many clusters as a fleet, a tenth of them as a fleet, all in one stack.

    Args:
        folder: for states.
        clusters: how many.
        per_stack: how many a stack of the fleet takes.
        parallel: stacks side by side.
        say: takes a line of progress.
    """
    home = _home(folder)
    found: dict[str, dict[str, float]] = {}
    fleet = Fleet(folder / "fleet", home, clusters, per_stack, parallel)
    tenth = Fleet(folder / "tenth", home, clusters // 10, per_stack, parallel)
    single = Fleet(folder / "single", home, clusters, clusters, 1)
    for name, one, verbs in (
        ("fleet", fleet, ("up", "plan")),
        ("tenth", tenth, ("up",)),
        ("single", single, ("up", "plan")),
    ):
        one.describe()
        for verb in verbs:
            run, account = one.run(verb)
            found[f"{name} {verb}"] = run.plain()
            done = sum(stack["clusters"]["done"] for stack in account["stacks"])
            if done != one.clusters:
                raise RuntimeError(f"{name} {verb}: {done} of {one.clusters} clusters were done")
            say(f"{name}: {verb} of {one.clusters} clusters {run.seconds:.1f} s, {run.cpu_seconds:.1f} s of CPU")
    return found


def efficiency(
    folder: Path, clusters: int, stacks: int, at_once: int, latency: float, say: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """How well time is used where each onboarding takes a set time, with the same number of them at once.

    Args:
        folder: for states.
        clusters: how many.
        stacks: how many the fleet has, all side by side.
        at_once: creations at once in all.
        latency: seconds for each.
        say: takes a line of progress.
    """
    home = _home(folder)
    ideal = clusters / at_once * latency
    found: dict[str, dict[str, float]] = {}
    for name, one in (
        ("fleet", Fleet(folder / "f", home, clusters, clusters // stacks, stacks, at_once // stacks, latency)),
        ("single", Fleet(folder / "s", home, clusters, clusters, 1, at_once, latency)),
    ):
        one.describe()
        run, _ = one.run("up")
        found[name] = {**run.plain(), "ideal": ideal, "efficiency": round(ideal / run.seconds, 3)}
        say(f"{name}: {clusters} clusters of {latency:.0f} s, {at_once} at once: {ideal / run.seconds:.2f} of the time")
    return found


def _home(folder: Path) -> Home:
    home = Home(folder / "home")
    plugin_choice.choose(home, "auto")
    return home


@contextmanager
def _sampled(pid: int) -> Iterator[list[float]]:
    """The most memory that a process and all below it hold, in MiB, shared pages counted once where that is known."""
    peak, ended = [0.0], threading.Event()

    def look() -> None:
        while not ended.wait(_SAMPLE):
            total = 0
            try:
                below = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for one in below:
                try:
                    full = one.memory_full_info()
                    total += getattr(full, "pss", full.rss)
                except psutil.Error:
                    continue
            peak[0] = max(peak[0], total / 2**20)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()
