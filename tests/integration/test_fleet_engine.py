"""A fleet on the real engine: two real clusters and virtual ones. The tests run in order, each on from the last."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from processes import descendants, ended, kill
from running_sandbox import Sandbox, started
from waiting import until

from arcgateway.arm import Arm
from arcgateway.proxy import ProxySettings
from sandbox.controls import ask
from sandbox.environment import proxy_url
from sandbox.home import PROJECT

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

PASSWORD = "canary-of-the-fleet"
GATEWAY, FIRST, SECOND = "shops-gateway-main", "shops-first-eastus-1", "shops-second-eastus-1"
OTHER = "shops-second-eastus-2"


class FleetOf:
    """The fleet's file, and runs of `arcgateway fleet` on it."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.file, self.work = folder / "fleet.yaml", folder / "work"
        stack = yaml.safe_load((sandbox.home.root / "Pulumi.dev.yaml").read_text())["config"]
        proxy = proxy_url(sandbox.home)
        subscription = sandbox.home.identity.subscription_id
        self.content: dict[str, Any] = {
            "name": "shops",
            "clustersPerStack": 10,
            "subscriptions": [subscription],
            "gateways": {"main": {"resourceGroup": "arc-dev", "location": "eastus"}},
            "proxies": {
                "corporate": {
                    "httpUrl": proxy,
                    "httpsUrl": proxy,
                    "skipRange": ["10.96.0.0/16", "10.97.0.0/16"],
                    "username": "arc",
                    "password": {"fromEnv": "CORPORATE_PASSWORD"},
                }
            },
            "rings": [{"name": "first", "gate": {"connected": 1}}, {"name": "second", "gate": {"connected": 0}}],
            "defaults": {
                "subscriptionId": subscription,
                "resourceGroup": "arc-dev",
                "location": "eastus",
                "proxy": "corporate",
                "ring": "second",
            },
            "clusters": {
                "east": {"ring": "first"},
                "west": {"ring": "first", "existing": True},
                **{f"virtual-{number:03}": {} for number in range(1, 4)},
                "virtual-004": {"stack": 2},
            },
            "preflight": stack["arc-gateway:preflight"],
        }

    def argv(self, verb: str, *words: str) -> list[str]:
        self.file.write_text(yaml.safe_dump(self.content, sort_keys=False))
        where = (str(self.file), "--work-dir", str(self.work))
        return [sys.executable, "-m", "arcgateway", "fleet", verb, *where, *words]

    @property
    def env(self) -> dict[str, str]:
        return {**self.sandbox.variables, "CORPORATE_PASSWORD": PASSWORD, "PYTHONPATH": str(PROJECT)}

    def run(self, verb: str, *words: str, status: int = 0) -> dict[str, Any]:
        done = subprocess.run(
            self.argv(verb, "--json", *words), cwd=PROJECT, env=self.env, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return dict(json.loads(done.stdout))

    @contextmanager
    def begun(self, verb: str, *words: str) -> Iterator[subprocess.Popen[str]]:
        """A run in the background, ended at the end with all that it started."""
        with subprocess.Popen(
            self.argv(verb, *words),
            cwd=PROJECT,
            env=self.env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                yield process
            finally:
                kill(descendants(process.pid))
                process.kill()

    def locks(self) -> list[Path]:
        return list((self.sandbox.home.root / "backend/.pulumi/locks").rglob("*.json"))

    def stacks(self) -> set[str]:
        return {one["name"] for one in self.sandbox.json("pulumi", "stack", "ls", "--json", "--cwd", str(self.work))}

    def clusters(self) -> dict[str, str]:
        shown = self.sandbox.json("az", "connectedk8s", "list", "--output", "json")
        return {one["name"]: one["connectivityStatus"] for one in shown}

    def fail(self, cluster: str, **more: Any) -> None:
        fault = {"kind": "operation-failed", "methods": ["PUT"], "path": f"*/connectedClusters/{cluster}", "count": 1}
        fault["code"] = "QuotaExceeded"  # one that passes by itself the driver would wait out
        ask(self.sandbox.home, "POST", "/sandbox/faults", {**fault, **more})


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetOf]:
    with started(tmp_path_factory.mktemp("sandbox"), SANDBOX_VIRTUAL="4") as sandbox:
        yield FleetOf(sandbox, tmp_path_factory.mktemp("fleet"))


def states(account: dict[str, Any]) -> dict[str, str]:
    return {stack["name"]: stack["state"] for stack in account["stacks"]}


def test_a_plan_of_a_new_fleet_makes_nothing(fleet: FleetOf) -> None:
    account = fleet.run("plan")
    assert states(account) == {GATEWAY: "changed", FIRST: "waiting", SECOND: "waiting", OTHER: "waiting"}
    assert account["changes"]["create"] >= 2
    assert account["policyPack"] == str(PROJECT / "policy")
    assert not fleet.stacks() - {"dev"}
    status = fleet.run("status", status=2)
    assert {stack["exists"] for stack in status["stacks"]} == {False}


def test_one_cluster_that_breaks_a_rule_stops_its_ring_before_any_write(fleet: FleetOf) -> None:
    before = fleet.clusters()
    proxy = fleet.content["proxies"]["corporate"]
    fleet.content["proxies"]["opening"] = {**proxy, "terminatesTls": True}
    fleet.content["clusters"]["east"]["proxy"] = "opening"
    account = fleet.run("up", status=2)
    assert states(account) == {GATEWAY: "changed", FIRST: "refused", SECOND: "skipped", OTHER: "skipped"}
    assert "broke the policy pack" in account["stopped"]
    (refused,) = [stack for stack in account["stacks"] if stack["name"] == FIRST]
    assert any(one["level"] == "mandatory" for one in refused["violations"])
    assert fleet.clusters() == before
    del fleet.content["proxies"]["opening"], fleet.content["clusters"]["east"]["proxy"]


def test_a_plan_of_stacks_that_are_not_there_has_their_gateways_outputs(fleet: FleetOf) -> None:
    account = fleet.run("plan")
    assert states(account) == {GATEWAY: "unchanged", FIRST: "changed", SECOND: "changed", OTHER: "changed"}
    assert fleet.stacks() - {"dev"} == {GATEWAY, FIRST}


def test_a_failed_cluster_holds_back_the_others_where_that_is_asked_for(fleet: FleetOf) -> None:
    fleet.fail("virtual-*", message="No room.")
    one_by_one = ("--stack", SECOND, "--parallel-clusters", "1", "--no-continue-on-error")
    (failed,) = [stack for stack in fleet.run("up", *one_by_one, status=2)["stacks"] if stack["name"] == SECOND]
    assert failed["clusters"]["total"] == 3
    assert (failed["clusters"]["done"], len(failed["clusters"]["failed"])) == (0, 1)


def test_a_failed_cluster_holds_back_no_other_and_is_all_that_is_left(fleet: FleetOf) -> None:
    fleet.fail("virtual-002", message="No room.")
    account = fleet.run("up", "--no-policy", status=2)
    assert states(account) == {GATEWAY: "unchanged", FIRST: "changed", SECOND: "failed", OTHER: "changed"}
    (failed,) = [stack for stack in account["stacks"] if stack["name"] == SECOND]
    assert failed["clusters"] == {"total": 3, "done": 2, "failed": ["virtual-002"]}
    (cause,) = account["causes"]
    assert cause["struck"] == ["virtual-002"]
    assert "No room." in cause["cause"]
    again = fleet.run("up")
    assert states(again) == {GATEWAY: "unchanged", FIRST: "unchanged", SECOND: "changed", OTHER: "unchanged"}
    assert set(fleet.clusters().values()) == {"Connected"}
    assert fleet.run("status")["ok"]


def test_what_is_up_to_date_is_not_run_again_and_a_run_without_the_pack_is_known(fleet: FleetOf) -> None:
    history = fleet.sandbox.json("pulumi", "stack", "history", "--json", "--stack", FIRST, "--cwd", str(fleet.work))
    assert states(fleet.run("up")) == dict.fromkeys([GATEWAY, FIRST, SECOND, OTHER], "unchanged")
    after = fleet.sandbox.json("pulumi", "stack", "history", "--json", "--stack", FIRST, "--cwd", str(fleet.work))
    assert after == history
    assert [one["message"] for one in history] == ["arcgateway fleet up of shops, without the policy pack"]
    journal = [json.loads(line) for line in (fleet.work / "runs.jsonl").read_text().splitlines()]
    assert {one["policyPack"] for one in journal} == {str(PROJECT / "policy"), "none: --no-policy"}


def _writes(fleet: FleetOf, cluster: str) -> int:
    """How many writes to a cluster the activity log has."""
    arm = Arm(ProxySettings(), fleet.sandbox.variables, lambda _audience: {})
    path = f"/subscriptions/{fleet.sandbox.home.identity.subscription_id}/providers/Microsoft.Insights/eventtypes"
    events = arm.list(f"{path}/management/values", "2015-04-01")
    return sum(f"/connectedclusters/{cluster}" in event["resourceId"].lower() for event in events)


@pytest.mark.parametrize(("ring", "source", "target"), [("first", SECOND, FIRST), ("second", FIRST, SECOND)])
def test_a_cluster_changes_its_ring_and_is_left_as_it_is(fleet: FleetOf, ring: str, source: str, target: str) -> None:
    fleet.content["clusters"]["virtual-001"] = {"ring": ring}
    before = _writes(fleet, "virtual-001")
    move = {"cluster": "virtual-001", "from": source, "to": target}
    assert fleet.run("plan")["moves"] == [move]
    # The first ring's turn alone is enough, whichever of the two its stack is; the other's own outputs come later.
    assert fleet.run("up", "--ring", "first")["moves"] == [move]
    assert fleet.run("up")["moves"] == []
    assert set(states(fleet.run("plan")).values()) == {"unchanged"}
    assert _writes(fleet, "virtual-001") == before
    assert fleet.clusters()["virtual-001"] == "Connected"


def test_a_change_by_somebody_else_is_drift_in_words(fleet: FleetOf) -> None:
    assert fleet.run("drift")["ok"]
    disable = ("--name", "virtual-001", "--resource-group", "arc-dev", "--kube-context", "virtual-001")
    fleet.sandbox.run("az", "connectedk8s", "update", *disable, "--disable-gateway", "true")
    account = fleet.run("drift", status=2)
    assert states(account)[SECOND] == "changed"
    (stack,) = [one for one in account["stacks"] if one["name"] == SECOND]
    assert re.match(r"main is disabled, changed in Azure", stack["differing"]["virtual-001"])
    assert fleet.run("up")["ok"]


def _running(process: subprocess.Popen[str], fleet: FleetOf) -> Callable[[], bool]:
    """Whether a run's engines have held locks for some time, so that updates are under way.

    An engine that is interrupted at the moment in which it takes its lock leaves it.
    """

    def running() -> bool:
        ages = [time.time() - lock.stat().st_mtime for lock in fleet.locks()]
        return process.poll() is None and min(ages, default=0.0) > 2

    return running


def _renamed(fleet: FleetOf, tag: str) -> None:
    """Something to do in every cluster of the second ring."""
    fleet.content["defaults"]["tags"] = {"round": tag}
    fleet.content["clusters"]["west"]["tags"] = None
    del fleet.content["clusters"]["west"]["tags"]


def test_ctrl_c_has_the_engines_cancel_and_leaves_no_lock(fleet: FleetOf) -> None:
    _renamed(fleet, "one")
    ask(fleet.sandbox.home, "POST", "/sandbox/faults", _slow())
    with fleet.begun("up", "--ring", "second") as process:
        until(_running(process, fleet), 240)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=240)
        assert process.returncode == 130, said
    assert "interrupted" in said
    assert not fleet.locks()
    ask(fleet.sandbox.home, "DELETE", "/sandbox/faults")
    assert fleet.run("up")["ok"]


