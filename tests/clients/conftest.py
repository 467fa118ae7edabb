"""What clients that nobody here wrote are driven against: a local Azure for each module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from local_azure import LocalAzure


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    """An Azure that the tests of a module share; each has groups of its own."""
    with LocalAzure(tmp_path_factory.mktemp("azure") / "home") as azure:
        yield azure
