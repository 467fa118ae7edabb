"""Rule `gateways-per-subscription`: Azure allows five Arc gateways in a subscription, and refuses the sixth."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from .commands import COMMANDS
from .reading import UNKNOWN, Node, Path, Value, plain
from .rule import OPEN, Check, Finding, Grade, Level, Rule, StackCheck
from .settings import Settings, counts
from .shell import OPEN as OPEN_WORD
from .tokens import Count, Subject, normalise, subscription_of_id

LIMIT = 5
#: Connected clusters that one gateway serves in one region.
CLUSTERS = 1_000

ELSEWHERE = counts(
    "gatewaysElsewhere",
    "how many Arc gateways a subscription holds besides those of the stack: its id and a number; "
    '`default` stands for every subscription without a number of its own (`{"default": 2}`)',
)

_GATEWAY = "azure-native:hybridcompute:gateway"
_DEFAULT = "default"
#: The subscription of gateways whose subscription is open.
_ANY = "?"
_CLUSTER_NAMES = ("ARC_SUBSCRIPTION_ID", "ARC_RESOURCE_GROUP", "ARC_CLUSTER_NAME")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MEND = (
    "Have clusters of the tenant share gateways (each serves clusters of every subscription and region), "
    "or make this one in another subscription."
)
_ALLOWED = f"Azure allows {LIMIT}"
_DOUBT = ", as which subscription that is, or the number of gateways, cannot be told here"


@dataclass(frozen=True)
class _Declared:
    """Gateways that a resource declares.

    Attributes:
        subject: where.
        subscription: an id or name in lower case; `_DEFAULT` where nothing names one, `_ANY` where it is open.
        name: resource group and name, as far as they are told.
        named, whole: whether the name is told, and whether both are.
        count: how many.
    """

    subject: Subject
    subscription: str
    name: str
    named: bool
    whole: bool
    count: Count

    @property
    def told(self) -> bool:
        """Whether this subscription cannot be another one that is written otherwise."""
        return bool(_GUID.fullmatch(self.subscription))


def _declared(subject: Subject) -> _Declared | None:
    node = subject.node
    if node.get("existing").value is True or subject.at == ("delete",):
        return None
    name, group = node.field("gatewayName", "resourceName", "name"), node.field("resourceGroupName", "resourceGroup")
    written = f"{group.text}/{name.text}".lower()
    named = bool(name.text) and OPEN_WORD not in written
    return _Declared(subject, _subscription(subject), written, named, named and bool(group.text), subject.count)


def _subscription(subject: Subject) -> str:
    """Where a gateway is made: what a template or command says, else its parent's id, else its provider."""
    provider = subject.resource.provider if subject.resource is not None else None
    parent = subject.node.get("parentId")
    named: Iterable[Value] = (
        subject.subscription,
        subject.node.get("subscriptionId").value,
        UNKNOWN if parent.open else subscription_of_id(parent.text),
        Node(plain(provider)).get("subscriptionId").value,
    )
    first = next((value for value in named if value not in (None, "")), _DEFAULT)
    return first.strip().lower() if isinstance(first, str) and OPEN_WORD not in first else _ANY


def _elsewhere(settings: Settings, subscription: str) -> int:
    """What configuration counts in a subscription, at least where it is not sure which one that is."""
    given: Mapping[str, int] = settings.get(ELSEWHERE)
    rest = given.get(_DEFAULT, 0)
    if subscription in given or subscription == _DEFAULT or _GUID.fullmatch(subscription):
        return given.get(subscription, rest)
    return min(rest, *given.values()) if given else 0


def _at_most_elsewhere(settings: Settings, one: _Declared) -> int:
    given: Mapping[str, int] = settings.get(ELSEWHERE)
    settled = one.told or one.subscription in given
    return _elsewhere(settings, one.subscription) if settled else max(given.values(), default=0)


def _alone(subject: Subject, settings: Settings) -> Iterator[Finding]:
    """What one resource and the configuration tell: this stops a gateway before it is made."""
    one = _declared(subject)
    if one is None:
        return
    elsewhere, most = _elsewhere(settings, one.subscription), _at_most_elsewhere(settings, one)
    if one.count.least and one.count.least + elsewhere > LIMIT:
        yield Finding("over", subject.node.path, _problem(one.count.least, elsewhere), _MEND)
    elif one.count.most is None:
        problem = f"makes gateways in a number that cannot be seen here; {_ALLOWED}"
        yield Finding(OPEN, subject.node.path, problem, _MEND)
    elif one.count.most + most > LIMIT:
        problem = f"may bring its subscription to {one.count.most + most} Arc gateways{_DOUBT}; {_ALLOWED}"
        yield Finding(OPEN, subject.node.path, problem, _MEND)


def _problem(declared: int, elsewhere: int) -> str:
    others = f" and {elsewhere} that {ELSEWHERE.name} counts" if elsewhere else ""
    here = f"{declared} in this stack{others}"
    return f"brings its subscription to {declared + elsewhere} Arc gateways ({here}); {_ALLOWED}"


