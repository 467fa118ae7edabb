"""The activity log: what a write tells when it starts, when it is answered, and when its operation ends."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from local_azure import CLUSTERS, GATEWAYS, GROUPS, LocalAzure, cluster_body

GATEWAY: dict[str, Any] = {"location": "eastus", "properties": {"allowedFeatures": ["*"]}}
WRITE, DELETE = (f"Microsoft.HybridCompute/gateways/{act}" for act in ("write", "delete"))
LASTING = 600


def log(azure: LocalAzure, text: str, **more: str) -> list[dict[str, Any]]:
    """All events that a filter finds, over all pages."""
    path = f"{azure.subscription}/providers/microsoft.insights/eventtypes/management/values"
    found: list[dict[str, Any]] = []
    query = {"$filter": f"eventTimestamp ge '2020-01-01T00:00:00Z' and {text}", **more}
    answer = azure.call("GET", path, "2015-04-01", params=query)
    while True:
        assert answer.status_code == 200, answer.text
        found += answer.json()["value"]
        if "nextLink" not in answer.json():
            return found
        answer = azure.call("GET", answer.json()["nextLink"])


def told(events: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(one["operationName"]["value"], one["status"]["value"], one["subStatus"]["value"]) for one in events]


@pytest.fixture
def gateway(azure: LocalAzure) -> str:
    """The id of one that is not there yet."""
    return f"{azure.group()}/providers/Microsoft.HybridCompute/gateways/logged"


def by(correlation: str) -> dict[str, str]:
    return {"x-ms-correlation-request-id": correlation, "x-ms-client-request-id": f"client-{correlation}"}


def test_a_write_starts_is_accepted_and_ends_under_one_correlation_id(azure: LocalAzure, gateway: str) -> None:
    azure.durations(gateway=LASTING)
    try:
        first, second = str(uuid.uuid4()), str(uuid.uuid4())
        azure.call("PUT", gateway, GATEWAYS, GATEWAY, headers=by(first))
        on_the_way = log(azure, f"correlationId eq '{first}'")
        assert told(on_the_way) == [(WRITE, "Accepted", "Created"), (WRITE, "Started", "")]
        azure.advance(LASTING + 1)
        azure.call("DELETE", gateway, GATEWAYS, headers=by(second))
        azure.advance(LASTING + 1)
        for correlation, action, answered in ((first, WRITE, "Created"), (second, DELETE, "Accepted")):
            events = log(azure, f"correlationId eq '{correlation}'")
            assert told(events) == [
                (action, "Succeeded", "OK"),
                (action, "Accepted", answered),
                (action, "Started", ""),
            ]
            assert [one["eventName"]["value"] for one in events] == ["EndRequest", "EndRequest", "BeginRequest"]
            assert {one["correlationId"] for one in events} == {correlation}
            assert {one["httpRequest"]["clientRequestId"] for one in events} == {f"client-{correlation}"}
            assert {one["caller"] for one in events} == {azure.identity.client_id}
            assert {one["resourceId"] for one in events} == {gateway}
            assert len({one["eventDataId"] for one in events}) == 3
            assert events[0]["eventTimestamp"] > events[2]["eventTimestamp"]
        assert on_the_way == log(azure, f"correlationId eq '{first}'")[1:], "what was told stays as it was"
    finally:
        azure.durations(gateway=0.9)


def test_a_creation_that_a_deletion_overtakes_is_canceled(azure: LocalAzure, gateway: str) -> None:
    azure.durations(gateway=LASTING)
    try:
        azure.call("PUT", gateway, GATEWAYS, GATEWAY)
        azure.call("DELETE", gateway, GATEWAYS)
        azure.advance(LASTING + 1)
        ends = [one for one in log(azure, f"resourceUri eq '{gateway}'") if one["status"]["value"] != "Started"]
        assert sorted(told(ends)) == sorted(
            [
                (WRITE, "Accepted", "Created"),
                (WRITE, "Canceled", "OK"),
                (DELETE, "Accepted", "Accepted"),
                (DELETE, "Succeeded", "OK"),
            ]
        )
    finally:
        azure.durations(gateway=0.9)


def test_what_is_done_at_once_is_two_events_and_a_read_is_none(azure: LocalAzure) -> None:
    group = azure.group()
    cluster = azure.cluster(group, "quick")
    azure.call("PATCH", cluster, "2025-08-01-preview", {"tags": {"a": "b"}})
    azure.call("GET", cluster, CLUSTERS)
    azure.call("POST", f"{cluster}/listClusterUserCredential", CLUSTERS, {})
    kind = "Microsoft.Kubernetes/connectedClusters/write"
    assert told(log(azure, f"resourceId eq '{cluster}'")) == [
        (kind, "Succeeded", "OK"),
        (kind, "Started", ""),
        (kind, "Succeeded", "Created"),
        (kind, "Started", ""),
    ]


def test_a_refused_write_says_why(azure: LocalAzure, gateway: str) -> None:
    azure.call("PUT", gateway, GATEWAYS, {"location": "mars"})
    failed, started = log(azure, f"resourceUri eq '{gateway}'")
    assert (failed["status"]["value"], started["status"]["value"]) == ("Failed", "Started")
    assert (failed["level"], started["level"]) == ("Error", "Informational")
    assert failed["subStatus"] == {"value": "BadRequest", "localizedValue": "Bad Request (HTTP Status Code: 400)"}
    assert failed["properties"]["statusCode"] == "BadRequest"
    error = json.loads(failed["properties"]["statusMessage"])["error"]
    assert error["code"] == "LocationNotAvailableForResourceType" and "mars" in error["message"]
    assert log(azure, f"resourceUri eq '{gateway}' and status eq 'Failed'") == [failed]


def test_a_group_and_all_that_is_in_it(azure: LocalAzure) -> None:
    group = azure.group()
    azure.call("PUT", f"{group}/providers/Microsoft.Kubernetes/connectedClusters/c", CLUSTERS, cluster_body())
    azure.call("DELETE", group, GROUPS)
    azure.advance(1)
    name = group.rsplit("/", 1)[1]
    events = log(azure, f"resourceGroupName eq '{name}'")
    kind = "Microsoft.Resources/subscriptions/resourceGroups"
    assert told(events)[:3] == [
        (f"{kind}/delete", "Succeeded", "OK"),
        (f"{kind}/delete", "Accepted", "Accepted"),
        (f"{kind}/delete", "Started", ""),
    ]
    assert told(events)[-2:] == [(f"{kind}/write", "Succeeded", "Created"), (f"{kind}/write", "Started", "")]
    assert len(events) == 7 and {one["resourceGroupName"] for one in events} == {name}
    only = log(azure, f"resourceGroupName eq '{name}' and resourceProvider eq 'Microsoft.Kubernetes'")
    assert len(only) == 2


def test_pages_neither_lose_an_event_nor_tell_one_twice(azure: LocalAzure) -> None:
    group = azure.group()
    for index in range(7):
        azure.cluster(group, f"c{index}")
    text = f"resourceGroupName eq '{group.rsplit('/', 1)[1]}'"
    whole = log(azure, text)
    assert len(whole) == 16
    for top in ("1", "2", "5", "100"):
        assert log(azure, text, **{"$top": top}) == whole


def test_times_as_az_writes_them_and_selected_properties(azure: LocalAzure, gateway: str) -> None:
    azure.call("PUT", gateway, GATEWAYS, {"location": "mars"})
    name = gateway.split("/")[4]
    text = f"eventTimestamp le 2099-01-01T00:00:00Z and resourceGroupName eq '{name}'"
    events = log(azure, text, **{"$select": "eventTimestamp, status,caller"})
    assert len(events) == 4 and {frozenset(one) for one in events} == {
        frozenset(("eventTimestamp", "status", "caller"))
    }
    assert log(azure, "eventTimestamp le 2020-01-02T00:00:00Z") == []
    path = f"{azure.subscription}/providers/microsoft.insights/eventtypes/management/values"
    for wrong in ("eventTimestamp ge 'soon'", "nonsense", "colour eq 'red'"):
        answer = azure.call("GET", path, "2015-04-01", params={"$filter": wrong})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")
