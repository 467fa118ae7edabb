"""Events of pods: what a node has to say to the people who look at them."""

from __future__ import annotations

import asyncio
import logging

from sandbox.node.api import Api, ApiError, Away
from sandbox.node.settings import Json
from sandbox.node.status import timestamp

#: Events wait here for the API server; what comes when it is full is dropped, for nothing depends on events.
ROOM = 500

_log = logging.getLogger(__name__)


class Events:
    """Sends events in their order, without making anybody wait."""

    def __init__(self, api: Api, node: str) -> None:
        self._api = api
        self._node = node
        self._queue: asyncio.Queue[tuple[str, Json]] = asyncio.Queue(ROOM)

    def tell(self, pod: Json, reason: str, message: str, *, container: str = "", warning: bool = False) -> None:
        """Say something about a pod, or about one of its containers."""
        meta = pod["metadata"]
        now = timestamp()
        path = f"spec.containers{{{container}}}" if container else ""
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{meta['name']}.", "namespace": meta["namespace"]},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"],
                "fieldPath": path,
            },
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "source": {"component": "sandbox-node", "host": self._node},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            self._queue.put_nowait((meta["namespace"], event))
        except asyncio.QueueFull:
            _log.warning("dropped an event of %s/%s: %s", meta["namespace"], meta["name"], message)

    async def send(self) -> None:
        """Send what comes, for ever."""
        while True:
            namespace, event = await self._queue.get()
            try:
                await self._api.call("POST", f"/api/v1/namespaces/{namespace}/events", event)
            except (ApiError, *Away) as error:  # a namespace that goes away takes no events
                _log.info("event %s: %s", event["reason"], error or type(error).__name__)