def _together(subjects: Sequence[Subject], settings: Settings) -> Iterator[tuple[Subject, Finding]]:
    """What the stack declares in each subscription: a finding for each that is too full, about its last gateway."""
    groups: dict[str, list[_Declared]] = defaultdict(list)
    for one in _distinct(subjects):
        groups[one.subscription].append(one)
    full = False
    for subscription, ones in groups.items():
        elsewhere, least = _elsewhere(settings, subscription), sum(one.count.least for one in ones)
        if subscription == _ANY or least + elsewhere <= LIMIT:
            continue
        full = True
        # What a single resource shows is said before it is made.
        if not any(one.count.least and one.count.least + elsewhere > LIMIT for one in ones):
            yield _last(one.subject for one in ones), Finding("over", (), _problem(least, elsewhere), _MEND)
    if not full:
        yield from _possibly(groups, settings)


def _possibly(groups: Mapping[str, list[_Declared]], settings: Settings) -> Iterator[tuple[Subject, Finding]]:
    """Where gateways whose number or subscription is open might fill a subscription; once, of the fullest."""
    most_of = {
        subscription: sum(one.count.least if one.count.most is None else one.count.most for one in ones)
        for subscription, ones in groups.items()
    }
    doubtful = sum(most_of[subscription] for subscription, ones in groups.items() if not ones[0].told)
    fullest, most = None, LIMIT
    for subscription, ones in groups.items():
        others = doubtful if ones[0].told else doubtful - most_of[subscription]
        total = most_of[subscription] + others + _elsewhere(settings, subscription)
        if total > most and (others or len(ones) > 1):
            fullest, most = subscription, total
    if fullest is not None:
        problem = f"may bring its subscription to {most} Arc gateways{_DOUBT}; {_ALLOWED}"
        meant = [one.subject for key, ones in groups.items() if key == fullest or not ones[0].told for one in ones]
        yield _last(meant), Finding(OPEN, (), problem, _MEND)


def _distinct(subjects: Sequence[Subject]) -> list[_Declared]:
    """Each gateway once: two calls of a command, or two resources, may make the same one."""
    found: list[_Declared] = []
    named: set[tuple[str, str]] = set()
    verbs: dict[tuple[str, str, str], Path] = {}
    for subject in subjects:
        one = _declared(subject)
        if one is None:
            continue
        if one.whole and one.subscription != _ANY and one.count == Count():
            if (one.subscription, one.name) in named:
                continue
            named.add((one.subscription, one.name))
        elif subject.at is not None and subject.resource is not None and normalise(subject.resource.type) in COMMANDS:
            place = (subject.resource.urn, one.subscription, one.name)
            before = verbs.get(place)
            if before is not None and (before != subject.at or one.named):
                continue
            # The same words with something open in them may be the same gateway, tried again.
            one = one if before is None else replace(one, count=Count(0, one.count.most))
            verbs[place] = subject.at
        found.append(one)
    return found


def _last(subjects: Iterable[Subject]) -> Subject:
    # Resources come in no fixed order, and a message should name the same one each time.
    return max(subjects, key=lambda subject: subject.resource.urn if subject.resource else "")


def _crowded(subjects: Sequence[Subject], _: Settings) -> Iterator[tuple[Subject, Finding]]:
    """The driver's commands, which hold gateway and region of each cluster."""
    clusters: dict[tuple[str, str], dict[str, Subject]] = defaultdict(dict)
    for subject in subjects:
        environment = subject.node.get("environment")
        gateway, region = environment.get("ARC_GATEWAY_ID"), environment.get("ARC_LOCATION")
        names = [environment.get(name).text.lower() for name in _CLUSTER_NAMES]
        if gateway.text and region.text and subject.resource is not None:
            cluster = "/".join(names) if all(names) else subject.resource.urn
            clusters[gateway.text.lower(), region.text.lower()][cluster] = subject
    for ones in clusters.values():
        if len(ones) > CLUSTERS:
            problem = (
                f"is one of {len(ones)} clusters of a region at one gateway, which serves {CLUSTERS} of each region"
            )
            mend = "Have some of the region's clusters use another gateway."
            yield _last(ones.values()), Finding("crowded", ("environment", "ARC_GATEWAY_ID"), problem, mend)


_QUOTAS = "MicrosoftDocs/azure-management-docs, articles/azure-arc/kubernetes/arc-gateway-simplify-networking.md"
_CHECKED = date(2026, 8, 20)
_FORMS = (
    "gateways: azure-native (every version and package), generic, in templates (copies and conditions too), azapi, "
    "`az arcgateway create`, `az resource`, `az rest`, PowerShell"
)

RULE = Rule(
    name="gateways-per-subscription",
    description="No more than five Arc gateways in a subscription.",
    why=(
        "Azure refuses the sixth Arc gateway of a subscription in the middle of the deployment, and what waits for it "
        "is never made. Counted is what this stack declares, and what gatewaysElsewhere says of other stacks."
    ),
    grades={
        "over": Grade(
            "more than five gateways in one subscription", Level.MANDATORY, Level.MANDATORY, _QUOTAS, _CHECKED
        ),
        "crowded": Grade(
            "more than 1,000 clusters of one region at one gateway", Level.ADVISORY, Level.ADVISORY, _QUOTAS, _CHECKED
        ),
    },
    checks=(Check("alone", _FORMS, _alone, frozenset({_GATEWAY}), grades=("over", OPEN)),),
    stack_checks=(
        StackCheck(
            "together", "the same, counted by subscription", _together, frozenset({_GATEWAY}), grades=("over", OPEN)
        ),
        StackCheck(
            "crowded",
            "clusters that our components connect, by gateway and region",
            _crowded,
            frozenset({"command:local:command"}),
            grades=("crowded",),
        ),
    ),
    options=(ELSEWHERE,),
)
