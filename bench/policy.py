"""Measures what the policy pack costs: a preview with it, with as many idle policies, and with none; and its growth.

The growth is of each rule alone, in this process, over the resources of all corpora.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.engine import QUIET, Run, clean_environment, pulumi
from sandbox.home import PATH_PREFIX
from sandbox.plugins.anything import AnyProvider, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from arc_policies.rule import Rule
    from arc_policies.tokens import Resource

ROOT = Path(__file__).resolve().parents[1]
PROJECT = Path(__file__).parent / "policy_project"
PACKAGES = ("azure-native", "command", "kubernetes")

#: What a preview runs with.
NONE, IDLE, PACK = "no pack", "idle policies", "the pack"
WITH = (NONE, IDLE, PACK)

#: How many times as long as with another the preview may take with the pack.
TARGETS: Mapping[str, float] = {IDLE: 1.15, NONE: 1.35}

#: How many resources a rule's growth is measured on, and by how much the cost of one may differ.
FEW, MANY = 500, 5000
GROWTH = 1.25


@dataclass
class Figures:
    """All runs, by what the preview ran with, and each rule's seconds for few resources and for many."""

    runs: dict[str, list[Run]] = field(default_factory=lambda: {one: [] for one in WITH})
    growth: dict[str, tuple[float, float]] = field(default_factory=dict)

    def seconds(self, case: str) -> float:
        """The median time."""
        return median(run.seconds for run in self.runs[case])

    def cpu_seconds(self, case: str) -> float:
        """The median CPU time."""
        return median(run.cpu_seconds for run in self.runs[case])

    def ratio(self, to: str) -> float:
        """The median time with the pack in that with something else."""
        return self.seconds(PACK) / self.seconds(to)

    def cpu_ratio(self, to: str) -> float:
        """Of the CPU time, which other work on the machine disturbs less."""
        return self.cpu_seconds(PACK) / self.cpu_seconds(to)

    def growth_of(self, rule: str) -> float:
        """What one resource of many costs in what one of few does; 1 is linear."""
        few, many = self.growth[rule]
        return (many / MANY) / (few / FEW)

    def plain(self) -> dict[str, Any]:
        """For programs to read."""
        return {
            "preview": {
                case: {
                    "seconds": self.seconds(case),
                    "cpuSeconds": self.cpu_seconds(case),
                    "ratio": self.ratio(case),
                    "cpuRatio": self.cpu_ratio(case),
                    "runs": [run.seconds for run in self.runs[case]],
                }
                for case in WITH
            },
            "growth": {
                rule: {"few": few, "many": many, "ratio": self.growth_of(rule)}
                for rule, (few, many) in self.growth.items()
            },
        }


class Policies:
    """The pack and its corpora, loaded when asked for: their folders are on no path of this project's."""

    def __init__(self) -> None:
        for folder in ("policy", "tests/policy"):
            if str(ROOT / folder) not in sys.path:
                sys.path.append(str(ROOT / folder))

    @cached_property
    def kinds(self) -> list[str]:
        """Of each policy, the name of its class."""
        return [type(policy).__name__ for policy in import_module("arc_policies.pack").POLICIES]

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        rules: tuple[Rule, ...] = import_module("arc_policies.pack").RULES
        return rules

    def resources(self, count: int) -> list[Resource]:
        """So many, of all types and forms that the corpora have, in turn."""
        resource = import_module("arc_policies.tokens").Resource
        proxied = import_module("pulumi_policy.proxy").unknown_checking_proxy
        cases = [
            case
            for corpus in import_module("policy_cases").corpora().values()
            for kind in ("REFUSED", "ADVISED", "PASSED")
            for case in getattr(corpus, kind, [])
        ]
        return [
            resource(case.type, f"r{number}", f"urn:pulumi:dev::b::{case.type}::r{number}", proxied(dict(case.props)))
            for number, case in ((number, cases[number % len(cases)]) for number in range(count))
        ]


def measure(
    folder: Path, resources: int, rounds: int, say: Callable[[str], None], *, checkpoints: bool = True
) -> Figures:
    """Preview with each in every round; they take turns, each round with another first.

    Args:
        folder: for the engine's state and the idle pack.
        resources: how many the stack has.
        rounds: how often.
        say: takes a line of progress.
        checkpoints: let the engine prepare its state after each resource, as it does unasked. Without, a preview does
            little else than what a pack adds to.
    """
    figures, policies = Figures(), Policies()
    packs = {
        NONE: (),
        IDLE: ("--policy-pack", str(_idle_pack(folder / "idle", policies.kinds))),
        PACK: ("--policy-pack", str(ROOT / "policy")),
    }
    with _engine(folder, resources) as variables:
        if not checkpoints:
            variables |= {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}
        pulumi(PROJECT, variables, "stack", "select", "--create", "bench")
        for number in range(rounds):
            turn = number % len(WITH)
            for case in (*WITH[turn:], *WITH[:turn]):
                command = ("preview", *packs[case], *QUIET, "--stack", "bench")
                figures.runs[case].append(pulumi(PROJECT, variables, *command))
            say(f"round {number + 1} of {rounds}")
    figures.growth = _growth(policies, rounds)
    return figures


@contextmanager
def _engine(folder: Path, resources: int) -> Iterator[dict[str, str]]:
    """The environment for `pulumi`, with providers that take anything."""
    state = folder / "state"
    state.mkdir(parents=True)
    clean = clean_environment()
    with serving([AnyProvider(name, {}) for name in PACKAGES]) as providers:
        yield {
            **clean,
            "PATH": ":".join([*map(str, PATH_PREFIX), clean["PATH"]]),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DEBUG_PROVIDERS": providers,
            "PULUMI_OPTION_CONFIG_FILE": str(folder / "stack.yaml"),
            "BENCH_RESOURCES": str(resources),
        }


_IDLE = '''\
"""As many policies as the pack has, which do nothing."""

import pulumi_policy

pulumi_policy.PolicyPack(
    "idle",
    [
        getattr(pulumi_policy, kind)(name=f"idle-{number}", description="Does nothing.", validate=lambda *_: None)
        for number, kind in enumerate(KINDS)
    ],
)
'''


def _idle_pack(folder: Path, kinds: Sequence[str]) -> Path:
    folder.mkdir(parents=True)
    options = {"toolchain": "pip", "virtualenv": str(ROOT / ".venv")}
    settings = {"name": "idle", "version": "0.1.0", "runtime": {"name": "python", "options": options}}
    (folder / "PulumiPolicy.yaml").write_text(json.dumps(settings))
    (folder / "__main__.py").write_text(_IDLE.replace("KINDS", repr(list(kinds))))
    return folder


def _growth(policies: Policies, rounds: int) -> dict[str, tuple[float, float]]:
    judging = import_module("arc_policies.rule")
    settings = import_module("arc_policies.settings").Settings()
    few, many = policies.resources(FEW), policies.resources(MANY)

    def seconds(rule: Rule, resources: Sequence[Resource]) -> float:
        began = time.process_time()
        for resource in resources:
            judging.findings((rule,), resource, settings)
        judging.stack_findings((rule,), resources, settings)
        return time.process_time() - began

    return {
        rule.name: (
            min(seconds(rule, few) for _ in range(rounds)),
            min(seconds(rule, many) for _ in range(max(1, rounds // 2))),
        )
        for rule in policies.rules
    }
