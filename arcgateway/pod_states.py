"""What the pod of a Job is doing, why it does not go on, and what to do about it. Pure functions over API objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Json = Mapping[str, Any]
Stage = Literal["waiting", "running", "ended"]

#: What is said where no row of a table fits.
_ANY = r""

#: Why the cluster refuses an object, or a Job its pod.
ADMISSION = (
    (r"violates PodSecurity", "name a namespace whose PodSecurity level admits it: the pod keeps to `restricted`"),
    (
        r"security context constraint",
        "let the cluster choose the user (--run-as-user cluster), as OpenShift wants it",
    ),
    (
        r"exceeded quota|maximum \w+ usage|must specify",
        "raise the namespace's quota or limits, or name another namespace: the pod asks for {asks}",
    ),
    (r'serviceaccount "?[^"]*"? not found', "make the service account, or name another (--service-account)"),
    (
        r"cannot \w+ resource",
        "the context's user needs create, get, patch, delete and list on jobs, create on secrets, get and list on "
        "pods, events and pods/log in that namespace: have them granted, or name another namespace or context",
    ),
    (r"being terminated", "name a namespace that stays"),
    (r'namespaces "[^"]*" not found', "make the namespace, or name another"),
    (
        r"admission webhook|denied the request|ValidatingAdmissionPolicy|is forbidden",
        "the cluster's own rules refuse it: allow it there, or name another namespace or image",
    ),
    (_ANY, "see the cluster's reason"),
)

#: Why no node takes a pod.
SCHEDULING = (
    (r"untolerated taint|had taint", "say what it tolerates (--toleration KEY=VALUE:EFFECT), or name other nodes"),
    (r"affinity/selector|node selector", "name nodes that there are (--node-selector KEY=VALUE)"),
    (r"Insufficient|Too many pods", "free some room on a node: the pod asks for {asks}"),
    (r"no nodes available|0/0 nodes", "give the cluster a node"),
    (_ANY, "see `kubectl describe pod`"),
)

#: Why a node has no image.
PULLING = (
    (r"unauthorized|authentication required|denied|403 Forbidden|401", "give the registry's secret (--pull-secret)"),
    (
        r"x509|certificate|tls:",
        "the nodes do not trust what answers for the registry: exempt it from TLS inspection, or name an image that "
        "the nodes have",
    ),
    (
        r"no such host|timeout|timed out|refused|proxyconnect|unreachable|deadline exceeded|EOF|reset by peer",
        "the nodes cannot reach the registry, which the agents' images need as well: open it for the nodes (their "
        "container runtime has a proxy of its own), or name an image that they have (--image)",
    ),
    (
        r"not found|manifest unknown|name unknown|does not exist|no match for platform|InvalidImageName|no program",
        "name an image with Python 3.11 or later that there is (--image)",
    ),
    (_ANY, "name an image that the nodes can pull (--image)"),
)

#: Why a container with an image does not start.
STARTING = (
    (
        r"runAsNonRoot|non-root|run as root",
        "name the user that it runs as (--run-as-user 65532), or another image",
    ),
    (r"executable file not found|no such file or directory", "name an image that has python3 on its PATH (--image)"),
    (r"exec format error", "name an image for the nodes' processors, or other nodes (--node-selector)"),
    (_ANY, "see `kubectl describe pod`"),
)

#: How a pod that ran can end without a word of its own.
ENDING = (
    (r"DeadlineExceeded", "give it more time (--wait)"),
    (r"OOMKilled", "run again; where it stays so, name another image"),
    (r"Evicted|Preempt|NodeLost|Shutdown|Terminat", "run again"),
    (r"needs Python 3\.11", "name an image with Python 3.11 or later (--image)"),
    (r"not found", "name an image that has python3 on its PATH (--image)"),
    (_ANY, "see the log above it; where it stays so, name another image (--image)"),
)

_PULL_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "RegistryUnavailable",
        "ImageInspectError",
    }
)

#: What does not mend itself while one waits. A first ErrImagePull may.
_HOPELESS = (_PULL_REASONS - {"ErrImagePull"}) | {"CreateContainerError", "RunContainerError", "StartError"}


@dataclass(frozen=True)
class State:
    """What a pod is doing.

    Attributes:
        stage: `waiting` until its container runs, `running`, or `ended`.
        words: what it is doing, or waits for, and why.
        mend: what to do where it stays so.
        stuck: waiting longer is no use.
        pod: its name; empty where there is none.
        exit_code: of a container that has ended.
        reason: why the pod or its container ended, in the cluster's word.
    """

    stage: Stage
    words: str
    mend: str = "see `kubectl describe job`"
    stuck: bool = False
    pod: str = ""
    exit_code: int | None = None
    reason: str = ""


def mend(table: Sequence[tuple[str, str]], text: str, asks: str) -> str:
    """The mend of the first row whose pattern is in the text."""
    return next(row for pattern, row in table if re.search(pattern, text, re.IGNORECASE)).format(asks=asks)


def state(job: Json, pods: Iterable[Json], events: Iterable[Json], asks: str) -> State:
    """What a Job's pod is doing.

    Args:
        job: the Job.
        pods: its pods; the newest counts.
        events: of the Job and of its pods, where they may be read.
        asks: the pod's requests, in words.
    """
    told = sorted(events, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    known = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    if not known:
        return _without_pod(job, told, asks)
    pod = known[-1]
    return _of_pod(pod, [event for event in told if _about(event, "Pod", pod["metadata"]["name"])], asks)


def _without_pod(job: Json, events: Sequence[Json], asks: str) -> State:
    failed = [condition for condition in _conditions(job) if condition["type"] == "Failed"]
    if failed and failed[0].get("status") == "True":
        said = f"{failed[0].get('reason', '')}: {failed[0].get('message', '')}"
        return State("ended", f"the Job has failed ({said})", mend(ENDING, said, asks), reason="Failed")
    refused = [event for event in events if event.get("reason") == "FailedCreate" and _about(event, "Job")]
    if refused:
        message = _one_line(refused[-1].get("message", ""))
        # A namespace that was just made may lack its service account for a moment; other refusals are not withdrawn.
        again = sum(event.get("count") or 1 for event in refused) > 2
        return State("waiting", f"its pod is refused: {message}", mend(ADMISSION, message, asks), stuck=again)
    return State("waiting", "waiting for its pod to be made")


def _of_pod(pod: Json, events: Sequence[Json], asks: str) -> State:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    container: Json = next(iter(status.get("containerStatuses") or ()), {})
    current = container.get("state", {})
    if "terminated" in current:
        ended = current["terminated"]
        reason = status.get("reason") or ended.get("reason", "")
        said = _one_line(f"{reason} {ended.get('message', '')} {status.get('message', '')}")
        started = ended.get("reason") not in ("StartError", "ContainerCannotRun")
        return State(
            "ended",
            f"{'it ended' if started else 'it did not start'} with status {ended.get('exitCode')} ({said})",
            mend(ENDING if started else STARTING, said, asks),
            pod=name,
            exit_code=ended.get("exitCode"),
            reason=reason,
        )
    if status.get("phase") in ("Failed", "Succeeded") or "deletionTimestamp" in pod["metadata"]:
        said = _one_line(f"{status.get('reason') or 'deleted'} {status.get('message', '')}")
        return State("ended", f"the cluster ended its pod ({said})", mend(ENDING, said, asks), pod=name, reason=said)
    if "running" in current:
        return State("running", _where("probing", pod), "give it more time (--timeout, --wait)", pod=name)
    return _waiting(pod, current.get("waiting", {}), events, asks)


def _waiting(pod: Json, waiting: Json, events: Sequence[Json], asks: str) -> State:
    name, image = pod["metadata"]["name"], pod["spec"]["containers"][0]["image"]
    scheduled = next((item for item in _conditions(pod) if item["type"] == "PodScheduled"), {})
    if scheduled.get("status") == "False":
        message = _one_line(scheduled.get("message", ""))
        return State("waiting", f"no node takes its pod: {message}", mend(SCHEDULING, message, asks), pod=name)
    if not pod["spec"].get("nodeName"):
        return State("waiting", "waiting for a node", mend(SCHEDULING, "", asks), pod=name)
    reason, message = waiting.get("reason", ""), _one_line(waiting.get("message", ""))
    stuck = reason in _HOPELESS
    if reason in _PULL_REASONS:
        # The back-off's message says no more than that; the event before it says why.
        causes = [_one_line(event.get("message", "")) for event in events if event.get("reason") == "Failed"]
        cause = message if len(message) > len(f'Back-off pulling image "{image}"') else (causes or [message])[0]
        words = f"the image {image} cannot be pulled: {cause or reason}"
        return State("waiting", words, mend(PULLING, f"{reason} {cause}", asks), stuck, pod=name)
    if reason and reason not in ("ContainerCreating", "PodInitializing"):
        said = f"{reason}: {message}"
        # A missing Secret is made in time; a user that must not be root stays so.
        hopeless = stuck or bool(re.search(r"non-root|runAsNonRoot", message))
        return State("waiting", f"its container cannot start ({said})", mend(STARTING, said, asks), hopeless, pod=name)
    last = events[-1] if events else {}
    if last.get("reason") == "FailedMount":
        return State("waiting", f"its volumes are not there: {_one_line(last.get('message', ''))}", pod=name)
    if last.get("reason") == "Pulling":
        return State("waiting", _where(f"pulling {image}", pod), mend(PULLING, "timeout", asks), pod=name)
    return State("waiting", _where("starting", pod), mend(PULLING, "timeout", asks), pod=name)


def _where(words: str, pod: Json) -> str:
    node = pod["spec"].get("nodeName")
    return f"{words} on {node}" if node else words


def _conditions(item: Json) -> list[Json]:
    return list(item.get("status", {}).get("conditions") or ())


def _about(event: Json, kind: str, name: str = "") -> bool:
    about = event.get("involvedObject", {})
    return bool(about.get("kind") == kind and (not name or about.get("name") == name))


def _one_line(text: Any) -> str:
    return " ".join(str(text).split())[:500]
