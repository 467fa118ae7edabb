"""No input gives a 500 or ends the service: requests made up of what Azure knows and of what nobody ever sent."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_azure import CLUSTERS, GATEWAYS, GROUPS, SETTINGS, LocalAzure, cluster_body
from raw_http import exchange, head
from restricted import ROLES

HOSTS = (
    "", "management.azure.com", "login.microsoftonline.com", "graph.microsoft.com", "mcr.microsoft.com",
    "eastus.dp.kubernetesconfiguration.azure.com", "gbl.his.arc.azure.com", "localhost:\xff", "[::1", "?", "a:b:c",
)  # fmt: skip
#: Addresses that mean something; those in the second place are written to with documents like these.
KNOWN: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("{c}/gateways/{n}", GATEWAYS, {"location": "eastus", "properties": {"allowedFeatures": ["*"]}}),
    ("{c}/privateLinkScopes/{n}", GATEWAYS, {"location": "eastus", "properties": {"publicNetworkAccess": "Enabled"}}),
    ("{c}/privateLinkScopes/{n}/privateEndpointConnections/{n}", GATEWAYS, {"properties": {}}),
    ("{k}/{n}", CLUSTERS, cluster_body(gateway={"enabled": True}, arcAgentryConfigurations=[{"feature": "proxy"}])),
    ("{k}/kept", CLUSTERS, cluster_body()),
    ("{k}/kept/listClusterUserCredential", CLUSTERS, {"authenticationMethod": "Token", "clientProxy": True}),
    (
        "{k}/kept/providers/Microsoft.HybridCompute/settings/default",
        SETTINGS,
        {"properties": {"gatewayProperties": {"gatewayResourceId": "{c}/gateways/{n}"}}},
    ),
    ("{g}/providers/Microsoft.Any/things/{n}", GATEWAYS, {"location": "eastus", "properties": {"a": [1, {"b": None}]}}),
    ("{a}/roleDefinitions/{u}", ROLES, {"properties": {"roleName": "r", "permissions": [{"actions": ["*"]}]}}),
    ("{a}/roleAssignments/{u}", ROLES, {"properties": {"principalId": "{u}", "roleDefinitionId": "/{u}"}}),
    ("{s}/resourceGroups/other", GROUPS, {"location": "eastus", "tags": {"a": "b"}}),
    ("{c}/gateways", GATEWAYS, {}),
    ("{k}", CLUSTERS, {}),
    ("{s}/resources", GROUPS, {}),
    ("{s}/resourceGroups", GROUPS, {}),
    ("{s}/providers/{n}", GROUPS, {}),
    ("{s}/providers/microsoft.insights/eventtypes/management/values", GROUPS, {}),
    ("{s}/providers/Microsoft.HybridCompute/locations/eastus/operationstatus/{n}", GATEWAYS, {}),
    ("/metadata/endpoints", "2022-09-01", {}),
    ("/common/discovery/instance", "", {}),
    ("/{n}/oauth2/v2.0/token", "", {}),
    ("/v2/{n}/manifests/{n}", "", {}),
    ("/v1.0/servicePrincipals", "", {}),
    ("/v1.0/servicePrincipals/{n}", "", {}),
    ("/v1.0/directoryObjects/getByIds", "", {"ids": ["{u}"], "types": ["servicePrincipal"]}),
    (
        "{k}/kept/providers/Microsoft.Resources/tags/default",
        "2025-04-01",
        {"operation": "Merge", "properties": {"tags": {"a": "b"}}},
    ),
    (
        "{s}/providers/Microsoft.Resources/tags/default",
        "2025-04-01",
        {"operation": "Delete", "properties": {"tags": {"a": ""}}},
    ),
    ("{c}/privateLinkScopes/{n}/privateLinkResources/{n}", GATEWAYS, {}),
    ("/providers/Microsoft.Kubernetes/locations/eastus/operationStatuses/{n}*{n}", CLUSTERS, {}),
    ("/azure-arc-k8sagents/GetHelmSettings", GATEWAYS, {"id": "{k}/kept"}),
    ("/azure-arc-k8sagents/heartbeat", GATEWAYS, {"resourceId": "{k}/kept", "agentVersion": "1", "totalNodeCount": 1}),
    ("/sandbox/clock", "", {"advance": 1}),
    ("/sandbox/durations", "", {"Microsoft.HybridCompute/gateways:create": 1}),
    ("/sandbox/principals", "", {"secret": "s"}),
)

text = st.text(max_size=12)
segments = (
    text.map(lambda one: quote(one, safe=""))
    | st.binary(max_size=6).map(quote_from_bytes)
    | st.sampled_from(("..", "%2e%2e", "%2F", "%00", "providers", "subscriptions", "x", "%", "a" * 300))
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
queries = st.dictionaries(
    st.sampled_from(("$top", "$skipToken", "$filter", "$select", "api-version", "authorization_endpoint")) | text,
    text | st.sampled_from(("eventTimestamp ge '9999'", "appId eq ''", "1e9", "OQ" * 20, "roleName eq 'x'")),
    max_size=3,
)


@st.composite
def documents(draw: st.DrawFn, good: dict[str, Any]) -> bytes:
    """A body: right, wrong at some place, or no JSON at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=40))

    def changed(value: Any) -> Any:
        if draw(st.integers(0, 7)) == 0:
            return draw(values)
        if isinstance(value, dict):
            return {key: changed(inner) for key, inner in value.items()}
        return [changed(inner) for inner in value] if isinstance(value, list) else value

    return json.dumps(changed(good)).encode()


