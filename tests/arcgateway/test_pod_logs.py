"""Reading pods' logs: what kubectl and kubelets say when something is amiss, and reading on without counting twice."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from arcgateway import podlogs
from arcgateway.kube import Cluster, LogSource
from arcgateway.kubeconfig import Kubeconfig
from arcgateway.podlogs import Block, Note, PodLogs

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for kubectl is a shell script"),
]

BEGIN = "2026-11-24T10:00:00Z"

#: Answers with files: pods.json, and for each pod its log, that of the run before, and what it says on standard error.
KUBECTL = """#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo "$*" >>calls
previous=
for word in "$@"; do
  case $word in
    get) cat pods.json; exit ;;
    arc-proxy-*) pod=$word ;;
    --previous) previous=.previous ;;
  esac
done
[ -e "$pod$previous" ] && cat "$pod$previous"
[ -e "$pod.hang" ] && exec sleep 60
[ -e "$pod$previous.err" ] && cat "$pod$previous.err" >&2 && exit 1
exit 0
"""


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kubectl = folder / "kubectl"
        kubectl.write_text(KUBECTL)
        kubectl.chmod(0o755)
        config = Kubeconfig("edge", "127.0.0.1", "{}")
        self.cluster = Cluster(config, {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"})
        self.pods: list[dict[str, Any]] = []

    def pod(self, name: str, log: str = "", *, restarts: int = 0, previous: str | None = None, said: str = "") -> None:
        status = {"name": "arc-proxy", "restartCount": restarts, "state": {"running": {"startedAt": BEGIN}}}
        self.pods.append(
            {
                "metadata": {"name": name, "uid": name},
                "spec": {"containers": [{"name": "arc-proxy"}]},
                "status": {"containerStatuses": [status]},
            }
        )
        (self.folder / "pods.json").write_text(json.dumps({"items": self.pods}))
        (self.folder / name).write_text(log)
        if previous is not None:
            (self.folder / f"{name}.previous").write_text(previous)
        if said:
            (self.folder / f"{name}.err").write_text(said)

    def read(self, **options: Any) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """By log: its lines, and what is said of it."""
        lines: dict[str, list[str]] = {}
        notes: dict[str, list[str]] = {}
        for event in PodLogs([self.cluster], **options).events(0.05):
            if isinstance(event, Block):
                lines.setdefault(event.log, []).extend(line.decode().partition(" ")[2] for line in event.lines)
            elif isinstance(event, Note) and (event.failure or event.text):
                notes.setdefault(event.log, []).append(event.text or str(event.failure))
        return lines, notes


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def stamped(*lines: str, minute: int = 0) -> str:
    return "".join(f"2026-11-24T10:{minute:02}:{number:02}.000000001Z {line}\n" for number, line in enumerate(lines))


def test_the_run_before_and_the_present_one(world: World) -> None:
    world.pod("arc-proxy-a", stamped("new", minute=1), restarts=1, previous=stamped("old", "older"))
    assert world.read() == ({"arc-proxy-a": ["old", "older", "new"]}, {})


def test_runs_that_nobody_keeps_are_told(world: World) -> None:
    world.pod("arc-proxy-a", stamped("new"), restarts=3, previous="")
    (world.folder / "arc-proxy-a.previous.err").write_text(
        'Error from server (BadRequest): previous terminated container "arc-proxy" in pod "arc-proxy-a" not found'
    )
    lines, notes = world.read()
    assert lines == {"arc-proxy-a": ["new"]}
    assert any("is gone" in note for note in notes["arc-proxy-a"])
    assert any("restarted 3 times" in note for note in notes["arc-proxy-a"])


def test_a_log_that_begins_long_after_its_container_may_have_been_rotated(world: World) -> None:
    world.pod("arc-proxy-a", stamped("late", minute=30))
    assert "rotated away" in world.read()[1]["arc-proxy-a"][0]
    assert world.read(since=datetime(2026, 11, 24, 10, 20, tzinfo=UTC).timestamp())[1] == {}
    assert "--since-time 2026-11-24T10:20:00Z" in (world.folder / "calls").read_text()


def test_where_lines_are_missing_is_known(world: World) -> None:
    world.pod("arc-proxy-a", stamped("late", minute=30), restarts=2, previous=stamped("old"))
    events = [
        event for event in PodLogs([world.cluster]).events(0.05) if isinstance(event, Block) or (event and event.text)
    ]
    kinds = [event.lost if isinstance(event, Note) else "lines" for event in events]
    # Runs before the one that is kept; then that one; then what was rotated away of the present one.
    assert kinds == [True, "lines", True, "lines"]


def test_a_node_that_cannot_read_on_is_a_problem_and_no_line(world: World) -> None:
    broken = "unable to retrieve container logs for containerd://0123\n"
    world.pod("arc-proxy-a", stamped("one") + broken)
    lines, notes = world.read()
    assert lines == {"arc-proxy-a": ["one"]} and "could not go on" in notes["arc-proxy-a"][0]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('container "arc-proxy" in pod "arc-proxy-a" is waiting to start: ContainerCreating', "has not started yet"),
        ('pods "arc-proxy-a" is forbidden: User "x" cannot get resource "pods/log"', "get on pods/log"),
        ("Unable to connect to the server: dial tcp 10.1.2.3:6443: i/o timeout", "cannot be reached"),
    ],
    ids=["waiting", "forbidden", "unreachable"],
)
def test_what_kubectl_complains_of(world: World, said: str, told: str) -> None:
    world.pod("arc-proxy-a", said=said)
    world.pod("arc-proxy-b", stamped("fine"))
    lines, notes = world.read()
    assert lines == {"arc-proxy-b": ["fine"]} and told in notes["arc-proxy-a"][0]


def test_a_log_that_falls_silent_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podlogs, "SILENCE", 0.5)
    world.pod("arc-proxy-a", stamped("one"))
    (world.folder / "arc-proxy-a.hang").touch()
    begun = time.monotonic()
    lines, notes = world.read()
    assert lines == {"arc-proxy-a": ["one"]} and "fell silent" in notes["arc-proxy-a"][0]
    assert time.monotonic() - begun < 30


def test_a_cluster_without_pods(world: World) -> None:
    (world.folder / "pods.json").write_text('{"items": []}')
    assert "no pod arc-proxy-*" in world.read()[1][""][0]


def test_more_logs_than_can_be_followed_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podlogs, "FOLLOWED", 2)
    for name in ("a", "b", "c"):
        world.pod(f"arc-proxy-{name}")
        (world.folder / f"arc-proxy-{name}.hang").touch()
    logs = PodLogs([world.cluster], follow=True)
    events = logs.events(0.05)
    note = next(event for event in events if isinstance(event, Note) and event.failure)
    assert (note.log, str(note.failure)) == (
        "arc-proxy-c",
        "more than 2 logs are not followed at once: name fewer contexts",
    )
    events.close()


def test_nothing_reads_ahead_of_who_counts(world: World) -> None:
    """A log of any length waits, block by block."""
    world.pod("arc-proxy-a", "".join(f"{BEGIN} {'x' * 1000}\n" for _ in range(20_000)))
    logs = PodLogs([world.cluster])
    events = logs.events()
    next(event for event in events if isinstance(event, Block))
    time.sleep(0.5)
    assert logs._ready.qsize() <= 8
    rest = sum(len(event.lines) for event in events if isinstance(event, Block))
    assert rest > 15_000


# --- reading on ---


def line(second: int, text: str, fraction: str = "") -> bytes:
    return f"2026-11-24T10:00:{second:02}{fraction}Z {text}".encode()


def place() -> podlogs._Place:
    return podlogs._Place(LogSource("arc-proxy-a", "arc-proxy", "uid"))


def test_reading_on_counts_every_line_once() -> None:
    whole = [line(1, "a"), line(2, "b", ".5"), line(2, "c", ".50"), line(2, "d", ".51"), line(3, "e"), line(3, "f")]
    for cut in range(len(whole) + 1):
        at = place()
        if whole[:cut]:
            at.advance(whole[:cut])
        fresh = at.fresh()
        # What comes again begins with the last line's second, in blocks of any size.
        again = [one for one in whole if one[:19] >= (at.stamp or b"")[:19]]
        assert [one for text in again for one in fresh([text])] == whole[cut:]
        assert at.fresh()(again) == whole[cut:]


def test_lines_of_one_moment_are_counted_over_blocks() -> None:
    at = place()
    at.advance([line(1, "a")])
    at.advance([line(1, "b")])
    at.advance([line(1, "c"), line(1, "d")])
    assert at.fresh()([line(1, text) for text in "abcde"]) == [line(1, "e")]


def test_sources_are_named_by_their_pod_and_only_other_containers_by_name() -> None:
    assert place().name == "arc-proxy-a"
    assert podlogs._Place(LogSource("arc-proxy-a", "envoy", "uid")).name == "arc-proxy-a/envoy"
