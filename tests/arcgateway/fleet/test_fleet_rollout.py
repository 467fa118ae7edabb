"""The order of a fleet's run: stages, gates, failures. The engine is a stand-in here, and real in tests/integration."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
from pulumi.automation import StackSummary

from arcgateway.errors import Failure
from arcgateway.fleet import gate
from arcgateway.fleet.board import Board
from arcgateway.fleet.description import Gate
from arcgateway.fleet.partition import FleetStack
from arcgateway.fleet.rollout import Rollout, Stage
from arcgateway.fleet.runner import Outcome, Runner, State
from arcgateway.fleet.tally import Tally, Trouble

OPEN = Gate(preflight=False, connected=0.0)


def stack(name: str, ring: str = "", needs: Sequence[str] = ("gateway",)) -> FleetStack:
    clusters = {f"{name}-{number}": {"resourceGroup": "g"} for number in range(2)} if ring else {}
    kind: Any = "clusters" if ring else "gateway"
    return FleetStack(name, kind, ring, "eastus", {"clusters": clusters}, tuple(clusters), tuple(needs) if ring else ())


class Engine:
    """Does what it is told for each stack and verb, and remembers the order."""

    def __init__(self, told: Mapping[tuple[str, str], State], there: Sequence[str] = ()) -> None:
        self.told, self.there = told, there
        self.done: list[tuple[str, str]] = []
        self.at_once = self.most = 0
        self.interrupted = False
        self.engines = self
        self.differing: dict[str, dict[str, str]] = {}
        self.states: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def existing(self) -> dict[str, StackSummary]:
        return {name: StackSummary(name, False, None, None, 3, None) for name in self.there}

    def _work(self, verb: str, one: FleetStack) -> Outcome:
        with self._lock:
            self.done.append((verb, one.name))
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        time.sleep(0.02)
        with self._lock:
            self.at_once -= 1
        state = self.told.get((verb, one.name), "changed")
        troubles = () if state in ("changed", "unchanged") else (Trouble("", "it did not work"),)
        tally = Tally(one.clusters)
        tally._differing = self.differing.pop(one.name, {})
        return Outcome(one, state, tally, troubles)

    def outputs(self, name: str) -> dict[str, Any]:
        return {"gateway": {}} if self.told.get(("outputs", name)) != "waiting" else {}

    def imagine(self, one: FleetStack, tally: Tally) -> Outcome:
        return self._work("imagine", one)

    def held(self, name: str) -> dict[str, str]:
        return {cluster: f"urn::{cluster}" for cluster in self.states.get(name, [])}

    def move(self, source: str, target: FleetStack, clusters: Sequence[str], *, exists: bool) -> None:
        if self.told.get(("move", source)) == "failed":
            raise Failure(f"the state of {source} cannot go", "see")
        self.done.append((f"move {','.join(clusters)} to {target.name}{'' if exists else ', which is made'}", source))

    def preview(self, one: FleetStack, tally: Tally, **_: Any) -> Outcome:
        return self._work("preview", one)

    def up(self, one: FleetStack, tally: Tally) -> Outcome:
        return self._work("up", one)

    def refresh(self, one: FleetStack, tally: Tally) -> Outcome:
        return self._work("refresh", one)

    def destroy(self, one: FleetStack, tally: Tally) -> Outcome:
        return self._work("destroy", one)

    def remove(self, name: str) -> None:
        self.done.append(("remove", name))


class World:
    """What Azure and the network say."""

    def __init__(self, connected: float = 1.0, closed: str = "") -> None:
        self.share, self.closed = connected, closed

    def preflight(self, stacks: Sequence[FleetStack]) -> None:
        if self.closed:
            raise Failure(self.closed, "open it")

    def connectivity(self, stacks: Sequence[FleetStack]) -> Mapping[str, str]:
        names = [name for one in stacks for name in one.clusters]
        return {
            name: "Connected" if number < self.share * len(names) else "Offline" for number, name in enumerate(names)
        }


STAGES = [
    Stage("gateways", (stack("gateway"),)),
    Stage("one", (stack("a", "one"), stack("b", "one")), OPEN),
    Stage("two", (stack("c", "two"),), OPEN),
]


def rollout(engine: Engine, world: World | None = None, **changes: Any) -> Rollout:
    stacks = [one for stage in STAGES for one in stage.stacks]
    options = {"parallel": 2, "max_failures": 100, "connected_within": 0.0, **changes}
    return Rollout(cast(Runner, engine), Board(stacks), world or World(), **options)


def test_rings_come_one_after_the_other_and_each_is_looked_at_as_a_whole() -> None:
    engine = Engine({})
    run = rollout(engine)
    run.up(STAGES, prune=False)
    assert [set(part) for part in (engine.done[:2], engine.done[2:4], engine.done[4:6], engine.done[6:])] == [
        {("preview", "gateway"), ("up", "gateway")},
        {("preview", "a"), ("preview", "b")},
        {("up", "a"), ("up", "b")},
        {("preview", "c"), ("up", "c")},
    ]
    assert engine.most == 2
    assert not run.stopped


HOMES = {cluster: one for stage in STAGES for one in stage.stacks for cluster in one.clusters}


def test_a_cluster_that_comes_to_an_earlier_ring_takes_its_state_along_before_any_write() -> None:
    engine = Engine({("preview", "c"): "unchanged"}, ["gateway", "a", "b", "c"])
    engine.states = {"c": ["a-0", "c-0"], "b": ["b-0"]}
    engine.differing = {"a": {"a-0": "create", "a-1": "create"}}
    run = rollout(engine, homes=HOMES, is_ours=lambda name: name != "foreign")
    run.up(STAGES, prune=False)
    moved = engine.done.index(("move a-0 to a", "c"))
    assert moved < engine.done.index(("preview", "a"), moved) < engine.done.index(("up", "a"))
    assert [move.as_json() for move in run.moves] == [{"cluster": "a-0", "from": "c", "to": "a"}]
    assert ("up", "c") not in engine.done


@pytest.mark.parametrize("there", [["gateway", "a", "b", "c"], ["gateway", "a", "b"]], ids=["known", "new"])
def test_a_cluster_that_goes_to_a_later_ring_is_not_disconnected_by_the_first(there: list[str]) -> None:
    engine = Engine({}, there)
    engine.differing = {"a": {"c-1": "delete", "c-0": "delete", "gone": "delete"}}
    run = rollout(engine, homes=HOMES, is_ours=lambda name: True)
    run.up([STAGES[0], STAGES[1]], prune=False)
    assert (f"move c-0,c-1 to c{'' if 'c' in there else ', which is made'}", "a") in engine.done
    assert {move.cluster for move in run.moves} == {"c-0", "c-1"}


def test_a_state_that_cannot_go_along_stops_the_run_before_any_write() -> None:
    engine = Engine({("move", "a"): "failed", ("preview", "gateway"): "unchanged"}, ["gateway", "a", "b", "c"])
    engine.differing = {"a": {"c-1": "delete"}}
    run = rollout(engine, homes=HOMES)
    run.up(STAGES, prune=False)
    assert not any(verb == "up" for verb, _ in engine.done)
    assert "c-1 would be disconnected: the state of a cannot go" in run.stopped


def test_a_refused_ring_moves_nothing_and_a_plan_only_tells() -> None:
    engine = Engine({("preview", "b"): "refused"}, ["gateway", "a", "b", "c"])
    engine.differing = {"a": {"c-1": "delete"}}
    rollout(engine, homes=HOMES).up(STAGES, prune=False)
    assert not any(verb.startswith("move") for verb, _ in engine.done)
    engine = Engine({}, ["gateway", "a", "b", "c"])
    engine.differing = {"a": {"c-1": "delete"}}
    run = rollout(engine, homes=HOMES)
    run.plan(STAGES)
    assert [move.target for move in run.moves] == ["c"]
    assert not any(verb.startswith("move") for verb, _ in engine.done)


def test_clusters_wait_in_a_plan_where_their_gateways_stack_tells_of_no_gateway() -> None:
    engine = Engine({("outputs", "gateway"): "waiting"}, ["gateway", "a"])
    run = rollout(engine)
    run.plan(STAGES)
    assert {name: one.state for name, one in run.outcomes.items()} == {
        "gateway": "changed", "a": "waiting", "b": "waiting", "c": "waiting",
    }  # fmt: skip


def test_what_shows_no_change_is_not_updated() -> None:
    engine = Engine({("preview", name): "unchanged" for name in ("gateway", "a", "c")})
    rollout(engine).up(STAGES, prune=False)
    assert [name for verb, name in engine.done if verb == "up"] == ["b"]


def test_one_stack_that_is_refused_stops_its_ring_before_any_write() -> None:
    engine = Engine({("preview", "b"): "refused"})
    run = rollout(engine)
    run.up(STAGES, prune=False)
    assert [name for verb, name in engine.done if verb == "up"] == ["gateway"]
    assert {name: one.state for name, one in run.outcomes.items()} == {
        "gateway": "changed", "a": "skipped", "b": "refused", "c": "skipped",
    }  # fmt: skip
    assert "broke the policy pack" in run.stopped


def test_a_gateway_that_failed_holds_back_those_that_need_it_and_no_others() -> None:
    alone = Stage("one", (stack("a", "one"), stack("free", "one", needs=())), OPEN)
    engine = Engine({("up", "gateway"): "failed"})
    run = rollout(engine)
    run.up([STAGES[0], alone], prune=False)
    assert run.outcomes["a"].state == "skipped"
    assert run.outcomes["free"].state == "changed"


def test_no_further_stack_is_begun_after_so_many_failures() -> None:
    many = Stage("one", tuple(stack(f"s{number}", "one", needs=()) for number in range(8)), OPEN)
    engine = Engine({("up", f"s{number}"): "failed" for number in range(8)})
    run = rollout(engine, max_failures=2, parallel=1)
    run.up([many], prune=False)
    assert len([verb for verb, _ in engine.done if verb == "up"]) == 2
    assert [one.state for one in run.outcomes.values()].count("skipped") == 6
    assert "--max-failures is 2" in run.stopped


def test_a_preflight_that_fails_stops_the_ring_before_any_write() -> None:
    stages = [Stage("one", (stack("a", "one", needs=()),), Gate(preflight=True, connected=0))]
    engine = Engine({})
    run = rollout(engine, World(closed="mcr.microsoft.com is closed"))
    run.up(stages, prune=False)
    assert [verb for verb, _ in engine.done] == ["preview"]
    assert "mcr.microsoft.com is closed" in run.stopped
    unchanged = rollout(Engine({("preview", "a"): "unchanged"}), World(closed="it is closed"))
    unchanged.up(stages, prune=False)
    assert not unchanged.stopped, "where nothing is written nothing is probed"


@pytest.mark.parametrize(("share", "stopped"), [(1.0, False), (0.75, False), (0.5, True)])
def test_a_ring_needs_its_share_of_connected_clusters(share: float, stopped: bool) -> None:
    stages = [
        Stage("one", (stack("a", "one", ()), stack("b", "one", ())), Gate(preflight=False, connected=0.75)),
        Stage("two", (stack("c", "two", ()),), OPEN),
    ]
    engine = Engine({})
    run = rollout(engine, World(connected=share))
    run.up(stages, prune=False)
    assert bool(run.stopped) == stopped
    assert (("up", "c") in engine.done) != stopped
    if stopped:
        assert "2 of 4 clusters are connected (Offline), and the ring asks for 75%" in run.stopped


def test_a_locked_stack_ends_the_run_after_its_ring() -> None:
    engine = Engine({("up", "a"): "locked"})
    run = rollout(engine)
    run.up(STAGES, prune=False)
    assert ("up", "b") in engine.done
    assert ("preview", "c") not in engine.done
    assert run.outcomes["c"].state == "skipped"


def test_an_interrupted_run_begins_nothing_more() -> None:
    engine = Engine({})
    engine.interrupted = True
    run = rollout(engine)
    run.up(STAGES, prune=False)
    assert run.stopped == "the run was interrupted"
    assert not any(verb == "up" for verb, _ in engine.done)


def test_what_the_file_has_no_more_is_told_or_pruned_and_foreign_stacks_are_left_alone() -> None:
    there = ["gateway", "a", "b", "c", "old", "old-gateway-x", "foreign"]
    ours = lambda name: name.startswith("old")  # noqa: E731
    engine = Engine({}, there)
    run = rollout(engine, is_ours=ours)
    run.plan(STAGES)
    assert {name for name, one in run.outcomes.items() if one.state == "left over"} == {"old", "old-gateway-x"}
    run = rollout(engine, is_ours=ours)
    run.up(STAGES, prune=True)
    assert [one for one in engine.done if one[0] == "destroy"] == [("destroy", "old"), ("destroy", "old-gateway-x")]


def test_all_is_taken_down_from_the_last_ring_and_stops_where_something_stays() -> None:
    there = ["gateway", "a", "b", "c"]
    engine = Engine({}, there)
    rollout(engine).destroy(STAGES, remove=True)
    order = [name for verb, name in engine.done if verb == "destroy"]
    assert (order[0], set(order[1:3]), order[3]) == ("c", {"a", "b"}, "gateway")
    assert {name for verb, name in engine.done if verb == "remove"} == set(there)
    engine = Engine({("destroy", "b"): "failed"}, there)
    run = rollout(engine)
    run.destroy(STAGES, remove=True)
    assert ("destroy", "gateway") not in engine.done
    assert ("remove", "b") not in engine.done
    assert "b of one still hold something" in run.stopped


def test_the_headline_tells_how_far_a_run_is_and_how_long_it_will_take() -> None:
    stacks = [stack("a", "one"), stack("b", "one")]
    board = Board(stacks)
    assert board.headline().startswith("0 of 4 clusters done, 0 failed")
    board.end(stacks[0], "unchanged")
    board.begin(stacks[0], "preview")
    board.end(stacks[0], "unchanged")
    assert board.headline().startswith("2 of 4 clusters done, 0 failed")


def test_a_pause_ends_with_the_run() -> None:
    begun = time.monotonic()
    gate.pause(60, lambda: True)
    assert time.monotonic() - begun < 5


def test_each_way_out_of_a_rings_clusters_is_probed_once_with_its_credentials(tmp_path: Any) -> None:
    config = {
        "proxies": {
            "a": {"httpsUrl": "http://a:1", "username": "u", "skipRange": ["10.0.0.0/8"]},
            "b-c": {"httpUrl": "http://b:1"},
            "unused": {"httpUrl": "http://c:1"},
        },
        "clusters": {"x": {"proxy": "a"}, "y": {"proxy": "a"}, "z": {"proxy": "b-c"}, "direct": {}},
        "allowlist": {"scenarios": ["extensions"]},
    }
    secrets = {"proxies.a.password": "A_PASSWORD", 'proxies["b-c"].httpUrl': "B_URL"}
    made = FleetStack("s", "clusters", "r", "eastus", config, ("x",), (), secrets)
    env = {"A_PASSWORD": "p@ss", "B_URL": "http://v:w@b:2"}
    probes = list(gate._probes(made, tmp_path, env))
    assert [(one.get("ARC_PROXY_HTTPS"), one.get("ARC_PROXY_HTTP")) for one in probes] == [
        ("http://u:p%40ss@a:1", None),
        (None, "http://v:w@b:2"),
    ]
    assert {one["ARC_LOCATION"] for one in probes} == {"eastus"}
    off = FleetStack("s", "clusters", "r", "eastus", {**config, "preflight": {"mode": "off"}}, ("x",))
    assert not list(gate._probes(off, tmp_path, env))


def test_clusters_are_known_by_their_ids_and_paused_ones_are_not_asked_for() -> None:
    config = {
        "clusters": {
            "a": {"resourceGroup": "G"},
            "b": {"resourceGroup": "g", "name": "Store", "subscriptionId": "2" * 8 + "-2222" * 3 + "-" + "2" * 12},
            "paused": {"resourceGroup": "g", "enabled": False},
        }
    }
    made = FleetStack("s", "clusters", "r", "eastus", config, ("a", "b", "paused"))
    default = "1" * 8 + "-1111" * 3 + "-" + "1" * 12
    kind = "providers/microsoft.kubernetes/connectedclusters"
    assert gate.clusters([made], default) == {
        f"/subscriptions/{default}/resourcegroups/g/{kind}/a": "a",
        f"/subscriptions/22222222-2222-2222-2222-222222222222/resourcegroups/g/{kind}/store": "b",
    }
