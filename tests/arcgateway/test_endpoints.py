"""The endpoint data, and what is derived from it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcgateway.endpoints import EDITIONS, common, covers, region_code, removable, required, scenarios

GATEWAY = "abc.gw.arc.azure.com"
NINE = [
    GATEWAY,
    "management.azure.com",
    "eastus.obo.arc.azure.com",
    "login.microsoftonline.com",
    "eastus.login.microsoft.com",
    "gbl.his.arc.azure.com",
    "eus.his.arc.azure.com",
    "mcr.microsoft.com",
    "*.data.mcr.microsoft.com",
]
OPINSIGHTS = {"*.ods.opinsights.azure.com", "*.oms.opinsights.azure.com"}

CHOSEN = st.sets(st.sampled_from(scenarios()))
REGIONS = st.sampled_from(["eastus", "East US 2", "centralus", "brazilsouth"])


def hosts(rows: object) -> list[str]:
    return [row.host for row in rows]  # type: ignore[attr-defined]


def test_with_a_gateway_nine_names_are_needed_as_published() -> None:
    for edition in EDITIONS:
        rows = required(f"https://{GATEWAY}/", "East US", edition=edition)
        assert hosts(rows) == NINE and {row.port for row in rows} == {443}
    assert [row.host for row in required(GATEWAY, "eastus") if row.gateway] == [GATEWAY]


@pytest.mark.parametrize(
    ("scenario", "edition", "more"),
    [
        ("container-insights", "both", OPINSIGHTS | {"*.monitoring.azure.com"}),
        ("data-services", "both", OPINSIGHTS | {"*.monitoring.azure.com"}),
        ("key-vault", "both", {"*.vault.azure.net"}),
        ("defender", "preview", OPINSIGHTS),
        ("defender", "ga", OPINSIGHTS | {"*.cloud.defender.microsoft.com"}),
        ("azure-policy", "preview", {"data.policy.core.windows.net", "store.policy.core.windows.net"}),
        ("azure-policy", "ga", set()),
        ("azure-policy", "both", {"data.policy.core.windows.net", "store.policy.core.windows.net"}),
        ("azure-rbac", "both", set()),
    ],
)
def test_scenarios_add_their_names(scenario: str, edition: str, more: set[str]) -> None:
    rows = hosts(required(GATEWAY, "eastus", [scenario], edition))  # type: ignore[arg-type]
    assert rows[:9] == NINE and set(rows[9:]) == more


def test_the_vault_is_named_where_it_is_known() -> None:
    for vault in ("mine", "mine.vault.azure.net"):
        assert "mine.vault.azure.net" in hosts(required(GATEWAY, "eastus", ["key-vault"], vault=vault))


def test_without_a_gateway_websockets_and_the_region_are_listed() -> None:
    rows = {row.host: row for row in required(None, "westeurope", ["azure-rbac"])}
    assert rows["*.servicebus.windows.net"].websocket
    assert rows["westeurope.obo.arc.azure.com"].port == 8084
    assert {
        "westeurope.dp.kubernetesconfiguration.azure.com",
        "*.his.arc.azure.com",
        "login.windows.net",
        "weu.his.arc.azure.com",
    } <= rows.keys()
    assert "westeurope.obo.arc.azure.com" not in hosts(required(None, "westeurope"))


def test_a_region_without_a_confirmed_short_name_gets_the_pattern() -> None:
    assert region_code("centralus") is None and region_code("Canada Central") == "cc"
    assert "*.his.arc.azure.com" in hosts(required(GATEWAY, "centralus"))
    assert "*.his.arc.azure.com" not in hosts(removable(GATEWAY, "centralus"))


def test_what_the_gateway_makes_superfluous() -> None:
    assert hosts(removable(GATEWAY, "eastus")) == [
        "eastus.dp.kubernetesconfiguration.azure.com",
        "login.windows.net",
        "guestnotificationservice.azure.com",
        "*.guestnotificationservice.azure.com",
        "sts.windows.net",
        "*.servicebus.windows.net",
    ]


@given(REGIONS, CHOSEN, st.sampled_from(EDITIONS))
def test_nothing_removable_admits_a_name_that_is_still_needed(region: str, chosen: set[str], edition: str) -> None:
    kept = required(GATEWAY, region, chosen, edition)  # type: ignore[arg-type]
    before = required(None, region, chosen, edition)  # type: ignore[arg-type]
    gone = removable(GATEWAY, region, chosen, edition)  # type: ignore[arg-type]
    assert not any(covers(row.host, other.host) and row.port == other.port for row in gone for other in kept)
    assert set(hosts(gone)) <= set(hosts(before)) and all(row.hop != "workstation" for row in gone)
    assert len({(row.host, row.port) for row in kept}) == len(kept)


@given(REGIONS, CHOSEN, st.sampled_from([None, GATEWAY]))
def test_every_row_can_be_probed_and_says_where_it_is_from(region: str, chosen: set[str], gateway: str | None) -> None:
    for row in required(gateway, region, chosen, hops=("workstation", "nodes", "agents")):
        assert "*" not in row.probe and "{" not in row.probe + row.host
        assert covers(row.host, row.probe), "a pattern is probed by a name that it admits"
        assert row.source.startswith("https://") and date.fromisoformat(row.checked) and row.purpose


def test_what_a_proxy_must_admit_whatever_it_will_serve() -> None:
    assert hosts(common("eastus")) == [host for host in NINE if host not in (GATEWAY, "eastus.obo.arc.azure.com")]


def test_both_editions_together_hold_each() -> None:
    chosen = scenarios()
    both = set(hosts(required(GATEWAY, "eastus", chosen)))
    assert both == set(hosts(required(GATEWAY, "eastus", chosen, "preview"))) | set(
        hosts(required(GATEWAY, "eastus", chosen, "ga"))
    )


@pytest.mark.parametrize(
    "wrong",
    [{"scenarios": ["nothing"]}, {"edition": "beta"}, {"region": "east/us"}, {"gateway_endpoint": "http://x y"}],
)
def test_wrong_arguments_say_what_is_valid(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="give"):
        required(**{"gateway_endpoint": GATEWAY, "region": "eastus", **wrong})  # type: ignore[arg-type]


def test_the_command_prints_a_table_json_and_a_plain_list() -> None:
    def run(*more: str) -> subprocess.CompletedProcess[str]:
        words = ["-m", "arcgateway", "endpoints", "--region", "eastus", "--gateway", GATEWAY, *more]
        return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60, check=False)

    assert run("--plain").stdout.split() == [f"{host}:443" for host in NINE]
    assert [row["host"] for row in json.loads(run("--json").stdout)] == NINE
    table = run().stdout.splitlines()
    assert table[0].split() == ["HOST", "PORT", "PROTOCOL", "HOP", "SCENARIO", "PURPOSE"] and len(table) == 10
    gone = run("--removable", "--plain")
    assert "eastus.dp.kubernetesconfiguration.azure.com:443" in gone.stdout and "deployment machine" in gone.stderr
    wrong = run("--scenario", "nothing")
    assert wrong.returncode == 1 and "container-insights" in wrong.stderr
