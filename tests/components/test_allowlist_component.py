"""EndpointAllowlist: what it is given and makes, under mocks."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest
import yaml
from mock_engine import SUBSCRIPTION, World, deploy

from arcgateway import endpoints
from components import EndpointAllowlist
from components.component import ArgumentError

ENDPOINT = "ab12.gw.arc.azure.com"
POLICY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/hub/providers/Microsoft.Network/firewallPolicies/edge"
GROUP = "azure-native:network:FirewallPolicyRuleCollectionGroup"


def declared(*outputs: str, **more: Any) -> World:
    def program() -> list[Any]:
        made = EndpointAllowlist("list", {"gateway_endpoint": ENDPOINT, "regions": ["eastus"], **more})  # type: ignore[typeddict-item]
        return [getattr(made, name) for name in outputs]

    return deploy(program)


def test_times_are_those_of_the_last_cluster_that_uses_a_name() -> None:
    late = pulumi.Output.from_input("2026-11-27T12:00:00Z")
    times = {"eastus": ["2026-11-26T12:00:00Z"], "westeurope": [late]}
    removable, at = declared(
        "removable", "removable_at", regions=["eastus", "westeurope"], endpoints_removable_at=times
    ).values
    assert set(at) == set(removable)
    assert at["eastus.dp.kubernetesconfiguration.azure.com"] == "2026-11-26T12:00:00Z"
    assert at["sts.windows.net"] == "2026-11-27T12:00:00Z"


@pytest.mark.parametrize("none", [None, ""])
def test_a_cluster_without_a_gateway_holds_open_what_it_uses(none: Any) -> None:
    times = {"eastus": ["2026-11-26T12:00:00Z", none]}
    removable, at = declared("removable", "removable_at", endpoints_removable_at=times).values
    assert removable and at == {}


def test_names_that_are_kept_are_none_that_may_be_closed() -> None:
    kept, removable, required = declared("kept", "removable", "required", scenarios=["azure-rbac", "extensions"]).values
    assert "linuxgeneva-microsoft.azurecr.io" in kept and "*.his.arc.azure.com" in kept
    assert not set(kept) & set(removable) and not set(kept) & set(required)


def test_files_are_made_where_asked_and_hold_the_same_names() -> None:
    assert declared("files").values == [{}]
    (files,) = declared("files", formats=["plain", "cilium", "json"]).values
    assert set(files) == {"plain", "cilium", "json"}
    nine = [row.host for row in endpoints.required(ENDPOINT, "eastus")]
    assert [line.removesuffix(":443") for line in files["plain"].splitlines()] == nine
    assert [row["host"] for row in json.loads(files["json"])] == nine
    assert yaml.safe_load(files["cilium"])["kind"] == "CiliumNetworkPolicy"


def test_the_edition_and_the_vault_count() -> None:
    (required,) = declared("required", scenarios=["defender", "key-vault"], edition="preview", vault="mine").values
    assert "mine.vault.azure.net" in required and "*.cloud.defender.microsoft.com" not in required


def test_no_firewall_is_touched_unless_asked() -> None:
    assert [made.typ for made in declared("required").made if "network" in made.typ] == []


def test_rules_of_a_firewall_policy() -> None:
    made = declared("required", firewall_policy_id=POLICY, firewall_source_addresses=["10.0.0.0/16"]).inputs(GROUP)
    assert made["resourceGroupName"] == "hub" and made["firewallPolicyName"] == "edge" and made["priority"] == 300
    (collection,) = made["ruleCollections"]
    (rule,) = collection["rules"]
    assert rule["sourceAddresses"] == ["10.0.0.0/16"] and rule["terminateTLS"] is False
    assert rule["protocols"] == [{"protocolType": "Https", "port": 443}]
    assert rule["targetFqdns"] == sorted(row.host for row in endpoints.required(ENDPOINT, "eastus"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"firewall_policy_id": "edge"}, "firewall_policy_id: .*Azure Firewall policy"),
        ({"firewall_policy_id": POLICY, "firewall_priority": 5}, "firewall_priority: .*100 to 65000"),
        ({"formats": ["pf"]}, "formats: .*unknown format 'pf'"),
        ({"endpoints_removable_at": {"eastus": ["noon"]}}, "endpoints_removable_at: .*no time"),
        ({"scenarios": ["nothing"]}, "unknown scenario nothing"),
        ({"edition": "beta"}, "unknown edition"),
        ({"regions": []}, "at least one Azure region"),
    ],
)
def test_wrong_arguments_are_named(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        declared("required", "files", "removable_at", **more)
