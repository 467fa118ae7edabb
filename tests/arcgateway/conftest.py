"""A world of its own for each test of the driver."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from driver_world import World, world


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        made.env["ARCGATEWAY_PYTHON"] = sys.executable
        yield made
