"""The gateway's commands, after the recorded session of the real ones."""

from __future__ import annotations

import json

import pytest
from az_world import GATEWAY, GROUP, LINK, World

VERSION = "2024-07-31-preview"
FLAGS = ("-n", "gw1", "-g", "arc-dev")
MADE = {
    "id": GATEWAY,
    "name": "gw1",
    "location": "eastus",
    "type": "Microsoft.HybridCompute/gateways",
    "properties": {
        "allowedFeatures": ["*"],
        "gatewayType": "Public",
        "gatewayEndpoint": "x.gw.arc.azure.com",
        "provisioningState": "Succeeded",
    },
}


def test_create_puts_what_the_real_one_puts_and_waits_for_the_end(world: World) -> None:
    creating = {**MADE, "properties": {"provisioningState": "Creating"}}
    world.answers["PUT", "/gateways/gw1"] = [(201, creating)]
    world.resources[GATEWAY.lower()] = MADE
    done = world.az("arcgateway", "create", *FLAGS, "-l", "eastus")
    assert done.returncode == 0, done.stderr
    method, host, path, body = world.calls[0]
    assert (method, host, path) == ("PUT", "management.azure.com", f"{GATEWAY}?api-version={VERSION}")
    assert body == {"location": "eastus", "properties": {"allowedFeatures": ["*"]}}
    assert world.asked()[1:] == ["GET RG/providers/Microsoft.HybridCompute/gateways/gw1"]
    assert json.loads(done.stdout) == {
        "allowedFeatures": ["*"],
        "gatewayEndpoint": "x.gw.arc.azure.com",
        "gatewayType": "Public",
        "id": GATEWAY,
        "location": "eastus",
        "name": "gw1",
        "provisioningState": "Succeeded",
        "resourceGroup": "arc-dev",
        "type": "Microsoft.HybridCompute/gateways",
    }


@pytest.mark.parametrize(
    ("end", "code", "told"),
    [
        ({"status": "Succeeded"}, 0, ""),
        ({"status": "Failed", "error": {"code": "Quota", "message": "five at most"}}, 1, "ERROR: (Quota) five at most"),
        ({"status": "Canceled"}, 1, "ERROR: (Canceled) The operation ended as Canceled."),
    ],
)
def test_a_long_operation_is_followed_to_its_end(world: World, end: dict[str, object], code: int, told: str) -> None:
    follow = {"Azure-AsyncOperation": "https://management.azure.com/operation/1?api-version=x", "Retry-After": "0"}
    world.answers["PUT", "/gateways/gw1"] = [(201, {**MADE, "properties": {}}, follow)]
    again = {"Retry-After": "0"}
    world.answers["GET", "/operation/1"] = [
        (200, {"status": "Queued"}, again),
        (200, {"status": "InProgress"}, again),
        (200, end),
    ]
    world.resources[GATEWAY.lower()] = MADE
    done = world.az("arcgateway", "create", *FLAGS, "-l", "eastus")
    assert done.returncode == code
    assert done.stderr.startswith(told)
    assert world.asked()[1:4] == ["GET /operation/1"] * 3
    assert len(world.calls) == (5 if code == 0 else 4)


def test_without_a_location_the_groups_own_is_taken(world: World) -> None:
    world.resources[GROUP.lower()] = {"id": GROUP, "location": "westeurope"}
    assert world.az("arcgateway", "create", *FLAGS, "--tags", "a=b", "--gateway-type", "public").returncode == 0
    assert world.calls[-1][3] == {
        "location": "westeurope",
        "properties": {"allowedFeatures": ["*"], "gatewayType": "Public"},
        "tags": {"a": "b"},
    }


def test_update_reads_and_puts_back_the_whole(world: World) -> None:
    world.resources[GATEWAY.lower()] = {**MADE, "tags": {"kept": "no"}}
    assert world.az("arcgateway", "update", *FLAGS, "--tags", "a=b").returncode == 0
    assert [call[0] for call in world.calls] == ["GET", "PUT"]
    assert world.calls[1][3] == {
        "location": "eastus",
        "tags": {"a": "b"},
        "properties": {"allowedFeatures": ["*"], "gatewayType": "Public"},
    }


def test_show_list_delete_and_what_is_not_there(world: World) -> None:
    missing = world.az("arcgateway", "show", *FLAGS)
    assert missing.returncode == 3
    assert missing.stderr == (
        "ERROR: (ResourceNotFound) The Resource 'gw1' was not found.\n"
        "Code: ResourceNotFound\nMessage: The Resource 'gw1' was not found.\n"
    )
    world.resources[GATEWAY.lower()] = MADE
    assert (
        world.az("arcgateway", "show", *FLAGS, "--query", "gatewayEndpoint", "-o", "tsv").stdout
        == "x.gw.arc.azure.com\n"
    )
    assert world.az("arcgateway", "list", "--query", "[].name", "-o", "tsv").stdout == "gw1\n"
    assert world.az("arcgateway", "delete", *FLAGS).returncode == 1
    done = world.az("arcgateway", "delete", *FLAGS, "--yes")
    assert (done.returncode, done.stdout) == (0, "")
    assert GATEWAY.lower() not in world.resources


def test_settings_update_associates_and_ends_the_association(world: World) -> None:
    base = (
        "--base-provider",
        "Microsoft.Kubernetes",
        "--base-resource-type",
        "connectedClusters",
        "--base-resource-name",
        "east",
    )
    world.resources[LINK.lower()] = {
        "id": LINK,
        "name": "default",
        "properties": {"tenantId": "t", "gatewayProperties": {}},
    }
    done = world.az("arcgateway", "settings", "update", "-g", "arc-dev", *base, "--gateway-resource-id", GATEWAY)
    assert json.loads(done.stdout)["gatewayResourceId"] == GATEWAY, done.stderr
    assert [(call[0], call[2].split("/")[-1]) for call in world.calls] == [
        ("GET", f"default?api-version={VERSION}"),
        ("PUT", f"default?api-version={VERSION}"),
    ]
    assert world.calls[1][3] == {"properties": {"gatewayProperties": {"gatewayResourceId": GATEWAY}}}
    assert (
        world.az("arcgateway", "settings", "update", "-g", "arc-dev", *base, "--gateway-resource-id", "null").returncode
        == 0
    )
    assert world.calls[-1][3] == {"properties": {"gatewayProperties": {"gatewayResourceId": None}}}


def test_the_service_is_asked_again_when_it_is_busy(world: World) -> None:
    world.resources[GATEWAY.lower()] = MADE
    busy = {"error": {"code": "TooManyRequests", "message": "slow down"}}
    world.answers["GET", "/gateways/gw1"] = [(429, busy), (503, busy)]
    assert world.az("arcgateway", "show", *FLAGS).returncode == 0
    assert len(world.calls) == 3
    world.answers["GET", "/gateways/gw1"] = [(403, {"error": {"code": "AuthorizationFailed", "message": "no"}})]
    refused = world.az("arcgateway", "show", *FLAGS)
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (1, "ERROR: (AuthorizationFailed) no")
