"""What a cluster says about its Arc agents, read with `kubectl` (which knows every way of logging in to a cluster)."""

from __future__ import annotations

import base64
import gzip
import ipaddress
import json
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

from arcgateway import workspace
from arcgateway.errors import Failure
from arcgateway.ids import ConnectedClusterId
from arcgateway.kubeconfig import Kubeconfig
from arcgateway.lifeline import in_own_group
from arcgateway.platforms import HERE

NAMESPACE = "azure-arc"
RELEASE = "azure-arc"
RELEASE_NAMESPACE = "azure-arc-release"
ARC_PROXY = "arc-proxy"

_TIMEOUT = 20

#: Helm's records of the agents' release, by its labels.
_RELEASE = f"owner=helm,name={RELEASE}"

#: Those records by their path, for which kubectl need not ask the cluster what it knows. It takes such a path as it is,
#: so the server's own comes before it.
_RECORDS = f"/api/v1/namespaces/{RELEASE_NAMESPACE}/secrets?{urlencode({'labelSelector': _RELEASE})}"

#: What is read of the agents, and what is read beside in the same call (a call is a process) where it is asked for.
_AGENTS, _RANGES = "deployments,configmaps", "servicecidrs.networking.k8s.io"

_IN_NAMESPACE = ("--namespace", NAMESPACE)
_JSON = ("--output", "json")

_CHUNK = 256 * 1024

_LOGS_MEND = (
    f"give its user a Role in the namespace {NAMESPACE} with the verbs get and list on pods, and get on pods/log"
)

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


@dataclass(frozen=True)
class LogSource:
    """One container of one pod, whose log can be read.

    Attributes:
        pod: the pod's name.
        container: the container's name.
        uid: the pod's own id, which a pod of the same name does not share.
        restarts: how often the container was started again.
        running: whether it runs now.
        waiting: why it does not, where it waits.
        started: when its present run began, or its last one; None where there was none.
    """

    pod: str
    container: str
    uid: str
    restarts: int = 0
    running: bool = False
    waiting: str = ""
    started: datetime | None = None


