"""Adoption on the real engine: what was associated by hand becomes a stack's, and Azure's log shows no write.

The tests run in order; each goes on from the last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from running_sandbox import Sandbox

from arcgateway.arm import Arm
from arcgateway.proxy import ProxySettings
from sandbox.home import PROJECT

pytestmark = pytest.mark.long

GATEWAY = "by-hand"
GROUP = ("--resource-group", "arc-dev")
PARTS = ("__main__.py", "components", "arcgateway", "bin", ".venv", "Pulumi.yaml")


class Team:
    """Somebody who has associated a cluster by hand, and has a checkout with no stack in it."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._sandbox, self.folder = sandbox, folder
        for part in PARTS:
            (folder / part).symlink_to(PROJECT / part)
        self.subscription = sandbox.variables["ARM_SUBSCRIPTION_ID"]
        self.proxy = sandbox.variables["SANDBOX_PROXY_URL"]

    def run(self, *argv: str, check: bool = True, **variables: str) -> Any:
        # The sandbox points pulumi at the dev stack's file; here each stack has its own.
        return self._sandbox.run(*argv, cwd=self.folder, check=check, PULUMI_OPTION_CONFIG_FILE="", **variables)

    def pulumi(self, stack: str, *argv: str, check: bool = True) -> Any:
        return self.run("pulumi", *argv, "--stack", stack, "--non-interactive", "--color", "never", check=check)

    def arcgateway(self, *argv: str, check: bool = True) -> Any:
        return self.run(str(PROJECT / ".venv/bin/arcgateway"), *argv, check=check)

    def cluster(self, name: str) -> Any:
        return json.loads(self.run("az", "connectedk8s", "show", "--name", name, *GROUP).stdout)

    def writes(self) -> list[tuple[str, str]]:
        """What Azure's activity log holds: operation and resource of every write."""
        arm = Arm(ProxySettings(), self._sandbox.variables, _no_cli)
        path = f"/subscriptions/{self.subscription}/providers/Microsoft.Insights/eventtypes/management/values"
        return [(item["operationName"]["value"], item["resourceId"]) for item in arm.list(path, "2015-04-01")]

    def no_changes(self, stack: str) -> None:
        seen = self.pulumi(stack, "preview", "--expect-no-changes", "--diff", check=False)
        assert seen.returncode == 0, seen.stdout + seen.stderr


def _no_cli(audience: str) -> Any:
    raise AssertionError(audience)


