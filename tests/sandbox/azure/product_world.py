"""The product's driver between a local Azure and a fake cluster: `az` writes to the one, and tells the other."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from driver_world import World
    from local_azure import LocalAzure

FAKES = Path(__file__).parents[2] / "arcgateway"
_SCRIPT = """#!{python} -S
import pathlib, sys
sys.path[:0] = {folders!r}
import product_world
product_world.az(pathlib.Path({root!r}), sys.argv[1:])
"""


def variables(azure: LocalAzure) -> dict[str, str]:
    """How the product finds a local Azure and logs in to it."""
    return {
        "ARM_METADATA_HOSTNAME": f"localhost:{azure.port}",
        "ARM_TENANT_ID": azure.identity.tenant_id,
        "ARM_CLIENT_ID": azure.identity.client_id,
        "ARM_CLIENT_SECRET": azure.identity.client_secret,
        "REQUESTS_CA_BUNDLE": azure.bundle,
    }


class Scene:
    """A connected cluster `edge` without a gateway, and a gateway that is ready, in a group of their own.

    Attributes:
        world: the fake cluster, `kubectl`, and what was called.
        env: the driver's environment.
    """

    def __init__(self, azure: LocalAzure, world: World, gateway: str) -> None:
        self.azure, self.world, self.gateway = azure, world, gateway
        self.group = azure.group()
        self.cluster = azure.cluster(self.group, "edge")
        self.setting = f"{self.cluster}/providers/Microsoft.HybridCompute/settings/default"
        self.heartbeat()
        identity, name = azure.identity, self.group.rsplit("/", 1)[1]
        world.connected(identity=[identity.subscription_id, name, "edge"])
        script = world.root / "bin" / "az"
        folders = [str(FAKES), str(Path(__file__).parent)]
        script.write_text(_SCRIPT.format(python=sys.executable, folders=folders, root=str(world.root)))
        self.env = {
            **world.env,
            **variables(azure),
            "ARC_SUBSCRIPTION_ID": identity.subscription_id,
            "ARC_RESOURCE_GROUP": name,
            "ARC_GATEWAY_ID": gateway,
        }

    def heartbeat(self) -> None:
        """Have the agents report."""
        body = {"resourceId": self.cluster, "agentVersion": "1.36.1"}
        assert self.azure.call("POST", "/azure-arc-k8sagents/heartbeat", body=body).status_code == 200

    def drive(self, verb: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a verb of the driver by its launcher."""
        from driver_world import LAUNCHER

        return subprocess.run(
            [str(LAUNCHER), verb],
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=90,
            cwd=self.world.root,
            check=False,
        )

    def held(self) -> tuple[bool, str | None]:
        """Both halves of the association, as Azure has them."""
        cluster = self.azure.call("GET", self.cluster, "2025-08-01-preview").json()["properties"]
        setting = self.azure.call("GET", self.setting, "2025-02-19-preview").json()["properties"]
        return bool((cluster.get("gateway") or {}).get("enabled")), setting["gatewayProperties"]["gatewayResourceId"]


@contextmanager
def scene(azure: LocalAzure, root: Path, gateway: str) -> Iterator[Scene]:
    from driver_world import world

    with world(root) as made:
        made.env["ARCGATEWAY_PYTHON"] = sys.executable
        yield Scene(azure, made, gateway)


def az(root: Path, argv: list[str]) -> None:
    """What `az connectedk8s update` does to Azure, then what the fake one does to the cluster."""
    import fake_programs

    if argv[:2] == ["connectedk8s", "update"]:
        try:
            _associate(argv)
        except urllib.error.HTTPError as refused:
            error = json.load(refused)["error"]
            sys.exit(f"ERROR: ({error['code']}) {error['message']}")
        except (OSError, http.client.HTTPException) as broken:
            sys.exit(f"ERROR: ('Connection aborted.', {broken!r})")
    fake_programs.az(root, argv)


def _associate(argv: list[str]) -> None:
    given = dict(pairwise(argv))
    gateway = given.get("--gateway-resource-id")
    if not gateway and "--disable-gateway" not in argv:
        return
    scope = f"/subscriptions/{given['--subscription']}/resourceGroups/{given['--resource-group']}"
    cluster = f"{scope}/providers/Microsoft.Kubernetes/connectedClusters/{given['--name']}"
    setting = f"{cluster}/providers/Microsoft.HybridCompute/settings/default?api-version=2025-02-19-preview"
    _ask("PUT", setting, {"properties": {"gatewayProperties": {"gatewayResourceId": gateway}}})
    address = f"{cluster}?api-version=2025-08-01-preview"
    body = _ask("GET", address)
    body["properties"]["gateway"] = {"enabled": bool(gateway)}
    _ask("PUT", address, body)


def _ask(method: str, path: str, body: Any = None) -> Any:
    base = f"https://{os.environ['ARM_METADATA_HOSTNAME']}"
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["ARM_CLIENT_ID"],
        "client_secret": os.environ["ARM_CLIENT_SECRET"],
        "scope": f"{base}/.default",
    }
    login = f"{base}/{os.environ['ARM_TENANT_ID']}/oauth2/v2.0/token"
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=os.environ["REQUESTS_CA_BUNDLE"])),
    )
    token = json.load(direct.open(login, urllib.parse.urlencode(form).encode(), timeout=10))["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with direct.open(urllib.request.Request(base + path, data, headers, method=method), timeout=10) as answer:
        return json.load(answer)
