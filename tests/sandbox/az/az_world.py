"""A recording Azure, a recording API server and a recording helm: enough to see what the stand-in asks of each."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from sandbox.certificates import certificates
from sandbox.home import PROJECT, Home

AZ = PROJECT / "sandbox/bin/az"
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
TENANT = "22222222-2222-2222-2222-222222222222"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/arc-dev"
CLUSTER = f"{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/east"
GATEWAY = f"{GROUP}/providers/Microsoft.HybridCompute/gateways/gw1"
LINK = f"{CLUSTER}/providers/Microsoft.HybridCompute/settings/Default"
LOGIN = ("login", "--service-principal", "-u", "client", "-p", "s3cret", "-t", TENANT)

HELM = """#!/bin/sh
# Records how it was called; `list` and `get` answer from files.
set -e
printf '%s\\n' "$*" >> "$HELM_STUB/calls"
case $1 in
    list) case "$*" in *cluster-diagnostic*) echo '[]' ;; *) cat "$HELM_STUB/list.json" ;; esac ;;
    get) cat "$HELM_STUB/values.json" ;;
    pull) mkdir -p "$7/$(basename "$2")" ;;
    upgrade)
        while [ "$1" != --values ]; do shift; done
        cat "$2" > "$HELM_STUB/installed.json"
        echo "$2" > "$HELM_STUB/values-file"
        stat -c %a "$2" > "$HELM_STUB/values-mode"
        if [ -e "$HELM_STUB/hang" ]; then echo $$ > "$HELM_STUB/pid"; exec sleep 60; fi
        ;;
esac
"""


@dataclass
class World:
    """What was asked, and what is answered.

    Attributes:
        calls: `(method, host, path with query, body)` of Azure's names, in order.
        kube: `(method, path)` of the API server.
        resources: ARM's by lower-case id.
        answers: (status, body, headers) in place of the usual, by (method, end of the path), each used up once.
        log: of the precheck's pod.
        configmap: what installed agents say that they are.
    """

    folder: Path
    proxy: int = 0
    calls: list[tuple[str, str, str, Any]] = field(default_factory=list)
    kube: list[tuple[str, str]] = field(default_factory=list)
    created: list[Any] = field(default_factory=list)
    resources: dict[str, Any] = field(default_factory=dict)
    answers: dict[tuple[str, str], list[tuple[Any, ...]]] = field(default_factory=dict)
    unregistered: set[str] = field(default_factory=set)
    log: str = ""
    configmap: dict[str, str] | None = None
    variables: dict[str, str] = field(default_factory=dict)

    def az(self, *words: str, timeout: float = 60, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the stand-in."""
        env = {**self.variables, **variables}
        return subprocess.run(
            [str(AZ), *words], env=env, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )

    def asked(self, since: int = 0) -> list[str]:
        """The calls to Azure as `METHOD path`, with ARM's prefix and versions left out, tokens too."""
        return [
            f"{method} {path.partition('?')[0].replace(GROUP, 'RG').replace(f'/subscriptions/{SUBSCRIPTION}', 'SUB')}"
            for method, host, path, _ in self.calls[since:]
            if not host.startswith("login.")
        ]

    def helm(self) -> list[str]:
        """How helm was called."""
        return (self.folder / "calls").read_text().splitlines()

    def installed(self) -> Any:
        """The values of the last upgrade."""
        return json.loads((self.folder / "installed.json").read_text())

    def connected(self, **properties: Any) -> None:
        """Let there be a connected cluster `east` with its agents."""
        self.resources[CLUSTER.lower()] = {
            "id": CLUSTER,
            "name": "east",
            "location": "eastus",
            "tags": {},
            "identity": {"type": "SystemAssigned", "principalId": "p", "tenantId": TENANT},
            "properties": {
                "agentPublicKeyCertificate": "MIIB",
                "distribution": "generic",
                "infrastructure": "generic",
                "provisioningState": "Succeeded",
                "connectivityStatus": "Connected",
                "agentVersion": "1.36.1",
                "arcAgentProfile": {"agentAutoUpgrade": "Enabled", "agentState": "Succeeded", "agentErrors": []},
                **properties,
            },
        }
        self.configmap = {
            "AZURE_RESOURCE_GROUP": "arc-dev", "AZURE_RESOURCE_NAME": "east", "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
        }  # fmt: skip
        (self.folder / "list.json").write_text('[{"name": "azure-arc", "namespace": "azure-arc-release"}]')


