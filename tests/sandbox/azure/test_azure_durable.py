"""A killed service comes back with all that it acknowledged, and with nothing by halves."""

from __future__ import annotations

import itertools
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
import requests
from local_azure import CLUSTERS, GATEWAYS, GROUPS, SETTINGS, LocalAzure, cluster_body
from waiting import until

WRITERS = 16
DEFAULT = "/providers/Microsoft.HybridCompute/settings/default"


def everything(azure: LocalAzure, path: str, version: str, **params: str) -> Iterator[dict[str, Any]]:
    """The items of all pages of a list."""
    while path:
        page = azure.call("GET", path, version, params=params).json()
        yield from page["value"]
        path, version, params = page.get("nextLink", ""), "", {}


def gateway_of(azure: LocalAzure, cluster: str) -> str | None:
    properties = azure.call("GET", cluster + DEFAULT, SETTINGS).json()["properties"]
    return str(properties["gatewayProperties"]["gatewayResourceId"] or "") or None


def test_a_killed_service_comes_back_with_what_it_acknowledged(fresh: LocalAzure) -> None:
    group = fresh.group()
    gateway = fresh.gateway(group, "kept")
    fresh.durations(cluster=600)
    collection = f"{group}/providers/Microsoft.Kubernetes/connectedClusters"
    association = {"properties": {"gatewayProperties": {"gatewayResourceId": gateway}}}
    accepted: dict[str, str] = {}  # clusters, and the address of the operation that makes each
    associated: set[str] = set()

    def write(writer: int) -> None:
        with requests.Session() as session:
            session.trust_env, session.verify = False, fresh.bundle
            session.headers["Authorization"] = fresh.session.headers["Authorization"]

            def put(identifier: str, version: str, body: Any) -> requests.Response:
                url = f"{fresh.url}{identifier}?api-version={version}"
                answer = session.put(url, json=body, timeout=10)
                answer.raise_for_status()
                return answer

            for number in itertools.count():
                cluster = f"{collection}/c{writer}-{number}"
                try:
                    accepted[cluster] = put(cluster, CLUSTERS, cluster_body()).headers["Azure-AsyncOperation"]
                    put(cluster + DEFAULT, SETTINGS, association)
                except requests.ConnectionError:
                    return
                associated.add(cluster)

    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(write, writer) for writer in range(WRITERS)]
        until(lambda: len(associated) >= 200 or any(one.done() for one in writers))
        fresh.kill()
        for one in writers:
            one.result()
    fresh.start()

    kept = {one["id"]: one for one in everything(fresh, collection, CLUSTERS)}
    with_gateway = {cluster for cluster in kept if gateway_of(fresh, cluster) == gateway}
    assert len(associated) >= 200 and accepted.keys() <= kept.keys() and associated <= with_gateway
    # A write and its entry in the activity log are one: what was written, acknowledged or not, was entered.
    log = f"{fresh.subscription}/providers/microsoft.insights/eventtypes/management/values"
    wanted = f"resourceGroupName eq '{group.rsplit('/', 1)[1]}'"
    entered = {one["resourceId"] for one in everything(fresh, log, "2015-04-01", **{"$filter": wanted})}
    assert entered == {group, gateway} | kept.keys() | {cluster + DEFAULT for cluster in with_gateway}
    # So are a creation and its operation, which goes on.
    assert {one["properties"]["provisioningState"] for one in kept.values()} == {"Accepted"}
    polls = list(accepted.values())
    assert {fresh.call("GET", poll).json()["status"] for poll in polls} <= {"Queued", "InProgress"}
    fresh.advance(601)
    assert {fresh.call("GET", poll).json()["status"] for poll in polls} == {"Succeeded"}
    ended = {one["properties"]["provisioningState"] for one in everything(fresh, collection, CLUSTERS)}
    assert ended == {"Succeeded"}
    assert fresh.call("GET", gateway, GATEWAYS).json()["properties"]["provisioningState"] == "Succeeded"
    assert fresh.call("GET", group, GROUPS).status_code == 200


def test_half_a_write_leaves_nothing(fresh: LocalAzure) -> None:
    group = fresh.group()
    gone, killed = (f"{group}/providers/Contoso.Things/things/{name}" for name in ("gone", "killed"))
    context = ssl.create_default_context(cafile=fresh.bundle)

    def begin(identifier: str) -> ssl.SSLSocket:
        """A write whose last byte never comes."""
        tls = context.wrap_socket(socket.create_connection(("127.0.0.1", fresh.port), 5), server_hostname="localhost")
        body = b'{"properties": {"a": 1}}'
        tls.sendall(
            f"PUT {identifier}?api-version=2024-01-01 HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: {fresh.session.headers['Authorization']}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body[:-1]
        )
        return tls

    with begin(gone):
        pass
    with begin(killed):
        assert fresh.call("GET", gone, "2024-01-01").status_code == 404
        fresh.kill()
    fresh.start()
    for identifier in (gone, killed):
        assert fresh.call("GET", identifier, "2024-01-01").status_code == 404
    log = f"{fresh.subscription}/providers/microsoft.insights/eventtypes/management/values"
    assert {one["resourceId"] for one in everything(fresh, log, "2015-04-01")} == {group}


def test_a_token_outlives_the_process_that_gave_it(fresh: LocalAzure) -> None:
    token = fresh.session.headers["Authorization"]
    fresh.kill()
    fresh.start()
    assert fresh.call("GET", "/subscriptions", "2022-12-01", headers={"Authorization": token}).status_code == 200


def test_a_clean_stop_is_quick_and_idling_costs_nothing(fresh: LocalAzure) -> None:
    process = psutil.Process(fresh.pid)
    before = sum(process.cpu_times()[:2])
    with pytest.raises(psutil.TimeoutExpired):
        process.wait(timeout=1)
    assert sum(process.cpu_times()[:2]) - before <= 0.02
    assert process.memory_info().rss < 100 * 1024 * 1024
    fresh.stop()
