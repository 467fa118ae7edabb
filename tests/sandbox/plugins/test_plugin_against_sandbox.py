"""The azure-native stand-in against the sandbox's own Azure: long-running operations, roles, and their ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from plugin_hosting import BIN, Hosted, Refused, hosted, urn

from sandbox.certificates import certificates
from sandbox.home import PROJECT, Home
from sandbox.service import listening


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Hosted]:
    home = Home(tmp_path / "home")
    identity = home.identity
    environment = {
        "ARM_SUBSCRIPTION_ID": identity.subscription_id,
        "ARM_TENANT_ID": identity.tenant_id,
        "ARM_CLIENT_ID": identity.client_id,
        "ARM_CLIENT_SECRET": identity.client_secret,
        "ARM_METADATA_HOSTNAME": f"localhost:{home.port('azure')}",
        "SSL_CERT_FILE": str(certificates(home).bundle),
        "NO_PROXY": "localhost",
    }
    azure = subprocess.Popen(
        [sys.executable, "-m", "sandbox.azure"],
        cwd=PROJECT,
        env={**os.environ, "SANDBOX_HOME": str(home.root)},
        stdout=subprocess.DEVNULL,
    )
    try:
        _await_port(home.port("azure"), azure)
        with hosted(BIN / "pulumi-resource-azure-native", tmp_path, environment, {"location": "eastus"}) as running:
            yield running
    finally:
        azure.kill()
        azure.wait(10)


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    ready = listening(port)
    while not ready():
        assert process.poll() is None, "the sandbox's Azure ended"
        assert time.monotonic() < deadline, "the sandbox's Azure is not ready"
        time.sleep(0.1)


def test_a_gateway_and_who_may_operate_it(plugin: Hosted) -> None:
    group = urn("azure-native:resources:ResourceGroup", "arc")
    inputs, failures = plugin.check(group, {}, randomSeed=b"seed")
    assert (failures, inputs["location"]) == ({}, "eastus")
    group_id, group_outputs = plugin.create(group, inputs)
    assert group_id.endswith(f"/resourceGroups/{group_outputs['name']}")

    gateway = urn("azure-native:hybridcompute:Gateway", "edge")
    given = {"resourceGroupName": group_outputs["name"], "gatewayName": "gw", "allowedFeatures": ["*"]}
    gateway_inputs, failures = plugin.check(gateway, given)
    assert not failures
    gateway_id, gateway_outputs = plugin.create(gateway, gateway_inputs)
    assert gateway_outputs["provisioningState"] == "Succeeded"
    assert gateway_outputs["gatewayEndpoint"].endswith(".gw.arc.azure.com")
    with pytest.raises(Refused, match="cannot create already existing resource"):
        plugin.create(gateway, gateway_inputs)

    role = urn("azure-native:authorization:RoleDefinition", "operator")
    permissions = [{"actions": ["Microsoft.HybridCompute/gateways/read"]}]
    given = {"scope": group_id, "roleName": "Operator", "permissions": permissions, "assignableScopes": [group_id]}
    role_inputs, failures = plugin.check(role, given, randomSeed=b"seed")
    assert not failures
    role_id, role_outputs = plugin.create(role, role_inputs)
    assert role_outputs["roleName"] == "Operator"

    plugin.delete(role, role_id, role_inputs, role_outputs)
    plugin.delete(gateway, gateway_id, gateway_inputs, gateway_outputs)
    assert plugin.read(gateway, gateway_id, gateway_inputs, gateway_outputs).id == ""
    plugin.delete(group, group_id, inputs, group_outputs)


def test_azures_own_refusals_are_shown(plugin: Hosted) -> None:
    given = {"resourceGroupName": "nowhere", "gatewayName": "gw", "location": "eastus"}
    with pytest.raises(Refused, match="Azure answered 404 ResourceGroupNotFound"):
        plugin.create(urn("azure-native:hybridcompute:Gateway"), given)
