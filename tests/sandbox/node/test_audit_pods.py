"""`arcgateway audit` on real API servers, whose pods' logs the nodes serve: replicas, restarts, what comes and goes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from node_world import Clusters, Json, container, pod
from processes import descendants, ended
from waiting import until

from sandbox.home import PROJECT, Home

pytestmark = pytest.mark.long

GATEWAY = "11111111-2222-3333-4444-555555555555.gw.arc.azure.com"
HOST = "eastus.dp.kubernetesconfiguration.azure.com"
LOGIN = "login.windows.net"


def line(host: str, upstream: str = GATEWAY, status: int = 200) -> str:
    """A line as the Arc Proxy of the sandbox writes it; its time is the shell's."""
    return (
        f'[$(date -u +%Y-%m-%dT%H:%M:%S.000Z)] \\"CONNECT {host}:443 HTTP/1.1\\" {status} - 100 2000 5 - \\"-\\"'
        f' \\"agent\\" \\"id\\" \\"{host}:443\\" \\"{upstream}:443\\"'
    )


def echo(*lines: str) -> str:
    return "; ".join(f'echo "{one}"' for one in lines)


class Audit:
    """The command in the environment of a person with this kubeconfig."""

    def __init__(self, clusters: Clusters) -> None:
        tools = str(Home.tool("kubectl").parent)
        self.env = {
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "KUBECONFIG": str(clusters.home.kubeconfig),
            "PYTHONPATH": str(PROJECT),
            "HOME": str(clusters.home.root),
        }

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "arcgateway", "audit", *words]

    def run(self, *words: str, status: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.argv(*words), env={**self.env, **env}, capture_output=True, text=True, timeout=90, cwd=PROJECT
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def json(self, *words: str, status: int = 0, **env: str) -> Json:
        return dict(json.loads(self.run(*words, "--json", status=status, **env).stdout))


@pytest.fixture(scope="module")
def audit(clusters: Clusters) -> Audit:
    return Audit(clusters)


@pytest.fixture(scope="module")
def east(clusters: Clusters) -> Clusters:
    return clusters.at("east", "azure-arc")


@contextlib.contextmanager
def proxies(where: Clusters, *pods: Json) -> Iterator[None]:
    where.apply(*pods)
    try:
        yield
    finally:
        where.run("delete", "pods", "--all", "--wait=true", "--grace-period=1")


def counts(report: Json) -> dict[str, tuple[int, int]]:
    """By host: connections through the gateway, and past it."""
    ways = ((row["host"], row["ways"]) for row in report["destinations"])
    return {host: tuple(way.get(name, {}).get("requests", 0) for name in ("gateway", "direct")) for host, way in ways}  # type: ignore[misc]


def arc_proxy(name: str, script: str, **spec: Any) -> Json:
    return pod(f"arc-proxy-{name}", container(script, name="arc-proxy"), **spec)


def test_a_cluster_without_an_arc_proxy_says_what_is_missing(audit: Audit, east: Clusters) -> None:
    done = audit.run("--context", "east", "--region", "eastus", status=1)
    assert "east: there is no pod arc-proxy-* in the namespace azure-arc" in done.stderr
    assert "associate" in done.stderr and done.stdout == ""


def test_all_replicas_are_read_and_other_pods_are_not(audit: Audit, east: Clusters) -> None:
    first = arc_proxy("a", echo(line(HOST), line(HOST), line(LOGIN, LOGIN)))
    second = arc_proxy("b", echo(line(HOST), "an unknown line with password=canary"))
    second["spec"]["containers"].append({**container(echo("noise of another container")), "name": "helper"})
    other = pod("clusterconnect-agent-a", container(echo(line("other.example"))))
    with proxies(east, first, second, other):
        for name in ("arc-proxy-a", "arc-proxy-b", "clusterconnect-agent-a"):
            until(lambda name=name: east.run("logs", name, "--all-containers", check=False).stdout)
        east.run("create", "configmap", "azure-clusterconfig", "--from-literal=AZURE_REGION=East US")
        report = audit.json("--context", "east", status=3)
        assert counts(report) == {HOST: (3, 0), LOGIN: (0, 1)}
        assert report["regions"] == ["eastus"] and report["gateway"] == GATEWAY
        assert (report["lines"]["total"], report["lines"]["unread"]) == (5, 1)
        assert report["lines"]["samples"] == ["an unknown line with password=***"]
        assert {one["name"] for one in report["sources"]} == {"east arc-proxy-a", "east arc-proxy-b"}
        verdicts = {row["host"]: (row["verdict"], row["evidence"]) for row in report["removable"]}
        assert verdicts[LOGIN][0] == "used" and "from east" in verdicts[LOGIN][1]
        assert verdicts[HOST][0] == "unproven"
        shown = audit.run("--context", "east", status=3).stdout
        assert shown.splitlines()[0].startswith("1 of 5 lines not read (20.0%) in 2 logs, ")
        assert audit.run("--context", "east", "--check", status=2).returncode == 2


def test_the_run_before_a_restart_is_read(audit: Audit, east: Clusters) -> None:
    script = f"if [ -e /keep/x ]; then {echo(line('second.example'))}; sleep 60; fi; touch /keep/x; {echo(line('first.example'))}; exit 1"  # noqa: E501
    there = arc_proxy(
        "restarted",
        script,
        restartPolicy="Always",
        volumes=[{"name": "keep", "emptyDir": {}}],
    )
    there["spec"]["containers"][0]["volumeMounts"] = [{"name": "keep", "mountPath": "/keep"}]
    with proxies(east, there):
        until(lambda: "second.example" in east.run("logs", "arc-proxy-restarted", check=False).stdout)
        report = audit.json("--context", "east", "--region", "eastus")
        assert counts(report) == {"first.example": (1, 0), "second.example": (1, 0)}


def test_since_leaves_out_what_is_older(audit: Audit, east: Clusters) -> None:
    with proxies(east, arc_proxy("late", echo(line("old.example")) + "; sleep 4; " + echo(line("new.example")))):
        until(lambda: "new.example" in east.run("logs", "arc-proxy-late", check=False).stdout)
        assert set(counts(audit.json("--context", "east", "--region", "eastus", "--since", "3s"))) == {"new.example"}


def test_two_clusters_and_one_that_cannot_be_reached(
    audit: Audit, clusters: Clusters, east: Clusters, tmp_path: Path
) -> None:
    west = clusters.at("west", "azure-arc")
    config = json.loads(clusters.home.kubeconfig.read_text())
    config["clusters"].append({"name": "gone", "cluster": {"server": "https://127.0.0.1:9"}})
    config["contexts"].append({"name": "gone", "context": {"cluster": "gone", "user": config["users"][0]["name"]}})
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(json.dumps(config))
    with proxies(east, arc_proxy("e", echo(line(HOST)))), proxies(west, arc_proxy("w", echo(line(HOST), line(LOGIN)))):
        for where, name in ((east, "arc-proxy-e"), (west, "arc-proxy-w")):
            until(lambda where=where, name=name: where.run("logs", name, check=False).stdout)
        report = audit.json("--context", "east", "--context", "west", "--region", "eastus")
        assert counts(report) == {HOST: (2, 0), LOGIN: (1, 0)}
        rows = {row["host"]: row["clusters"] for row in report["destinations"]}
        assert set(rows[HOST]) == {"east", "west"} and set(rows[LOGIN]) == {"west"}
        partly = audit.json("--all-contexts", "--region", "eastus", status=3, KUBECONFIG=str(kubeconfig))
        assert counts(partly) == counts(report)
        (problem,) = partly["problems"]
        assert problem["where"] == "gone" and "cannot be reached" in problem["cause"]
        assert all("gone could not be read" in row["evidence"] for row in partly["removable"])


def test_who_may_not_read_logs_is_told_what_is_missing(audit: Audit, east: Clusters) -> None:
    east.run("create", "serviceaccount", "reader")
    role = ("--verb=list", "--resource=pods")
    token = east.run("create", "token", "reader").stdout.strip()
    config = json.loads(east.home.kubeconfig.read_text())
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    limited = east.home.write("limited.kubeconfig", json.dumps(config))
    words = ("--context", "east", "--region", "eastus")
    done = audit.run(*words, status=1, KUBECONFIG=str(limited))
    assert "may not read pods" in done.stderr and "get on pods/log" in done.stderr
    assert token not in done.stderr
    east.run("create", "role", "lister", *role)
    east.run("create", "rolebinding", "lister", "--role=lister", "--serviceaccount=azure-arc:reader")
    with proxies(east, arc_proxy("secret", echo(line(HOST)))):
        until(lambda: east.run("logs", "arc-proxy-secret", check=False).stdout)
        done = audit.run(*words, status=1, KUBECONFIG=str(limited))
        assert "may not read pods/log" in done.stderr and "get on pods/log" in done.stderr


@contextlib.contextmanager
def following(audit: Audit, out: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    with out.open("wb") as file:
        argv = audit.argv("--context", "east", "--region", "eastus", "--json", "--follow", *words)
        process = subprocess.Popen(argv, env=audit.env, stdout=file, stderr=subprocess.STDOUT, cwd=PROJECT)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_following_counts_each_line_once_while_pods_come_go_and_restart(
    audit: Audit, east: Clusters, tmp_path: Path, by: signal.Signals
) -> None:
    steady = arc_proxy(
        "steady", f"n=0; while [ $n -lt 150 ]; do n=$((n+1)); {echo(line('steady.example'))}; sleep 0.1; done"
    )
    restarting = arc_proxy(
        "again",
        f"{echo(line('again.example'))}; sleep 1; {echo(line('again.example'))}; exit 1",
        restartPolicy="Always",
    )
    out = tmp_path / "out"
    with proxies(east, steady, restarting):
        until(lambda: "steady" in east.run("logs", "arc-proxy-steady", check=False).stdout)
        with following(audit, out) as process:
            time.sleep(5)
            east.apply(arc_proxy("late", echo(line("late.example")) + "; sleep 60"))
            time.sleep(5)
            east.run("delete", "pod", "arc-proxy-late", "--grace-period=1")
            steady_log = until(lambda: _whole(east, "arc-proxy-steady"), 60)
            time.sleep(1)
            process.send_signal(by)
            assert process.wait(15) == 0, out.read_text()
        report = json.loads(out.read_text()[out.read_text().index("{") :])
        seen = counts(report)
        assert seen["steady.example"] == (steady_log, 0)
        assert seen["late.example"] == (1, 0)
        runs = east.get("pod", "arc-proxy-again")["status"]["containerStatuses"][0]["restartCount"]
        # A run that begins and ends between two looks is lost, and said to be; none counts twice.
        assert runs >= 2 and 2 * (runs - 1) <= seen["again.example"][0] <= 2 * (runs + 1), (seen, runs)


def _whole(east: Clusters, name: str) -> int:
    """Lines of a pod that has come to its end."""
    done = east.get("pod", name)["status"].get("phase") == "Succeeded"
    return east.run("logs", name).stdout.count("\n") if done else 0


def test_following_goes_on_where_it_was_when_the_api_server_comes_back(
    audit: Audit, east: Clusters, tmp_path: Path
) -> None:
    ticking = arc_proxy("ticking", f"n=0; while [ $n -lt 100 ]; do n=$((n+1)); {echo(line(HOST))}; sleep 0.1; done")
    out = tmp_path / "out"
    with proxies(east, ticking):
        until(lambda: HOST in east.run("logs", "arc-proxy-ticking", check=False).stdout)
        with following(audit, out) as process:
            time.sleep(4)
            server = east.supervisor.pid("apiserver-east")
            assert server is not None
            os.kill(server, signal.SIGKILL)
            until(lambda: east.run("get", "--raw", "/readyz", check=False).returncode == 0, 60)
            until(lambda: _whole(east, "arc-proxy-ticking"), 60)
            time.sleep(8)
            process.send_signal(signal.SIGINT)
            assert process.wait(15) == 0, out.read_text()
        report = json.loads(out.read_text()[out.read_text().index("{") :])
        assert counts(report)[HOST] == (100, 0) and report["problems"] == []


def test_following_ends_in_time_and_leaves_no_kubectl(audit: Audit, east: Clusters, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with proxies(east, arc_proxy("quiet", echo(line(HOST)) + "; sleep 60")):
        until(lambda: east.run("logs", "arc-proxy-quiet", check=False).stdout)
        with following(audit, out, "--duration", "5s") as process:
            kubectls = until(lambda: descendants(process.pid, lambda one: "--follow" in one.cmdline()))
            assert process.wait(20) == 0, out.read_text()
            assert all(ended(one.pid) for one in kubectls)
