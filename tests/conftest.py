"""What tests of every part may use: a sandbox of their own."""

from __future__ import annotations

import signal
from collections.abc import Iterator

# Before a test has threads: Python 3.11 cannot parse in two threads at once ("AST constructor recursion depth
# mismatch"), and pytest parses what it imports.
import hypothesis  # noqa: F401
import pytest
from running_sandbox import Sandbox, started

# A shell's background job ignores interruptions, and so would all that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox in a temporary folder, as `make up` starts it."""
    with started(tmp_path_factory.mktemp("sandbox")) as running:
        yield running
