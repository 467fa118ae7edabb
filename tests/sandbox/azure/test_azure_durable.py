"""A killed service comes back with all that it acknowledged."""

from __future__ import annotations

import threading

import psutil
import pytest
import requests
from local_azure import CLUSTERS, GATEWAYS, GROUPS, LocalAzure, cluster_body


def test_a_killed_service_comes_back_with_what_it_acknowledged(fresh: LocalAzure) -> None:
    group = fresh.group()
    gateway = fresh.gateway(group, "kept")
    fresh.durations(gateway=600)
    slow = f"{group}/providers/Microsoft.HybridCompute/gateways/slow"
    poll = fresh.call("PUT", slow, GATEWAYS, {"location": "eastus"}).headers["Azure-AsyncOperation"]
    acknowledged: list[str] = []
    session = requests.Session()
    session.trust_env, session.verify = False, fresh.bundle
    session.headers["Authorization"] = fresh.session.headers["Authorization"]

    def write() -> None:
        index = 0
        while True:
            identifier = f"{group}/providers/Microsoft.Kubernetes/connectedClusters/c{index}"
            try:
                answer = session.put(
                    f"{fresh.url}{identifier}", params={"api-version": CLUSTERS}, json=cluster_body(), timeout=10
                )
            except requests.RequestException:
                return
            assert answer.status_code == 201
            acknowledged.append(identifier)
            index += 1

    writer = threading.Thread(target=write)
    writer.start()
    while len(acknowledged) < 50:
        assert writer.is_alive()
        writer.join(0.01)
    fresh.kill()
    writer.join(timeout=15)
    before = fresh.call
    fresh.start()
    listed: set[str] = set()
    path, version = f"{group}/providers/Microsoft.Kubernetes/connectedClusters", CLUSTERS
    while path:
        page = before("GET", path, version).json()
        listed |= {one["id"] for one in page["value"]}
        path, version = page.get("nextLink", ""), ""
    assert set(acknowledged) <= listed
    assert fresh.call("GET", gateway, GATEWAYS).json()["properties"]["provisioningState"] == "Succeeded"
    assert fresh.call("GET", poll).json()["status"] in ("Queued", "InProgress")
    fresh.advance(601)
    assert fresh.call("GET", poll).json()["status"] == "Succeeded"
    assert fresh.call("GET", group, GROUPS).status_code == 200


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