@pytest.fixture(scope="module")
def team(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    made = Team(sandbox, tmp_path_factory.mktemp("checkout"))
    made.run("az", "arcgateway", "create", "--name", GATEWAY, *GROUP, "--location", "eastus")
    gateway = json.loads(made.run("az", "arcgateway", "show", "--name", GATEWAY, *GROUP, "--output", "json").stdout)
    on_west = ("--name", "west", *GROUP, "--kube-context", "west", "--yes")
    made.run("az", "connectedk8s", "update", *on_west, "--gateway-resource-id", gateway["id"])
    yield made
    if made.cluster("west")["gateway"]["enabled"]:
        made.run("az", "connectedk8s", "update", *on_west, "--disable-gateway")
    made.run("az", "arcgateway", "delete", "--name", GATEWAY, *GROUP, "--yes")


def test_the_written_configuration_adopts_without_a_write(team: Team) -> None:
    said = team.arcgateway("import", team.subscription, "--write", "adopted").stderr
    assert "clusters of the gateway by-hand: 1; left out: 0" in said
    written = yaml.safe_load((team.folder / "Pulumi.adopted.yaml").read_text())["config"]
    assert written["arc-gateway:clusters"]["west"]["kubeContext"] == "west", "the kubeconfig's contexts were asked"
    assert written["arc-gateway:gateway"].keys() == {"id"}

    team.run("pulumi", "stack", "select", "--create", "adopted")
    before = team.writes()
    assert any(resource.endswith(f"/gateways/{GATEWAY}") for _, resource in before), (
        "the log tells what was done by hand"
    )
    assert "all is in place, nothing is written" in team.pulumi("adopted", "up", "--yes", "--skip-preview").stdout
    assert team.writes() == before
    state = json.loads(team.pulumi("adopted", "stack", "export").stdout)
    (command,) = [item for item in state["deployment"]["resources"] if item["type"] == "command:local:Command"]
    assert json.loads(command["outputs"]["stdout"])["adopted"] is True
    team.no_changes("adopted")


def test_the_stack_that_holds_it_is_shown(team: Team) -> None:
    (row,) = json.loads(team.arcgateway("status", "--json").stdout)["clusters"]
    assert row["association"] == "whole" and row["gatewayId"].endswith(f"/gateways/{GATEWAY}")
    assert [one["stack"] for one in row["heldBy"]] == ["adopted"] and row["orphan"] is False
    line = team.arcgateway("status", "--stack", "adopted").stdout.splitlines()[-1]
    assert line.split()[:6] == ["west", "arc-dev", "eastus", row["agentVersion"], "Connected", GATEWAY]
    assert line.endswith("arc-gateway/adopted/west")


def test_the_gateway_itself_is_taken_into_a_state(team: Team) -> None:
    said = team.arcgateway(
        *("import", team.subscription, "--write", "owner", "--own-gateway", "gateway.json", "--no-contexts"),
        *("--resource-group", "arc-dev", "--gateway", GATEWAY),
    ).stderr
    team.run("pulumi", "stack", "select", "--create", "owner")
    before = team.writes()
    (line,) = [line for line in said.splitlines() if "pulumi import" in line]
    command = line.partition("pulumi import ")[2].split()
    team.run("pulumi", "import", *command, "--yes", "--skip-preview", "--non-interactive")
    team.pulumi("owner", "up", "--yes", "--skip-preview")
    assert team.writes() == before
    team.no_changes("owner")
    # Its clusters are in the other stack, and the gateway is protected: this state only forgets.
    team.run("pulumi", "stack", "rm", "owner", "--force", "--yes")
    assert team.writes() == before


def test_what_a_failed_create_has_left_is_found_and_gone_on_with(team: Team) -> None:
    """The driver has connected a cluster, and the engine never heard of it."""
    gateway = yaml.safe_load((team.folder / "Pulumi.adopted.yaml").read_text())["config"]["arc-gateway:gateway"]["id"]
    settings = {
        "ARC_SUBSCRIPTION_ID": team.subscription,
        "ARC_RESOURCE_GROUP": "arc-dev",
        "ARC_CLUSTER_NAME": "east",
        "ARC_LOCATION": "eastus",
        "ARC_KUBE_CONTEXT": "east",
        "ARC_GATEWAY_ID": gateway,
        "ARC_PROXY_HTTPS": team.proxy,
        "ARC_PROXY_HTTP": team.proxy,
        "ARC_PROXY_SKIP_RANGE": "10.96.0.0/16",
        "ARC_PREFLIGHT": "off",
    }
    team.run("bin/driver", "connect", **settings)
    found = team.arcgateway("status", "--orphans", "--json", check=False)
    assert found.returncode == 2
    assert [row["name"] for row in json.loads(found.stdout)["clusters"]] == ["east"]
    assert "az connectedk8s delete --name east" in found.stderr

    file = team.folder / "Pulumi.adopted.yaml"
    document = yaml.safe_load(file.read_text())
    document["config"]["arc-gateway:preflight"] = {"mode": "off"}
    document["config"]["arc-gateway:proxies"] = {
        "corporate": {"httpsUrl": team.proxy, "httpUrl": team.proxy, "skipRange": ["10.96.0.0/16"]}
    }
    document["config"]["arc-gateway:clusters"]["east"] = {
        "resourceGroup": "arc-dev",
        "location": "eastus",
        "kubeContext": "east",
        "proxy": "corporate",
    }
    file.write_text(yaml.safe_dump(document))
    before = team.writes()
    team.pulumi("adopted", "up", "--yes", "--skip-preview")
    assert team.writes() == before, "all of it was there"
    assert team.arcgateway("status", "--orphans").stdout == ""


def test_destroying_leaves_the_gateway_and_the_existing_cluster(team: Team) -> None:
    team.pulumi("adopted", "destroy", "--yes", "--skip-preview")
    west = team.cluster("west")
    assert west["connectivityStatus"] == "Connected" and west["gateway"]["enabled"] is False
    assert team.run("az", "connectedk8s", "show", "--name", "east", *GROUP, check=False).returncode == 3
    shown = team.run("az", "arcgateway", "show", "--name", GATEWAY, *GROUP, "--output", "json").stdout
    assert json.loads(shown)["provisioningState"] == "Succeeded"
    team.run("pulumi", "stack", "rm", "adopted", "--yes")
