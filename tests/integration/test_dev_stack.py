"""The dev stack on the real engine, from nothing to nothing. The tests run in order; each goes on from the last."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dev_stack import PACK, QUIET, configured, no_changes, outputs, preview, up
from running_sandbox import Sandbox
from waiting import until

from arcgateway.endpoints import required
from sandbox.home import PROJECT
from sandbox.proxies import find_squid, proxy_kind


@pytest.fixture(scope="module", autouse=True)
def deployed(sandbox: Sandbox) -> str:
    return up(sandbox, *PACK)


def test_outputs_say_what_was_deployed(sandbox: Sandbox) -> None:
    found = outputs(sandbox)
    assert re.fullmatch(r"[0-9a-z-]+\.gw\.arc\.azure\.com", found["gateway"]["endpoint"])
    assert found["gateway"]["id"].endswith("/providers/Microsoft.HybridCompute/gateways/gw-dev")
    assert set(found["clusters"]) == {"east", "west"}
    for name, cluster in found["clusters"].items():
        assert cluster["id"].endswith(f"/providers/Microsoft.Kubernetes/connectedClusters/{name}")
        assert cluster["gatewayEnabled"] is True
        assert cluster["connectivityStatus"] == "Connected"
        assert re.fullmatch(r"\d+\.\d+\.\d+", cluster["agentVersion"])
        associated, removable = (
            datetime.fromisoformat(cluster[key]) for key in ("associatedAt", "endpointsRemovableAt")
        )
        assert removable - associated == timedelta(hours=1)
    assert found["gateway"]["endpoint"] in found["allowlist"]["required"]
    assert "management.azure.com" in found["allowlist"]["required"]
    assert not set(found["allowlist"]["required"]) & set(found["allowlist"]["removable"])


@pytest.mark.parametrize("context", ["east", "west"])
def test_agents_run_in_both_clusters(sandbox: Sandbox, context: str) -> None:
    found = sandbox.json("kubectl", "--context", context, "-n", "azure-arc", "get", "deployments", "-o", "json")
    ready = {item["metadata"]["name"]: item["status"].get("readyReplicas", 0) for item in found["items"]}
    assert ready["arc-proxy"] == 1
    assert set(ready.values()) == {1}
    assert len(ready) > 5


def test_egress_policy_came_through_the_real_plugin(sandbox: Sandbox) -> None:
    policies = sandbox.json("kubectl", "--context", "east", "-n", "azure-arc", "get", "networkpolicies", "-o", "json")
    (policy,) = policies["items"]
    proxy_port = sandbox.home.port("proxy")
    assert {"protocol": "TCP", "port": proxy_port} in [
        port for rule in policy["spec"]["egress"] for port in rule.get("ports", [])
    ]


@pytest.mark.skipif(not find_squid(), reason="no squid on this machine: `make toolchain` gets one")
def test_the_preflight_went_through_a_real_squid(sandbox: Sandbox, deployed: str) -> None:
    """Its verdict is in what the update printed, and squid's log has a tunnel to every endpoint."""
    assert proxy_kind(sandbox.home).startswith("squid ")
    url = f"http://127.0.0.1:{sandbox.home.port('proxy')}"
    verdicts = re.findall(rf"preflight through {re.escape(url)}: (\w+) on (\d+) endpoints", deployed)
    assert verdicts and {verdict for verdict, _ in verdicts} == {"pass"}, deployed
    endpoint = outputs(sandbox)["gateway"]["endpoint"]
    needed = {item.probe for item in required(endpoint, "eastus", ["container-insights"])}
    assert len(needed) == max(int(count) for _, count in verdicts)

    def tunnels() -> set[str]:
        log = (sandbox.home.root / "squid/access.log").read_text()
        return set(re.findall(r"TCP_TUNNEL/200 \d+ CONNECT ([^ ]+):443 ", log))

    until(lambda: needed <= tunnels())


def test_nothing_to_change_afterwards(sandbox: Sandbox) -> None:
    no_changes(sandbox)


