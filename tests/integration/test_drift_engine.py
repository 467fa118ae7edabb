"""Changes made in Azure behind Pulumi's back, on the real engine: the next preview shows them, the next update mends
them, and the one after has nothing to do. The tests run in order; each goes on from the last."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from roads import Road
from running_sandbox import Sandbox

from arcgateway import arm
from arcgateway.held import Held
from arcgateway.ids import ConnectedClusterId, GatewayId
from arcgateway.proxy import ProxySettings
from sandbox.home import PROJECT

pytestmark = pytest.mark.long

GROUP = "arc-dev"
PYTHON = """
import json
from pathlib import Path

import pulumi
from arcgateway_components import ArcGateway, GatewayAssociation

given = json.loads(Path("given.json").read_text())
where = {"resource_group_name": "%(group)s", "location": "eastus"}
gateways = {name: ArcGateway(name, {**where, "gateway_name": name}) for name in ("drift-a", "drift-b")}
west = GatewayAssociation("west", {
    "cluster_name": "west", "resource_group_name": "%(group)s", "kube_context": "west", "preflight": "off",
    "gateway_id": gateways[given.pop("gateway")].id, "proxy_https": pulumi.Output.secret("%(proxy)s"), **given,
})
pulumi.export("associatedAt", west.associated_at)
"""


@dataclass(frozen=True)
class Project:
    """A stack of its own beside the sandbox's."""

    sandbox: Sandbox
    folder: Path

    def pulumi(self, *arguments: str, check: bool = True, **variables: str) -> str:
        """What a command says."""
        settings = {"PULUMI_OPTION_CONFIG_FILE": str(self.folder / "Pulumi.drift.yaml"), "CI": "", **variables}
        quiet = ("--stack", "drift", "--non-interactive", "--color", "never")
        done = self.sandbox.run("pulumi", *arguments, *quiet, cwd=self.folder, check=False, timeout=600, **settings)
        said = done.stdout + done.stderr
        assert not check or done.returncode == 0, said
        return said

    def preview(self, **variables: str) -> str:
        """The differences that a preview shows."""
        return self.pulumi("preview", "--diff", **variables)

    def mended(self) -> None:
        """An update mends, and then nothing is left to do."""
        said = self.pulumi("up", "--yes", "--skip-preview")
        assert "1 updated" in said, said
        self.unchanged()

    def unchanged(self, **variables: str) -> str:
        """What a preview without changes says besides."""
        return self.pulumi("preview", "--expect-no-changes", "--diff", **variables)

    def give(self, **settings: Any) -> None:
        """Change what the Python program declares."""
        (self.folder / "given.json").write_text(json.dumps({"gateway": "drift-a", **settings}))

    def state(self) -> str:
        """The exported state, secrets as they are kept."""
        return self.pulumi("stack", "export")


@dataclass(frozen=True)
class Azure:
    """Changes Azure as somebody else would."""

    sandbox: Sandbox

    @property
    def arm(self) -> arm.Arm:
        return arm.Arm(ProxySettings(), self.sandbox.variables, lambda _audience: {})

    def id(self, cluster: str) -> ConnectedClusterId:
        return ConnectedClusterId(self.sandbox.variables["ARM_SUBSCRIPTION_ID"], GROUP, cluster)

    def disable(self, cluster: str) -> None:
        """End an association, as the documentation tells people to."""
        where = ("--name", cluster, "--resource-group", GROUP, "--kube-context", cluster)
        self.sandbox.run("az", "connectedk8s", "update", *where, "--disable-gateway", "--yes")

    def switch(self, cluster: str, gateway: str) -> None:
        """Have the setting name another gateway."""
        other = GatewayId(self.id(cluster).subscription, GROUP, gateway)
        body = {"properties": {"gatewayProperties": {"gatewayResourceId": str(other)}}}
        self.arm.put(self.id(cluster).setting, arm.SETTINGS, body)

    def remove(self, cluster: str) -> None:
        """Delete the resource and leave the agents where they are."""
        self.arm.delete(str(self.id(cluster)), arm.CLUSTERS)

    def gateway_of(self, cluster: str) -> str:
        """The name of the gateway that a cluster uses; empty for none."""
        return Held(None, self.arm.get(self.id(cluster).setting, arm.SETTINGS)).gateway_id.rpartition("/")[2]


class SlowRoad(Road):
    """A way to a local port on which a connection takes a second to open, and each request 0.2 s more to arrive."""

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self.connections = 0

    def take(self, client: socket.socket) -> None:
        self.connections += 1
        time.sleep(1.0)
        self.join(client, delay=0.2)


@pytest.fixture
def slow(sandbox: Sandbox) -> Iterator[SlowRoad]:
    with SlowRoad(sandbox.home.port("azure")) as road:
        yield road


@pytest.fixture(scope="module")
def azure(sandbox: Sandbox) -> Azure:
    return Azure(sandbox)


def project(sandbox: Sandbox, folder: Path, settings: dict[str, Any]) -> Project:
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(settings))
    made = Project(sandbox, folder)
    made.pulumi("stack", "init")
    return made