async def _azure(world: World, request: web.Request) -> web.Response:
    body = await request.read()
    text = body.decode()
    data = json.loads(text) if text[:1] in ("{", "[") else text
    path, method = request.path_qs, request.method
    world.calls.append((method, request.host, path, data))
    for (wanted, ending), answers in world.answers.items():
        if wanted == method and request.path.endswith(ending) and answers:
            status, content, *headers = answers.pop(0)
            return web.json_response(content, status=status, headers=headers[0] if headers else None)
    if request.host.startswith("login."):
        return _login(request.path)
    if request.host.startswith("graph."):
        return web.json_response({"value": [{"id": "oid-of-custom-locations"}]})
    if ".dp.kubernetesconfiguration." in request.host:
        return web.json_response(_data_plane(world, request.path, data))
    return _arm(world, method, request.path, data)


def _login(path: str) -> web.Response:
    if path.endswith("/token"):
        return web.json_response({"access_token": "t0ken", "expires_in": 3600, "token_type": "Bearer"})
    return web.json_response({"tenant_discovery_endpoint": "", "metadata": []})


def _data_plane(world: World, path: str, data: Any) -> Any:
    if not path.endswith("GetHelmSettings"):
        return {}
    given = {one["feature"]: one for one in data["properties"].get("arcAgentryConfigurations") or []}
    proxy = given.get("proxy", {}).get("protectedSettings", {})
    enabled = bool((data["properties"].get("gateway") or {}).get("enabled"))
    return {
        "repositoryPath": "mcr.microsoft.com/azurearck8s/batch1/stable/azure-arc-k8sagents:1.36.1",
        "helmValuesContent": {
            "global.resourceName": data["id"].split("/")[-1],
            "global.httpProxy": proxy.get("http_proxy", ""),
            "global.httpsProxy": proxy.get("https_proxy", ""),
            "global.noProxy": proxy.get("no_proxy", ""),
            "global.isProxyEnabled": "true" if proxy else "false",
            "global.gatewayEnabled": "true" if enabled else "false",
            "global.gatewayEndpoint": "abc.gw.arc.azure.com" if enabled else "",
        },
    }


def _arm(world: World, method: str, path: str, data: Any) -> web.Response:
    key = path.lower()
    if path.startswith("/metadata/"):
        return web.json_response({"dataplaneEndpoints": {}})
    if path in ("/subscriptions", "/tenants"):
        one = {"subscriptionId": SUBSCRIPTION, "displayName": "Test", "state": "Enabled", "tenantId": TENANT}
        return web.json_response({"value": [one]})
    if "/providers/" in path and path.count("/") == 4:
        namespace = path.rsplit("/", 1)[-1]
        kinds = [{"resourceType": "connectedClusters", "locations": ["East US", "West Europe"]}]
        state = "NotRegistered" if namespace in world.unregistered else "Registered"
        return web.json_response({"namespace": namespace, "registrationState": state, "resourceTypes": kinds})
    if method == "HEAD":
        return web.Response(status=204)
    if method in ("PUT", "PATCH"):
        there = world.resources.get(key, {})
        mine: dict[str, Any] = {"id": path, "name": path.rsplit("/", 1)[-1], **there, **data}
        mine["properties"] = {**there.get("properties", {}), **(data.get("properties") or {})}
        if "connectedClusters/" in path and "/settings/" not in path:
            mine["properties"] |= {"provisioningState": "Succeeded", "connectivityStatus": "Connecting"}
        world.resources[key] = mine
        return web.json_response(mine)
    if method == "DELETE":
        world.resources.pop(key, None)
        return web.Response(status=204)
    if key in world.resources:
        return web.json_response(world.resources[key])
    if path.endswith(("/connectedClusters", "/gateways")):
        below = [
            one
            for name, one in sorted(world.resources.items())
            if name.rsplit("/", 1)[0].endswith(key.rsplit("/", 1)[-1])
        ]
        return web.json_response({"value": below})
    name = path.rsplit("/", 1)[-1]
    error = {"code": "ResourceNotFound", "message": f"The Resource '{name}' was not found."}
    return web.json_response({"error": error}, status=404)


