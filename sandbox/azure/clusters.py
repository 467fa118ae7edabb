"""Microsoft.Kubernetes connected clusters."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sandbox.azure.core import Azure, Call, Reply, Shape, conform, expect, stamp
from sandbox.azure.errors import ArmError, invalid_content

if TYPE_CHECKING:
    from sandbox.azure.ids import Target
    from sandbox.azure.store import Json

KIND = "Microsoft.Kubernetes/connectedClusters"

#: What only the service writes; a client that puts back what it read changes none of it.
READ_ONLY = (
    "agentVersion",
    "connectivityStatus",
    "kubernetesVersion",
    "lastConnectivityTime",
    "managedIdentityCertificateExpirationTime",
    "miscellaneousProperties",
    "offering",
    "provisioningState",
    "totalCoreCount",
    "totalNodeCount",
)
#: What a PATCH changes; it passes over all else.
PATCHABLE = ("distribution", "distributionVersion", "azureHybridBenefit", "gateway")
#: Properties by the first version that has them (published specifications).
SINCE = {
    "gateway": "2024-07-15-preview",
    "arcAgentryConfigurations": "2024-07-15-preview",
    "oidcIssuerProfile": "2024-06-01-preview",
    "securityProfile": "2024-06-01-preview",
    "arcAgentProfile": "2023-11-01-preview",
    "aadProfile": "2023-11-01-preview",
}
#: What a client sends.
_CONFIGURATIONS: Shape = [{"feature": str, "settings": {"*": str}, "protectedSettings": {"*": str}}]
SHAPE: Shape = {
    "agentPublicKeyCertificate": str,
    "distribution": str,
    "distributionVersion": str,
    "infrastructure": str,
    "privateLinkState": str,
    "privateLinkScopeResourceId": str,
    "azureHybridBenefit": str,
    "aadProfile": {"enableAzureRBAC": bool, "adminGroupObjectIDs": [str], "tenantID": str},
    "arcAgentProfile": {
        "desiredAgentVersion": str,
        "agentAutoUpgrade": str,
        "agentErrors": [dict],
        "systemComponents": [{"type": str, "userSpecifiedVersion": str, "majorVersion": int}],
    },
    "securityProfile": {"workloadIdentity": {"enabled": bool}},
    "oidcIssuerProfile": {"enabled": bool, "selfHostedIssuerUrl": str},
    "gateway": {"enabled": bool, "resourceId": str},
    "arcAgentryConfigurations": _CONFIGURATIONS,
}
#: Of what the configuration service is told of a cluster, the part that counts.
TOLD: Shape = {"arcAgentryConfigurations": _CONFIGURATIONS}
#: Where the service publishes a cluster's keys.
ISSUER = "https://oidcdiscovery-sandbox.azurefd.net/{}/"
#: Kinds of clusters that are known through a cloud's connector, without agents of their own.
AGENTLESS = ("AWS", "GCP")
#: Seconds without a heartbeat after which a cluster counts as offline, and as expired.
OFFLINE, EXPIRED = 15 * 60, 45 * 86400


def properties(azure: Azure, call: Call, target: Target, old: Json | None) -> Json:
    """The properties to store for a PUT or a PATCH.

    Raises:
        ArmError: a property or the identity is wrong.
    """
    given = call.properties
    before = old["properties"] if old else {}
    conform(given, SHAPE, "properties")
    if call.method == "PATCH":
        made = {**before, **{name: value for name, value in given.items() if name in PATCHABLE}}
    else:
        _check_put(call.document, given)
        hidden = (name for name, since in SINCE.items() if _day(call.api_version) < _day(since))
        kept = {name: before[name] for name in hidden if name in before}
        made = {"azureHybridBenefit": "NotApplicable", "privateLinkState": "Disabled", **kept, **given}
    if made.get("arcAgentryConfigurations"):
        made["arcAgentryConfigurations"] = _configurations(made["arcAgentryConfigurations"], before)
    made["aadProfile"] = made.get("aadProfile") or {}
    profile = {"agentAutoUpgrade": "Enabled", "agentErrors": [], **(made.get("arcAgentProfile") or {})}
    made["arcAgentProfile"] = profile
    if (made.get("oidcIssuerProfile") or {}).get("enabled"):
        issuer = (before.get("oidcIssuerProfile") or {}).get("issuerUrl") or ISSUER.format(uuid.uuid4())
        made["oidcIssuerProfile"] = {**made["oidcIssuerProfile"], "issuerUrl": issuer}
    for name in READ_ONLY:
        made.pop(name, None)
        if name in before:
            made[name] = before[name]
    made.setdefault("miscellaneousProperties", {"createCorrelationId": call.correlation_id})
    return made


def complete(document: Json) -> None:
    """The end of a write: the agents are said to have taken it over."""
    document["properties"]["arcAgentProfile"]["agentState"] = "Succeeded"


def view(azure: Azure, document: Json, version: str) -> Json:
    """The cluster as a version shows it now: without protected settings and what is newer than the version."""
    day = _day(version)
    shown = {
        name: value for name, value in document["properties"].items() if name not in SINCE or _day(SINCE[name]) <= day
    }
    if shown.get("arcAgentryConfigurations"):
        shown["arcAgentryConfigurations"] = [
            {key: value for key, value in one.items() if key != "protectedSettings"}
            for one in shown["arcAgentryConfigurations"]
        ]
    shown["connectivityStatus"] = _connectivity(document, azure.clock.now())
    return {**document, "properties": shown}


def credential(azure: Azure, call: Call, document: Json) -> Reply:
    """The kubeconfig of the cluster-connect proxy: enough for a client to read, not to connect."""
    wanted = call.document if call.body else {}
    conform(wanted, {"authenticationMethod": str, "clientProxy": bool}, "")
    if wanted.get("authenticationMethod", "Token") not in ("Token", "AAD"):
        raise invalid_content("'authenticationMethod' is none of Token, AAD")
    name = document["name"]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": "https://127.0.0.1:47011/proxies"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
        "users": [{"name": name, "user": {"token": ""}}],
    }
    made: Json = {
        "kubeconfigs": [{"name": "credentialName1", "value": base64.b64encode(json.dumps(config).encode()).decode()}]
    }
    if wanted.get("clientProxy"):
        expires = int(azure.clock.now()) + 3600
        made["hybridConnectionConfig"] = {
            "expirationTime": expires,
            "hybridConnectionName": f"{KIND.lower()}/{name}/{expires}",
            "relay": "azgnrelay-sandbox",
            "relayTid": azure.identity.tenant_id,
            "relayType": "byor",
            "token": "",
        }
    return Reply(200, made)


def heartbeat(azure: Azure, document: Json, signs: Json) -> None:
    """Store an agent's sign of life."""
    made = document["properties"]
    made["lastConnectivityTime"] = stamp(azure.clock.now())
    made["managedIdentityCertificateExpirationTime"] = stamp(azure.clock.now() + 90 * 86400)
    for name, kind in (
        ("agentVersion", str),
        ("kubernetesVersion", str),
        ("totalNodeCount", int),
        ("totalCoreCount", int),
    ):
        if signs.get(name) is not None:
            made[name] = expect(signs[name], kind, name)
    azure.store.rewrite(document)


