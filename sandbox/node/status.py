"""What a pod's containers are doing, and how its status says it. Pure but for the clock that is passed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sandbox.node.settings import Json

CREATING: Json = {"waiting": {"reason": "ContainerCreating"}}
INITIALIZING: Json = {"waiting": {"reason": "PodInitializing"}}

#: Exit code and reason of a container whose end nobody saw, as container runtimes give them after a reboot.
LOST: Json = {"exitCode": 255, "reason": "Unknown"}


@dataclass
class Container:
    """One container of a pod.

    Attributes:
        name, image: as in the pod's specification.
        state: one key, `waiting`, `running` or `terminated`, as in the API.
        last: the end of the run before, in the same form, or empty.
        restarts: how often it was started again.
        ready: it runs and its readiness probe (if any) is content.
        started: it runs and its startup probe (if any) was content once.
        identity: names the run.
    """

    name: str
    image: str
    state: Json
    last: Json = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False
    started: bool = False
    identity: str = ""

    @property
    def exit_code(self) -> int | None:
        """Exit code where it has ended."""
        code = self.state.get("terminated", {}).get("exitCode")
        return None if code is None else int(code)

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return "running" in self.state

    def status(self) -> Json:
        """Its entry in the pod's status."""
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image if self.identity else "",
            "containerID": self.identity,
            "state": self.state,
            "lastState": self.last,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
        }


def recall(spec: Json, statuses: Sequence[Json], waiting: Json, now: str) -> Container:
    """A container as the API remembers it. One that ran then ended with the node that ran it.

    Args:
        spec: the container's specification.
        statuses: of the pod's containers of that kind.
        waiting: its state if it never ran.
        now: the time of its end if nobody saw that.
    """
    known = next((status for status in statuses if status["name"] == spec["name"]), None)
    if known is None:
        return Container(spec["name"], spec["image"], waiting)
    state, last = known.get("state") or waiting, known.get("lastState") or {}
    identity = known.get("containerID", "")
    if "waiting" in state:
        state = last or waiting
    if "running" in state:
        ended = {**LOST, "startedAt": state["running"]["startedAt"], "finishedAt": now, "containerID": identity}
        state = {"terminated": ended}
    return Container(spec["name"], spec["image"], state, last, known.get("restartCount", 0), identity=identity)


def runs_again(policy: str, exit_code: int) -> bool:
    """Whether a container that ended is started again under a restart policy."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def phase(containers: Sequence[Container], initialized: bool, over: bool) -> str:
    """A pod's phase.

    Args:
        containers: without the init containers.
        initialized: the init containers have done their work.
        over: none of its containers will run again.
    """
    if over:
        return "Succeeded" if all(container.exit_code == 0 for container in containers) else "Failed"
    never_ran = any("waiting" in container.state and not container.last for container in containers)
    return "Pending" if never_ran or not initialized else "Running"


def pod_status(
    pod: Json,
    published: Json,
    inits: Sequence[Container],
    containers: Sequence[Container],
    *,
    address: str,
    mounted: bool,
    initialized: bool,
    over: bool,
    now: str,
) -> Json:
    """A pod's whole status, to be merged over what the API has.

    Args:
        pod: as the API has it, perhaps not yet with
        published: the status that was made last. A condition that stays as it was keeps its time, one that others set
            is kept.
        inits, containers: its containers.
        address: the pod's own.
        mounted: its volumes are there.
        initialized, over: as for `phase`.
        now: time for what has changed.
    """
    current = phase(containers, initialized, over)
    unready = [container.name for container in containers if not container.ready]
    why: Json = {}
    if current == "Succeeded":
        why = {"reason": "PodCompleted"}
    elif unready:
        why = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{' '.join(unready)}]"}
    if over and current == "Failed":
        why = {"reason": "PodFailed"}
    ready = not unready and not over
    uninitialized = [container.name for container in inits if container.exit_code != 0 and not container.started]
    not_initialized = {
        "reason": "ContainersNotInitialized",
        "message": f"containers with incomplete status: [{' '.join(uninitialized)}]",
    }
    wanted = {
        "PodReadyToStartContainers": (mounted and not over, {}),
        "Initialized": (initialized, {} if initialized else not_initialized),
        "Ready": (ready, {} if ready else why),
        "ContainersReady": (ready, {} if ready else why),
        "PodScheduled": (True, {}),
    }
    before = pod.get("status", {})
    return {
        "phase": current,
        "hostIP": "127.0.0.1",
        "hostIPs": [{"ip": "127.0.0.1"}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": published.get("startTime") or before.get("startTime") or now,
        "conditions": _conditions(before.get("conditions", []), published.get("conditions", []), wanted, now),
        "initContainerStatuses": [container.status() for container in inits],
        "containerStatuses": [container.status() for container in containers],
    }


def _conditions(
    before: Sequence[Json], published: Sequence[Json], wanted: dict[str, tuple[bool, Json]], now: str
) -> list[Json]:
    known = {condition["type"]: condition for condition in (*before, *published)}
    made = []
    for kind, (holds, why) in wanted.items():
        status = str(holds)
        kept = known.get(kind, {})
        since = kept.get("lastTransitionTime") if kept.get("status") == status else None
        made.append({"type": kind, "status": status, "lastTransitionTime": since or now, **why})
    return made + [condition for condition in before if condition["type"] not in wanted]


def timestamp() -> str:
    """Now, as the API writes times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
