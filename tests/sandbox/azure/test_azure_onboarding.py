"""What `az connectedk8s` and the agents need besides ARM: data plane, Graph, registry."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_azure import CLUSTERS, SETTINGS, LocalAzure, Router, cluster_body

from sandbox import world
from sandbox.azure import registry
from sandbox.home import Home, MissingTool

DATA_PLANE = {"Host": "eastus.dp.kubernetesconfiguration.azure.com"}


def dataplane(azure: LocalAzure, verb: str, body: Any) -> Any:
    return azure.call(
        "POST",
        f"/azure-arc-k8sagents/{verb}?releaseTrain=stable",
        "2024-07-01-preview",
        body,
        headers=DATA_PLANE,
    )


def values(azure: LocalAzure, cluster: str, *told: dict[str, Any]) -> dict[str, str]:
    document = azure.call("GET", cluster, CLUSTERS).json()
    if told:
        document["properties"]["arcAgentryConfigurations"] = told
    answer = dataplane(azure, "GetHelmSettings", document)
    assert answer.status_code == 200, answer.text
    assert answer.json()["repositoryPath"] == world.AGENT_CHART
    return dict(answer.json()["helmValuesContent"])


def test_helm_values_follow_the_stored_cluster(azure: LocalAzure) -> None:
    group = azure.group()
    proxy = {"http_proxy": "http://p:3128", "https_proxy": "http://u:secret@p:3128", "no_proxy": ".svc,10.0.0.0/8"}
    configuration = [{"feature": "proxy", "settings": {}, "protectedSettings": proxy}]
    cluster = azure.cluster(group, "c1", infrastructure="azure", arcAgentryConfigurations=configuration)
    shown = azure.call("GET", cluster, CLUSTERS)
    assert "secret" not in shown.text
    found = values(azure, cluster)
    assert found["global.httpsProxy"] == proxy["https_proxy"] and found["global.noProxy"] == proxy["no_proxy"]
    assert (found["global.isProxyEnabled"], found["global.gatewayEnabled"]) == ("true", "false")
    assert (found["global.resourceName"], found["global.kubernetesDistro"]) == ("c1", "k3s")
    assert found["global.gatewayEndpoint"] == ""

    gateway = azure.gateway(group, "gw-dp")
    settings = {"properties": {"gatewayProperties": {"gatewayResourceId": gateway}}}
    path = f"{cluster}/providers/Microsoft.HybridCompute/settings/Default"
    assert azure.call("PUT", path, SETTINGS, settings).status_code == 200
    # As the client does it: what was read, with one thing changed.
    document = shown.json()
    document["properties"]["gateway"] = {"enabled": True}
    assert azure.call("PUT", cluster, CLUSTERS, document).status_code == 200
    found = values(azure, cluster)
    assert found["global.gatewayEnabled"] == "true" and found["global.gatewayEndpoint"].endswith(".gw.arc.azure.com")
    assert found["global.httpsProxy"] == proxy["https_proxy"]

    assert azure.call("PUT", path, SETTINGS, {"properties": {"gatewayProperties": {"gatewayResourceId": None}}}).ok
    document["properties"]["gateway"] = {"enabled": False}
    document["properties"]["arcAgentryConfigurations"] = []
    assert azure.call("PUT", cluster, CLUSTERS, document).status_code == 200
    found = values(azure, cluster)
    assert found["global.gatewayEnabled"] == "false" and not {"global.isProxyEnabled", "global.httpsProxy"} & set(found)
    azure.call("DELETE", gateway, "2024-07-31-preview")


def test_every_setting_becomes_a_chart_value_and_protected_ones_keep_their_marks(azure: LocalAzure) -> None:
    def redacted(feature: str, *names: str) -> dict[str, str]:
        return {name: f"redacted:{feature}:{name}" for name in names}

    configurations = [
        {"feature": "logging", "settings": {"container_log_path": "/var/log/pods"}, "protectedSettings": {}},
        {"feature": "monitoring", "settings": {"level": "high"}, "protectedSettings": redacted("monitoring", "key")},
        {"feature": "proxy", "settings": {}, "protectedSettings": redacted("proxy", "https_proxy", "proxy_cert")},
    ]
    cluster = azure.cluster(
        azure.group(),
        "configured",
        arcAgentryConfigurations=configurations,
        arcAgentProfile={"agentAutoUpgrade": "Disabled"},
    )
    found = values(azure, cluster, *configurations)
    assert {name: value for name, value in found.items() if value} == {
        "global.subscriptionId": azure.identity.subscription_id,
        "global.resourceGroupName": cluster.split("/")[4],
        "global.resourceName": "configured",
        "global.location": "eastus",
        "global.tenantId": azure.identity.tenant_id,
        "global.kubernetesDistro": "k3s",
        "global.kubernetesInfra": "generic",
        "global.httpsProxy": "redacted:proxy:https_proxy",
        "global.isProxyEnabled": "true",
        "global.proxyCert": "redacted:proxy:proxy_cert",
        "global.isCustomCert": "true",
        "global.gatewayEnabled": "false",
        "systemDefaultValues.azureArcAgents.autoUpdate": "false",
        "systemDefaultValues.fluent-bit.containerLogPath": "/var/log/pods",
        "systemDefaultValues.monitoring.level": "high",
        "systemDefaultValues.monitoring.key": "redacted:monitoring:key",
    }
    document = azure.call("GET", cluster, CLUSTERS).json()
    assert all("protectedSettings" not in one for one in document["properties"]["arcAgentryConfigurations"])
    # Who tells of none could not put a value in the place of a mark.
    assert not any("redacted:" in value for value in values(azure, cluster).values())


def test_settings_that_are_told_with_the_question_count_before_stored_ones(azure: LocalAzure) -> None:
    """As `az connectedk8s` does it: Azure stores no protected setting, and is told of each when it is asked."""
    stored = [{"feature": "proxy", "settings": {}}, {"feature": "logging", "settings": {"container_log_path": "/old"}}]
    cluster = azure.cluster(azure.group(), "told", arcAgentryConfigurations=stored)
    document = azure.call("GET", cluster, CLUSTERS).json()
    document["properties"]["arcAgentryConfigurations"] = [
        {"feature": "proxy", "settings": {}, "protectedSettings": {"https_proxy": "redacted:proxy:https_proxy"}},
        {"feature": "logging", "settings": {"container_log_path": "/new"}},
    ]
    found = dataplane(azure, "GetHelmSettings", document).json()["helmValuesContent"]
    assert (found["global.httpsProxy"], found["global.isProxyEnabled"]) == ("redacted:proxy:https_proxy", "true")
    assert found["systemDefaultValues.fluent-bit.containerLogPath"] == "/new" and "global.noProxy" not in found
    assert "global.httpsProxy" not in values(azure, cluster)
    document["properties"]["arcAgentryConfigurations"] = [{"feature": 7}]
    assert dataplane(azure, "GetHelmSettings", document).status_code == 400


def test_an_association_needs_a_gateway_that_is_there(azure: LocalAzure) -> None:
    group = azure.group()
    path = f"{azure.cluster(group, 'c1')}/providers/Microsoft.HybridCompute/settings/Default"
    for identifier, status in (
        (f"{group}/providers/Microsoft.HybridCompute/gateways/absent", 404),
        (f"{group}/providers/Microsoft.HybridCompute/machines/m", 400),
        ("nonsense", 400),
        (7, 400),
    ):
        answer = azure.call(
            "PUT", path, SETTINGS, {"properties": {"gatewayProperties": {"gatewayResourceId": identifier}}}
        )
        assert answer.status_code == status, answer.text
    wrong = azure.call("PUT", path.replace("Default", "other"), SETTINGS, {"properties": {}})
    assert wrong.json()["error"]["code"] == "InvalidResourceName"


def test_heartbeats_make_a_cluster_connected_and_silence_offline(azure: LocalAzure) -> None:
    cluster = azure.cluster(azure.group(), "beats")
    state = azure.call("GET", cluster, CLUSTERS).json()["properties"]
    assert state["connectivityStatus"] == "Connecting" and "agentVersion" not in state
    signs = {"agentVersion": "1.36.1", "kubernetesVersion": "1.33.4", "totalNodeCount": 1}
    assert dataplane(azure, "heartbeat", {"resourceId": cluster, **signs}).status_code == 200
    state = azure.call("GET", cluster, CLUSTERS).json()["properties"]
    assert {key: state[key] for key in signs} == signs and state["connectivityStatus"] == "Connected"
    # A write by a client changes nothing of what the agents say.
    azure.call("PUT", cluster, CLUSTERS, cluster_body(agentVersion="9.9.9", connectivityStatus="Expired"))
    again = azure.call("GET", cluster, CLUSTERS).json()["properties"]
    assert {key: again[key] for key in signs} == signs and again["lastConnectivityTime"] == state[
        "lastConnectivityTime"
    ]
    azure.advance(3600)
    assert azure.call("GET", cluster, CLUSTERS).json()["properties"]["connectivityStatus"] == "Offline"
    missing = dataplane(azure, "heartbeat", {"resourceId": cluster + "x", **signs})
    assert missing.status_code == 404
    assert dataplane(azure, "healthCheck", {}).status_code == 200


def test_a_patch_changes_what_the_service_lets_it(azure: LocalAzure) -> None:
    cluster = azure.cluster(azure.group(), "patched")
    body = {
        "properties": {
            "distribution": "rke",
            "infrastructure": "aws",
            "agentVersion": "9",
            "gateway": {"enabled": True},
        }
    }
    answer = azure.call("PATCH", cluster, CLUSTERS, body)
    assert answer.status_code == 200
    properties = answer.json()["properties"]
    assert (properties["distribution"], properties["gateway"]) == ("rke", {"enabled": True})
    assert "agentVersion" not in properties and properties.get("infrastructure") is None


def test_an_older_version_neither_shows_nor_drops_the_gateway(azure: LocalAzure) -> None:
    cluster = azure.cluster(azure.group(), "old", gateway={"enabled": True})
    old = azure.call("GET", cluster, "2024-01-01").json()
    assert "gateway" not in old["properties"]
    old["tags"] = {"changed": "yes"}
    assert azure.call("PUT", cluster, "2024-01-01", old).status_code == 200
    assert azure.call("GET", cluster, CLUSTERS).json()["properties"]["gateway"] == {"enabled": True}


def test_deleting_a_cluster_takes_its_association_along(azure: LocalAzure) -> None:
    group = azure.group()
    cluster, gateway = azure.cluster(group, "c1"), azure.gateway(group, "gw-cascade")
    near = azure.cluster(group, "c10")
    path = f"{cluster}/providers/Microsoft.HybridCompute/settings/default"
    body = {"properties": {"gatewayProperties": {"gatewayResourceId": gateway}}}
    assert azure.call("PUT", path, SETTINGS, body).status_code == 200
    listed = azure.call("GET", path.rsplit("/", 1)[0], SETTINGS).json()["value"]
    assert [one["properties"]["gatewayProperties"]["gatewayResourceId"] for one in listed] == [gateway]
    assert azure.call("DELETE", cluster, CLUSTERS).status_code == 200
    assert azure.call("GET", path, SETTINGS).status_code == 404
    assert azure.call("GET", near, CLUSTERS).status_code == 200
    azure.cluster(group, "c1")
    fresh = azure.call("GET", path, SETTINGS).json()
    assert fresh["properties"]["gatewayProperties"]["gatewayResourceId"] is None
    azure.call("DELETE", gateway, "2024-07-31-preview")


def test_a_gateway_is_deleted_under_its_clusters(azure: LocalAzure) -> None:
    group = azure.group()
    cluster, gateway = azure.cluster(group, "left", gateway={"enabled": True}), azure.gateway(group, "gw-pulled")
    path = f"{cluster}/providers/Microsoft.HybridCompute/settings/Default"
    body = {"properties": {"gatewayProperties": {"gatewayResourceId": gateway}}}
    assert azure.call("PUT", path, SETTINGS, body).status_code == 200
    endpoint = values(azure, cluster)["global.gatewayEndpoint"]
    assert azure.call("DELETE", gateway, "2024-07-31-preview").status_code == 202
    assert values(azure, cluster)["global.gatewayEndpoint"] == endpoint, "it lives until the operation ends"
    azure.advance(1)
    assert azure.call("GET", gateway, "2024-07-31-preview").status_code == 404

    def left() -> tuple[Any, Any, str, str]:
        settings, document = azure.call("GET", path, SETTINGS).json(), azure.call("GET", cluster, CLUSTERS).json()
        found = values(azure, cluster)
        named = settings["properties"]["gatewayProperties"]["gatewayResourceId"]
        enabled = document["properties"]["gateway"]["enabled"]
        return named, enabled, found["global.gatewayEnabled"], found["global.gatewayEndpoint"]

    assert left() == (gateway, True, "true", "")
    refused = azure.call("PUT", path, SETTINGS, body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "ResourceNotFound")
    assert azure.gateway(group, "gw-pulled") == gateway
    assert left()[3] not in ("", endpoint), "one of the same name takes its place, at another address"
    assert azure.call("PUT", path, SETTINGS, {"properties": {"gatewayProperties": {"gatewayResourceId": None}}}).ok
    assert left() == (None, True, "true", "")
    azure.call("DELETE", gateway, "2024-07-31-preview")


@pytest.fixture(scope="module")
def charts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("charts")
    for folder in world.CHART_REPOSITORIES.values():
        (root / folder / "templates").mkdir(parents=True)
        about = f"apiVersion: v2\nname: {folder}\nversion: {world.AGENT_VERSION}\ndescription: of a test\n"
        (root / folder / "Chart.yaml").write_text(about)
        (root / folder / "values.yaml").write_text("global: {}\n")
        (root / folder / "templates/map.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n")
        (root / folder / ".hidden").write_text("not packed")
    return root


@pytest.fixture(scope="module")
def with_charts(charts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    with LocalAzure(tmp_path_factory.mktemp("registry") / "home", charts) as azure:
        yield azure


def test_the_registry_serves_charts_as_oci_artefacts(with_charts: LocalAzure) -> None:
    host = {"Host": "mcr.microsoft.com", "Authorization": None}
    for repository, name in world.CHART_REPOSITORIES.items():
        root = f"/v2/{repository}"
        manifest = with_charts.call("GET", f"{root}/manifests/{world.AGENT_VERSION}", headers=host)
        assert manifest.headers["Content-Type"] == "application/vnd.oci.image.manifest.v1+json"
        digest = manifest.headers["Docker-Content-Digest"]
        assert digest == "sha256:" + hashlib.sha256(manifest.content).hexdigest()
        head = with_charts.call("HEAD", f"{root}/manifests/{digest}", headers=host)
        assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(manifest.content)))
        (layer,) = manifest.json()["layers"]
        blob = with_charts.call("GET", f"{root}/blobs/{layer['digest']}", headers=host).content
        assert layer["digest"] == "sha256:" + hashlib.sha256(blob).hexdigest() and layer["size"] == len(blob)
        with tarfile.open(fileobj=io.BytesIO(blob)) as archive:
            assert archive.getnames() == [
                f"{name}/{file}" for file in ("Chart.yaml", "templates/map.yaml", "values.yaml")
            ]
        tags = with_charts.call("GET", f"{root}/tags/list", headers=host).json()["tags"]
        assert tags == [world.AGENT_VERSION]
    agents, checks = (f"/v2/{repository}/manifests/9.9.9" for repository in world.CHART_REPOSITORIES)
    assert with_charts.call("GET", checks, headers=host).status_code == 200, "each version of az names another one"
    missing = with_charts.call("GET", agents, headers=host)
    assert (missing.status_code, missing.json()["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")
    assert with_charts.call("GET", "/v2/library/nginx/manifests/1", headers=host).status_code == 404


def test_a_chart_packs_to_the_same_bytes_wherever_it_lies(charts: Path, tmp_path: Path) -> None:
    source = charts / "azure-arc-k8sagents"
    copy = tmp_path / "azure-arc-k8sagents"
    for path in source.rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    first, second = registry.pack(source), registry.pack(copy)
    assert first is not None and second is not None and first.manifest == second.manifest
    (copy / "values.yaml").write_text("global: {changed: true}\n")
    third = registry.pack(copy)
    assert third is not None and third.manifest != first.manifest


def test_real_helm_pulls_from_the_public_name(with_charts: LocalAzure, tmp_path: Path) -> None:
    try:
        helm = Home.tool("helm")
    except MissingTool as missing:
        pytest.skip(str(missing))
    with Router(with_charts.port) as router:
        environment = {
            **{key: value for key, value in os.environ.items() if key.lower() not in ("http_proxy", "no_proxy")},
            "HTTPS_PROXY": f"http://127.0.0.1:{router.port}",
            "SSL_CERT_FILE": with_charts.bundle,
            "HOME": str(tmp_path),
        }
        chart = "oci://mcr.microsoft.com/azurearck8s/batch1/stable/v2/azure-arc-k8sagents"
        for arguments in (["show", "chart", chart], ["pull", chart, "--destination", str(tmp_path)]):
            run = subprocess.run(
                [str(helm), *arguments, "--version", world.AGENT_VERSION],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert run.returncode == 0, run.stderr
            if arguments[0] == "show":
                assert f"version: {world.AGENT_VERSION}" in run.stdout
    assert (tmp_path / f"azure-arc-k8sagents-{world.AGENT_VERSION}.tgz").is_file()
    assert router.asked == {"mcr.microsoft.com:443"}
