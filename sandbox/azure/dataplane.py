"""The cluster-configuration service that `az connectedk8s` and the agents call."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox import world
from sandbox.azure import clusters, gateways, ids, tokens
from sandbox.azure.core import Azure, Call, Reply, conform, expect
from sandbox.azure.errors import invalid_content, method_not_allowed, no_route, resource_not_found
from sandbox.azure.store import Json

PREFIX = "/azure-arc-k8sagents/"
_MARK = "redacted:"
#: Chart values of features' settings. The service's own table is not published: these are the values that the client
#: set itself before there was one, and any other setting goes under its feature's name.
_SETTINGS = {
    ("proxy", "http_proxy"): "global.httpProxy",
    ("proxy", "https_proxy"): "global.httpsProxy",
    ("proxy", "no_proxy"): "global.noProxy",
    ("proxy", "proxy_cert"): "global.proxyCert",
    ("logging", "container_log_path"): "systemDefaultValues.fluent-bit.containerLogPath",
}


def answer(azure: Azure, call: Call) -> Reply:
    """Answer a request to REGION.dp.kubernetesconfiguration.azure.com.

    Raises:
        ArmError: the address, the body or the cluster is none.
    """
    verb = call.path.removeprefix(PREFIX).rstrip("/").lower()
    handler = HANDLERS.get(verb)
    if handler is None or not call.path.startswith(PREFIX):
        raise no_route(call.method, call.path[:200])
    if call.method != "POST":
        raise method_not_allowed(call.method, call.path[:200])
    return handler(azure, call)


def helm_values(azure: Azure, cluster: Json, told: Sequence[Json]) -> dict[str, str]:
    """The chart values that the service computes for a stored cluster.

    A protected setting comes back as the client tells it: `az` stores none, sends the mark `redacted:FEATURE:NAME` for
    each with this question, and puts the value in its place on its own machine; a mark of an earlier question would
    be one that it cannot replace. Where nothing is said of a proxy, the values say nothing either, so that an upgrade
    leaves what the release has.

    Args:
        told: `arcAgentryConfigurations` of the question, which count before those that are stored.
    """
    target = ids.parse_id(cluster["id"])
    assert target is not None and target.group is not None, "a stored cluster has a group"
    properties = cluster["properties"]
    enabled = bool((properties.get("gateway") or {}).get("enabled"))
    values = {
        "global.subscriptionId": azure.identity.subscription_id,
        "global.resourceGroupName": target.group,
        "global.resourceName": cluster["name"],
        "global.location": cluster["location"],
        "global.tenantId": azure.identity.tenant_id,
        "global.kubernetesDistro": properties.get("distribution") or "generic",
        "global.kubernetesInfra": properties.get("infrastructure") or "generic",
        "global.gatewayEnabled": _flag(enabled),
        "global.gatewayEndpoint": gateways.endpoint_of(azure, cluster["id"]) if enabled else "",
        "systemDefaultValues.azureArcAgents.autoUpdate": _flag(
            properties["arcAgentProfile"]["agentAutoUpgrade"] != "Disabled"
        ),
    }
    stored = clusters.configured(properties.get("arcAgentryConfigurations") or ())
    kept = {setting: value for setting, value in stored.items() if not value.startswith(_MARK)}
    for (feature, name), value in {**kept, **clusters.configured(told)}.items():
        values[_SETTINGS.get((feature.lower(), name), f"systemDefaultValues.{feature}.{name}")] = value
    if values.get("global.httpProxy") or values.get("global.httpsProxy"):
        values["global.isProxyEnabled"] = "true"
    if values.get("global.proxyCert"):
        values["global.isCustomCert"] = "true"
    return values


def _health(azure: Azure, call: Call) -> Reply:
    return Reply(200, {})


def _settings(azure: Azure, call: Call) -> Reply:
    tokens.principal_of(azure, call)
    cluster = _cluster(azure, call.document.get("id"), "id")
    conform(call.properties, clusters.TOLD, "properties")
    told = call.properties.get("arcAgentryConfigurations") or ()
    return Reply(200, {"repositoryPath": world.AGENT_CHART, "helmValuesContent": helm_values(azure, cluster, told)})


def _heartbeat(azure: Azure, call: Call) -> Reply:
    with azure.store.transaction():
        clusters.heartbeat(azure, _cluster(azure, call.document.get("resourceId"), "resourceId"), call.document)
    return Reply(200, {})


def _cluster(azure: Azure, identifier: object, where: str) -> Json:
    target = ids.parse_id(expect(identifier, str, where))
    if target is None or target.kind.lower() != clusters.KIND.lower() or not target.group:
        raise invalid_content(f"'{where}' is no id of a connected cluster")
    found = azure.store.get(target.id)
    if found is None:
        raise resource_not_found(clusters.KIND, target.names[0], target.group)
    return found


def _flag(value: bool) -> str:
    return "true" if value else "false"


#: By what stands after PREFIX, in lower case.
HANDLERS = {"healthcheck": _health, "gethelmsettings": _settings, "heartbeat": _heartbeat}
