"""The SDK's mocks run on the thread's event loop, which tests that ran before may have taken away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def event_loop_of_this_thread() -> Iterator[None]:
    loop = asyncio.new_event_loop()
    # What fails is raised in the test. The futures that nobody awaits after that would be shown with tracebacks when
    # they are collected, for which Python parses source; in the middle of another parse it breaks that (gh-106905).
    loop.set_exception_handler(lambda *_: None)
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
