"""`arcgateway status`: what is there, how much of each association, and which state holds it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fleet_world import (
    GATEWAY,
    OTHER_SUBSCRIPTION,
    PASSWORD,
    SUBSCRIPTION,
    Azure,
    cluster_id,
    command,
    component,
    state,
)

from arcgateway import cli
from arcgateway.association import Seen
from arcgateway.errors import Failure
from arcgateway.progress import told
from arcgateway.status import Association, Status, clusters, export_states, read_state, side_by_side, with_holders


def silent(_line: str) -> None:
    return


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Azure:
    made = Azure()
    monkeypatch.setattr(cli, "_arm", lambda: made)
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", SUBSCRIPTION)
    return made


def status(*arguments: str, states: str | None = None) -> Result:
    given = ["--stack-state", "-"] if states is not None else []
    return CliRunner().invoke(cli._group, ["status", *given, *arguments], input=states)


def test_all_clusters_of_the_subscriptions_with_their_settings() -> None:
    azure = Azure()
    ids = [azure.cluster(cluster_id(f"c{number:02}"), GATEWAY) for number in range(40)]
    far = azure.cluster(cluster_id("far", subscription=OTHER_SUBSCRIPTION))
    found = clusters(azure, [SUBSCRIPTION, OTHER_SUBSCRIPTION], None, silent)
    assert [one.id for one in found] == [*ids, far]
    assert {one.association for one in found[:-1]} == {Association.WHOLE}
    assert found[0].since == "2026-11-24T10:20:30Z"
    assert found[-1].association is Association.NONE and found[-1].since is None
    assert len(azure.asked) == 2 + 41


def test_one_group_alone() -> None:
    azure = Azure()
    inside = azure.cluster(cluster_id("a", "one"))
    azure.cluster(cluster_id("b", "two"))
    assert [one.id for one in clusters(azure, [SUBSCRIPTION], "one", silent)] == [inside]


@pytest.mark.parametrize(
    ("gateway", "enabled", "association"),
    [
        (GATEWAY, True, Association.WHOLE),
        (GATEWAY, False, Association.SETTING_ONLY),
        (None, True, Association.FLAG_ONLY),
        (None, False, Association.NONE),
    ],
)
def test_halves_are_told_apart(gateway: Any, enabled: bool, association: Association) -> None:
    azure = Azure()
    azure.cluster(cluster_id("a"), gateway, enabled=enabled)
    (found,) = clusters(azure, [SUBSCRIPTION], None, silent)
    assert found.association is association
    assert association.half == (bool(gateway) != enabled)


def test_a_throttled_read_is_tried_again() -> None:
    azure = Azure()
    azure.cluster(cluster_id("a"), GATEWAY)
    azure.answers = [Failure("Azure refused (TooManyRequests)", "run again later", transient=True, retry_after=0.01)]
    heard: list[str] = []
    (found,) = clusters(azure, [SUBSCRIPTION], None, heard.append)
    assert found.association is Association.WHOLE
    assert "TooManyRequests" in heard[0]


def test_what_may_not_be_read_is_a_failure() -> None:
    azure = Azure()
    azure.cluster(cluster_id("a"), GATEWAY)
    azure.answers = [Failure("Azure refused GET (AuthorizationFailed)", "grant the caller this action")]
    with pytest.raises(Failure, match="grant the caller"):
        clusters(azure, [SUBSCRIPTION], None, silent)
    with pytest.raises(Failure, match="SubscriptionNotFound"):
        clusters(azure, [OTHER_SUBSCRIPTION], None, silent)


def test_a_state_holds_what_its_command_made() -> None:
    """By the settings, which are the cluster's identity; where they are secret, by what the component reports."""
    plain, hidden, failed, replaced = (cluster_id(name) for name in ("plain", "hidden", "failed", "replaced"))
    outer = component(plain)
    secret = component(hidden, "GatewayAssociation", outputs={"resourceId": str(hidden)})
    halfway, gone = component(failed), component(replaced)
    text = state(
        outer,
        command(outer, plain),
        secret,
        command(secret, hidden, inputs={"environment": PASSWORD}),
        halfway,
        gone,
        command(gone, replaced, pendingReplacement=True),
        {"urn": "urn:pulumi:prod::fleet::command:local:Command::x", "type": "command:local:Command"},
    )
    found = {holding.cluster: holding for holding in read_state(text, "prod")}
    assert {id_: holding.whole for id_, holding in found.items()} == {
        plain: True,
        hidden: True,
        failed: False,
        replaced: False,
    }
    assert str(found[plain]) == "fleet/prod/plain"


