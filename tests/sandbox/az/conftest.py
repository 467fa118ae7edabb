"""The recording world, one a test, its certificates made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from az_world import LOGIN, World, running

from sandbox.home import Home


@pytest.fixture(scope="session")
def certificate_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def outside(certificate_home: Home, tmp_path: Path) -> Iterator[World]:
    """Nobody logged in."""
    with running(certificate_home, tmp_path) as world:
        yield world


@pytest.fixture
def world(outside: World) -> World:
    """Logged in, and nothing recorded yet."""
    done = outside.az(*LOGIN)
    assert done.returncode == 0, done.stderr
    outside.calls.clear()
    return outside
