"""The server: one TLS port for all of Azure's names, told apart by the Host header."""

from __future__ import annotations

import asyncio
import re
import signal
import ssl
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl

from aiohttp import web

from sandbox.azure import arm, control, dataplane, login, metadata, registry
from sandbox.azure.core import Azure, Call, Reply
from sandbox.azure.documents import encode
from sandbox.azure.errors import ArmError
from sandbox.azure.store import Store
from sandbox.certificates import AZURE_NAMES, certificates
from sandbox.home import PROJECT, Home

#: ARM's own limit; a client that sends more gets 413.
MAX_BODY = 4 * 1024 * 1024
OWN_HOSTS = ("localhost", "127.0.0.1", "[::1]")

Part = Callable[[Azure, Call], Reply]

_AZURE = re.compile("|".join(re.escape(name).replace(r"\*", r"[\w-]+") for name in AZURE_NAMES))


def part_of(host: str, path: str) -> Part:
    """Which part of Azure answers for a host name (lower case, without a port) and a path."""
    if host in OWN_HOSTS:
        for prefix, part in _OWN:
            if path.lower().startswith(prefix):
                return part
        return login.answer
    if host.endswith(".dp.kubernetesconfiguration.azure.com"):
        return dataplane.answer
    if host in _HOSTS:
        return _HOSTS[host]
    return _plain if _AZURE.fullmatch(host) else _misdirected


def _management(azure: Azure, call: Call) -> Reply:
    if call.path.rstrip("/").lower() == "/metadata/endpoints":
        return metadata.answer(call, own=False)
    return arm.answer(azure, call)


def _own_metadata(azure: Azure, call: Call) -> Reply:
    return metadata.answer(call, own=True)


def _plain(azure: Azure, call: Call) -> Reply:
    """A name that only has to be reached."""
    return Reply(200 if call.path == "/" else 404, f"{call.base.split('//')[1]} in the sandbox\n".encode())


def _misdirected(azure: Azure, call: Call) -> Reply:
    return Reply(421, b"this is the sandbox's Azure; it does not answer for that name\n")


_OWN: tuple[tuple[str, Part], ...] = (
    ("/metadata/endpoints", _own_metadata),
    ("/subscriptions", arm.answer),
    ("/providers", arm.answer),
    ("/tenants", arm.answer),
    ("/sandbox/", control.answer),
    (dataplane.PREFIX, dataplane.answer),
    ("/v2/", registry.answer),
    ("/v1.0/", dataplane.graph),
)
_HOSTS: dict[str, Part] = {
    "management.azure.com": _management,
    "login.microsoftonline.com": login.answer,
    "login.windows.net": login.answer,
    "sts.windows.net": login.answer,
    "graph.microsoft.com": dataplane.graph,
    "mcr.microsoft.com": registry.answer,
}


class Server:
    """Turns HTTP into calls and replies into HTTP."""

    def __init__(self, azure: Azure) -> None:
        self.azure = azure

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        authority = request.headers.get("Host", "").lower()
        host = authority.rsplit(":", 1)[0] if not authority.endswith("]") else authority
        path, _, query = request.raw_path.partition("?")
        if path.startswith(("http://", "https://")):
            path = "/" + path.split("/", 3)[3] if path.count("/") > 2 else "/"
        if host.endswith(".servicebus.windows.net") and request.headers.get("Upgrade", "").lower() == "websocket":
            return await _socket(request)
        identifier = str(uuid.uuid4())
        try:
            body = await _read(request)
            parameters: dict[str, str] = {}
            for name, value in parse_qsl(query, keep_blank_values=True):
                parameters.setdefault(name.lower(), value)
            headers = {name.lower(): value for name, value in request.headers.items()}
            call = Call(request.method, f"https://{authority}", path, parameters, headers, body, identifier)
            reply = part_of(host, path)(self.azure, call)
        except ArmError as error:
            reply = Reply(error.status, error.body, error.headers)
        except Exception:
            # One bad request must not end the service; the log has the cause.
            traceback.print_exc(file=sys.stderr)
            reply = Reply(
                500,
                ArmError(
                    500, "InternalServerError", f"The sandbox's Azure failed; its log has request {identifier}."
                ).body,
            )
        self.azure.recent.append(
            {
                "at": time.time(),
                "host": authority,
                "method": request.method,
                "path": path[:300],
                "status": reply.status,
                "agent": request.headers.get("User-Agent", "")[:120],
            }
        )
        return _response(request, reply, identifier)


async def _read(request: web.BaseRequest) -> bytes:
    if not request.body_exists:
        return b""
    length = request.content_length
    chunks: list[bytes] = []
    size = 0
    if length is None or length <= MAX_BODY:
        async for chunk in request.content.iter_any():
            size += len(chunk)
            if size > MAX_BODY:
                break
            chunks.append(chunk)
        else:
            return b"".join(chunks)
    raise ArmError(
        413,
        "RequestContentTooLarge",
        f"The request content size exceeds the maximum size of {MAX_BODY // 1024 // 1024} MB.",
    )


async def _socket(request: web.BaseRequest) -> web.StreamResponse:
    """Accept a websocket and close it: a probe learns that the way is open."""
    socket = web.WebSocketResponse(timeout=2)
    await socket.prepare(request)
    await socket.close()
    return socket


def _response(request: web.BaseRequest, reply: Reply, identifier: str) -> web.Response:
    headers = {
        "Cache-Control": "no-cache",
        "x-ms-request-id": identifier,
        "x-ms-correlation-request-id": request.headers.get("x-ms-correlation-request-id", identifier),
        "x-ms-routing-request-id": f"SANDBOX:{identifier}",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
    }
    client = request.headers.get("x-ms-client-request-id")
    if client and request.headers.get("x-ms-return-client-request-id", "").lower() == "true":
        headers["x-ms-client-request-id"] = client
    headers |= reply.headers
    if reply.body is None:
        body = None
    elif isinstance(reply.body, bytes):
        body = reply.body
        headers.setdefault("Content-Type", "text/plain; charset=utf-8")
    else:
        made = encode(reply.body)
        body = made if isinstance(made, bytes) else made.encode()
        headers["Content-Type"] = "application/json; charset=utf-8"
    response = web.Response(status=reply.status, body=body, headers=headers)
    if reply.status == 413:
        response.force_close()
    return response


async def serve(home: Home, charts: Path) -> None:
    """Serve until SIGINT or SIGTERM."""
    azure = Azure(home.identity, Store(home.folder("azure") / "azure.db"), charts)
    files = certificates(home)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.chain, files.key)
    server = web.Server(Server(azure).handle, access_log=None, keepalive_timeout=75)
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.TCPSite(
        runner, "127.0.0.1", home.port("azure"), ssl_context=context, shutdown_timeout=1, backlog=512
    ).start()
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()
    await runner.cleanup()
    azure.store.close()


DEFAULT_CHARTS = PROJECT / "sandbox/charts"
