"""Terraform (or OpenTofu) with Microsoft's azapi provider, unmodified: by the cloud's address, and through a proxy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from local_azure import CLUSTERS, GATEWAYS, GROUPS, SETTINGS, LocalAzure, Router

from sandbox.home import Home, MissingTool
from toolchain.table import AZAPI, this_platform

pytestmark = pytest.mark.long

CONFIGURATION = Path(__file__).with_name("azapi") / "main.tf"
LIMIT = 120  # seconds for one command
SAME, DIFFERENT = 0, 2  # how a plan with `-detailed-exitcode` ends


@dataclass(frozen=True)
class Stack:
    """One folder with a configuration and its state; `group` is the group that it declares."""

    program: Path
    folder: Path
    environment: dict[str, str]
    group: str

    def run(self, *arguments: str, ends: int = 0) -> str:
        """What a command prints; it must end with this code."""
        done = subprocess.run(
            [self.program, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        assert done.returncode == ends, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def apply(self, **variables: str) -> dict[str, Any]:
        """Apply with some variables set; gives the outputs."""
        self.run("apply", "-auto-approve", *(f"-var={name}={value}" for name, value in variables.items()))
        return {name: one["value"] for name, one in json.loads(self.run("output", "-json")).items()}

    def plan(self, ends: int, *arguments: str, **variables: str) -> str:
        """Plan with some variables set, and see whether there is something to do."""
        given = (f"-var={name}={value}" for name, value in variables.items())
        return self.run("plan", "-detailed-exitcode", *arguments, *given, ends=ends)


@pytest.fixture(scope="module")
def programs() -> tuple[Path, Path]:
    """Terraform or OpenTofu, and the provider."""
    try:
        return Home.tool("tofu"), Home.tool("terraform-provider-azapi")
    except MissingTool as missing:
        name = str(missing).split()[0]
        pytest.skip(f"{name} is not here: `python3 -m toolchain --only tofu terraform-provider-azapi` gets it")


@pytest.fixture(scope="module")
def router(azure: LocalAzure) -> Iterator[Router]:
    with Router(azure.port) as router:
        yield router


@pytest.fixture
def stack(azure: LocalAzure, router: Router, programs: tuple[Path, Path], tmp_path: Path) -> Callable[..., Stack]:
    """Makes an initialised stack; it finds the provider in a mirror on this machine, and nothing is fetched."""
    program, provider = programs
    system = "{os}_{arch}".format_map(this_platform())
    mirror = tmp_path / "mirror" / "registry.terraform.io" / "azure" / "azapi" / AZAPI / system
    mirror.mkdir(parents=True)
    (mirror / f"{provider.name}_v{AZAPI}").symlink_to(provider)
    settings = tmp_path / "settings.tfrc"
    settings.write_text(f'provider_installation {{ filesystem_mirror {{ path = "{tmp_path}/mirror" }} }}\n')
    folder = tmp_path / "stack"
    folder.mkdir()
    shutil.copy(CONFIGURATION, folder)

    def make(**variables: str) -> Stack:
        identity, group = azure.identity, f"tf-{uuid.uuid4().hex[:8]}"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "TF_CLI_CONFIG_FILE": str(settings),
            "TF_IN_AUTOMATION": "yes",
            "TF_CLI_ARGS": "-no-color",
            "CHECKPOINT_DISABLE": "yes",
            "TF_VAR_subscription": identity.subscription_id,
            "TF_VAR_group": group,
            "ARM_SUBSCRIPTION_ID": identity.subscription_id,
            "ARM_TENANT_ID": identity.tenant_id,
            "ARM_CLIENT_ID": identity.client_id,
            "ARM_CLIENT_SECRET": identity.client_secret,
            "SSL_CERT_FILE": azure.bundle,
            "HTTPS_PROXY": f"http://127.0.0.1:{router.port}",
            **variables,
        }
        made = Stack(program, folder, environment, f"{azure.subscription}/resourceGroups/{group}")
        made.run("init", "-input=false")
        return made

    return make


@pytest.fixture
def private(azure: LocalAzure) -> dict[str, str]:
    """The cloud by its own address. The login's host is asked about at the public one, as for any private cloud."""
    return {
        "ARM_RESOURCE_MANAGER_ENDPOINT": azure.url,
        "ARM_RESOURCE_MANAGER_AUDIENCE": "https://management.azure.com",
        "ARM_ACTIVE_DIRECTORY_AUTHORITY_HOST": azure.url,
    }


