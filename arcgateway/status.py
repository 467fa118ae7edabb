"""Which connected clusters there are, what each has of its association with a gateway, and which state holds it.

What a failed or interrupted create has written to Azure is not in Pulumi's state. The clusters that our driver connects
carry a tag (`association.OWN_TAG`), so those that no state holds can be found: the orphans.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, TypeVar

from arcgateway import arm
from arcgateway.association import OWN_TAG, Seen, associated_at
from arcgateway.azure_cli import with_retries
from arcgateway.errors import Failure
from arcgateway.ids import ConnectedClusterId
from arcgateway.progress import Tell, told
from arcgateway.times import rfc3339

T = TypeVar("T")

#: How many requests are under way at once.
SIDE_BY_SIDE = 16

#: How many states are exported at once: each is a process.
EXPORTS_SIDE_BY_SIDE = 4

#: The components that hold a connected cluster, by their type tokens.
HOLDERS = frozenset({"arc-gateway:index:ConnectedCluster", "arc-gateway:index:GatewayAssociation"})

_COMMAND = "command:local:Command"
_LOOK_SECONDS = 300
_EXPORT_SECONDS = 300


class Reader(Protocol):
    """What is asked of Azure Resource Manager; `arm.Arm` is one."""

    def get(self, resource_id: str, api_version: str) -> dict[str, Any] | None:
        """A resource, or None."""

    def list(self, path: str, api_version: str) -> list[dict[str, Any]]:
        """All items of a collection."""


class Association(Enum):
    """How much of an association is there."""

    NONE = "none"
    WHOLE = "whole"
    SETTING_ONLY = "setting-only"
    FLAG_ONLY = "flag-only"

    @property
    def half(self) -> bool:
        """Whether one of the two halves is missing."""
        return self in (Association.SETTING_ONLY, Association.FLAG_ONLY)


_WORDS = {
    Association.NONE: "-",
    Association.WHOLE: "whole",
    Association.SETTING_ONLY: "half: gateway.enabled is not set",
    Association.FLAG_ONLY: "half: no setting names a gateway",
}


@dataclass(frozen=True)
class Holding:
    """A stack's resource that is a connected cluster, or that declares one.

    Attributes:
        stack: the stack's name.
        project: its project's name.
        name: the component's name.
        urn: the component's URN.
        cluster: what it holds, or would.
        whole: whether the cluster itself is in the state; else the state knows only the component around it, as after
            a create that failed.
    """

    stack: str
    project: str
    name: str
    urn: str
    cluster: ConnectedClusterId
    whole: bool

    def __str__(self) -> str:
        return f"{self.project}/{self.stack}/{self.name}"


@dataclass(frozen=True)
class Status:
    """One connected cluster.

    Attributes:
        id: its ARM id.
        seen: what Azure says of it; without a cluster where a state holds one that Azure has not.
        holders: the resources that hold it: one, as a rule.
        declared: the component that would hold it, where only that is in a state.
    """

    id: ConnectedClusterId
    seen: Seen
    holders: tuple[Holding, ...] = ()
    declared: Holding | None = None

    @property
    def association(self) -> Association:
        """How much of an association is there."""
        return {
            (True, True): Association.WHOLE,
            (True, False): Association.SETTING_ONLY,
            (False, True): Association.FLAG_ONLY,
            (False, False): Association.NONE,
        }[bool(self.seen.gateway_id), self.seen.gateway_enabled]

    @property
    def ours(self) -> bool:
        """Whether a driver of ours has connected it."""
        key, value = OWN_TAG
        return self.seen.tags.get(key) == value

    @property
    def since(self) -> str | None:
        """When its setting was last changed (RFC 3339), None without an association."""
        return rfc3339(associated_at(self.seen))

    @property
    def orphan(self) -> bool:
        """Whether we have connected it and no state knows. Says nothing where no states were read."""
        return self.ours and not self.holders

    @property
    def mend(self) -> str:
        """What to do about an orphan."""
        if self.declared:
            again = f"`pulumi up --stack {self.declared.stack}` in the project {self.declared.project} goes on with it"
        else:
            again = "declare it as before and run `pulumi up`, which goes on from what is there"
        return (
            f"{again}; or take it away, with its kubeconfig context: `az connectedk8s delete --name {self.id.name} "
            f"--resource-group {self.id.resource_group} --subscription {self.id.subscription} --kube-context CONTEXT`"
        )

    def as_json(self, *, states_read: bool) -> dict[str, Any]:
        """The status under camelCase names; what only states tell is null where none were read."""
        return {
            "id": str(self.id),
            "name": self.id.name,
            "resourceGroup": self.id.resource_group,
            "subscriptionId": self.id.subscription,
            "inAzure": self.seen.cluster is not None,
            "location": (self.seen.cluster or {}).get("location"),
            "agentVersion": self.seen.agent_version or None,
            "connectivityStatus": self.seen.status or None,
            "gatewayId": self.seen.gateway_id or None,
            "gatewayEnabled": self.seen.gateway_enabled,
            "association": self.association.value,
            "associatedAt": self.since,
            "connectedByUs": self.ours,
            "heldBy": [{"stack": one.stack, "project": one.project, "urn": one.urn} for one in self.holders]
            if states_read
            else None,
            "orphan": self.orphan if states_read else None,
        }


def clusters(reader: Reader, subscriptions: Iterable[str], group: str | None, tell: Tell) -> list[Status]:
    """All connected clusters of some subscriptions, or of one resource group of each, in the order of their ids.

    Raises:
        Failure: a subscription or group is not there, or may not be read, or Azure does not answer.
    """
    scopes = [
        f"/subscriptions/{subscription}" + (f"/resourceGroups/{group}" if group else "")
        for subscription in subscriptions
    ]
    paths = [f"{scope}/providers/{ConnectedClusterId.provider_type}" for scope in scopes]
    listed = side_by_side(
        lambda path: reader.list(path, arm.CLUSTERS), paths, tell, "asked {done} of {all} subscriptions"
    )
    found = {_id(item): item for items in listed for item in items}
    deadline = time.monotonic() + _LOOK_SECONDS

    def setting(cluster: ConnectedClusterId) -> dict[str, Any] | None:
        # Azure throttles who asks for a thousand.
        return with_retries(lambda _left: reader.get(cluster.setting, arm.SETTINGS), deadline, tell, patience=30)

    settings = side_by_side(setting, list(found), tell, "looked at {done} of {all} clusters")
    looked = [Status(id_, Seen(found[id_], setting)) for id_, setting in zip(found, settings, strict=True)]
    return sorted(looked, key=lambda one: str(one.id).lower())


def with_holders(
    looked: Iterable[Status], holdings: Iterable[Holding], subscriptions: Iterable[str], group: str | None
) -> list[Status]:
    """The same with the resources that hold them, and with what is held in these places and not in Azure."""
    held: dict[ConnectedClusterId, list[Holding]] = {}
    declared: dict[ConnectedClusterId, Holding] = {}
    for holding in holdings:
        if holding.whole:
            held.setdefault(holding.cluster, []).append(holding)
        else:
            declared[holding.cluster] = holding
    known = {one.id: one for one in looked}
    places = {subscription.lower() for subscription in subscriptions}
    for id_ in held:
        in_group = group is None or group.lower() == id_.resource_group.lower()
        inside = in_group and id_.subscription.lower() in places
        if inside and id_ not in known:
            known[id_] = Status(id_, Seen(None, None))
    return [
        Status(id_, one.seen, tuple(held.get(id_, ())), declared.get(id_))
        for id_, one in sorted(known.items(), key=lambda item: str(item[0]).lower())
    ]


def table(shown: Sequence[Status], *, states_read: bool) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows; the subscription is shown where there is more than one."""
    several = len({one.id.subscription.lower() for one in shown}) > 1
    columns: dict[str, Callable[[Status], str]] = {
        **({"SUBSCRIPTION": lambda one: one.id.subscription} if several else {}),
        "NAME": lambda one: one.id.name,
        "GROUP": lambda one: one.id.resource_group,
        "LOCATION": lambda one: str((one.seen.cluster or {}).get("location") or "-"),
        "AGENTS": lambda one: one.seen.agent_version or "-",
        "CONNECTIVITY": lambda one: one.seen.status or ("-" if one.seen.cluster else "not in Azure"),
        "GATEWAY": lambda one: one.seen.gateway_id.rpartition("/")[2] or "-",
        "ASSOCIATION": lambda one: _WORDS[one.association],
        "SINCE": lambda one: one.since or "-",
        "HELD BY": lambda one: (", ".join(map(str, one.holders)) or "no state") if states_read else "?",
    }
    return tuple(columns), [tuple(cell(one) for cell in columns.values()) for one in shown]


