"""States of earlier versions under today's program: nothing is replaced, nothing is lost.

A state was recorded with the version in its file's name: the dev stack, one proxy URL a secret, without what the engine
keeps of source positions. Its clusters and gateway are gone; a preview asks for none of them.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from running_sandbox import Sandbox

HERE = Path(__file__).parent
VERSIONS = [path.stem.removeprefix("state-") for path in sorted(HERE.glob("state-*.json"))]
QUIET = ("--stack", "dev", "--non-interactive")

#: Resources that an upgrade may update in place, by version; docs/package.md says of each what happens.
UPDATED: dict[str, set[str]] = {"0.1.0": set()}

pytestmark = pytest.mark.long


@pytest.fixture(scope="module", params=VERSIONS)
def upgraded(
    request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[dict[str, Any]]]:
    """A version, and the steps that a preview shows after its state was imported into a fresh stack."""
    version: str = request.param
    folder = tmp_path_factory.mktemp("upgrade")
    configuration = folder / "Pulumi.dev.yaml"
    shutil.copy(HERE / f"Pulumi.dev-{version}.yaml", configuration)
    own = {"PULUMI_BACKEND_URL": f"file://{folder}", "PULUMI_OPTION_CONFIG_FILE": str(configuration)}
    stack = replace(sandbox, variables={**sandbox.variables, **own})
    stack.run("pulumi", "stack", "init", "dev", "--non-interactive")
    stack.run("pulumi", "stack", "import", *QUIET, "--file", str(HERE / f"state-{version}.json"))
    # Azure knows nothing of what was recorded, so there is no drift to look for.
    stack.run("pulumi", "config", "set", *QUIET, "arc-gateway:drift", "off")
    return version, stack.json("pulumi", "preview", *QUIET, "--json", "--show-sames")["steps"]


def test_an_upgrade_replaces_nothing(upgraded: tuple[str, list[dict[str, Any]]]) -> None:
    version, steps = upgraded
    changed = [(step["op"], step["urn"]) for step in steps if step["op"] not in ("same", "update")]
    assert changed == []
    updated = {step["urn"].split("::", 2)[2] for step in steps if step["op"] == "update" and does_something(step)}
    assert updated <= UPDATED[version]


def test_every_recorded_resource_is_still_declared(upgraded: tuple[str, list[dict[str, Any]]]) -> None:
    version, steps = upgraded
    recorded = json.loads((HERE / f"state-{version}.json").read_text())["deployment"]["resources"]
    declared = {step["urn"] for step in steps}
    defaults = "::pulumi:providers:"  # made by the engine, for what the program declares
    assert {each["urn"] for each in recorded if defaults not in each["urn"]} <= declared


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_recorded_names_no_machine_and_shows_no_secret(version: str) -> None:
    text = (HERE / f"state-{version}.json").read_text()
    assert "ciphertext" in text
    revealing = ("recorded-password", "sourcePosition", "/tmp/", "/home/", "/Users/")
    assert [word for word in revealing if word in text] == []


def does_something(step: dict[str, Any]) -> bool:
    """Whether an update reaches a provider: a component's own inputs are kept for policies alone."""
    return bool(step["newState"]["custom"])
