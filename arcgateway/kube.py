"""What a cluster says about its Arc agents, read with `kubectl` (which knows every way of logging in to a cluster)."""

from __future__ import annotations

import base64
import gzip
import ipaddress
import json
import re
import shutil
import subprocess
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from arcgateway import workspace
from arcgateway.errors import Failure
from arcgateway.ids import ConnectedClusterId
from arcgateway.kubeconfig import Kubeconfig
from arcgateway.lifeline import in_own_group

NAMESPACE = "azure-arc"
RELEASE = "azure-arc"
RELEASE_NAMESPACE = "azure-arc-release"
ARC_PROXY = "arc-proxy"

_TIMEOUT = 20

#: Helm's records of the agents' release, by its labels.
_RELEASE = f"owner=helm,name={RELEASE}"

_JSON = ("--output", "json")

_UNREADABLE = (KeyError, ValueError, OSError, EOFError, zlib.error)


class Unreachable(Failure):
    """The cluster does not answer, or does not let us in."""


class Refused(Failure):
    """The cluster has understood a request, and refuses it.

    Attributes:
        said: kubectl's words.
    """

    def __init__(self, cause: str, mend: str, said: str, *, transient: bool = False) -> None:
        super().__init__(cause, mend, transient=transient)
        self.said = said


@dataclass(frozen=True)
class Release:
    """The helm release of the agents.

    Attributes:
        status: as helm has it: `deployed`, `failed`, `pending-install`, ...
        values: what it was installed with, flat: `global.httpsProxy` and so on, each as text.
        record: the Secret that helm keeps it in.
        since: when helm began with it, by the clock of the machine it ran on; None where that cannot be read.
    """

    status: str
    values: Mapping[str, str]
    record: str = ""
    since: datetime | None = None

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
    def none_unready(self) -> bool:
        """Whether all agents that there are are ready."""
        return all(self.deployments.values())

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
                of_helm = ("--namespace", RELEASE_NAMESPACE, "--selector", _RELEASE)
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

    def mark_failed(self, release: Release) -> None:
        """Mark a release that helm was killed in as failed, as helm does itself when it is only asked to stop.

        So nothing is taken back in the cluster, and the next `helm upgrade` goes on from there.

        Raises:
            Failure: somebody else has written the release meanwhile (transient), or it cannot be read or written.
        """
        with workspace.folder() as folder:
            path = self.kubeconfig.write(folder)
            where = ("--namespace", RELEASE_NAMESPACE)
            secret = json.loads(self._kubectl(path, "secrets", "get", "secret", release.record, *where, *_JSON))
            if secret["metadata"]["labels"]["status"] != release.status:
                return  # that helm has come to its end meanwhile
            try:
                body = _unpacked(secret)
                body["info"] |= {"status": "failed", "description": "helm was stopped in it"}
            except (*_UNREADABLE, TypeError):
                raise Failure(
                    f"helm's record {release.record} is {release.status} and cannot be read",
                    f"run `helm uninstall {RELEASE} --namespace {RELEASE_NAMESPACE}`, and run again",
                ) from None
            secret["metadata"]["labels"]["status"] = "failed"
            secret["data"]["release"] = _packed(body)
            # With the version that was read: the API server refuses to write over what helm has written since.
            self._kubectl(path, "secrets", "replace", "--filename", "-", "--output", "name", given=json.dumps(secret))

    def forget_release(self) -> None:
        """Remove helm's records of the agents' release, whose objects are gone or are to be taken over."""
        with workspace.folder() as folder:
            selected = ("--namespace", RELEASE_NAMESPACE, "--selector", _RELEASE)
            self._kubectl(self.kubeconfig.write(folder), "secrets", "delete", "secrets", *selected)

    def call(self, kinds: str, *arguments: str, given: str = "") -> str:
        """What `kubectl` answers, whatever it is asked; it is not interrupted with us.

        Args:
            kinds: what the call is about, for messages.
            arguments: its words, of which none is a secret.
            given: for its standard input.

        Raises:
            Refused: the cluster answers, and not with what is asked for.
            Unreachable: it does not answer, or refuses the credentials.
            Failure: there is no kubectl.
        """
        with workspace.folder() as folder:
            return self._kubectl(self.kubeconfig.write(folder), kinds, *arguments, given=given)

    def _get(self, kubeconfig: Path, kinds: str, *arguments: str) -> list[dict[str, Any]]:
        answer = self._kubectl(kubeconfig, kinds, "get", kinds, *arguments, *_JSON)
        items: list[dict[str, Any]] = json.loads(answer).get("items", [])
        return items

    def _kubectl(self, kubeconfig: Path, kinds: str, *arguments: str, given: str = "") -> str:
        """What `kubectl` answers.

        Args:
            kubeconfig: the file with the context.
            kinds: what the call is about, for messages.
            arguments: its words, of which none is a secret.
            given: for its standard input.
        """
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
            *arguments,
        ]
        try:
            done: subprocess.CompletedProcess[str] = subprocess.run(  # type: ignore[call-overload]
                argv,
                env=self._env,
                capture_output=True,
                text=True,
                check=False,
                input=given,
                timeout=3 * _TIMEOUT,
                **in_own_group(),
            )
        except subprocess.TimeoutExpired:
            raise self._unreachable("it did not answer in time") from None
        if done.returncode != 0:
            raise self._explained(kinds, done.stderr.strip())
        return done.stdout

    def _explained(self, kinds: str, said: str) -> Failure:
        last = said.splitlines()[-1] if said else "kubectl said nothing"
        if "the server doesn't have a resource type" in said:
            mend = "use a cluster of a supported Kubernetes version"
            return Refused(f"the cluster knows no {kinds}", mend, said)
        if "(Conflict)" in said:
            return Failure(f"somebody else is changing {kinds} of the cluster ({last})", "run again", transient=True)
        if "(NotFound)" in said:
            return Refused(f"the cluster has no such {kinds} any more ({last})", "run again", said, transient=True)
        if "(Forbidden)" in said or "is forbidden" in said:
            return Refused(
                f"the context {self.kubeconfig.context!r} may not read {kinds} ({last})",
                "onboarding needs cluster-admin: use such a context",
                said,
            )
        if any(word in said for word in ("(BadRequest)", "(Invalid)", "admission webhook", " is invalid: ")):
            return Refused(f"the cluster refuses {kinds} ({last})", "see its reason", said)
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
    record = newest["metadata"].get("name", "")
    try:
        body = _unpacked(newest)
        values, since = dict(_flat(body.get("config") or {})), _time((body.get("info") or {}).get("last_deployed"))
    except _UNREADABLE:
        return Release(status, {}, record)
    return Release(status, values, record, since)


def _unpacked(secret: Mapping[str, Any]) -> dict[str, Any]:
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    body: dict[str, Any] = json.loads(gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed)
    return body


def _packed(body: Mapping[str, Any]) -> str:
    return base64.b64encode(base64.b64encode(gzip.compress(json.dumps(body).encode()))).decode()


def _time(text: Any) -> datetime | None:
    """A time as Go writes it, with up to nine digits of a second's fraction."""
    try:
        when = datetime.fromisoformat(re.sub(r"\.\d+", "", str(text)))
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


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
