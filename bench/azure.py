"""Measures what a request costs the local Azure, when it holds few clusters and when it holds many.

Both are running at once and are asked in turns, so that what else the machine does falls on both alike. CPU time is
what counts: on a shared machine, requests a second say more of the others than of the server.
"""

from __future__ import annotations

import json
import random
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlencode

import psutil

from bench.arm import CLUSTERS, GROUPS, SETTINGS, Arm
from bench.load import Ask, Run, Script, run
from sandbox import azure
from sandbox.azure.store import Store
from sandbox.home import Home
from sandbox.supervisor import Supervisor

#: Numbers of clusters that are compared.
FEW, MANY = 100, 10_000
CONNECTIONS = 16

#: Requests a second on one core, seconds for 99 of 100, cost with many clusters in that with few, bytes of memory.
TARGETS = {"rate": 1500, "p99": 0.030, "ratio": 1.2, "memory": 200_000_000}

#: The cluster whose copies the others are.
_FIRST = "cluster-00000"


@dataclass(frozen=True)
class World:
    """A local Azure that holds clusters, all associated with one gateway.

    Attributes:
        arm: its client.
        pid: its process.
        operations: for each cluster the address of the operation that made it.
    """

    arm: Arm
    pid: int
    operations: Sequence[str]

    @property
    def clusters(self) -> int:
        """How many it holds, until a case adds some."""
        return len(self.operations)

    def memory(self) -> int:
        """Resident memory, in bytes."""
        return int(psutil.Process(self.pid).memory_info().rss)


#: What is asked of a world about one of its clusters, by its number.
Case = Callable[[World, int], Script]


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()


def _cluster(world: World, number: int) -> str:
    return f"{world.arm.cluster(_name(number))}?api-version={CLUSTERS}"


def _settings(world: World, number: int) -> str:
    return f"{world.arm.settings(world.arm.cluster(_name(number)))}?api-version={SETTINGS}"


def _list(world: World, number: int) -> str:
    return f"{world.arm.cluster('').rstrip('/')}?api-version={CLUSTERS}"


def _poll(world: World, number: int) -> str:
    return world.operations[number]


def _login(world: World, number: int) -> Ask:
    form = urlencode(world.arm.form).encode()
    return Ask("POST", world.arm.login, form, content_type="application/x-www-form-urlencoded")


def _onboarding(world: World, number: int) -> Script:
    """The requests of `az login` and `az connectedk8s connect --gateway-resource-id` for a new cluster, in order."""
    arm, name = world.arm, f"new-{uuid.uuid4().hex[:12]}"
    cluster, dataplane = f"{arm.cluster(name)}?api-version={CLUSTERS}", "api-version=2024-07-01-preview"
    providers = ("Kubernetes", "KubernetesConfiguration", "HybridCompute", "Kubernetes", "ExtendedLocation")
    return (
        _login(world, number),
        *(Ask("GET", f"{arm.subscription}/providers/Microsoft.{one}?api-version=2024-11-01") for one in providers),
        Ask("GET", cluster, status=404),
        Ask("HEAD", f"{arm.group}?api-version={GROUPS}", status=204),
        Ask("PUT", cluster, _CLUSTER, status=201),
        Ask("GET", _poll(world, number)),
        Ask("PUT", f"{arm.settings(arm.cluster(name))}?api-version={SETTINGS}", _json(arm.association)),
        Ask("GET", cluster),
        Ask("PUT", cluster, _CLUSTER),
        Ask("POST", f"/azure-arc-k8sagents/healthCheck?{dataplane}", b"{}"),
        Ask("POST", f"/azure-arc-k8sagents/GetHelmSettings?{dataplane}", _json({"id": arm.cluster(name)})),
        Ask("GET", cluster),
    )


