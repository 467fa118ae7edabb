"""The allowlist as a whole: states, times, and the forms that proxies, firewalls and clusters read."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from fleet_world import GATEWAY as GATEWAY_ID
from fleet_world import SUBSCRIPTION, Azure, cluster_id
from hypothesis import given
from hypothesis import strategies as st

from arcgateway import allowlist_diff, allowlist_formats, azure_firewall, cli, endpoints, endpoints_command
from arcgateway.allowlist import Allowlist, Cluster, build
from arcgateway.allowlist_formats import FORMS, Sheet, render
from arcgateway.proxy import ProxyUrl
from arcgateway.times import moment

GATEWAY = "abc.gw.arc.azure.com"
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def hosts(made: Allowlist, *states: Any) -> list[str]:
    return [entry.endpoint.host for entry in made.of(*states)]


def run(*words: str) -> Result:
    return CliRunner().invoke(cli._group, ["endpoints", *words])


# --- states and times ---


def test_the_published_counts() -> None:
    assert endpoints.published_counts("preview") == (7, 9)
    assert endpoints.published_counts("ga") == (9, 9)
    for edition in endpoints.EDITIONS:
        assert len(endpoints.required(GATEWAY, "eastus", edition=edition)) == 9


def test_rows_are_none_twice_and_each_is_needed_somewhere() -> None:
    rows = endpoints._data()["endpoints"]
    keys = [(row["host"], row["port"], row["scenario"], row["hop"], row["edition"]) for row in rows]
    assert len(set(keys)) == len(keys)
    assert all(row["withGateway"] or row["withoutGateway"] for row in rows)
    assert all(row.get("probe") for row in rows if "*" in row["host"] or "{code}" in row["host"])


def test_several_regions_make_one_list() -> None:
    made = build(GATEWAY, ["eastus", "West Europe", "eastus"])
    assert made.regions == ("eastus", "westeurope")
    assert {"eus.his.arc.azure.com", "weu.his.arc.azure.com"} <= set(hosts(made, "required"))
    keys = [(entry.endpoint.host, entry.endpoint.port) for entry in made.entries]
    assert len(set(keys)) == len(keys)


def test_what_no_list_lets_close_is_kept_with_the_reason() -> None:
    made = build(GATEWAY, ["eastus"], ["azure-rbac", "data-services", "extensions"])
    kept = {f"{entry.endpoint.host}:{entry.endpoint.port}": entry.reason for entry in made.of("kept")}
    assert set(kept) == {
        "*.his.arc.azure.com:443",
        "eastus.obo.arc.azure.com:8084",
        "arcdataservicesrow1.azurecr.io:443",
        "arcdataservicesrow2.azurecr.io:443",
        "linuxgeneva-microsoft.azurecr.io:443",
    }
    assert "gbl.his.arc.azure.com" in kept["*.his.arc.azure.com:443"]


@given(
    st.lists(st.sampled_from(["eastus", "centralus", "westeurope"]), min_size=1, max_size=3),
    st.sets(st.sampled_from(endpoints.scenarios())),
    st.sampled_from(endpoints.EDITIONS),
)
def test_nothing_that_is_needed_can_be_closed(regions: Sequence[str], chosen: set[str], edition: Any) -> None:
    made = build(GATEWAY, regions, chosen, edition)
    needed = made.of("required")
    for entry in made.of("removable"):
        row = entry.endpoint
        assert row.carried and row.hop == "agents"
        assert not any(
            row.port == kept.endpoint.port and endpoints.covers(row.host, kept.endpoint.host) for kept in needed
        )
        assert row.host not in {kept.endpoint.host for kept in needed}
    before = {row.host for region in regions for row in endpoints.required(None, region, chosen, edition)}
    assert before <= set(hosts(made, "required", "kept", "removable"))


def test_a_name_closes_an_hour_after_the_last_association_that_uses_it() -> None:
    clusters = [
        Cluster("a", "eastus", NOON),
        Cluster("b", "eastus", NOON - timedelta(days=1)),
        Cluster("c", "westeurope", NOON + timedelta(days=2)),
    ]
    times = {entry.endpoint.host: entry.removable_at for entry in build(GATEWAY, [], clusters=clusters).of("removable")}
    assert times["eastus.dp.kubernetesconfiguration.azure.com"] == NOON
    assert times["westeurope.dp.kubernetesconfiguration.azure.com"] == NOON + timedelta(days=2)
    assert times["sts.windows.net"] == NOON + timedelta(days=2)


def test_a_cluster_without_a_gateway_keeps_open_what_it_uses() -> None:
    clusters = [Cluster("a", "eastus", NOON), Cluster("old", "westeurope", None)]
    found = {entry.endpoint.host: entry for entry in build(GATEWAY, [], clusters=clusters).of("removable")}
    assert found["eastus.dp.kubernetesconfiguration.azure.com"].removable_at == NOON
    assert found["sts.windows.net"].removable_at is None and found["sts.windows.net"].waiting == ("old",)


@pytest.mark.parametrize("text", ["2026-11-26T12:00:00Z", "2026-11-26T12:00:00", "2026-11-26T14:00:00+02:00"])
def test_times_are_read_with_and_without_an_offset(text: str) -> None:
    assert moment(text) == NOON


# --- forms ---


def sheet(*scenarios: str, proxy: str | None = None, gateway: str | None = GATEWAY) -> Sheet:
    made = build(gateway, ["eastus"], scenarios)
    return Sheet(made.of("required"), made.heading, ProxyUrl.parse(proxy) if proxy else None)


def test_the_command_knows_all_forms() -> None:
    assert tuple(FORMS) == endpoints_command.FORMATS
    assert allowlist_diff.SHAPES == endpoints_command.SHAPES


def test_csv_is_a_table_that_is_read_again() -> None:
    text = render("csv", sheet("container-insights"))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == allowlist_formats.COLUMNS and len(rows) == 12
    made = build(GATEWAY, ["eastus"], ["container-insights"])
    assert allowlist_diff.shape_of(text, "list") == "csv"
    found = allowlist_diff.compare(text, "csv", made)
    assert not (found.missing or found.superfluous or found.too_wide or found.unjudged)


@pytest.mark.parametrize("form", ["plain", "edl"])
def test_lists_of_our_own_have_no_difference(form: str) -> None:
    made = build(None, ["eastus"], endpoints.scenarios())
    text = render(form, Sheet(made.of("required"), made.heading))
    assert allowlist_diff.shape_of(text, "list.txt") == "plain"
    found = allowlist_diff.compare(text, "plain", made)
    assert not (found.missing or found.superfluous or found.too_wide or found.unjudged)


def test_a_dynamic_list_ends_each_name_with_a_slash() -> None:
    lines = render("edl", sheet("azure-rbac", gateway=None)).splitlines()
    assert all(line.endswith("/") and ":" not in line for line in lines) and len(set(lines)) == len(lines)
    assert "*.data.mcr.microsoft.com/" in lines and "eastus.obo.arc.azure.com/" in lines


def test_an_azure_firewall_template_names_every_host_on_its_port() -> None:
    template = json.loads(render("azure-firewall", sheet("azure-rbac", "container-insights", gateway=None)))
    (resource,) = template["resources"]
    (collection,) = resource["properties"]["ruleCollections"]
    assert collection["action"] == {"type": "Allow"}
    ports = {
        (host, protocol["port"])
        for rule in collection["rules"]
        for host in rule["targetFqdns"]
        for protocol in rule["protocols"]
    }
    rows = endpoints.required(None, "eastus", ["azure-rbac", "container-insights"])
    assert ports == {(row.host, row.port) for row in rows}
    assert not any(rule["terminateTLS"] for rule in collection["rules"])
    names = [rule["name"] for rule in collection["rules"]]
    assert len(set(names)) == len(names)


def test_the_sdks_types_take_the_rules() -> None:
    from pulumi_azure_native import network

    group = azure_firewall.rule_collection_group(build(GATEWAY, ["eastus"]).of("required"))
    collection_keys = network.FirewallPolicyFilterRuleCollectionArgsDict.__annotations__
    rule_keys = network.ApplicationRuleArgsDict.__annotations__
    protocol_keys = network.FirewallPolicyRuleApplicationProtocolArgsDict.__annotations__
    snake = {"ruleType": "rule_type", "sourceAddresses": "source_addresses", "targetFqdns": "target_fqdns"}
    snake |= {"terminateTLS": "terminate_tls", "protocolType": "protocol_type"}
    snake |= {"ruleCollectionType": "rule_collection_type"}
    (collection,) = group["ruleCollections"]
    assert {snake.get(key, key) for key in collection} <= set(collection_keys)
    for rule in collection["rules"]:
        assert {snake.get(key, key) for key in rule} <= set(rule_keys)
        assert {snake.get(key, key) for protocol in rule["protocols"] for key in protocol} <= set(protocol_keys)


@pytest.mark.parametrize("priority", [99, 65001])
def test_a_priority_that_azure_does_not_take(priority: int) -> None:
    with pytest.raises(ValueError, match="100 to 65000"):
        azure_firewall.rule_collection_group((), priority)


def test_a_network_policy_says_that_it_names_no_host() -> None:
    text = render("networkpolicy", sheet("azure-rbac", gateway=None))
    assert "cannot name hosts" in text
    rules = yaml.safe_load(text)["spec"]["egress"]
    assert rules[-1] == {"ports": [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 8084}]}


@pytest.mark.parametrize("form", ["networkpolicy", "cilium"])
def test_behind_a_proxy_pods_reach_it_alone_and_its_password_stays_out(form: str) -> None:
    text = render(form, sheet(proxy="http://arc:canary@10.1.2.3:3128"))
    assert "canary" not in text and "arc:" not in text
    last = yaml.safe_load(text)["spec"]["egress"][-1]
    assert "10.1.2.3/32" in json.dumps(last) and "3128" in json.dumps(last) and "azure.com" not in json.dumps(last)


def test_cilium_sees_the_look_ups_that_its_names_need() -> None:
    spec = yaml.safe_load(render("cilium", sheet("azure-rbac", gateway=None)))["spec"]
    dns = next(rule for rule in spec["egress"] if "rules" in rule.get("toPorts", [{}])[0])
    assert dns["toPorts"][0]["rules"]["dns"] == [{"matchPattern": "*"}]
    names = {
        (next(iter(name.values())), int(rule["toPorts"][0]["ports"][0]["port"]))
        for rule in spec["egress"]
        for name in rule.get("toFQDNs", [])
    }
    assert names == {(row.host, row.port) for row in endpoints.required(None, "eastus", ["azure-rbac"])}
    by_name = yaml.safe_load(render("cilium", sheet(proxy="http://proxy.corp:3128")))["spec"]["egress"][-1]
    assert by_name["toFQDNs"] == [{"matchName": "proxy.corp"}]


# --- the command ---


def test_all_of_it_in_one_table_with_the_time_to_close() -> None:
    found = run(
        "--region", "eastus,westeurope", "--gateway", GATEWAY, "--all", "--associated-at", "2026-11-26T11:00:00Z"
    )
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert lines[0].split()[:5] == ["HOST", "PORT", "PROTOCOL", "STATE", "CLOSE"]
    assert any("sts.windows.net" in line and "from 2026-11-26T12:00:00Z" in line for line in lines)
    rows = json.loads(run("--region", "eastus", "--gateway", GATEWAY, "--all", "--json").stdout)
    assert {row["state"] for row in rows} == {"required", "kept", "removable"}
    assert all(row["removableAt"] is None for row in rows)


def test_the_time_comes_from_azure_where_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    azure = Azure()
    azure.gateway()
    azure.cluster(cluster_id("one"), GATEWAY_ID)
    monkeypatch.setattr(cli, "_arm", lambda: azure)
    words = ["--subscription", SUBSCRIPTION, "--gateway", GATEWAY]
    rows = json.loads(run(*words, "--removable", "--json").stdout)
    assert {row["removableAt"] for row in rows} == {"2026-11-24T11:20:30Z"}
    assert any(row["host"].endswith(".dp.kubernetesconfiguration.azure.com") for row in rows)
    azure.cluster(cluster_id("two"))
    waiting = run(*words, "--removable", "--json")
    assert {tuple(row["waitingFor"]) for row in json.loads(waiting.stdout)} == {("two",)}
    assert "without a gateway yet" in waiting.stderr and "two" in waiting.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--region"),
        (["--region", "east/us"], "no Azure region"),
        (["--region", "eastus", "--format", "squid", "--json"], "choose one format"),
        (["--region", "eastus", "--format", "pf"], "pf"),
        (["--region", "eastus", "--removable"], "--gateway"),
        (["--region", "eastus", "--gateway", GATEWAY, "--removable", "--all"], "--all"),
        (["--region", "eastus", "--gateway", GATEWAY, "--associated-at", "noon"], "no time"),
        (["--region", "eastus", "--gateway", "a b"], "no host name"),
        (["--region", "eastus", "--proxy", "http://u:canary@p"], "no port"),
        (["--subscription", "mine"], "no subscription"),
        (["--region", "eastus", "--json", "diff", "--file", "x"], "after its name"),
        (["diff", "--region", "eastus"], "--file"),
        (["diff", "--region", "eastus", "--file", "/nowhere/list"], "cannot be read"),
    ],
)
def test_wrong_usage_is_status_1_and_says_what_is_right(words: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "arcgateway", "endpoints", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1 and said in done.stderr and not done.stdout
    assert "canary" not in done.stderr and "Traceback" not in done.stderr
