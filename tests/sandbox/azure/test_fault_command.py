"""`python -m sandbox fault`, and the page that describes faults."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from local_azure import GROUPS, LocalAzure

from sandbox.azure.fault_kinds import KINDS, MATCHERS
from sandbox.home import PROJECT

pytestmark = pytest.mark.usefixtures("no_faults")


@pytest.fixture(scope="module")
def group(azure: LocalAzure) -> str:
    return azure.group()


def command(azure: LocalAzure, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox", "--home", str(azure.home.root), *argv],
        cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "COLUMNS": "250"},
    )  # fmt: skip


def test_the_command_sets_shows_and_ends_faults(azure: LocalAzure, group: str) -> None:
    assert command(azure, "fault", "list").stdout == "no faults are set\n"
    made = command(azure, "fault", "add", "throttle", "--path", f"{group}*", "--method", "GET", "--retry-after", "9")
    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"fault \d+  throttle  methods GET, path /subscriptions/.*\*, retryAfter 9\n", made.stdout)
    second = json.loads(command(azure, "fault", "add", "server-error", "--html", "--count", "2", "--json").stdout)
    assert (second["html"], second["count"], second["active"]) == (True, 2, True)
    assert azure.call("GET", group, GROUPS).headers["Retry-After"] == "9"
    shown = command(azure, "fault", "list").stdout
    assert re.search(r"throttle +.*retryAfter 9 +1 +1 +active", " ".join(shown.split())) and "server-error" in shown
    views = json.loads(command(azure, "fault", "list", "--json").stdout)
    assert [one["struck"] for one in views] == [1, 0]
    status = command(azure, "status").stdout
    assert f"faults   {views[0]['id']} throttle, {second['id']} server-error: `python -m sandbox fault list`" in status
    assert command(azure, "fault", "clear", str(second["id"])).returncode == 0
    assert [one["kind"] for one in azure.faults()] == ["throttle"]
    assert command(azure, "fault", "clear").returncode == 0
    assert not azure.faults() and "faults" not in command(azure, "status").stdout


def test_the_command_says_what_is_wrong(azure: LocalAzure, tmp_path: Path) -> None:
    wrong = command(azure, "fault", "add", "throttle", "--status", "500")
    assert wrong.returncode == 1 and wrong.stderr.startswith("Error: throttle takes no 'status'; it takes methods,")
    unknown = command(azure, "fault", "add", "flood")
    assert unknown.returncode == 2 and "'flood' is not one of 'throttle'" in unknown.stderr
    absent = command(azure, "fault", "clear", "4711")
    assert absent.returncode == 1 and absent.stderr == "Error: There is no fault 4711; set are: none.\n"
    nobody = subprocess.run(
        [sys.executable, "-m", "sandbox", "--home", str(tmp_path), "fault", "list"],
        cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert nobody.returncode == 1 and "start it with `python -m sandbox up`" in nobody.stderr


def test_the_commands_of_the_page_work(azure: LocalAzure) -> None:
    page = (PROJECT / "docs/sandbox.md").read_text("utf-8")
    lines = re.findall(r"^python -m sandbox (fault .+)$", page, re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        done = command(azure, *line.split())
        assert done.returncode == 0, done.stderr
    assert not azure.faults()


def test_the_page_names_every_fault_and_setting_with_tests_that_there_are() -> None:
    page = (PROJECT / "docs/sandbox.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+)` \|(.*)\|$", page, re.MULTILINE))
    files = {name: (PROJECT / path).read_text("utf-8") for name, path in re.findall(r"`([FP])` is\s+`(.+?)`", page)}
    for name, kind in KINDS.items():
        tests = re.findall(r"`([FP])::(test_\w+)`", rows[name])
        assert {file for file, _ in tests} == {"F", "P"}, f"{name} needs a test of a client and one of the product"
        for setting in kind.settings:
            assert setting.option in rows[name], f"{name} takes {setting.option}"
    for file, test in re.findall(r"`([FP])::(test_\w+)`", page):
        assert f"def {test}(" in files[file], test
    for setting in MATCHERS:
        option = "--method" if setting.name == "methods" else setting.option
        assert f"`{option}`" in page, option