def test_a_component_that_says_its_cluster_by_id() -> None:
    wanted = cluster_id("given")
    (holding,) = read_state(state(component(wanted, inputs={"clusterId": str(wanted)})), "prod")
    assert holding.cluster == wanted and not holding.whole
    assert read_state(state(component(wanted, inputs={"clusterName": "given"})), "prod") == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"deployment": null}', '{"deployment": {"resources": [1]}}'])
def test_no_state_is_told_apart_from_an_empty_one(text: str) -> None:
    with pytest.raises(Failure, match=r"old\.json is no exported state"):
        read_state(text, "old.json")
    assert read_state('{"version": 3, "deployment": {"manifest": {}}}', "new.json") == []


def test_what_a_state_holds_and_azure_has_not_is_shown() -> None:
    gone, elsewhere = cluster_id("gone", "RG"), cluster_id("x", subscription=OTHER_SUBSCRIPTION)
    holdings = [holding for id_ in (gone, elsewhere) for holding in read_state(state(*held(id_)), "prod")]
    (found,) = with_holders([], holdings, [SUBSCRIPTION.upper()], "rg")
    assert found.id == gone and found.seen.cluster is None and not found.orphan
    assert with_holders([], holdings, [SUBSCRIPTION], "other") == []


def test_an_orphan_is_ours_and_in_no_state(azure: Azure) -> None:
    mine, lost, begun = (azure.cluster(cluster_id(name), ours=True) for name in ("mine", "lost", "begun"))
    azure.cluster(cluster_id("theirs"))
    outer = component(mine)
    text = state(outer, command(outer, mine), component(begun, stack="dev"))
    done = status("--orphans", states=text)
    assert done.exit_code == cli.FAILED
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["NAME", "begun", "lost"]
    assert "begun: `pulumi up --stack dev` in the project fleet goes on with it" in done.stderr
    assert "lost: declare it as before" in done.stderr
    assert f"az connectedk8s delete --name lost --resource-group rg --subscription {SUBSCRIPTION}" in done.stderr
    assert lost.name in done.stdout

    clean = status("--orphans", states=state(*(part for id_ in (mine, lost, begun) for part in held(id_))))
    assert clean.exit_code == 0 and clean.stdout == "" and "no orphans" in clean.stderr


def held(id_: Any) -> list[dict[str, Any]]:
    outer = component(id_)
    return [outer, command(outer, id_)]


def test_the_table(azure: Azure) -> None:
    azure.cluster(cluster_id("half"), GATEWAY, enabled=False)
    whole = azure.cluster(cluster_id("whole"), GATEWAY)
    done = status(states=state(*held(whole), *held(cluster_id("zgone"))))
    assert done.exit_code == 0
    head, half, entire, gone = done.stdout.splitlines()
    assert head.startswith("NAME "), "one subscription needs no column"
    assert "half: gateway.enabled is not set" in half and half.endswith("no state")
    assert entire.split()[-3:] == ["whole", "2026-11-24T10:20:30Z", "fleet/prod/whole"]
    assert "not in Azure" in gone