@pytest.fixture(scope="module")
def places(azure: LocalAzure) -> dict[str, str]:
    group = azure.group()
    azure.cluster(group, "kept")
    return {
        "{s}": azure.subscription,
        "{g}": group,
        "{c}": f"{group}/providers/Microsoft.HybridCompute",
        "{k}": f"{group}/providers/Microsoft.Kubernetes/connectedClusters",
        "{a}": f"{group}/providers/Microsoft.Authorization",
        "{u}": "11111111-2222-3333-4444-555555555555",
    }


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_input_gives_a_500_or_ends_the_service(
    azure: LocalAzure, places: dict[str, str], data: st.DataObject
) -> None:
    template, version, good = data.draw(st.sampled_from(KNOWN))
    body = data.draw(documents(good))
    for name, value in places.items():
        template, body = template.replace(name, value), body.replace(name.encode(), value.encode())
    while "{n}" in template:
        template = template.replace("{n}", data.draw(st.just("name") | segments), 1)
    if data.draw(st.integers(0, 9)) == 0:
        template = "/".join(data.draw(st.lists(segments | st.sampled_from(template.split("/")), max_size=12)))
    query = {"api-version": version} | data.draw(st.just({}) | queries)
    path = f"/{template.lstrip('/')}?" + "&".join(f"{quote(name)}={quote(value)}" for name, value in query.items())
    method = data.draw(st.sampled_from(("PUT", "PUT", "GET", "PATCH", "POST", "DELETE", "HEAD", "OPTIONS")))
    host = data.draw(st.just("") | st.sampled_from(HOSTS))
    length = f"Content-Length: {len(body)}"
    kind = data.draw(st.sampled_from(("application/json", "application/x-www-form-urlencoded", "\xff")))
    sent = head(azure, method, path, length, f"Content-Type: {kind}", host=host or None) + body
    status, answered = exchange(azure, sent, method)
    assert status < 500, (sent, answered)
    if status >= 400 and host in ("", "management.azure.com") and isinstance(answered, dict) and "/oauth2/" not in path:
        assert "error" in answered or "errors" in answered, (sent, answered)


def test_after_all_of_it_everything_is_read_as_before(azure: LocalAzure, places: dict[str, str]) -> None:
    for path, version in (
        (places["{k}"], CLUSTERS),
        (f"{places['{c}']}/gateways", GATEWAYS),
        (f"{azure.subscription}/resources", GROUPS),
        (f"{azure.subscription}/providers/microsoft.insights/eventtypes/management/values", "2015-04-01"),
        (f"{places['{a}']}/roleDefinitions", ROLES),
    ):
        while path:
            page = azure.call("GET", path, version)
            assert page.status_code == 200, page.text
            json.dumps(page.json()).encode()
            path, version = page.json().get("nextLink", ""), ""
    assert "Traceback" not in (azure.home.folder("logs") / "azure.log").read_text()
