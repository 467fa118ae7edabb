"""Each component's children, property by property, under the engine's mocks."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest
import trustme
from mock_engine import CLUSTER, GATEWAY_ID, REPORT, SUBSCRIPTION, deploy
from pulumi.errors import InputPropertyError

from arcgateway import rights
from components import (
    ArcGateway,
    ConnectedCluster,
    EndpointAllowlist,
    GatewayAssociation,
    GatewayOperatorRole,
    ProxySettings,
)
from components.component import ArgumentError
from components.package import Package

PASSWORD = "p%40ss-canary"


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
        "ARC_LOCATION": "eastus",
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
        outputs = [pulumi.Output.from_input(entry) for entry in entries[::-1]]
        other = ProxySettings("other", {"https_url": "http://p:1", "skip_range": [*outputs, *entries]})
        return [one.skip_range, other.skip_range]

    world = deploy(program)
    one, other = world.values
    assert one == other
    one, other = (world.inputs("arc-gateway:index:ProxySettings", name)["skipRange"] for name in ("one", "other"))
    assert one == other == sorted(entries)


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
    args: Any = {"cluster_name": "west", "resource_group_name": "arc", "location": "eastus"}
    with pytest.raises(ArgumentError, match="ConnectedCluster 'west': subscription_id: is missing"):
        deploy(lambda: [ConnectedCluster("west", args).id])


def test_an_association_needs_its_gateway_unless_it_is_paused() -> None:
    args: Any = {"cluster_name": "west", "resource_group_name": "arc", "subscription_id": SUBSCRIPTION}
    with pytest.raises(ArgumentError, match="GatewayAssociation 'west': gateway_id: is missing"):
        deploy(lambda: [GatewayAssociation("west", args).id])
    deploy(lambda: [GatewayAssociation("west", {**args, "enabled": False}).id])


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


def test_a_role_that_onboards_can_disconnect_too() -> None:
    world = deploy(lambda: [GatewayOperatorRole("ops", {"scope": "/s", "onboard_clusters": True}).role_definition_id])
    (permission,) = world.inputs("azure-native:authorization:RoleDefinition")["permissions"]
    actions = set(permission["actions"])
    assert {*rights.ASSOCIATE_ACTIONS, *rights.ONBOARD_ACTIONS, *rights.DISCONNECT_ACTIONS} == actions
    assert len(permission["actions"]) == len(actions)


def test_a_role_is_for_people_too() -> None:
    args: Any = {"scope": "/s", "principal_ids": ["p1"], "principal_type": "Group"}
    world = deploy(lambda: [GatewayOperatorRole("team", args).role_definition_id])
    assert world.inputs("azure-native:authorization:RoleAssignment")["principalType"] == "Group"


def test_a_gateway_with_a_group_of_its_own() -> None:
    def program() -> list[Any]:
        args: Any = {"resource_group_name": "arc", "create_resource_group": True, "location": "eastus", "protect": True}
        return [ArcGateway("gw", args).id]

    world = deploy(program)
    group = world.inputs("azure-native:resources:ResourceGroup")
    assert (group["resourceGroupName"], group["location"]) == ("arc", "eastus")
    assert {request.type: request.protect for request in world.requests if request.custom} == {
        "azure-native:resources:ResourceGroup": True,
        "azure-native:hybridcompute:Gateway": True,
    }


@pytest.mark.parametrize(("args", "protected"), [({}, True), ({"protect": False}, False)])
def test_the_components_own_protection_is_the_gateways_where_the_argument_says_nothing(
    args: Any, protected: bool
) -> None:
    def program() -> list[Any]:
        opts = pulumi.ResourceOptions(protect=True)
        return [ArcGateway("gw", {"resource_group_name": "arc", "create_resource_group": True, **args}, opts).id]

    assert {request.protect for request in deploy(program).requests if request.custom} == {protected}


@pytest.mark.parametrize(
    ("kind", "args", "said"),
    [
        (
            ConnectedCluster,
            {**CLUSTER, "kube_contxt": "east"},
            "kube_contxt: is no argument: did you mean kube_context",
        ),
        (ConnectedCluster, {"clusterName": "east"}, "clusterName: is no argument: did you mean cluster_name?"),
        (ConnectedCluster, {"cluster_name": "east"}, "location, resource_group_name: is missing"),
        (GatewayOperatorRole, {}, "scope: is missing"),
        (EndpointAllowlist, {"regions": None}, "gateway_endpoint, regions: is missing"),
        (
            ProxySettings,
            {"https_url": "http://p:1", "preflight": "on"},
            "preflight: 'on' is none of require",
        ),
        (ConnectedCluster, {**CLUSTER, "drift": "of"}, "drift: 'of' is none of"),
        (ConnectedCluster, {**CLUSTER, "on_unreachable": "ignore"}, "on_unreachable: 'ignore' is none of fail"),
        (ConnectedCluster, {**CLUSTER, "gateway_id": "gw"}, "gateway_id: 'gw' is not the id of an Arc gateway"),
        (ConnectedCluster, {**CLUSTER, "proxy_https": "proxy:1"}, "proxy_https: the proxy URL has no scheme"),
        (ConnectedCluster, {**CLUSTER, "proxy_skip_range": ["10.0.0.0/99"]}, "proxy_skip_range: '10.0.0.0/99'"),
    ],
    ids=lambda value: value.partition(":")[0] if isinstance(value, str) else "",
)
def test_arguments_that_cannot_be_used_are_told_before_anything_is_deployed(kind: Any, args: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(f"{kind.__name__} 'one': {said}")):
        deploy(lambda: [kind("one", args).urn])


def test_a_program_in_another_language_is_told_by_its_own_name_of_the_argument() -> None:
    with pytest.raises(InputPropertyError) as refused:
        deploy(lambda: [Package().construct("one", "arc-gateway:index:ProxySettings", {"httpsUrl": "proxy:1"}).urn])
    assert refused.value.property_path == "httpsUrl"
    assert refused.value.reason.startswith("the proxy URL has no scheme")


@pytest.mark.parametrize("kind", [ArcGateway, ConnectedCluster, EndpointAllowlist, GatewayOperatorRole, ProxySettings])
def test_an_argument_that_is_none_is_as_good_as_left_out(kind: Any) -> None:
    needed = {
        ArcGateway: {"resource_group_name": "arc"},
        ConnectedCluster: {**CLUSTER, "egress_policy": True},
        EndpointAllowlist: {"gateway_endpoint": "ab12.gw.arc.azure.com", "regions": ["eastus"]},
        GatewayOperatorRole: {"scope": f"/subscriptions/{SUBSCRIPTION}"},
        ProxySettings: {"https_url": "http://proxy.corp:3128"},
    }[kind]
    takes = inspect.get_annotations(kind.__init__)["args"].__annotations__

    def asked(args: Any) -> list[tuple[str, Any]]:
        return [(made.typ, made.inputs) for made in deploy(lambda: [kind("one", args).urn]).made]

    assert asked({**dict.fromkeys(takes), **needed}) == asked(needed)


@pytest.mark.parametrize(
    "make",
    [lambda: ArcGateway.get("gw", GATEWAY_ID), lambda: ArcGateway("gw", {"existing_id": GATEWAY_ID})],
    ids=["get", "argument"],
)
def test_an_existing_gateway_is_read_and_not_owned(make: Any) -> None:
    def program() -> list[Any]:
        gateway = make()
        return [gateway.id, gateway.endpoint, gateway.resource_id]

    world = deploy(program)
    assert world.values == [GATEWAY_ID, "ab12.gw.arc.azure.com", GATEWAY_ID]
    (read,) = [made for made in world.made if made.typ == "azure-native:hybridcompute:Gateway"]
    assert read.resource_id == GATEWAY_ID
    assert not [request for request in world.requests if request.custom]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({}, "resource_group_name: is missing"),
        ({"existing_id": GATEWAY_ID, "location": "eastus"}, "location: an existing gateway is used as it is"),
        (
            {"existing_id": GATEWAY_ID.replace("gateways", "machines")},
            "existing_id: .* is not the id of an Arc gateway",
        ),
    ],
)
def test_arguments_of_a_gateway_that_cannot_be_used(args: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=f"ArcGateway 'gw': {said}"):
        deploy(lambda: [ArcGateway("gw", args).id])


@pytest.mark.parametrize("given", ["https_url", "http_url"])
def test_one_url_serves_both(given: str) -> None:
    def program() -> list[Any]:
        args: Any = {given: "http://proxy.corp:3128"}
        proxy = ProxySettings("corp", args)
        return [proxy.https_url, proxy.http_url, proxy.environment]

    https_url, http_url, environment = deploy(program).values
    assert https_url == http_url == "http://proxy.corp:3128"
    assert environment["HTTPS_PROXY"] == environment["HTTP_PROXY"] == https_url
    assert set(environment) == {"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"}
    assert ".svc" in environment["NO_PROXY"].split(",")


def test_a_user_and_a_password_go_into_the_urls_as_secrets() -> None:
    secrets = list[bool]()

    async def note(*values: pulumi.Output[Any]) -> None:
        secrets.extend([await value.is_secret() for value in values])

    def program() -> list[Any]:
        args: Any = {"https_url": "http://proxy.corp:3128", "username": "arc@corp", "password": "p@ss/canary"}
        proxy = ProxySettings("corp", args)
        return [proxy.https_url, proxy.environment, note(proxy.https_url, proxy.environment, proxy.skip_range)]

    world = deploy(program)
    assert world.values[0] == "http://arc%40corp:p%40ss%2Fcanary@proxy.corp:3128"
    assert world.values[1]["HTTPS_PROXY"] == world.values[0]
    assert secrets == [True, True, False]
    assert world.is_secret("arc-gateway:index:ProxySettings", "password")


@pytest.mark.parametrize("url", ["http://arc:p%40ss@proxy.corp:3128", pulumi.Output.from_input])
def test_a_url_with_a_password_is_secret_among_the_inputs_too(url: Any) -> None:
    plain = "http://arc:p%40ss@proxy.corp:3128"

    def program() -> list[Any]:
        return [ProxySettings("corp", {"https_url": url if isinstance(url, str) else url(plain)}).verdict]

    assert deploy(program).is_secret("arc-gateway:index:ProxySettings", "httpsUrl")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({}, "https_url: is missing"),
        ({"http_url": "proxy.corp:3128"}, "http_url: the proxy URL has no scheme"),
        ({"https_url": "http://p:1", "skip_range": ["10.0.0.0/99"]}, "skip_range: '10.0.0.0/99'"),
        (
            {"https_url": "http://p:1", "certificate": "missing.pem"},
            "certificate: 'missing.pem' is no PEM text, and no file",
        ),
        ({"https_url": "http://p:1", "password": "x"}, "https_url: the password has no user"),
        ({"https_url": "http://a:b@p:1", "username": "c"}, "https_url: the proxy URL holds credentials, and"),
    ],
)
def test_arguments_of_a_proxy_that_cannot_be_used(args: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=f"ProxySettings 'corp': {said}"):
        deploy(lambda: [ProxySettings("corp", args).https_url])


def test_a_certificate_is_a_text_or_a_file(tmp_path: Path) -> None:
    root = trustme.CA().cert_pem
    text, file = root.bytes().decode(), tmp_path / "root.pem"
    root.write_to_path(file)

    def program() -> list[Any]:
        made = [ProxySettings(f"p{n}", {"https_url": "https://p:1", "certificate": one}) for n, one in enumerate(given)]
        return [proxy.certificate for proxy in made]

    given = [text, str(file)]
    assert deploy(program).values == [text, text]


def test_a_role_has_a_name_of_its_own_where_one_is_given() -> None:
    args: Any = {"scope": "/s", "role_name": "Arc gateway operator"}
    world = deploy(lambda: [GatewayOperatorRole("team", args).role_definition_id])
    assert world.inputs("azure-native:authorization:RoleDefinition")["roleName"] == "Arc gateway operator"
