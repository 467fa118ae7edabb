"""What a cluster says about its Arc agents, read with `kubectl` (which knows every way of logging in to a cluster)."""

from __future__ import annotations

import base64
import gzip
import ipaddress
import json
import shutil
import subprocess
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arcgateway import workspace
from arcgateway.errors import Failure
from arcgateway.ids import ConnectedClusterId
from arcgateway.kubeconfig import Kubeconfig

NAMESPACE = "azure-arc"
RELEASE_NAMESPACE = "azure-arc-release"
ARC_PROXY = "arc-proxy"

_TIMEOUT = 20


class Unreachable(Failure):
    """The cluster does not answer, or does not let us in."""


@dataclass(frozen=True)
class Release:
    """The helm release of the agents.

    Attributes:
        status: as helm has it: `deployed`, `failed`, `pending-install`, ...
        values: what it was installed with, flat: `global.httpsProxy` and so on, each as text.
    """

    status: str
    values: Mapping[str, str]

    @property
    def deployed(self) -> bool:
        """Whether its last run went through, and the agents know its values."""
        return self.status == "deployed"

    @property
    def pending(self) -> bool:
        """Whether helm was stopped in it, or is at it now."""
        return self.status.startswith("pending")


@dataclass(frozen=True)
class Agents:
    """The Arc agents of a cluster.

    Attributes:
        identity: the connected cluster that they belong to, None without any.
        deployments: name to whether all its replicas are ready.
        release: the newest helm release, None without one.
        service_ranges: the cluster's service ranges; empty where they were not asked for.
        guessed: whether these were guessed from the services' addresses, as the cluster has no ServiceCIDR objects.
    """

    identity: ConnectedClusterId | None = None
    deployments: Mapping[str, bool] = field(default_factory=dict)
    release: Release | None = None
    service_ranges: tuple[str, ...] = ()
    guessed: bool = False

    @property
    def arc_proxy_ready(self) -> bool:
        """Whether the Arc Proxy is there and ready."""
        return self.deployments.get(ARC_PROXY, False)

    @property
    def absent(self) -> bool:
        """Whether nothing of Arc is in the cluster."""
        return not self.deployments and self.release is None and self.identity is None


