"""Runs of the real engine with the policy pack, and what they said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from arc_policies.pack import POLICIES
from pulumi_policy import Policy

PROJECT = Path(__file__).resolve().parents[2]
PACK = PROJECT / "policy"
TOOLS = ("pulumi", "pulumi-language-python", "pulumi-language-yaml")
LIMIT = 240  # seconds

#: The runtime of a Python program in a folder elsewhere.
PYTHON = {"name": "python", "options": {"toolchain": "pip", "virtualenv": str(PROJECT / ".venv")}}

_ANALYSED = "policyAnalyzeSummaryEvent"

PREVIEW = ("preview",)
UP = ("up", "--yes", "--skip-preview")


@dataclass(frozen=True)
class Said:
    """One report of a policy.

    Attributes:
        policy: its name.
        mandatory: whether it refuses.
        urn, message: of what, and what a person reads.
    """

    policy: str
    mandatory: bool
    urn: str
    message: str

    @property
    def name(self) -> str:
        """The resource's."""
        return self.urn.rpartition("::")[2]


@dataclass(frozen=True)
class Run:
    """One command.

    Attributes:
        code: its exit code.
        text: what a terminal shows.
        events: what the engine did, as it logs it.
    """

    code: int
    text: str
    events: Sequence[Mapping[str, Any]]

    @cached_property
    def said(self) -> list[Said]:
        """What the pack reported."""
        found = [event["policyEvent"] for event in self.events if "policyEvent" in event]
        return [
            Said(one["policyName"], one["enforcementLevel"] == "mandatory", one["resourceUrn"], one["message"])
            for one in found
        ]

    @cached_property
    def registered(self) -> set[str]:
        """The names of all resources that policies were asked about."""
        urns = (event[_ANALYSED]["resourceUrn"] for event in self.events if _ANALYSED in event)
        return {urn.rpartition("::")[2] for urn in urns}

    @cached_property
    def of(self) -> Mapping[tuple[str, str], list[Said]]:
        """The reports by policy and resource's name."""
        found: dict[tuple[str, str], list[Said]] = {}
        for one in self.said:
            found.setdefault((one.policy, one.name), []).append(one)
        return found


@dataclass(frozen=True)
class Project:
    """A project in a folder of its own, with a state of its own; its stack is `dev`."""

    folder: Path
    variables: Mapping[str, str]

    @classmethod
    def made(cls, folder: Path, files: Mapping[str, str], **variables: str) -> Project:
        """Write its files and make its stack; the test is skipped where the engine is not to be had."""
        path = os.pathsep.join([str(PROJECT / ".local/toolchain/bin"), os.environ.get("PATH", "")])
        missing = [tool for tool in TOOLS if shutil.which(tool, path=path) is None]
        if missing:
            pytest.skip(f"{' and '.join(missing)} missing: run `make toolchain`")
        program, state = folder / "program", folder / "state"
        for made in (program, state):
            made.mkdir(parents=True)
        for name, text in files.items():
            (program / name).write_text(text)
        foreign = ("PULUMI_", "VIRTUAL_ENV", "ARM_", "AZURE_")
        own = {
            "PATH": path,
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "for tests",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DEBUG_COMMANDS": "true",  # has the option --event-log
            # The state is thrown away: no need to write it after each resource.
            "PULUMI_EXPERIMENTAL": "true",
            "PULUMI_SKIP_CHECKPOINTS": "true",
            "NO_COLOR": "1",
            **variables,
        }
        project = cls(program, {n: v for n, v in os.environ.items() if not n.startswith(foreign)} | own)
        begun = project.pulumi("stack", "init")
        assert begun.returncode == 0, begun.stderr
        return project

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the CLI."""
        return subprocess.run(
            ["pulumi", *arguments, "--stack", "dev", "--non-interactive"],
            executable=shutil.which("pulumi", path=self.variables["PATH"]),
            cwd=self.folder,
            env=dict(self.variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )

    def run(
        self, command: Sequence[str], config: Mapping[str, Any] | None = None, levels: Mapping[str, str] | None = None
    ) -> Run:
        """Run a command with the pack.

        Args:
            command: `PREVIEW`, `UP`, or either with more options.
            config: of every policy that has these options.
            levels: of policies that have another one than the pack says.
        """
        set_up: dict[str, Any] = {policy.name: _known_to(policy, config or {}) for policy in POLICIES}
        file, log = self.folder.parent / "policies.json", self.folder.parent / "events.json"
        file.write_text(json.dumps(set_up | dict(levels or {})))
        log.unlink(missing_ok=True)
        pack = ("--policy-pack", str(PACK), "--policy-pack-config", str(file))
        done = self.pulumi(*command, *pack, "--event-log", str(log))
        lines = log.read_text("utf-8").splitlines() if log.exists() else []
        return Run(done.returncode, done.stdout + done.stderr, [json.loads(line) for line in lines])


def _known_to(policy: Policy, config: Mapping[str, Any]) -> dict[str, Any]:
    schema = policy.config_schema
    return {key: value for key, value in config.items() if schema is not None and key in schema.properties}
