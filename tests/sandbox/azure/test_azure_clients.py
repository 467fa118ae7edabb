"""Microsoft's own Python clients, unmodified, against the local Azure."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.core.polling.base_polling import LocationPolling, StatusCheckPolling
from azure.identity import ClientSecretCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.core.polling.arm_polling import ARMPolling
from azure.mgmt.hybridcompute import HybridComputeManagementClient
from azure.mgmt.hybridcompute import models as compute
from azure.mgmt.hybridkubernetes import ConnectedKubernetesClient
from azure.mgmt.hybridkubernetes import models as kubernetes
from azure.mgmt.resource.resources import ResourceManagementClient
from local_azure import CLUSTERS, GATEWAYS, SETTINGS, LocalAzure, Router
from microsoft_clients import clients, credential

Make = Callable[[type[Any]], Any]


@pytest.fixture(scope="module")
def client(azure: LocalAzure) -> Iterator[Make]:
    with clients(azure) as make:
        yield make


@pytest.fixture(scope="module")
def group(azure: LocalAzure) -> str:
    return azure.group().rsplit("/", 1)[1]


def test_a_token_says_who_and_where(azure: LocalAzure) -> None:
    token = credential(azure).get_token("https://management.azure.com/.default")
    claims = jwt.decode(token.token, options={"verify_signature": False})
    assert claims["tid"] == azure.identity.tenant_id
    assert claims["appid"] == azure.identity.client_id
    assert claims["aud"] == "https://management.azure.com"
    assert claims["exp"] > time.time() + 3000
    uuid.UUID(claims["oid"])


def test_a_wrong_secret_and_a_wrong_tenant_are_refused_as_entra_does(azure: LocalAzure) -> None:
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        credential(azure, client_secret="wrong").get_token("https://management.azure.com/.default")
    with pytest.raises((ClientAuthenticationError, ValueError), match=r"AADSTS90002|tenant"):
        credential(azure, tenant_id=str(uuid.uuid4())).get_token("https://management.azure.com/.default")


def test_the_public_cloud_is_reached_by_its_own_names_through_a_proxy(azure: LocalAzure, group: str) -> None:
    identity = azure.identity
    with Router(azure.port) as router:
        way: dict[str, Any] = {
            "proxies": {"https": f"http://127.0.0.1:{router.port}"},
            "connection_verify": azure.bundle,
        }
        with (
            ClientSecretCredential(identity.tenant_id, identity.client_id, identity.client_secret, **way) as token,
            ResourceManagementClient(token, identity.subscription_id, **way) as client,
        ):
            assert group in [one.name for one in client.resource_groups.list()]
    assert router.asked == {"login.microsoftonline.com:443", "management.azure.com:443"}


def test_a_gateway_from_creation_to_deletion(azure: LocalAzure, client: Make, group: str) -> None:
    gateways = client(HybridComputeManagementClient).gateways
    azure.durations(gateway=600)
    wanted = compute.Gateway(location="eastus", properties=compute.GatewayProperties(allowed_features=["*"]))
    poller = gateways.begin_create_or_update(group, "gw-sdk", wanted)
    assert gateways.get(group, "gw-sdk").properties.provisioning_state == "Creating"
    azure.advance(601)
    made = poller.result(timeout=20)
    assert made.properties.provisioning_state == "Succeeded"
    assert made.properties.gateway_endpoint == f"{made.properties.gateway_id}.gw.arc.azure.com"
    assert made.system_data.created_by_type == "Application"

    assert "gw-sdk" in [one.name for one in gateways.list_by_resource_group(group)]
    assert made.id in [one.id for one in gateways.list_by_subscription()]
    changed = gateways.update(group, "gw-sdk", compute.GatewayUpdate(tags={"team": "edge"}))
    assert changed.tags == {"team": "edge"}
    assert changed.properties.gateway_endpoint == made.properties.gateway_endpoint

    deletion = gateways.begin_delete(group, "gw-sdk")
    assert gateways.get(group, "gw-sdk").properties.provisioning_state == "Deleting"
    azure.advance(601)
    deletion.result(timeout=20)
    azure.durations(gateway=0.9)
    with pytest.raises(ResourceNotFoundError) as missing:
        gateways.get(group, "gw-sdk")
    assert missing.value.error is not None and missing.value.error.code == "ResourceNotFound"


def test_a_cluster_is_associated_and_freed(azure: LocalAzure, client: Make, group: str) -> None:
    compute_client, clusters = (
        client(HybridComputeManagementClient),
        client(ConnectedKubernetesClient).connected_cluster,
    )
    made = clusters.begin_create_or_replace(
        group,
        "c1",
        kubernetes.ConnectedCluster(
            location="eastus",
            identity=kubernetes.ConnectedClusterIdentity(type="SystemAssigned"),
            properties=kubernetes.ConnectedClusterProperties(agent_public_key_certificate="MIIB", distribution="k3s"),
        ),
    ).result(timeout=20)
    assert made.properties.connectivity_status == "Connecting"
    uuid.UUID(made.identity.principal_id)
    before = compute_client.settings.get(group, "Microsoft.Kubernetes", "connectedClusters", "c1", "default")
    assert before.properties.tenant_id == azure.identity.tenant_id
    assert before.properties.gateway_properties.gateway_resource_id is None

    group_id = f"{azure.subscription}/resourceGroups/{group}"
    gateway = azure.gateway(group_id, "gw-assoc")
    for identifier in (gateway, None):
        settings = compute_client.settings.update(
            group,
            "Microsoft.Kubernetes",
            "connectedClusters",
            "c1",
            "Default",
            compute.Settings({"properties": {"gatewayProperties": {"gatewayResourceId": identifier}}}),
        )
        assert settings.properties.gateway_properties.gateway_resource_id == identifier
        assert settings.type == "Microsoft.HybridCompute/settings"

    patch = kubernetes.ConnectedClusterPatch(
        tags={"a": "b"},
        properties=kubernetes.ConnectedClusterPatchProperties(gateway=kubernetes.Gateway(enabled=True)),
    )
    patched = clusters.begin_update_async(group, "c1", patch).result(timeout=20)
    assert patched.properties.gateway.enabled is True and patched.tags == {"a": "b"}
    assert patched.properties.distribution == "k3s"
    token = clusters.list_cluster_user_credential(
        group, "c1", kubernetes.ListClusterUserCredentialProperties(authentication_method="Token", client_proxy=True)
    )
    assert b"current-context" in token.kubeconfigs[0].value
    assert [one.name for one in clusters.list_by_resource_group(group)] == ["c1"]
    clusters.begin_delete(group, "c1").result(timeout=20)
    with pytest.raises(ResourceNotFoundError):
        clusters.get(group, "c1")


def test_clusters_come_in_pages(azure: LocalAzure, client: Make) -> None:
    group = azure.group()
    names = {f"many-{index:03}" for index in range(230)}
    for name in names:
        azure.cluster(group, name)
    clusters = client(ConnectedKubernetesClient).connected_cluster
    pages = [list(page) for page in clusters.list_by_resource_group(group.rsplit("/", 1)[1]).by_page()]
    assert [len(page) for page in pages] == [100, 100, 30]
    assert {one.name for page in pages for one in page} == names


def test_groups_providers_and_resources_of_any_type(azure: LocalAzure, client: Make) -> None:
    resource = client(ResourceManagementClient)
    name = f"g-{uuid.uuid4().hex[:8]}"
    made = resource.resource_groups.create_or_update(name, {"location": "eastus", "tags": {"k": "v"}})
    assert made.id == f"{azure.subscription}/resourceGroups/{name}"
    assert resource.resource_groups.check_existence(name)
    assert not resource.resource_groups.check_existence("absent")
    assert resource.providers.get("microsoft.kubernetes").registration_state == "Registered"
    assert resource.providers.get("Microsoft.Network").registration_state == "NotRegistered"
    assert resource.providers.register("Microsoft.Network").registration_state == "Registered"

    identifier = f"{made.id}/providers/Microsoft.Network/publicIPAddresses/ip1"
    body = {"location": "eastus", "sku": {"name": "Standard"}, "properties": {"idleTimeoutInMinutes": 4}}
    resource.resources.begin_create_or_update_by_id(identifier, body, api_version="2023-09-01").result(timeout=20)
    found = resource.resources.get_by_id(identifier.upper(), api_version="2023-09-01")
    assert found.id == identifier and found.properties == {"idleTimeoutInMinutes": 4} and found.sku.name == "Standard"
    assert [one.id for one in resource.resources.list_by_resource_group(name)] == [identifier]
    wanted = "resourceType eq 'Microsoft.Network/publicIPAddresses'"
    assert identifier in [one.id for one in resource.resources.list(filter=wanted)]

    resource.resource_groups.begin_delete(name).result(timeout=20)
    assert not resource.resource_groups.check_existence(name)
    with pytest.raises(ResourceNotFoundError) as missing:
        resource.resources.get_by_id(identifier, api_version="2023-09-01")
    assert missing.value.error is not None and missing.value.error.code == "ResourceGroupNotFound"


def test_roles_are_defined_assigned_and_listed(azure: LocalAzure, client: Make, group: str) -> None:
    roles = client(AuthorizationManagementClient)
    scope = f"{azure.subscription}/resourceGroups/{group}"
    (reader,) = roles.role_definitions.list(scope, filter="roleName eq 'Reader'")
    custom = roles.role_definitions.create_or_update(
        azure.subscription,
        str(uuid.uuid4()),
        {
            "role_name": "Gateway operator",
            "assignable_scopes": [azure.subscription],
            "permissions": [{"actions": ["Microsoft.HybridCompute/gateways/read"]}],
        },
    )
    assert custom.role_type == "CustomRole"
    custom.description = "changed"
    changed = roles.role_definitions.create_or_update(azure.subscription, custom.name, custom)
    assert (changed.description, changed.created_on) == ("changed", custom.created_on)
    principal, name = str(uuid.uuid4()), str(uuid.uuid4())
    wanted = {"principal_id": principal, "role_definition_id": reader.id, "principal_type": "ServicePrincipal"}
    made = roles.role_assignments.create(scope, name, wanted)
    assert (made.scope, made.principal_id) == (scope, principal)
    with pytest.raises(HttpResponseError) as twice:
        roles.role_assignments.create(scope, str(uuid.uuid4()), wanted)
    assert twice.value.status_code == 409 and twice.value.error is not None
    assert twice.value.error.code == "RoleAssignmentExists"
    listed = roles.role_assignments.list_for_scope(scope, filter=f"principalId eq '{principal}'")
    assert [one.name for one in listed] == [name]
    assert next(iter(roles.permissions.list_for_resource_group(group))).actions == ["*"]
    roles.role_assignments.delete(scope, name)
    assert not list(roles.role_assignments.list_for_scope(scope, filter=f"principalId eq '{principal}'"))


def test_a_private_link_scope_from_creation_to_deletion(azure: LocalAzure, client: Make, group: str) -> None:
    hybrid = client(HybridComputeManagementClient)
    made = hybrid.private_link_scopes.create_or_update(
        group, "pls", compute.HybridComputePrivateLinkScope(location="eastus")
    )
    assert made.properties.public_network_access == "Disabled" and uuid.UUID(made.properties.private_link_scope_id)
    (offered,) = hybrid.private_link_resources.list_by_private_link_scope(group, "pls")
    assert offered.properties.group_id == "hybridcompute" and len(offered.properties.required_zone_names) == 3
    assert hybrid.private_link_resources.get(group, "pls", "hybridcompute").id == offered.id
    with pytest.raises(ResourceNotFoundError):
        hybrid.private_link_resources.get(group, "pls", "other")

    connections = hybrid.private_endpoint_connections
    wanted = compute.PrivateEndpointConnection(
        {"properties": {"privateLinkServiceConnectionState": {"status": "Rejected", "description": "not ours"}}}
    )
    state = connections.begin_create_or_update(group, "pls", "pec", wanted).result(timeout=20)
    assert state.properties.private_link_service_connection_state.status == "Rejected"
    assert state.properties.private_link_service_connection_state.actions_required == "None"
    assert [one.name for one in connections.list_by_private_link_scope(group, "pls")] == ["pec"]
    assert connections.get(group, "pls", "pec").id == state.id
    shown = hybrid.private_link_scopes.get(group, "pls")
    assert [one.id for one in shown.properties.private_endpoint_connections] == [state.id]
    tagged = hybrid.private_link_scopes.update_tags(group, "pls", compute.TagsResource(tags={"a": "b"}))
    assert tagged.tags == {"a": "b"} and tagged.properties.private_link_scope_id == (
        made.properties.private_link_scope_id
    )
    assert made.id in [one.id for one in hybrid.private_link_scopes.list()]
    assert made.id in [one.id for one in hybrid.private_link_scopes.list_by_resource_group(group)]
    connections.begin_delete(group, "pls", "pec").result(timeout=20)
    assert not hybrid.private_link_scopes.get(group, "pls").properties.private_endpoint_connections
    hybrid.private_link_scopes.begin_delete(group, "pls").result(timeout=20)
    with pytest.raises(ResourceNotFoundError):
        hybrid.private_link_scopes.get(group, "pls")


def test_an_association_is_patched_listed_and_removed(azure: LocalAzure, client: Make, group: str) -> None:
    cluster = azure.cluster(f"{azure.subscription}/resourceGroups/{group}", "patched")
    gateway = azure.gateway(f"{azure.subscription}/resourceGroups/{group}", "gw-patched")
    settings, resources = client(HybridComputeManagementClient).settings, client(ResourceManagementClient).resources
    where = (group, "Microsoft.Kubernetes", "connectedClusters", "patched", "default")
    wanted = compute.Settings({"properties": {"gatewayProperties": {"gatewayResourceId": gateway}}})
    assert settings.patch(*where, wanted).properties.gateway_properties.gateway_resource_id == gateway
    identifier = f"{cluster}/providers/Microsoft.HybridCompute/settings/default"
    assert (
        azure.call("GET", identifier, SETTINGS).json()["properties"]["gatewayProperties"]
        == wanted["properties"]["gatewayProperties"]
    )
    assert resources.check_existence_by_id(identifier, api_version=SETTINGS)
    resources.begin_delete_by_id(identifier, api_version=SETTINGS).result(timeout=20)
    assert settings.get(*where).properties.gateway_properties.gateway_resource_id is None
    azure.call("DELETE", gateway, GATEWAYS)


def test_a_slow_cluster_is_followed_where_its_provider_tells_of_it(azure: LocalAzure, client: Make, group: str) -> None:
    clusters = client(ConnectedKubernetesClient).connected_cluster
    azure.durations(cluster=600)
    wanted = {"location": "eastus", "identity": {"type": "SystemAssigned"}}
    wanted |= {"properties": {"agentPublicKeyCertificate": "MIIB", "distribution": "k3s"}}
    poller = clusters.begin_create_or_replace(group, "slow", wanted)
    assert clusters.get(group, "slow").properties.provisioning_state == "Accepted"
    azure.advance(601)
    made = poller.result(timeout=20)
    assert made.properties.provisioning_state == "Succeeded"
    assert made.id in [one.id for one in clusters.list_by_subscription()]
    azure.durations(cluster=0)
    clusters.begin_delete(group, "slow").result(timeout=20)


def test_an_operation_is_followed_at_its_other_address(azure: LocalAzure, client: Make, group: str) -> None:
    identifier = azure.gateway(f"{azure.subscription}/resourceGroups/{group}", "gw-located")
    by_location = ARMPolling(1, lro_algorithms=[LocationPolling(), StatusCheckPolling()])
    gateways = client(HybridComputeManagementClient).gateways
    gateways.begin_delete(group, "gw-located", polling=by_location).result(timeout=20)
    assert azure.call("GET", identifier, GATEWAYS).status_code == 404
    asked = [one["path"] for one in azure.call("GET", "/sandbox/requests").json()["value"]]
    assert any("/operationresults/" in path and "Microsoft.HybridCompute" in path for path in asked)


def test_groups_and_resources_are_changed_and_providers_unregistered(azure: LocalAzure, client: Make) -> None:
    resource = client(ResourceManagementClient)
    group = azure.group()
    name = group.rsplit("/", 1)[1]
    resource.resource_groups.update(name, {"tags": {"mark": name}})
    assert resource.resource_groups.get(name).tags == {"mark": name}
    assert [one.id for one in resource.resource_groups.list(filter=f"tagName eq 'mark' and tagValue eq '{name}'")] == [
        group
    ]
    assert resource.resources.get_by_id(azure.subscription, api_version="2022-12-01").id == azure.subscription

    identifier = f"{group}/providers/Microsoft.Network/publicIPAddresses/ip1"
    assert not resource.resources.check_existence_by_id(identifier, api_version="2023-09-01")
    resource.providers.register("Microsoft.Network")
    resource.resources.begin_create_or_update_by_id(
        identifier, {"location": "eastus", "properties": {"idleTimeoutInMinutes": 4}}, api_version="2023-09-01"
    ).result(timeout=20)
    assert resource.resources.check_existence_by_id(identifier, api_version="2023-09-01")
    changed = resource.resources.begin_update_by_id(
        identifier, {"tags": {"a": "b"}, "properties": {"zone": "1"}}, api_version="2023-09-01"
    ).result(timeout=20)
    assert (changed.tags, changed.properties) == ({"a": "b"}, {"idleTimeoutInMinutes": 4, "zone": "1"})
    resource.resources.begin_delete_by_id(identifier, api_version="2023-09-01").result(timeout=20)
    assert azure.call("GET", identifier, "2023-09-01").status_code == 404

    assert resource.providers.unregister("Microsoft.Network").registration_state == "Unregistered"
    states = {one.namespace: one.registration_state for one in resource.providers.list()}
    assert states["Microsoft.Network"] == "Unregistered" and states["Microsoft.Kubernetes"] == "Registered"


def test_a_role_is_read_by_id_and_goes_when_nobody_has_it(azure: LocalAzure, client: Make, group: str) -> None:
    roles, name = client(AuthorizationManagementClient), str(uuid.uuid4())
    wanted = {"role_name": name, "assignable_scopes": [azure.subscription], "permissions": [{"actions": ["*/read"]}]}
    made = roles.role_definitions.create_or_update(azure.subscription, name, wanted)
    again = roles.role_definitions.create_or_update(azure.subscription, name, {**wanted, "description": "Reads."})
    assert again.id == made.id and roles.role_definitions.get_by_id(made.id).description == "Reads."

    cluster = azure.cluster(f"{azure.subscription}/resourceGroups/{group}", "scope")
    assignment = str(uuid.uuid4())
    given = {"principal_id": str(uuid.uuid4()), "role_definition_id": made.id, "principal_type": "ServicePrincipal"}
    roles.role_assignments.create(cluster, assignment, given)
    assert roles.role_assignments.get(cluster, assignment).principal_id == given["principal_id"]
    where = (group, "Microsoft.Kubernetes", "connectedClusters", "scope")
    assert assignment in [one.name for one in roles.role_assignments.list_for_resource(*where)]
    assert assignment in [one.name for one in roles.role_assignments.list_for_subscription()]
    rights = roles.permissions.list_for_resource(group, "Microsoft.Kubernetes", "", "connectedClusters", "scope")
    assert [one.actions for one in rights] == [["*"]]

    with pytest.raises(HttpResponseError, match="RoleDefinitionHasAssignments"):
        roles.role_definitions.delete(azure.subscription, name)
    roles.role_assignments.delete(cluster, assignment)
    roles.role_definitions.delete(azure.subscription, name)
    with pytest.raises(ResourceNotFoundError, match="RoleDefinitionDoesNotExist"):
        roles.role_definitions.get(azure.subscription, name)


def test_tags_and_the_tenants_providers(azure: LocalAzure, client: Make, group: str) -> None:
    resource, cluster = (
        client(ResourceManagementClient),
        azure.cluster(f"{azure.subscription}/resourceGroups/{group}", "tagged"),
    )
    tags = resource.tags
    first = {"properties": {"tags": {"team": "edge"}}}
    assert tags.begin_create_or_update_at_scope(cluster, first).result(timeout=20).properties.tags == {"team": "edge"}
    merged = tags.begin_update_at_scope(cluster, {"operation": "Merge", "properties": {"tags": {"tier": "1"}}})
    assert merged.result(timeout=20).properties.tags == {"team": "edge", "tier": "1"}
    assert azure.call("GET", cluster, CLUSTERS).json()["tags"] == tags.get_at_scope(cluster).properties.tags
    tags.begin_delete_at_scope(cluster).result(timeout=20)
    assert not azure.call("GET", cluster, CLUSTERS).json().get("tags")
    names = {one.namespace for one in resource.providers.list_at_tenant_scope()}
    assert {"Microsoft.HybridCompute", "Microsoft.Kubernetes"} <= names
    kinds = resource.providers.get_at_tenant_scope("Microsoft.HybridCompute").resource_types
    assert "gateways" in [one.resource_type for one in kinds]
