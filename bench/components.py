"""Measures four programs that declare the same leaf resources, on the real engine.

The gateway and the clusters are in the local Azure already, associated as declared, so that the observer has something
to look at in every phase; and the driver is a stub that reports at once. So the programs differ in what they put
around the leaves alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.arm import CLUSTERS, SETTINGS, Arm
from bench.engine import QUIET, Run, clean_environment, pulumi
from sandbox import azure, plugin_choice
from sandbox.environment import environment
from sandbox.home import Home
from sandbox.supervisor import Supervisor

PROJECT = Path(__file__).parent / "project"

#: Names of programs in the project's folder, and of their stacks.
COMPONENTS, MEASURE, TYPICAL, LEAVES = "components", "bare_components", "typical_components", "bare_leaves"

#: How many times as long as `MEASURE` the components may take.
TARGET = 1.10

#: What is measured, in order: each phase is a command of `pulumi`.
PHASES: Mapping[str, tuple[str, ...]] = {
    "preview, all new": ("preview",),
    "up, all new": ("up", "--yes", "--skip-preview"),
    "preview, unchanged": ("preview", "--expect-no-changes"),
    "up, unchanged": ("up", "--yes", "--skip-preview", "--expect-no-changes"),
}


@dataclass
class Figures:
    """All runs, by phase and program."""

    programs: tuple[str, ...] = (COMPONENTS, MEASURE, TYPICAL, LEAVES)
    _runs: dict[tuple[str, str], list[Run]] = field(default_factory=dict)

    def add(self, phase: str, program: str, run: Run) -> None:
        """Keep a run."""
        self._runs.setdefault((phase, program), []).append(run)

    def runs(self, phase: str, program: str) -> list[Run]:
        """The runs of one cell, in order."""
        return self._runs[phase, program]

    def seconds(self, phase: str, program: str) -> float:
        """The median time."""
        return median(run.seconds for run in self.runs(phase, program))

    def cpu_seconds(self, phase: str, program: str) -> float:
        """The median CPU time."""
        return median(run.cpu_seconds for run in self.runs(phase, program))

    def ratio(self, phase: str, program: str, measure: str = MEASURE) -> float:
        """The median time in those of another program."""
        return self.seconds(phase, program) / self.seconds(phase, measure)

    def cpu_ratio(self, phase: str, program: str) -> float:
        """Of the CPU time in those of the measure: other work on the machine disturbs it less.

        That of the observer is not in it, as no process of Pulumi's waits for it.
        """
        return self.cpu_seconds(phase, program) / self.cpu_seconds(phase, MEASURE)


def measure(home: Home, clusters: int, rounds: int, say: Callable[[str], None]) -> Figures:
    """Run every phase of every program in every round. The programs take turns, each round with another first.

    Args:
        home: state of a sandbox, of which the local Azure alone is started.
        clusters: how many each program declares.
        rounds: how often.
        say: takes a line of progress.
    """
    figures = Figures()
    with _world(home, clusters) as variables:
        for program in figures.programs:
            pulumi(PROJECT, variables, "stack", "select", "--create", program)
        for number in range(rounds):
            turn = number % len(figures.programs)
            order = (*figures.programs[turn:], *figures.programs[:turn])
            for phase, command in PHASES.items():
                for program in order:
                    figures.add(phase, program, pulumi(PROJECT, variables, *command, *QUIET, "--stack", program))
            for program in order:
                pulumi(PROJECT, variables, "destroy", "--yes", "--skip-preview", *QUIET, "--stack", program)
            say(f"round {number + 1} of {rounds}")
    return figures


def leaves(home: Home, clusters: int, program: str) -> dict[str, Any]:
    """Inputs of a program's commands by name, as the state holds them once it is deployed."""
    with _world(home, clusters) as variables:
        pulumi(PROJECT, variables, "stack", "select", "--create", program)
        pulumi(PROJECT, variables, *PHASES["up, all new"], *QUIET, "--stack", program)
        state = home.root / "state.json"
        pulumi(PROJECT, variables, "stack", "export", "--stack", program, "--file", str(state))
    found = json.loads(state.read_text())["deployment"]["resources"]
    return {
        resource["urn"].rsplit("::", 1)[1]: resource["inputs"]
        for resource in found
        if resource["type"] == "command:local:Command"
    }


@contextmanager
def _world(home: Home, clusters: int) -> Iterator[dict[str, str]]:
    """A local Azure that holds the clusters; yields the environment for `pulumi`."""
    plugin_choice.choose(home, "auto")
    with Supervisor(home, azure.services(home)):
        _fill(home, clusters)
        yield {
            **clean_environment(),
            **environment(home),
            "ARCGATEWAY_PYTHON": str(PROJECT / "report"),
            "BENCH_CLUSTERS": str(clusters),
            "PULUMI_OPTION_CONFIG_FILE": str(home.write("stack.yaml", "")),
            "NO_PROXY": "*",  # the observer is to reach the local Azure, whatever proxy this machine has
        }


def _fill(home: Home, clusters: int) -> None:
    """Put the gateway and the clusters into the local Azure, associated and connected."""
    arm = Arm(home)
    arm.prepare()

    def connect(number: int) -> None:
        cluster = arm.cluster(f"cluster-{number:03}")
        properties = {"agentPublicKeyCertificate": "MIIB", "gateway": {"enabled": True}}
        body = {"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": properties}
        arm.put(cluster, CLUSTERS, body)
        arm.put(arm.settings(cluster), SETTINGS, arm.association)

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(connect, range(clusters)))
