"""What only the stack as a whole tells about closed endpoints: the order of rules, what opens beside, and the hour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from . import azure_egress, kubernetes_egress
from .closing_forms import ALLOWLIST, NEVER, ROWS, WHY_NEEDED, Row
from .closings import CLOSES, MAY_CLOSE, Closing, closings, hit
from .names import Need, needs
from .reading import Node
from .required_settings import (
    LAST_ASSOCIATION,
    RANGES,
    known_regions,
    known_scenarios,
    needed,
    regions,
    replaced,
    time_of,
)
from .rule import OPEN, Finding, StackCheck
from .settings import Settings
from .subjects import WORKLOADS
from .tokens import Subject

SETTLES = "settles"
WHEN_UNKNOWN = "when-unknown"

_CLUSTERS = frozenset({"arc-gateway:index:connectedcluster", "arc-gateway:index:gatewayassociation"})
_COMMAND = "command:local:command"
_POLICY = "azure-native:network:firewallpolicy"
_POLICY_KEYS = ("firewallPolicyName", "firewallPolicyId")

_UNTIL = "clusters need until an hour after they all use a gateway"
_BY_NAME = {row.name: row for row in ROWS}
#: Host aliases are left out, for whose sake every workload of a stack would be read once more.
_FORMS = frozenset(token for row in ROWS for token in row.tokens) - {ALLOWLIST} - WORKLOADS

Found = Iterator[tuple[Subject, Finding]]


@dataclass(frozen=True)
class _Clusters:
    """What the stack's own clusters tell.

    Attributes:
        count: how many there are.
        last: from when the last of them needs the superfluous names no more, as far as that is known.
        without: whether one of them uses no gateway.
        new: whether this update makes the gateway of one of them, so that no association can be older.
        unknown: whether one of them does not tell yet.
    """

    count: int
    last: datetime | None
    without: bool
    new: bool
    unknown: bool


def _clusters(subjects: Sequence[Subject]) -> _Clusters:
    nodes = [subject.node for subject in subjects if subject.token in _CLUSTERS]
    enabled = [node.get("gatewayEnabled") for node in nodes]
    without = [given.value is False or given.text.lower() == "false" for given in enabled]
    times = [time_of(node.get("endpointsRemovableAt").text) for node in nodes]
    return _Clusters(
        len(nodes),
        max((time for time in times if time is not None), default=None),
        any(without),
        any(command.get("ARC_GATEWAY_ID").open for command in _commands(subjects)),
        any(time is None and not off for time, off in zip(times, without, strict=True)),
    )


def _commands(subjects: Iterable[Subject]) -> list[Node]:
    """The settings of the driver's commands for clusters."""
    environments = [subject.node.get("environment") for subject in subjects if subject.token == _COMMAND]
    return [environment for environment in environments if environment.get("ARC_CLUSTER_NAME").value is not None]


def _scenarios(subjects: Iterable[Subject]) -> tuple[str, ...]:
    """The Arc features that the stack's clusters name."""
    return known_scenarios(
        name for command in _commands(subjects) for name in command.get("ARC_SCENARIOS").text.split(",")
    )


def _settling(subjects: Sequence[Subject], settings: Settings) -> Found:
    """Superfluous names that are closed as such, by what the stack knows of the last association."""
    clusters = _clusters(subjects)
    if not clusters.count and not clusters.new and settings.get(LAST_ASSOCIATION):
        return  # judged resource by resource
    wanted = replaced(settings, _scenarios(subjects))
    verdict = _when(clusters)
    if verdict is None:
        return
    grade, why, when = verdict
    for subject, row in _closers(subjects):
        for closing in row.read(subject, wanted, settings):
            if closing.grade == CLOSES and closing.named:
                yield subject, row.finding(closing, why, when, grade)


def _when(clusters: _Clusters) -> tuple[str, str, str] | None:
    """The grade of closing superfluous names, why they are needed, when they may close; None when they may already."""
    if clusters.without:
        return SETTLES, "a cluster of this stack needs, which uses no gateway", f"{_SOON} of that cluster."
    if clusters.new:
        return SETTLES, f"{_UNTIL}, one that this update makes", f"{_SOON}."
    if clusters.last is not None and clusters.last > datetime.now(UTC):
        return SETTLES, _UNTIL, f"this may close from {clusters.last:%Y-%m-%d %H:%M} UTC on, {_HOUR}."
    if clusters.unknown:
        return OPEN, f"{_UNTIL}, which is not known yet", f"{_SOON}."
    if not clusters.count:
        when = f"{_SOON}: set lastAssociation where that is over."
        return WHEN_UNKNOWN, f"{_UNTIL}, of which this stack does not tell", when
    return None


_HOUR = "an hour after the last association"
_SOON = f"this may close {_HOUR}"


def _closers(subjects: Iterable[Subject]) -> Iterator[tuple[Subject, Row]]:
    return (
        (subject, row) for subject in subjects if subject.token in _FORMS for row in ROWS if subject.token in row.tokens
    )


def _features(subjects: Sequence[Subject], settings: Settings) -> Found:
    """Names that only the features of the stack's clusters need."""
    known = {need.name for need in needed(settings)}
    more = tuple(need for need in needed(settings, _scenarios(subjects)) if need.name not in known)
    for subject, row in _closers(subjects) if more else ():
        for closing in row.read(subject, more, settings):
            if closing.grade in {CLOSES, MAY_CLOSE}:
                yield subject, row.finding(closing, "an Arc feature of this stack's clusters needs", NEVER)


