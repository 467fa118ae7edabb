"""The node itself: takes the cluster's pods, runs a worker for each, and keeps the file of Service names."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Coroutine
from typing import Any

from sandbox.node import hosts
from sandbox.node.addresses import Addresses
from sandbox.node.api import MERGE_PATCH, ApiError, Away
from sandbox.node.container import Ground
from sandbox.node.pod import NoLog, PodWorker
from sandbox.node.registration import keep_lease, node, register
from sandbox.node.settings import Json
from sandbox.node.status import timestamp

RETRY = 1.0
LAST_GRACE = 1.5  # seconds that pods get when the node ends

#: Seconds for changes to gather before the file of names is looked at.
SETTLE = 0.05

_log = logging.getLogger(__name__)


class Kubelet:
    """One node's pods."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._settings = ground.settings
        self._labels: dict[str, str] = node(ground.settings)["metadata"]["labels"]
        self._pods: dict[str, Json] = {}
        self._services: dict[str, Json] = {}
        self._workers: dict[str, PodWorker] = {}
        self._addresses = Addresses(ground.settings.network)
        self._binding: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._naming: asyncio.TimerHandle | None = None
        self.ready = False

    async def run(self) -> None:
        """Be a node until cancelled; then end all pods' processes."""
        api, settings = self._ground.api, self._settings
        hosts.write(settings.hosts_file, {})
        await register(api, settings)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(keep_lease(api, settings))
                group.create_task(self._ground.events.send())
                group.create_task(api.follow("/api/v1/pods", self._listed, self._changed))
                group.create_task(api.follow("/api/v1/services", self._services_listed, self._service_changed))
        finally:
            await self._end()

    def pods(self) -> list[Json]:
        """The pods that are this node's."""
        return [worker.pod for worker in self._workers.values()]

    def worker(self, namespace: str, name: str) -> PodWorker:
        """The worker of a pod.

        Raises:
            NoLog: this node has no such pod.
        """
        for worker in self._workers.values():
            meta = worker.pod["metadata"]
            if (meta["namespace"], meta["name"]) == (namespace, name):
                return worker
        raise NoLog(f'pod "{name}" in namespace "{namespace}" is not on this node')

    def _listed(self, pods: list[Json]) -> None:
        present = {pod["metadata"]["uid"] for pod in pods}
        for uid in [uid for uid in self._pods if uid not in present]:
            self._forget(uid)
        folders = self._settings.folder / "pods"
        for folder in folders.iterdir() if folders.exists() else ():
            if folder.name not in present:
                shutil.rmtree(folder, ignore_errors=True)
        # Pods that have an address keep it, so they come before those that get a new one.
        for pod in sorted(pods, key=lambda pod: "podIP" not in pod["status"]):
            self._take(pod)
        self.ready = True

    def _changed(self, kind: str, pod: Json) -> None:
        if kind == "DELETED":
            self._forget(pod["metadata"]["uid"])
        else:
            self._take(pod)

    def _take(self, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        self._pods[uid] = pod
        self._rename()
        host = pod["spec"].get("nodeName")
        if not host:
            if uid not in self._binding and "deletionTimestamp" not in pod["metadata"]:
                self._binding.add(uid)
                self._spawn(self._bind(pod))
        elif host == self._settings.node:
            if uid in self._workers:
                self._workers[uid].update(pod)
            else:
                worker = PodWorker(self._ground, pod, self._addresses.claim(uid, pod["status"].get("podIP", "")))
                self._workers[uid] = worker
                self._spawn(worker.run())

    def _forget(self, uid: str) -> None:
        self._pods.pop(uid, None)
        self._binding.discard(uid)
        self._rename()
        worker = self._workers.pop(uid, None)
        if worker is not None:
            worker.vanish()
            self._spawn(self._clear(uid, worker))

    async def _clear(self, uid: str, worker: PodWorker) -> None:
        """Remove what is left of a pod when the last of its processes has ended."""
        while worker.active:
            await asyncio.sleep(SETTLE)
        self._addresses.release(uid)
        shutil.rmtree(worker.folder, ignore_errors=True)

    async def _bind(self, pod: Json) -> None:
        """There is no scheduler: every pod that this node's labels suit is this node's."""
        meta = pod["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        selector = pod["spec"].get("nodeSelector", {})
        if not selector.items() <= self._labels.items():
            await self._refuse(pod, path)
            return
        target = {"apiVersion": "v1", "kind": "Node", "name": self._settings.node}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta["name"], "uid": meta["uid"]}}
        while meta["uid"] in self._binding:
            try:
                await self._ground.api.call("POST", f"{path}/binding", {**binding, "target": target})
                where = f"{meta['namespace']}/{meta['name']} to {self._settings.node}"
                self._ground.events.tell(pod, "Scheduled", f"Successfully assigned {where}")
                return
            except ApiError as error:
                if error.status in (404, 409):  # gone, or bound by now
                    return
                _log.info("binding %s: %s", meta["name"], error)
            except Away as error:
                _log.info("binding %s: %s", meta["name"], error or type(error).__name__)
            await asyncio.sleep(RETRY)

    async def _refuse(self, pod: Json, path: str) -> None:
        message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
        self._ground.events.tell(pod, "FailedScheduling", message, warning=True)
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        condition["lastTransitionTime"] = timestamp()
        with contextlib.suppress(ApiError, *Away):
            body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": {"conditions": [condition]}}
            await self._ground.api.call("PATCH", f"{path}/status", body, MERGE_PATCH)

    def _services_listed(self, services: list[Json]) -> None:
        self._services = {service["metadata"]["uid"]: service for service in services}
        self._rename()

    def _service_changed(self, kind: str, service: Json) -> None:
        if kind == "DELETED":
            self._services.pop(service["metadata"]["uid"], None)
        else:
            self._services[service["metadata"]["uid"]] = service
        self._rename()

    def _rename(self) -> None:
        if self._naming is None:
            self._naming = asyncio.get_running_loop().call_later(SETTLE, self._write_hosts)

    def _write_hosts(self) -> None:
        self._naming = None
        hosts.write(self._settings.hosts_file, hosts.hosts(self._services.values(), self._pods.values()))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside, and say it where that goes wrong: a bug in one pod must not end the others."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a pod's worker failed", exc_info=task.exception())

    async def _end(self) -> None:
        workers = [worker for worker in self._workers.values() if worker.active]
        for worker in workers:
            worker.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_GRACE):
                while any(worker.active for worker in workers):
                    await asyncio.sleep(SETTLE)
        for worker in workers:
            worker.kill()
