"""The API servers of all virtual clusters: their agents, and otherwise what a real cluster says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, TCPConnector, web

from sandbox import cluster
from sandbox.certificates import certificates, issue
from sandbox.home import Home
from sandbox.virtual import PREFIX
from sandbox.virtual.agents import NAMESPACE, RELEASE_NAMESPACE, Object, Release
from sandbox.world import AGENT_VERSION, EAST, VIRTUAL

#: Seconds between two signs of life of one cluster; after 15 minutes without one Azure calls it offline.
HEARTBEAT = 60.0
_LOOK = 0.5

_NAMESPACES = (NAMESPACE, RELEASE_NAMESPACE)


class Clusters:
    """The virtual clusters, each with its release in a file, so that they outlive a restart.

    Args:
        folder: for those files.
        names: which clusters there are.
    """

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._folder = folder
        self.names = frozenset(names)
        self.releases: dict[str, Release] = {}
        for file in folder.glob("*.json"):
            if file.stem in self.names:
                self.releases[file.stem] = Release(**json.loads(file.read_text()))

    def keep(self, name: str, release: Release | None) -> None:
        """Write a cluster's release down; None for none."""
        file = self._folder / f"{name}.json"
        if release is None:
            self.releases.pop(name, None)
            file.unlink(missing_ok=True)
            return
        self.releases[name] = release
        aside = file.with_suffix(".aside")
        aside.touch(mode=0o600)
        aside.write_text(json.dumps(asdict(release)))
        aside.replace(file)

    def objects(self, name: str, kind: str, namespace: str) -> list[Object]:
        """The objects of a kind in a namespace."""
        release = self.releases.get(name)
        if release is None:
            return []
        match namespace, kind:
            case "azure-arc", "deployments":
                return release.deployments()
            case "azure-arc", "configmaps":
                return [release.config_map()]
            case "azure-arc-release", "secrets":
                return [release.record()]
        return []


class ApiServers:
    """Answers for all clusters.

    Args:
        home: the sandbox's state.
        clusters: what they hold.
        real: asks the first real cluster.
    """

    def __init__(self, home: Home, clusters: Clusters, real: ClientSession) -> None:
        self._clusters = clusters
        self._real = real
        self._access = cluster.access(home, EAST)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if request.path == "/readyz":
            return web.Response(text="ok")
        name, _, rest = request.path.removeprefix(PREFIX).partition("/")
        if not request.path.startswith(PREFIX) or name not in self._clusters.names:
            return _status(404, f"there is no virtual cluster {name}")
        if request.headers.get("Authorization") != f"Bearer {self._access.token}":
            return _status(401, "Unauthorized")
        if rest == "agents":
            return await self._agents(name, request)
        parts = rest.split("/")
        if "namespaces" in parts and len(parts) > parts.index("namespaces") + 1:
            at = parts.index("namespaces")
            namespace, kind, rest_of = parts[at + 1], parts[at + 2 : at + 3], parts[at + 3 :]
            if not kind:
                return self._namespace(name, namespace, request.method)
            if namespace in _NAMESPACES:
                return await self._objects(name, namespace, kind[0], rest_of, request)
        if rest == "api/v1/namespaces" and request.method == "POST":
            return web.json_response(await request.json(), status=201)
        if "customresourcedefinitions" in parts and request.method == "DELETE":
            return _status(404, "not found")
        return await self._as_real(rest, request)

    async def _agents(self, name: str, request: web.BaseRequest) -> web.Response:
        """What stands in for helm: the release, its installation and its removal."""
        release = self._clusters.releases.get(name)
        if request.method == "PUT":
            values = await request.json()
            begun = Release(values, time.time(), (release.revision if release else 0) + 1)
            self._clusters.keep(name, begun)
            return web.json_response({"status": begun.status}, status=202)
        if request.method == "DELETE":
            self._clusters.keep(name, None)
            return web.json_response({})
        if release is None:
            return _status(404, "no release")
        return web.json_response({"status": release.status, "values": release.values})

    def _namespace(self, name: str, namespace: str, method: str) -> web.Response:
        there = name in self._clusters.releases and namespace in _NAMESPACES
        if namespace in _NAMESPACES and not there:
            return _status(404, f'namespaces "{namespace}" not found')
        return web.json_response({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})

    async def _objects(
        self, name: str, namespace: str, kind: str, rest: list[str], request: web.BaseRequest
    ) -> web.Response:
        found = self._clusters.objects(name, kind, namespace)
        if request.method in ("POST", "PATCH"):
            return web.json_response(await request.json(), status=201)
        if request.method == "PUT" and kind == "secrets":
            given = await request.json()
            release = self._clusters.releases.get(name)
            if release is None or given["metadata"].get("resourceVersion") != str(release.revision):
                return _status(409, "Conflict")
            self._clusters.keep(name, replace(release, failed=given["metadata"]["labels"]["status"] == "failed"))
            return web.json_response(given)
        if request.method == "DELETE":
            if kind == "secrets" and namespace == RELEASE_NAMESPACE:
                self._clusters.keep(name, None)
            return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Success"})
        if rest:
            one = next((item for item in found if item["metadata"]["name"] == rest[0]), None)
            return _status(404, f'{kind} "{rest[0]}" not found') if one is None else web.json_response(one)
        listed = {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": found}
        return web.json_response(listed)

    async def _as_real(self, path: str, request: web.BaseRequest) -> web.Response:
        """What is the same in every cluster: its kinds, version, nodes, ranges, and what its admin may do."""
        if request.method != "GET" and "selfsubjectaccessreviews" not in path:
            return _status(403, f"a virtual cluster takes no {request.method} of {path}")
        headers = {"Authorization": f"Bearer {self._access.token}", "Accept": request.headers.get("Accept", "*/*")}
        if request.method == "POST":
            headers["Content-Type"] = request.content_type
        url = f"{self._access.server}/{path}"
        async with self._real.request(
            request.method, url, params=request.query, headers=headers, data=await request.read() or None
        ) as answer:
            kept = {"Content-Type": answer.headers["Content-Type"]} if "Content-Type" in answer.headers else {}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)


