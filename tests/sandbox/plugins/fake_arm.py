"""A small Azure Resource Manager that does what a test tells it to: over TLS, with a login, metadata and a log."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
from aiohttp import web

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-2222-3333-4444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/group"
GATEWAY = f"{GROUP}/providers/Microsoft.HybridCompute/gateways/gw"


@dataclass
class FakeArm:
    """Its state, which a test reads and changes while it serves.

    Attributes:
        resources: by id; PUT and DELETE change them.
        log: method, id, API version and body of every request to ARM.
        answers: taken from the front, each in place of the next request of its method: status, headers, body.
        operation: what an operation on a resource of a group says when looked at, the last for ever; [] for none.
        refuses_login: answer a sign-in as for a wrong secret.
    """

    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[tuple[str, str, str, Any]] = field(default_factory=list)
    answers: dict[str, list[tuple[int, dict[str, str], Any]]] = field(default_factory=dict)
    operation: list[dict[str, Any]] = field(default_factory=list)
    refuses_login: bool = False
    address: str = ""

    def reset(self) -> None:
        """Forget all."""
        self.resources.clear()
        self.log.clear()
        self.answers.clear()
        self.operation = []
        self.refuses_login = False

    def methods(self) -> list[str]:
        """The methods of the requests so far."""
        return [method for method, *_ in self.log]

    async def handle(self, request: web.Request) -> web.Response:
        path = request.path
        if path == "/metadata/endpoints":
            login = {"loginEndpoint": self.address, "audiences": [self.address]}
            return web.json_response({"name": "Fake", "resourceManager": self.address, "authentication": login})
        if path.startswith(f"/{TENANT}/"):
            return self._login(path)
        if path == "/operation":
            status = self.operation[0] if len(self.operation) == 1 else self.operation.pop(0)
            return web.json_response(status, headers={"Retry-After": "0"})
        assert request.headers["Authorization"] == f"Bearer {token()}"
        body = await request.json() if request.can_read_body else None
        self.log.append((request.method, path, request.query["api-version"], body))
        if self.answers.get(request.method):
            status, headers, answer = self.answers[request.method].pop(0)
            return web.json_response(answer, status=status, headers=headers)
        return getattr(self, f"_{request.method.lower()}")(path, body)

    def _get(self, id: str, body: Any) -> web.Response:
        if id not in self.resources:
            return web.json_response(
                {"error": {"code": "ResourceNotFound", "message": f"The Resource '{id}' was not found."}}, status=404
            )
        return web.json_response(self.resources[id])

    def _put(self, id: str, body: Any) -> web.Response:
        known = id in self.resources
        kind = "/".join(id.split("/providers/")[-1].split("/")[:-1]) if "/providers/" in id else "resourceGroups"
        self.resources[id] = {**body, "id": id, "name": id.split("/")[-1], "type": kind}
        if "HybridCompute/gateways" in id:
            self.resources[id]["properties"] = {
                "gatewayType": "Public",
                "gatewayEndpoint": "abc.gw.arc.azure.com",
                "provisioningState": "Succeeded",
                **body.get("properties", {}),
            }
        return web.json_response(self.resources[id], status=200 if known else 201, headers=self._followed(id))

    def _delete(self, id: str, body: Any) -> web.Response:
        if self.resources.pop(id, None) is None:
            return self._get(id, None)
        return web.json_response({}, status=202 if self._followed(id) else 200, headers=self._followed(id))

    def _followed(self, id: str) -> dict[str, str]:
        if not self.operation or "/providers/" not in id:
            return {}
        return {"Azure-AsyncOperation": f"{self.address}/operation", "Retry-After": "0"}

    def _login(self, path: str) -> web.Response:
        base = f"{self.address}/{TENANT}"
        if path.endswith("openid-configuration"):
            return web.json_response(
                {
                    "issuer": f"{base}/v2.0",
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                }
            )
        if self.refuses_login:
            reason = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}
            return web.json_response(reason, status=401)
        return web.json_response({"access_token": token(), "expires_in": 3600, "token_type": "Bearer"})


def token() -> str:
    """The access token that it gives out, and takes."""
    parts = ({"alg": "none"}, {"oid": "the-object", "tid": TENANT})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + ".x"


@contextmanager
def serving(folder: Path) -> Iterator[tuple[FakeArm, dict[str, str]]]:
    """A FakeArm, and the environment that leads a plugin to it."""
    authority = trustme.CA()
    roots = folder / "roots.pem"
    authority.cert_pem.write_to_path(str(roots))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    arm = FakeArm()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> web.AppRunner:
        runner = web.AppRunner(_application(arm))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        arm.address = f"https://localhost:{runner.addresses[0][1]}"
        return runner

    runner = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield (
            arm,
            {
                "ARM_SUBSCRIPTION_ID": SUBSCRIPTION,
                "ARM_TENANT_ID": TENANT,
                "ARM_CLIENT_ID": "the-client",
                "ARM_CLIENT_SECRET": "the-secret",
                "ARM_METADATA_HOSTNAME": arm.address.removeprefix("https://"),
                "SSL_CERT_FILE": str(roots),
                "NO_PROXY": "localhost",
            },
        )
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def _application(arm: FakeArm) -> web.Application:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", arm.handle)
    return application
