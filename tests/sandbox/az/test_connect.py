"""`connectedk8s connect`: the calls of the real client in their order, its refusals, and what reaches the cluster."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from az_world import AZ, CLUSTER, GATEWAY, World
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_private_key
from waiting import until

CONNECT = ("connectedk8s", "connect", "-n", "east", "-g", "arc-dev", "-l", "eastus")
PROXY = (
    "--proxy-https", "http://user:pa%2Css@proxy:3128", "--proxy-http", "http://proxy:3128",
    "--proxy-skip-range", "10.0.0.0/8,.svc,Arc",
)  # fmt: skip
CLUSTERS = "2025-08-01-preview"
EAST = "RG/providers/Microsoft.Kubernetes/connectedClusters/east"


def test_the_calls_of_the_real_client_in_their_order(world: World) -> None:
    done = world.az(*CONNECT, "--gateway-resource-id", GATEWAY, *PROXY)
    assert done.returncode == 0, done.stderr
    assert world.asked() == [
        "GET SUB/providers/Microsoft.Kubernetes",
        "GET SUB/providers/Microsoft.KubernetesConfiguration",
        "GET SUB/providers/Microsoft.HybridCompute",
        "GET /metadata/endpoints",
        "GET SUB/providers/Microsoft.Kubernetes",
        f"GET {EAST}",
        "HEAD SUB/resourcegroups/arc-dev",
        f"PUT {EAST}",
        "GET SUB/providers/Microsoft.ExtendedLocation",
        "GET /v1.0/servicePrincipals",
        f"PUT {EAST}/providers/Microsoft.HybridCompute/settings/Default",
        f"GET {EAST}",
        f"PUT {EAST}",
        "POST /azure-arc-k8sagents/healthCheck",
        "POST /azure-arc-k8sagents/GetHelmSettings",
    ]
    versions = {
        path.partition("?")[0].split("/")[-1]: path.partition("api-version=")[2] for _, _, path, _ in world.calls
    }
    assert versions["east"] == CLUSTERS
    assert versions["Default"] == "2025-02-19-preview"
    assert versions["Microsoft.Kubernetes"] == versions["arc-dev"] == "2024-11-01"
    assert versions["endpoints"] == "2022-09-01"
    assert versions["healthCheck"] == "2024-07-01-preview"
    assert versions["GetHelmSettings"] == "2024-07-01-preview&releaseTrain=stable"
    hosts = {host for _, host, _, _ in world.calls}
    assert {"management.azure.com", "graph.microsoft.com", "eastus.dp.kubernetesconfiguration.azure.com"} <= hosts


def _body(world: World, method: str, ending: str, last: bool = False) -> Any:
    found = [
        body for called, _, path, body in world.calls if called == method and path.partition("?")[0].endswith(ending)
    ]
    return found[-1 if last else 0]


def test_the_bodies_hold_what_the_real_ones_do_and_no_protected_value(world: World) -> None:
    assert (
        world.az(
            *CONNECT, "--gateway-resource-id", GATEWAY, *PROXY, "--tags", "a=b", "--disable-auto-upgrade"
        ).returncode
        == 0
    )
    put = _body(world, "PUT", "connectedClusters/east")
    key = put["properties"].pop("agentPublicKeyCertificate")
    assert put == {
        "location": "eastus",
        "tags": {"a": "b"},
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "distribution": "generic",
            "infrastructure": "generic",
            "arcAgentProfile": {"agentAutoUpgrade": "Disabled"},
            "arcAgentryConfigurations": [{"feature": "proxy", "settings": {}}],
        },
    }
    told = _body(world, "POST", "/GetHelmSettings")["properties"]["arcAgentryConfigurations"]
    marks = {name: f"redacted:proxy:{name}" for name in ("https_proxy", "http_proxy", "no_proxy")}
    assert told == [{"feature": "proxy", "settings": {}, "protectedSettings": marks}]
    again = _body(world, "PUT", "connectedClusters/east", last=True)
    assert again["properties"]["gateway"] == {"enabled": True}
    assert not {"provisioningState", "connectivityStatus", "agentVersion"} & set(again["properties"])
    assert _body(world, "PUT", "/settings/Default") == {
        "properties": {"gatewayProperties": {"gatewayResourceId": GATEWAY}}
    }
    assert "pa%2Css" not in json.dumps(world.calls)
    secret = next(one for one in world.created if one["kind"] == "Secret")
    assert (secret["metadata"]["namespace"], secret["metadata"]["name"]) == (
        "azure-arc",
        "azure-arc-connect-privatekey",
    )
    private = load_pem_private_key(secret["stringData"]["privateKey"].encode(), None)
    # What is sent is base64 of PKCS#1: a sequence of modulus and exponent, without SubjectPublicKeyInfo around it.
    der = base64.b64decode(key)
    public = load_der_public_key(der)
    assert isinstance(public, RSAPublicKey)
    assert public.public_numbers() == private.public_key().public_numbers()  # type: ignore[union-attr]
    assert b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" not in der


def test_the_chart_gets_the_services_values_and_the_users_own_proxies(world: World) -> None:
    certificate = world.folder / "ca.pem"
    certificate.write_text("-----BEGIN CERTIFICATE-----\n")
    assert (
        world.az(*CONNECT, "--gateway-resource-id", GATEWAY, *PROXY, "--proxy-cert", str(certificate)).returncode == 0
    )
    values = world.installed()["global"]
    assert values["httpsProxy"] == "http://user:pa%2Css@proxy:3128"
    assert values["httpProxy"] == "http://proxy:3128"
    arc = ".his.arc.azure.com,.dp.kubernetesconfiguration.azure.com,.guestconfiguration.azure.com"
    assert values["noProxy"] == f"10.0.0.0/8,.svc,{arc}"
    assert (values["isProxyEnabled"], values["gatewayEnabled"]) == (True, True)
    assert values["gatewayEndpoint"] == "abc.gw.arc.azure.com"
    assert (values["proxyCert"], values["isCustomCert"]) == ("-----BEGIN CERTIFICATE-----\n", True)
    assert world.installed()["systemDefaultValues"]["customLocations"] == {
        "enabled": True,
        "oid": "oid-of-custom-locations",
    }
    assert "pa%2Css" not in (world.folder / "calls").read_text()
    assert (world.folder / "values-mode").read_text() == "600\n"
    assert not Path((world.folder / "values-file").read_text().strip()).exists()
    assert [line.split()[0] for line in world.helm()] == [
        "list", "pull", "upgrade", "uninstall",  # the check from inside
        "list", "pull", "upgrade",
    ]  # fmt: skip
    precheck, chart, install = (world.helm()[number] for number in (1, 5, 6))
    assert "oci://mcr.microsoft.com/azurearck8s/helmchart/stable/clusterdiagnosticchecks" in precheck
    assert chart.startswith(
        "pull oci://mcr.microsoft.com/azurearck8s/batch1/stable/v2/azure-arc-k8sagents --version 1.36.1"
    )
    assert "--namespace azure-arc-release" in install
    assert "--install --create-namespace --wait --timeout 1200s" in install


def test_the_result_is_printed_flat_after_the_steps(world: World) -> None:
    done = world.az(*CONNECT)
    assert done.stdout.startswith("Step: 20")
    printed = json.loads(done.stdout[done.stdout.index("\n{") :])
    assert (printed["name"], printed["resourceGroup"], printed["connectivityStatus"]) == (
        "east",
        "arc-dev",
        "Connecting",
    )
    assert printed["gateway"] is None
    assert "WARNING: This operation might take a while" in done.stderr
    assert world.asked().count(f"PUT {EAST}") == 1
    assert "GET SUB/providers/Microsoft.HybridCompute" not in world.asked()


@pytest.mark.long
def test_an_association_that_fails_stops_the_onboarding(world: World) -> None:
    error = {"error": {"code": "NotFound", "message": "no such gateway"}}
    # The sixth would succeed; four pauses of 3 s lie between five tries.
    world.answers["PUT", "/settings/Default"] = [(404, error)] * 4 + [(201, error)]
    done = world.az(*CONNECT, "--gateway-resource-id", GATEWAY, timeout=90)
    assert done.returncode == 1
    assert "Failed to associate gateway with connected cluster." in done.stderr
    assert world.asked().count(f"PUT {EAST}/providers/Microsoft.HybridCompute/settings/Default") == 5
    assert CLUSTER.lower() in world.resources, "the cluster's resource stays behind, as with the real client"
    assert len(world.helm()) == 5, "nothing was installed after the check from inside"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("-l", "moon"), "supported only in the following locations: eastus, westeurope"),
        (("--proxy-cert", "/nowhere/ca.pem"), "Proxy cert path /nowhere/ca.pem does not exist."),
        (("--kube-context", "moon"), "Expected object with name moon in"),
        (
            ("--kube-config", "/nowhere/config"),
            "Problem loading the kubeconfig file. Invalid kube-config file. No configuration",
        ),
        (("--gateway-resource-id", "gw1"), "The provided Gateway ArmID in --gateway-resource-id  gw1 is invalid."),
        (("--onboarding-timeout", "long"), "--onboarding-timeout takes a number of seconds"),
    ],
)
def test_bad_input(world: World, flags: tuple[str, ...], told: str) -> None:
    done = world.az(*CONNECT, *flags)
    assert done.returncode == 1
    assert told in done.stderr


def test_an_unregistered_provider_is_refused_before_anything_else(world: World) -> None:
    world.unregistered.add("Microsoft.HybridCompute")
    done = world.az(*CONNECT, "--gateway-resource-id", GATEWAY)
    assert (done.returncode, "Microsoft.HybridCompute provider is not registered." in done.stderr) == (1, True)
    assert len(world.calls) == 3
    assert world.kube == []
    assert world.az(*CONNECT).returncode == 0, "without a gateway it is not needed"


def test_a_failed_precheck_stops_before_azure_is_changed(world: World) -> None:
    world.log = "Outbound Network Connectivity Check for Onboarding : https://x : 000\n"
    done = world.az(*CONNECT)
    assert done.returncode == 1
    assert "diagnostic checks failed and hence not proceeding with cluster onboarding" in done.stderr
    assert not [call for call in world.calls if call[0] != "GET"]
    assert world.helm()[-1].startswith("uninstall cluster-diagnostic-checks")


def test_a_cluster_connected_already_is_put_again_and_its_agents_upgraded(world: World) -> None:
    world.connected()
    done = world.az(*CONNECT, "--gateway-resource-id", GATEWAY)
    assert done.returncode == 0, done.stderr
    assert world.asked()[-6:] == [
        f"GET {EAST}",
        f"GET {EAST}",
        f"PUT {EAST}",
        f"PUT {EAST}/providers/Microsoft.HybridCompute/settings/Default",
        "POST /azure-arc-k8sagents/healthCheck",
        "POST /azure-arc-k8sagents/GetHelmSettings",
    ]
    assert _body(world, "PUT", "connectedClusters/east")["properties"]["agentPublicKeyCertificate"] == "MIIB"
    assert world.helm()[-1].startswith("upgrade azure-arc ")
    assert "--install" not in world.helm()[-1]


def test_other_agents_in_the_cluster_are_refused(world: World) -> None:
    world.connected()
    done = world.az("connectedk8s", "connect", "-n", "other", "-g", "arc-dev", "-l", "eastus")
    assert done.returncode == 1
    assert "is already onboarded to the resource group 'arc-dev' with resource name 'east'." in done.stderr


def test_a_resource_without_its_agents_is_refused(world: World) -> None:
    world.connected()
    (world.folder / "list.json").write_text("[]")
    done = world.az(*CONNECT)
    assert done.returncode == 1
    assert (
        "already exists  in the resource group arc-dev and corresponds to a different Kubernetes cluster."
        in done.stderr
    )
    assert "specify different resource name" in done.stderr


def test_a_release_without_its_configmap_gets_the_hint(world: World) -> None:
    world.connected()
    world.configmap = None
    done = world.az(*CONNECT)
    assert done.returncode == 1
    assert (
        "Please run 'helm delete azure-arc --namespace azure-arc-release --no-hooks' to cleanup the release"
        in done.stderr
    )


def test_an_unreachable_cluster(world: World) -> None:
    config = json.loads((world.folder / "kubeconfig").read_text())
    config["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:1"
    (world.folder / "kubeconfig").write_text(json.dumps(config))
    done = world.az(*CONNECT)
    assert done.returncode == 1
    assert "Error occured while connecting to the kubernetes cluster: \nError: [Errno 111]" in done.stderr
    assert not [call for call in world.calls if call[0] != "GET"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_helm_and_leaves_no_folder(world: World, number: signal.Signals) -> None:
    (world.folder / "hang").touch()
    running = subprocess.Popen(
        [str(AZ), *CONNECT], env=world.variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        pid = world.folder / "pid"
        helm = int(until(lambda: pid.exists() and pid.read_text()))
        running.send_signal(number)
        _, error = running.communicate(timeout=20)
    finally:
        running.kill()
    assert (running.returncode, error.splitlines()[-1]) == (1, "ERROR: Process terminated externally.")
    assert not Path(f"/proc/{helm}").exists()
    assert not list(world.folder.glob("azure-arc-*"))
