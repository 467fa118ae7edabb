"""Exchanges that were recorded with Azure itself, field by field.

Of the recordings of `az arcgateway` (Azure/azure-cli-extensions at 7380c3b6 and 98b1f3b1, src/arcgateway/
azext_arcgateway/tests/latest/recordings: test_arcgateway.yaml, test_setting.yaml; API version 2024-07-31-preview).
The sandbox says more in two places: `systemData` and `tags`, which later versions have, and Retry-After, for want of
which clients would wait half a minute between two polls.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import requests
from local_azure import GATEWAYS, LocalAzure

MORE = {"systemData", "tags"}
LASTING = 600
BODY: dict[str, Any] = {"location": "eastus", "properties": {"allowedFeatures": ["*"]}}


@pytest.fixture(scope="module")
def slow(azure: LocalAzure) -> Iterator[LocalAzure]:
    azure.durations(gateway=LASTING)
    yield azure
    azure.durations(gateway=0.9)


def addresses(azure: LocalAzure, answer: requests.Response) -> tuple[str, str]:
    """Where an operation is asked about, and its result; both name it by the same GUID."""
    folder = f"{azure.url}{azure.subscription}/providers/Microsoft.HybridCompute/locations/eastus"
    found = []
    for header, word in (("azure-asyncoperation", "operationstatus"), ("location", "operationresults")):
        pattern = rf"{re.escape(folder)}/{word}/([0-9a-f-]{{36}})\?api-version={GATEWAYS}"
        match = re.fullmatch(pattern, answer.headers[header])
        assert match, answer.headers[header]
        found.append(match[1])
    assert found[0] == found[1] == str(uuid.UUID(found[0]))
    return answer.headers["azure-asyncoperation"], answer.headers["location"]


def polls(azure: LocalAzure, started: requests.Response) -> list[str]:
    """The states of an operation, each poll as it was recorded."""
    address, _ = addresses(azure, started)
    seen = []
    for wait in (0, LASTING / 2, LASTING):
        azure.advance(wait)
        answer = azure.call("GET", address)
        assert answer.status_code == 200
        assert list(answer.json()) == ["name", "status", "startTime"]
        assert f"/{answer.json()['name']}?" in address
        assert datetime.fromisoformat(answer.json()["startTime"]).tzinfo
        seen.append(answer.json()["status"])
        over = seen[-1] == "Succeeded"
        assert ("azure-asyncoperation" in answer.headers, "location" in answer.headers) == (not over, not over)
        if not over:
            assert addresses(azure, answer)[0] == address
    return seen


def gateway(document: dict[str, Any], identifier: str) -> dict[str, Any]:
    """A gateway's properties, after all that is the same in every recorded one was looked at."""
    assert set(document) - MORE == {"id", "name", "location", "type", "properties"}
    assert document["id"] == identifier and document["name"] == identifier.rsplit("/", 1)[1]
    assert (document["location"], document["type"]) == ("eastus", "Microsoft.HybridCompute/gateways")
    properties = dict(document["properties"])
    uuid.UUID(properties["gatewayId"])
    assert (properties["allowedFeatures"], properties["gatewayType"]) == (["*"], "Public")
    return properties


def test_a_gateway_is_created_shown_and_deleted(slow: LocalAzure) -> None:
    identifier = f"{slow.group()}/providers/Microsoft.HybridCompute/gateways/myArcgateway"
    made = slow.call("PUT", identifier, GATEWAYS, BODY)
    assert made.status_code == 201
    creating = gateway(made.json(), identifier)
    assert set(creating) == {"gatewayId", "allowedFeatures", "gatewayType", "provisioningState"}
    assert creating["provisioningState"] == "Creating"
    assert polls(slow, made) == ["Queued", "InProgress", "Succeeded"]

    for answer in (
        slow.call("GET", identifier, GATEWAYS).json(),
        slow.call("GET", identifier.rsplit("/", 1)[0], GATEWAYS).json()["value"][0],
    ):
        ready = gateway(answer, identifier)
        assert set(ready) - set(creating) == {"gatewayEndpoint"} and set(creating) <= set(ready)
        assert ready["provisioningState"] == "Succeeded" and ready["gatewayId"] == creating["gatewayId"]
        assert re.fullmatch(r"[0-9a-f-]{36}\.gw\.arc\.azure\.com", ready["gatewayEndpoint"])

    gone = slow.call("DELETE", identifier, GATEWAYS)
    assert gone.status_code == 202
    assert gateway(gone.json(), identifier)["provisioningState"] == "Deleting"
    (listed,) = slow.call("GET", identifier.rsplit("/", 1)[0], GATEWAYS).json()["value"]
    assert listed["properties"]["provisioningState"] == "Deleting"
    assert polls(slow, gone) == ["Queued", "InProgress", "Succeeded"]
    assert slow.call("GET", identifier.rsplit("/", 1)[0], GATEWAYS).json()["value"] == []


def test_settings_are_read_and_put_back_with_one_thing_changed(slow: LocalAzure) -> None:
    group = slow.group()
    machine = f"{group}/providers/Microsoft.HybridCompute/machines/testmachine"
    assert slow.call("PUT", machine, GATEWAYS, {"location": "eastus"}).status_code == 201
    wanted = f"{group}/providers/Microsoft.HybridCompute/gateways/myGateway"
    assert slow.call("PUT", wanted, GATEWAYS, BODY).status_code == 201
    slow.advance(LASTING + 1)
    path = f"{machine}/providers/Microsoft.HybridCompute/settings/default"
    for identifier in (wanted, None, wanted):
        instance = slow.call("GET", path, GATEWAYS)
        assert instance.status_code == 200
        # As the command does it: all of it, with what only the service sets.
        body = instance.json()
        body["properties"]["gatewayProperties"]["gatewayResourceId"] = identifier
        put = slow.call("PUT", path, GATEWAYS, body)
        assert put.status_code == 200
        for answer in (put.json(), slow.call("GET", path, GATEWAYS).json()):
            assert set(answer) - MORE == {"id", "name", "type", "properties"}
            assert (answer["id"], answer["name"]) == (path, "default")
            assert answer["type"] == "Microsoft.HybridCompute/settings"
            assert answer["properties"] == {
                "tenantId": slow.identity.tenant_id,
                "gatewayProperties": {"gatewayResourceId": identifier},
            }


def test_headers_that_every_recorded_answer_has(azure: LocalAzure) -> None:
    answer = azure.call("GET", f"{azure.subscription}/providers/Microsoft.HybridCompute/gateways", GATEWAYS)
    recorded = {
        "cache-control": "no-cache",
        "content-type": "application/json; charset=utf-8",
        "expires": "-1",
        "pragma": "no-cache",
        "strict-transport-security": "max-age=31536000; includeSubDomains",
        "x-content-type-options": "nosniff",
    }
    assert {name: answer.headers[name] for name in recorded} == recorded
    assert int(answer.headers["content-length"]) == len(answer.content) and "date" in answer.headers