#: A cluster as `az connectedk8s connect` puts it.
BODY: dict[str, Any] = {
    "location": "eastus",
    "identity": {"type": "SystemAssigned"},
    "tags": {},
    "properties": {
        "agentPublicKeyCertificate": "MIICCgKCAgEA" + "b" * 700,
        "distribution": "k3s",
        "infrastructure": "generic",
        "arcAgentProfile": {"agentAutoUpgrade": "Enabled"},
        "arcAgentryConfigurations": [
            {
                "feature": "proxy",
                "settings": {"https_proxy": "http://proxy.example:3128", "no_proxy": "10.0.0.0/8,.svc"},
                "protectedSettings": {"proxy_cert": "MIID" + "c" * 1200},
            }
        ],
        "gateway": {"enabled": True},
    },
}

_CLUSTER = _json(BODY)

CASES: Mapping[str, Case] = {
    "GET cluster": lambda world, number: (Ask("GET", _cluster(world, number)),),
    "GET settings": lambda world, number: (Ask("GET", _settings(world, number)),),
    "list of 100": lambda world, number: (Ask("GET", _list(world, number)),),
    "PUT cluster": lambda world, number: (Ask("PUT", _cluster(world, number), _CLUSTER),),
    "PATCH cluster": lambda world, number: (Ask("PATCH", _cluster(world, number), _json({"tags": {"site": "north"}})),),
    "PUT settings": lambda world, number: (Ask("PUT", _settings(world, number), _json(world.arm.association)),),
    "poll operation": lambda world, number: (Ask("GET", _poll(world, number)),),
    "token": lambda world, number: (_login(world, number),),
    "onboarding": _onboarding,
}


@dataclass
class Figures:
    """All runs, by case and number of clusters, and the memory that the servers had at the end."""

    cases: Sequence[str]
    memory: dict[int, int] = field(default_factory=dict)
    _runs: dict[tuple[str, int], list[Run]] = field(default_factory=dict)

    def add(self, case: str, size: int, made: Run) -> None:
        """Keep a run."""
        self._runs.setdefault((case, size), []).append(made)

    def runs(self, case: str, size: int) -> list[Run]:
        """The runs of one cell, in order."""
        return self._runs[case, size]

    def cost(self, case: str, size: int) -> float:
        """The median of CPU seconds for a request."""
        return median(one.cost for one in self.runs(case, size))

    def own_cost(self, case: str, size: int) -> float:
        """The median of CPU seconds that the asking took: where it nears a request's time, it is the limit."""
        return median(one.own_cpu_seconds / len(one.latencies) for one in self.runs(case, size))

    def rate(self, case: str, size: int) -> float:
        """The median of requests a second, by the clock."""
        return median(len(one.latencies) / one.seconds for one in self.runs(case, size))

    def percentile(self, case: str, size: int, hundredth: int) -> float:
        """Seconds within which so many of a hundred requests were answered."""
        return quantiles((time for one in self.runs(case, size) for time in one.latencies), n=100)[hundredth - 1]

    def ratio(self, case: str) -> float:
        """The cost with many clusters in that with few: the median over pairs of runs made in turn."""
        pairs = zip(self.runs(case, FEW), self.runs(case, MANY), strict=True)
        return median(many.cost / few.cost for few, many in pairs)

    def plain(self) -> dict[str, Any]:
        """All of it for programs to read; times in seconds, memory in bytes."""
        return {
            "memory": self.memory,
            "cases": {
                case: {
                    "ratio": self.ratio(case),
                    "clusters": {
                        size: {
                            "cpuSeconds": self.cost(case, size),
                            "rate": self.rate(case, size),
                            "p50": self.percentile(case, size, 50),
                            "p99": self.percentile(case, size, 99),
                            "ownCpuSeconds": self.own_cost(case, size),
                        }
                        for size in (FEW, MANY)
                    },
                }
                for case in self.cases
            },
        }