class Cluster:
    """One cluster, by one context of a kubeconfig.

    Args:
        kubeconfig: the context.
        env: the environment for `kubectl` and the login plugins that it starts.
    """

    def __init__(self, kubeconfig: Kubeconfig, env: Mapping[str, str]) -> None:
        self.kubeconfig = kubeconfig
        self._env = dict(env)

    def agents(self, *, service_ranges: bool = False) -> Agents:
        """Look at the agents: three reads at most, side by side.

        Raises:
            Unreachable: the cluster does not answer or refuses the credentials.
            Failure: there is no kubectl.
        """
        with workspace.folder() as folder:
            path = self.kubeconfig.write(folder)
            with ThreadPoolExecutor(max_workers=3) as pool:
                objects = pool.submit(self._get, path, "deployments,configmaps", "--namespace", NAMESPACE)
                of_helm = ("--namespace", RELEASE_NAMESPACE, "--selector", "owner=helm,name=azure-arc")
                releases = pool.submit(self._get, path, "secrets", *of_helm)
                ranges = pool.submit(self._service_ranges, path) if service_ranges else None
            found, guessed = ranges.result() if ranges else ((), False)
            items = objects.result()
        return Agents(
            identity=_identity(items),
            deployments=dict(_readiness(items)),
            release=newest_release(releases.result()),
            service_ranges=found,
            guessed=guessed,
        )

    def _service_ranges(self, kubeconfig: Path) -> tuple[tuple[str, ...], bool]:
        try:
            items = self._get(kubeconfig, "servicecidrs.networking.k8s.io")
        except Unreachable:
            raise
        except Failure:
            items = []
        if items:
            return tuple(cidr for item in items for cidr in item.get("spec", {}).get("cidrs", ())), False
        services = self._get(kubeconfig, "services", "--all-namespaces")
        return guessed_ranges(
            address for item in services for address in item.get("spec", {}).get("clusterIPs", ()) if address != "None"
        ), True

    def _get(self, kubeconfig: Path, kinds: str, *arguments: str) -> list[dict[str, Any]]:
        program = shutil.which("kubectl", path=self._env.get("PATH"))
        if program is None:
            raise Failure("kubectl is not on PATH", "install it: it reads the cluster with every kind of login")
        argv = [
            program,
            "--kubeconfig",
            str(kubeconfig),
            "--context",
            self.kubeconfig.context,
            f"--request-timeout={_TIMEOUT}s",
            "get",
            kinds,
            *arguments,
            "--output",
            "json",
        ]
        try:
            done = subprocess.run(
                argv,
                env=self._env,
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
                timeout=3 * _TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            raise self._unreachable("it did not answer in time") from None
        if done.returncode != 0:
            raise self._explained(kinds, done.stderr.strip())
        items: list[dict[str, Any]] = json.loads(done.stdout).get("items", [])
        return items

    def _explained(self, kinds: str, said: str) -> Failure:
        last = said.splitlines()[-1] if said else "kubectl said nothing"
        if "the server doesn't have a resource type" in said:
            return Failure(f"the cluster knows no {kinds}", "use a cluster of a supported Kubernetes version")
        if "(Forbidden)" in said or "is forbidden" in said:
            return Failure(
                f"the context {self.kubeconfig.context!r} may not read {kinds} ({last})",
                "onboarding needs cluster-admin: use such a context",
            )
        return self._unreachable(last)

    def _unreachable(self, detail: str) -> Unreachable:
        return Unreachable(
            f"the cluster of context {self.kubeconfig.context!r} cannot be reached ({detail})",
            "check the cluster and the kubeconfig",
            transient=True,
        )


def newest_release(secrets: Iterable[Mapping[str, Any]]) -> Release | None:
    """The newest of helm's stored releases; an unreadable one counts as a release with no values."""
    newest = max(secrets, key=lambda item: int(item["metadata"].get("labels", {}).get("version", 0)), default=None)
    if newest is None:
        return None
    status = newest["metadata"].get("labels", {}).get("status", "unknown")
    try:
        packed = base64.b64decode(base64.b64decode(newest["data"]["release"]))
        body = json.loads(gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed)
        return Release(status, dict(_flat(body.get("config") or {})))
    except (KeyError, ValueError, OSError, EOFError, zlib.error):
        return Release(status, {})


def guessed_ranges(addresses: Iterable[str]) -> tuple[str, ...]:
    """Ranges that hold the services' addresses: the /16 (IPv6: the /108) of each, as clusters are mostly laid out."""
    parsed = [ipaddress.ip_address(address) for address in addresses]
    networks = {ipaddress.ip_network((item, 16 if item.version == 4 else 108), strict=False) for item in parsed}
    return tuple(str(network) for network in sorted(networks, key=lambda net: (net.version, int(net.network_address))))


def _identity(items: Iterable[Mapping[str, Any]]) -> ConnectedClusterId | None:
    for item in items:
        if item["kind"] == "ConfigMap" and item["metadata"]["name"] == "azure-clusterconfig":
            data = item.get("data") or {}
            names = [data.get(f"AZURE_{key}", "") for key in ("SUBSCRIPTION_ID", "RESOURCE_GROUP", "RESOURCE_NAME")]
            return ConnectedClusterId(*names) if all(names) else None
    return None


def _readiness(items: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, bool]]:
    for item in items:
        if item["kind"] == "Deployment":
            wanted, status = item["spec"].get("replicas", 1), item.get("status", {})
            seen = status.get("observedGeneration", 0) >= item["metadata"].get("generation", 0)
            ready = min(status.get("readyReplicas", 0), status.get("updatedReplicas", 0))
            yield item["metadata"]["name"], seen and ready >= wanted


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield prefix + key, str(value)