class LogStream:
    """A log that `kubectl logs` is writing out.

    Args:
        process: that kubectl.
        said: takes what it writes on standard error.
    """

    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
        self._process = process
        self._said = said

    def chunks(self) -> Iterator[bytes]:
        """Pieces as they come, each line after its time (RFC 3339) and a blank. Ends when the log does, or `stop`."""
        assert self._process.stdout is not None, "it was asked for"
        read = self._process.stdout.read1  # type: ignore[attr-defined]
        yield from iter(lambda: read(_CHUNK), b"")

    def stop(self) -> None:
        """End it now; may be called from another thread."""
        HERE.stop(self._process, 1)

    def complaint(self) -> str:
        """What kubectl says went wrong; "" where nothing did. Waits for its end."""
        if self._process.wait() == 0:
            return ""
        self._said.seek(0)
        return self._said.read(_CHUNK).decode("utf-8", "replace").strip() or "kubectl said nothing"


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
        """Look at the agents: two reads, side by side, and two more where the cluster has no ServiceCIDR objects.

        Raises:
            Unreachable: the cluster does not answer or refuses the credentials.
            Failure: there is no kubectl.
        """
        with workspace.folder() as folder:
            path = self.kubeconfig.write(folder)
            with ThreadPoolExecutor(max_workers=2) as pool:
                releases = pool.submit(
                    self._kubectl, path, "secrets", "get", "--raw", self.kubeconfig.prefix + _RECORDS
                )
                items = self._with_ranges(path) if service_ranges else self._get(path, _AGENTS, *_IN_NAMESPACE)
                ranges = tuple(cidr for item in items for cidr in _of_kind(item, "ServiceCIDR").get("cidrs", ()))
                guessed = service_ranges and not ranges
                found = self._guessed_ranges(path) if guessed else ranges
        return Agents(
            identity=_identity(items),
            deployments=dict(_readiness(items)),
            release=newest_release(json.loads(releases.result())["items"]),
            service_ranges=found,
            guessed=guessed,
        )

    def _with_ranges(self, kubeconfig: Path) -> list[dict[str, Any]]:
        """What there is of the agents, and the cluster's ServiceCIDR objects where it knows and shows them."""
        try:
            return self._get(kubeconfig, f"{_AGENTS},{_RANGES}", *_IN_NAMESPACE)
        except Refused:
            return self._get(kubeconfig, _AGENTS, *_IN_NAMESPACE)

    def _guessed_ranges(self, kubeconfig: Path) -> tuple[str, ...]:
        services = self._get(kubeconfig, "services", "--all-namespaces")
        return guessed_ranges(
            address for item in services for address in item.get("spec", {}).get("clusterIPs", ()) if address != "None"
        )

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

    def region(self) -> str | None:
        """The Azure region of the connected cluster, as its agents know it; None without agents.

        Raises:
            Failure: as `agents`; reading ConfigMaps may be forbidden to who may read logs.
        """
        with workspace.folder() as folder:
            items = self._get(self.kubeconfig.write(folder), "configmaps", *_IN_NAMESPACE)
        found = (item.get("data") or {} for item in items if item["metadata"]["name"] == "azure-clusterconfig")
        return next((data["AZURE_REGION"] for data in found if data.get("AZURE_REGION")), None)

    def arc_proxies(self) -> list[LogSource]:
        """The containers of the Arc Proxy's pods: of those named like the pod where there is one, else all.

        Raises:
            Unreachable: the cluster does not answer or refuses the credentials.
            Failure: pods may not be listed, or there is no kubectl.
        """
        with workspace.folder() as folder:
            items = self._get(self.kubeconfig.write(folder), "pods", *_IN_NAMESPACE, mend=_LOGS_MEND)
        return [source for item in items for source in _log_sources(item)]

    @contextmanager
    def log(
        self, source: LogSource, *, previous: bool = False, since: float | None = None, follow: bool = False
    ) -> Iterator[LogStream]:
        """A container's log, with the time of each line before it. kubectl is gone at the end of the block.

        Args:
            source: which.
            previous: the run before the present one.
            since: only lines from then on (seconds since the epoch).
            follow: stay until the container ends.

        Raises:
            Failure: there is no kubectl.
        """
        asked = [source.pod, "--container", source.container, "--timestamps"]
        asked += ["--previous"] if previous else []
        asked += ["--follow"] if follow else []
        if since is not None:
            asked += ["--since-time", datetime.fromtimestamp(int(since), UTC).isoformat().replace("+00:00", "Z")]
        with workspace.folder() as folder, tempfile.TemporaryFile() as said:
            # Its limit of time would end a log that is followed.
            argv = self._argv(self.kubeconfig.write(folder), 0, "logs", *_IN_NAMESPACE, *asked)
            # In a group of its own: who ends us by a key may want to see the result, and not kubectl's complaint.
            process = subprocess.Popen(argv, env=self._env, stdout=subprocess.PIPE, stderr=said, **HERE.in_own_group())  # type: ignore[call-overload]
            try:
                HERE.adopt(process)
                yield LogStream(process, said)
            finally:
                HERE.stop(process, 1)
                process.wait()
                HERE.release(process)
                if process.stdout:
                    process.stdout.close()

    def explained_log(self, said: str) -> Failure:
        """What kubectl's complaint about a log comes to."""
        return self._explained("pods/log", said, _LOGS_MEND)

    def _get(self, kubeconfig: Path, kinds: str, *arguments: str, mend: str = "") -> list[dict[str, Any]]:
        answer = self._kubectl(kubeconfig, kinds, "get", kinds, *arguments, *_JSON, mend=mend)
        items: list[dict[str, Any]] = json.loads(answer).get("items", [])
        return items

    def _kubectl(self, kubeconfig: Path, kinds: str, *arguments: str, given: str = "", mend: str = "") -> str:
        """What `kubectl` answers.

        Args:
            kubeconfig: the file with the context.
            kinds: what the call is about, for messages.
            arguments: its words, of which none is a secret.
            given: for its standard input.
            mend: what to do where it is forbidden, if that is not for those who onboard clusters.
        """
        argv = self._argv(kubeconfig, _TIMEOUT, *arguments)
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
            raise self._explained(kinds, done.stderr.strip(), mend)
        return done.stdout

    def _argv(self, kubeconfig: Path, seconds: int, *arguments: str) -> list[str]:
        """kubectl's words, with a limit of time for each of its requests; 0 for none."""
        program = shutil.which("kubectl", path=self._env.get("PATH"))
        if program is None:
            raise Failure("kubectl is not on PATH", "install it: it reads the cluster with every kind of login")
        context = self.kubeconfig.context
        where = ["--kubeconfig", str(kubeconfig), "--context", context, f"--request-timeout={seconds}s"]
        return [program, *where, *arguments]

    def _explained(self, kinds: str, said: str, mend: str = "") -> Failure:
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
                mend or "onboarding needs cluster-admin: use such a context",
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


def _of_kind(item: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """An object's spec where it is of this kind, else nothing."""
    return item.get("spec") or {} if item["kind"] == kind else {}


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


def _log_sources(pod: Mapping[str, Any]) -> Iterable[LogSource]:
    metadata, states = pod["metadata"], (pod.get("status") or {}).get("containerStatuses") or ()
    if not metadata["name"].startswith(f"{ARC_PROXY}-"):
        return
    names = [container["name"] for container in pod["spec"]["containers"]]
    known = {state["name"]: state for state in states}
    for name in [ARC_PROXY] if ARC_PROXY in names else names:
        state = known.get(name, {})
        now = state.get("state") or {}
        run = now.get("running") or now.get("terminated") or (state.get("lastState") or {}).get("terminated") or {}
        yield LogSource(
            pod=metadata["name"],
            container=name,
            uid=metadata.get("uid", ""),
            restarts=state.get("restartCount", 0),
            running="running" in now,
            waiting=(now.get("waiting") or {}).get("reason", "") if known else "Pending",
            started=_time(run.get("startedAt")),
        )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield prefix + key, str(value)
