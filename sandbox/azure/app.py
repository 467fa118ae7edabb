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

from sandbox.azure import (
    arm,
    control,
    dataplane,
    delivery,
    fault_effects,
    faults,
    graph,
    login,
    metadata,
    registry,
    transport,
    vault,
)
from sandbox.azure.core import Azure, Call, Reply, refusal
from sandbox.azure.documents import encode
from sandbox.azure.errors import ArmError
from sandbox.azure.fault_kinds import Place
from sandbox.azure.store import Store
from sandbox.certificates import AZURE_NAMES, certificates
from sandbox.home import PROJECT, Home

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
    if host.endswith(".vault.azure.net"):
        return vault.answer
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
    ("/v1.0/", graph.answer),
)
_HOSTS: dict[str, Part] = {
    "management.azure.com": _management,
    "login.microsoftonline.com": login.answer,
    "login.windows.net": login.answer,
    "sts.windows.net": login.answer,
    "graph.microsoft.com": graph.answer,
    "mcr.microsoft.com": registry.answer,
}


_PLACES: dict[Part, Place] = {arm.answer: "arm", _management: "arm", login.answer: "login"}


class Server:
    """Turns HTTP into calls and replies into HTTP."""

    def __init__(self, azure: Azure, patience: float) -> None:
        self.azure = azure
        self.patience = patience

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        authority = request.headers.get("Host", "").lower()
        host = authority.rsplit(":", 1)[0] if not authority.endswith("]") else authority
        path, _, query = request.raw_path.partition("?")
        if path.startswith(("http://", "https://")):
            path = "/" + path.split("/", 3)[3] if path.count("/") > 2 else "/"
        if path.startswith("//"):
            path = "/" + path.lstrip("/")  # `az connectedk8s` joins ARM's address, which ends in a slash, with a path
        if host.endswith(".servicebus.windows.net") and request.headers.get("Upgrade", "").lower() == "websocket":
            return await _socket(request)
        identifier = str(uuid.uuid4())
        fault = None
        try:
            body = await transport.read(request, self.patience)
            parameters: dict[str, str] = {}
            for name, value in parse_qsl(query, keep_blank_values=True):
                parameters.setdefault(name.lower(), value)
            headers = {name.lower(): value for name, value in request.headers.items()}
            call = Call(request.method, f"https://{authority}", path, parameters, headers, body, identifier)
            part = part_of(host, path)
            if self.azure.faults and part is not control.answer:
                reply, fault = self._under_faults(part, call, host)
            else:
                reply = part(self.azure, call)
        except ArmError as error:
            reply = refusal(error)
        except Exception:
            # One bad request must not end the service; the log has the cause.
            traceback.print_exc(file=sys.stderr)
            message = f"The sandbox's Azure failed; its log has request {identifier}."
            reply = refusal(ArmError(500, "InternalServerError", message))
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
        if fault:
            self.azure.recent[-1]["fault"] = {"id": fault.id, "kind": fault.kind}
        response = _response(request, reply, identifier)
        return await delivery.send(request, response, reply.delivery) if reply.delivery else response

    def _under_faults(self, part: Part, call: Call, host: str) -> tuple[Reply, faults.Fault | None]:
        def proceed() -> Reply:
            try:
                return part(self.azure, call)
            except ArmError as error:
                return refusal(error)

        request = faults.Request(call, host, _PLACES.get(part, "other"))
        return fault_effects.answer(self.azure, request, proceed)


async def _socket(request: web.BaseRequest) -> web.StreamResponse:
    """Accept a websocket and close it: a probe learns that the way is open."""
    socket = web.WebSocketResponse(timeout=2)
    await socket.prepare(request)
    await socket.close()
    return socket


def _response(request: web.BaseRequest, reply: Reply, identifier: str) -> web.Response:
    headers = {
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
        "Expires": "-1",
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
    if not request.content.is_eof():
        # What is left of a body that was not read is no request.
        response.force_close()
    return response


async def serve(home: Home, charts: Path, patience: float = transport.PATIENCE) -> None:
    """Serve until SIGINT or SIGTERM; a handshake or a body that does not end within `patience` seconds is cut off."""
    azure = Azure(home.identity, Store(home.folder("azure") / "azure.db"), charts)
    faults.load(azure)
    files = certificates(home)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.chain, files.key)
    loop = asyncio.get_running_loop()
    server = transport.Listener(Server(azure, patience).handle, patience)
    listener = await loop.create_server(
        server, "127.0.0.1", home.port("azure"), ssl=context, backlog=512, ssl_handshake_timeout=patience
    )
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    await stop.wait()
    listener.close()
    server.pre_shutdown()
    await server.shutdown(1)
    azure.store.close()


DEFAULT_CHARTS = PROJECT / "sandbox/charts"
