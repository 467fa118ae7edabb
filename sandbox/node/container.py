"""One container of a pod from its first start to its last end: image, variables, process, probes, restarts."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.images import Image, find
from sandbox.node import expand, logs, probes
from sandbox.node.api import Api
from sandbox.node.events import Events
from sandbox.node.launch import Launch, launch
from sandbox.node.logs import LogWriter
from sandbox.node.process import Process, Warden, execute
from sandbox.node.settings import Json, Settings
from sandbox.node.sources import fetch
from sandbox.node.status import Container, runs_again, timestamp

_log = logging.getLogger(__name__)

#: Seconds between two tries to gather what a container needs.
RETRY = 2.0

#: A container that ran so many times the first back-off counts as healthy, and its next end starts the count anew.
HEALTHY = 60

LONGEST_BACK_OFF = 30  # times the first

#: How much of a log stands for a container's message where it left none and its pod asks for that.
MESSAGE_LINES, MESSAGE_BYTES = 80, 2048


@dataclass(frozen=True)
class Ground:
    """What all pods of a node share."""

    settings: Settings
    api: Api
    events: Events
    warden: Warden
    images: Mapping[str, Image]


class Runner:
    """Runs one container.

    Args:
        ground: the node's.
        pod: gives the pod as the API has it now, with its addresses.
        spec: the container's specification.
        record: what it is doing; kept up to date here.
        policy: its restart policy.
        folder: the pod's.
        stopping: set when the pod has to end.
        changed: called after each change of `record`.
    """

    def __init__(
        self,
        ground: Ground,
        pod: Callable[[], Json],
        spec: Json,
        record: Container,
        policy: str,
        folder: Path,
        stopping: asyncio.Event,
        changed: Callable[[], None],
    ) -> None:
        self.record = record
        self._ground = ground
        self._pod = pod
        self._spec = spec
        self._policy = policy
        self._folder = folder
        self._stopping = stopping
        self._changed = changed
        self._process: Process | None = None
        self._launch: Launch | None = None
        self._up = asyncio.Event()
        self._killing: asyncio.Task[None] | None = None
        self._quick_ends = 0
        self.writer: LogWriter | None = None

    def log_path(self, restarts: int) -> Path:
        """Where the log of one run lies."""
        return self._folder / "logs" / self.record.name / f"{restarts}.log"

    async def keep(self) -> None:
        """Run it, and again as its policy says, until it will not run again or its pod has to end."""
        while not self._stopping.is_set():
            code = self.record.exit_code
            if code is not None:
                if not runs_again(self._policy, code):
                    return
                await self._back_off()
                if self._stopping.is_set() or not runs_again(self._policy, code):
                    return
                self.record.restarts += 1
                logs.remove(self.log_path(self.record.restarts - 2))
            await self._run()

    async def stop(self, grace: float) -> None:
        """End the process: SIGTERM, and SIGKILL after so many seconds."""
        process = self._process
        if process is None:
            return
        if grace > 0:
            process.terminate()
            await _first(process.ended.wait(), asyncio.sleep(grace))
        process.kill()

    def retire(self) -> None:
        """Let it not be started again."""
        self._policy = "Never"

    def terminate(self) -> None:
        """Ask the process, if one runs, to end."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End the process, if one runs, and its group."""
        if self._process is not None:
            self._process.kill()

    async def up(self) -> None:
        """Wait until it has started, or its pod has to end."""
        await _first(self._up.wait(), self._stopping.wait())

    async def _back_off(self) -> None:
        """Wait as long as it must before the next start; the end of the last run moves to where it is remembered."""
        record = self.record
        ended = record.state
        self._quick_ends += 1
        first = self._ground.settings.back_off
        seconds = 0.0 if self._quick_ends == 1 else min(first * 2 ** (self._quick_ends - 2), first * LONGEST_BACK_OFF)
        record.last = ended
        if seconds:
            name = f"{self._pod()['metadata']['name']}_{self._pod()['metadata']['namespace']}"
            message = f"back-off {seconds:g}s restarting failed container={record.name} pod={name}"
            self._wait_for("CrashLoopBackOff", message)
            self._tell("BackOff", f"Back-off restarting failed container {record.name} in pod {name}", warning=True)
            await self._pause(seconds)

    async def _run(self) -> None:
        planned = await self._prepare()
        if planned is None:
            return
        record = self.record
        record.identity = f"sandbox://{uuid.uuid4().hex}"
        log = LogWriter(self.log_path(record.restarts))
        started = timestamp()
        try:
            process = await Process.start(planned.argv, planned.env, planned.folder, log, self._ground.warden)
        except OSError as error:
            log.close()
            message = f"cannot run {planned.argv[0]}: {error.strerror or error}"
            self._tell("Failed", f"Error: {message}", warning=True)
            self._end(128, "StartError", message, started)
            return
        self.writer, self._process, self._launch = log, process, planned
        begun = time.monotonic()
        record.state = {"running": {"startedAt": started}}
        record.started = "startupProbe" not in self._spec
        record.ready = record.started and "readinessProbe" not in self._spec
        self._tell("Started", f"Started container {record.name}")
        self._changed()
        if record.started:
            self._up.set()
        watching = asyncio.create_task(self._observe())
        watching.add_done_callback(_complain)
        if self._stopping.is_set():
            process.kill()
        code = await process.wait()
        watching.cancel()
        self._process = None
        if time.monotonic() - begun > HEALTHY * self._ground.settings.back_off:
            self._quick_ends = 0
        self._end(code, "Completed" if code == 0 else "Error", self._message(code), started)

    def _end(self, code: int, reason: str, message: str, started: str) -> None:
        record = self.record
        ended: Json = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": timestamp()}
        ended["containerID"] = record.identity
        if message:
            ended["message"] = message
        record.state = {"terminated": ended}
        record.ready = record.started = False
        self._changed()

    async def _prepare(self) -> Launch | None:
        """Find image, variables and paths; None if the pod has to end before that succeeds."""
        image = find(self._spec["image"], self._ground.images)
        if image is None:
            await self._no_image()
            return None
        namespace = self._pod()["metadata"]["namespace"]
        told = ""
        while not self._stopping.is_set():
            try:
                sources = await fetch(self._ground.api, namespace, expand.references(self._spec))
                pod, settings = self._pod(), self._ground.settings
                variables = expand.environment(pod, self._spec, sources)
                return launch(settings, pod, self._spec, image, variables, self._folder)
            except (expand.Missing, expand.NotSupported, OSError) as error:
                if str(error) != told:
                    told = str(error)
                    self._tell("Failed", f"Error: {told}", warning=True)
                    self._wait_for("CreateContainerConfigError", told)
                await self._pause(RETRY)
        return None

    async def _no_image(self) -> None:
        """What a cluster shows of an image that no registry has."""
        image = self._spec["image"]
        known = ", ".join(sorted(self._ground.images))
        why = f'Failed to pull image "{image}": the sandbox has no program for it, only for {known}'
        self._tell("Failed", why, warning=True)
        self._wait_for("ErrImagePull", why)
        await self._pause(RETRY)
        if not self._stopping.is_set():
            self._tell("BackOff", f'Back-off pulling image "{image}"', warning=True)
            self._wait_for("ImagePullBackOff", f'Back-off pulling image "{image}": {why}')
            await self._stopping.wait()

    async def _observe(self) -> None:
        """Look at the running container as its probes say, until cancelled."""
        if "startupProbe" in self._spec:
            started = asyncio.Event()
            starting = asyncio.create_task(self._probe("startupProbe", self._startup(started)))
            try:
                await started.wait()
            finally:
                starting.cancel()
        verdicts = {"readinessProbe": self._readiness, "livenessProbe": self._liveness}
        wanted = [self._probe(name, verdict) for name, verdict in verdicts.items() if name in self._spec]
        await asyncio.gather(*wanted)

    async def _probe(self, name: str, verdict: Callable[[bool, str], Awaitable[None]]) -> None:
        probe = self._spec[name]
        period = probe.get("periodSeconds") or 10
        thresholds = {True: probe.get("successThreshold") or 1, False: probe.get("failureThreshold") or 3}
        held: bool | None = None
        last, streak = None, 0
        await asyncio.sleep(probe.get("initialDelaySeconds") or 0)
        while True:
            problem = await probes.look(probe, self._spec, self._pod()["status"]["podIP"], self._execute)
            good = not problem
            last, streak = good, streak + 1 if good == last else 1
            if streak >= thresholds[good] and held != good:
                held = good
                await verdict(good, problem)
            # Until it is content a container is looked at more often, so that nobody waits for a period's end.
            await asyncio.sleep(period if held else min(period, 1))

    async def _execute(self, command: list[str]) -> int:
        assert self._launch is not None
        words = [expand.rewrite(word, self._launch.mounts) for word in command]
        return await execute(words, self._launch.env, self._launch.folder, self._ground.warden)

    def _startup(self, started: asyncio.Event) -> Callable[[bool, str], Awaitable[None]]:
        async def verdict(good: bool, problem: str) -> None:
            if not good:
                await self._unhealthy("Startup", problem)
                return
            self.record.started = True
            self.record.ready = "readinessProbe" not in self._spec
            self._changed()
            self._up.set()
            started.set()

        return verdict

    async def _readiness(self, good: bool, problem: str) -> None:
        if not good:
            self._tell("Unhealthy", f"Readiness probe failed: {problem}", warning=True)
        self.record.ready = good
        self._changed()

    async def _liveness(self, good: bool, problem: str) -> None:
        if not good:
            await self._unhealthy("Liveness", problem)

    async def _unhealthy(self, kind: str, problem: str) -> None:
        self._tell("Unhealthy", f"{kind} probe failed: {problem}", warning=True)
        self._tell("Killing", f"Container {self.record.name} failed {kind.lower()} probe, will be restarted")
        # In a task of its own: this one is cancelled as soon as the process has ended.
        self._killing = asyncio.create_task(self.stop(self._pod()["spec"].get("terminationGracePeriodSeconds", 30)))

    def _message(self, code: int) -> str:
        assert self._launch is not None
        path = self._launch.termination_log
        text = path.read_bytes()[:4096].decode(errors="replace") if path.exists() else ""
        if not text and code and self._spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            return logs.last_text(self.log_path(self.record.restarts), MESSAGE_LINES, MESSAGE_BYTES)
        return text

    def _wait_for(self, reason: str, message: str) -> None:
        self.record.state = {"waiting": {"reason": reason, "message": message}}
        self._changed()

    def _tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        self._ground.events.tell(self._pod(), reason, message, container=self.record.name, warning=warning)

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until the pod has to end."""
        await _first(self._stopping.wait(), asyncio.sleep(seconds))


def _complain(task: asyncio.Task[None]) -> None:
    """Say it where looking at a container went wrong otherwise than by a probe's failure, which is a bug."""
    if not task.cancelled() and task.exception() is not None:
        _log.error("the probes of a container stopped", exc_info=task.exception())


async def _first(*waits: Coroutine[Any, Any, Any]) -> None:
    """Wait for the first of several and drop the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
