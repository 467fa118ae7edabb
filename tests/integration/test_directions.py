"""Every change that a stack can take, one after the other on the real engine; each ends with a preview of no changes.

The tests run in order and each goes on from the last. What a change must leave behind is read from where it counts:
Azure's resource, its setting, and helm's record in the cluster.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from dev_stack import QUIET, closed, outputs, preview
from running_sandbox import Sandbox
from waiting import until

from arcgateway import arm
from arcgateway.held import Held
from arcgateway.ids import ConnectedClusterId
from arcgateway.proxy import ProxySettings
from sandbox.home import PROJECT
from sandbox.proxies import find_squid

pytestmark = pytest.mark.long
needs_squid = pytest.mark.skipif(not find_squid(), reason="no squid on this machine: `make toolchain` gets one")

Config = dict[str, Any]
Change = Callable[[Config], object]


@dataclass
class Stack:
    """The dev stack, and the configuration that the next change starts from."""

    sandbox: Sandbox
    file: Path

    def change(self, change: Change, *arguments: str, check: bool = True) -> str:
        """Write a changed configuration and deploy it; returns what Pulumi said."""
        configuration = yaml.safe_load(self.file.read_text())
        change(configuration["config"])
        self.file.write_text(yaml.safe_dump(configuration))
        return self.up(*arguments, check=check)

    def up(self, *arguments: str, check: bool = True) -> str:
        done = self.sandbox.run(
            "pulumi", "up", "--yes", *QUIET, "--config-file", str(self.file), *arguments, check=check, timeout=300
        )
        if check:
            self.unchanged()
        return done.stdout + done.stderr

    def preview(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return preview(self.sandbox, "--config-file", str(self.file), "--diff", *arguments)

    def unchanged(self) -> None:
        seen = self.preview("--expect-no-changes")
        assert seen.returncode == 0, seen.stdout + seen.stderr

    def azure(self, cluster: str, group: str = "arc-dev") -> Held:
        """What Azure holds of a cluster."""
        client = arm.Arm(ProxySettings(), self.sandbox.variables, lambda _: {})
        identity = ConnectedClusterId(self.sandbox.variables["ARM_SUBSCRIPTION_ID"], group, cluster)
        return Held(client.get(str(identity), arm.CLUSTERS), client.get(identity.setting, arm.SETTINGS))

    def declared(self, key: str) -> Config:
        """A cluster's settings in the configuration."""
        settings: Config = yaml.safe_load(self.file.read_text())["config"]["arc-gateway:clusters"][key]
        return settings

    def gateway_of(self, key: str) -> str | None:
        """Name of the gateway that a declared cluster is associated with, by both halves of the association."""
        settings = self.declared(key)
        held = self.azure(settings.get("name", key), settings["resourceGroup"])
        assert held.cluster is not None
        assert bool(held.gateway_id) == held.gateway_enabled
        return gateway_name(held)

    def values(self, context: str) -> Config:
        """Helm's `global` values of the agents."""
        found: Config = self.sandbox.json(
            *("helm", "--kube-context", context, "-n", "azure-arc-release"),
            *("get", "values", "azure-arc", "-o", "json"),
        )["global"]
        return found

    def writes(self) -> int:
        """How many writes Azure's activity log has."""
        subscription = self.sandbox.variables["ARM_SUBSCRIPTION_ID"]
        path = f"/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values"
        client = arm.Arm(ProxySettings(), self.sandbox.variables, lambda _: {})
        return len(client.list(path, "2015-04-01"))


def gateway_name(held: Held) -> str | None:
    """Name of the gateway in a cluster's setting."""
    return held.gateway_id.rpartition("/")[2] or None