def _slow() -> dict[str, Any]:
    """Updates of clusters that take long enough to be met in them."""
    return {
        "kind": "slow",
        "firstByte": 8,
        "type": "Microsoft.Kubernetes/connectedClusters",
        "methods": ["PUT", "PATCH"],
    }


def test_a_killed_run_takes_its_engines_along_and_leaves_no_lock(fleet: FleetOf) -> None:
    _renamed(fleet, "two")
    ask(fleet.sandbox.home, "POST", "/sandbox/faults", _slow())
    with fleet.begun("up", "--ring", "second") as process:
        until(_running(process, fleet), 240)
        engines = {one.pid for one in descendants(process.pid, lambda one: one.name() == "pulumi")}
        assert engines
        process.kill()
        process.wait()
        until(lambda: all(map(ended, engines)), 120)
    # One more may have begun while these were counted.
    until(lambda: not fleet.locks(), 120)
    ask(fleet.sandbox.home, "DELETE", "/sandbox/faults")


def test_a_lock_of_a_crashed_run_is_explained_and_released_when_asked(fleet: FleetOf) -> None:
    ask(fleet.sandbox.home, "POST", "/sandbox/faults", _slow())
    with fleet.begun("up", "--ring", "second") as process:
        until(_running(process, fleet), 240)
        engines = descendants(process.pid, lambda one: one.ppid() == process.pid)
        process.kill()
        kill(engines)
        process.wait()
    ask(fleet.sandbox.home, "DELETE", "/sandbox/faults")
    assert fleet.locks()
    account = fleet.run("up", status=2)
    locked = [name for name, state in states(account).items() if state == "locked"]
    assert locked
    assert all("--release-dead-locks" in cause["cause"] for cause in account["causes"])
    assert fleet.run("up", "--release-dead-locks")["ok"]
    assert not fleet.locks()


