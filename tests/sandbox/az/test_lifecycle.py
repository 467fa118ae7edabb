"""A cluster's life with a gateway, against the sandbox's own Azure, real helm and a real API server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from waiting import until

from sandbox import world

pytestmark = pytest.mark.long

CHOSEN = ("--name", world.EAST, "--resource-group", world.RESOURCE_GROUP)
HERE = ("--kube-context", world.EAST)
SKIP = "10.96.0.0/16,kubernetes.default.svc,.svc.cluster.local,.svc"


class East:
    """The cluster, through `az` and `kubectl`."""

    def __init__(self, sandbox: Any) -> None:
        self.sandbox = sandbox
        self.proxy = sandbox.variables["SANDBOX_PROXY_URL"]

    def az(self, verb: str, *flags: str, check: bool = True) -> Any:
        here = () if verb == "show" else HERE
        return self.sandbox.run("az", "connectedk8s", verb, *CHOSEN, *here, *flags, check=check)

    def connect(self, *flags: str, check: bool = True) -> Any:
        proxies = ("--proxy-https", self.proxy, "--proxy-http", self.proxy, "--proxy-skip-range", SKIP)
        return self.az("connect", "--location", world.LOCATION, *proxies, *flags, check=check)

    def show(self) -> Any:
        return json.loads(self.az("show").stdout)

    def kubectl(self, *words: str) -> Any:
        done = self.sandbox.run("kubectl", "--context", world.EAST, *words, "--output", "json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def deployments(self) -> set[str]:
        return {
            one["metadata"]["name"] for one in self.kubectl("get", "deployments", "--namespace", "azure-arc")["items"]
        }

    def proxies(self) -> dict[str, str]:
        data = self.kubectl("get", "secret", "proxy-config", "--namespace", "azure-arc")["data"]
        return {name: base64.b64decode(value).decode() for name, value in data.items()}


@pytest.fixture(scope="module")
def east(sandbox: Any) -> Iterator[East]:
    cluster = East(sandbox)
    cluster.az("delete", "--yes", "--force", check=False)
    yield cluster
    cluster.az("delete", "--yes", "--force", check=False)


@pytest.fixture(scope="module")
def gateway(sandbox: Any, east: East) -> Iterator[str]:
    chosen = ("--name", "az-lifecycle", "--resource-group", world.RESOURCE_GROUP)
    made = sandbox.json("az", "arcgateway", "create", *chosen, "--location", world.LOCATION)
    assert made["provisioningState"] == "Succeeded"
    assert made["gatewayEndpoint"].endswith(".gw.arc.azure.com")
    yield made["id"]
    east.az("delete", "--yes", "--force", check=False)
    sandbox.run("az", "arcgateway", "delete", *chosen, "--yes")


def test_a_proxy_that_is_not_there_fails_the_check_from_inside(east: East) -> None:
    done = east.az("connect", "--location", world.LOCATION, "--proxy-https", "http://127.0.0.1:1", check=False)
    assert done.returncode == 1
    assert "One or more pre-onboarding diagnostic checks failed" in done.stderr
    assert east.az("show", check=False).returncode == 3
    assert east.kubectl("get", "namespace", "azure-arc") is None


def test_connect_with_a_gateway_and_a_proxy(east: East, gateway: str) -> None:
    done = east.connect("--gateway-resource-id", gateway)
    assert json.loads(done.stdout[done.stdout.index("\n{") :])["gateway"] == {"enabled": True}
    assert "arc-proxy" in east.deployments()
    assert len(east.deployments()) == 13
    assert east.proxies() == {"HTTP_PROXY": east.proxy, "HTTPS_PROXY": east.proxy, "NO_PROXY": SKIP}
    until(lambda: east.show()["connectivityStatus"] == "Connected")
    assert east.show()["agentVersion"] == world.AGENT_VERSION
    assert east.kubectl("get", "jobs", "--namespace", "azure-arc-release")["items"] == []


def test_connected_again_nothing_is_lost_and_another_name_is_refused(east: East, gateway: str) -> None:
    before = east.show()
    east.connect("--gateway-resource-id", gateway)
    assert east.show()["agentPublicKeyCertificate"] == before["agentPublicKeyCertificate"]
    assert east.proxies()["HTTPS_PROXY"] == east.proxy
    other = east.connect("--name", "other", check=False)
    assert (other.returncode, "is already onboarded to the resource group" in other.stderr) == (1, True)


def test_update_in_every_direction(east: East, gateway: str) -> None:
    east.az("update", "--disable-gateway")
    assert "arc-proxy" not in east.deployments()
    assert (east.show()["gateway"], east.proxies()["HTTPS_PROXY"]) == ({"enabled": False}, east.proxy)
    east.az("update", "--disable-proxy")
    assert set(east.proxies().values()) == {""}
    east.az("update", "--proxy-https", east.proxy, "--proxy-skip-range", ".svc", "--gateway-resource-id", gateway)
    assert "arc-proxy" in east.deployments()
    assert (east.show()["gateway"], east.proxies()["NO_PROXY"]) == ({"enabled": True}, ".svc")
    until(lambda: east.show()["connectivityStatus"] == "Connected")


def test_delete_leaves_nothing_and_a_second_one_finds_nothing(east: East) -> None:
    east.az("delete", "--yes")
    assert east.kubectl("get", "namespace", "azure-arc") is None
    assert east.kubectl("get", "namespace", "azure-arc-release") is None
    assert east.az("show", check=False).returncode == 3
    assert east.az("delete", "--yes", check=False).returncode == 3
