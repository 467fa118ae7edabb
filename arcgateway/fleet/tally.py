"""What the engine's events say about a stack: its clusters, changes, violations and failures."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arcgateway.status import HOLDERS

_COMMAND = "command:local:Command"
_COLORS = re.compile(r"<\{%[^%]*%\}>")
_UNCHANGED = frozenset({"same", "read", "refresh", "read-discard"})
#: What the engine wraps around a command's own words.
_WRAPPING = re.compile(r"^(Preview|update|create|delete|command:\S+) failed|^\d+ errors? occurred|^resource \S+ was")


@dataclass(frozen=True)
class Violation:
    """A policy that a resource breaks.

    Attributes:
        policy: the policy's name.
        level: `mandatory` or `advisory`.
        cluster: the cluster that the resource belongs to; empty for others.
        resource: the resource's name.
        text: what the policy says.
    """

    policy: str
    level: str
    cluster: str
    resource: str
    text: str

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return dict(vars(self))


@dataclass(frozen=True)
class Trouble:
    """Something that failed.

    Attributes:
        cluster: whose it was; empty where it is the whole stack's.
        cause: the last line of what was said, which has cause and mend.
    """

    cluster: str
    cause: str

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return dict(vars(self))


class Tally:
    """Counts while an engine works on a stack; safe to be asked from another thread.

    Args:
        clusters: the stack's clusters, by the names of their components.
        changed: called after each event that moves something a person would see.
    """

    def __init__(self, clusters: Sequence[str], changed: Callable[[], None] = lambda: None) -> None:
        self.clusters = tuple(clusters)
        self._changed = changed
        self._lock = threading.Lock()
        self._summary: Mapping[str, int] | None = None
        self._seen = Counter[str]()
        self._differing: dict[str, str] = {}
        self._done: set[str] = set()
        self._failed: set[str] = set()
        self._said: dict[str, list[str]] = {}
        self._violations: list[Violation] = []

    def note(self, event: Any) -> None:
        """Take one `pulumi.automation.events.EngineEvent`."""
        with self._lock:
            moved = self._note(event)
        if moved:
            self._changed()

    def _note(self, event: Any) -> bool:
        if (said := event.diagnostic_event) is not None:
            if said.severity == "error" and not said.ephemeral:
                self._said.setdefault(said.urn or "", []).append(_plain(said.message))
            return False
        if (policy := event.policy_event) is not None:
            self._violate(policy)
            return True
        if (summary := event.summary_event) is not None:
            self._summary = {_word(op): count for op, count in (summary.resource_changes or {}).items()}
            return True
        if (begun := event.resource_pre_event) is not None:
            return self._begin(begun.metadata)
        if (ended := event.res_outputs_event) is not None:
            return self._end(ended.metadata, self._done)
        if (failed := event.res_op_failed_event) is not None:
            return self._end(failed.metadata, self._failed)
        return False

    def _begin(self, step: Any) -> bool:
        op = _word(step.op)
        if op in _UNCHANGED:
            return False
        self._seen[op] += 1
        name = cluster_of(step.urn)
        if name and step.type == _COMMAND:
            self._differing[name] = _drift(step) or op
        elif step.type not in HOLDERS:
            self._differing.setdefault(step.urn.rpartition("::")[2], op)
        return False

    def _end(self, step: Any, ended: set[str]) -> bool:
        name = cluster_of(step.urn)
        if not name or step.type != _COMMAND or name not in self.clusters:
            return False
        ended.add(name)
        return True

    def _violate(self, event: Any) -> None:
        urn = event.resource_urn or ""
        text = " ".join(_plain(event.message).split())
        self._violations.append(
            Violation(event.policy_name, event.enforcement_level, cluster_of(urn) or "", urn.rpartition("::")[2], text)
        )

    @property
    def done(self) -> int:
        """Clusters that are as they are declared."""
        with self._lock:
            return len(self._done - self._failed)

    @property
    def failed(self) -> tuple[str, ...]:
        """Clusters that are not."""
        with self._lock:
            return tuple(sorted(self._failed))

    @property
    def changes(self) -> dict[str, int]:
        """Resources by what is done to them (`create`, `update`, `same`, ...)."""
        with self._lock:
            return dict(self._summary if self._summary is not None else self._seen)

    @property
    def differing(self) -> dict[str, str]:
        """What is not as declared, by the names of clusters and other resources: how it drifted, or what is done."""
        with self._lock:
            return dict(self._differing)

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Policies that are broken."""
        with self._lock:
            return tuple(self._violations)

    @property
    def broken(self) -> bool:
        """Whether one of these stops an update."""
        return any(one.level == "mandatory" for one in self.violations)

    @property
    def unchanged(self) -> bool:
        """Whether the engine has come to its end, and to no change."""
        with self._lock:
            return self._summary is not None and not set(self._summary) - _UNCHANGED

    def troubles(self, otherwise: str) -> tuple[Trouble, ...]:
        """What failed, each cluster once.

        Args:
            otherwise: the stack's trouble, where nobody has said anything.
        """
        with self._lock:
            found: dict[str, str] = {}
            rest: dict[str, str] = {}
            for urn, said in self._said.items():
                name, cause = cluster_of(urn) or "", _cause(said)
                if name:
                    found.setdefault(name, cause)
                elif cause:
                    rest.setdefault(cause, cause)
            for name in self._failed - set(found):
                found[name] = "it failed, and nothing was said of the cause: see the stack's log"
        troubles = [Trouble(name, cause) for name, cause in sorted(found.items())]
        # The stack itself only says that something below it failed, where something did.
        if not troubles:
            troubles += [Trouble("", cause) for cause in rest] or [Trouble("", otherwise)]
        return tuple(troubles)