@pytest.fixture(scope="module")
def west(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A Python program that associates an existing cluster, deployed."""
    folder = tmp_path_factory.mktemp("west")
    proxy = sandbox.variables["SANDBOX_PROXY_URL"].replace("://", "://arc:s3same-canary@")
    (folder / "__main__.py").write_text(PYTHON % {"group": GROUP, "proxy": proxy})
    options = {"toolchain": "pip", "virtualenv": str(PROJECT / ".venv")}
    made = project(sandbox, folder, {"name": "west", "runtime": {"name": "python", "options": options}})
    made.give()
    assert "ARC_DRIFT" not in made.pulumi("up", "--yes", "--diff")
    return made


@pytest.fixture(scope="module")
def east(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A YAML program that onboards a cluster through the package, deployed."""
    where = {"resourceGroupName": GROUP, "location": "eastus"}
    proxy = {"fn::secret": sandbox.variables["SANDBOX_PROXY_URL"]}
    cluster = {"clusterName": "east", "kubeContext": "east", "preflight": "off", "proxyHttps": proxy}
    resources = {
        "gateway": {"type": "arc-gateway:ArcGateway", "properties": {**where, "gatewayName": "drift-yaml"}},
        "east": {
            "type": "arc-gateway:ConnectedCluster",
            "properties": {**where, **cluster, "gatewayId": "${gateway.resourceId}"},
        },
    }
    packages = {"arc-gateway": str(PROJECT / "components")}
    folder = tmp_path_factory.mktemp("east")
    made = project(sandbox, folder, {"name": "east", "runtime": "yaml", "packages": packages, "resources": resources})
    assert "ARC_DRIFT" not in made.pulumi("up", "--yes", "--diff")
    return made


def only_change(shown: str, *words: str) -> None:
    """The preview shows one update, of the one variable, with these words."""
    assert "1 to update" in shown, shown
    changed = re.findall(r"^\s+[~+-] (ARC_\w+) *: (.*)$", shown, re.MULTILINE)
    assert [name for name, _ in changed] == ["ARC_DRIFT"], shown
    said = changed[0][1].rpartition("=>")[2]
    assert all(word in said for word in words), said


def test_nothing_to_change_at_first(west: Project) -> None:
    west.unchanged()
    assert 'ARC_DRIFT":' not in west.state()


def test_a_disabled_association_is_seen_and_mended(west: Project, azure: Azure) -> None:
    azure.disable("west")
    only_change(west.preview(), "drift-a is disabled")
    west.mended()
    assert azure.gateway_of("west") == "drift-a"


def test_the_same_a_second_time(west: Project, azure: Azure) -> None:
    azure.disable("west")
    only_change(west.preview(), "drift-a is disabled")
    west.mended()


def test_a_switch_to_another_gateway_is_seen_and_mended(west: Project, azure: Azure) -> None:
    azure.switch("west", "drift-b")
    only_change(west.preview(), "gateways/drift-b is set instead of drift-a")
    west.mended()
    assert azure.gateway_of("west") == "drift-a"


def test_secrets_stay_secret_in_a_command_that_drifted(west: Project) -> None:
    state = west.state()
    assert 'ARC_DRIFT":' in state
    assert "canary" not in state


def test_without_an_answer(west: Project, azure: Azure) -> None:
    azure.disable("west")
    hasty = {"ARCGATEWAY_OBSERVER_SECONDS": "0.001"}
    assert "changes that somebody else has made in Azure are not seen" in west.unchanged(**hasty)
    failed = west.pulumi("preview", check=False, CI="true", **hasty)
    assert re.search("error: .*cannot be seen whether somebody else has changed west", failed), failed
    assert "Traceback" not in failed


def test_off_does_not_look(west: Project) -> None:
    west.give(drift="off")
    shown = west.preview(CI="true", ARCGATEWAY_OBSERVER_SECONDS="0.001")
    assert "ARC_DRIFT" not in shown
    assert "not seen" not in shown
    west.give()


def test_a_slow_azure_is_waited_for(west: Project, slow: SlowRoad) -> None:
    only_change(west.preview(CI="true", ARM_METADATA_HOSTNAME=f"localhost:{slow.port}"), "drift-a is disabled")
    assert slow.connections
    west.mended()


def test_another_gateway_in_the_configuration_is_no_drift(west: Project, azure: Azure) -> None:
    west.give(gateway="drift-b")
    shown = west.preview()
    assert "ARC_GATEWAY_ID" in shown
    assert "ARC_DRIFT" not in shown
    west.give()


def test_a_paused_cluster_is_left_as_it_is(west: Project, azure: Azure) -> None:
    azure.disable("west")
    west.give(enabled=False, scenarios=["container-insights"])
    west.unchanged(CI="true", ARCGATEWAY_OBSERVER_SECONDS="0.001")
    west.pulumi("up", "--yes", "--skip-preview")
    assert azure.gateway_of("west") == ""
    west.unchanged()


def test_a_paused_cluster_goes_on(west: Project, azure: Azure) -> None:
    west.give()
    only_drift = west.preview()
    assert "ARC_PAUSED" not in only_drift
    assert "drift-a is disabled" in only_drift
    west.pulumi("up", "--yes", "--skip-preview")
    assert azure.gateway_of("west") == "drift-a"
    west.unchanged()


def test_a_yaml_program_sees_and_mends_it_too(east: Project, azure: Azure) -> None:
    east.unchanged()
    azure.disable("east")
    only_change(east.preview(), "drift-yaml is disabled")
    east.mended()
    assert azure.gateway_of("east") == "drift-yaml"


def test_a_cluster_that_is_gone_is_seen_and_connected_again(east: Project, azure: Azure) -> None:
    azure.remove("east")
    only_change(east.preview(), "Azure holds no connected cluster east any more, associated 20")
    east.mended()
    assert azure.gateway_of("east") == "drift-yaml"


def test_a_paused_cluster_outlives_its_stack(west: Project, azure: Azure) -> None:
    west.give(enabled=False)
    west.pulumi("up", "--yes", "--skip-preview")
    west.pulumi("destroy", "--yes", "--target", "**::west", "--target-dependents", "--skip-preview")
    assert azure.gateway_of("west") == "drift-a"