@pytest.fixture(scope="module")
def stack(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    file = tmp_path_factory.mktemp("directions") / "Pulumi.dev.yaml"
    file.write_text((sandbox.home.root / "Pulumi.dev.yaml").read_text())
    made = Stack(sandbox, file)
    made.up()
    yield made
    sandbox.run("pulumi", "destroy", "--yes", *QUIET, timeout=300)


def cluster(which: str, /, **settings: Any) -> Change:
    """A change of one cluster's settings; None removes one."""

    def change(config: Config) -> None:
        entry = config["arc-gateway:clusters"][which]
        entry.update(settings)
        for key in [key for key, value in settings.items() if value is None]:
            del entry[key]

    return change


def proxy(**settings: Any) -> Change:
    return lambda config: config["arc-gateway:proxies"]["corporate"].update(settings)


def replaced(said: str) -> bool:
    return bool(re.search(r"\+-|-\+|--.*delete original|replaced", said))


# --- the gateway ---


def test_another_gateway(stack: Stack) -> None:
    said = stack.change(lambda config: config["arc-gateway:gateway"].update(name="gw-next"))
    assert stack.gateway_of("east") == stack.gateway_of("west") == "gw-next"
    assert "command:local:Command east updated" in said and "command:local:Command west updated" in said
    assert outputs(stack.sandbox)["gateway"]["id"].endswith("/gateways/gw-next")


def test_no_gateway_and_one_again(stack: Stack) -> None:
    stack.change(cluster("east", gateway=False))
    assert stack.gateway_of("east") is None
    assert outputs(stack.sandbox)["clusters"]["east"]["endpointsRemovableAt"] is None
    stack.change(cluster("east", gateway=None))
    assert stack.gateway_of("east") == "gw-next"


# --- the proxy ---


def test_a_proxy_removed_and_added(stack: Stack) -> None:
    stack.change(cluster("east", proxy=None, egressPolicy=False))
    assert str(stack.values("east")["isProxyEnabled"]).lower() == "false"
    stack.change(cluster("east", proxy="corporate", egressPolicy=True))
    assert stack.values("east")["httpsProxy"].replace("\\", "") == stack.sandbox.variables["SANDBOX_PROXY_URL"]


def test_another_url_of_the_same_proxy(stack: Stack) -> None:
    url = stack.sandbox.variables["SANDBOX_PROXY_URL"].replace("127.0.0.1", "localhost")
    stack.change(proxy(httpUrl=url))
    assert {stack.values(context)["httpProxy"].replace("\\", "") for context in ("east", "west")} == {url}


def test_a_skip_range_in_another_order_is_no_change(stack: Stack) -> None:
    before = stack.writes()
    said = stack.change(proxy(skipRange=["10.97.0.0/16", "10.96.0.0/16", "10.97.0.0/16"]))
    assert "updated" not in said
    assert stack.writes() == before


def test_a_longer_skip_range(stack: Stack) -> None:
    stack.change(proxy(skipRange=["10.96.0.0/16", "10.97.0.0/16", "172.20.0.0/16"]))
    for context in ("east", "west"):
        assert "172.20.0.0/16" in stack.values(context)["noProxy"]


@needs_squid
def test_a_name_that_the_proxy_denies_stops_an_update_before_a_cluster_is_touched(stack: Stack) -> None:
    before, ranges = stack.writes(), {context: stack.values(context)["noProxy"] for context in ("east", "west")}
    wider = ["10.96.0.0/16", "10.97.0.0/16", "172.20.0.0/16", "172.21.0.0/16"]
    with closed(stack.sandbox, "mcr.microsoft.com"):
        said = stack.change(proxy(skipRange=wider), check=False)
    assert "failed before anything was changed: mcr.microsoft.com:443 (denied-by-proxy)" in said
    assert "have the proxy allow CONNECT to this name and port" in said
    assert stack.writes() == before
    assert {context: stack.values(context)["noProxy"] for context in ("east", "west")} == ranges
    stack.up()
    assert "172.21.0.0/16" in stack.values("east")["noProxy"]


def test_a_certificate_added_and_changed(stack: Stack) -> None:
    for authority in (trust_root("Old root"), trust_root("New root")):
        stack.change(proxy(certificate=authority))
        for context in ("east", "west"):
            assert stack.values(context)["proxyCert"].strip() == authority.strip()


def trust_root(name: str) -> str:
    import trustme

    return trustme.CA(organization_name=name).cert_pem.bytes().decode()


# --- what a cluster is ---


def test_tags_in_place(stack: Stack) -> None:
    stack.change(cluster("east", tags={"owner": "platform"}))
    assert stack.azure("east").tags["owner"] == "platform"


def test_a_paused_cluster_is_left_as_it_is(stack: Stack) -> None:
    before = stack.writes()
    said = stack.change(lambda config: (cluster("east", enabled=False)(config), cluster("east", gateway=False)(config)))
    assert "Command east" not in said
    assert (stack.writes(), stack.gateway_of("east")) == (before, "gw-next")
    stack.change(cluster("east", enabled=None))
    assert stack.gateway_of("east") is None
    stack.change(cluster("east", gateway=None))


def test_one_target_alone(stack: Stack) -> None:
    urn = next(
        resource["urn"]
        for resource in stack.sandbox.json("pulumi", "stack", "export", "--stack", "dev")["deployment"]["resources"]
        if resource["urn"].endswith("::west") and "Command" in resource["urn"]
    )
    stack.change(proxy(skipRange=["10.96.0.0/16", "10.97.0.0/16"]), "--target", urn, check=False)
    assert "172.20.0.0/16" not in stack.values("west")["noProxy"]
    assert "172.20.0.0/16" in stack.values("east")["noProxy"]
    stack.up()
    assert "172.20.0.0/16" not in stack.values("east")["noProxy"]


@pytest.mark.parametrize(
    "identity",
    [{"name": "east-two"}, {"resourceGroup": "arc-other"}, {"location": "westeurope"}],
    ids=lambda identity: next(iter(identity)),
)
def test_another_identity_replaces_and_deletes_first(stack: Stack, identity: dict[str, str]) -> None:
    if "resourceGroup" in identity:
        stack.sandbox.run("az", "group", "create", "--name", identity["resourceGroup"], "--location", "eastus")
    old = stack.declared("east")
    said = stack.change(cluster("east", **identity))
    new = {**old, **identity}
    assert replaced(said)
    found = stack.azure(new.get("name", "east"), new["resourceGroup"]).cluster
    assert found is not None and found["location"] == new["location"]
    if "location" not in identity:
        assert stack.azure(old.get("name", "east"), old["resourceGroup"]).cluster is None
    assert stack.gateway_of("east") == "gw-next"


def test_another_subscription_would_replace(stack: Stack) -> None:
    """The sandbox has one subscription, so this one cannot be asked for drift, which is no obstacle where told so."""
    configuration = yaml.safe_load(stack.file.read_text())
    unseen = "00000000-0000-0000-0000-0000000000aa"
    configuration["config"]["arc-gateway:clusters"]["east"]["subscriptionId"] = unseen
    other = stack.file.with_name("other.yaml")
    for drift in ("warn", "require"):
        configuration["config"]["arc-gateway:drift"] = drift
        other.write_text(yaml.safe_dump(configuration))
        seen = preview(stack.sandbox, "--config-file", str(other))
        assert unseen in seen.stdout
        assert ("command:local:Command east replace" in seen.stdout) == (drift == "warn"), seen.stdout


# --- the ends, and the ways back ---


def test_a_cluster_taken_out_is_disconnected_and_comes_back(stack: Stack) -> None:
    kept: Config = {}
    stack.change(lambda config: kept.update(config["arc-gateway:clusters"].pop("east")))
    name, group = kept.get("name", "east"), kept["resourceGroup"]
    assert stack.azure(name, group).cluster is None
    namespaces = stack.sandbox.json("kubectl", "--context", "east", "get", "namespaces", "-o", "json")
    assert "azure-arc" not in {item["metadata"]["name"] for item in namespaces["items"]}
    stack.change(lambda config: config["arc-gateway:clusters"].update(east=dict(kept, resourceGroup="arc-dev")))
    assert stack.gateway_of("east") == "gw-next"


def test_what_is_in_place_is_adopted_without_a_write(stack: Stack) -> None:
    """The state forgets both clusters; the next update finds all in place."""
    exported = stack.sandbox.json("pulumi", "stack", "export", "--stack", "dev")
    resources = exported["deployment"]["resources"]
    exported["deployment"]["resources"] = [
        resource for resource in resources if not re.search(r"Command::(east|west)$", resource["urn"])
    ]
    for resource in exported["deployment"]["resources"]:
        resource.pop("dependencies", None), resource.pop("propertyDependencies", None)
    file = stack.file.with_name("state.json")
    file.write_text(json.dumps(exported))
    stack.sandbox.run("pulumi", "stack", "import", "--stack", "dev", "--force", "--file", str(file))
    before = stack.writes()
    stack.up()
    assert stack.writes() == before
    stdout = {
        resource["urn"].rpartition("::")[2]: resource["outputs"]["stdout"]
        for resource in stack.sandbox.json("pulumi", "stack", "export", "--stack", "dev")["deployment"]["resources"]
        if re.search(r"Command::(east|west)$", resource["urn"])
    }
    assert {name: json.loads(text)["adopted"] for name, text in stdout.items()} == {"east": True, "west": True}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_an_update_that_is_stopped_goes_on_from_there(stack: Stack, number: signal.Signals) -> None:
    """Both clusters get another gateway; Pulumi is stopped as soon as the first of the writes has been made."""
    configuration = yaml.safe_load(stack.file.read_text())
    name = f"gw-{number.name.lower()}"
    configuration["config"]["arc-gateway:gateway"]["name"] = name
    stack.file.write_text(yaml.safe_dump(configuration))
    running = subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", *QUIET, "--config-file", str(stack.file)],
        cwd=PROJECT,
        env=dict(stack.sandbox.variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until(lambda: name == gateway_name(stack.azure("west")), 120)
    finally:
        os.killpg(running.pid, number) if number == signal.SIGKILL else running.send_signal(number)
        running.wait(60)
    stack.sandbox.run("pulumi", "cancel", "--yes", "--stack", "dev", check=False)
    stack.up()
    assert stack.gateway_of("east") == stack.gateway_of("west") == name


@pytest.mark.parametrize("choice", ["azure-only", "forget"])
def test_a_cluster_that_is_gone(stack: Stack, choice: str) -> None:
    """Its kubeconfig is lost: deleting it fails and leaves all as it is, until the settings say what to do."""
    kept = stack.declared("west")
    stack.change(cluster("west", onUnreachable=choice))
    lost = dict(stack.sandbox.variables)
    kubeconfig = yaml.safe_load(Path(lost["KUBECONFIG"]).read_text())
    for entry in kubeconfig["clusters"]:
        if entry["name"] == "west":
            entry["cluster"]["server"] = "https://127.0.0.1:9"
    broken = stack.file.with_name("kubeconfig")
    broken.write_text(yaml.safe_dump(kubeconfig))
    configuration = yaml.safe_load(stack.file.read_text())
    del configuration["config"]["arc-gateway:clusters"]["west"]
    stack.file.write_text(yaml.safe_dump(configuration))
    stack.sandbox.run(
        *("pulumi", "up", "--yes", *QUIET, "--config-file", str(stack.file)), timeout=300, KUBECONFIG=str(broken)
    )
    assert (gateway_name(stack.azure("west")) is None) == (choice == "azure-only")
    stack.change(lambda config: config["arc-gateway:clusters"].update(west=kept))
    assert stack.gateway_of("west") is not None