def test_what_is_declared_is_made_changed_and_destroyed(
    azure: LocalAzure, stack: Callable[..., Stack], private: dict[str, str]
) -> None:
    made = stack(**private)
    gateway = f"{made.group}/providers/Microsoft.HybridCompute/gateways/gw"
    cluster = f"{made.group}/providers/Microsoft.Kubernetes/connectedClusters/c1"
    settings = f"{cluster}/providers/Microsoft.HybridCompute/settings/default"

    def held(identifier: str, version: str) -> Any:
        return azure.call("GET", identifier, version).json()

    assert "6 to add" in made.plan(DIFFERENT)
    outputs = made.apply()
    # The provider followed the creation to its end: only then is there an endpoint.
    assert outputs["endpoint"] == held(gateway, GATEWAYS)["properties"]["gatewayEndpoint"]
    assert outputs["kubeconfigs"] == 1 and outputs["gateways"] == [gateway]
    assert held(settings, SETTINGS)["properties"]["gatewayProperties"] == {"gatewayResourceId": gateway}
    assert held(cluster, CLUSTERS)["properties"]["gateway"] == {"enabled": True}
    assert "No changes" in made.plan(SAME)

    made.apply(team="core", associated="false")
    assert held(gateway, GATEWAYS)["tags"] == {"team": "core"}
    assert held(settings, SETTINGS)["properties"]["gatewayProperties"] == {"gatewayResourceId": None}
    assert held(cluster, CLUSTERS)["properties"]["gateway"] == {"enabled": False}
    assert "No changes" in made.plan(SAME, team="core", associated="false")

    made.run("destroy", "-auto-approve")
    assert azure.call("GET", made.group, GROUPS).status_code == 404
    roles = azure.call("GET", f"{azure.subscription}/providers/Microsoft.Authorization/roleDefinitions", "2022-04-01")
    assert made.group.rsplit("/", 1)[1] not in roles.text


def test_what_others_changed_is_seen_and_mended_and_what_they_made_is_taken_over(
    azure: LocalAzure, stack: Callable[..., Stack], private: dict[str, str]
) -> None:
    made = stack(**private)
    made.apply()
    gateway = f"{made.group}/providers/Microsoft.HybridCompute/gateways/gw"
    assert azure.call("PATCH", gateway, GATEWAYS, {"tags": {"team": "somebody else"}}).status_code == 200
    assert '"edge" -> "somebody else"' in made.plan(DIFFERENT, "-refresh-only")
    made.apply()
    assert azure.call("GET", gateway, GATEWAYS).json()["tags"] == {"team": "edge"}

    made.run("state", "rm", "azapi_resource.gateway")
    made.run("import", "azapi_resource.gateway", f"{gateway}?api-version=2025-06-01")
    before = azure.call("GET", gateway, GATEWAYS).json()["properties"]["gatewayId"]
    assert made.apply()["endpoint"] == f"{before}.gw.arc.azure.com"
    made.plan(SAME)

    # Deleted by somebody else: made anew.
    assert azure.call("DELETE", gateway, GATEWAYS).status_code == 202
    azure.advance(1)
    assert "azapi_resource.gateway will be created" in made.plan(DIFFERENT)
    assert made.apply()["endpoint"] not in ("", f"{before}.gw.arc.azure.com")
    made.run("destroy", "-auto-approve")
    assert azure.call("GET", made.group, GROUPS).status_code == 404


def test_the_public_cloud_through_a_proxy_with_its_limits(
    azure: LocalAzure, stack: Callable[..., Stack], router: Router
) -> None:
    # The provider registers by itself what is not registered.
    providers = f"{azure.subscription}/providers/Microsoft.HybridCompute"
    assert azure.call("POST", f"{providers}/unregister", "2021-04-01").status_code == 200
    router.asked.clear()
    made = stack()
    assert made.apply()["endpoint"].endswith(".gw.arc.azure.com")
    assert router.asked == {"login.microsoftonline.com:443", "management.azure.com:443"}
    assert azure.call("GET", providers, "2021-04-01").json()["registrationState"] == "Registered"
    made.run("destroy", "-auto-approve")
    assert azure.call("GET", made.group, GROUPS).status_code == 404

    full = azure.group()
    for number in range(5):
        azure.gateway(full, f"gw-{number}")
    refused = made.run("apply", "-auto-approve", ends=1)
    assert "QuotaExceeded" in refused and "409" in refused
    assert azure.call("DELETE", full, GROUPS).status_code == 202
    azure.advance(1)
    assert made.apply()["endpoint"].endswith(".gw.arc.azure.com")
