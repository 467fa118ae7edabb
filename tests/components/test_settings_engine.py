"""The stack's configuration as the engine hands it over."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from running_sandbox import Sandbox

pytestmark = pytest.mark.long

CANARY = "s3cret-canary"
PREVIEW = ("pulumi", "preview", "--stack", "dev", "--non-interactive", "--color", "never")


def configured(sandbox: Sandbox, folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A copy of the dev stack's configuration with a change made to it."""
    configuration = yaml.safe_load((sandbox.home.root / "Pulumi.dev.yaml").read_text())
    change(configuration["config"])
    target = folder / "Pulumi.dev.yaml"
    target.write_text(yaml.safe_dump(configuration))
    return target


def test_a_password_is_refused_until_it_is_set_as_the_refusal_says(sandbox: Sandbox, tmp_path: Path) -> None:
    credentials = {"username": "arc", "password": CANARY}
    file = configured(sandbox, tmp_path, lambda config: config["arc-gateway:proxies"]["corporate"].update(credentials))
    env = {"PULUMI_OPTION_CONFIG_FILE": str(file)}
    refused = sandbox.run(*PREVIEW, check=False, **env)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert "arc-gateway:proxies.corporate.password: is a secret in plain text" in said
    assert CANARY not in said

    (command,) = re.findall(r"`(pulumi config set [^`]*)`", refused.stdout)[:1]
    sandbox.run(*shlex.split(command), CANARY, "--stack", "dev", **env)
    assert CANARY not in file.read_text()
    assert CANARY not in sandbox.run(*PREVIEW, "--diff", **env).stdout


def test_a_gateway_that_is_not_there_is_told_by_the_preview(sandbox: Sandbox, tmp_path: Path) -> None:
    subscription = sandbox.variables["ARM_SUBSCRIPTION_ID"]
    nowhere = f"/subscriptions/{subscription}/resourceGroups/arc/providers/Microsoft.HybridCompute/gateways/nowhere"
    file = configured(sandbox, tmp_path, lambda config: config.update({"arc-gateway:gateway": {"id": nowhere}}))
    seen = sandbox.run(*PREVIEW, check=False, PULUMI_OPTION_CONFIG_FILE=str(file))
    assert seen.returncode != 0
    assert f"'{nowhere}' does not exist" in seen.stdout + seen.stderr
