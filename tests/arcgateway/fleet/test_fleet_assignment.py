"""Places written into a fleet's file: for those that are new, and nothing else moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from fleet_files import SUBSCRIPTIONS, fleet, loaded, problems, written
from hypothesis import given, settings
from hypothesis import strategies as st

from arcgateway.errors import Failure
from arcgateway.fleet.assignment import assign
from arcgateway.fleet.command import fleet as commands
from arcgateway.fleet.description import FleetError
from arcgateway.fleet.partition import stacks

FILE = Path("fleet.yaml")


def text_of(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(content), sort_keys=False)


def places(folder: Path, text: str) -> dict[str, str]:
    """The stack of each cluster."""
    return {key: stack.name for stack in stacks(loaded(folder, text)) for key in stack.clusters}


def sizes(folder: Path, text: str) -> list[int]:
    return sorted(Counter(places(folder, text).values()).values())


def test_a_new_fleet_is_packed_into_as_few_stacks_as_can_be(tmp_path: Path) -> None:
    text = text_of(fleet({f"c{n:03}": {"ring": "broad" if n % 3 else "canary"} for n in range(100)}))
    with pytest.raises(FleetError, match="say --all-new where nothing is deployed"):
        assign(text, FILE)
    made = assign(text, FILE, all_new=True).text
    assert sizes(tmp_path, made) == [1] + [3] * 33
    assert assign(made, FILE).text == made


def test_a_fleet_whose_stacks_have_room_is_left_as_it_is() -> None:
    text = text_of(fleet({f"c{n}": {} for n in range(3)}))
    assert assign(text, FILE, all_new=True).text == text
    assert assign(text, FILE, ["c1"]).text == text


def test_only_who_is_new_is_moved_where_a_stack_first_overflows(tmp_path: Path) -> None:
    text = text_of(fleet({"newcomer": {}, "a": {}, "b": {}, "c": {}}))
    with pytest.raises(FleetError, match="--new KEY"):
        assign(text, FILE)
    made = assign(text, FILE, ["newcomer"])
    assert places(tmp_path, made.text) == {
        "newcomer": "retail-canary-eastus-2",
        **dict.fromkeys("abc", "retail-canary-eastus-1"),
    }
    # From here on the file says who is new.
    more = made.text.replace("clusters:\n", "clusters:\n  again: {}\n")
    after = places(tmp_path, assign(more, FILE).text)
    assert after.pop("again") == "retail-canary-eastus-2"
    assert after == places(tmp_path, made.text)


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_nothing_that_is_deployed_ever_moves(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Clusters come and go, in any order and anywhere in the file; each step is one edit and one `assign`."""
    folder = tmp_path_factory.mktemp("steps")
    clusters: dict[str, Any] = {}
    deployed: dict[str, str] = {}
    for step in range(data.draw(st.integers(1, 5))):
        for key in data.draw(st.sets(st.sampled_from(sorted(clusters)))) if clusters else ():
            del clusters[key]
        coming = {
            f"s{step}-{number}": {"location": data.draw(st.sampled_from(["eastus", "westus2"]))}
            for number in range(data.draw(st.integers(0, 9)))
        }
        clusters = coming | clusters if data.draw(st.booleans()) else clusters | coming
        text = assign(text_of(fleet(clusters)), FILE, list(coming)).text
        clusters = yaml.safe_load(text)["clusters"]
        now = places(folder, text)
        assert {key: now[key] for key in deployed if key in clusters} == {
            key: stack for key, stack in deployed.items() if key in clusters
        }
        assert all(count <= 3 for count in Counter(now.values()).values())
        assert assign(text, FILE).text == text
        deployed = now


def test_the_rest_of_the_file_stays_as_it_is(tmp_path: Path) -> None:
    clusters = """\
clusters:   # all of them
  # the first
  a: {ring: canary}   # in braces
  b: {}
  c:
    # what a comment says
    ring: canary
    tags: {site: München}   # 😀

  d: {ring: canary, stack: 7}
  e: { <<: *base }
"""
    base = "x-base"
    head = text_of(fleet({}, clustersPerStack=1)).replace("clusters: {}\n", "")
    text = head.replace("defaults:\n", "defaults: &base\n") + clusters
    made = assign(text, FILE, all_new=True).text
    assert base not in made
    assert made == head.replace("defaults:\n", "defaults: &base\n") + clusters.replace(
        "a: {ring", "a: {stack: 1, ring"
    ).replace("b: {}", "b: {stack: 2}").replace(
        "    ring: canary\n    tags", "    stack: 3\n    ring: canary\n    tags"
    ).replace("e: { <<", "e: { stack: 4, <<")
    windows = assign(text.replace("\n", "\r\n"), FILE, all_new=True).text
    assert windows == made.replace("\n", "\r\n")


