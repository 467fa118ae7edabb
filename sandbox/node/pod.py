"""One pod: its volumes, its containers in their order, its status, its end."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from sandbox.node import expand, logs, volumes
from sandbox.node.api import MERGE_PATCH, ApiError, Away
from sandbox.node.container import RETRY, Ground, Runner
from sandbox.node.logs import LogWriter
from sandbox.node.settings import Json
from sandbox.node.sources import fetch, tokens
from sandbox.node.status import CREATING, INITIALIZING, pod_status, recall, timestamp

DEFAULT_GRACE = 30


class NoLog(Exception):
    """There is no such log; the message is for the person who asked."""


class PodWorker:
    """Runs one pod of this node.

    Args:
        ground: the node's.
        pod: as the API has it.
        address: the pod's own.
    """

    def __init__(self, ground: Ground, pod: Json, address: str) -> None:
        self.pod = pod
        self.address = address
        self.folder = ground.settings.folder / "pods" / pod["metadata"]["uid"]
        self._ground = ground
        self._stopping = asyncio.Event()
        self._grace = 0.0
        self._vanished = False
        self._published: Json = {}
        self._publishing: asyncio.Task[None] | None = None
        self._mounted = False
        status = pod.get("status", {})
        self._over = status.get("phase") in ("Succeeded", "Failed")
        self._initialized = self._over
        spec = pod["spec"]
        self._inits = [
            self._runner(container, "initContainerStatuses", _init_policy(container, spec["restartPolicy"]))
            for container in spec.get("initContainers", [])
        ]
        self._containers = [
            self._runner(container, "containerStatuses", spec["restartPolicy"]) for container in spec["containers"]
        ]
        self.update(pod)

    def update(self, pod: Json) -> None:
        """Take the pod as the API has it now; it may ask for its end."""
        self.pod = pod
        if "deletionTimestamp" in pod["metadata"]:
            self._stop(pod["metadata"].get("deletionGracePeriodSeconds", DEFAULT_GRACE))

    def vanish(self) -> None:
        """The API has the pod no longer: end it at once."""
        self._vanished = True
        self._stop(0)
        for runner in self._all():
            runner.kill()

    def kill(self) -> None:
        """Kill what runs, because the node ends. Nothing is said to the API: the next node goes on from there."""
        for runner in self._all():
            runner.kill()

    def terminate(self) -> None:
        """Ask what runs to end, because the node ends."""
        for runner in self._all():
            runner.terminate()

    @property
    def active(self) -> bool:
        """Whether any process of it runs."""
        return any(runner.record.running for runner in self._all())

    def log(self, container: str, previous: bool) -> tuple[Path, LogWriter | None]:
        """Where the log of a container's run is, and who writes it.

        Raises:
            NoLog: there is none.
        """
        name = self.pod["metadata"]["name"]
        runner = next((runner for runner in self._all() if runner.record.name == container), None)
        if runner is None:
            raise NoLog(f'container "{container}" in pod "{name}" is not there')
        # A container that waits for its next start has its last run under "current", as in life.
        path = runner.log_path(runner.record.restarts - previous)
        if previous and not logs.exists(path):
            raise NoLog(f'previous terminated container "{container}" in pod "{name}" not found')
        if not logs.exists(path):
            reason = runner.record.state.get("waiting", {}).get("reason", "ContainerCreating")
            raise NoLog(f'container "{container}" in pod "{name}" is waiting to start: {reason}')
        return path, None if previous else runner.writer

    async def run(self) -> None:
        """Run the pod until it is over and deleted."""
        if not self._over:
            living = asyncio.create_task(self._live())
            stopping = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({living, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not living.done():
                await self._end_containers()
            await living
            self._over = True
            await self._flush()
        await self._stopping.wait()
        if not self._vanished:
            await self._delete()

    async def _live(self) -> None:
        """Everything between the pod's arrival and the end of its last container."""
        self._changed()
        if not await self._mount():
            return
        sidecars: list[asyncio.Task[None]] = []
        for runner, spec in zip(self._inits, self.pod["spec"].get("initContainers", []), strict=True):
            if spec.get("restartPolicy") == "Always":
                sidecars.append(asyncio.create_task(runner.keep()))
                await runner.up()
                continue
            await runner.keep()
            if runner.record.exit_code != 0:
                break
        else:
            self._initialized = not self._stopping.is_set()
        if self._initialized:
            for runner in self._containers:
                if runner.record.state == INITIALIZING:
                    runner.record.state = CREATING
            self._changed()
            await asyncio.gather(*(runner.keep() for runner in self._containers))
        for runner in self._inits:
            runner.retire()
            await runner.stop(self._grace or DEFAULT_GRACE)
        await asyncio.gather(*sidecars)

    async def _mount(self) -> bool:
        told = ""
        while not self._stopping.is_set():
            try:
                namespace = self.pod["metadata"]["namespace"]
                sources = await fetch(self._ground.api, namespace, volumes.references(self.pod))
                made = await tokens(self._ground.api, self.pod, volumes.token_audiences(self.pod))
                self._materialise(sources, made)
            except (expand.Missing, expand.NotSupported, OSError) as error:
                if str(error) != told:
                    told = str(error)
                    self._tell("FailedMount", f"MountVolume.SetUp failed: {told}", warning=True)
                await self._pause(RETRY)
            else:
                self._mounted = True
                return True
        return False

    def _materialise(self, sources: volumes.Sources, made: dict[str, str]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        host = self._ground.settings.folder / "host"
        volumes.materialise(self._with_address(), self.folder / "volumes", host, sources, made)

    async def _end_containers(self) -> None:
        grace = self._grace
        for runner in self._all():
            if runner.record.running:
                self._tell("Killing", f"Stopping container {runner.record.name}")
        await asyncio.gather(*(runner.stop(grace) for runner in self._all()))

    def _stop(self, grace: float) -> None:
        self._grace = grace
        self._stopping.set()

    def _runner(self, spec: Json, kind: str, policy: str) -> Runner:
        waiting = INITIALIZING if self.pod["spec"].get("initContainers") and kind == "containerStatuses" else CREATING
        return Runner(
            ground=self._ground,
            pod=self._with_address,
            spec=spec,
            record=recall(spec, self.pod.get("status", {}).get(kind, []), waiting, timestamp()),
            policy=policy,
            folder=self.folder,
            stopping=self._stopping,
            changed=self._changed,
        )

    def _all(self) -> list[Runner]:
        return [*self._inits, *self._containers]

    def _with_address(self) -> Json:
        """The pod with the addresses that its status in the API may not show yet."""
        own = {"podIP": self.address, "podIPs": [{"ip": self.address}], "hostIP": "127.0.0.1"}
        return {**self.pod, "status": {**self.pod.get("status", {}), **own, "hostIPs": [{"ip": "127.0.0.1"}]}}

    def _changed(self) -> None:
        """Publish the status soon; changes that come meanwhile go along."""
        if self._publishing is None or self._publishing.done():
            self._publishing = asyncio.create_task(self._publish())

    async def _flush(self) -> None:
        self._changed()
        assert self._publishing is not None
        await self._publishing

    async def _publish(self) -> None:
        while not self._vanished:
            status = pod_status(
                self.pod,
                self._published,
                [runner.record for runner in self._inits],
                [runner.record for runner in self._containers],
                address=self.address,
                mounted=self._mounted,
                initialized=self._initialized,
                over=self._over,
                now=timestamp(),
            )
            if status == self._published:
                return
            try:
                body = {"metadata": {"uid": self.pod["metadata"]["uid"]}, "status": status}
                await self._ground.api.call("PATCH", f"{self._path}/status", body, MERGE_PATCH)
                self._published = status
                continue
            except ApiError as error:
                if _gone(error):
                    return
            except Away:
                pass
            await asyncio.sleep(RETRY)

    async def _delete(self) -> None:
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.pod["metadata"]["uid"]}}
        while True:
            try:
                await self._ground.api.call("DELETE", self._path, body)
                return
            except ApiError as error:
                if _gone(error):
                    return
            except Away:
                pass
            await asyncio.sleep(RETRY)

    @property
    def _path(self) -> str:
        meta = self.pod["metadata"]
        return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"

    def _tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        self._ground.events.tell(self.pod, reason, message, warning=warning)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


def _gone(error: ApiError) -> bool:
    """The pod is not there any more, or is another one of the same name."""
    return error.status == 404 or (error.status == 409 and "UID" in str(error))


def _init_policy(spec: Json, policy: str) -> str:
    """An init container is tried until it succeeds, unless nothing is; one that stays beside the others always runs."""
    if spec.get("restartPolicy") == "Always":
        return "Always"
    return "Never" if policy == "Never" else "OnFailure"
