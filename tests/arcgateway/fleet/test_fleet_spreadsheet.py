"""Clusters from a table: what is read, what is refused with its line, and where they land."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from fleet_files import SUBSCRIPTIONS, fleet, loaded, written

from arcgateway.fleet import spreadsheet
from arcgateway.fleet.command import fleet as commands
from arcgateway.fleet.description import FleetError
from arcgateway.fleet.partition import stacks

TABLE = Path("clusters.csv")


def test_a_table_becomes_clusters(tmp_path: Path) -> None:
    rows = (
        "\ufeffName;Ring;Region;Group;Context;existing;stack;tags.site;disableAutoUpgrade;configurationSettings.app.port\r\n"
        'shop-1;broad;West Europe;shops-eu;"admin@1";;;München;TRUE;8080\r\n'
        "\r\n"
        "shop-2;;;;;true;4;;;\r\n"
    )
    into = written(tmp_path, fleet({"old": {}})).read_text()
    made = spreadsheet.imported(TABLE, rows, Path("fleet.yaml"), into).text
    assert made.startswith(into)
    assert yaml.safe_load(made)["clusters"] == {
        "old": {},
        "shop-1": {
            "ring": "broad",
            "location": "West Europe",
            "resourceGroup": "shops-eu",
            "kubeContext": "admin@1",
            "tags": {"site": "München"},
            "disableAutoUpgrade": True,
            "configurationSettings": {"app": {"port": "8080"}},
        },
        "shop-2": {"existing": True, "stack": 4},
    }
    assert [stack.name for stack in stacks(loaded(tmp_path, made))][1:] == [
        "retail-canary-eastus-1",
        "retail-canary-eastus-4",
        "retail-broad-westeurope-1",
    ]


@pytest.mark.parametrize("clusters", ["{}", "", "{}   # none yet", "\n  old: {}   # there\n\n# the end"])
def test_a_table_goes_into_any_form_of_file(tmp_path: Path, clusters: str) -> None:
    head = written(tmp_path, fleet({})).read_text().replace("clusters: {}\n", "")
    for text in (f"{head}clusters: {clusters}\n", f"clusters: {clusters}\n{head}", f"{head}clusters: {clusters}"):
        made = spreadsheet.imported(TABLE, "name\na\nb\n", Path("fleet.yaml"), text).text
        assert set(loaded(tmp_path, made).clusters) - {"old"} == {"a", "b"}
        assert all(line in made.splitlines() for line in text.splitlines() if line and not line.startswith("clusters"))


def test_every_mistake_of_a_table_is_told_with_its_line(tmp_path: Path) -> None:
    rows = """\
name,ring,region,colour,tags,password,subscription,proxy,configurationProtectedSettings.a.b,ring
a,canary,eastus,,,,,,,
"b",canry,eastus,,,,,,,
c,canary,nowhere,,,,x,none,,
old,canary,eastus,,,,,,,
,canary,eastus,,,,,,,
a,broad,eastus,,,,,,,
d,canary,eastus,,,,,,,,,,too,many
"""
    into = written(tmp_path, fleet({"old": {}})).read_text()
    with pytest.raises(FleetError) as caught:
        spreadsheet.imported(TABLE, rows, Path("fleet.yaml"), into)
    found = {(one.line, one.key): one.text for one in caught.value.problems}
    for line, key, words in (
        (1, "colour", "is not a setting of a cluster"),
        (1, "tags", "has to be called tags.NAME"),
        (1, "password", "is not a setting of a cluster"),
        (1, "configurationProtectedSettings.a.b", "holds secrets"),
        (1, "ring", "is there twice"),
        (3, "clusters.b.ring", "did you mean canary?"),
        (4, "clusters.c.location", "no region"),
        (4, "clusters.c.proxy", "there is no proxy"),
        (4, "clusters.c.subscriptionId", "has to match"),
        (5, "clusters.old", "is in fleet.yaml already"),
        (6, "", "has no `key`"),
        (7, "clusters.a", "is in two rings, canary on line 2 and broad here"),
        (8, "", "has 14 fields, and the head 10"),
    ):
        assert words in found.get((line, key), ""), (line, key, found)
    assert str(caught.value).startswith("clusters.csv has 13 problems, and nothing was started: mend the table")


@pytest.mark.parametrize(
    ("rows", "words"),
    [("", "is empty"), ("ring\ncanary\n", "has no column `key`"), ('name\n"a\n', "is no row of a table")],
    ids=["empty", "no-key", "open-quote"],
)
def test_what_is_no_table_is_refused(tmp_path: Path, rows: str, words: str) -> None:
    with pytest.raises(FleetError, match=words):
        spreadsheet.imported(TABLE, rows, Path("fleet.yaml"), written(tmp_path, fleet({})).read_text())


def test_rows_over_several_lines_keep_their_line_numbers(tmp_path: Path) -> None:
    rows = 'name,tags.note,ring\na,"one\ntwo\nthree",canary\nb,,nowhere\n'
    with pytest.raises(FleetError) as caught:
        spreadsheet.imported(TABLE, rows, Path("fleet.yaml"), written(tmp_path, fleet({})).read_text())
    assert [(one.line, one.key) for one in caught.value.problems] == [(5, "clusters.b.ring")]
    made = spreadsheet.imported(
        TABLE, rows.replace("nowhere", ""), Path("fleet.yaml"), written(tmp_path, fleet({})).read_text()
    )
    assert yaml.safe_load(made.text)["clusters"]["a"]["tags"] == {"note": "one\ntwo\nthree"}


def test_a_thousand_rows_become_a_fleet_that_can_be_read(tmp_path: Path) -> None:
    table = tmp_path / "clusters.csv"
    rows = [f"shop-{n:04},{'canary' if n < 20 else 'broad'},eastus,shops,{SUBSCRIPTIONS[1]}" for n in range(1000)]
    table.write_text("\n".join(["key,ring,region,group,subscription", *rows]))
    printed = CliRunner().invoke(commands, ["import", str(table)], catch_exceptions=False)
    made = stacks(loaded(tmp_path, printed.stdout))
    assert [len(stack.clusters) for stack in made] == [0, 20, *[50] * 19, 30]
    assert made[0].config["azure-native:subscriptionId"] == SUBSCRIPTIONS[1]


def test_the_command_adds_to_a_file_and_fills_the_holes(tmp_path: Path) -> None:
    into = written(tmp_path, fleet({"a": {"stack": 1}, "b": {"stack": 2}, "c": {"stack": 2}, "d": {"stack": 2}}))
    table = tmp_path / "clusters.csv"
    table.write_text("name\nx\ny\nz\n")
    CliRunner().invoke(commands, ["import", str(table), "--into", str(into)], catch_exceptions=False)
    made = {key: one.number for key, one in loaded(tmp_path, into.read_text()).clusters.items()}
    assert made == {"a": 1, "b": 2, "c": 2, "d": 2, "x": 1, "y": 1, "z": 3}
