"""Conditional writes: the table of ARM's contract with its providers, and types that have no etags."""

from __future__ import annotations

from typing import Any

import pytest
from local_azure import CLUSTERS, GATEWAYS, LocalAzure, cluster_body

VERSION = "2024-01-01"
BODY: dict[str, Any] = {"location": "eastus", "properties": {"a": 1}}
OTHER = '"11111111-1111-1111-1111-111111111111"'


@pytest.fixture(scope="module")
def things(azure: LocalAzure) -> str:
    return f"{azure.group()}/providers/Microsoft.Any/things"


@pytest.mark.parametrize(
    ("method", "header", "value", "absent", "present"),
    [
        ("PUT", "If-Match", "", 201, 200),
        ("PUT", "If-Match", "*", 412, 200),
        ("PUT", "If-Match", "its own", 412, 200),
        ("PUT", "If-Match", OTHER, 412, 412),
        ("PUT", "If-None-Match", "*", 201, 412),
        ("PUT", "If-None-Match", "its own", 201, 412),
        ("PUT", "If-None-Match", OTHER, 201, 200),
        ("PATCH", "If-Match", "*", 404, 200),
        ("PATCH", "If-Match", "its own", 404, 200),
        ("PATCH", "If-Match", OTHER, 404, 412),
        ("DELETE", "If-Match", "*", 204, 200),
        ("DELETE", "If-Match", "its own", 204, 200),
        ("DELETE", "If-Match", OTHER, 204, 412),
    ],
)
def test_the_table_of_the_contract(
    azure: LocalAzure, things: str, method: str, header: str, value: str, absent: int, present: int
) -> None:
    body = None if method == "DELETE" else BODY
    path = f"{things}/t"
    etag = azure.call("PUT", path, VERSION, BODY).json()["etag"]
    there = azure.call(method, path, VERSION, body, headers={header: etag if value == "its own" else value})
    assert there.status_code == present
    now = azure.call("GET", path, VERSION)
    if present == 412:
        assert there.json()["error"]["code"] == "PreconditionFailed" and etag in there.json()["error"]["message"]
        assert now.json()["etag"] == etag, "nothing was written"
    elif method != "DELETE":
        assert there.json()["etag"] == now.json()["etag"] != etag
    azure.call("DELETE", path, VERSION)
    gone = azure.call(method, path, VERSION, body, headers={header: etag if value == "its own" else value})
    assert gone.status_code == absent
    azure.call("DELETE", path, VERSION)


def test_two_writers_and_one_etag(azure: LocalAzure, things: str) -> None:
    path = f"{things}/raced"
    etag = azure.call("PUT", path, VERSION, BODY, headers={"If-None-Match": "*"}).json()["etag"]
    statuses = [azure.call("PUT", path, VERSION, BODY, headers={"If-Match": etag}).status_code for _ in range(2)]
    assert statuses == [200, 412]
    mine = azure.call("PUT", path, VERSION, {**BODY, "etag": OTHER}).json()
    assert mine["etag"] != OTHER, "a client sets none"


def test_types_without_documented_etags_ignore_both_headers(azure: LocalAzure) -> None:
    group = azure.group()
    for path, version, body in (
        (f"{group}/providers/Microsoft.HybridCompute/privateLinkScopes/s", GATEWAYS, {"location": "eastus"}),
        (f"{group}/providers/Microsoft.Kubernetes/connectedClusters/c", CLUSTERS, cluster_body()),
    ):
        for header, status in ({"If-Match": OTHER}, 201), ({"If-None-Match": "*"}, 200):
            answer = azure.call("PUT", path, version, body, headers=header)
            assert answer.status_code == status and "etag" not in answer.json()
