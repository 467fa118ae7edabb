"""Which stacks a fleet has: the rule, and that no cluster moves when others come and go."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from fleet_files import SUBSCRIPTIONS, fleet, loaded
from hypothesis import given, settings
from hypothesis import strategies as st

from arcgateway.fleet.checks import checked
from arcgateway.fleet.description import Fleet
from arcgateway.fleet.partition import FleetStack, is_of, stacks
from arcgateway.fleet.positions import Document

RINGS = [{"name": "canary"}, {"name": "early-bird"}, {"name": "broad"}]
REGIONS = ["eastus", "westeurope", "japaneast"]

_place = st.fixed_dictionaries(
    {
        "ring": st.sampled_from([ring["name"] for ring in RINGS]),
        "location": st.sampled_from(REGIONS),
        "stack": st.integers(1, 30),
    }
)
_clusters = st.dictionaries(st.integers(0, 99).map("shop-{}".format), _place, min_size=1, max_size=30)


def read(clusters: Mapping[str, Any]) -> Fleet:
    text = yaml.safe_dump(fleet(clusters, rings=RINGS, clustersPerStack=50), sort_keys=False)
    found, wrong = checked(Document(text), Path(), None)
    assert found is not None, wrong
    return found


def members(made: tuple[FleetStack, ...]) -> dict[str, str]:
    return {cluster: stack.name for stack in made for cluster in stack.clusters}


@settings(deadline=None, max_examples=50)
@given(_clusters, _clusters)
def test_clusters_that_come_move_none(before: dict[str, Any], coming: dict[str, Any]) -> None:
    was = members(stacks(read(before)))
    now = members(stacks(read(coming | before)))
    assert {key: now[key] for key in was} == was


@settings(deadline=None, max_examples=50)
@given(_clusters, st.data())
def test_clusters_that_go_move_none(before: dict[str, Any], data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from(sorted(before)), max_size=len(before) - 1))
    was = members(stacks(read(before)))
    now = members(stacks(read({key: one for key, one in before.items() if key not in gone})))
    assert now == {key: stack for key, stack in was.items() if key not in gone}


@settings(deadline=None, max_examples=50)
@given(_clusters, st.randoms(use_true_random=False))
def test_the_order_of_the_clusters_does_not_count(clusters: dict[str, Any], random: Any) -> None:
    shuffled = list(clusters.items())
    random.shuffle(shuffled)
    assert stacks(read(dict(shuffled))) == stacks(read(clusters))


@settings(deadline=None, max_examples=50)
@given(_clusters)
def test_each_cluster_is_in_one_stack_of_its_ring_and_region(clusters: dict[str, Any]) -> None:
    made = stacks(read(clusters))
    assert sorted(key for stack in made for key in stack.clusters) == sorted(clusters)
    assert len({stack.name for stack in made}) == len(made)
    for stack in made:
        assert all(clusters[key]["ring"] == stack.ring for key in stack.clusters)
        assert all(clusters[key]["location"] == stack.region for key in stack.clusters)
        assert sorted(stack.config.get("clusters", {})) == list(stack.clusters)


def test_gateways_come_first_then_ring_by_ring(tmp_path: Path) -> None:
    clusters = {"a": {"ring": "broad"}, "b": {"ring": "canary", "location": "westeurope"}, "c": {"stack": 2}, "d": {}}
    made = stacks(loaded(tmp_path, fleet(clusters)))
    assert [stack.name for stack in made] == [
        "retail-gateway-main",
        "retail-canary-eastus-1",
        "retail-canary-eastus-2",
        "retail-canary-westeurope-1",
        "retail-broad-eastus-1",
    ]
    assert [stack.kind for stack in made] == ["gateway", *["clusters"] * 4]
    assert made[0].needs == ()
    assert all(stack.needs == ("retail-gateway-main",) for stack in made[1:])
    assert made[0].config["azure-native:subscriptionId"] == SUBSCRIPTIONS[0]
    assert made[1].config["gateway"] == {"stack": "organization/arc-gateway/retail-gateway-main"}


def test_gateways_that_are_not_the_fleets_have_no_stack(tmp_path: Path) -> None:
    gateway = f"/subscriptions/{SUBSCRIPTIONS[1]}/resourceGroups/g/providers/Microsoft.HybridCompute/gateways/gw"
    given_ = {
        "theirs": {"id": gateway, "regions": ["West Europe"]},
        "others": {"stack": "acme/network/prod"},
    }
    clusters = {"a": {}, "b": {"location": "westeurope"}}
    east, west = stacks(loaded(tmp_path, fleet(clusters, gateways=given_)))
    assert (east.config["gateway"], east.needs) == ({"stack": "acme/network/prod"}, ())
    assert (west.config["gateway"], west.needs) == ({"id": gateway}, ())


def test_a_cluster_takes_the_first_gateway_that_serves_its_region(tmp_path: Path) -> None:
    own = {"resourceGroup": "gateways", "location": "eastus"}
    gateways = {
        "any": own,
        "europe": {**own, "name": "gw-europe", "regions": ["westeurope", "northeurope"]},
        "more": {**own, "regions": ["westeurope"]},
    }
    clusters = {
        "a": {},
        "b": {"location": "westeurope"},
        "c": {"location": "westeurope", "gateway": "more", "stack": 2},
        "d": {"location": "westeurope", "gateway": False, "stack": 2},
    }
    made = {stack.name: stack for stack in stacks(loaded(tmp_path, fleet(clusters, gateways=gateways)))}
    assert made["retail-canary-eastus-1"].needs == ("retail-gateway-any",)
    assert made["retail-canary-westeurope-1"].needs == ("retail-gateway-europe",)
    assert made["retail-canary-westeurope-2"].needs == ("retail-gateway-more",)
    assert made["retail-canary-westeurope-2"].config["clusters"]["d"]["gateway"] is False
    assert "gateway" not in made["retail-canary-westeurope-2"].config["clusters"]["c"]
    assert made["retail-gateway-europe"].config["gateway"]["name"] == "gw-europe"


def test_a_stack_has_the_proxies_of_its_clusters_alone(tmp_path: Path) -> None:
    proxies = {name: {"httpsUrl": f"http://{name}.example:3128"} for name in ("one", "two", "none")}
    clusters = {"a": {"proxy": "one"}, "b": {"ring": "broad", "proxy": "two"}, "c": {"ring": "broad"}}
    made = stacks(loaded(tmp_path, fleet(clusters, proxies=proxies)))
    assert [sorted(stack.config.get("proxies", {})) for stack in made] == [[], ["one"], ["two"]]


def test_secrets_are_named_and_not_held(tmp_path: Path) -> None:
    proxies = {"corp": {"httpsUrl": "http://proxy:3128", "username": "arc", "password": {"fromEnv": "PASSWORD"}}}
    protected = {"app": {"api.key": {"fromEnv": "KEY"}}}
    clusters = {"shop.1": {"proxy": "corp", "configurationProtectedSettings": protected}}
    content = fleet(clusters, proxies=proxies)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("contexts: [{name: shop.1}]")
    env = {"PASSWORD": "s3cret-1", "KEY": "s3cret-2", "KUBECONFIG": str(kubeconfig)}
    stack = stacks(loaded(tmp_path, content, env))[-1]
    assert stack.secrets == {
        "proxies.corp.password": "PASSWORD",
        'clusters["shop.1"].configurationProtectedSettings.app["api.key"]': "KEY",
    }
    assert "s3cret" not in repr(stack)
    assert stack.config["proxies"]["corp"] == {"httpsUrl": "http://proxy:3128", "username": "arc"}
    assert "configurationProtectedSettings" not in stack.config["clusters"]["shop.1"]


def test_files_are_taken_from_the_fleets_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import trustme

    root = trustme.CA().cert_pem.bytes().decode()
    (tmp_path / "root.pem").write_text(root)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    proxies = {"corp": {"httpsUrl": "https://proxy:3128", "certificate": "root.pem"}}
    content = fleet({"a": {"proxy": "corp"}}, proxies=proxies, preflight={"genuineRoots": ["root.pem"]})
    config = stacks(loaded(tmp_path, content))[-1].config
    assert config["proxies"]["corp"]["certificate"].strip() == root.strip()
    assert [one.strip() for one in config["preflight"]["genuineRoots"]] == [root.strip()]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("retail-canary-eastus-12", True),
        ("retail-gone-westeurope-1", True),
        ("retail-gateway-main", True),
        ("dev", False),
        ("retail", False),
        ("retailer-canary-eastus-1", False),
        ("other-retail-eastus-1", False),
    ],
)
def test_stacks_of_the_fleet_are_known_by_their_names(tmp_path: Path, name: str, ours: bool) -> None:
    assert is_of(loaded(tmp_path, fleet({"a": {}})), name) is ours
