"""Faults of the local Azure: what Microsoft's own clients make of each, and which requests they strike."""

from __future__ import annotations

import json
import random
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceResponseError,
)
from azure.mgmt.hybridcompute import HybridComputeManagementClient
from azure.mgmt.hybridcompute import models as compute
from azure.mgmt.resource.resources import ResourceManagementClient
from hypothesis import given, settings
from hypothesis import strategies as st
from local_azure import CLUSTERS, GATEWAYS, GROUPS, SETTINGS, LocalAzure
from microsoft_clients import clients, credential

from sandbox.azure import fault_definitions, services
from sandbox.azure.core import Call
from sandbox.azure.errors import ArmError
from sandbox.azure.fault_kinds import KINDS, takes
from sandbox.azure.faults import Fault, Request

GATEWAY_TYPE = "Microsoft.HybridCompute/gateways"
GATEWAY = compute.Gateway(location="eastus", properties=compute.GatewayProperties(allowed_features=["*"]))
PROVIDERS = f"/providers/{GATEWAY_TYPE}"

Make = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("no_faults")


@pytest.fixture
def client(azure: LocalAzure) -> Iterator[Make]:
    with clients(azure) as make:
        yield make


@pytest.fixture(scope="module")
def group(azure: LocalAzure) -> str:
    return azure.group()


def struck(azure: LocalAzure, fault: int) -> list[dict[str, Any]]:
    """The requests that a fault struck."""
    arrived = azure.call("GET", "/sandbox/requests").json()["value"]
    return [one for one in arrived if one.get("fault", {}).get("id") == fault]


def error_of(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def name_of(identifier: str) -> str:
    return identifier.rsplit("/", 1)[1]


def test_throttling_is_waited_out_by_the_clients_own_policy(azure: LocalAzure, client: Make, group: str) -> None:
    groups = client(ResourceManagementClient).resource_groups
    assert groups.get(name_of(group)).id == group
    fault = azure.fault("throttle", retryAfter=1, count=2)
    started = time.monotonic()
    assert groups.get(name_of(group)).id == group
    assert time.monotonic() - started >= 2
    assert [one["status"] for one in struck(azure, fault)] == [429, 429]
    azure.fault("throttle", retryAfter=7, count=1)
    answer = azure.call("GET", group, GROUPS)
    assert error_of(answer) == (429, "SubscriptionRequestsThrottled") and answer.headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(500, "InternalServerError"), (502, "BadGateway"), (503, "ServiceUnavailable"), (504, "GatewayTimeout")],
)
def test_a_server_error_is_tried_again_and_told_when_it_lasts(
    azure: LocalAzure, client: Make, group: str, status: int, expected: str
) -> None:
    fault = azure.fault("server-error", status=status, count=2)
    with pytest.raises(HttpResponseError) as told:
        client(ResourceManagementClient, retry_total=0).resource_groups.get(name_of(group))
    assert told.value.status_code == status and told.value.error is not None and told.value.error.code == expected
    assert client(ResourceManagementClient).resource_groups.get(name_of(group)).id == group
    assert len(struck(azure, fault)) == 2


def test_a_front_doors_page_is_no_json(azure: LocalAzure, client: Make, group: str) -> None:
    azure.fault("server-error", status=502, html=True, count=1)
    with pytest.raises(HttpResponseError) as told:
        client(ResourceManagementClient, retry_total=0).resource_groups.get(name_of(group))
    assert told.value.status_code == 502 and "502 Bad Gateway" in told.value.response.text()  # type: ignore[union-attr]


