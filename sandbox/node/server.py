"""What the API server asks a node for: logs, and the pods that it has."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from datetime import datetime

from aiohttp import web

from sandbox.node.kubelet import Kubelet
from sandbox.node.logs import LogRequest, read
from sandbox.node.pod import NoLog
from sandbox.node.settings import Settings


async def serve(settings: Settings, kubelet: Kubelet) -> web.AppRunner:
    """Serve on the node's port until the returned runner is cleaned up.

    All but `/healthz` is for the API server alone, which shows a certificate of our root with its own name in it.
    """
    app = web.Application(middlewares=[_only_for(settings.client)])
    app.add_routes(
        [
            web.get("/healthz", _Handlers(kubelet).health),
            web.get("/pods", _Handlers(kubelet).pods),
            web.get("/containerLogs/{namespace}/{pod}/{container}", _Handlers(kubelet).logs),
        ]
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=settings.root)
    context.load_cert_chain(settings.chain, settings.key)
    context.verify_mode = ssl.CERT_OPTIONAL
    # Without the cancellation a reader that has gone away would be followed for ever.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", settings.port, ssl_context=context).start()
    return runner


def log_request(query: Mapping[str, str], now: float) -> LogRequest:
    """What the API server's query asks for.

    Raises:
        ValueError: a number or a time in it is none.
    """
    since = None
    if "sinceSeconds" in query:
        since = now - float(query["sinceSeconds"])
    if "sinceTime" in query:
        since = datetime.fromisoformat(query["sinceTime"].replace("Z", "+00:00")).timestamp()
    return LogRequest(
        follow=query.get("follow") == "true",
        tail=int(query["tailLines"]) if "tailLines" in query else None,
        since=since,
        timestamps=query.get("timestamps") == "true",
        limit=int(query["limitBytes"]) if "limitBytes" in query else None,
    )


def _only_for(client: str):  # type: ignore[no-untyped-def]
    @web.middleware
    async def check(request: web.Request, handler):  # type: ignore[no-untyped-def]
        certificate = request.transport.get_extra_info("peercert") if request.transport else None
        names = {value for rdn in (certificate or {}).get("subject", ()) for key, value in rdn if key == "commonName"}
        if request.path != "/healthz" and client not in names:
            raise web.HTTPUnauthorized(text="this port is for the cluster's API server: ask it, with kubectl\n")
        return await handler(request)

    return check


class _Handlers:
    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet

    async def health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok") if self._kubelet.ready else web.Response(status=503, text="not registered yet")

    async def pods(self, _: web.Request) -> web.Response:
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "items": self._kubelet.pods()})

    async def logs(self, request: web.Request) -> web.StreamResponse:
        names = request.match_info
        try:
            wanted = log_request(request.query, time.time())
            worker = self._kubelet.worker(names["namespace"], names["pod"])
            path, writer = worker.log(names["container"], request.query.get("previous") == "true")
        except (NoLog, ValueError) as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        answer = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await answer.prepare(request)
        async for piece in read(path, writer, wanted):
            await answer.write(piece)
        await answer.write_eof()
        return answer
