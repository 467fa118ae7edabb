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
    azure = LocalAzure(tmp_path / "home")
    azure.start()
    yield azure
    azure.stop()


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    """An Azure that the tests of a module share; each has groups of its own."""
    azure = LocalAzure(tmp_path_factory.mktemp("azure") / "home")
    azure.start()
    yield azure
    azure.stop()
