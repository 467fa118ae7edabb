"""A local Azure for each module, and one for a test that wants it fresh."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_azure import LocalAzure

# The driver's fake cluster is also used here, between the driver and a local Azure.
sys.path.append(str(Path(__file__).parents[2] / "arcgateway"))


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[LocalAzure]:
    """An Azure that the test may kill and fill as it likes."""
    with LocalAzure(tmp_path / "home") as azure:
        yield azure


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    """An Azure that the tests of a module share; each has groups of its own."""
    with LocalAzure(tmp_path_factory.mktemp("azure") / "home") as azure:
        yield azure


@pytest.fixture
def no_faults(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test that has the shared Azure, no fault is set there."""
    yield
    if "azure" in request.fixturenames:
        shared: LocalAzure = request.getfixturevalue("azure")
        shared.clear_faults()
