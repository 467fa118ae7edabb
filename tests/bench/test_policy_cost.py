"""The policy pack's benchmark runs, and no rule's cost for a resource grows with the stack."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from bench.policy import GROWTH, WITH
from sandbox.home import PROJECT

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def figures() -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "policy", "--resources", "20", "--rounds", "1", "--json"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_prints_figures_for_programs_to_read(figures: Any) -> None:
    assert set(figures["preview"]) == set(WITH)
    assert all(row["seconds"] > 0 for row in figures["preview"].values())


def test_every_rule_s_cost_grows_linearly_with_the_stack(figures: Any) -> None:
    assert {rule: row for rule, row in figures["growth"].items() if row["ratio"] > 1.5 * GROWTH} == {}
