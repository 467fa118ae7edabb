"""Helm's record of a release, read and marked as failed, with a `kubectl` that answers from files."""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from arcgateway.errors import Failure
from arcgateway.kube import Cluster, Release, newest_release
from arcgateway.kubeconfig import Kubeconfig

RECORD = "sh.helm.release.v1.azure-arc.v7"
KUBECTL = """#!/bin/sh
echo "$*" >> "$FOLDER/calls"
case "$*" in
    *" get "*) cat "$FOLDER/secret.json" ;;
    *" replace "*) cat > "$FOLDER/given.json"; cat "$FOLDER/said" >&2 2>/dev/null && exit 1; exit 0 ;;
esac
"""


def secret(status: str, body: bytes | None = None) -> dict[str, Any]:
    info = {"status": status, "last_deployed": "2026-11-24T10:20:30.123456789+01:00", "description": "Preparing"}
    release = {"name": "azure-arc", "version": 7, "info": info, "chart": {"files": ["Zm9v"]}, "config": {"a": {"b": 1}}}
    packed = gzip.compress(json.dumps(release).encode()) if body is None else body
    return {
        "kind": "Secret",
        "metadata": {"name": RECORD, "resourceVersion": "41", "labels": {"status": status, "version": "7"}},
        "data": {"release": base64.b64encode(base64.b64encode(packed)).decode()},
    }


class Scene:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "kubectl"
        program.write_text(KUBECTL)
        program.chmod(0o755)
        env = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "FOLDER": str(folder)}
        self.cluster = Cluster(Kubeconfig("east", "east.test", "{}"), env)

    def holds(self, found: dict[str, Any]) -> None:
        (self.folder / "secret.json").write_text(json.dumps(found))

    def given(self) -> dict[str, Any]:
        written: dict[str, Any] = json.loads((self.folder / "given.json").read_text())
        return written


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    yield Scene(tmp_path)


PENDING = Release("pending-upgrade", {}, RECORD)


def test_a_record_says_when_helm_began() -> None:
    release = newest_release([secret("pending-upgrade")])
    assert release is not None and (release.record, release.values) == (RECORD, {"a.b": "1"})
    assert release.since == datetime(2026, 11, 24, 9, 20, 30, tzinfo=UTC)


def test_a_record_is_marked_as_failed_and_nothing_else_of_it_changes(scene: Scene) -> None:
    before = secret("pending-upgrade")
    scene.holds(before)
    scene.cluster.mark_failed(PENDING)
    written = scene.given()
    assert written["metadata"] == {**before["metadata"], "labels": {"status": "failed", "version": "7"}}
    old, new = (
        json.loads(gzip.decompress(base64.b64decode(base64.b64decode(one["data"]["release"]))))
        for one in (before, written)
    )
    assert new["info"].pop("status") == "failed" and new["info"].pop("description")
    del old["info"]["status"], old["info"]["description"]
    assert new == old
    # The record holds the chart's values, passwords among them.
    assert written["data"]["release"] not in (scene.folder / "calls").read_text()


def test_a_helm_that_has_ended_meanwhile_is_left_alone(scene: Scene) -> None:
    scene.holds(secret("deployed"))
    scene.cluster.mark_failed(PENDING)
    assert not (scene.folder / "given.json").exists()


def test_what_helm_writes_at_the_same_moment_wins(scene: Scene) -> None:
    scene.holds(secret("pending-upgrade"))
    (scene.folder / "said").write_text('Error from server (Conflict): Operation cannot be fulfilled on secrets "x"')
    with pytest.raises(Failure, match="somebody else is changing secrets") as failure:
        scene.cluster.mark_failed(PENDING)
    assert failure.value.transient


def test_a_record_that_cannot_be_read_is_told_with_the_way_out(scene: Scene) -> None:
    scene.holds(secret("pending-upgrade", b"junk"))
    with pytest.raises(Failure, match=r"cannot be read.*helm uninstall azure-arc"):
        scene.cluster.mark_failed(PENDING)