def read_state(text: str, source: str) -> list[Holding]:
    """What a stack's exported state holds: JSON of `pulumi stack export`.

    A cluster is held where the command that made it is in the state. Its component alone is not enough: the engine
    writes that down before the command has run.

    Raises:
        Failure: it is no such state.
    """
    try:
        resources = json.loads(text)["deployment"].get("resources") or ()
        components = {item["urn"]: item for item in resources if item["type"] in HOLDERS}
        # A resource that waits for its replacement stands in the state, and is deleted already.
        present = (item for item in resources if item["type"] == _COMMAND and not item.get("pendingReplacement"))
        commands = {item["parent"]: item for item in present if item.get("parent")}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Failure(
            f"{source} is no exported state of a stack", "give what `pulumi stack export` prints, without changing it"
        ) from None
    found = []
    for urn, component in components.items():
        command = commands.get(urn)
        cluster = _held(component, command) if command else _declared(component)
        if cluster is not None:
            stack, project, _, name = urn.removeprefix("urn:pulumi:").split("::", 3)
            found.append(Holding(stack, project, name, urn, cluster, whole=command is not None))
    return found


def export_states(stacks: Sequence[str], everywhere: bool, env: Mapping[str, str], tell: Tell) -> dict[str, str]:
    """States of the given stacks by name; without a name, of all stacks of the project in the current folder.

    Args:
        stacks: names, short ones for the project in the current folder.
        everywhere: of all stacks in the backend, whatever their project.
        env: the environment for `pulumi`.
        tell: takes one line at a time.

    Raises:
        Failure: there is no `pulumi`, no login, no project, or no such stack.
    """
    names = list(stacks) or [
        entry["name"]
        for entry in json.loads(_pulumi(["stack", "ls", "--json", *(["--all"] if everywhere else [])], env))
    ]
    texts = side_by_side(
        lambda name: _pulumi(["stack", "export", "--stack", name], env),
        names,
        tell,
        "read {done} of {all} states",
        EXPORTS_SIDE_BY_SIDE,
    )
    return dict(zip(names, texts, strict=True))


