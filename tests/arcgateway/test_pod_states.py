"""What a pod is said to be doing, from objects as clusters have them, and the mend that goes with each."""

from __future__ import annotations

from typing import Any

import pytest

from arcgateway.pod_states import State, state

IMAGE = "mcr.microsoft.com/azurelinux/distroless/python:3.12-nonroot"
ASKS = "50m CPU and 48Mi of memory"


def event(reason: str, message: str, kind: str = "Pod", name: str = "p", count: int = 1, at: str = "1") -> Any:
    about = {"kind": kind, "name": name}
    return {"reason": reason, "message": message, "involvedObject": about, "count": count, "lastTimestamp": at}


def pod(
    *,
    name: str = "p",
    node: str | None = "n1",
    container: Any = None,
    made: str = "2026-11-24T10:00:00Z",
    **status: Any,
) -> Any:
    spec: dict[str, Any] = {"containers": [{"name": "preflight", "image": IMAGE}]}
    if node:
        spec["nodeName"] = node
    if container is not None:
        status["containerStatuses"] = [{"name": "preflight", "state": container}]
    return {"metadata": {"name": name, "creationTimestamp": made}, "spec": spec, "status": status}


def waiting(reason: str, message: str = "") -> Any:
    return pod(container={"waiting": {"reason": reason, "message": message}}, phase="Pending")


def unscheduled(message: str) -> Any:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod(node=None, phase="Pending", conditions=[condition])


def ended(code: int, reason: str, message: str = "", **status: Any) -> Any:
    return pod(container={"terminated": {"exitCode": code, "reason": reason, "message": message}}, **status)


def seen(*pods: Any, events: Any = (), job: Any = None) -> State:
    return state(job or {}, pods, events, ASKS)


@pytest.mark.parametrize(
    ("message", "mend"),
    [
        ('pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0', "quota"),
        ('pods "x" is forbidden: failed quota: q: must specify limits.cpu for: preflight', "quota"),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest": seccompProfile', "PodSecurity"),
        ('pods "x" is forbidden: error looking up service account ns/a: serviceaccount "a" not found', "--service-acc"),
        ('pods "x" is forbidden: unable to validate against any security context constraint: [...]', "run-as-user clu"),
        ('admission webhook "validate.kyverno.svc-fail" denied the request: registry not allowed', "own rules"),
        ("something quite new", "see the cluster's reason"),
    ],
    ids=["quota", "quota needs limits", "pod security", "service account", "openshift", "webhook", "unknown"],
)
def test_a_refused_pod_is_told_with_its_mend(message: str, mend: str) -> None:
    told = [event("FailedCreate", f"Error creating: {message}", kind="Job", name="j", count=2)]
    once = seen(events=told)
    assert (once.stage, once.stuck) == ("waiting", False), "what was just made may be there in a moment"
    again = seen(events=[*told, *told])
    assert again.stuck and message in again.words and mend in again.mend


@pytest.mark.parametrize(
    ("message", "mend"),
    [
        ("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", "--node-selector"),
        ("0/3 nodes are available: 3 node(s) had untolerated taint {dedicated: db}.", "--toleration"),
        ("0/1 nodes are available: 1 Insufficient cpu.", ASKS),
        ("0/1 nodes are available: 1 Too many pods.", "room"),
        ("no nodes available to schedule pods", "give the cluster a node"),
    ],
    ids=["selector", "taint", "cpu", "pods", "none"],
)
def test_a_pod_without_a_node_is_waited_for_with_its_reason(message: str, mend: str) -> None:
    now = seen(unscheduled(message))
    assert (now.stage, now.stuck) == ("waiting", False)
    assert message in now.words and mend in now.mend


PULL = 'Failed to pull image "{}": rpc error: code = {} desc = failed to pull and unpack image: failed to resolve: '


