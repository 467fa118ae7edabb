"""A small client of the Kubernetes API: objects, and lists that are followed for ever."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any

import aiohttp

from sandbox.node.settings import Json, Settings

MERGE_PATCH = "application/merge-patch+json"

#: Seconds. A followed list hears a bookmark about once a minute, so a longer silence means that nobody is there.
SILENCE = 180.0
PAUSE = 0.5

_log = logging.getLogger(__name__)


class ApiError(Exception):
    """The API server's refusal: HTTP status and its own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


#: What a call raises when the API server is away for the moment.
Away = (aiohttp.ClientError, TimeoutError, OSError)


class Api:
    """The API server, as the node's user."""

    def __init__(self, settings: Settings) -> None:
        self._session = aiohttp.ClientSession(
            base_url=settings.server,
            headers={"Authorization": f"Bearer {settings.token}", "User-Agent": f"sandbox-node/{settings.cluster}"},
            connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=settings.root), limit=16),
            timeout=aiohttp.ClientTimeout(total=30),
            skip_auto_headers=("Accept-Encoding",),
        )

    async def __aenter__(self) -> Api:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: Json | None = None, content: str = "application/json") -> Json:
        """Ask, and return the answered object.

        Raises:
            ApiError: it was refused.
            aiohttp.ClientError, TimeoutError, OSError (`Away`): nobody answered.
        """
        data = None if body is None else json.dumps(body)
        async with self._session.request(method, path, data=data, headers={"Content-Type": content}) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise ApiError(answer.status, _message(text))
            return dict(json.loads(text))

    async def follow(
        self, path: str, listed: Callable[[list[Json]], None], changed: Callable[[str, Json], None]
    ) -> None:
        """Hand over a list's items, then each change as it comes; again from the list whenever that breaks.

        Args:
            path: of the list.
            listed: called with all items, at first and whenever changes may have been missed.
            changed: called with ADDED, MODIFIED or DELETED, and the object.
        """
        version = ""
        while True:
            try:
                if not version:
                    answer = await self.call("GET", path)
                    version = answer["metadata"]["resourceVersion"]
                    listed(answer["items"])
                async for event in self._watch(path, version):
                    if event["type"] == "ERROR":
                        version = ""
                        break
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        changed(event["type"], event["object"])
            except ApiError as error:
                _log.info("list %s: %s", path, error)
                version = ""
                await asyncio.sleep(PAUSE)
            except Away as error:
                _log.info("list %s: %s", path, error or type(error).__name__)
                await asyncio.sleep(PAUSE)

    async def _watch(self, path: str, version: str) -> AsyncIterator[Json]:
        query = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
        patience = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=SILENCE)
        async with self._session.get(path, params=query, timeout=patience) as answer:
            if answer.status >= 400:
                raise ApiError(answer.status, _message(await answer.text()))
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)


def _message(text: str) -> str:
    try:
        answer: Any = json.loads(text)
        return str(answer["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:200] or "no message"
