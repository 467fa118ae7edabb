"""Every list in pages, and tags that are changed without their resources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from local_azure import CLUSTERS, GATEWAYS, GROUPS, LocalAzure

TAGS = "2025-04-01"
COUNT = 5


@pytest.fixture(scope="module")
def filled(azure: LocalAzure) -> Iterator[str]:
    """A group with five of everything."""
    group = azure.group()
    for index in range(COUNT):
        azure.cluster(group, f"c{index}")
        azure.gateway(group, f"gw{index}")
        scope = f"{group}/providers/Microsoft.HybridCompute/privateLinkScopes/s{index}"
        assert azure.call("PUT", scope, GATEWAYS, {"location": "eastus"}).status_code == 201
        connection = f"{scope.replace(f's{index}', 's0')}/privateEndpointConnections/p{index}"
        assert azure.call("PUT", connection, GATEWAYS, {"properties": {}}).status_code == 200
    yield group
    azure.call("DELETE", group, GROUPS)
    azure.advance(1)


@pytest.mark.parametrize("top", [1, 2, COUNT, 1000])
@pytest.mark.parametrize(
    ("path", "version", "count"),
    [
        ("{group}/providers/Microsoft.HybridCompute/gateways", GATEWAYS, COUNT),
        ("{subscription}/providers/Microsoft.HybridCompute/gateways", GATEWAYS, COUNT),
        ("{group}/providers/Microsoft.HybridCompute/privateLinkScopes", GATEWAYS, COUNT),
        ("{subscription}/providers/Microsoft.HybridCompute/privateLinkScopes", GATEWAYS, COUNT),
        ("{group}/providers/Microsoft.HybridCompute/privateLinkScopes/s0/privateEndpointConnections", GATEWAYS, COUNT),
        ("{group}/providers/Microsoft.Kubernetes/connectedClusters", CLUSTERS, COUNT),
        ("{subscription}/providers/Microsoft.Kubernetes/connectedClusters", CLUSTERS, COUNT),
        ("{group}/resources", GROUPS, 3 * COUNT),
        ("{subscription}/resources", GROUPS, 3 * COUNT),
    ],
)
def test_a_list_in_pages_is_the_whole_list(
    azure: LocalAzure, filled: str, path: str, version: str, count: int, top: int
) -> None:
    path = path.replace("{group}", filled).replace("{subscription}", azure.subscription)
    whole = [one["id"] for one in azure.call("GET", path, version).json()["value"]]
    assert len(whole) == count == len(set(whole))
    for name in ("$top", "$TOP"):
        seen, pages = [], 0
        answer = azure.call("GET", path, version, params={name: str(top)}).json()
        while True:
            assert len(answer["value"]) <= top
            seen += [one["id"] for one in answer["value"]]
            pages += 1
            if "nextLink" not in answer:
                break
            answer = azure.call("GET", answer["nextLink"]).json()
        assert seen == whole and pages == -(-count // top)


def test_tags_of_a_resource_are_changed_by_themselves(azure: LocalAzure) -> None:
    cluster = azure.cluster(azure.group(), "tagged")
    before = azure.call("GET", cluster, CLUSTERS).json()
    path = f"{cluster}/providers/Microsoft.Resources/tags/default"

    def patch(operation: str, **tags: str) -> Any:
        body = {"operation": operation, "properties": {"tags": tags}}
        answer = azure.call("PATCH", path, TAGS, body)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["id"], answer.json()["type"]) == (path, "Microsoft.Resources/tags")
        shown = azure.call("GET", cluster, CLUSTERS).json()
        assert (
            shown["tags"]
            == answer.json()["properties"]["tags"]
            == azure.call("GET", path, TAGS).json()["properties"]["tags"]
        )
        assert shown["properties"] == before["properties"]
        return shown["tags"]

    assert patch("Merge", team="edge", site="one") == {"team": "edge", "site": "one"}
    assert patch("Merge", site="two") == {"team": "edge", "site": "two"}
    assert patch("Delete", site="one") == {"team": "edge", "site": "two"}
    assert patch("Delete", site="two", team="") == {}
    assert patch("Replace", a="b") == {"a": "b"}
    put = azure.call("PUT", path, TAGS, {"properties": {"tags": {"c": "d"}}})
    assert (put.status_code, put.json()["properties"]["tags"]) == (200, {"c": "d"})
    assert azure.call("DELETE", path, TAGS).status_code == 200
    assert azure.call("GET", cluster, CLUSTERS).json()["tags"] == {}


def test_tags_of_a_group_and_of_the_subscription(azure: LocalAzure) -> None:
    group = azure.group()
    for scope in (group, azure.subscription):
        path = f"{scope}/providers/Microsoft.Resources/tags/default"
        body = {"operation": "Merge", "properties": {"tags": {"team": "edge"}}}
        assert azure.call("PATCH", path, TAGS, body).json()["properties"]["tags"] == {"team": "edge"}
        assert azure.call("GET", scope, GROUPS).json()["tags"] == {"team": "edge"}


@pytest.mark.parametrize(
    ("scope", "body", "expected"),
    [
        ("/resourceGroups/absent", {"operation": "Merge", "properties": {"tags": {}}}, (404, "ResourceGroupNotFound")),
        (
            "{group}/providers/Microsoft.Kubernetes/connectedClusters/absent",
            {"operation": "Merge", "properties": {"tags": {}}},
            (404, "ResourceNotFound"),
        ),
        ("{group}", {"operation": "Shake", "properties": {"tags": {}}}, (400, "InvalidRequestContent")),
        ("{group}", {"operation": "Merge", "properties": {"tags": {"a": 1}}}, (400, "InvalidRequestContent")),
        (
            "{group}",
            {"operation": "Merge", "properties": {"tags": {str(n): "" for n in range(51)}}},
            (400, "InvalidTags"),
        ),
        ("{group}", {"operation": "Replace", "properties": {"tags": {"a" * 513: ""}}}, (400, "InvalidTags")),
    ],
)
def test_tags_that_are_refused(azure: LocalAzure, scope: str, body: Any, expected: tuple[int, str]) -> None:
    scope = scope.replace("{group}", azure.group()) if "{group}" in scope else azure.subscription + scope
    answer = azure.call("PATCH", f"{scope}/providers/Microsoft.Resources/tags/default", TAGS, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == expected


def test_providers_as_the_tenant_knows_them(azure: LocalAzure) -> None:
    listed = {one["namespace"]: one for one in azure.call("GET", "/providers", GROUPS).json()["value"]}
    one = azure.call("GET", "/providers/microsoft.hybridcompute", GROUPS).json()
    assert one == listed["Microsoft.HybridCompute"] and one["id"] == "/providers/Microsoft.HybridCompute"
    assert "registrationState" not in one and "gateways" in {kind["resourceType"] for kind in one["resourceTypes"]}
