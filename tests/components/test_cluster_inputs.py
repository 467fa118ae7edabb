"""A cluster's arguments become the driver's variables; which cluster is meant; and what is secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mock_engine import deploy, is_secret

import components
from arcgateway import connect_flags, driver_settings
from arcgateway.errors import Failure
from arcgateway.results import Exemption

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GATEWAY_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.HybridCompute/gateways/gw"
CLUSTER_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/arc/providers/Microsoft.Kubernetes/connectedClusters/east"
NAMED = {"cluster_name": "east", "resource_group_name": "arc", "subscription_id": SUBSCRIPTION, "location": "eastus"}
COMMAND = "command:local:Command"
SCOPE = GATEWAY_ID.replace("gateways", "privateLinkScopes")


def environment(component: Any, args: dict[str, Any]) -> dict[str, Any]:
    def program() -> list[Any]:
        return [component("one", args).urn]

    found: dict[str, Any] = deploy(program).inputs(COMMAND)["environment"]
    return found


def test_every_flag_has_an_argument_and_the_driver_reads_it() -> None:
    args = {
        **NAMED,
        "distribution": "k3s",
        "distribution_version": "1.33",
        "infrastructure": "vsphere",
        "azure_hybrid_benefit": "False",
        "disable_auto_upgrade": True,
        "custom_locations_oid": SUBSCRIPTION,
        "onboarding_timeout": 900,
        "container_log_path": "/var/log",
        "enable_oidc_issuer": True,
        "self_hosted_issuer": "https://oidc.test",
        "enable_workload_identity": False,
        "enable_private_link": True,
        "private_link_scope_id": SCOPE,
        "configuration_settings": {"metrics": {"port": "9090"}},
        "preflight_exceptions": {"mcr.microsoft.com": {"counts": "ignore", "reason": "a mirror"}},
    }
    read = driver_settings.read(environment(components.ConnectedCluster, args), cluster_needed=True)
    assert read.exceptions == (Exemption("mcr.microsoft.com", "ignore", "a mirror"),)
    assert read.flags == {
        "ARC_DISTRIBUTION": "k3s",
        "ARC_DISTRIBUTION_VERSION": "1.33",
        "ARC_INFRASTRUCTURE": "vsphere",
        "ARC_AZURE_HYBRID_BENEFIT": "False",
        "ARC_DISABLE_AUTO_UPGRADE": "true",
        "ARC_CUSTOM_LOCATIONS_OID": SUBSCRIPTION,
        "ARC_ONBOARDING_TIMEOUT": "900",
        "ARC_CONTAINER_LOG_PATH": "/var/log",
        "ARC_ENABLE_OIDC_ISSUER": "true",
        "ARC_SELF_HOSTED_ISSUER": "https://oidc.test",
        "ARC_ENABLE_WORKLOAD_IDENTITY": "false",
        "ARC_ENABLE_PRIVATE_LINK": "true",
        "ARC_PRIVATE_LINK_SCOPE_ID": SCOPE,
    }
    assert read.flags.keys() == connect_flags.BY_VARIABLE.keys()
    assert read.configuration == {"metrics.port": "9090"} and not read.paused


def test_what_is_not_given_is_not_told() -> None:
    told = environment(components.ConnectedCluster, NAMED)
    assert set(told) == {
        "ARC_SUBSCRIPTION_ID",
        "ARC_RESOURCE_GROUP",
        "ARC_CLUSTER_NAME",
        "ARC_LOCATION",
        "ARC_PREFLIGHT",
    }


def test_a_cluster_by_its_id_is_the_cluster_by_its_name() -> None:
    named = {**NAMED, "gateway_id": GATEWAY_ID}
    by_id = {"cluster_id": CLUSTER_ID, "gateway_id": GATEWAY_ID, "location": "eastus"}
    told = environment(components.GatewayAssociation, by_id)
    assert told == environment(components.GatewayAssociation, named)
    assert (told["ARC_RESOURCE_GROUP"], told["ARC_CLUSTER_NAME"]) == ("arc", "east")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({}, "is missing: give it, or cluster_name and resource_group_name"),
        ({"cluster_name": "east"}, "is missing: give it, or cluster_name and resource_group_name"),
        ({"cluster_id": CLUSTER_ID, "cluster_name": "east"}, "says all of it: leave cluster_name out"),
        ({"cluster_id": CLUSTER_ID, "subscription_id": SUBSCRIPTION}, "leave subscription_id out"),
        ({"cluster_id": GATEWAY_ID}, "is not the id of a connected cluster: give one of the form"),
        ({"cluster_id": f"https://management.usgovcloudapi.net{CLUSTER_ID}"}, "is not the id of a connected cluster"),
    ],
)
def test_a_cluster_that_cannot_be_told_is_refused(args: dict[str, Any], said: str) -> None:
    with pytest.raises(Exception, match="cluster_id") as refused:
        environment(components.GatewayAssociation, {"gateway_id": GATEWAY_ID, **args})
    assert said in str(refused.value)


def test_secrets_are_secrets_whatever_they_came_as() -> None:
    args = {
        **NAMED,
        "proxy_https": "http://user:c4nary@proxy.test:3128",
        "configuration_protected_settings": {"relay": {"key": "c4nary"}},
    }

    def program() -> list[Any]:
        return [components.ConnectedCluster("one", args).urn]

    world = deploy(program)
    assert json.loads(world.inputs(COMMAND)["environment"]["ARC_CONFIGURATION_PROTECTED_SETTINGS"]) == {
        "relay": {"key": "c4nary"}
    }
    for token in ("arc-gateway:index:ConnectedCluster", COMMAND):
        (made,) = [made for made in world.made if made.typ == token]
        assert "c4nary" in json.dumps(made.inputs) and "c4nary" not in json.dumps(without_secrets(made.inputs))


def without_secrets(value: Any) -> Any:
    if is_secret(value):
        return "secret"
    return {key: without_secrets(item) for key, item in value.items()} if isinstance(value, dict) else value


def test_a_look_from_inside_the_cluster_reaches_the_driver() -> None:
    args = {**NAMED, "preflight_in_cluster": True, "preflight_image": "r/python:3.12", "preflight_namespace": "net"}
    read = driver_settings.read(environment(components.ConnectedCluster, args), cluster_needed=True)
    assert (read.in_cluster, read.in_cluster_image, read.in_cluster_namespace) == (True, "r/python:3.12", "net")
    assert "ARC_PREFLIGHT_IN_CLUSTER" not in environment(components.ConnectedCluster, NAMED)
    wrong = {**environment(components.ConnectedCluster, args), "ARC_PREFLIGHT_IMAGE": "a b"}
    with pytest.raises(Failure, match="ARC_PREFLIGHT_IMAGE: 'a b' is no reference to an image"):
        driver_settings.read(wrong, cluster_needed=True)