def test_a_reset_is_one_on_the_wire_and_a_read_is_tried_again(azure: LocalAzure, client: Make, group: str) -> None:
    fault = azure.fault("reset", count=2)
    context = ssl.create_default_context(cafile=azure.bundle)
    with context.wrap_socket(
        socket.create_connection(("127.0.0.1", azure.port), 5), server_hostname="localhost"
    ) as tls:
        tls.sendall(f"GET {group}?api-version={GROUPS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        with socket.socket(fileno=tls.detach()) as raw, pytest.raises(ConnectionResetError):
            raw.settimeout(5)
            while raw.recv(4096):
                pass  # The session's tickets come before.
    assert client(ResourceManagementClient).resource_groups.get(name_of(group)).id == group
    assert [one["status"] for one in struck(azure, fault)] == [0, 0]


def test_slow_answers_are_whole_and_run_into_a_clients_time_limit(azure: LocalAzure, client: Make, group: str) -> None:
    whole = azure.call("GET", group, GROUPS).content
    azure.fault("slow", firstByte=0.3, bytesPerSecond=len(whole) * 2, count=1)
    started = time.monotonic()
    answer = azure.call("GET", group, GROUPS, stream=True)
    assert answer.elapsed.total_seconds() >= 0.3
    assert answer.content == whole and time.monotonic() - started >= 0.3 + 0.4
    azure.fault("slow", firstByte=60)
    with pytest.raises(ServiceResponseError, match="timed out"):
        client(ResourceManagementClient, read_timeout=0.3, retry_total=0).resource_groups.get(name_of(group))


def test_a_lost_response_was_a_write_and_the_repetition_joins_it(azure: LocalAzure, client: Make, group: str) -> None:
    gateways = client(HybridComputeManagementClient).gateways
    fault = azure.fault("lost-response", type=GATEWAY_TYPE, count=1)
    with pytest.raises(requests.ConnectionError):
        azure.call("PUT", f"{group}{PROVIDERS}/lost", GATEWAYS, GATEWAY.as_dict())
    before = gateways.get(name_of(group), "lost")
    assert before.properties.provisioning_state == "Creating"
    assert [one["status"] for one in struck(azure, fault)] == [201]

    again = azure.fault("lost-response", type=GATEWAY_TYPE, count=1)
    poller = gateways.begin_create_or_update(name_of(group), "lost", GATEWAY)
    azure.advance(1)
    made = poller.result(timeout=20)
    assert len(struck(azure, again)) == 1
    assert made.properties.gateway_id == before.properties.gateway_id
    gateways.begin_delete(name_of(group), "lost")


def test_stale_reads_show_what_was_before_a_write(azure: LocalAzure, client: Make) -> None:
    group = azure.group()
    gateways = client(HybridComputeManagementClient).gateways
    fault = azure.fault("stale-read", type=GATEWAY_TYPE, reads=2)
    gateway = azure.gateway(group, "stale")
    for _ in range(2):
        with pytest.raises(ResourceNotFoundError):
            gateways.get(name_of(group), "stale")
    assert gateways.get(name_of(group), "stale").id == gateway

    changed = gateways.update(name_of(group), "stale", compute.GatewayUpdate(tags={"a": "b"}))
    assert changed.tags == {"a": "b"}
    assert not gateways.get(name_of(group), "stale").tags
    assert [one.tags for one in gateways.list_by_resource_group(name_of(group))] == [{}], "lists are as old"
    assert gateways.get(name_of(group), "stale").tags == {"a": "b"}
    assert len(struck(azure, fault)) == 2 + 4, "writes and reads"

    azure.clear_faults()
    azure.fault("stale-read", methods=["DELETE"], within=60)
    gateways.begin_delete(name_of(group), "stale")
    azure.advance(50)
    assert gateways.get(name_of(group), "stale").properties.provisioning_state == "Succeeded"
    assert gateway in [one.id for one in gateways.list_by_subscription()]
    azure.advance(11)
    with pytest.raises(ResourceNotFoundError):
        gateways.get(name_of(group), "stale")
    assert azure.faults()[0]["struck"] == 1


@pytest.mark.parametrize(
    ("kind", "state", "expected"),
    [("operation-failed", "Failed", "InternalServerError"), ("operation-canceled", "Canceled", "OperationCanceled")],
)
def test_an_operation_that_does_not_end_well(
    azure: LocalAzure, client: Make, kind: str, state: str, expected: str
) -> None:
    group = azure.group()
    gateways = client(HybridComputeManagementClient).gateways
    azure.fault(kind, type=GATEWAY_TYPE, count=2)

    def told(poller: Any) -> HttpResponseError:
        azure.advance(1)
        with pytest.raises(HttpResponseError) as caught:
            poller.result(timeout=20)
        assert poller.status() == state
        return caught.value

    error = told(gateways.begin_create_or_update(name_of(group), "unlucky", GATEWAY)).error
    assert error is not None and error.code == expected
    made = gateways.get(name_of(group), "unlucky").properties
    assert (made.provisioning_state, made.gateway_endpoint) == (state, None)
    told(gateways.begin_delete(name_of(group), "unlucky"))
    assert gateways.get(name_of(group), "unlucky").properties.provisioning_state == state

    mended = gateways.begin_create_or_update(name_of(group), "unlucky", GATEWAY).result(timeout=20).properties
    assert (mended.provisioning_state, bool(mended.gateway_endpoint)) == ("Succeeded", True)

    azure.fault(kind, path=group, code="Held", message="Something in it is held.")
    deletion = client(ResourceManagementClient).resource_groups.begin_delete(name_of(group))
    azure.advance(1)
    with pytest.raises(HttpResponseError, match="Something in it is held"):
        deletion.result(timeout=20)
    assert azure.call("GET", group, GROUPS).status_code == 200


def test_a_cluster_whose_onboarding_fails_in_azure_says_so(azure: LocalAzure) -> None:
    group = azure.group()
    azure.fault("operation-failed", type="microsoft.kubernetes/CONNECTEDCLUSTERS")
    cluster = azure.cluster(group, "unlucky")
    properties = azure.call("GET", cluster, CLUSTERS).json()["properties"]
    assert properties["provisioningState"] == "Failed" and "agentState" not in properties["arcAgentProfile"]


def test_an_operation_that_never_ends(azure: LocalAzure, client: Make) -> None:
    group = azure.group()
    gateways = client(HybridComputeManagementClient).gateways
    azure.fault("operation-endless", type=GATEWAY_TYPE)
    poller = gateways.begin_create_or_update(name_of(group), "endless", GATEWAY)
    azure.advance(10 * 86400)
    assert gateways.get(name_of(group), "endless").properties.provisioning_state == "Creating"
    assert not poller.done() and poller.status() in ("Queued", "InProgress")
    # The deletion takes the place of the creation, and nothing can be written until that ends.
    deletion = azure.call("DELETE", f"{group}{PROVIDERS}/endless", GATEWAYS)
    azure.advance(10 * 86400)
    assert azure.call("GET", deletion.headers["Azure-AsyncOperation"]).json()["status"] == "InProgress"
    again = azure.call("PUT", f"{group}{PROVIDERS}/endless", GATEWAYS, GATEWAY.as_dict())
    assert error_of(again) == (409, "Conflict")
    with pytest.raises(HttpResponseError):
        poller.result(timeout=20)
    assert poller.status() == "Canceled"
    # Without the fault it ends after all.
    azure.clear_faults()
    assert azure.call("GET", deletion.headers["Azure-AsyncOperation"]).json()["status"] == "Succeeded"
    with pytest.raises(ResourceNotFoundError):
        gateways.get(name_of(group), "endless")


def test_a_group_takes_endless_operations_along(azure: LocalAzure) -> None:
    group = azure.group()
    azure.fault("operation-endless", type=GATEWAY_TYPE, count=2)
    for method in ("PUT", "DELETE"):
        assert azure.call(method, f"{group}{PROVIDERS}/held", GATEWAYS, GATEWAY.as_dict()).status_code in (201, 202)
    azure.call("DELETE", group, GROUPS)
    azure.advance(1)
    assert azure.call("PUT", group, GROUPS, {"location": "eastus"}).status_code == 201
    azure.gateway(group, "held")


def test_expired_tokens_are_refused_with_the_challenge_and_new_ones_are_not(
    azure: LocalAzure, client: Make, group: str
) -> None:
    old = client(ResourceManagementClient).resource_groups
    assert old.get(name_of(group)).id == group
    fault = azure.fault("expired-token")
    with pytest.raises(ClientAuthenticationError) as told:
        old.get(name_of(group))
    assert told.value.error is not None and told.value.error.code == "ExpiredAuthenticationToken"
    assert client(ResourceManagementClient).resource_groups.get(name_of(group)).id == group
    assert len(struck(azure, fault)) == 1
    answer = azure.call("GET", group, GROUPS)
    assert error_of(answer) == (401, "ExpiredAuthenticationToken")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    azure.clear_faults()
    azure.fault("expired-token", tokens="all", count=2)
    assert [azure.call("GET", group, GROUPS).status_code for _ in range(3)] == [401, 401, 200]


def test_a_gateway_that_vanishes_is_still_named_by_its_clusters(azure: LocalAzure, client: Make) -> None:
    group = azure.group()
    gateway, cluster = azure.gateway(group, "doomed"), azure.cluster(group, "c1", gateway={"enabled": True})
    body = {"properties": {"gatewayProperties": {"gatewayResourceId": gateway}}}
    setting = f"{cluster}/providers/Microsoft.HybridCompute/settings/default"
    assert azure.call("PUT", setting, SETTINGS, body).status_code == 200
    missing = azure.call("POST", "/sandbox/faults", body={"kind": "gateway-deleted", "gateway": "*/absent"})
    assert error_of(missing) == (404, "GatewayNotFound") and gateway in missing.json()["error"]["message"]
    assert not azure.faults()
    azure.fault("gateway-deleted", gateway="*/DOOMED")
    (view,) = azure.faults()
    assert (view["struck"], view["active"]) == (1, False)

    sdk = client(HybridComputeManagementClient)
    with pytest.raises(ResourceNotFoundError):
        sdk.gateways.get(name_of(group), "doomed")
    named = sdk.settings.get(name_of(group), "Microsoft.Kubernetes", "connectedClusters", "c1", "default")
    assert named.properties.gateway_properties.gateway_resource_id == gateway
    held = azure.call("GET", cluster, CLUSTERS).json()["properties"]
    assert held["gateway"] == {"enabled": True}
    helm = azure.call("POST", "/azure-arc-k8sagents/GetHelmSettings", "2024-07-01", {"id": cluster}).json()
    assert helm["helmValuesContent"]["global.gatewayEndpoint"] == ""
    assert error_of(azure.call("PUT", setting, SETTINGS, body)) == (404, "ResourceNotFound")
    free = {"properties": {"gatewayProperties": {"gatewayResourceId": None}}}
    assert azure.call("PUT", setting, SETTINGS, free).status_code == 200


def test_an_outage_of_the_login_is_told_with_its_code_and_may_pass(azure: LocalAzure) -> None:
    fault = azure.fault("login-outage", count=1)
    assert credential(azure).get_token("https://management.azure.com/.default").token
    assert len(struck(azure, fault)) == 1
    azure.fault("login-outage", status=400, code="AADSTS50034", message="No such account.")
    with pytest.raises(ClientAuthenticationError, match="AADSTS50034: No such account"):
        credential(azure).get_token("https://management.azure.com/.default")
    assert azure.call("GET", "/subscriptions", "2022-12-01").status_code == 200, "tokens that are there go on"


def test_names_besides_the_resource_manager_are_struck_by_host(azure: LocalAzure) -> None:
    registry = {"Host": "mcr.microsoft.com"}
    azure.fault("server-error", host="*.MICROSOFT.com", status=503)
    assert azure.call("GET", "/v2/", headers=registry).status_code == 503
    assert azure.call("GET", "/v2/").status_code == 200
    assert azure.call("GET", "/subscriptions", "2022-12-01").status_code == 200


def test_the_first_that_matches_strikes(azure: LocalAzure, group: str) -> None:
    first = azure.fault("server-error", status=503, skip=1, count=1)
    second = azure.fault("server-error", status=500, path=f"{group.upper()}*", methods=["get"], count=2)
    third = azure.fault("throttle", **{"for": 100})
    statuses = [azure.call("GET", group, GROUPS).status_code for _ in range(4)]
    assert statuses == [500, 503, 500, 429]
    counts = {one["id"]: (one["seen"], one["struck"], one["active"]) for one in azure.faults()}
    assert counts == {first: (2, 1, False), second: (2, 2, False), third: (1, 1, True)}
    azure.advance(101)
    assert azure.call("GET", group, GROUPS).status_code == 200
    assert azure.call("DELETE", f"/sandbox/faults/{second}").status_code == 204
    assert [one["id"] for one in azure.faults()] == [first, third]
    assert error_of(azure.call("DELETE", f"/sandbox/faults/{second}")) == (404, "FaultNotFound")


def test_a_seed_gives_the_same_faults_in_any_order_and_side_by_side(azure: LocalAzure) -> None:
    paths = [f"{azure.subscription}/resourceGroups/seeded-{index}" for index in range(60)]

    def statuses(seed: int, side_by_side: int) -> dict[tuple[str, int], int]:
        azure.clear_faults()
        azure.fault("server-error", probability=0.3, seed=seed, type="Microsoft.Resources/resourceGroups")
        found: dict[tuple[str, int], int] = {}
        for turn in range(2):
            order = random.sample(paths, len(paths))
            with ThreadPoolExecutor(side_by_side) as pool:
                answers = pool.map(lambda path: azure.call("GET", path, GROUPS).status_code, order)
                found |= {(path, turn): status for path, status in zip(order, answers, strict=True)}
        return found

    alone, crowded, other = statuses(7, 1), statuses(7, 8), statuses(8, 1)
    assert alone == crowded != other
    assert set(alone.values()) == {404, 500}
    assert 15 < list(alone.values()).count(500) < 60, "about three in ten"
    (view,) = azure.faults()
    assert view["struck"] == list(other.values()).count(500) and view["seen"] == 120


def test_the_controls_are_never_struck(azure: LocalAzure) -> None:
    azure.fault("reset", path="*")
    assert azure.faults()[0]["kind"] == "reset"
    with pytest.raises(requests.ConnectionError):
        azure.call("GET", "/metadata/endpoints", "2022-09-01")
    assert services(azure.home)[0].ready(), "or the sandbox would not start again"


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ({}, "'kind' must be one of throttle, server-error, reset"),
        ({"kind": "flood"}, "not 'flood'"),
        ({"kind": "throttle", "wait": 1}, "throttle takes no 'wait'; it takes methods, host, path, type"),
        ({"kind": "throttle", "retryAfter": "1"}, "'retryAfter' must be a whole number, not '1'"),
        ({"kind": "throttle", "retryAfter": -1}, "'retryAfter' must be from 0 to 3600, not -1"),
        ({"kind": "throttle", "retryAfter": 1.5}, "'retryAfter' must be a whole number, not 1.5"),
        ({"kind": "server-error", "status": 418}, "'status' must be one of 500, 502, 503, 504, not 418"),
        ({"kind": "server-error", "html": 1}, "'html' must be true or false, not 1"),
        ({"kind": "reset", "methods": "GET"}, "'methods' must be a list of strings, not 'GET'"),
        ({"kind": "reset", "methods": ["FETCH"]}, "'methods' must be one of DELETE, GET, HEAD, PATCH, POST, PUT"),
        ({"kind": "lost-response", "methods": ["GET"]}, "lost-response strikes DELETE, PATCH, POST, PUT only, not GET"),
        ({"kind": "reset", "type": "gateways"}, "'type' cannot be 'gateways'"),
        ({"kind": "reset", "path": " "}, "'path' cannot be ' '"),
        ({"kind": "reset", "count": 0}, "'count' must be from 1 to 1000000000, not 0"),
        ({"kind": "reset", "count": True}, "'count' must be a whole number, not True"),
        ({"kind": "reset", "probability": 1.1}, "'probability' must be from 0 to 1, not 1.1"),
        ({"kind": "reset", "seed": 1}, "'seed' is of no use without 'probability'"),
        ({"kind": "reset", "for": 1, "until": "2100-01-01T00:00:00Z"}, "give one of 'for' and 'until', not both"),
        ({"kind": "reset", "until": "tomorrow"}, "'until' must be a time as 2026-01-01T12:00:00Z, not 'tomorrow'"),
        (
            {"kind": "reset", "until": "2020-01-01T00:00:00Z"},
            "'until' is over, or no time that will come: the sandbox's clock says 2",
        ),
        ({"kind": "gateway-deleted"}, "gateway-deleted needs 'gateway'"),
        ({"kind": "gateway-deleted", "gateway": "*", "count": 1}, "gateway-deleted takes no 'count'"),
        ({"kind": "login-outage", "code": "90033"}, "'code' cannot be '90033'"),
    ],
)
def test_a_bad_definition_is_refused_with_what_is_allowed(
    azure: LocalAzure, definition: dict[str, Any], words: str
) -> None:
    answer = azure.call("POST", "/sandbox/faults", body=definition)
    assert error_of(answer) == (400, "InvalidFault") and words in answer.json()["error"]["message"]
    assert not azure.faults()


