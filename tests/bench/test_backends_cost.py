"""The benchmark of places of state counts what each does, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import backends
from sandbox import state_backends
from sandbox.home import Home

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def test_a_step_costs_requests_and_a_preview_next_to_none(tmp_path: Path) -> None:
    if all(state_backends.missing(Home(tmp_path), name) for name in ("azblob", "s3")):
        pytest.skip("neither azurite-blob nor moto-server is here: `make backends` gets them")
    figures = backends.measure(tmp_path, 1, lambda line: None, sizes=(5, 15), latency=0.002, stacks=(2, 3))
    for name in figures.backends[1:]:
        few, many = (figures.requests[name, size, "up, all new"] for size in (5, 15))
        # Each resource is two steps, and a step is four requests; what a run costs besides does not grow with it.
        assert 80 <= many - few <= 100, (name, few, many)
        assert figures.requests[name, 15, "preview, all new"] < 20
        assert figures.ratio(name, 15, "up, all new") > 0
    assert figures.requests["file", 15, "up, all new"] == 0
    assert set(figures.stacks) == set(figures.backends)