def cluster_of(urn: str) -> str | None:
    """The cluster that a resource belongs to, by the URN's types: the component's name, or that of its command."""
    parts = urn.split("::")
    if len(parts) < 4:
        return None
    types, name = parts[2].split("$"), parts[3]
    if types[0] not in HOLDERS:
        return None
    return name.removesuffix("-egress") if len(types) > 1 and types[-1] != _COMMAND else name


def by_cause(troubles: Sequence[tuple[str, Trouble]]) -> list[tuple[str, list[str]]]:
    """Troubles that come from one cause together, the most frequent first.

    Args:
        troubles: each with its stack's name.

    Returns:
        The cause, without what is each cluster's own, and whom it struck: clusters, or stacks where it is a stack's.
    """
    groups: dict[str, tuple[str, list[str]]] = {}
    for stack, trouble in troubles:
        name = trouble.cluster or stack
        key = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "*", trouble.cause)
        groups.setdefault(re.sub(r"\d+", "#", key), (key, []))[1].append(name)
    return sorted(
        ((trouble if len(names) > 1 else trouble.replace("*", names[0]), names) for trouble, names in groups.values()),
        key=lambda group: -len(group[1]),
    )


def _drift(step: Any) -> str:
    """Why a cluster's command runs again, where somebody else changed the cluster: the one value that is read."""
    environment = ((step.new.inputs if step.new else None) or {}).get("environment")
    return str(environment.get("ARC_DRIFT") or "") if isinstance(environment, Mapping) else ""


def _cause(said: Sequence[str]) -> str:
    """The line that has cause and mend: the driver's last."""
    lines = [line for line in _lines(said) if not _WRAPPING.search(line)]
    return lines[-1] if lines else ""


def _lines(said: Sequence[str]) -> Iterator[str]:
    for text in said:
        yield from (line.strip() for line in text.splitlines() if line.strip())


def _plain(text: str) -> str:
    return _COLORS.sub("", text).strip()


def _word(op: Any) -> str:
    return str(getattr(op, "value", op))