def test_json_says_what_was_not_looked_at(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    azure.cluster(cluster_id("a"), GATEWAY, ours=True)
    monkeypatch.setenv("PATH", "")
    done = status("--json")
    assert done.exit_code == 0, done.output
    told_ = json.loads(done.stdout)
    assert told_["states"] is None
    (one,) = told_["clusters"]
    assert one["heldBy"] is None and one["orphan"] is None and one["connectedByUs"] is True
    assert one["gatewayId"] == str(GATEWAY) and one["association"] == "whole"
    assert "pulumi is not on PATH" in done.stderr
    assert json.loads(status("--json", states=state()).stdout)["clusters"][0]["orphan"] is True


def test_orphans_cannot_be_told_without_states(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    done = status("--orphans")
    assert isinstance(done.exception, Failure) and "pulumi is not on PATH" in done.exception.cause


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--subscription", "production"], "is no subscription's id"),
        (["--stack-state", "-", "--stack", "dev"], "give one of them"),
        (["--stack-state", "/nowhere/x.json"], "/nowhere/x.json cannot be read"),
    ],
)
def test_what_is_given_wrongly(azure: Azure, arguments: list[str], words: str) -> None:
    done = status(*arguments)
    assert done.exit_code == 1 or done.exit_code == 2
    assert words in done.output + str(done.exception)


def test_a_failure_is_one_line_and_status_1(tmp_path: Path) -> None:
    env = {"PATH": "", "ARM_SUBSCRIPTION_ID": SUBSCRIPTION, "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "arcgateway", "status", "--orphans"],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "--stack-state FILE" in done.stderr


def fake_pulumi(folder: Path, body: str) -> dict[str, str]:
    program = folder / "pulumi"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.skipif(os.name == "nt", reason="the fake program is a shell script")
def test_states_are_exported_for_the_stacks_of_the_project(tmp_path: Path) -> None:
    log = tmp_path / "log"
    env = fake_pulumi(
        tmp_path,
        f'echo "$*" >>{log}\ncase "$2" in ls) echo \'[{{"name":"a"}},{{"name":"b"}}]\';; *) echo "state of $4";; esac',
    )
    assert export_states([], False, env, silent) == {"a": "state of a\n", "b": "state of b\n"}
    assert export_states(["o/p/s"], False, env, silent) == {"o/p/s": "state of o/p/s\n"}
    assert export_states([], True, env, silent).keys() == {"a", "b"}
    lists = [line for line in log.read_text().splitlines() if line.startswith("stack ls")]
    assert ["--all" in line for line in lists] == [False, True]
    assert "--show-secrets" not in log.read_text()


@pytest.mark.skipif(os.name == "nt", reason="the fake program is a shell script")
def test_what_pulumi_says_is_the_cause(tmp_path: Path) -> None:
    env = fake_pulumi(tmp_path, "echo 'warning: old' >&2; echo 'error: no stack named nope found' >&2; exit 255")
    with pytest.raises(Failure, match="no stack named nope found") as caught:
        export_states(["nope"], False, env, silent)
    assert "--stack nope" in caught.value.cause and "--stack-state" in caught.value.mend


def test_work_side_by_side_keeps_its_order_and_stops_at_a_failure() -> None:
    assert side_by_side(lambda number: number * number, range(50), silent, "") == [n * n for n in range(50)]
    started: list[int] = []
    gate = threading.Event()

    def work(number: int) -> None:
        started.append(number)
        if number == 0:
            raise ValueError("first")
        gate.wait(30)

    with pytest.raises(ValueError, match="first"):
        try:
            side_by_side(work, range(1000), lambda _line: gate.set(), "", workers=2)
        finally:
            gate.set()
    assert len(started) < 1000


def test_only_a_long_wait_is_told() -> None:
    heard = threading.Event()
    with told(lambda _line: heard.set(), lambda: "x", silence=3600):
        pass
    assert not heard.is_set()
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        if len(lines) == 2:
            heard.set()

    with told(tell, lambda: f"line {len(lines)}", silence=0.001, every=0.001):
        assert heard.wait(30)
    assert lines[:2] == ["line 0", "line 1"]


def test_an_orphan_needs_our_tag() -> None:
    assert not Status(cluster_id("a"), Seen({"tags": {"pulumi-arc-gateway": "else"}}, None)).orphan