def _order(subjects: Sequence[Subject], settings: Settings) -> Found:
    """Rules of one firewall policy that stop everything, in the order of all groups that the stack has."""
    wanted = needed(settings, _scenarios(subjects))
    groups = [subject for subject in subjects if subject.token == azure_egress.RULE_GROUP]
    # A policy with a base policy has rules before its own; without one, all of them may be in the stack.
    whole = [one.node for one in subjects if one.token == _POLICY]
    complete = len(whole) == 1 and whole[0].field("basePolicy", "basePolicyId").value is None
    row = _BY_NAME["firewall"]
    pools: dict[str, list[Subject]] = defaultdict(list)
    for group in groups:
        pools[group.node.field(*_POLICY_KEYS).text.rpartition("/")[2].lower()].append(group)
    for pool in pools.values():
        if len(pool) == 1 and not complete:
            continue
        for subject, closing in _pooled(pool, wanted, settings, complete=complete and len(pools) == 1):
            yield subject, row.finding(closing, WHY_NEEDED, NEVER)


def _pooled(
    pool: Sequence[Subject], wanted: Sequence[Need], settings: Settings, *, complete: bool
) -> Iterator[tuple[Subject, Closing]]:
    ranges = settings.get(RANGES)
    marked = [one.node._replace(path=(index, *one.node.path)) for index, one in enumerate(pool)]
    passages = azure_egress.policy_passages(marked, ranges, CLOSES if complete else "")
    for closing in closings(passages, wanted):
        index, path = closing.path[0], closing.path[1:]
        alone = closings(azure_egress.azure_passages(pool[int(index)].token, pool[int(index)].node, ranges), wanted)
        if (
            closing.grade == CLOSES
            and not closing.named
            and not any(one.grade == CLOSES and one.path == path for one in alone)
        ):
            yield pool[int(index)], replace(closing, path=path)


def _additive(subjects: Sequence[Subject], settings: Settings) -> Found:
    """Network policies of the agents' namespace, which add up."""
    lists = [
        (subject, found)
        for subject in subjects
        if subject.token in kubernetes_egress.ADDITIVE
        for found in kubernetes_egress.allowlists(subject.token, subject.node)
    ]
    wanted = needed(settings, _scenarios(subjects))
    row = _BY_NAME["isolation"]
    for closing in kubernetes_egress.lacking([found for _, found in lists], wanted):
        about = next(subject for subject, found in lists if found.path == closing.path and found.closes)
        yield about, row.finding(closing, WHY_NEEDED, NEVER)


def _allowlists(subjects: Sequence[Subject], settings: Settings) -> Found:
    """This project's allowlists together, against what its clusters in the stack need."""
    lists = [subject for subject in subjects if subject.token == ALLOWLIST]
    commands = _commands(subjects)
    if not lists or not commands:
        return
    required = [subject.node.get("required") for subject in lists]
    listed = [item.text for node in required for item in node.each()]
    wanted = [
        need
        for command in commands
        for need in needs(
            known_regions([command.get("ARC_LOCATION").text]) or regions(settings),
            known_scenarios(command.get("ARC_SCENARIOS").text.split(",")),
        )
    ]
    lost = tuple(need.name for need in dict.fromkeys(wanted) if all(hit(one, need) is False for one in listed))
    # A list that the preview cannot know is the project's own making: the update judges it.
    unknown = any(node.open or any(item.open for item in node.each()) for node in required)
    if not lost or unknown or all(node.value is None for node in required):
        return
    closing = Closing(CLOSES, required[-1].path, "leaves out", lost, named=False)
    yield lists[-1], _BY_NAME["allowlist"].finding(closing, WHY_NEEDED, NEVER)


STACK_CHECKS = (
    StackCheck(
        "settling",
        "names that the gateway makes superfluous, closed as such in any of the forms above, by the time of the last "
        "association of this project's clusters",
        _settling,
        _FORMS | _CLUSTERS | {_COMMAND},
        grades=(SETTLES, WHEN_UNKNOWN, OPEN),
    ),
    StackCheck(
        "features",
        "names that only the Arc features need which this project's clusters name, closed in any of the forms above",
        _features,
        _FORMS | {_COMMAND},
        grades=(CLOSES, MAY_CLOSE),
    ),
    StackCheck(
        "order",
        "rule collection groups of one Azure Firewall policy, in the order in which they are tried",
        _order,
        frozenset({azure_egress.RULE_GROUP, _POLICY, _COMMAND}),
        grades=(CLOSES,),
    ),
    StackCheck(
        "together",
        "NetworkPolicies, CiliumNetworkPolicies and CiliumClusterwideNetworkPolicies of Arc's pods, which add up",
        _additive,
        kubernetes_egress.ADDITIVE | {_COMMAND},
        grades=(CLOSES, MAY_CLOSE, OPEN),
    ),
    StackCheck(
        "allowlists",
        "this project's EndpointAllowlists, against the regions and features of its clusters",
        _allowlists,
        frozenset({ALLOWLIST, _COMMAND}),
        grades=(CLOSES,),
    ),
)