def measure(
    folder: Path,
    rounds: int,
    counts: Mapping[str, int],
    say: Callable[[str], None] = lambda line: None,
) -> Figures:
    """Ask every case with few clusters and with many, by turns, in every round.

    Args:
        folder: for the servers' state.
        rounds: how often.
        counts: cases of `CASES`, and how many requests each time, as near as scripts of several come to it.
        say: takes a line of progress.
    """
    figures = Figures(tuple(counts))
    chance = random.Random(1)  # noqa: S311 -- which clusters are asked about
    with ExitStack() as stack:
        # A process of its own: the asking must not wait for this one, nor be measured with it.
        asking = stack.enter_context(ProcessPoolExecutor(1, mp_context=get_context("spawn")))
        worlds = [stack.enter_context(filled(Home(folder / str(size)), size)) for size in (FEW, MANY)]
        say(f"filled with {FEW} and with {MANY} clusters")
        for number in range(rounds):
            for case, count in counts.items():
                for world in worlds if number % 2 else reversed(worlds):
                    figures.add(case, world.clusters, _round(asking, world, CASES[case], count, chance))
            say(f"round {number + 1} of {rounds}")
        figures.memory = {world.clusters: world.memory() for world in worlds}
    return figures


def _round(asking: Executor, world: World, case: Case, count: int, chance: random.Random) -> Run:
    arm, scripts = world.arm, [case(world, chance.randrange(world.clusters))]
    while len(scripts) * len(scripts[0]) < count:
        scripts.append(case(world, chance.randrange(world.clusters)))
    return asking.submit(run, arm.url, arm.roots, arm.token, world.pid, scripts, CONNECTIONS).result()


@contextmanager
def filled(home: Home, clusters: int) -> Iterator[World]:
    """A local Azure of its own that holds so many clusters: one made by requests, and copies of it."""
    with Supervisor(home, azure.services(home)) as supervisor:
        pid = supervisor.pid("azure")
        assert pid is not None, "what is ready has a process"
        arm = Arm(home)
        operation = _connect_first(arm)
        with closing(Store(home.folder("azure") / "azure.db")) as store, store.transaction():
            copies = tuple(_copy(store, arm, operation, map(_name, range(1, clusters))))
        yield World(arm, pid, (operation, *copies))


def _name(number: int) -> str:
    return _FIRST[:-5] + f"{number:05}"


def _connect_first(arm: Arm) -> str:
    """Connect one cluster by requests; gives the address of the operation that made it."""
    arm.prepare()
    arm.durations(cluster=0.01)
    made = arm.put(arm.cluster(_FIRST), CLUSTERS, BODY)
    operation = made.headers["Azure-AsyncOperation"].removeprefix(arm.url)
    while arm.get(operation)["status"] != "Succeeded":
        pass  # it takes the hundredth of a second that was set
    arm.durations(cluster=0)
    arm.put(arm.settings(arm.cluster(_FIRST)), SETTINGS, arm.association)
    return operation


def _copy(store: Store, arm: Arm, operation: str, names: Iterable[str]) -> Iterator[str]:
    """Copy the first cluster with all that hangs on it; gives the address of each copy's operation."""
    subscription, group = arm.subscription.rsplit("/", 1)[1], arm.group.rsplit("/", 1)[1]
    first, (path, query) = arm.cluster(_FIRST), operation.split("?")
    folder, made = path.rsplit("/", 1)
    patterns = [
        (identifier, scope, tracked, json.dumps(store.get(identifier)), _events(store, subscription, identifier))
        for identifier, scope, tracked in ((first, arm.group, True), (arm.settings(first), first, False))
    ]
    done = store.operation(made)
    assert done is not None, "the first cluster's operation is kept"
    for name in names:
        for identifier, scope, tracked, text, events in patterns:
            document, above = json.loads(text.replace(_FIRST, name)), scope.replace(_FIRST, name)
            store.put(document, subscription=subscription, group=group, scope=above, tracked=tracked)
            for at, event in events:
                resource = identifier.replace(_FIRST, name)
                store.add_event(at, subscription, group, resource, {**event, "resource": resource})
        copy = replace(done, id=str(uuid.uuid4()), resource=arm.cluster(name).lower())
        store.add_operation(copy)
        yield f"{folder}/{copy.id}?{query}"


def _events(store: Store, subscription: str, identifier: str) -> list[tuple[float, Any]]:
    return store.events(subscription, None, identifier, (0, sys.maxsize), sys.maxsize, 10)[0]
