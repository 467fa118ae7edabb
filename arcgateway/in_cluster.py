"""The preflight from inside a cluster: a Job in the network where the agents run, its verdict, and nothing left of it.

The Job's pod needs no more than an image with Python: the probe itself travels with the task, in a Secret that belongs
to the Job and goes with it. The Job is made suspended, so that its Secret has an owner before any pod looks for it,
and whenever this ends, the Job is deleted; one that could not be deleted ends, and is removed, by itself.
"""

from __future__ import annotations

import base64
import json
import math
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from arcgateway import pod_probe, pod_states, trust
from arcgateway.endpoints import Endpoint
from arcgateway.errors import Failure
from arcgateway.kube import NAMESPACE, Cluster, Refused, Unreachable
from arcgateway.pod_states import ADMISSION, State
from arcgateway.preflight import PARALLEL, TIMEOUT, Report
from arcgateway.proxy import LOOPBACK, ProxySettings
from arcgateway.redaction import Redactor

T = TypeVar("T")

#: Python and nothing else, from the registry that the agents' own images come from: 84 MB.
IMAGE = "mcr.microsoft.com/azurelinux/distroless/python:3.12-nonroot"

#: Seconds from the Job's making until its container must run: a large image over a slow line.
WAIT = 180.0

#: Whom the container runs as, where the cluster does not choose: the image's own unprivileged user.
USER = 65532

#: Seconds between two looks at the pod.
PAUSE = 0.7

#: Seconds for which a cluster that stops answering is asked again.
PATIENCE = 30.0

#: Seconds that a pod gets beyond its probes' own limits, and after which a Job that has ended removes itself.
SLACK, KEPT = 60, 300

#: What the pod asks for. It takes 25 MB, and a fifth of a second of CPU.
REQUESTS = {"cpu": "50m", "memory": "48Mi"}
LIMITS = {"cpu": "500m", "memory": "192Mi"}
_ASKS = f"{REQUESTS['cpu']} CPU and {REQUESTS['memory']} of memory"

_NAME = "arcgateway-preflight"
_LABELS = {"app.kubernetes.io/name": _NAME, "app.kubernetes.io/managed-by": "arcgateway"}

#: A side-car would take the pod's traffic another way than the agents', and would never end.
_NO_MESH = {"sidecar.istio.io/inject": "false"}


@dataclass(frozen=True)
class Place:
    """Where the Job runs, and as what.

    Attributes:
        image: any image with Python 3.11 or later as `python3`.
        namespace: None for that of the agents where there is one, and `default` elsewhere.
        service_account: None for the namespace's own.
        pull_secrets: names of Secrets of that namespace, for the image's registry.
        node_selector: labels of nodes, besides that they run Linux.
        tolerations: as a pod has them.
        run_as_user: numeric user; None where the cluster chooses one, as OpenShift does.
        wait: seconds until the container must run.
    """

    image: str = IMAGE
    namespace: str | None = None
    service_account: str | None = None
    pull_secrets: tuple[str, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, str], ...] = ()
    run_as_user: int | None = USER
    wait: float = WAIT


def run(
    endpoints: Sequence[Endpoint],
    proxy: ProxySettings,
    genuine_roots: Iterable[str],
    place: Place,
    cluster: Cluster,
    tell: Callable[[str], None],
    *,
    timeout: float = TIMEOUT,
    removing: Callable[[Callable[[], None]], AbstractContextManager[object]] = nullcontext,
) -> Report:
    """Probe all endpoints from inside the cluster.

    Args:
        endpoints, proxy, genuine_roots, timeout: as `preflight.run` takes them.
        place: where the Job runs.
        cluster: the cluster, by one context of a kubeconfig.
        tell: takes one line at a time: what the Job is doing.
        removing: what it makes of the Job's removal is entered while there is a Job: for an end that runs no `finally`.

    Raises:
        Failure: there is no verdict; says why, and the mend.
        ValueError: a certificate cannot be read.
    """
    roots = tuple(genuine_roots)
    _check_certificates(proxy, roots)
    try:
        return _Run(endpoints, proxy, roots, place, cluster, tell, timeout).verdict(removing)
    except Failure as failure:
        if place.run_as_user != USER or "security context constraint" not in failure.cause:
            raise
    tell("this cluster chooses its pods' users by itself: once more, without one of ours")
    chosen = replace(place, run_as_user=None)
    return _Run(endpoints, proxy, roots, chosen, cluster, tell, timeout).verdict(removing)


