"""What the engine's events come to, and troubles by their causes."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.automation.events import EngineEvent

from arcgateway.fleet.tally import Tally, Trouble, by_cause, cluster_of

_STACK = "urn:pulumi:s::p::pulumi:pulumi:Stack::p-s"
_FAILED = (
    'exit status 1: running "connect":\nconnecting {0}\n'
    "the cluster of context '{0}' cannot be reached (timeout): check the cluster and the kubeconfig"
)


def command(cluster: str) -> str:
    return f"urn:pulumi:s::p::arc-gateway:index:ConnectedCluster$command:local:Command::{cluster}"


def event(**kind: Any) -> EngineEvent:
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, **kind})


def step(cluster: str, op: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"op": op, "urn": command(cluster), "type": "command:local:Command", "provider": "", **more}}


def said(urn: str, message: str, **more: Any) -> EngineEvent:
    shown = {"urn": urn, "message": message, "color": "never", "severity": "error", **more}
    return event(diagnosticEvent=shown)


@pytest.mark.parametrize(
    ("urn", "cluster"),
    [
        (command("east"), "east"),
        ("urn:pulumi:s::p::arc-gateway:index:GatewayAssociation::west", "west"),
        (
            "urn:pulumi:s::p::arc-gateway:index:ConnectedCluster$kubernetes:networking.k8s.io/v1:NetworkPolicy::e-egress",
            "e",
        ),
        ("urn:pulumi:s::p::arc-gateway:index:ProxySettings$command:local:Command::corporate", None),
        (_STACK, None),
        ("", None),
    ],
)
def test_a_resource_belongs_to_the_cluster_of_its_component(urn: str, cluster: str | None) -> None:
    assert cluster_of(urn) == cluster


def test_clusters_are_counted_as_they_end() -> None:
    moved: list[bool] = []
    tally = Tally(["east", "west", "south"], lambda: moved.append(True))
    for name in ("east", "west"):
        tally.note(event(resourcePreEvent=step(name, "create")))
    tally.note(event(resOutputsEvent=step("east", "create")))
    tally.note(event(resOutputsEvent=step("south", "same")))
    tally.note(event(resOpFailedEvent={**step("west", "create"), "status": 0, "steps": 1}))
    assert (tally.done, tally.failed) == (2, ("west",))
    assert tally.differing == {"east": "create", "west": "create"}
    assert tally.changes == {"create": 2}
    assert moved


def test_the_summary_decides_whether_anything_changes() -> None:
    tally = Tally([])
    assert not tally.unchanged
    tally.note(event(summaryEvent=summary(same=3, read=1)))
    assert tally.unchanged
    tally.note(event(summaryEvent=summary(same=3, update=1)))
    assert not tally.unchanged
    assert tally.changes == {"same": 3, "update": 1}


def summary(**changes: int) -> dict[str, Any]:
    return {"maybeCorrupt": False, "durationSeconds": 1, "resourceChanges": changes, "PolicyPacks": {}}


def test_drift_is_told_in_the_drivers_words() -> None:
    tally = Tally(["east"])
    state = {"type": "command:local:Command", "urn": command("east"), "id": "", "parent": "", "provider": ""}
    inputs = {"environment": {"ARC_DRIFT": "the gateway is gone", "ARC_PROXY_HTTPS": "http://u:secret@p:1"}}
    tally.note(event(resourcePreEvent=step("east", "update", new={**state, "inputs": inputs})))
    assert tally.differing == {"east": "the gateway is gone"}


def test_a_failed_cluster_has_the_last_line_that_its_driver_said() -> None:
    tally = Tally(["east"])
    tally.note(event(resOpFailedEvent={**step("east", "create"), "status": 0, "steps": 1}))
    tally.note(said(command("east"), "<{%reset%}>" + _FAILED.format("east") + "<{%reset%}>\n"))
    tally.note(said(_STACK, "update failed"))
    (trouble,) = tally.troubles("nobody said")
    assert trouble == Trouble(
        "east", "the cluster of context 'east' cannot be reached (timeout): check the cluster and the kubeconfig"
    )


def test_a_stack_that_failed_as_a_whole_says_why() -> None:
    tally = Tally(["east"])
    tally.note(
        said(_STACK, "the configuration of this stack cannot be used:\n  clusters.east.proxy: there is no proxy")
    )
    assert tally.troubles("otherwise") == (Trouble("", "clusters.east.proxy: there is no proxy"),)
    assert Tally([]).troubles("otherwise") == (Trouble("", "otherwise"),)


def test_one_cause_strikes_many() -> None:
    lines = [Trouble(name, _FAILED.format(name).splitlines()[-1]) for name in ("shop-1", "shop-12", "shop-2")]
    other = Trouble("shop-3", "helm failed after 31 s: look at its log")
    groups = by_cause([("s", one) for one in [*lines, other, Trouble("", "the stack s is locked")]])
    assert groups[0] == (
        "the cluster of context '*' cannot be reached (timeout): check the cluster and the kubeconfig",
        ["shop-1", "shop-12", "shop-2"],
    )
    assert groups[1:] == [
        ("helm failed after 31 s: look at its log", ["shop-3"]),
        ("the stack s is locked", ["s"]),
    ]


def test_violations_stop_only_where_they_are_mandatory() -> None:
    tally = Tally(["east"])
    broken = {
        "resourceUrn": command("east"),
        "message": "<{%fg 1%}>No private link<{%reset%}>\nbeside a gateway",
        "color": "never",
        "policyName": "no-private-link",
        "policyPackName": "arc-gateway",
        "policyPackVersion": "1",
        "policyPackVersionTag": "1",
        "enforcementLevel": "advisory",
    }
    tally.note(event(policyEvent=broken))
    assert not tally.broken
    tally.note(event(policyEvent={**broken, "enforcementLevel": "mandatory"}))
    assert tally.broken
    assert tally.violations[0].as_json() == {
        "policy": "no-private-link",
        "level": "advisory",
        "cluster": "east",
        "resource": "east",
        "text": "No private link beside a gateway",
    }
