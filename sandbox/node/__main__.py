"""`python -m sandbox.node --cluster NAME`: one node, until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal

from sandbox.home import Home
from sandbox.images import IMAGES
from sandbox.node.api import Api
from sandbox.node.container import Ground
from sandbox.node.events import Events
from sandbox.node.kubelet import Kubelet
from sandbox.node.process import Warden
from sandbox.node.server import serve
from sandbox.node.settings import Settings, read_settings


async def run(settings: Settings) -> None:
    """Be the node until cancelled."""
    warden = await Warden.start()
    async with Api(settings) as api:
        ground = Ground(settings, api, Events(api, settings.node), warden, IMAGES)
        kubelet = Kubelet(ground)
        server = await serve(settings, kubelet)
        try:
            await kubelet.run()
        finally:
            await server.cleanup()


async def _until_signal(settings: Settings) -> None:
    task = asyncio.create_task(run(settings))
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox.node", description="a node that runs pods as local processes")
    parser.add_argument("--cluster", required=True, help="name of the cluster whose pods it takes")
    parser.add_argument("--back-off", type=float, default=10.0, help="seconds before a container's second restart")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(_until_signal(read_settings(Home.default(), arguments.cluster, arguments.back_off)))


if __name__ == "__main__":
    main()
