"""Measures the CPU time of one association and one onboarding in the sandbox: of driver, `az`, helm and kubectl.

The driver is run as a stack's command runs it. The clusters are real, and what they and the local Azure use is not
counted: in life that is spent elsewhere.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.arm import Arm
from bench.engine import clean_environment
from sandbox import world
from sandbox.certificates import certificates
from sandbox.environment import environment
from sandbox.home import PROJECT, Home

#: CPU seconds that one association may take.
TARGET = 1.0

#: What is measured: by verb the cluster, and the verb that takes it back.
VERBS: Mapping[str, tuple[str, str]] = {
    "associate": (world.WEST, "disassociate"),
    "connect": (world.EAST, "disconnect"),
}

DRIVER = "driver"
PROGRAMS = ("az", "helm", "kubectl")

#: Writes down who was run by whom, and the CPU seconds of it and its children. It takes some itself, so what all parts
#: take together is measured without it.
_WRAPPER = """#!/bin/bash
TIMEFORMAT="{name} ${{BENCH_WITHIN:-driver}} %U %S"
export BENCH_WITHIN={name}
{{ time {program} "$@" 2>&3; }} 3>&2 2>>{log}
"""


@dataclass
class Figures:
    """By verb, for each run: CPU seconds of each part, without what it has started."""

    runs: dict[str, list[dict[str, float]]] = field(default_factory=lambda: {verb: [] for verb in VERBS})
    #: By verb, CPU seconds of all parts of each run.
    totals: dict[str, list[float]] = field(default_factory=lambda: {verb: [] for verb in VERBS})
    #: By verb, that of the first run, which makes the preflight that the others share.
    first: dict[str, float] = field(default_factory=dict)

    def part(self, verb: str, name: str) -> float:
        """The median of one part."""
        return median(run[name] for run in self.runs[verb])

    def total(self, verb: str) -> float:
        """The median of all parts together."""
        return median(self.totals[verb])

    def plain(self) -> dict[str, Any]:
        """For programs to read."""
        return {
            verb: {
                "cpuSeconds": self.total(verb),
                "parts": {name: self.part(verb, name) for name in (DRIVER, *PROGRAMS)},
                "withPreflight": self.first[verb],
            }
            for verb in VERBS
        }


def measure(home: Home, rounds: int, say: Callable[[str], None]) -> Figures:
    """Do and undo each verb in every round, and once before.

    Args:
        home: state of a sandbox, which is started, and stopped at the end.
        rounds: how often.
        say: takes a line of progress.
    """
    figures = Figures()
    with _sandbox(home) as (plain, counted):
        arm = Arm(home)
        arm.prepare()
        for number in range(rounds + 1):
            for verb, (cluster, back) in VERBS.items():
                settings = _settings(home, arm, cluster)
                total = _drive(plain | settings, verb)
                _drive(plain | settings, back)
                if number == 0:
                    figures.first[verb] = total
                    continue
                figures.totals[verb].append(total)
                figures.runs[verb].append(_parts(home, counted | settings, verb))
                _drive(plain | settings, back)
            say(f"round {number} of {rounds}")
    return figures


@contextmanager
def _sandbox(home: Home) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """A running sandbox; yields its environment, and one in which the clients are counted."""
    command = [sys.executable, "-m", "sandbox", "--home", str(home.root)]
    subprocess.run([*command, "up"], cwd=PROJECT, env=clean_environment(), stdout=subprocess.DEVNULL, check=True)
    try:
        variables = {**clean_environment(), **environment(home)}
        counted = home.folder("counted")
        for name in PROGRAMS:
            program = PROJECT / "sandbox/bin/az" if name == "az" else home.tool(name)
            text = _WRAPPER.format(name=name, program=shlex.quote(str(program)), log=shlex.quote(str(_log(home))))
            home.write(f"counted/{name}", text).chmod(0o755)
        yield variables, {**variables, "PATH": f"{counted}{os.pathsep}{variables['PATH']}"}
    finally:
        subprocess.run([*command, "down"], cwd=PROJECT, stdout=subprocess.DEVNULL, check=True)


def _settings(home: Home, arm: Arm, cluster: str) -> dict[str, str]:
    """What a stack's command would be given."""
    proxy = environment(home)["SANDBOX_PROXY_URL"]
    return {
        "ARC_SUBSCRIPTION_ID": home.identity.subscription_id,
        "ARC_RESOURCE_GROUP": world.RESOURCE_GROUP,
        "ARC_CLUSTER_NAME": cluster,
        "ARC_LOCATION": world.LOCATION,
        "ARC_KUBE_CONTEXT": cluster,
        "ARC_GATEWAY_ID": arm.gateway,
        "ARC_PROXY_HTTP": proxy,
        "ARC_PROXY_HTTPS": proxy,
        "ARC_PROXY_SKIP_RANGE": "10.96.0.0/16,10.97.0.0/16",
        "ARC_GENUINE_ROOTS": certificates(home).root.read_text(),
    }


def _parts(home: Home, variables: Mapping[str, str], verb: str) -> dict[str, float]:
    """CPU seconds by part of one run of the driver."""
    log = _log(home)
    log.write_text("")
    whole: dict[str, float] = defaultdict(float, {DRIVER: _drive(variables, verb)})
    started: dict[str, float] = defaultdict(float)
    for line in log.read_text().splitlines():
        name, within, user, system = line.split()
        seconds = float(user) + float(system)
        whole[name] += seconds
        started[within] += seconds
    return {name: whole[name] - started[name] for name in (DRIVER, *PROGRAMS)}


def _drive(variables: Mapping[str, str], verb: str) -> float:
    """CPU seconds of one run of the driver and all that it starts.

    Raises:
        RuntimeError: it failed.
    """
    with subprocess.Popen(
        [PROJECT / "bin/driver", verb],
        cwd=PROJECT,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"the driver's {verb} ended with {process.returncode}:\n{said}")
    return used.ru_utime + used.ru_stime


def _log(home: Home) -> Path:
    return home.root / "counted.log"
