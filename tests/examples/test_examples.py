"""Each example on the real engine: up, nothing to change, destroy. All of them in one sandbox of ten clusters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from private_proxy import private_proxy
from running_sandbox import Sandbox, started

from sandbox.certificates import certificates
from sandbox.home import PROJECT

EXAMPLES = PROJECT / "examples"
CONTEXTS = ["east", "west", *(f"site-{number:02}" for number in range(3, 11))]

#: Ten API servers on two cores, and ten onboardings, take minutes.
SECONDS = 1500

pytestmark = [pytest.mark.long, pytest.mark.timeout(SECONDS)]


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of ten clusters, none of which is connected."""
    folder = tmp_path_factory.mktemp("ten")
    with started(folder, limit=SECONDS, SANDBOX_CLUSTERS=str(len(CONTEXTS))) as sandbox:
        disconnect(sandbox, "west")
        yield sandbox


def connect(sandbox: Sandbox, name: str) -> str:
    """Connect a cluster by hand, as one that exists; returns its id."""
    sandbox.run(
        *("az", "connectedk8s", "connect", "--name", name, "--resource-group", "arc-dev", "--location", "eastus"),
        *("--kube-context", name, "--proxy-https", sandbox.variables["SANDBOX_PROXY_URL"], "--output", "none"),
    )
    return str(shown(sandbox, name)["id"])


def shown(sandbox: Sandbox, name: str) -> Any:
    """A connected cluster of the group arc-dev, as `az` shows it."""
    return sandbox.json("az", "connectedk8s", "show", "--name", name, "--resource-group", "arc-dev")


def disconnect(sandbox: Sandbox, name: str) -> None:
    sandbox.run(
        *("az", "connectedk8s", "delete", "--yes", "--name", name, "--resource-group", "arc-dev"),
        *("--kube-context", name),
    )


@dataclass(frozen=True)
class Deployment:
    """One stack of an example, with a configuration of its own outside the tree."""

    sandbox: Sandbox
    example: str
    stack: str
    configuration: Path
    variables: dict[str, str] = field(default_factory=dict)

    def pulumi(self, *arguments: str) -> str:
        return self.sandbox.run(
            *("pulumi", *arguments, "--stack", self.stack, "--non-interactive", "--color", "never"),
            cwd=EXAMPLES / self.example,
            timeout=SECONDS,
            PULUMI_OPTION_CONFIG_FILE=str(self.configuration),
            **self.variables,
        ).stdout

    def outputs(self, *arguments: str) -> dict[str, Any]:
        return json.loads(self.pulumi("stack", "output", "--json", *arguments))

    def nothing_to_change(self) -> None:
        self.pulumi("preview", "--expect-no-changes", "--diff")

    def state(self) -> str:
        return self.pulumi("stack", "export")


@contextmanager
def deployed(
    sandbox: Sandbox,
    folder: Path,
    example: str,
    stack: str,
    settings: dict[str, Any],
    secrets: dict[str, str] | None = None,
    **variables: str,
) -> Iterator[Deployment]:
    """An example, deployed and seen not to want to change anything; destroyed at the end."""
    deployment = Deployment(sandbox, example, stack, folder / f"Pulumi.{stack}.yaml", variables)
    beside = EXAMPLES / example / f"Pulumi.{stack}.yaml"
    tracked = beside.exists()
    deployment.pulumi("stack", "init")
    if not tracked:  # `stack init` writes the salt there, whatever file it is told to use
        beside.unlink(missing_ok=True)
    configured = yaml.safe_load(deployment.configuration.read_text()) if deployment.configuration.exists() else {}
    project = yaml.safe_load((EXAMPLES / example / "Pulumi.yaml").read_text())["name"]
    settings = settings | {"genuineRoots": certificates(sandbox.home).root.read_text()}
    configured["config"] = {f"{project}:{key}": value for key, value in settings.items()}
    deployment.configuration.write_text(yaml.safe_dump(configured))
    for key, value in (secrets or {}).items():
        deployment.pulumi("config", "set", "--secret", key, value)
    try:
        deployment.pulumi("up", "--yes")
        deployment.nothing_to_change()
        yield deployment
    finally:
        deployment.pulumi("destroy", "--yes")
    assert not json.loads(deployment.state())["deployment"].get("resources")