_ODD = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.text(max_size=3))
_SETTINGS = sorted({name for kind in KINDS.values() for name in takes(kind)})


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), given=st.dictionaries(st.sampled_from(_SETTINGS), _ODD, max_size=4))
def test_any_definition_is_read_or_refused(kind: str, given: dict[str, Any]) -> None:
    now = time.time()
    try:
        name, read = fault_definitions.read({"kind": kind, **given}, now)
    except ArmError as error:
        assert (error.status, error.code) == (400, "InvalidFault") and len(error.message) < 1000
        return
    fault = Fault(1, name, json.loads(json.dumps(read)))
    assert fault.view(now)["kind"] == kind
    call = Call("PUT", "https://localhost", "/subscriptions/s/resourceGroups/g", {}, {}, b"", "")
    assert fault.matches(Request(call, "localhost", "arm"), now) in (True, False)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/subscriptions/s", "microsoft.resources/subscriptions"),
        ("GET", "/subscriptions/s/resourcegroups/g", "microsoft.resources/resourcegroups"),
        ("GET", "/subscriptions/s/resourceGroups", "microsoft.resources/resourcegroups"),
        ("GET", "/subscriptions/s/resourceGroups/g/providers/Microsoft.HybridCompute/gateways", "GATEWAYS"),
        ("PUT", "/subscriptions/s/resourceGroups/g/providers/Microsoft.HybridCompute/gateways/gw", "GATEWAYS"),
        ("POST", "/subscriptions/s/resourceGroups/g/providers/Microsoft.HybridCompute/gateways/gw/act", "GATEWAYS"),
        (
            "PUT",
            "/x/providers/A.B/c/d/providers/Microsoft.HybridCompute/settings/Default",
            "microsoft.hybridcompute/settings",
        ),
        ("GET", "/subscriptions/s%00/../x", "microsoft.resources/subscriptions"),
    ],
)
def test_the_type_that_a_request_is_about(method: str, path: str, expected: str) -> None:
    request = Request(Call(method, "https://localhost", path, {}, {}, b"", ""), "localhost", "arm")
    assert request.type == expected.replace("GATEWAYS", GATEWAY_TYPE.lower())


