"""The driver on what a killed helm leaves, with the real helm, the local Azure and a real API server."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from test_lifecycle import East

from sandbox import world
from sandbox.home import PROJECT

pytestmark = pytest.mark.long

RECORD = "sh.helm.release.v1.azure-arc.v{}"
WHERE = ("--namespace", "azure-arc-release")


class Driven(East):
    """The cluster, with the driver besides."""

    def drive(self, verb: str, gateway: str, **settings: str) -> subprocess.CompletedProcess[str]:
        env = {
            **self.sandbox.variables,
            "ARC_SUBSCRIPTION_ID": self.sandbox.variables["ARM_SUBSCRIPTION_ID"],
            "ARC_RESOURCE_GROUP": world.RESOURCE_GROUP,
            "ARC_CLUSTER_NAME": world.EAST,
            "ARC_LOCATION": world.LOCATION,
            "ARC_KUBE_CONTEXT": world.EAST,
            "ARC_GATEWAY_ID": gateway,
            "ARC_PROXY_HTTPS": self.proxy,
            "ARC_PREFLIGHT": "off",
            **settings,
        }
        command = [str(PROJECT / "bin" / "driver"), verb]
        return subprocess.run(command, env=env, cwd=PROJECT, capture_output=True, text=True, check=False)

    def releases(self) -> dict[int, str]:
        """Helm's records by revision, and the status of each."""
        found = self.kubectl("get", "secrets", *WHERE, "--selector", "owner=helm,name=azure-arc")["items"]
        labels = [one["metadata"]["labels"] for one in found]
        return {int(one["version"]): one["status"] for one in labels}

    def stop_helm_in(self, status: str, *, new: bool) -> None:
        """Leave what a helm leaves that is killed: a pending record, after the deployed one or in its place."""
        newest = max(self.releases())
        secret = self.kubectl("get", "secret", RECORD.format(newest), *WHERE)
        packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        body = json.loads(gzip.decompress(packed))
        body["info"] |= {"status": status, "last_deployed": "2026-01-02T03:04:05.678901234Z"}
        metadata = {name: secret["metadata"][name] for name in ("name", "namespace", "labels")}
        if new:
            body["version"] = newest + 1
            metadata |= {"name": RECORD.format(newest + 1)}
            metadata["labels"] |= {"version": str(newest + 1)}
        metadata["labels"] |= {"status": status}
        content = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(body).encode()))).decode()
        made = {**secret, "metadata": metadata, "data": {"release": content}}
        subprocess.run(
            ["kubectl", "--context", world.EAST, "create" if new else "replace", "--filename", "-"],
            env=self.sandbox.variables,
            input=json.dumps(made),
            text=True,
            check=True,
            capture_output=True,
        )


@pytest.fixture(scope="module")
def east(sandbox: Any) -> Iterator[Driven]:
    cluster = Driven(sandbox)
    cluster.az("delete", "--yes", "--force", check=False)
    cluster.connect()
    yield cluster
    cluster.az("delete", "--yes", "--force", check=False)


@pytest.fixture(scope="module")
def gateway(sandbox: Any) -> str:
    chosen = ("--name", "helm-states", "--resource-group", world.RESOURCE_GROUP)
    return str(sandbox.json("az", "arcgateway", "create", *chosen, "--location", world.LOCATION)["id"])


@pytest.mark.parametrize(
    ("status", "new"), [("pending-upgrade", True), ("pending-rollback", True), ("pending-install", False)]
)
def test_a_killed_helm_is_mended_in_place(east: Driven, gateway: str, status: str, new: bool) -> None:
    key = east.show()["agentPublicKeyCertificate"]
    east.stop_helm_in(status, new=new)
    newest = max(east.releases())
    # What the client alone comes to.
    refused = east.az("update", "--disable-proxy", check=False)
    assert (refused.returncode, "another operation (install/upgrade/rollback) is in progress" in refused.stderr) == (
        1,
        True,
    )
    done = east.drive("associate", gateway)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["gatewayEnabled"] is True
    assert east.releases()[newest] in ("failed", "superseded") and east.releases()[newest + 1] == "deployed"
    assert east.show()["agentPublicKeyCertificate"] == key and "arc-proxy" in east.deployments()


def test_what_an_interrupted_delete_leaves_is_removed(east: Driven, gateway: str) -> None:
    in_azure = east.drive("disconnect", gateway, ARC_KUBE_CONTEXT="nowhere", ARC_ON_UNREACHABLE="azure-only")
    assert in_azure.returncode == 0, in_azure.stderr
    assert east.az("delete", "--yes", check=False).returncode == 3
    done = east.drive("disconnect", gateway)
    assert done.returncode == 0, done.stderr
    assert east.kubectl("get", "namespace", "azure-arc") is None and east.releases() == {}