def as_json(report: Report, context: str) -> dict[str, Any]:
    """A report as the command prints it, and where it comes from."""
    return {**report.as_json(), "from": f"cluster {context}"}


def job(name: str, namespace: str, place: Place, *, seconds: int) -> dict[str, Any]:
    """The Job, suspended.

    Args:
        name: its name, and that of its Secret.
        namespace: where it is made.
        place: where its pod runs, and as what.
        seconds: that it may take.
    """
    user = {} if place.run_as_user is None else {"runAsUser": place.run_as_user}
    container = {
        "name": "preflight",
        "image": place.image,
        "command": ["python3", "-I", "-S", "/preflight/probe.pyz", "/preflight/task.json"],
        "workingDir": "/tmp",  # noqa: S108 a volume of the pod's own
        "env": [{"name": "TMPDIR", "value": "/tmp"}],  # noqa: S108
        "resources": {"requests": REQUESTS, "limits": LIMITS},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "preflight", "mountPath": "/preflight", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        ],
    }
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": {"kubernetes.io/os": "linux", **place.node_selector},
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **user},
        "containers": [container],
        "volumes": [
            {"name": "preflight", "secret": {"secretName": name, "defaultMode": 0o444}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}},
        ],
    }
    if place.service_account:
        pod["serviceAccountName"] = place.service_account
    if place.pull_secrets:
        pod["imagePullSecrets"] = [{"name": secret} for secret in place.pull_secrets]
    if place.tolerations:
        pod["tolerations"] = [dict(item) for item in place.tolerations]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace, "labels": _LABELS},
        "spec": {
            "suspend": True,
            "backoffLimit": 0,
            "activeDeadlineSeconds": seconds,
            "ttlSecondsAfterFinished": KEPT,
            "template": {
                "metadata": {"labels": _LABELS | _NO_MESH, "annotations": {"linkerd.io/inject": "disabled"}},
                "spec": pod,
            },
        },
    }


def secret(made: Mapping[str, Any], task: str, archive: bytes) -> dict[str, Any]:
    """The Secret of a Job, which goes with it.

    Args:
        made: the Job, as the cluster has it.
        task: what the pod is to do.
        archive: what it runs.
    """
    meta = made["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"]}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": _LABELS,
            "ownerReferences": [owner],
        },
        "immutable": True,
        "data": {
            "task.json": base64.b64encode(task.encode()).decode(),
            "probe.pyz": base64.b64encode(archive).decode(),
        },
    }


