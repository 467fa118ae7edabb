"""Each component's children, property by property, under the engine's mocks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from components import (
    ArcGateway,
    ConnectedCluster,
    EndpointAllowlist,
    GatewayAssociation,
    GatewayOperatorRole,
    ProxySettings,
)

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GATEWAY_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/arc/providers/Microsoft.HybridCompute/gateways/gw"
REPORT = {
    "id": "/subscriptions/x/connectedClusters/c",
    "agentVersion": "1.36.1",
    "connectivityStatus": "Connected",
    "gatewayEnabled": True,
    "gatewayResourceId": GATEWAY_ID,
    "associatedAt": "2026-01-01T00:00:00Z",
    "endpointsRemovableAt": "2026-01-01T01:00:00Z",
    "adopted": False,
}
PASSWORD = "p%40ss-canary"
SECRET = "4dabf18193072939515e22adb298388d"  # the key that marks a secret on the wire
CLUSTER: Any = {
    "cluster_name": "east",
    "resource_group_name": "arc",
    "location": "eastus",
    "gateway_id": GATEWAY_ID,
    "gateway_endpoint": "ab12.gw.arc.azure.com",
    "kube_context": "ctx",
    "proxy_https": "http://10.9.8.7:3128",
    "proxy_skip_range": [".svc"],
}


class World(pulumi.runtime.Mocks):
    """What the engine was asked to make, and the values that a program ended with."""

    def __init__(self) -> None:
        self.made: list[pulumi.runtime.MockResourceArgs] = []
        self.values: list[Any] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.made.append(args)
        made = dict(args.inputs)
        if args.typ == "azure-native:hybridcompute:Gateway":
            made |= {"gatewayEndpoint": "ab12.gw.arc.azure.com", "name": "gw", "gatewayId": "ab12"}
            made |= {"provisioningState": "Succeeded"}
            return GATEWAY_ID, made
        if args.typ == "command:local:Command":
            made["stdout"] = json.dumps({"verdict": "pass"} if args.inputs["create"] == "probe" else REPORT)
        return f"{args.name}-id", made

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"nothing is asked of a provider, but {args.token} was")

    def inputs(self, kind: str, name: str | None = None) -> dict[str, Any]:
        """Inputs of the one resource of a kind, secrets opened."""
        (found,) = [made for made in self.made if made.typ == kind and name in (None, made.name)]
        return {key: opened(value) for key, value in found.inputs.items()}

    def is_secret(self, kind: str, key: str) -> bool:
        (found,) = [made for made in self.made if made.typ == kind]
        return is_secret(found.inputs[key])


def opened(value: Any) -> Any:
    if is_secret(value):
        return opened(value["value"])
    return {key: opened(item) for key, item in value.items()} if isinstance(value, dict) else value


def is_secret(value: Any) -> bool:
    return isinstance(value, dict) and SECRET in value


def deploy(program: Callable[[], list[Any]]) -> World:
    """Run a program under mocks to its end, and resolve the outputs that it returns."""
    world = World()
    pulumi.runtime.set_mocks(world)

    @pulumi.runtime.test
    def run() -> Any:
        return pulumi.Output.all(*program()).apply(world.values.extend)

    run()
    return world


def test_gateway() -> None:
    def program() -> list[Any]:
        gateway = ArcGateway("gw", {"resource_group_name": "arc", "location": "eastus", "tags": {"team_name": "net"}})
        return [gateway.id, gateway.endpoint, gateway.endpoint_url, gateway.url_prefix, gateway.provisioning_state]

    world = deploy(program)
    made = world.inputs("azure-native:hybridcompute:Gateway")
    assert made["resourceGroupName"] == "arc"
    assert made["location"] == "eastus"
    assert made["gatewayType"] == "Public"
    assert made["allowedFeatures"] == ["*"]
    assert made["tags"] == {"team_name": "net"}
    assert "gatewayName" not in made
    assert world.inputs("arc-gateway:index:ArcGateway")["resourceGroupName"] == "arc"
    host = "ab12.gw.arc.azure.com"
    assert world.values == [GATEWAY_ID, host, f"https://{host}", "ab12", "Succeeded"]


def test_proxy_is_canonical_and_probed() -> None:
    def program() -> list[Any]:
        entries = ["10.1.0.0/16", ".svc", "10.0.0.0/16", "10.1.0.0/16"]
        proxy = ProxySettings("corp", {"https_url": "http://proxy.corp:3128", "skip_range": entries})
        return [proxy.skip_range, proxy.verdict]

    world = deploy(program)
    skip_range, verdict = world.values
    assert skip_range[:2] == ["10.0.0.0/16", "10.1.0.0/16"]
    assert {"kubernetes.default.svc", ".svc", ".svc.cluster.local"} < set(skip_range)
    assert len(skip_range) == len(set(skip_range))
    assert verdict == "pass"
    probe = world.inputs("command:local:Command")
    assert probe["interpreter"] == ["bin/driver"]
    assert (probe["create"], probe["update"]) == ("probe", "probe")
    assert "delete" not in probe
    assert probe["environment"] == {
        "ARC_PROXY_HTTPS": "http://proxy.corp:3128",
        "ARC_PROXY_HTTP": "http://proxy.corp:3128",
        "ARC_PROXY_SKIP_RANGE": ",".join(skip_range),
        "ARC_PREFLIGHT": "require",
    }
    assert not world.is_secret("command:local:Command", "environment")


def test_credentials_make_a_proxy_secret_and_its_verdict_not() -> None:
    secrets = list[bool]()

    async def note(*values: pulumi.Output[Any]) -> None:
        secrets.extend([await value.is_secret() for value in values])

    def program() -> list[Any]:
        proxy = ProxySettings("corp", {"https_url": f"http://arc:{PASSWORD}@proxy.corp:3128"})
        return [note(proxy.https_url, proxy.http_url, proxy.verdict)]

    world = deploy(program)
    assert secrets == [True, True, False]
    assert world.is_secret("command:local:Command", "environment")
    assert PASSWORD in world.inputs("command:local:Command")["environment"]["ARC_PROXY_HTTPS"]


def test_no_probe_where_preflight_is_off() -> None:
    def program() -> list[Any]:
        return [ProxySettings("corp", {"https_url": "http://proxy.corp:3128", "preflight": "off"}).verdict]

    world = deploy(program)
    assert world.values == ["off"]
    assert not [made for made in world.made if made.typ == "command:local:Command"]


def test_the_order_of_a_skip_range_makes_no_change() -> None:
    entries = ["10.1.0.0/16", "intranet.corp", "10.0.0.0/16"]

    def program() -> list[Any]:
        one = ProxySettings("one", {"https_url": "http://p:1", "skip_range": entries})
        other = ProxySettings("other", {"https_url": "http://p:1", "skip_range": entries[::-1]})
        return [one.skip_range, other.skip_range]

    one, other = deploy(program).values
    assert one == other


@pytest.mark.parametrize(
    ("kind", "verbs"),
    [(ConnectedCluster, ("connect", "disconnect")), (GatewayAssociation, ("associate", "disassociate"))],
)
def test_cluster_asks_the_driver(kind: Any, verbs: tuple[str, str]) -> None:
    def program() -> list[Any]:
        cluster = kind("east", CLUSTER)
        return [cluster.id, cluster.agent_version, cluster.gateway_enabled, cluster.endpoints_removable_at]

    world = deploy(program)
    command = world.inputs("command:local:Command")
    assert (command["create"], command["update"], command["delete"]) == (verbs[0], verbs[0], verbs[1])
    assert command["interpreter"] == ["bin/driver"]
    assert command["environment"] == {
        "ARC_SUBSCRIPTION_ID": SUBSCRIPTION,
        "ARC_RESOURCE_GROUP": "arc",
        "ARC_CLUSTER_NAME": "east",
        "ARC_LOCATION": "eastus",
        "ARC_KUBE_CONTEXT": "ctx",
        "ARC_GATEWAY_ID": GATEWAY_ID,
        "ARC_GATEWAY_ENDPOINT": "ab12.gw.arc.azure.com",
        "ARC_PROXY_HTTPS": "http://10.9.8.7:3128",
        "ARC_PROXY_SKIP_RANGE": ".svc",
        "ARC_PREFLIGHT": "require",
    }
    assert command["triggers"] == [SUBSCRIPTION, "arc", "east", "eastus"]
    assert world.values == [REPORT["id"], "1.36.1", True, REPORT["endpointsRemovableAt"]]


def test_reports_of_a_cluster_are_not_secret_though_its_proxy_is() -> None:
    secrets = list[bool]()

    async def note(*values: pulumi.Output[Any]) -> None:
        secrets.extend([await value.is_secret() for value in values])

    def program() -> list[Any]:
        secret = pulumi.Output.secret(f"http://arc:{PASSWORD}@proxy.corp:3128")
        cluster = GatewayAssociation("west", {**CLUSTER, "proxy_https": secret, "egress_policy": True})
        return [note(cluster.id, cluster.connectivity_status, cluster.associated_at)]

    world = deploy(program)
    assert secrets == [False, False, False]
    assert world.is_secret("command:local:Command", "environment")
    assert PASSWORD not in json.dumps(world.inputs("kubernetes:networking.k8s.io/v1:NetworkPolicy"))


@pytest.mark.parametrize(
    ("proxy", "way_out"),
    [
        ("http://10.9.8.7:3128", {"to": [{"ipBlock": {"cidr": "10.9.8.7/32"}}], "port": 3128}),
        ("http://[fd00::1]:8080", {"to": [{"ipBlock": {"cidr": "fd00::1/128"}}], "port": 8080}),
        ("http://proxy.corp:3128", {"to": None, "port": 3128}),
    ],
)
def test_egress_policy_names_the_proxy_and_no_file_of_this_machine(proxy: str, way_out: dict[str, Any]) -> None:
    world = deploy(lambda: [ConnectedCluster("east", {**CLUSTER, "proxy_https": proxy, "egress_policy": True}).id])
    policy = world.inputs("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    assert policy["metadata"]["namespace"] == "azure-arc"
    last = policy["spec"]["egress"][-1]
    assert last["ports"] == [{"protocol": "TCP", "port": way_out["port"]}]
    assert last.get("to") == way_out["to"]
    assert world.inputs("pulumi:providers:kubernetes") == {"context": "ctx"}


def test_a_cluster_without_gateway_needs_its_subscription() -> None:
    with pytest.raises(ValueError, match="subscription_id"):
        deploy(lambda: [GatewayAssociation("west", {"cluster_name": "west", "resource_group_name": "arc"}).id])


def test_allowlist_never_offers_to_close_what_is_needed() -> None:
    def program() -> list[Any]:
        endpoint, regions = "ab12.gw.arc.azure.com", ["eastus", "westeurope"]
        allowlist = EndpointAllowlist("list", {"gateway_endpoint": endpoint, "regions": regions})
        return [allowlist.required, allowlist.removable]

    required, removable = deploy(program).values
    assert "ab12.gw.arc.azure.com" in required
    assert {"eus.his.arc.azure.com", "weu.his.arc.azure.com"} < set(required)
    assert "eastus.dp.kubernetesconfiguration.azure.com" in removable
    assert not set(required) & set(removable)
    assert required == sorted(required)


def test_a_cluster_teams_role_cannot_create_gateways() -> None:
    scope = f"/subscriptions/{SUBSCRIPTION}"

    def program() -> list[Any]:
        team = GatewayOperatorRole("team", {"scope": scope, "principal_ids": ["p1"]})
        owner = GatewayOperatorRole("owner", {"scope": scope, "manage_gateways": True})
        return [team.role_definition_id, owner.role_definition_id]

    world = deploy(program)

    def actions(name: str) -> list[str]:
        return world.inputs("azure-native:authorization:RoleDefinition", name)["permissions"][0]["actions"]

    manage = {"Microsoft.HybridCompute/gateways/write", "Microsoft.HybridCompute/gateways/delete"}
    assert not manage & set(actions("team"))
    assert manage < set(actions("owner"))
    assert world.inputs("azure-native:authorization:RoleAssignment")["principalId"] == "p1"
