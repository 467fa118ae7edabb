"""Microsoft's own `az`, unmodified: on a registered cloud, and on the public one through a proxy."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from local_azure import CLUSTERS, GATEWAYS, GROUPS, SETTINGS, LocalAzure, Router
from real_az import Az, real_az

SECRET = "a secret of the test's own"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


@pytest.fixture(scope="module")
def az(azure: LocalAzure, tmp_path_factory: pytest.TempPathFactory) -> Az:
    """Logged in to a cloud that is registered by nothing but its address."""
    # There is no login.microsoftonline.com to ask about a private cloud's login: the documented setting for those.
    private = {"AZURE_CORE_INSTANCE_DISCOVERY": "no"}
    az = Az(real_az(), tmp_path_factory.mktemp("registered"), azure.bundle, private)
    az("cloud", "register", "--name", "Sandbox", "--endpoint-resource-manager", azure.url)
    az("cloud", "set", "--name", "Sandbox")
    az.login(azure)
    return az


@pytest.fixture(scope="module")
def router(azure: LocalAzure) -> Iterator[Router]:
    with Router(azure.port) as router:
        yield router


@pytest.fixture(scope="module")
def public(azure: LocalAzure, router: Router, tmp_path_factory: pytest.TempPathFactory) -> Az:
    """Logged in to the public cloud, as it is out of the box, by way of a proxy."""
    proxy = {"HTTPS_PROXY": f"http://127.0.0.1:{router.port}"}
    az = Az(real_az(), tmp_path_factory.mktemp("public"), azure.bundle, proxy)
    az.login(azure)
    return az


@pytest.fixture(scope="module")
def group(azure: LocalAzure) -> str:
    return azure.group()


def flat(role: dict[str, Any]) -> dict[str, Any]:
    """A role as `az` prints it: from one run to the next with its properties apart, or among the rest."""
    return {**role.get("properties", {}), **role}


def test_a_login_knows_its_subscription_and_its_cloud(azure: LocalAzure, az: Az) -> None:
    account, identity = az("account", "show"), azure.identity
    assert (account["id"], account["tenantId"]) == (identity.subscription_id, identity.tenant_id)
    assert account["user"] == {"name": identity.client_id, "type": "servicePrincipal"}
    assert (account["environmentName"], account["state"]) == ("Sandbox", "Enabled")
    endpoints = az("cloud", "show")["endpoints"]
    assert {endpoints[one] for one in ("resourceManager", "activeDirectory", "microsoftGraphResourceId")} == {azure.url}
    assert "eastus" in az("account", "list-locations", "--query", "[].name")
    tenants = az("rest", "--method", "get", "--url", "/tenants?api-version=2022-12-01")["value"]
    assert [one["tenantId"] for one in tenants] == [identity.tenant_id]


def test_a_wrong_secret_is_refused(azure: LocalAzure, public: Az, tmp_path: Path) -> None:
    identity = azure.identity
    who = ("--username", identity.client_id, "--password", "wrong", "--tenant", identity.tenant_id)
    assert "AADSTS7000215" in replace(public, folder=tmp_path).refused("login", "--service-principal", *who)


def test_a_group_from_creation_to_deletion(azure: LocalAzure, az: Az) -> None:
    name = f"az-{uuid.uuid4().hex[:8]}"
    identifier = f"{azure.subscription}/resourceGroups/{name}"
    assert az("group", "exists", "--name", name) is False
    made = az("group", "create", "--name", name, "--location", "eastus", "--tags", "team=edge", f"mark={name}")
    assert (made["id"], made["properties"]["provisioningState"]) == (identifier, "Succeeded")
    assert az("group", "exists", "--name", name) is True
    assert [one["id"] for one in az("group", "list", "--tag", f"mark={name}")] == [identifier]
    az("group", "update", "--name", name, "--set", "tags.team=core")
    assert az("group", "show", "--name", name)["tags"] == {"team": "core", "mark": name}
    assert azure.call("GET", identifier, GROUPS).json()["tags"] == {"team": "core", "mark": name}
    az("group", "delete", "--name", name, "--yes")
    assert azure.call("GET", identifier, GROUPS).status_code == 404
    assert "ResourceGroupNotFound" in az.refused("group", "show", "--name", name)


def test_rest_calls_make_change_and_delete_what_the_cloud_holds(azure: LocalAzure, az: Az, group: str) -> None:
    def rest(method: str, identifier: str, version: str, body: object = None) -> dict[str, object]:
        sent = ("--body", json.dumps(body)) if body else ()
        return dict(az("rest", "--method", method, "--url", f"{identifier}?api-version={version}", *sent) or {})

    gateway = f"{group}/providers/Microsoft.HybridCompute/gateways/rest"
    made = rest("put", gateway, GATEWAYS, {"location": "eastus", "properties": {"allowedFeatures": ["*"]}})
    assert made["id"] == gateway
    azure.advance(1)
    assert rest("patch", gateway, GATEWAYS, {"tags": {"team": "edge"}})["tags"] == {"team": "edge"}
    cluster = azure.cluster(group, "rest")
    settings = f"{cluster}/providers/Microsoft.HybridCompute/settings/default"
    wanted = {"gatewayProperties": {"gatewayResourceId": gateway}}
    rest("put", settings, SETTINGS, {"properties": wanted})
    held = rest("get", settings, SETTINGS)
    assert held == azure.call("GET", settings, SETTINGS).json()
    assert rest("get", settings.rsplit("/", 1)[0], SETTINGS)["value"] == [held]
    assert rest("get", f"{group}/providers/Microsoft.Network/publicIPAddresses", "2023-09-01")["value"] == []
    assert held["properties"] == {"tenantId": azure.identity.tenant_id} | wanted
    rest("delete", gateway, GATEWAYS)
    azure.advance(1)
    assert azure.call("GET", gateway, GATEWAYS).status_code == 404
    unknown = az.refused("rest", "--method", "get", "--url", f"{cluster}?api-version=2001-01-01")
    assert "The supported api-versions are" in unknown and CLUSTERS in unknown


def test_a_gateway_as_a_generic_resource_with_its_long_operations(azure: LocalAzure, az: Az, group: str) -> None:
    identifier = f"{group}/providers/Microsoft.HybridCompute/gateways/generic"
    whole = json.dumps({"location": "eastus", "tags": {"a": "b"}, "properties": {"allowedFeatures": ["*"]}})
    made = az("resource", "create", "--id", identifier, "--is-full-object", "--properties", whole)
    # `az` waited for the operation to end: only then is there an endpoint.
    assert made["properties"]["provisioningState"] == "Succeeded"
    assert made["properties"]["gatewayEndpoint"] == f"{made['properties']['gatewayId']}.gw.arc.azure.com"
    az("resource", "update", "--ids", identifier, "--set", "properties.gatewayBypass=['mine.example.com']")
    az("resource", "tag", "--ids", identifier, "--tags", "team=edge", "--is-incremental")
    shown = az("resource", "show", "--ids", identifier)
    held = azure.call("GET", identifier, GATEWAYS).json()
    assert shown["tags"] == held["tags"] == {"a": "b", "team": "edge"}
    assert shown["properties"] == held["properties"] and held["properties"]["gatewayBypass"] == ["mine.example.com"]
    az("resource", "delete", "--ids", identifier)
    assert azure.call("GET", identifier, GATEWAYS).status_code == 404


def test_a_cluster_as_a_generic_resource_and_its_action(azure: LocalAzure, az: Az, group: str) -> None:
    name = group.rsplit("/", 1)[1]
    kind = ("--resource-group", name, "--resource-type", "Microsoft.Kubernetes/connectedClusters", "--name", "generic")
    whole = {
        "location": "eastus",
        "tags": {"mark": name},
        "identity": {"type": "SystemAssigned"},
        "properties": {"agentPublicKeyCertificate": "MIIB", "distribution": "k3s"},
    }
    made = az("resource", "create", *kind, "--is-full-object", "--properties", json.dumps(whole))
    uuid.UUID(made["identity"]["principalId"])
    assert azure.call("GET", made["id"], CLUSTERS).json()["properties"]["distribution"] == "k3s"
    elsewhere = azure.cluster(azure.group(), "generic")
    for wanted in (("--resource-group", name, "--resource-type", made["type"]), ("--tag", f"mark={name}")):
        listed = az("resource", "list", *wanted, "--query", "[].id")
        assert made["id"] in listed and elsewhere not in listed
    asked = json.dumps({"authenticationMethod": "Token", "clientProxy": True})
    action = f"{made['id']}/listClusterUserCredential?api-version={CLUSTERS}"
    assert az("rest", "--method", "post", "--url", action, "--body", asked)["kubeconfigs"]
    az("resource", "delete", *kind)
    assert azure.call("GET", made["id"], CLUSTERS).status_code == 404


def test_providers_are_registered_and_unregistered(azure: LocalAzure, az: Az) -> None:
    def held() -> str:
        path = f"{azure.subscription}/providers/Microsoft.Network"
        return str(azure.call("GET", path, "2021-04-01").json()["registrationState"])

    az("provider", "register", "--namespace", "Microsoft.Network", "--wait")
    assert held() == "Registered"
    az("provider", "unregister", "--namespace", "Microsoft.Network", "--wait")
    states = {one["namespace"]: one["registrationState"] for one in az("provider", "list")}
    assert states["Microsoft.Network"] == held() == "Unregistered"
    assert states["Microsoft.HybridCompute"] == "Registered"
    kinds = az("provider", "show", "--namespace", "Microsoft.Kubernetes")["resourceTypes"]
    (clusters,) = (one for one in kinds if one["resourceType"] == "connectedClusters")
    assert CLUSTERS in clusters["apiVersions"] and "East US" in clusters["locations"]


def test_roles_are_defined_changed_assigned_and_taken_away(azure: LocalAzure, az: Az, group: str) -> None:
    role = {"Name": "Gateway reader", "Actions": ["Microsoft.HybridCompute/gateways/read"]}
    role |= {"Description": "Reads gateways.", "AssignableScopes": [azure.subscription]}
    made = az("role", "definition", "create", "--role-definition", json.dumps(role))
    role["Actions"] = ["Microsoft.HybridCompute/gateways/*"]
    az("role", "definition", "update", "--role-definition", json.dumps(role))
    (listed,) = az("role", "definition", "list", "--name", "Gateway reader")
    assert listed["id"] == made["id"] and flat(listed)["permissions"][0]["actions"] == role["Actions"]

    # By the application's id, which `az` has Microsoft Graph turn into the object's.
    whom = ("--assignee", azure.identity.client_id, "--role", "Gateway reader", "--scope", group)
    given = az("role", "assignment", "create", *whom)
    (listed,) = az("role", "assignment", "list", "--assignee", azure.identity.client_id, "--scope", group)
    assert (listed["id"], listed["roleDefinitionName"]) == (given["id"], "Gateway reader")
    assert listed["principalName"] == azure.identity.client_id
    held = azure.call("GET", given["id"], "2022-04-01").json()["properties"]
    assert held["principalId"] == flat(given)["principalId"] == listed["principalId"]
    used = az.refused("role", "definition", "delete", "--name", "Gateway reader")
    assert "RoleDefinitionHasAssignments" in used
    az("role", "assignment", "delete", *whom)
    az("role", "definition", "delete", "--name", "Gateway reader")
    assert azure.call("GET", made["id"], "2022-04-01").status_code == 404


def test_the_activity_log_tells_what_was_written(azure: LocalAzure, az: Az) -> None:
    group = azure.group()
    cluster = azure.cluster(group, "logged")
    azure.call("PUT", f"{group}/providers/Microsoft.HybridCompute/gateways/bad", GATEWAYS, {"location": "moon"})
    # The sandbox's clock has been moved on.
    when = ("--end-time", "2100-01-01", "--offset", "99999d")
    events = az("monitor", "activity-log", "list", "--resource-group", group.rsplit("/", 1)[1], *when)
    told = {(one["operationName"]["value"], one["status"]["value"]) for one in events}
    assert told >= {
        ("Microsoft.HybridCompute/gateways/write", "Failed"),
        ("Microsoft.Kubernetes/connectedClusters/write", "Succeeded"),
        ("Microsoft.Resources/subscriptions/resourceGroups/write", "Succeeded"),
    }
    about = ("--resource-id", cluster, "--caller", azure.identity.client_id, *when)
    events = az("monitor", "activity-log", "list", *about)
    assert {(one["resourceId"], one["caller"]) for one in events} == {(cluster, azure.identity.client_id)}


def test_the_public_cloud_through_a_proxy(azure: LocalAzure, public: Az, router: Router, group: str) -> None:
    assert public("account", "show")["environmentName"] == "AzureCloud"
    name = group.rsplit("/", 1)[1]
    assert public("group", "show", "--name", name)["id"] == group
    identifier = f"{group}/providers/Microsoft.HybridCompute/gateways/public"
    whole = json.dumps({"location": "eastus", "properties": {}})
    made = public("resource", "create", "--id", identifier, "--is-full-object", "--properties", whole)
    assert made["properties"]["provisioningState"] == "Succeeded"
    url = f"https://management.azure.com{identifier}?api-version={GATEWAYS}"
    assert public("rest", "--method", "get", "--url", url)["properties"] == made["properties"]
    public("resource", "delete", "--ids", identifier)
    assert azure.call("GET", identifier, GATEWAYS).status_code == 404
    assert public("ad", "sp", "show", "--id", azure.identity.client_id)["appId"] == azure.identity.client_id
    asked = {name for name in router.asked if ".blob." not in name}  # where it looks for a newer version of itself
    assert asked == {
        f"{name}:443" for name in ("login.microsoftonline.com", "management.azure.com", "graph.microsoft.com")
    }


def test_who_may_only_read_is_told_which_action_is_missing(
    azure: LocalAzure, public: Az, group: str, tmp_path: Path
) -> None:
    made = azure.call("POST", "/sandbox/principals", body={"secret": SECRET}).json()
    role = f"{azure.subscription}/providers/Microsoft.Authorization/roleDefinitions/{READER}"
    assignment = f"{group}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    body = {"properties": {"principalId": made["objectId"], "roleDefinitionId": role}}
    assert azure.call("PUT", assignment, "2022-04-01", body).status_code == 201

    reader, name = replace(public, folder=tmp_path), group.rsplit("/", 1)[1]
    reader.login(azure, made["clientId"], SECRET)
    assert reader("group", "show", "--name", name)["id"] == group
    said = reader.refused("group", "delete", "--name", name, "--yes")
    assert "AuthorizationFailed" in said and "'Microsoft.Resources/subscriptions/resourceGroups/delete'" in said
    assert azure.call("GET", group, GROUPS).status_code == 200


def test_the_tenants_directory_has_service_principals_and_no_people(azure: LocalAzure, public: Az) -> None:
    client = azure.identity.client_id
    (one,) = public("ad", "sp", "list", "--filter", f"appId eq '{client}'")
    assert public("ad", "sp", "show", "--id", client)["id"] == one["id"]
    assert public("ad", "user", "list") == public("ad", "group", "list") == []
    assert "delegated" in public.refused("ad", "signed-in-user", "show")