@pytest.mark.parametrize(
    ("code", "cause", "mend"),
    [
        ("NotFound", "mcr.microsoft.com/x:9: not found", "that there is (--image)"),
        ("Unknown", "unexpected status from HEAD request: 401 Unauthorized", "--pull-secret"),
        ("Unknown", "pull access denied, repository does not exist or may require authorization", "--pull-secret"),
        ("Unknown", "dial tcp 20.0.0.1:443: i/o timeout", "the nodes cannot reach the registry"),
        ("Unknown", "dial tcp: lookup mcr.microsoft.com: no such host", "the nodes cannot reach the registry"),
        ("Unknown", "proxyconnect tcp: dial tcp 10.0.0.9:3128: connect: connection refused", "a proxy of its own"),
        ("Unknown", "tls: failed to verify certificate: x509: signed by unknown authority", "TLS inspection"),
    ],
    ids=["not found", "unauthorized", "denied", "timeout", "no such host", "proxy", "intercepted"],
)
def test_an_image_that_cannot_be_pulled_is_told_with_its_cause(code: str, cause: str, mend: str) -> None:
    message = PULL.format(IMAGE, code) + cause
    first = seen(waiting("ErrImagePull", message))
    assert not first.stuck and cause in first.words and mend in first.mend
    # The back-off's own message does not say why: the event before does.
    events = [event("Pulling", f'Pulling image "{IMAGE}"'), event("Failed", message), event("BackOff", "Back-off")]
    later = seen(waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"'), events=events)
    assert later.stuck and cause in later.words and mend in later.mend
    # Newer kubelets say it in both.
    newer = seen(waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}": ErrImagePull: {message}'))
    assert newer.stuck and cause in newer.words and mend in newer.mend


def test_a_bad_reference_is_hopeless_at_once() -> None:
    now = seen(waiting("InvalidImageName", "Failed to apply default image tag: invalid reference format"))
    assert now.stuck and "--image" in now.mend


def test_a_user_that_may_be_root_is_hopeless_and_a_missing_secret_is_not() -> None:
    message = "container has runAsNonRoot and image has non-numeric user (nonroot), cannot verify user is non-root"
    now = seen(waiting("CreateContainerConfigError", message))
    assert now.stuck and "--run-as-user" in now.mend
    assert not seen(waiting("CreateContainerConfigError", 'secret "x" not found')).stuck


@pytest.mark.parametrize(
    ("pods", "events", "words"),
    [
        ((), (), "waiting for its pod to be made"),
        ((pod(node=None),), (), "waiting for a node"),
        ((waiting("ContainerCreating"),), (), "starting on n1"),
        ((waiting("ContainerCreating"),), (event("Pulling", "x"),), f"pulling {IMAGE} on n1"),
        ((waiting("ContainerCreating"),), (event("FailedMount", 'secret "x" not found'),), "its volumes are not there"),
        ((pod(container={"running": {}}),), (), "probing on n1"),
    ],
    ids=["no pod", "no node", "creating", "pulling", "mounting", "running"],
)
def test_progress_is_told(pods: Any, events: Any, words: str) -> None:
    now = seen(*pods, events=events)
    assert words in now.words and not now.stuck
    assert now.stage == ("running" if "probing" in words else "waiting")


@pytest.mark.parametrize(
    ("item", "words", "mend"),
    [
        (ended(0, "Completed"), "status 0", ""),
        (ended(137, "OOMKilled"), "OOMKilled", "run again"),
        (ended(1, "Error", "the preflight needs Python 3.11 or later, and this image has 3.9"), "3.9", "3.11 or later"),
        (
            ended(128, "StartError", 'exec: "python3": executable file not found in $PATH: unknown'),
            "it did not start",
            "has python3",
        ),
        (ended(128, "StartError", "exec format error"), "it did not start", "processors"),
        (pod(phase="Failed", reason="Evicted", message="The node was low on memory"), "low on memory", "run again"),
        (pod(phase="Failed", reason="DeadlineExceeded", message="active"), "DeadlineExceeded", "--wait"),
    ],
    ids=["done", "memory", "old python", "no python", "other processor", "evicted", "deadline"],
)
def test_an_end_is_told_with_its_reason(item: Any, words: str, mend: str) -> None:
    now = seen(item)
    assert now.stage == "ended" and words in now.words and mend in now.mend


def test_a_deleted_pod_and_a_failed_job_have_ended() -> None:
    gone = pod(container={"running": {}})
    del gone["status"]["containerStatuses"]
    gone["metadata"]["deletionTimestamp"] = "2026-11-24T10:00:00Z"
    assert seen(gone).stage == "ended"
    failed = {"status": {"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]}}
    now = seen(job=failed)
    assert now.stage == "ended" and "--wait" in now.mend


def test_the_newest_pod_counts_and_events_of_others_do_not() -> None:
    old = ended(1, "Error")
    new = pod(name="q", made="2026-11-24T10:05:00Z", container={"waiting": {"reason": "ContainerCreating"}})
    now = seen(new, old, events=[event("Pulling", "x", name="p")])
    assert (now.pod, now.words) == ("q", "starting on n1")
