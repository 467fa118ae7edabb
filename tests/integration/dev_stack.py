"""The dev stack of a running sandbox, as tests change, preview and deploy it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml
from running_sandbox import Sandbox

PACK = ("--policy-pack", "policy")
QUIET = ("--stack", "dev", "--non-interactive", "--color", "never")


def up(sandbox: Sandbox, *arguments: str, **options: Any) -> str:
    return sandbox.run("pulumi", "up", "--yes", *QUIET, *arguments, **options).stdout


def preview(sandbox: Sandbox, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return sandbox.run("pulumi", "preview", *QUIET, *arguments, check=False, **options)


def no_changes(sandbox: Sandbox, **options: Any) -> None:
    seen = preview(sandbox, "--expect-no-changes", "--diff", **options)
    assert seen.returncode == 0, seen.stdout + seen.stderr


def outputs(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.json("pulumi", "stack", "output", "--json", "--stack", "dev")


def configured(sandbox: Sandbox, path: Path, change: Any) -> str:
    """A copy of the stack's configuration with a change made to it; returns its path."""
    configuration = yaml.safe_load((sandbox.home.root / "Pulumi.dev.yaml").read_text())
    change(configuration["config"])
    target = path / "Pulumi.dev.yaml"
    target.write_text(yaml.safe_dump(configuration))
    return str(target)