def side_by_side(
    work: Callable[[Any], T], items: Sequence[Any], tell: Tell, words: str, workers: int = SIDE_BY_SIDE
) -> list[T]:
    """The results of some work on each item, in their order.

    Args:
        work: done in threads.
        items: what to work on.
        tell: told how far it is where it takes long.
        words: of that, with `{done}` and `{all}`.
        workers: how many threads.

    Raises:
        Exception: the first that the work raised; what has not begun by then is not done.
    """
    done: list[Any] = []

    def one(item: Any) -> T:
        made = work(item)
        done.append(item)
        return made

    with (
        told(tell, lambda: words.format(done=len(done), all=len(items))),
        ThreadPoolExecutor(max_workers=workers) as pool,
    ):
        futures = [pool.submit(one, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _id(item: Mapping[str, Any]) -> ConnectedClusterId:
    try:
        return ConnectedClusterId.parse(str(item.get("id")))
    except ValueError as error:
        raise Failure(f"Azure lists a connected cluster whose id cannot be read ({error})", "look at it") from None


def _held(component: Mapping[str, Any], command: Mapping[str, Any]) -> ConnectedClusterId | None:
    """Which cluster a command has made: by its settings, or where those are secret, by what the component reports."""
    environment = (command.get("inputs") or {}).get("environment") or {}
    names = [environment.get(f"ARC_{key}") for key in ("SUBSCRIPTION_ID", "RESOURCE_GROUP", "CLUSTER_NAME")]
    if all(isinstance(name, str) and name for name in names):
        return ConnectedClusterId(*(str(name) for name in names))
    reported = component.get("outputs") or {}
    return _parsed(reported.get("resourceId") or reported.get("id"))


def _declared(component: Mapping[str, Any]) -> ConnectedClusterId | None:
    """Which cluster a component is for; None where its inputs do not say it all."""
    inputs = component.get("inputs") or {}
    if (given := _parsed(inputs.get("clusterId"))) is not None:
        return given
    names = [inputs.get(key) for key in ("subscriptionId", "resourceGroupName", "clusterName")]
    return ConnectedClusterId(*map(str, names)) if all(isinstance(name, str) and name for name in names) else None


def _parsed(text: object) -> ConnectedClusterId | None:
    try:
        return ConnectedClusterId.parse(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _pulumi(arguments: Sequence[str], env: Mapping[str, str]) -> str:
    program = shutil.which("pulumi", path=env.get("PATH"))
    if program is None:
        raise Failure("pulumi is not on PATH", "install it, or give exported states with --stack-state FILE")
    command = " ".join(["pulumi", *arguments])
    try:
        done = subprocess.run(
            [program, *arguments, "--non-interactive", "--color", "never"],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_EXPORT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"`{command}` did not end within {_EXPORT_SECONDS} s", "check the backend of states") from None
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        cause = next((line for line in said if line.startswith("error:")), said[-1] if said else "it said nothing")
        raise Failure(
            f"`{command}` failed ({cause.removeprefix('error:').strip()})",
            "run it in the folder of the project, logged in to its backend; or name stacks in full with --stack, "
            "or give exported states with --stack-state FILE",
        )
    return done.stdout
