"""Microsoft.HybridCompute gateways, and the settings object that associates a resource with one.

A gateway is deleted although resources are associated with it. Documentation leaves it to the caller to see that none
is attached ("Delete the Arc gateway resource" in azure-local/deploy/deployment-azure-arc-gateway-overview.md of
MicrosoftDocs/azure-stack-docs), and the specification's deletion knows 202 and 204 but no refusal. Settings then go on
naming a gateway that is not there, and the data plane, which still finds the cluster's gateway enabled, has no endpoint
for it.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from sandbox.azure import ids
from sandbox.azure.core import Azure, Call, Shape, conform
from sandbox.azure.errors import ArmError, invalid_content, resource_not_found

if TYPE_CHECKING:
    from sandbox.azure.ids import Target
    from sandbox.azure.store import Json

KIND = "Microsoft.HybridCompute/gateways"
#: A limit of the service, documented with the gateway's availability.
PER_SUBSCRIPTION = 5
DOMAIN = "gw.arc.azure.com"

#: What a client sends: for a gateway, and for a settings object.
_SHAPE: Shape = {"gatewayType": str, "allowedFeatures": [str], "gatewayBypass": [str]}
_SETTINGS: Shape = {"gatewayProperties": {"gatewayResourceId": str}}
_HOST = re.compile(r"(?=.{1,253}$)(\*\.)?([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z]{2,63}")


def properties(azure: Azure, call: Call, target: Target, old: Json | None) -> Json:
    """The properties to store for a PUT or a PATCH.

    Raises:
        ArmError: a property is wrong, or there are too many gateways.
    """
    given = call.properties
    conform(given, _SHAPE, "properties")
    kind = given.get("gatewayType") or "Public"
    if kind.lower() != "public":
        raise invalid_content(f"Error converting value '{kind}' to type 'GatewayType'. Path 'properties.gatewayType'")
    before = old["properties"] if old else {}
    features = given.get("allowedFeatures", before.get("allowedFeatures"))
    if features is None:
        features = ["*"]
    if old is None and azure.store.count(azure.identity.subscription_id, KIND) >= PER_SUBSCRIPTION:
        raise ArmError(
            409,
            "QuotaExceeded",
            f"The subscription '{azure.identity.subscription_id}' has reached its limit of {PER_SUBSCRIPTION} gateways."
            " Delete one that is no longer used, or use another subscription.",
        )
    made: Json = {
        "gatewayId": before.get("gatewayId") or str(uuid.uuid4()),
        "allowedFeatures": features,
        "gatewayType": "Public",
    }
    bypass = given.get("gatewayBypass", before.get("gatewayBypass"))
    if bypass is not None:
        for host in bypass:
            if not _HOST.fullmatch(host):
                raise invalid_content(f"'{host[:80]}' in 'properties.gatewayBypass' is no host name")
        made["gatewayBypass"] = bypass
    if "gatewayEndpoint" in before:
        made["gatewayEndpoint"] = before["gatewayEndpoint"]
    return made


def complete(document: Json) -> None:
    """A gateway that has been made has an endpoint."""
    made = document["properties"]
    made.setdefault("gatewayEndpoint", f"{made['gatewayId']}.{DOMAIN}")


def association(azure: Azure, call: Call, target: Target, old: Json | None) -> Json:
    """The properties of a settings object: which gateway its resource uses; null or "" for none.

    Raises:
        ArmError: the resource or the gateway is not there, or the id is none of a gateway.
    """
    if azure.store.get(target.scope) is None:
        parent = ids.parse_id(target.scope)
        if parent is None:
            raise invalid_content("settings belong to a resource")
        raise resource_not_found(parent.kind, "/".join(parent.names), parent.group)
    given = call.properties
    conform(given, _SETTINGS, "properties")
    if call.method == "PATCH" and old and "gatewayProperties" not in given:
        return dict(old["properties"])
    identifier = (given.get("gatewayProperties") or {}).get("gatewayResourceId")
    made: Json = {"tenantId": azure.identity.tenant_id, "gatewayProperties": {"gatewayResourceId": None}}
    if identifier:
        made["gatewayProperties"] = {"gatewayResourceId": _gateway(azure, identifier)["id"]}
    return made


def no_association(azure: Azure, target: Target) -> Json | None:
    """The settings of a resource that never had any: `az arcgateway settings update` reads before it writes."""
    if azure.store.get(target.scope) is None:
        return None
    return {
        "id": target.id,
        "name": "default",
        "type": "Microsoft.HybridCompute/settings",
        "properties": {"tenantId": azure.identity.tenant_id, "gatewayProperties": {"gatewayResourceId": None}},
    }


def endpoint_of(azure: Azure, cluster: str) -> str:
    """The host name of the gateway that a cluster is associated with, or ""."""
    settings = azure.store.get(f"{cluster}/providers/Microsoft.HybridCompute/settings/default")
    identifier = settings["properties"]["gatewayProperties"].get("gatewayResourceId") if settings else None
    gateway = azure.store.get(identifier) if identifier else None
    return str(gateway["properties"].get("gatewayEndpoint", "")) if gateway else ""


def _gateway(azure: Azure, identifier: str) -> Json:
    target = ids.parse_id(identifier)
    if target is None or target.kind.lower() != KIND.lower() or not target.group:
        raise ArmError(
            400,
            "InvalidResourceId",
            f"The value '{identifier[:200]}' of 'gatewayProperties.gatewayResourceId' is no gateway's id.",
        )
    found = azure.store.get(target.id)
    if found is None:
        raise resource_not_found(KIND, target.names[0], target.group)
    return found