def test_ten_clusters(ten: Sandbox, tmp_path: Path) -> None:
    settings = {"proxyUrl": ten.variables["SANDBOX_PROXY_URL"], "kubeContexts": CONTEXTS}
    with deployed(ten, tmp_path, "ten-clusters", "dev", settings) as deployment:
        assert deployment.outputs()["clusters"] == dict.fromkeys(CONTEXTS, True)
        assert any(host.endswith(".gw.arc.azure.com") for host in deployment.outputs()["required"])
        listed = ten.json("az", "connectedk8s", "list", "--resource-group", "arc-ten")
        assert {cluster["name"] for cluster in listed} == set(CONTEXTS)
    assert ten.run("az", "group", "exists", "--name", "arc-ten").stdout.strip() == "false"


def test_a_gateway_shared_by_two_stacks(ten: Sandbox, tmp_path: Path) -> None:
    def team(name: str, context: str) -> Any:
        settings = {
            "gatewayStack": "organization/shared-gateway/prod",
            "resourceGroup": f"arc-{name}",
            "proxyUrl": ten.variables["SANDBOX_PROXY_URL"],
            "kubeContexts": [context],
        }
        return deployed(ten, tmp_path, "shared-gateway/clusters", name, settings)

    with deployed(ten, tmp_path, "shared-gateway/gateway", "prod", {}) as network:
        with team("one", "site-03") as one, team("two", "site-04") as two:
            assert one.outputs()["site-03"]["gatewayEnabled"] is True
            assert two.outputs()["site-04"]["gatewayEnabled"] is True
            gateway = network.outputs()["gateway"]["id"]
            assert gateway in one.state()
            assert gateway in two.state()
        network.pulumi("refresh", "--yes", "--expect-no-changes")


def test_existing_clusters(ten: Sandbox, tmp_path: Path) -> None:
    names = ["site-05", "site-06"]
    clusters = [connect(ten, name) for name in names]
    gateway = ten.json(
        *("az", "arcgateway", "create", "--name", "by-hand", "--resource-group", "arc-dev", "--location", "eastus"),
        *("--gateway-type", "public", "--allowed-features", "*"),
    )["id"]
    settings = {"gatewayId": gateway, "clusterIds": clusters}
    with deployed(ten, tmp_path, "existing-clusters", "dev", settings) as deployment:
        assert set(deployment.outputs()) == set(names)
        assert [enabled(ten, name) for name in names] == [True, True]
    assert [enabled(ten, name) for name in names] == [False, False]
    ten.run("az", "arcgateway", "show", "--name", "by-hand", "--resource-group", "arc-dev")
    for name in names:
        disconnect(ten, name)


def enabled(sandbox: Sandbox, name: str) -> bool:
    return bool(shown(sandbox, name)["gateway"]["enabled"])


def test_a_private_proxy(ten: Sandbox, tmp_path: Path) -> None:
    with private_proxy(ten.variables["SANDBOX_PROXY_URL"]) as proxy:
        (root := tmp_path / "proxy-root.pem").write_text(proxy.root)
        (bundle := tmp_path / "trusted.pem").write_text(proxy.root + Path(ten.variables["SSL_CERT_FILE"]).read_text())
        settings = {
            "proxyUrl": proxy.url,
            "proxyUser": proxy.user,
            "proxyCertificate": str(root),
            "kubeContext": "site-07",
        }
        machine = {"SSL_CERT_FILE": str(bundle), "REQUESTS_CA_BUNDLE": str(bundle)}
        secrets = {"proxyPassword": proxy.password}
        with deployed(ten, tmp_path, "private-proxy", "dev", settings, secrets, **machine) as deployment:
            assert deployment.outputs()["gatewayEnabled"] is True
            assert "canary" not in deployment.state()
            assert "canary" not in json.dumps(deployment.outputs())
            environment = deployment.outputs("--show-secrets")["environment"]
            assert environment["HTTPS_PROXY"].startswith("https://arc%40corp:canary%2Fp%40ss%3Aword@127.0.0.1:")
        assert any(target.endswith(".gw.arc.azure.com:443") for target in proxy.carried)
        assert proxy.refused == 0