async def report(clusters: Clusters, azure: ClientSession, port: int) -> None:
    """Signs of life for ever, of every cluster whose agents are ready."""
    due: dict[str, tuple[float, float]] = {}
    loop = asyncio.get_running_loop()
    while True:
        for name, release in list(clusters.releases.items()):
            begun, at = due.get(name, (0.0, 0.0))
            if not release.ready or (begun == release.begun and loop.time() < at):
                continue
            with contextlib.suppress(ClientError, OSError):
                await _beat(azure, port, release)
                due[name] = release.begun, loop.time() + HEARTBEAT
        await asyncio.sleep(_LOOK)


async def _beat(azure: ClientSession, port: int, release: Release) -> None:
    host = f"{release.identity['location']}.dp.kubernetesconfiguration.azure.com"
    body = {
        "resourceId": release.resource_id,
        "agentVersion": AGENT_VERSION,
        "kubernetesVersion": "1.33.4",
        "totalNodeCount": 1,
    }
    url = f"https://localhost:{port}/azure-arc-k8sagents/heartbeat"
    async with azure.post(url, json=body, headers={"Host": host}) as answer:
        await answer.read()


async def serve(home: Home) -> None:
    """Serve all virtual clusters until told to stop."""
    chain, key = issue(home, "virtual", "127.0.0.1", "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    trust = ssl.create_default_context(cafile=str(certificates(home).root))
    clusters = Clusters(home.folder("virtual"), VIRTUAL)
    async with ClientSession(connector=TCPConnector(ssl=trust, limit=32)) as session:
        handler = web.Server(ApiServers(home, clusters, session).answer, access_log=None)
        runner = web.ServerRunner(handler)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", home.port("virtual"), ssl_context=context, backlog=512).start()
        await report(clusters, session, home.port("azure"))


def _status(code: int, message: str) -> web.Response:
    body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
    body["reason"] = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict"}[code]
    return web.json_response(body, status=code)