def test_a_stack_that_another_run_holds_is_skipped_and_said(fleet: FleetOf) -> None:
    _renamed(fleet, "three")
    held = fleet.sandbox.home.root / "backend/.pulumi/locks/organization/arc-gateway" / OTHER / "held.json"
    held.parent.mkdir(parents=True, exist_ok=True)
    owner = {"pid": os.getpid(), "username": "someone", "hostname": os.uname().nodename}
    held.write_text(json.dumps({**owner, "timestamp": "2026-01-01T00:00:00Z"}))
    account = fleet.run("up", "--release-dead-locks", status=2)
    assert states(account) == {GATEWAY: "unchanged", FIRST: "changed", SECOND: "changed", OTHER: "locked"}
    (cause,) = account["causes"]
    assert re.search(rf"locked by someone@\S+ \(process {os.getpid()}", cause["cause"])
    assert held.exists()
    held.unlink()
    assert fleet.run("up")["ok"]


def test_no_secret_is_in_files_in_plain_text(fleet: FleetOf) -> None:
    files = [file for file in fleet.work.rglob("*") if file.is_file()]
    assert files
    backend = fleet.sandbox.home.root / "backend"
    for file in [*files, *(file for file in backend.rglob("*") if file.is_file())]:
        assert PASSWORD.encode() not in file.read_bytes(), file


def test_a_stack_that_the_file_has_nothing_for_is_told_and_pruned(fleet: FleetOf) -> None:
    del fleet.content["clusters"]["virtual-004"]
    account = fleet.run("plan")
    assert states(account)[OTHER] == "left over"
    assert "virtual-004" in fleet.clusters()
    assert states(fleet.run("up", "--prune"))[OTHER] == "changed"
    assert "virtual-004" not in fleet.clusters()
    assert OTHER not in states(fleet.run("plan"))


def test_all_is_taken_down_ring_by_ring(fleet: FleetOf) -> None:
    account = fleet.run("destroy", "--yes", "--remove")
    assert set(states(account).values()) == {"changed"}
    assert set(fleet.clusters()) == {"west"}
    assert fleet.stacks() - {"dev"} <= {OTHER}
