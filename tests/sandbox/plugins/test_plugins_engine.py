"""Both stand-ins under the real engine: one stack through its whole life, its program run inline."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pytest
from fake_arm import GROUP, FakeArm, serving
from plugin_hosting import BIN
from pulumi import automation
from pulumi_azure_native import hybridcompute, resources
from pulumi_command import local

from sandbox.home import PATH_PREFIX

SECRET = "hush-5f1c"
DRIVER = """#!/bin/sh
echo "$1 $GATEWAY" >> done
echo "progress of $1" >&2
if [ "$GATEWAY_TAG" = bad ]; then echo "no such tag: choose another" >&2; exit 1; fi
echo "$1 $GATEWAY_TAG"
"""
BY_HAND = f"{GROUP}/providers/Microsoft.HybridCompute/gateways/by-hand"


@dataclass
class Declared:
    """What the program declares; a test changes it between updates."""

    gateway: str = "gw"
    tag: str = "one"
    trigger: str = "a"
    imported: bool = False


@dataclass
class Stacked:
    """The stack, its program's settings, and the Azure that it is made in."""

    stack: automation.Stack
    declared: Declared
    arm: FakeArm
    folder: Path
    backend: Path

    def up(self) -> Mapping[str, int]:
        """The operations of an update, by their names."""
        return self.stack.up(on_output=print).summary.resource_changes or {}

    def preview(self) -> Mapping[str, int]:
        """Those of a preview."""
        summary = self.stack.preview(on_output=print).change_summary
        return {str(getattr(operation, "value", operation)): count for operation, count in summary.items()}

    def commands(self) -> list[str]:
        """What the driver was asked to do since it was last looked at."""
        log = self.folder / "done"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def state(self) -> dict[str, Any]:
        """The resources of the state as the backend keeps it, by their logical names."""
        checkpoint = json.loads((self.backend / ".pulumi/stacks/life/dev.json").read_text())["checkpoint"]
        return {entry["urn"].split("::")[-1]: entry for entry in checkpoint["latest"]["resources"]}


