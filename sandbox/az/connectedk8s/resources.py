"""The connected cluster in ARM: its path, the bodies that the client sends, and the form in which it is printed."""

from __future__ import annotations

import re
import time
from argparse import Namespace
from datetime import datetime
from typing import Any

from sandbox.az.arm import Arm, Resource
from sandbox.az.errors import AzError

CLUSTERS = "2025-08-01-preview"
LINKS = "2025-02-19-preview"
RESOURCES = "2024-11-01"

#: The real client tries the association five times, 3 s apart, whatever went wrong.
LINK_ATTEMPTS = 5
LINK_PAUSE = 3.0

_GATEWAY_ID = re.compile(
    r"/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+/providers/Microsoft\.HybridCompute/gateways/[^/]+",
    re.IGNORECASE,
)

_READ_ONLY = {
    "agentVersion", "connectivityStatus", "kubernetesVersion", "lastConnectivityTime",
    "managedIdentityCertificateExpirationTime", "miscellaneousProperties", "offering", "provisioningState",
    "totalCoreCount", "totalNodeCount",
}  # fmt: skip

#: azure-mgmt's model prints every property, null where the service sends none.
_PRINTED = (
    "aadProfile", "agentPublicKeyCertificate", "agentVersion", "arcAgentProfile", "arcAgentryConfigurations",
    "azureHybridBenefit", "connectivityStatus", "distribution", "distributionVersion", "gateway", "infrastructure",
    "kubernetesVersion", "lastConnectivityTime", "managedIdentityCertificateExpirationTime",
    "miscellaneousProperties", "offering", "oidcIssuerProfile", "privateLinkScopeResourceId", "privateLinkState",
    "provisioningState", "securityProfile", "totalCoreCount", "totalNodeCount",
)  # fmt: skip

#: The same for what is inside: printed names, and the service's where they differ.
_INSIDE: dict[str, dict[str, str]] = {
    "aadProfile": {
        "adminGroupObjectIDs": "adminGroupObjectIDs", "enableAzureRbac": "enableAzureRBAC", "tenantId": "tenantID",
    },
    "arcAgentProfile": {
        name: name
        for name in ("agentAutoUpgrade", "agentErrors", "agentState", "desiredAgentVersion", "systemComponents")
    },
    "arcAgentryConfigurations": {name: name for name in ("feature", "protectedSettings", "settings")},
    "oidcIssuerProfile": {name: name for name in ("enabled", "issuerUrl", "selfHostedIssuerUrl")},
}  # fmt: skip
#: Times, which Python's own form is printed of.
_TIMES = ("lastConnectivityTime", "managedIdentityCertificateExpirationTime", "createdAt", "lastModifiedAt")


def group_path(arm: Arm, group: str) -> str:
    """A resource group's path."""
    return f"/subscriptions/{arm.subscription}/resourceGroups/{group}"


def cluster_path(arm: Arm, group: str, name: str) -> str:
    """A connected cluster's path."""
    return f"{group_path(arm, group)}/providers/Microsoft.Kubernetes/connectedClusters/{name}"


def printed(cluster: Resource | None) -> Any:
    """The cluster as `az` prints it: properties one level up, nulls for what is not there, the group's name."""
    if cluster is None:
        return None
    properties = cluster.get("properties") or {}
    top = {
        key: cluster.get(key) for key in ("id", "identity", "kind", "location", "name", "systemData", "tags", "type")
    }
    if top["systemData"] is not None:
        top["systemData"] = _timed(top["systemData"])
    shown = {key: _whole(key, properties.get(key)) for key in _PRINTED}
    return {**top, **_timed(shown), "resourceGroup": cluster["id"].split("/")[4]}


def _whole(name: str, value: Any) -> Any:
    if value is None or name not in _INSIDE:
        return value
    if isinstance(value, list):
        return [_whole(name, one) for one in value]
    return {shown: value.get(key) for shown, key in _INSIDE[name].items()}


def _timed(values: dict[str, Any]) -> dict[str, Any]:
    times = {name: datetime.fromisoformat(values[name]).isoformat() for name in _TIMES if values.get(name)}
    return {**values, **times}


def new_cluster(location: str, tags: dict[str, str] | None, properties: dict[str, Any]) -> Resource:
    """The body of a PUT; properties that are None stay out of it."""
    given = {key: value for key, value in properties.items() if value is not None}
    return {"location": location, "tags": tags or {}, "identity": {"type": "SystemAssigned"}, "properties": given}


def changed_cluster(cluster: Resource, changes: dict[str, Any]) -> Resource:
    """The body that puts back a cluster that was read, with changes; what only the service sets stays out."""
    properties = {key: value for key, value in cluster["properties"].items() if key not in _READ_ONLY}
    if properties.get("arcAgentProfile"):
        settable = ("desiredAgentVersion", "agentAutoUpgrade", "systemComponents")
        properties["arcAgentProfile"] = {k: v for k, v in properties["arcAgentProfile"].items() if k in settable}
    properties |= {key: value for key, value in changes.items() if value is not None}
    return new_cluster(cluster["location"], cluster.get("tags"), properties)


def link(arm: Arm, group: str, name: str, gateway: str | None) -> None:
    """Associate the cluster with a gateway, or with none.

    Raises:
        AzError: not an id of a gateway, or not done after the last try; only status 200 is success.
    """
    if gateway and not _GATEWAY_ID.fullmatch(gateway):
        raise AzError(
            f"The provided Gateway ArmID in --gateway-resource-id  {gateway} is invalid. Please provide a valid "
            "Gateway ArmID."
        )
    path = f"{cluster_path(arm, group, name)}/providers/Microsoft.HybridCompute/settings/Default"
    body = {"properties": {"gatewayProperties": {"gatewayResourceId": gateway}}}
    for attempt in range(1, LINK_ATTEMPTS + 1):
        try:
            arm.send("PUT", path, LINKS, body)
            return
        except AzError as problem:
            if attempt == LINK_ATTEMPTS:
                raise AzError(
                    f"Failed to update the gateway association of the cluster: {problem.message}"
                ) from problem
            time.sleep(LINK_PAUSE)


def profiles(args: Namespace) -> dict[str, Any]:
    """The security and issuer profiles that connect and update take."""
    workload = args.enable_workload_identity
    if getattr(args, "disable_workload_identity", None):
        workload = False
    issuer = {"enabled": True} if args.enable_oidc_issuer else None
    if issuer and args.self_hosted_issuer:
        issuer["selfHostedIssuerUrl"] = args.self_hosted_issuer
    return {
        "oidcIssuerProfile": issuer,
        "securityProfile": None if workload is None else {"workloadIdentity": {"enabled": workload}},
    }
