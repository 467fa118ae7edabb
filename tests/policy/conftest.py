"""The policy pack's own folder is the first on its path, as when the engine starts it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "policy"))


@pytest.fixture(autouse=True, scope="session")
def _no_cloud_of_this_machine() -> Iterator[None]:
    """A rule heeds these variables of its process; those of whoever runs the tests count for nothing."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ARM_ENVIRONMENT", "ARM_METADATA_HOSTNAME"):
            patch.delenv(name, raising=False)
        yield