def test_an_entry_that_is_an_alias_is_not_edited() -> None:
    text = text_of(fleet({}, clustersPerStack=1)).replace(
        "clusters: {}\n", "clusters:\n  a: &a {ring: canary}\n  b: *a\n"
    )
    with pytest.raises(Failure, match=r"clusters\.[ab] is not written out where its key is"):
        assign(text, FILE, all_new=True)


def test_a_stack_that_was_overfilled_by_hand_is_told(tmp_path: Path) -> None:
    text = text_of(fleet({key: {"stack": 2} for key in "abcd"}))
    with pytest.raises(FleetError, match="stack 2 of ring canary in eastus takes 3"):
        assign(text, FILE)
    assert places(tmp_path, assign(text, FILE, ["b"]).text)["b"] == "retail-canary-eastus-1"


def test_an_unknown_name_and_other_mistakes_are_refused() -> None:
    with pytest.raises(Failure, match="has no cluster and no gateway nobody"):
        assign(text_of(fleet({"a": {}})), FILE, ["nobody"])
    with pytest.raises(FleetError, match="there is no ring"):
        assign(text_of(fleet({"a": {"ring": "x"}})), FILE, all_new=True)


def test_clusters_of_two_gateways_get_stacks_of_their_own(tmp_path: Path) -> None:
    gateways = {name: {"resourceGroup": "g", "location": "eastus"} for name in ("one", "two")}
    clusters = {f"c{n}": {"gateway": ["one", "two", False][n % 3]} for n in range(12)}
    text = assign(text_of(fleet(clusters, gateways=gateways)), FILE, all_new=True).text
    for stack in stacks(loaded(tmp_path, text)):
        used = {clusters[key]["gateway"] for key in stack.clusters} - {False}
        assert len(used) <= 1
    assert len(set(places(tmp_path, text).values())) <= 5


def test_clusters_beyond_a_gateways_capacity_get_the_next_one(tmp_path: Path) -> None:
    gateways = {name: {"resourceGroup": "g", "location": "eastus"} for name in ("one", "two")}
    content = fleet({f"c{n:04}": {} for n in range(1100)}, gateways=gateways, clustersPerStack=50)
    made = loaded(tmp_path, assign(text_of(content), FILE, all_new=True).text)
    assert Counter(one.gateway for one in made.clusters.values()) == {"one": 1000, "two": 100}
    assert len(stacks(made)) == 2 + 22


def test_gateways_are_spread_over_subscriptions(tmp_path: Path) -> None:
    gateways: dict[str, Any] = {f"g{n}": {"resourceGroup": "g", "location": "eastus"} for n in range(5)}
    content = fleet({"a": {}}, gateways=gateways, subscriptions=SUBSCRIPTIONS)
    assert assign(text_of(content), FILE).text == text_of(content)
    gateways |= {f"h{n}": {"resourceGroup": "g", "location": "eastus"} for n in range(4)}
    assert [one.key for one in problems(tmp_path, content)] == [
        "gateways.h0",
        "gateways.h1",
        "gateways.h2",
        "gateways.h3",
    ]
    made = loaded(tmp_path, assign(text_of(content), FILE, [f"h{n}" for n in range(4)]).text)
    spread = {key: one.subscription for key, one in made.gateways.items()}
    assert all(spread[f"g{n}"] == SUBSCRIPTIONS[0] for n in range(5))
    assert Counter(spread[f"h{n}"] for n in range(4)) == {SUBSCRIPTIONS[1]: 2, SUBSCRIPTIONS[2]: 2}
    gateways |= {f"i{n}": {"resourceGroup": "g", "location": "eastus"} for n in range(7)}
    with pytest.raises(FleetError, match="one gateway too many"):
        assign(text_of(content), FILE, all_new=True)


def test_the_command_writes_the_file_and_says_what(tmp_path: Path) -> None:
    path = written(tmp_path, fleet({f"c{n}": {} for n in range(4)}))
    before = path.read_text()
    dry = CliRunner().invoke(commands, ["assign", str(path), "--new", "c1", "--dry-run"])
    assert dry.exit_code == 0, dry.output
    assert "stack: 2 for clusters.c1" in dry.output
    assert path.read_text() == before
    CliRunner().invoke(commands, ["assign", str(path), "--new", "c1"], catch_exceptions=False)
    assert places(tmp_path, path.read_text())["c1"] == "retail-canary-eastus-2"
    listed = CliRunner().invoke(commands, ["stacks", str(path), "--only-file"], catch_exceptions=False)
    assert listed.output.split("\n")[2].split()[:4] == ["retail-canary-eastus-1", "canary", "eastus", "3"]