@pytest.fixture
def stacked(tmp_path: Path) -> Iterator[Stacked]:
    folder = tmp_path / "program"
    (folder / "bin").mkdir(parents=True)
    driver = folder / "bin/driver"
    driver.write_text(DRIVER)
    driver.chmod(0o755)
    (tmp_path / "backend").mkdir()
    declared = Declared()

    def program() -> None:
        group = resources.ResourceGroup("group", resource_group_name="group", location="eastus")
        gateway = hybridcompute.Gateway(
            "edge",
            resource_group_name=group.name,
            gateway_name=declared.gateway,
            allowed_features=["*"],
            tags={"owner": pulumi.Output.secret(SECRET), "tag": declared.tag},
        )
        made = local.Command(
            "cluster",
            interpreter=["bin/driver"],
            create="connect",
            update="change",
            delete="disconnect",
            environment={"GATEWAY": gateway.name, "GATEWAY_TAG": declared.tag, "SECRET": pulumi.Output.secret(SECRET)},
            triggers=[declared.trigger],
            opts=pulumi.ResourceOptions(additional_secret_outputs=["stderr"]),
        )
        if declared.imported:
            hybridcompute.Gateway(
                "by-hand",
                resource_group_name="group",
                gateway_name="by-hand",
                location="eastus",
                allowed_features=["*"],
                gateway_type="Public",
                opts=pulumi.ResourceOptions(import_=BY_HAND),
            )
        pulumi.export("endpoint", gateway.gateway_endpoint)
        pulumi.export("stdout", made.stdout)
        pulumi.export("secret", made.environment)

    with serving(tmp_path) as (arm, environment):
        variables = environment | {
            "PATH": os.pathsep.join([str(BIN), *map(str, PATH_PREFIX), os.environ["PATH"]]),
            "PULUMI_BACKEND_URL": f"file://{tmp_path}/backend",
            "PULUMI_CONFIG_PASSPHRASE": "passphrase",
            "PULUMI_HOME": str(tmp_path / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", variables["PATH"])  # where the SDK looks for the CLI
            stack = automation.create_stack(
                "dev",
                project_name="life",
                program=program,
                opts=automation.LocalWorkspaceOptions(
                    work_dir=str(folder),
                    env_vars=variables,
                    # An inline program counts as one in the test's own folder, and plugins run where the program is.
                    project_settings=automation.ProjectSettings("life", "python", main=str(folder)),
                ),
            )
            yield Stacked(stack, declared, arm, folder, tmp_path / "backend")
            with suppress(automation.CommandError):
                stack.destroy()


def test_a_stacks_life(stacked: Stacked) -> None:
    arm, declared = stacked.arm, stacked.declared
    arm.operation = [{"status": "InProgress"}, {"status": "Succeeded"}]

    assert stacked.preview() == {"create": 4}
    assert (arm.resources, stacked.commands()) == ({}, [])
    assert stacked.up() == {"create": 4}
    assert set(arm.resources) == {GROUP, f"{GROUP}/providers/Microsoft.HybridCompute/gateways/gw"}
    assert stacked.commands() == ["connect gw"]
    outputs = stacked.stack.outputs()
    assert (outputs["endpoint"].value, outputs["endpoint"].secret) == ("abc.gw.arc.azure.com", False)
    assert (outputs["stdout"].value, outputs["stdout"].secret) == ("connect one", False)
    assert outputs["secret"].secret
    assert stacked.preview() == {"same": 4}

    state = stacked.state()
    assert SECRET not in json.dumps(state)
    assert state["edge"]["outputs"]["tags"].keys() == {"4dabf18193072939515e22adb298388d", "ciphertext"}
    assert state["edge"]["outputs"]["gatewayEndpoint"] == "abc.gw.arc.azure.com"
    assert "ciphertext" in state["cluster"]["outputs"]["environment"]["SECRET"]
    assert "ciphertext" in state["cluster"]["outputs"]["stderr"]

    declared.tag = "two"
    assert stacked.preview() == {"same": 2, "update": 2}
    assert stacked.up() == {"same": 2, "update": 2}
    assert arm.resources[state["edge"]["id"]]["tags"] == {"owner": SECRET, "tag": "two"}
    assert stacked.commands() == ["change gw"]

    declared.tag = "bad"
    with pytest.raises(automation.CommandError, match=r"exit status 1: running \"change\":\n\s*progress of change"):
        stacked.up()
    assert stacked.state()["cluster"]["inputs"]["environment"]["GATEWAY_TAG"] == "two"
    declared.tag = "two"
    stacked.up()
    stacked.commands()

    declared.gateway, declared.trigger = "gw2", "b"
    assert stacked.up() == {"same": 2, "replace": 2}
    assert {id.split("/")[-1] for id in arm.resources} == {"group", "gw2"}
    assert stacked.commands() == ["connect gw2", "disconnect gw"]

    arm.resources[f"{GROUP}/providers/Microsoft.HybridCompute/gateways/gw2"]["tags"] = {"owner": "somebody"}
    refreshed = stacked.stack.refresh(on_output=print).summary.resource_changes or {}
    assert refreshed == {"same": 3, "update": 1}
    assert stacked.up() == {"same": 3, "update": 1}
    assert arm.resources[f"{GROUP}/providers/Microsoft.HybridCompute/gateways/gw2"]["tags"]["owner"] == SECRET

    arm.resources[BY_HAND] = {
        "id": BY_HAND,
        "name": "by-hand",
        "location": "eastus",
        "properties": {"allowedFeatures": ["*"], "gatewayType": "Public"},
    }
    declared.imported = True
    assert stacked.up() == {"same": 4, "import": 1}
    assert stacked.preview() == {"same": 5}

    del arm.resources[BY_HAND]  # gone when it is to be deleted
    assert stacked.stack.destroy(on_output=print).summary.resource_changes == {"delete": 5}
    assert (arm.resources, stacked.commands()) == ({}, ["disconnect gw2"])


def test_a_failed_create_is_left_out_of_the_state(stacked: Stacked) -> None:
    stacked.declared.tag = "bad"
    stacked.arm.operation = [{"status": "Failed", "error": {"code": "Quota", "message": "Five are enough."}}]
    with pytest.raises(automation.CommandError, match=r"Quota: Five are enough\."):
        stacked.up()
    state = stacked.state()
    assert "cluster" not in state
    assert state["edge"]["initErrors"]  # Azure has it, so the state has it too
    stacked.arm.operation = []
    with pytest.raises(automation.CommandError, match="no such tag: choose another"):
        stacked.up()
    assert "cluster" not in stacked.state()
    assert "initErrors" not in stacked.state()["edge"]