def configured(configurations: Sequence[Json]) -> dict[tuple[str, str], str]:
    """Settings by feature and name; a protected one as the client has it, often only the mark that there is one."""
    return {
        (one["feature"], name): value
        for one in configurations
        for part in ("settings", "protectedSettings")
        for name, value in (one.get(part) or {}).items()
        if value is not None
    }


def _check_put(document: Json, given: Json) -> None:
    identity = document.get("identity")
    kind = expect(identity, dict, "identity").get("type") if identity is not None else None
    if kind is None or str(kind).lower() not in ("systemassigned", "none"):
        raise ArmError(
            400, "InvalidIdentityType", "The connected cluster needs an 'identity' of type SystemAssigned or None."
        )
    if not isinstance(given.get("agentPublicKeyCertificate"), str):
        raise ArmError(
            400,
            "InvalidRequestContent",
            "The request content was invalid: 'properties.agentPublicKeyCertificate' is required and must be a string.",
        )


def _configurations(given: list[Any], before: Json) -> list[Json]:
    """Configurations with the protected settings that a client did not see and so did not send back."""
    kept = {
        one["feature"]: one["protectedSettings"]
        for one in before.get("arcAgentryConfigurations") or ()
        if one.get("protectedSettings")
    }
    made = []
    for one in given:
        expect(one.get("feature"), str, "properties.arcAgentryConfigurations[].feature")
        if "protectedSettings" not in one and one["feature"] in kept:
            one = {**one, "protectedSettings": kept[one["feature"]]}
        made.append(one)
    return made


def _connectivity(document: Json, now: float) -> str:
    last = document["properties"].get("lastConnectivityTime")
    if last is None:
        return "AgentNotInstalled" if document.get("kind") in AGENTLESS else "Connecting"
    silence = now - datetime.fromisoformat(last).timestamp()
    return "Connected" if silence < OFFLINE else "Offline" if silence < EXPIRED else "Expired"


def _day(version: str) -> str:
    return version[:10]
