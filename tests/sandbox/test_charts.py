"""The charts, rendered by the real helm."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.home import PROJECT, Home, MissingTool

CHARTS = PROJECT / "sandbox/charts"
AGENTS, CHECKS = CHARTS / "azure-arc-k8sagents", CHARTS / "clusterdiagnosticchecks"

REAL_AGENTS = {
    "clusterconnect-agent", "clusteridentityoperator", "cluster-metadata-operator", "config-agent",
    "controller-manager", "extension-manager", "extension-events-collector", "flux-logs-agent",
    "kube-aad-proxy", "metrics-agent", "resource-sync-agent", "logcollector",
}  # fmt: skip
IDENTITY = {
    "subscriptionId": "s",
    "resourceGroupName": "g",
    "resourceName": "east",
    "location": "eastus",
    "tenantId": "t",
}
PROXY = {
    "isProxyEnabled": True,
    "httpsProxy": "http://user:p4ss@proxy:3128",
    "httpProxy": "http://proxy:3128",
    "noProxy": '10.0.0.0/8,.svc,"quoted"',
}
GATEWAY = {"gatewayEnabled": True, "gatewayEndpoint": "abc.gw.arc.azure.com"}


@pytest.fixture(scope="session")
def helm() -> str:
    try:
        return str(Home.tool("helm"))
    except MissingTool as missing:
        pytest.skip(str(missing))


def run(helm: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([helm, *words], capture_output=True, text=True, timeout=60)


def render(helm: str, chart: Path, tmp_path: Path, values: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """What a chart makes of values, by kind and name."""
    file = tmp_path / "values.json"
    file.write_text(json.dumps(values))
    done = run(helm, "template", "azure-arc", str(chart), "--namespace", "azure-arc-release", "--values", str(file))
    assert done.returncode == 0, done.stderr
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(done.stdout) if one}


def container(deployment: Any) -> Any:
    [only] = deployment["spec"]["template"]["spec"]["containers"]
    return only


def env(deployment: Any) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container(deployment)["env"]}


@pytest.mark.parametrize("chart", [AGENTS, CHECKS], ids=lambda chart: chart.name)
def test_lint(helm: str, chart: Path) -> None:
    done = run(helm, "lint", "--strict", str(chart))
    assert done.returncode == 0, done.stdout + done.stderr


def test_agents_without_gateway_or_proxy(helm: str, tmp_path: Path) -> None:
    made = render(helm, AGENTS, tmp_path, {"global": IDENTITY})
    assert {name for kind, name in made if kind == "Deployment"} == REAL_AGENTS
    assert ("Service", "arc-proxy") not in made
    assert all(one["metadata"].get("namespace", "azure-arc") == "azure-arc" for one in made.values())
    operator = made["Deployment", "cluster-metadata-operator"]
    assert container(operator)["image"] == "mcr.microsoft.com/azurearck8s/agent:1.36.1"
    seen = env(operator)
    assert seen["AGENT_ROLE"] == "cluster-metadata-operator"
    assert (
        seen["CLUSTER_RESOURCE_ID"]
        == "/subscriptions/s/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/east"
    )
    assert (seen["AGENT_VERSION"], seen["REGION"], seen.get("AGENT_PROXY") or "") == ("1.36.1", "eastus", "")
    assert set(made["Secret", "proxy-config"]["stringData"].values()) == {""}
    data = made["ConfigMap", "azure-clusterconfig"]["data"]
    assert (data["AZURE_RESOURCE_NAME"], data["AZURE_RESOURCE_GROUP"], data["AZURE_SUBSCRIPTION_ID"]) == (
        "east",
        "g",
        "s",
    )
    assert all(isinstance(value, str) for value in data.values())


def test_a_gateway_brings_the_arc_proxy_and_the_agents_use_it(helm: str, tmp_path: Path) -> None:
    made = render(helm, AGENTS, tmp_path, {"global": {**IDENTITY, **PROXY, **GATEWAY}})
    proxy = made["Deployment", "arc-proxy"]
    assert env(proxy)["GATEWAY_ENDPOINT"] == "abc.gw.arc.azure.com"
    assert container(proxy)["ports"] == [{"name": "proxy", "containerPort": 8080}]
    assert container(proxy)["readinessProbe"]["tcpSocket"] == {"port": "proxy"}
    service = made["Service", "arc-proxy"]["spec"]
    labels = proxy["spec"]["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    assert labels["app.kubernetes.io/name"] == labels["app.kubernetes.io/component"] == "arc-proxy"
    assert (service["ports"][0]["port"], service["ports"][0]["targetPort"]) == (8080, "proxy")
    assert (
        env(made["Deployment", "cluster-metadata-operator"])["AGENT_PROXY"]
        == "http://arc-proxy.azure-arc.svc.cluster.local:8080"
    )


def test_a_gateway_restarts_only_what_uses_it(helm: str, tmp_path: Path) -> None:
    before = render(helm, AGENTS, tmp_path, {"global": {**IDENTITY, **PROXY}})
    after = render(helm, AGENTS, tmp_path, {"global": {**IDENTITY, **PROXY, **GATEWAY}})
    changed = {name for (kind, name), made in before.items() if after[kind, name] != made}
    assert changed == {"cluster-metadata-operator"}


def test_a_gateway_without_an_endpoint_is_an_error(helm: str, tmp_path: Path) -> None:
    done = run(helm, "template", str(AGENTS), "--set", "global.gatewayEnabled=true")
    assert done.returncode != 0
    assert "global.gatewayEndpoint is needed" in done.stderr


def test_a_proxys_password_is_in_a_secret_and_nowhere_else(helm: str, tmp_path: Path) -> None:
    made = render(helm, AGENTS, tmp_path, {"global": {**IDENTITY, **PROXY, **GATEWAY}})
    secret = made.pop(("Secret", "proxy-config"))["stringData"]
    assert secret == {
        "HTTP_PROXY": PROXY["httpProxy"],
        "HTTPS_PROXY": PROXY["httpsProxy"],
        "NO_PROXY": PROXY["noProxy"],
    }
    assert "p4ss" not in json.dumps([*made.values()])
    for deployment in (one for (kind, _), one in made.items() if kind == "Deployment"):
        assert env(deployment)["HTTPS_PROXY"] == {"secretKeyRef": {"name": "proxy-config", "key": "HTTPS_PROXY"}}


@pytest.mark.parametrize("off", [False, "false", "False"])
def test_a_disabled_proxy_leaves_the_values_and_empties_the_environment(helm: str, tmp_path: Path, off: object) -> None:
    made = render(
        helm, AGENTS, tmp_path, {"global": {**IDENTITY, **PROXY, "isProxyEnabled": off, "gatewayEnabled": off}}
    )
    assert set(made["Secret", "proxy-config"]["stringData"].values()) == {""}
    assert ("Deployment", "arc-proxy") not in made


@pytest.mark.parametrize(
    ("changes", "restarts"),
    [({"noProxy": "10.0.0.0/8"}, True), ({"isProxyEnabled": False}, True), ({"location": "westus"}, True), ({}, False)],
)
def test_pods_are_replaced_when_what_they_read_at_start_changes(
    helm: str, tmp_path: Path, changes: dict[str, Any], restarts: bool
) -> None:
    def checksum(values: dict[str, Any]) -> str:
        made = render(helm, AGENTS, tmp_path, {"global": values})
        return str(made["Deployment", "config-agent"]["spec"]["template"]["metadata"]["annotations"]["checksum/config"])

    before = {**IDENTITY, **PROXY}
    assert (checksum(before) != checksum({**before, **changes})) is restarts


def test_a_certificate_is_mounted_where_it_is_given(helm: str, tmp_path: Path) -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    plain = render(helm, AGENTS, tmp_path, {"global": {**IDENTITY, **GATEWAY}})
    assert "volumes" not in plain["Deployment", "arc-proxy"]["spec"]["template"]["spec"]
    made = render(helm, AGENTS, tmp_path, {"global": {**IDENTITY, **GATEWAY, "proxyCert": pem}})
    assert made["Secret", "proxy-cert"]["stringData"]["proxy-cert.crt"] == pem
    for name in ("arc-proxy", "config-agent"):
        spec = made["Deployment", name]["spec"]["template"]["spec"]
        assert spec["volumes"] == [{"name": "proxy-cert", "secret": {"secretName": "proxy-cert"}}]
        assert container(made["Deployment", name])["volumeMounts"][0]["mountPath"] == "/etc/arc/proxy-cert"


def test_the_precheck_is_a_job_of_three_attempts(helm: str, tmp_path: Path) -> None:
    values = {"global": {"location": "eastus", "httpsProxy": PROXY["httpsProxy"], "noProxy": PROXY["noProxy"]}}
    made = render(helm, CHECKS, tmp_path, values)
    job = made["Job", "cluster-diagnostic-checks-job"]
    assert (job["metadata"]["namespace"], job["spec"]["backoffLimit"]) == ("azure-arc-release", 2)
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert container(job)["name"] == "cluster-diagnostic-checks-container"
    assert container(job)["image"].startswith("mcr.microsoft.com/azurearck8s/clusterdiagnosticchecks:")
    assert env(job)["REGION"] == "eastus"
    assert "p4ss" not in json.dumps(job)
    secret = made["Secret", "cluster-diagnostic-checks-proxy"]["stringData"]
    assert (secret["HTTPS_PROXY"], secret["NO_PROXY"]) == (PROXY["httpsProxy"], PROXY["noProxy"])
