"""The preflight from inside a cluster: real API servers, a node that runs the pod's command, a real squid."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dev_stack import QUIET, configured, preview, up
from pod_firewall import PodFirewall, pod_firewall
from running_sandbox import Sandbox
from waiting import until

from sandbox.certificates import certificates
from sandbox.home import PROJECT

pytestmark = pytest.mark.long

CLOSED = "mcr.microsoft.com"
ONE = ("--endpoint", "management.azure.com")


def command(sandbox: Sandbox, *options: str, proxy: str | None = None) -> list[str]:
    return [
        *(sys.executable, "-m", "arcgateway", "preflight", "--proxy", proxy or sandbox.variables["SANDBOX_PROXY_URL"]),
        *("--genuine-root", str(certificates(sandbox.home).root), *options),
    ]


def inside(sandbox: Sandbox, *options: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """A run in cluster east, after which nothing of it is left."""
    proxy, variables = more.pop("proxy", None), more
    asked = command(sandbox, "--in-cluster", "--kube-context", "east", *options, proxy=proxy)
    done = sandbox.run(*asked, check=False, **variables)
    until(lambda: not left(sandbox))
    return done


def left(sandbox: Sandbox) -> list[str]:
    """What there is of preflights in cluster east."""
    found = kubectl(sandbox, "get", "jobs,pods,secrets", "--all-namespaces", "--output", "name")
    return [line for line in found.split() if "arcgateway-preflight" in line]


def kubectl(sandbox: Sandbox, *arguments: str, **more: Any) -> str:
    return sandbox.run("kubectl", "--context", "east", *arguments, **more).stdout


@pytest.fixture(scope="module")
def strict(sandbox: Sandbox) -> str:
    """A namespace that admits restricted pods alone."""
    kubectl(sandbox, "create", "namespace", "strict")
    kubectl(sandbox, "label", "namespace", "strict", "pod-security.kubernetes.io/enforce=restricted")
    return "strict"


@contextmanager
def squid_denies(sandbox: Sandbox, name: str) -> Iterator[None]:
    """Have the sandbox's squid refuse a name."""
    path = sandbox.home.root / "squid/squid.conf"
    pid = int((sandbox.home.root / "squid/squid.pid").read_text())
    before = path.read_text()

    def reconfigured(text: str) -> None:
        log = sandbox.home.root / "squid/cache.log"
        count = log.read_text().count("Reconfiguring Squid")
        path.write_text(text)
        os.kill(pid, signal.SIGHUP)
        until(lambda: log.read_text().count("Reconfiguring Squid") > count)
        until(lambda: sandbox.run(*command(sandbox, *ONE), check=False).returncode == 0)

    rule = f"acl closed dstdomain {name}\nhttp_access deny closed\nhttp_access allow all"
    reconfigured(before.replace("http_access allow all", rule))
    try:
        yield
    finally:
        reconfigured(before)