async def _kube(world: World, request: web.Request) -> web.Response:
    path = request.path
    world.kube.append((request.method, path))
    if request.method == "POST":
        body = await request.json()
        world.created.append(body)
        return web.json_response({**body, "status": {"allowed": True}}, status=201)
    if request.method == "DELETE":
        return web.json_response({"kind": "Status"}, status=404)
    if path.endswith("/jobs"):
        done = {"conditions": [{"type": "Complete", "status": "True"}]}
        job = {"metadata": {"name": "cluster-diagnostic-checks-job"}, "status": done}
        return web.Response(text=json.dumps({"type": "ADDED", "object": job}) + "\n")
    if path.endswith("/log"):
        return web.Response(text=world.log)
    if path.endswith("/azure-clusterconfig") and world.configmap:
        return web.json_response({"data": world.configmap})
    known = {
        "/version": {"gitVersion": "v1.33.4"},
        "/api/v1/nodes": {"items": [{"metadata": {"labels": {"kubernetes.io/os": "linux"}}, "spec": {}}]},
        "/api/v1/namespaces/azure-arc-release/pods": {
            "items": [{"metadata": {"name": "cluster-diagnostic-checks-job-x"}}]
        },
    }
    return web.json_response(known[path]) if path in known else web.json_response({"message": "not found"}, status=404)


async def _tunnel(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A CONNECT to any name ends at the recording Azure."""

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()

    await reader.readuntil(b"\r\n\r\n")
    inner, outer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await asyncio.gather(pump(reader, outer), pump(inner, writer))


async def _serve(world: World, home: Home, ready: threading.Event, stop: asyncio.Event) -> None:
    async def azure(request: web.Request) -> web.Response:
        return await _azure(world, request)

    async def kube(request: web.Request) -> web.Response:
        return await _kube(world, request)

    files = certificates(home)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(files.chain, files.key)
    runners = []
    for handler, context in ((azure, tls), (kube, None)):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        runners.append(runner)
    arm, api = (runner.addresses[0][1] for runner in runners)
    proxy = await asyncio.start_server(lambda reader, writer: _tunnel(arm, reader, writer), "127.0.0.1", 0)
    world.proxy = proxy.sockets[0].getsockname()[1]
    (world.folder / "kubeconfig").write_text(json.dumps(_kubeconfig(api)))
    ready.set()
    await stop.wait()
    proxy.close()
    for runner in runners:
        await runner.cleanup()


def _kubeconfig(port: int) -> Mapping[str, Any]:
    return {
        "current-context": "east",
        "contexts": [{"name": "east", "context": {"cluster": "east", "user": "admin"}}],
        "clusters": [{"name": "east", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "admin", "user": {"token": base64.b64encode(b"token").decode()}}],
    }


@contextlib.contextmanager
def running(home: Home, folder: Path) -> Iterator[World]:
    """The three, and the environment that leads to them."""
    world = World(folder)
    ready, loop, stop = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(_serve(world, home, ready, stop),), daemon=True)
    thread.start()
    assert ready.wait(10)
    stub = folder / "helm"
    stub.write_text(HELM)
    stub.chmod(0o755)
    (folder / "list.json").write_text("[]")
    (folder / "values.json").write_text("null")
    (folder / "calls").touch()
    world.variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "SANDBOX_PROXY_URL": f"http://127.0.0.1:{world.proxy}",
        "REQUESTS_CA_BUNDLE": str(certificates(home).root),
        "AZURE_CONFIG_DIR": str(folder / "azure"),
        "KUBECONFIG": str(folder / "kubeconfig"),
        "HELM_CLIENT_PATH": str(stub),
        "HELM_STUB": str(folder),
        "TMPDIR": str(folder),
    }
    try:
        yield world
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
