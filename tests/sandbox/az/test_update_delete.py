"""`connectedk8s update`, `show`, `list` and `delete`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from az_world import CLUSTER, GATEWAY, World

CHOSEN = ("-n", "east", "-g", "arc-dev")
UPDATE = ("connectedk8s", "update", *CHOSEN)
EAST = "RG/providers/Microsoft.Kubernetes/connectedClusters/east"
LINK = f"PUT {EAST}/providers/Microsoft.HybridCompute/settings/Default"
AFTER = [
    f"PUT {EAST}",
    f"GET {EAST}",
    "GET /metadata/endpoints",
    "POST /azure-arc-k8sagents/healthCheck",
    "POST /azure-arc-k8sagents/GetHelmSettings",
]
INSTALLED = {"global": {"httpsProxy": "http://old:1", "isProxyEnabled": True, "gatewayEnabled": True}}


def last(world: World, ending: str) -> Any:
    return [
        body for method, _, path, body in world.calls if method == "PUT" and path.partition("?")[0].endswith(ending)
    ][-1]


@pytest.fixture
def connected(world: World) -> World:
    world.connected(gateway={"enabled": True})
    (world.folder / "values.json").write_text(json.dumps(INSTALLED))
    return world


@pytest.mark.parametrize(
    ("flags", "calls", "gateway"),
    [
        (("--disable-gateway",), [f"GET {EAST}"] * 4 + [LINK, *AFTER], False),
        (("--gateway-resource-id", GATEWAY), [f"GET {EAST}"] * 4 + [LINK, *AFTER], True),
        (("--proxy-https", "http://new:1"), [f"GET {EAST}"] * 4 + AFTER, True),
        (("--disable-proxy",), [f"GET {EAST}"] * 4 + AFTER, True),
        (("--auto-upgrade", "false"), [f"GET {EAST}"] * 4 + AFTER, True),
    ],
)
def test_each_direction_asks_what_the_real_one_asks(
    connected: World, flags: tuple[str, ...], calls: list[str], gateway: bool
) -> None:
    done = connected.az(*UPDATE, *flags)
    assert done.returncode == 0, done.stderr
    assert connected.asked() == calls
    assert last(connected, "connectedClusters/east")["properties"]["gateway"] == {"enabled": gateway}
    assert connected.installed()["global"]["gatewayEnabled"] is gateway
    printed = json.loads(done.stdout[done.stdout.index("\n{") :])
    assert printed["gateway"] == {"enabled": gateway}
    assert connected.helm()[-1].startswith("upgrade azure-arc ")


def test_the_link_is_set_and_taken_away(connected: World) -> None:
    assert connected.az(*UPDATE, "--gateway-resource-id", GATEWAY).returncode == 0
    assert last(connected, "settings/Default")["properties"]["gatewayProperties"] == {"gatewayResourceId": GATEWAY}
    assert connected.az(*UPDATE, "--disable-gateway", "true").returncode == 0
    assert last(connected, "settings/Default")["properties"]["gatewayProperties"] == {"gatewayResourceId": None}


@pytest.mark.parametrize(
    ("flags", "proxy", "enabled"),
    [
        (("--disable-gateway",), "http://old:1", True),
        (("--proxy-https", "http://new:1"), "http://new:1", True),
        (("--disable-proxy",), "http://old:1", False),
    ],
)
def test_proxies_that_nobody_mentions_stay(connected: World, flags: tuple[str, ...], proxy: str, enabled: bool) -> None:
    assert connected.az(*UPDATE, *flags).returncode == 0
    values = connected.installed()["global"]
    assert (values["httpsProxy"], values["isProxyEnabled"]) == (proxy, enabled)


def test_a_disabled_proxy_stays_disabled_until_one_is_given(connected: World) -> None:
    off = {"global": {"httpsProxy": "http://old:1", "isProxyEnabled": False}}
    (connected.folder / "values.json").write_text(json.dumps(off))
    assert connected.az(*UPDATE, "--disable-gateway").returncode == 0
    assert connected.installed()["global"]["isProxyEnabled"] is False
    assert connected.az(*UPDATE, "--proxy-http", "http://new:1").returncode == 0
    assert connected.installed()["global"]["isProxyEnabled"] is True


def test_tags_are_patched_and_hybrid_benefit_alone_touches_no_agent(connected: World) -> None:
    assert connected.az(*UPDATE, "--tags", "a=b", "--disable-gateway").returncode == 0
    assert connected.asked()[:2] == [f"GET {EAST}", f"PATCH {EAST}"]
    assert connected.calls[1][3] == {"tags": {"a": "b"}}
    connected.calls.clear()
    assert connected.az(*UPDATE, "--azure-hybrid-benefit", "False").returncode == 0
    assert connected.asked() == [f"GET {EAST}", f"PATCH {EAST}"]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ((), "No parameters were specified with update command."),
        (("--disable-gateway", "false"), "No parameters were specified with update command."),
        (("--disable-proxy", "--proxy-http", "http://x:1"), "Conflict detected: --disable-proxy can not be set with"),
        (("--disable-proxy", "--proxy-skip-range", "x"), "Conflict detected: --disable-proxy can not be set with"),
    ],
)
def test_refusals(connected: World, flags: tuple[str, ...], told: str) -> None:
    done = connected.az(*UPDATE, *flags)
    assert (done.returncode, told in done.stderr) == (1, True)
    assert connected.asked() == [f"GET {EAST}"]


def test_updates_of_what_is_not_there(world: World) -> None:
    done = world.az(*UPDATE, "--disable-gateway")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        3,
        "ERROR: (ResourceNotFound) The Resource 'east' was not found.",
    )
    world.connected()
    (world.folder / "list.json").write_text("[]")
    done = world.az(*UPDATE, "--disable-gateway")
    assert (done.returncode, "has not been onboarded to azure-arc" in done.stderr) == (1, True)
    world.connected()
    assert world.configmap is not None
    world.configmap["AZURE_RESOURCE_NAME"] = "other"
    world.resources[CLUSTER.lower().replace("east", "other")] = world.resources[CLUSTER.lower()]
    done = world.az(*UPDATE, "--disable-gateway")
    assert (done.returncode, "do not correspond to the kubernetes cluster being updated" in done.stderr) == (1, True)


def test_show_and_list(connected: World) -> None:
    assert connected.az("connectedk8s", "show", *CHOSEN, "--query", "gateway.enabled").stdout == "true\n"
    assert connected.asked() == [f"GET {EAST}"]
    table = connected.az("connectedk8s", "list", "-o", "table").stdout.splitlines()
    assert [line.split() for line in table] == [
        ["Name", "Location", "ResourceGroup"],
        ["------", "----------", "---------------"],
        ["east", "eastus", "arc-dev"],
    ]
    shown = json.loads(connected.az("connectedk8s", "show", *CHOSEN).stdout)
    assert shown["arcAgentProfile"]["agentState"] == "Succeeded"
    assert (shown["kubernetesVersion"], shown["identity"]["principalId"], "properties" in shown) == (None, "p", False)
    assert connected.az("connectedk8s", "show", "-n", "none", "-g", "arc-dev").returncode == 3


def test_delete_takes_the_resource_and_the_agents(connected: World) -> None:
    done = connected.az("connectedk8s", "delete", *CHOSEN, "--yes")
    assert done.returncode == 0, done.stderr
    assert connected.asked() == [f"GET {EAST}", f"DELETE {EAST}"]
    assert connected.helm()[-1] == "uninstall azure-arc --namespace azure-arc-release"
    assert ("GET", "/api/v1/namespaces/azure-arc") in connected.kube
    assert "{" not in done.stdout


def test_delete_of_what_is_not_there_is_the_services_404(world: World) -> None:
    done = world.az("connectedk8s", "delete", *CHOSEN, "--yes", "--only-show-errors")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        3,
        "ERROR: (ResourceNotFound) The Resource 'east' was not found.",
    )
    assert world.helm() == []


def test_delete_never_touches_another_clusters_agents(connected: World) -> None:
    assert connected.configmap is not None
    connected.configmap["AZURE_RESOURCE_NAME"] = "other"
    done = connected.az("connectedk8s", "delete", *CHOSEN, "--yes")
    assert done.returncode == 1
    assert "does not correspond to the connected cluster resource specified" in done.stderr
    assert connected.asked() == [f"GET {EAST}"]


def test_delete_without_agents_and_by_force(connected: World) -> None:
    (connected.folder / "list.json").write_text("[]")
    assert connected.az("connectedk8s", "delete", *CHOSEN, "-y").returncode == 0
    assert CLUSTER.lower() not in connected.resources
    connected.connected()
    connected.configmap = None
    assert connected.az("connectedk8s", "delete", *CHOSEN, "--force", "-y").returncode == 0
    assert connected.calls[-1][2].startswith(f"{CLUSTER}?force=true&")
    assert connected.helm()[-1].endswith("--no-hooks")