def test_the_whole_allowlist_passes_from_a_restricted_pod(sandbox: Sandbox, strict: str) -> None:
    done = inside(sandbox, "--namespace", strict, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    here = sandbox.json(*command(sandbox, "--json"))
    assert found.pop("from") == "cluster east"
    assert {**found, "endpoints": 0} == {**here, "endpoints": 0}
    assert [(item["host"], item["cause"]) for item in found["endpoints"]] == [
        (item["host"], item["cause"]) for item in here["endpoints"]
    ]
    assert [set(item) for item in found["endpoints"]] == [set(item) for item in here["endpoints"]]
    assert "making the Job strict/arcgateway-preflight-" in done.stderr
    assert "would violate PodSecurity" not in done.stderr


def test_a_name_that_squid_denies_is_found(sandbox: Sandbox) -> None:
    with squid_denies(sandbox, CLOSED):
        done = inside(sandbox)
    assert done.returncode == 2
    [row] = [line.split() for line in done.stdout.splitlines() if line.split()[:1] == [CLOSED]]
    assert row[1:4] == ["443", "fail", "denied-by-proxy"]
    assert "the proxy answered 403" in done.stdout and done.stdout.count("  fail  ") == 1
    assert done.stdout.splitlines()[-1].endswith("from cluster east")


def test_a_root_that_only_the_workstation_knows_is_interception_in_the_pod(sandbox: Sandbox) -> None:
    """The archive's roots count, and neither the image's store nor the variables that name one."""
    asked = [sys.executable, "-m", "arcgateway", "preflight", "--proxy", sandbox.variables["SANDBOX_PROXY_URL"], *ONE]
    done = sandbox.run(*asked, "--in-cluster", "--kube-context", "east", check=False)
    assert done.returncode == 2 and "tls-intercepted" in done.stdout
    assert "issuer OU=Testing CA" in done.stdout and "O=Arc gateway sandbox" in done.stdout


@pytest.fixture(scope="module")
def firewall(sandbox: Sandbox) -> Iterator[PodFirewall]:
    with pod_firewall(sandbox.variables["SANDBOX_PROXY_URL"]) as running:
        yield running


def test_a_name_that_is_closed_to_pods_alone_is_found_from_there_alone(sandbox: Sandbox, firewall: PodFirewall) -> None:
    firewall.closed = {CLOSED}
    here = sandbox.json(*command(sandbox, "--json", proxy=firewall.url))
    done = inside(sandbox, "--json", proxy=firewall.url)
    found = json.loads(done.stdout)
    assert here["verdict"] == "pass"
    assert [item["host"] for item in found["endpoints"] if item["verdict"] == "fail"] == [CLOSED]
    assert done.returncode == 2 and found["verdict"] == "fail"


def test_a_pod_goes_by_its_own_skip_range_and_not_by_this_machines(sandbox: Sandbox, firewall: PodFirewall) -> None:
    """NO_PROXY and HTTPS_PROXY of the workstation are nothing to the pod; neither is a proxy in the pod's own."""
    firewall.closed = set()
    done = inside(sandbox, *ONE, proxy=firewall.url, NO_PROXY="management.azure.com", HTTPS_PROXY="http://127.0.0.1:1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert firewall.served[-1] == ("management.azure.com:443", True)


def test_the_password_is_in_the_secret_alone(sandbox: Sandbox, firewall: PodFirewall) -> None:
    waiting = (*ONE, "--node-selector", "no=such", "--wait", "20")
    asked = command(sandbox, "--in-cluster", "--kube-context", "east", *waiting, proxy=firewall.url)
    running = subprocess.Popen(
        asked, env=sandbox.variables, cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    until(lambda: any(item.startswith("pod/") for item in left(sandbox)))
    objects = kubectl(sandbox, "get", "jobs,pods,events", "--all-namespaces", "--output", "json")
    secret = kubectl(sandbox, "get", *[item for item in left(sandbox) if item.startswith("secret/")], "-o", "json")
    running.terminate()
    said = "".join(running.communicate(timeout=60))
    for form in firewall.forms:
        assert form not in objects and form not in said
    held = json.loads(secret)
    assert held["metadata"]["ownerReferences"][0]["kind"] == "Job" and held["immutable"] is True
    until(lambda: not left(sandbox))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_after_a_signal(sandbox: Sandbox, number: signal.Signals) -> None:
    asked = command(sandbox, "--in-cluster", "--kube-context", "east", *ONE, "--node-selector", "no=such")
    running = subprocess.Popen(asked, env=sandbox.variables, cwd=PROJECT, text=True, stderr=subprocess.PIPE)
    until(lambda: any(item.startswith("pod/") for item in left(sandbox)))
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "removing the Job" in said
    assert "Traceback" not in said
    until(lambda: not left(sandbox))


@pytest.mark.parametrize("moment", [0.2, 0.35, 0.5, 0.7, 0.9])
def test_nothing_is_left_whenever_it_is_stopped(sandbox: Sandbox, moment: float) -> None:
    asked = command(sandbox, "--in-cluster", "--kube-context", "east", *ONE)
    running = subprocess.Popen(asked, env=sandbox.variables, cwd=PROJECT, stderr=subprocess.PIPE)
    time.sleep(moment)
    running.terminate()
    running.communicate(timeout=60)
    until(lambda: not left(sandbox))


def test_a_killed_run_leaves_a_job_that_ends_by_itself(sandbox: Sandbox) -> None:
    asked = command(
        sandbox, "--in-cluster", "--kube-context", "east", *ONE, "--node-selector", "no=such", "--wait", "5"
    )
    running = subprocess.Popen(asked, env=sandbox.variables, cwd=PROJECT, stderr=subprocess.DEVNULL)
    until(lambda: any(item.startswith("pod/") for item in left(sandbox)))
    running.kill()
    running.wait(30)
    jobs = json.loads(kubectl(sandbox, "get", "jobs", "--all-namespaces", "--output", "json"))["items"]
    [job] = [item for item in jobs if item["metadata"]["name"].startswith("arcgateway-preflight-")]
    assert 0 < job["spec"]["activeDeadlineSeconds"] < 120 and 0 < job["spec"]["ttlSecondsAfterFinished"] <= 300
    meta = job["metadata"]
    kubectl(sandbox, "delete", "job", meta["name"], "--namespace", meta["namespace"], "--cascade=background")
    until(lambda: not left(sandbox))


def refused(sandbox: Sandbox, *options: str, **more: Any) -> str:
    done = inside(sandbox, *ONE, *options, **more)
    assert done.returncode == 1 and done.stdout == "", done
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_an_image_that_there_is_not(sandbox: Sandbox) -> None:
    said = refused(sandbox, "--image", "registry.example/python:3.12")
    assert "registry.example/python:3.12 cannot be pulled" in said and said.endswith("(--image)")


def test_a_pod_that_never_begins(sandbox: Sandbox) -> None:
    said = refused(sandbox, "--node-selector", "no=such", "--wait", "2")
    assert "did not begin within 2 s: no node takes its pod" in said and "--node-selector" in said


def test_quota_for_pods_and_for_jobs(sandbox: Sandbox) -> None:
    kubectl(sandbox, "create", "namespace", "full")
    kubectl(sandbox, "create", "quota", "none", "--namespace", "full", "--hard=pods=0")
    said = refused(sandbox, "--namespace", "full")
    assert "its pod is refused" in said and "exceeded quota: none" in said and "raise the namespace's quota" in said
    kubectl(sandbox, "delete", "quota", "none", "--namespace", "full")
    kubectl(sandbox, "create", "quota", "none", "--namespace", "full", "--hard=count/jobs.batch=0")
    said = refused(sandbox, "--namespace", "full")
    assert "refuses to create jobs" in said and "raise the namespace's quota" in said


def test_a_namespace_that_there_is_not_and_one_that_is_none(sandbox: Sandbox) -> None:
    assert refused(sandbox, "--namespace", "nowhere").endswith("make the namespace, or name another")
    assert "no name of an object" in refused(sandbox, "--namespace", "No_Where")


def test_a_context_that_there_is_not(sandbox: Sandbox) -> None:
    done = sandbox.run(*command(sandbox, "--in-cluster", "--kube-context", "none", *ONE), check=False)
    assert done.returncode == 1 and "no context 'none'" in done.stderr


def test_a_user_without_rights_and_one_with_just_these(sandbox: Sandbox, strict: str, tmp_path: Path) -> None:
    kubectl(sandbox, "create", "serviceaccount", "prober", "--namespace", strict)
    token = kubectl(sandbox, "create", "token", "prober", "--namespace", strict).strip()
    known = json.loads(sandbox.home.kubeconfig.read_text())
    next(user for user in known["users"] if user["name"].startswith("east"))["user"] = {"token": token}
    weak = tmp_path / "kubeconfig"
    weak.write_text(json.dumps(known))
    said = refused(sandbox, "--namespace", strict, KUBECONFIG=str(weak))
    assert "refuses to create jobs" in said and "cannot create resource" in said and "granted" in said
    assert "could not be removed" not in said
    said = refused(sandbox, KUBECONFIG=str(weak))
    assert "refuses to get namespaces" in said and "name the Job's namespace" in said

    rights = (
        ("jobs", "create,get,list,patch,delete", "jobs.batch"),
        ("secrets", "create", "secrets"),
        ("reading", "get,list", "pods,pods/log,events"),
    )
    for name, verbs, resources in rights:
        kubectl(sandbox, "create", "role", name, f"--verb={verbs}", f"--resource={resources}", "-n", strict)
        bound = (f"--role={name}", f"--serviceaccount={strict}:prober", "-n", strict)
        kubectl(sandbox, "create", "rolebinding", name, *bound)
    done = inside(sandbox, *ONE, "--namespace", strict, KUBECONFIG=str(weak))
    assert done.returncode == 0, done.stderr


class TestDriver:
    """With `preflight.inCluster` a cluster's first change waits for the pod's verdict."""

    def settings(self, sandbox: Sandbox, firewall: PodFirewall) -> dict[str, str]:
        return {
            "ARC_SUBSCRIPTION_ID": sandbox.variables["ARM_SUBSCRIPTION_ID"],
            "ARC_RESOURCE_GROUP": "arc-dev",
            "ARC_CLUSTER_NAME": "east",
            "ARC_LOCATION": "eastus",
            "ARC_KUBE_CONTEXT": "east",
            "ARC_PROXY_HTTPS": firewall.url,
            "ARC_PROXY_HTTP": firewall.url,
            "ARC_GENUINE_ROOTS": certificates(sandbox.home).root.read_text(),
            "ARC_PREFLIGHT_IN_CLUSTER": "true",
        }

    def drive(self, sandbox: Sandbox, firewall: PodFirewall, verb: str, **more: str) -> Any:
        settings = {**self.settings(sandbox, firewall), **more}
        done = sandbox.run(str(PROJECT / "bin/driver"), verb, check=False, **settings)
        for form in firewall.forms:
            assert form not in done.stdout + done.stderr
        until(lambda: not left(sandbox))
        return done

    def connected(self, sandbox: Sandbox) -> bool:
        asked = ("az", "connectedk8s", "show", "--name", "east", "--resource-group", "arc-dev")
        return sandbox.run(*asked, check=False).returncode == 0

    def test_it_stops_before_anything_is_changed(self, sandbox: Sandbox, firewall: PodFirewall) -> None:
        firewall.closed = {CLOSED}
        done = self.drive(sandbox, firewall, "connect")
        assert done.returncode == 1 and done.stdout == ""
        *told, last = done.stderr.splitlines()
        assert "from cluster east failed before anything was changed: mcr.microsoft.com:443 (denied-by-proxy)" in last
        assert any(line.startswith("preflight through") and "pass" in line for line in told), "this machine's own"
        assert not self.connected(sandbox)

    def test_one_that_cannot_begin_stops_too(self, sandbox: Sandbox, firewall: PodFirewall) -> None:
        firewall.closed = set()
        done = self.drive(sandbox, firewall, "connect", ARC_PREFLIGHT_IMAGE="registry.example/none:1")
        assert done.returncode == 1 and "cannot be pulled" in done.stderr.splitlines()[-1]
        assert not self.connected(sandbox)

    def test_a_warning_goes_on_and_taking_away_never_looks(self, sandbox: Sandbox, firewall: PodFirewall) -> None:
        firewall.closed = {CLOSED}
        done = self.drive(sandbox, firewall, "connect", ARC_PREFLIGHT="warn")
        assert done.returncode == 0, done.stderr
        assert "from cluster east: fail on" in done.stderr and self.connected(sandbox)
        again = self.drive(sandbox, firewall, "connect")
        assert again.returncode == 0 and "preflight" not in again.stderr, "nothing is to be changed"
        gone = self.drive(sandbox, firewall, "disconnect")
        assert gone.returncode == 0 and "preflight" not in gone.stderr
        assert not self.connected(sandbox)

    def test_a_driver_whose_engine_is_gone_leaves_nothing(
        self, sandbox: Sandbox, firewall: PodFirewall, tmp_path: Path
    ) -> None:
        firewall.closed, firewall.silent = set(), {CLOSED}
        said = tmp_path / "said"
        with said.open("wb") as log:
            engine = subprocess.Popen(
                ["/bin/sh", "-c", f"{PROJECT / 'bin/driver'} connect & wait"],
                env={**sandbox.variables, **self.settings(sandbox, firewall)},
                cwd=PROJECT,
                stderr=log,
            )
        until(lambda: "probing on" in said.read_text())
        engine.kill()
        engine.wait(30)
        until(lambda: not left(sandbox))
        assert "from cluster east" not in said.read_text(), "it was not over by itself"
        assert not self.connected(sandbox)


def test_a_stack_that_asks_for_it_is_probed_from_each_cluster(sandbox: Sandbox, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["arc-gateway:preflight"]["inCluster"] = True

    changed = configured(sandbox, tmp_path, change)
    try:
        said = up(sandbox, "--config-file", changed)
        for cluster in ("east", "west"):
            assert f"from cluster {cluster}: pass on" in said
        assert not left(sandbox)
        assert preview(sandbox, "--expect-no-changes", "--config-file", changed).returncode == 0
    finally:
        sandbox.run("pulumi", "destroy", "--yes", *QUIET)
