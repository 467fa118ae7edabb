"""What the real client does with the flags of `connect` and `update` besides proxies and gateways, its oddities too."""

from __future__ import annotations

import json
from typing import Any

import pytest
from az_world import CLUSTER, GATEWAY, World

CHOSEN = ("-n", "east", "-g", "arc-dev")
CONNECT = ("connectedk8s", "connect", *CHOSEN, "-l", "eastus")
UPDATE = ("connectedk8s", "update", *CHOSEN)
EAST = "RG/providers/Microsoft.Kubernetes/connectedClusters/east"


def stored(world: World) -> Any:
    return world.resources[CLUSTER.lower()]["properties"]


@pytest.fixture
def connected(world: World) -> World:
    world.connected()
    (world.folder / "values.json").write_text(json.dumps({"global": {"isProxyEnabled": False}}))
    return world


@pytest.mark.parametrize(
    ("flags", "properties"),
    [
        (("--distribution-version", "1.33"), {"distributionVersion": "1.33"}),
        (("--azure-hybrid-benefit", "true", "--yes"), {"azureHybridBenefit": "True"}),
        (("--disable-auto-upgrade",), {"arcAgentProfile": {"agentAutoUpgrade": "Disabled"}}),
        (("--enable-oidc-issuer",), {"oidcIssuerProfile": {"enabled": True}}),
        (
            ("--enable-oidc-issuer", "--self-hosted-issuer", "https://x", "--distribution", "eks"),
            {"oidcIssuerProfile": {"enabled": True, "selfHostedIssuerUrl": "https://x"}, "distribution": "eks"},
        ),
        (("--enable-wi",), {"securityProfile": {"workloadIdentity": {"enabled": True}}}),
        (
            ("--container-log-path", "/var/log", "--config", "a.b=1"),
            {
                "arcAgentryConfigurations": [
                    {"feature": "a", "settings": {"b": "1"}},
                    {"feature": "logging", "settings": {"container_log_path": "/var/log"}},
                ]
            },
        ),
    ],
)
def test_connect_puts_what_it_is_told(world: World, flags: tuple[str, ...], properties: dict[str, Any]) -> None:
    done = world.az(*CONNECT, *flags)
    assert done.returncode == 0, done.stderr
    assert {name: stored(world)[name] for name in properties} == properties


def test_an_issuer_of_a_public_cloud_has_to_be_named(connected: World) -> None:
    done = connected.az(*CONNECT, "--enable-oidc-issuer", "--distribution", "gke")
    assert (done.returncode, "Self hosted issuer is required for gke cluster" in done.stderr) == (1, True)
    stored(connected)["distribution"] = "aks"
    done = connected.az(*UPDATE, "--enable-oidc-issuer")
    assert (done.returncode, "Self hosted issuer is required for aks cluster" in done.stderr) == (1, True)


def test_private_link_turns_cluster_connect_off(world: World) -> None:
    scope = CLUSTER.rpartition("/providers/")[0] + "/providers/Microsoft.HybridCompute/privateLinkScopes/pls"
    world.resources[scope.lower()] = {"id": scope, "location": "eastus"}
    linked = ("--enable-private-link", "--pls-arm-id", scope, "--yes")
    assert world.az(*CONNECT, *linked).returncode == 0
    assert (stored(world)["privateLinkState"], stored(world)["privateLinkScopeResourceId"]) == ("Enabled", scope)
    installed = world.installed()["systemDefaultValues"]
    assert installed["clusterconnect-agent"] == {"enabled": False} and "customLocations" not in installed
    world.connected()
    (world.folder / "installed.json").unlink()
    done = world.az(*CONNECT, *linked)
    assert done.returncode == 0, done.stderr
    assert stored(world)["privateLinkState"] == "Enabled"
    assert world.installed()["systemDefaultValues"]["clusterconnect-agent"] == {"enabled": False}


