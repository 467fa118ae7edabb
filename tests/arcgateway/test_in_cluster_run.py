"""What the sandbox's clusters do not do: choose their pods' users, go away meanwhile, keep what is to be deleted."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from arcgateway import in_cluster, pod_probe
from arcgateway.errors import Failure
from arcgateway.in_cluster import Place
from arcgateway.kube import Cluster, Refused, Unreachable
from arcgateway.kubeconfig import Kubeconfig
from arcgateway.preflight import Report, Result, endpoint
from arcgateway.proxy import ProxySettings, ProxyUrl

CANARY = "c4nary p@ss/w:rd"
PROXY = ProxySettings(https=ProxyUrl("http", "proxy.corp", 3128, "us er", CANARY))
SCC = 'pods "x" is forbidden: unable to validate against any security context constraint: runAsUser: Invalid value'


class Scripted:
    """A cluster that takes what it is given, and whose pod does what a test says.

    Attributes:
        asked: verb and kinds of each call.
        jobs: the Jobs that were made.
        away: how many looks it does not answer.
        refuses: by verb and kinds, what it says instead.
    """

    kubeconfig = Kubeconfig("edge", "10.0.0.1", "{}")

    def __init__(self, log: Callable[[str], str]) -> None:
        self.asked: list[tuple[str, str]] = []
        self.jobs: list[dict[str, Any]] = []
        self.away = 0
        self.refuses: dict[tuple[str, str], str] = {}
        self.state: dict[str, Any] = {"terminated": {"exitCode": 0, "reason": "Completed"}}
        self.events: Callable[[dict[str, Any]], list[dict[str, Any]]] = lambda _job: []
        self._log = log
        self._mark = ""

    def call(self, kinds: str, verb: str, *arguments: str, given: str = "") -> str:
        self.asked.append((verb, kinds))
        assert "c4nary" not in " ".join(arguments)
        if said := self.refuses.get((verb, kinds)):
            raise Refused(said, "", said)
        if verb == "create":
            made = json.loads(given)
            if made["kind"] == "Job":
                made["metadata"]["uid"] = "u"
                self.jobs.append(made)
            else:
                self._mark = json.loads(base64.b64decode(made["data"]["task.json"]))["mark"]
            return json.dumps(made)
        if (verb, kinds) == ("get", "jobs and pods"):
            if self.away:
                self.away -= 1
                raise Unreachable("the cluster cannot be reached", "check it", transient=True)
            return json.dumps({"items": self._objects()})
        if (verb, kinds) == ("get", "events"):
            return json.dumps({"items": self.events(self.jobs[-1])})
        if verb == "logs":
            return self._log(self._mark)
        return json.dumps({"items": []})

    def _objects(self) -> list[dict[str, Any]]:
        job = {**self.jobs[-1], "status": {}}
        if self.events(self.jobs[-1]):
            return [job]
        status = {"containerStatuses": [{"name": "preflight", "state": self.state}]}
        spec = {"nodeName": "n", "containers": [{"image": "i"}]}
        return [job, {"kind": "Pod", "metadata": {"name": "p"}, "spec": spec, "status": status}]


def report(cause: str = "ok") -> Report:
    verdict: Any = "pass" if cause == "ok" else "fail"
    row = Result("management.azure.com", 443, verdict, cause, "", "", 1, "management.azure.com")
    return Report("http://proxy.corp:3128", (row,))


def good(mark: str) -> str:
    return "\n".join(["noise", *pod_probe.framed(report(), mark), "more"])


def run(cluster: Scripted, told: list[str], **place: Any) -> Report:
    where = Place(namespace="n", **place)
    rows = [endpoint("management.azure.com")]
    return in_cluster.run(rows, PROXY, (), where, cast(Cluster, cluster), told.append, timeout=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_cluster, "PAUSE", 0.001)


def test_the_order_is_job_secret_begin_and_removal() -> None:
    cluster, told = Scripted(good), list[str]()
    assert run(cluster, told) == report()
    assert [one for one in cluster.asked if one[0] != "get"] == [
        ("create", "jobs"),
        ("create", "secrets"),
        ("patch", "jobs"),
        ("logs", "pods/log"),
        ("delete", "jobs"),
    ]
    assert "c4nary" not in json.dumps(cluster.jobs) + "".join(told)


def test_a_cluster_that_chooses_its_pods_users_is_asked_again_without_one() -> None:
    cluster, told = Scripted(good), list[str]()

    def events(job: dict[str, Any]) -> list[dict[str, Any]]:
        user = job["spec"]["template"]["spec"]["securityContext"].get("runAsUser")
        about = {"kind": "Job", "name": "j"}
        return [{"reason": "FailedCreate", "message": SCC, "count": 5, "involvedObject": about}] if user else []

    cluster.events = events
    assert run(cluster, told) == report()
    assert len(cluster.jobs) == 2 and cluster.asked.count(("delete", "jobs")) == 2
    assert any("chooses its pods' users" in line for line in told)
    with pytest.raises(Failure, match=r"security context constraint.*--run-as-user cluster"):
        run(cluster, told, run_as_user=1000)


def test_a_cluster_that_is_away_for_a_moment_is_asked_again() -> None:
    cluster = Scripted(good)
    cluster.away = 3
    assert run(cluster, []) == report()


def test_one_that_stays_away_is_told_and_the_job_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_cluster, "PATIENCE", 0.05)
    cluster = Scripted(good)
    cluster.away = 10_000
    with pytest.raises(Unreachable):
        run(cluster, [])
    assert cluster.asked[-1] == ("delete", "jobs")


@pytest.mark.parametrize(
    ("log", "state", "words"),
    [
        ("", {"exitCode": 137, "reason": "OOMKilled"}, r"OOMKilled.*holds no report: run again"),
        (
            "Traceback (most recent call last):\nthe preflight needs Python 3.11 or later, and this image has 3.9",
            {"exitCode": 1, "reason": "Error"},
            r"last in its log: .*3\.9: name an image with Python 3\.11",
        ),
        (f"x http://us%20er:{CANARY}@proxy", {"exitCode": 1, "reason": "Error"}, r"holds no report"),
        (
            "",
            {"exitCode": 128, "reason": "StartError", "message": 'exec: "python3": executable file not found'},
            r"it did not start.*has python3",
        ),
    ],
    ids=["memory", "old python", "a secret in the log", "no python"],
)
def test_a_pod_without_a_verdict_is_told_with_what_it_said(log: str, state: dict[str, Any], words: str) -> None:
    cluster, told = Scripted(lambda _mark: log), list[str]()
    cluster.state = {"terminated": state}
    with pytest.raises(Failure, match=words) as failure:
        run(cluster, told)
    assert "c4nary" not in str(failure.value) + "".join(told)


@pytest.mark.parametrize(
    ("call", "said", "words"),
    [
        (("create", "jobs"), 'User "u" cannot create resource "jobs" in API group', "have them granted"),
        (("create", "secrets"), 'User "u" cannot create resource "secrets" in API group', "have them granted"),
        (("create", "secrets"), 'admission webhook "no-secrets" denied the request', "own rules"),
        (("patch", "jobs"), 'User "u" cannot patch resource "jobs"', "have them granted"),
        (("logs", "pods/log"), 'User "u" cannot get resource "pods/log"', "have them granted"),
    ],
    ids=["job", "secret", "webhook", "begin", "log"],
)
def test_each_refusal_has_its_mend_and_nothing_stays(call: tuple[str, str], said: str, words: str) -> None:
    cluster, told = Scripted(good), list[str]()
    cluster.refuses[call] = said
    with pytest.raises(Failure, match=words):
        run(cluster, told)
    assert (("delete", "jobs") in cluster.asked) == (call != ("create", "jobs"))
    assert not any("could not be removed" in line for line in told)


def test_what_may_not_be_deleted_is_told_and_the_verdict_counts() -> None:
    cluster, told = Scripted(good), list[str]()
    cluster.refuses[("delete", "jobs")] = 'User "u" cannot delete resource "jobs"'
    assert run(cluster, told) == report()
    assert "could not be removed" in told[-1] and "kubectl delete job arcgateway-preflight-" in told[-1]


def test_events_that_may_not_be_read_are_done_without() -> None:
    cluster = Scripted(good)
    cluster.refuses[("get", "events")] = 'User "u" cannot list resource "events"'
    assert run(cluster, []) == report()


def test_a_proxy_on_the_workstations_own_address_is_pointed_out() -> None:
    failing = report("proxy-unreachable")
    cluster, told = Scripted(lambda mark: "\n".join(pod_probe.framed(failing, mark))), list[str]()
    proxy = ProxySettings(https=ProxyUrl("http", "127.0.0.1", 3128))
    rows = [endpoint("management.azure.com")]
    in_cluster.run(rows, proxy, (), Place(namespace="n"), cast(Cluster, cluster), told.append, timeout=1)
    assert any("in a pod that is the pod itself" in line for line in told)


def test_a_bad_certificate_is_refused_before_anything_is_made() -> None:
    cluster = Scripted(good)
    with pytest.raises(ValueError, match="no certificate"):
        in_cluster.run([endpoint("a.b")], PROXY, ("junk",), Place(), cast(Cluster, cluster), print, timeout=1)
    assert not cluster.asked