def test_faults_outlive_a_killed_service(fresh: LocalAzure) -> None:
    group = fresh.group()
    gateway = fresh.gateway(group, "kept")
    fresh.fault("stale-read", type=GATEWAY_TYPE, count=1)
    assert fresh.call("PATCH", gateway, GATEWAYS, {"tags": {"a": "b"}}).json()["tags"] == {"a": "b"}
    fresh.fault("server-error", path=group, count=3)
    paths = [f"{fresh.subscription}/resourceGroups/seeded-{index}" for index in range(20)]
    fresh.fault("throttle", path="*/seeded-*", probability=0.5, seed=3)

    def statuses() -> list[int]:
        return [fresh.call("GET", path, GROUPS).status_code for path in paths]

    first = statuses()
    assert fresh.call("GET", group, GROUPS).status_code == 500
    before = fresh.faults()
    fresh.kill()
    fresh.start()
    assert fresh.faults() == before
    assert [fresh.call("GET", group, GROUPS).status_code for _ in range(3)] == [500, 500, 200]
    assert [fresh.call("GET", gateway, GATEWAYS).json()["tags"] for _ in range(2)] == [{}, {"a": "b"}]
    again = statuses()
    number = fresh.fault("reset", path="/nowhere")
    assert number == 4
    fresh.clear_faults()
    fresh.fault("throttle", path="*/seeded-*", probability=0.5, seed=3)
    assert (statuses(), statuses()) == (first, again), "a restart in between changes nothing"