def test_traffic_takes_the_documented_way(sandbox: Sandbox) -> None:
    """A request through the arc-proxy pod's port arrives at the local Azure by way of squid and the gateway."""
    endpoint = outputs(sandbox)["gateway"]["endpoint"]
    pods = sandbox.json("kubectl", "--context", "east", "-n", "azure-arc", "get", "pods", "-o", "json")
    (pod,) = [item for item in pods["items"] if item["metadata"]["name"].startswith("arc-proxy-")]
    port = pod["spec"]["containers"][0]["ports"][0]["containerPort"]
    root = sandbox.home.root

    def hops() -> list[int]:
        """How often each hop has written of such a request; it does when the connection has closed on its side."""
        pod_log = sandbox.run("kubectl", "--context", "east", "-n", "azure-arc", "logs", pod["metadata"]["name"]).stdout
        return [
            pod_log.count("CONNECT management.azure.com:443"),
            (root / "squid/access.log").read_text().count(f"CONNECT {endpoint}:443"),
            (root / "logs/gateway-access.log").read_text().count("management.azure.com"),
        ]

    before = hops()
    answer = sandbox.run(
        *("curl", "--silent", "--show-error", "--max-time", "20", "--noproxy", ""),
        *("--proxy", f"http://{pod['status']['podIP']}:{port}", "--cacert", sandbox.variables["SSL_CERT_FILE"]),
        *("--write-out", "\n%{http_code}", "https://management.azure.com/metadata/endpoints?api-version=2022-09-01"),
    ).stdout
    document, status = answer.rsplit("\n", 1)
    assert status == "200"
    assert "management.azure.com" in document
    until(lambda: all(now > then for now, then in zip(hops(), before, strict=True)))


def test_a_changed_skip_range_updates_in_place(sandbox: Sandbox, tmp_path: Path) -> None:
    def widen(config: dict[str, Any]) -> None:
        config["arc-gateway:proxies"]["corporate"]["skipRange"].append("172.20.0.0/16")

    changed = configured(sandbox, tmp_path, widen)
    seen = up(sandbox, *PACK, "--config-file", changed)
    assert "replace" not in seen.lower()
    setting = sandbox.run(
        *("helm", "--kube-context", "west", "-n", "azure-arc-release", "get", "values", "azure-arc", "-o", "json")
    ).stdout
    assert "172.20.0.0/16" in json.loads(setting)["global"]["noProxy"]
    assert preview(sandbox, "--expect-no-changes", "--config-file", changed).returncode == 0


def test_refresh_finds_nothing(sandbox: Sandbox) -> None:
    seen = sandbox.run("pulumi", "refresh", "--yes", *QUIET).stdout
    assert not re.search(r"[~+-] \d+ (updated|created|deleted)", seen), seen


@pytest.mark.parametrize(
    ("change", "rule", "resource"),
    [
        (lambda c: c["arc-gateway:proxies"]["corporate"].update(terminatesTls=True), "tls", "corporate"),
        (lambda c: c["arc-gateway:clusters"]["east"].update(enablePrivateLink=True), "private", "east"),
    ],
    ids=["tls-terminating proxy", "private link"],
)
def test_the_pack_refuses(sandbox: Sandbox, tmp_path: Path, change: Any, rule: str, resource: str) -> None:
    seen = preview(sandbox, *PACK, "--config-file", configured(sandbox, tmp_path, change))
    said = seen.stdout + seen.stderr
    assert seen.returncode != 0, said
    assert "mandatory" in said
    assert rule in said
    assert resource in said


def test_another_checkout_sees_no_change_and_can_destroy(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing in the state names this machine: another path, and no virtual environment active."""
    up(sandbox)
    state = sandbox.run("pulumi", "stack", "export", "--stack", "dev").stdout
    assert str(PROJECT) not in state
    assert str(sandbox.home.root) not in state
    other = tmp_path / "elsewhere"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True)
    for name in filter(None, tracked.stdout.split("\0")):
        if (PROJECT / name).exists():
            (other / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, other / name)
    (other / ".venv").symlink_to(PROJECT / ".venv")
    no_changes(sandbox, cwd=other)
    sandbox.run("pulumi", "destroy", "--yes", *QUIET, cwd=other)
    left = sandbox.json("pulumi", "stack", "export", "--stack", "dev")
    assert not left["deployment"].get("resources")

    west = sandbox.json("az", "connectedk8s", "show", "--name", "west", "--resource-group", "arc-dev")
    assert west["connectivityStatus"] == "Connected"
    assert west["gateway"]["enabled"] is False
    gone = sandbox.run("az", "connectedk8s", "show", "--name", "east", "--resource-group", "arc-dev", check=False)
    assert gone.returncode == 3
    assert "ResourceNotFound" in gone.stderr
