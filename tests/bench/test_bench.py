"""The benchmark compares like with like, and runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.components import COMPONENTS, LEAVES, MEASURE, PHASES, TYPICAL, leaves
from sandbox.home import PROJECT, Home

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]  # some twenty runs of the engine


def test_all_programs_declare_the_same_leaves(tmp_path: Path) -> None:
    of_components = leaves(Home(tmp_path / COMPONENTS), 2, COMPONENTS)
    assert set(of_components) == {"corporate", "cluster-000", "cluster-001"}
    for program in (MEASURE, TYPICAL, LEAVES):
        assert leaves(Home(tmp_path / program), 2, program) == of_components


def test_it_prints_figures_for_programs_to_read() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "components", "--clusters", "1", "--rounds", "1", "--json"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert set(figures["phases"]) == set(PHASES)
    for phase in figures["phases"].values():
        assert phase[MEASURE]["ratio"] == 1 and phase[COMPONENTS]["seconds"] > 0