def test_the_object_id_that_the_tenant_has_goes_before_the_one_that_is_given(world: World) -> None:
    assert world.az(*CONNECT, "--custom-locations-oid", "mine").returncode == 0
    assert world.installed()["systemDefaultValues"]["customLocations"]["oid"] == "oid-of-custom-locations"


def test_settings_alone_are_refused_and_a_hybrid_benefit_forgets_the_rest(connected: World) -> None:
    done = connected.az(*UPDATE, "--config", "a.b=1")
    assert (done.returncode, "No parameters were specified" in done.stderr) == (1, True)
    connected.calls.clear()
    assert connected.az(*UPDATE, "--azure-hybrid-benefit", "False", "--gateway-resource-id", GATEWAY).returncode == 0
    assert connected.asked() == [f"GET {EAST}", f"PATCH {EAST}"]
    told = ("--azure-hybrid-benefit", "False", "--config", "a.b=1", "--auto-upgrade", "false")
    assert connected.az(*UPDATE, *told).returncode == 0
    assert [one["feature"] for one in stored(connected)["arcAgentryConfigurations"]] == ["a"]


def test_upgrade_is_for_clusters_that_do_not_upgrade_by_themselves(connected: World) -> None:
    done = connected.az("connectedk8s", "upgrade", *CHOSEN)
    assert (done.returncode, "only supported when auto-upgrade is set to false" in done.stderr) == (1, True)
    stored(connected)["arcAgentProfile"]["agentAutoUpgrade"] = "Disabled"
    done = connected.az("connectedk8s", "upgrade", *CHOSEN, "--agent-version", "1.40.0")
    assert done.returncode == 0, done.stderr
    assert "have been upgraded successfully" in done.stdout
    assert any(line.startswith("pull ") and "--version 1.40.0" in line for line in connected.helm())


def test_resource_groups(world: World) -> None:
    group = CLUSTER.partition("/providers/")[0]
    made = json.loads(world.az("group", "create", "-n", "arc-dev", "-l", "East US", "--tags", "a=b").stdout)
    assert (made["id"], made["location"], made["tags"]) == (group, "eastus", {"a": "b"})
    assert json.loads(world.az("group", "show", "-g", "arc-dev").stdout)["name"] == "arc-dev"
    assert world.az("group", "exists", "-n", "arc-dev").stdout == "true\n"
    refused = world.az("group", "delete", "-n", "arc-dev")
    assert (refused.returncode, "no tty" in refused.stderr) == (1, True)
    assert world.az("group", "delete", "-n", "arc-dev", "--yes").returncode == 0
    assert world.asked()[-1] == "DELETE RG" and world.az("group", "show", "-n", "arc-dev").returncode == 3


def test_a_cluster_is_printed_with_all_that_the_model_knows(connected: World) -> None:
    """Names, nulls and the form of times as the real `az connectedk8s` 1.11.2 prints them."""
    stored(connected).update(
        aadProfile={"enableAzureRBAC": True},
        arcAgentProfile={"agentAutoUpgrade": "Enabled", "agentErrors": []},
        arcAgentryConfigurations=[{"feature": "proxy", "settings": {}}],
        lastConnectivityTime="2026-11-25T23:54:58.283005Z",
    )
    shown = json.loads(connected.az("connectedk8s", "show", "-n", "east", "-g", "arc-dev").stdout)
    assert shown["aadProfile"] == {"adminGroupObjectIDs": None, "enableAzureRbac": True, "tenantId": None}
    assert shown["arcAgentProfile"] == {
        "agentAutoUpgrade": "Enabled",
        "agentErrors": [],
        "agentState": None,
        "desiredAgentVersion": None,
        "systemComponents": None,
    }
    assert shown["arcAgentryConfigurations"] == [{"feature": "proxy", "protectedSettings": None, "settings": {}}]
    assert shown["lastConnectivityTime"] == "2026-11-25T23:54:58.283005+00:00" and shown["oidcIssuerProfile"] is None
