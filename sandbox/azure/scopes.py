"""Microsoft.HybridCompute private link scopes, with the connections to them and the resource that they offer."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from sandbox.azure.core import Azure, Call, Reply, Shape, conform
from sandbox.azure.errors import invalid_content, resource_not_found

if TYPE_CHECKING:
    from sandbox.azure.ids import Target
    from sandbox.azure.store import Json

KIND = "Microsoft.HybridCompute/privateLinkScopes"
CONNECTIONS = f"{KIND}/privateEndpointConnections"
RESOURCES = f"{KIND}/privateLinkResources"
ACCESS = ("Enabled", "Disabled", "SecuredByPerimeter")
#: The one resource of a scope that an endpoint connects to.
GROUP = "hybridcompute"
MEMBERS = ("HybridCompute.ServerDP", "HybridCompute.K8sConfigurationDP", "HybridCompute.GuestConfigDP")
ZONES = (
    "privatelink.his.arc.azure.com",
    "privatelink.kubernetesconfiguration.azure.com",
    "privatelink.guestconfiguration.azure.com",
)
_SHAPE: Shape = {"publicNetworkAccess": str}
_CONNECTION: Shape = {
    "privateEndpoint": {"id": str},
    "privateLinkServiceConnectionState": {"status": str, "description": str, "actionsRequired": str},
}


def properties(azure: Azure, call: Call, target: Target, old: Json | None) -> Json:
    """The properties to store for a PUT or a PATCH.

    Raises:
        ArmError: a property is wrong.
    """
    given = call.properties
    before = old["properties"] if old else {}
    conform(given, _SHAPE, "properties")
    access = given.get("publicNetworkAccess") or before.get("publicNetworkAccess", "Disabled")
    if access not in ACCESS:
        raise invalid_content(f"'{access}' is none of {', '.join(ACCESS)}. Path 'properties.publicNetworkAccess'")
    return {
        "publicNetworkAccess": access,
        "privateLinkScopeId": before.get("privateLinkScopeId") or str(uuid.uuid4()),
        "provisioningState": "Succeeded",
    }


def view(azure: Azure, document: Json, version: str) -> Json:
    """The scope with the connections that there are now."""
    found = azure.store.in_scope(document["id"], CONNECTIONS, "", 1000).items
    return {**document, "properties": {**document["properties"], "privateEndpointConnections": found}}


def connection(azure: Azure, call: Call, target: Target, old: Json | None) -> Json:
    """A private endpoint's connection, approved or refused; here nobody has to have asked for it before.

    Raises:
        ArmError: a property is wrong.
    """
    given = call.properties
    before = old["properties"] if old else {}
    conform(given, _CONNECTION, "properties")
    state = {
        "status": "Pending",
        "description": "",
        "actionsRequired": "None",
        **(before.get("privateLinkServiceConnectionState") or {}),
        **(given.get("privateLinkServiceConnectionState") or {}),
    }
    endpoint = given.get("privateEndpoint") or before.get("privateEndpoint")
    return {
        "privateEndpoint": endpoint or {"id": _endpoint(target)},
        "privateLinkServiceConnectionState": state,
        "groupIds": [GROUP],
    }


def list_resources(azure: Azure, call: Call, target: Target) -> Reply:
    """What a scope offers to endpoints."""
    return Reply(200, {"value": [_resource(_scope(azure, target))]})


def get_resource(azure: Azure, call: Call, target: Target) -> Reply:
    """The one thing that a scope offers."""
    scope = _scope(azure, target)
    if target.names[-1].lower() != GROUP:
        raise resource_not_found(RESOURCES, "/".join(target.names), target.group)
    return Reply(200, _resource(scope))


def _scope(azure: Azure, target: Target) -> Json:
    scope = azure.store.get(target.container)
    if scope is None:
        raise resource_not_found(KIND, target.names[0], target.group)
    return scope


def _resource(scope: Json) -> Json:
    return {
        "id": f"{scope['id']}/privateLinkResources/{GROUP}",
        "name": GROUP,
        "type": RESOURCES,
        "properties": {"groupId": GROUP, "requiredMembers": [*MEMBERS], "requiredZoneNames": [*ZONES]},
    }


def _endpoint(target: Target) -> str:
    """The id of the endpoint that a connection is taken to come from."""
    group = f"/subscriptions/{target.subscription}/resourceGroups/{target.group}"
    return f"{group}/providers/Microsoft.Network/privateEndpoints/{target.names[-1]}"
