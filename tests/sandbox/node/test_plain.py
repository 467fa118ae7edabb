"""The parts of the node that need no cluster."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sandbox.images import IMAGES, find, repository
from sandbox.node import hosts, logs, volumes
from sandbox.node.addresses import Addresses
from sandbox.node.expand import Missing, NotSupported, environment, expand, field, rewrite
from sandbox.node.logs import LogRequest, LogWriter
from sandbox.node.server import log_request
from sandbox.node.status import Container, phase, pod_status, recall, runs_again

POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"b": '2"', "a": "1"}},
    "spec": {},
    "status": {"podIP": "127.10.0.2", "podIPs": [{"ip": "127.10.0.2"}]},
}


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("mcr.microsoft.com/azurearck8s/agent:1.36.1", "mcr.microsoft.com/azurearck8s/agent"),
        ("mcr.microsoft.com/azurearck8s/agent@sha256:00", "mcr.microsoft.com/azurearck8s/agent"),
        ("mcr.microsoft.com/azurearck8s/agent/config-agent:2", "mcr.microsoft.com/azurearck8s/agent"),
        (
            "mcr.microsoft.com/azurelinux/distroless/python:3.12-nonroot",
            "mcr.microsoft.com/azurelinux/distroless/python",
        ),
        ("mcr.microsoft.com/azurearck8s/agents:1", None),
        ("mcr.microsoft.com/azurearck8s", None),
    ],
)
def test_images_are_found_by_whole_parts_of_their_name(reference: str, name: str | None) -> None:
    assert find(reference) == (IMAGES[name] if name else None)


def test_repository_keeps_the_port_of_a_registry() -> None:
    assert repository("localhost:5000/a/b:1@sha256:ff") == "localhost:5000/a/b"


@pytest.mark.parametrize(
    ("text", "expanded"),
    [("$(A)-$(B)", "x-$(B)"), ("$$(A)", "$(A)"), ("$A ${A} $(", "$A ${A} $("), ("$$$(A)", "$x")],
)
def test_variables_expand_as_in_kubernetes(text: str, expanded: str) -> None:
    assert expand(text, {"A": "x"}) == expanded


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("/etc/app", "/v/app"),
        ("/etc/app/conf.d/x", "/v/app/conf.d/x"),
        ("--config=/etc/app/x", "--config=/v/app/x"),
        ("cat </etc/app/x >/etc/app/y", "cat </v/app/x >/v/app/y"),
        ("/etc/app:/etc/app/deep/z", "/v/app:/v/deep/z"),
        ("/etc/application", "/etc/application"),
        ("/srv/etc/app", "/srv/etc/app"),
        ("https://example.com/etc/app", "https://example.com/etc/app"),
    ],
)
def test_mount_paths_are_rewritten_where_they_are_paths(text: str, rewritten: str) -> None:
    assert rewrite(text, {"/etc/app": "/v/app", "/etc/app/deep/": "/v/deep", "/": "/nowhere"}) == rewritten


def test_fields_of_a_pod() -> None:
    assert field(POD, "metadata.labels['b']") == '2"'
    assert field(POD, "metadata.labels") == 'a="1"\nb="2\\""'
    assert field(POD, "status.podIPs") == "127.10.0.2"
    with pytest.raises(NotSupported, match="field spec"):
        field(POD, "spec.hostNetwork")


def test_variables_from_what_is_not_there() -> None:
    wanted = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    with pytest.raises(Missing, match='secret "s" not found'):
        environment(POD, {"env": [wanted]}, {("secret", "s"): None})
    with pytest.raises(Missing, match="couldn't find key k in secret s"):
        environment(POD, {"env": [wanted]}, {("secret", "s"): {"data": {}}})
    with pytest.raises(NotSupported, match="resourceFieldRef"):
        environment(POD, {"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]}, {})


def test_volume_that_the_node_does_not_know(tmp_path: Path) -> None:
    pod = {**POD, "spec": {"volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": "c"}}]}}
    with pytest.raises(NotSupported, match="volume disk is a persistentVolumeClaim"):
        volumes.materialise(pod, tmp_path, tmp_path, {}, {})


def test_host_path_is_not_of_this_machine(tmp_path: Path) -> None:
    pod = {**POD, "spec": {"volumes": [{"name": "logs", "hostPath": {"path": "/var/log"}}]}}
    volumes.materialise(pod, tmp_path / "pod", tmp_path / "host", {}, {})
    (tmp_path / "pod/logs/x").write_text("here")
    assert (tmp_path / "host/var/log/x").read_text() == "here"


def test_addresses_of_two_nodes_never_meet() -> None:
    one, other = Addresses(99), Addresses(99)
    given = [one.claim("a", ""), other.claim("b", ""), one.claim("c", ""), other.claim("d", "127.99.7.7")]
    assert len(set(given)) == 4 and given[3] == "127.99.7.7"
    assert one.claim("e", "127.99.7.7") not in given
    other.release("d")
    assert one.claim("f", "127.99.7.7") == "127.99.7.7"
    assert one.claim("g", "10.0.0.1").startswith("127.99.")
    for uid in "abcdefg":
        one.release(uid)
        other.release(uid)


def ended(code: int) -> dict[str, Any]:
    return {"terminated": {"exitCode": code}}


RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
WAITING = {"waiting": {"reason": "ContainerCreating"}}


@pytest.mark.parametrize(
    ("states", "over", "expected"),
    [
        ([RUNNING, RUNNING], False, "Running"),
        ([RUNNING, WAITING], False, "Pending"),
        ([ended(0), RUNNING], False, "Running"),
        ([ended(1)], False, "Running"),
        ([ended(0), ended(0)], True, "Succeeded"),
        ([ended(0), ended(2)], True, "Failed"),
        ([WAITING], True, "Failed"),
    ],
)
def test_phase_of_a_pod(states: list[dict[str, Any]], over: bool, expected: str) -> None:
    assert phase([Container(str(at), "i", state) for at, state in enumerate(states)], True, over) == expected


def test_restart_policies() -> None:
    assert [runs_again(policy, code) for policy in ("Always", "OnFailure", "Never") for code in (0, 1)] == [
        True, True, False, True, False, False,
    ]  # fmt: skip


def test_container_that_ran_when_the_node_died() -> None:
    status = {"name": "c", "state": RUNNING, "restartCount": 2, "containerID": "sandbox://x"}
    found = recall({"name": "c", "image": "i"}, [status], WAITING, "2026-01-02T00:00:00Z")
    assert (found.exit_code, found.restarts, found.ready) == (255, 2, False)
    backing_off = {"name": "c", "state": WAITING, "lastState": ended(3), "restartCount": 4}
    assert recall({"name": "c", "image": "i"}, [backing_off], WAITING, "now").exit_code == 3


def test_conditions_keep_their_time_and_those_of_others() -> None:
    other = {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": "long ago"}
    pod = {**POD, "status": {"conditions": [other]}}
    running = [Container("c", "i", RUNNING, ready=True)]
    options: dict[str, Any] = {"address": "127.10.0.2", "mounted": True, "initialized": True, "over": False}
    first = pod_status(pod, {}, [], running, now="first", **options)
    assert other in first["conditions"]
    assert pod_status(pod, first, [], running, now="later", **options) == first
    running[0].ready = False
    times = {
        one["type"]: one["lastTransitionTime"]
        for one in pod_status(pod, first, [], running, now="later", **options)["conditions"]
    }
    assert (times["Ready"], times["PodScheduled"]) == ("later", "first")


def test_names_of_services_lead_to_ready_pods() -> None:
    def pod(name: str, ready: str, address: str, **labels: str) -> dict[str, Any]:
        return {
            "metadata": {"name": name, "namespace": "n", "labels": labels},
            "status": {"podIP": address, "conditions": [{"type": "Ready", "status": ready}]},
        }

    def service(name: str, selector: dict[str, str] | None, namespace: str = "n") -> dict[str, Any]:
        return {"metadata": {"name": name, "namespace": namespace}, "spec": {"selector": selector}}

    pods = [
        pod("b", "True", "127.10.0.3", app="x"),
        pod("a", "True", "127.10.0.2", app="x"),
        pod("c", "False", "1", app="y"),
    ]
    services = [
        service("x", {"app": "x"}),
        service("y", {"app": "y"}),
        service("z", None),
        service("x", {"app": "x"}, "m"),
    ]
    assert hosts.hosts(services, pods) == {"x.n.svc.cluster.local": "127.10.0.2"}


async def collect(path: Path, writer: LogWriter | None, wanted: LogRequest) -> bytes:
    return b"".join([piece async for piece in logs.read(path, writer, wanted)])


def test_log_stays_bounded_and_followers_lose_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "c/0.log"
        writer = LogWriter(path, limit=5000)
        writer.write(b"before\n")
        follower = asyncio.create_task(collect(path, writer, LogRequest(follow=True)))
        await asyncio.sleep(0)
        for number in range(1000):
            writer.write(b"line %d\n" % number)
            await asyncio.sleep(0)
        writer.write(b"half")
        writer.close()
        expected = b"before\n" + b"".join(b"line %d\n" % number for number in range(1000)) + b"half"
        assert await asyncio.wait_for(follower, 5) == expected
        assert sum(file.stat().st_size for file in path.parent.iterdir()) <= 10_000
        kept = await collect(path, None, LogRequest())
        assert expected.endswith(kept) and len(kept) > 1000

    asyncio.run(story())


def test_long_line_comes_back_whole(tmp_path: Path) -> None:
    async def story() -> None:
        writer = LogWriter(tmp_path / "0.log")
        line = b"x" * (logs.LONGEST_LINE * 3 + 5)
        for start in range(0, len(line), 1000):
            writer.write(line[start : start + 1000])
        writer.write(b"\n\nend\n")
        writer.close()
        assert await collect(tmp_path / "0.log", None, LogRequest()) == line + b"\n\nend\n"
        assert await collect(tmp_path / "0.log", None, LogRequest(tail=1)) == b"end\n"
        assert await collect(tmp_path / "0.log", None, LogRequest(tail=0)) == b""

    asyncio.run(story())


def test_what_the_api_server_asks_of_a_log() -> None:
    asked = log_request({"follow": "true", "tailLines": "5", "sinceSeconds": "10", "limitBytes": "7"}, now=100.0)
    assert asked == LogRequest(follow=True, tail=5, since=90.0, limit=7)
    assert log_request({"sinceTime": "1970-01-01T00:01:00Z"}, now=0).since == 60
    with pytest.raises(ValueError):
        log_request({"tailLines": "many"}, now=0)
