"""`python -m sandbox.virtual`: the virtual clusters of the sandbox whose state is in $SANDBOX_HOME."""

from __future__ import annotations

import asyncio
import contextlib
import signal

from sandbox.home import Home
from sandbox.virtual.server import serve


async def _until_told() -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serve(Home.default())


if __name__ == "__main__":
    asyncio.run(_until_told())