class _Run:
    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        proxy: ProxySettings,
        roots: tuple[str, ...],
        place: Place,
        cluster: Cluster,
        tell: Callable[[str], None],
        timeout: float,
    ) -> None:
        self._place = place
        self._cluster = cluster
        self._mark = secrets.token_hex(8)
        self._name = f"{_NAME}-{self._mark[:8]}"
        self._namespace = ""
        self._there = False
        self._task = pod_probe.task(endpoints, proxy, roots, self._mark, {"timeout": timeout})
        self._probing = math.ceil(len(endpoints) / PARALLEL) * timeout + SLACK
        urls = [url for url in (proxy.https, proxy.http) if url is not None]
        self._redact = Redactor([url.url for url in urls if url.username] + [url.password for url in urls])
        self._told = tell
        self._local = any(url.host in LOOPBACK for url in urls)

    def verdict(self, removing: Callable[[Callable[[], None]], AbstractContextManager[object]]) -> Report:
        self._namespace = self._place.namespace or self._agents_namespace()
        self._sweep()
        seconds = math.ceil(self._place.wait + self._probing)
        with removing(lambda: self._remove(patience=0)):
            try:
                return self._made(seconds)
            except KeyboardInterrupt:
                self._tell(f"stopped: removing the Job {self._name}")
                raise
            finally:
                with _undisturbed():
                    self._remove()

    def _tell(self, line: str) -> None:
        self._told(self._redact(line))

    def _made(self, seconds: int) -> Report:
        where = f"{self._namespace}/{self._name} in cluster {self._cluster.kubeconfig.context}"
        self._tell(f"making the Job {where}, with image {self._place.image}")
        body = job(self._name, self._namespace, self._place, seconds=seconds)
        self._there = True
        try:
            answer = self._asked("jobs", "create", "--filename", "-", "--output", "json", given=json.dumps(body))
        except Refused:
            self._there = False
            raise
        made = json.loads(answer)
        body = secret(made, self._task, pod_probe.archive())
        self._asked("secrets", "create", "--filename", "-", "--output", "name", given=json.dumps(body))
        begin = ("job", self._name, "--type", "merge", "--patch", '{"spec":{"suspend":false}}', "--output", "name")
        self._asked("jobs", "patch", *begin)
        return self._read(self._ended())

    def _ended(self) -> State:
        """Wait for the pod's end, and tell what it is doing meanwhile."""
        limit, seen, told = time.monotonic() + self._place.wait, "waiting", ""
        while (now := self._state()).stage != "ended":
            if now.stage != seen:
                seen, limit = now.stage, time.monotonic() + self._probing
            if now.words != told:
                told = now.words
                self._tell(f"{self._name}: {told}")
            if now.stuck:
                raise Failure(f"the preflight in the cluster cannot begin: {now.words}", now.mend)
            if time.monotonic() > limit:
                late = f"did not begin within {self._place.wait:g} s" if seen == "waiting" else "did not end in time"
                raise Failure(f"the preflight in the cluster {late}: {now.words}", now.mend)
            time.sleep(PAUSE)
        return now

    def _read(self, ended: State) -> Report:
        """The verdict in the log of a pod that has ended."""
        log = ""
        if ended.pod:
            try:
                log = self._patiently(lambda: self._asked("pods/log", "logs", ended.pod, "--container", "preflight"))
            except Refused as refused:
                raise Failure(f"the preflight's log cannot be read: {refused.cause}", refused.mend) from None
        try:
            report = pod_probe.unframed(log, self._mark)
        except pod_probe.Incomplete as incomplete:
            last = [line for line in log.splitlines() if line.strip() and self._mark not in line][-3:]
            shown = f"; last in its log: {' | '.join(line.strip()[:200] for line in last)}" if last else ""
            raise Failure(
                self._redact(f"the preflight in the cluster gave no verdict: {ended.words}; {incomplete}{shown}"),
                pod_states.mend(pod_states.ENDING, shown, _ASKS) if ended.exit_code == 1 and last else ended.mend,
            ) from None
        if self._local and any(found.cause == "proxy-unreachable" for found in report.results):
            self._tell("the proxy's address is a loopback one: in a pod that is the pod itself")
        return report

    def _state(self) -> State:
        """One look: the Job and its pods, and the events where something is waited for."""

        def look() -> State:
            asked = ("job,pods", "--selector", f"job-name={self._name}", "--output", "json")
            items = json.loads(self._asked("jobs and pods", "get", *asked))["items"]
            pods = [item for item in items if item["kind"] == "Pod"]
            jobs = [item for item in items if item["kind"] == "Job"]
            running = any("running" in status.get("state", {}) for status in _containers(pods))
            return pod_states.state(jobs[0] if jobs else {}, pods, [] if running else self._events(pods), _ASKS)

        return self._patiently(look)

    def _events(self, pods: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """What the cluster tells of the Job and its pods; nothing where that may not be read."""
        about = pods[-1]["metadata"]["name"] if pods else self._name
        try:
            chosen = ("events", "--field-selector", f"involvedObject.name={about}", "--output", "json")
            found: list[Mapping[str, Any]] = json.loads(self._asked("events", "get", *chosen))["items"]
        except Refused:
            return []
        return found

    def _agents_namespace(self) -> str:
        """The agents' namespace, whose network policies hold for the probe too, or `default` before they are there."""
        try:
            found = self._asked("namespaces", "get", "namespace", NAMESPACE, "--ignore-not-found", "--output", "name")
        except Refused as refused:
            raise Failure(refused.cause, "name the Job's namespace, so that none is looked for") from None
        return NAMESPACE if found.strip() else "default"

    def _sweep(self) -> None:
        """Remove Jobs that killed runs have left before they could begin, which nothing ends."""
        selector = ",".join(f"{key}={value}" for key, value in _LABELS.items())
        try:
            found = json.loads(self._asked("jobs", "get", "jobs", "--selector", selector, "--output", "json"))["items"]
            if old := left_over(found, datetime.now(UTC)):
                self._asked("jobs", "delete", "jobs", *old, "--ignore-not-found", "--wait=false", "--output", "name")
        except Refused:
            return

    def _remove(self, patience: float | None = None) -> None:
        """Delete the Job, and with it its pod and its Secret. Safe to call twice, and where there is no Job."""
        if not self._there:
            return
        gone = ("job", self._name, "--cascade=background", "--ignore-not-found", "--wait=false", "--output", "name")
        try:
            self._patiently(lambda: self._asked("jobs", "delete", *gone), patience)
        except Failure as failure:
            self._tell(
                f"the Job could not be removed ({failure.cause}): run `kubectl delete job {self._name} -n "
                f"{self._namespace}`; once it has ended, it is removed by itself after {KEPT} s"
            )

    def _asked(self, kinds: str, verb: str, *arguments: str, given: str = "") -> str:
        """What kubectl answers, in the Job's namespace; a refusal in this command's own words."""
        namespace = ("--namespace", self._namespace) if self._namespace else ()
        try:
            return self._cluster.call(kinds, verb, *namespace, *arguments, given=given)
        except Refused as refused:
            said = self._redact(" ".join(refused.said.split()))[:500]
            context = self._cluster.kubeconfig.context
            raise Refused(
                f"the cluster of context {context!r} refuses to {verb} {kinds} for the preflight ({said})",
                pod_states.mend(ADMISSION, said, _ASKS),
                refused.said,
            ) from None

    def _patiently(self, look: Callable[[], T], patience: float | None = None) -> T:
        """The same again while the cluster does not answer, for some time."""
        limit = time.monotonic() + (PATIENCE if patience is None else patience)
        while True:
            try:
                return look()
            except Unreachable:
                if time.monotonic() > limit:
                    raise
                time.sleep(PAUSE)


def left_over(jobs: Iterable[Mapping[str, Any]], now: datetime) -> list[str]:
    """Names of the Jobs that are suspended for more than an hour: nobody will begin them."""
    return [
        item["metadata"]["name"]
        for item in jobs
        if item["spec"].get("suspend")
        and now - datetime.fromisoformat(item["metadata"]["creationTimestamp"]) > timedelta(hours=1)
    ]


def _containers(pods: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for pod in pods:
        yield from pod.get("status", {}).get("containerStatuses") or ()


def _check_certificates(proxy: ProxySettings, roots: Iterable[str]) -> None:
    """Read the certificates here, where a bad one is told at once and not by a pod.

    Raises:
        ValueError: one cannot be read.
    """
    trust.roots([*roots, *([proxy.certificate] if proxy.certificate else [])])


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no further Ctrl-C stop what is inside, which ends by itself in less than a minute."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
