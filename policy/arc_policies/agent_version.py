"""Rule `agent-version`: Arc's agents know gateways from a certain version on, and should keep upgrading themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date

from arcgateway.az_versions import OLDEST_AGENTS, numbers

from .arc_chart import AGENTS, AGENTS_CONFIG
from .reading import Node
from .rule import OPEN, Check, Finding, Grade, Level, Rule
from .settings import Settings
from .subjects import is_component
from .tokens import Subject

#: Versions are compared by their three numbers, and a fourth below zero where the version itself is not meant.
_OLDEST = (*numbers(OLDEST_AGENTS), 0)
_NEVER = (10**9,)
_LONGEST = 200

_PIN_MEND = (
    f"Name version {OLDEST_AGENTS} or newer, best one of the last three minor versions, which alone are supported, "
    "or name none: Azure then installs the newest."
)
_UPGRADE_MEND = (
    "Leave automatic upgrades on, or see to it that somebody upgrades the agents within the year in which Azure "
    "supports them."
)

_TERM = re.compile(
    r"\s*(>=|<=|=>|=<|!=|==|=|>|<|\^|~>|~)?\s*[vV]?(\d{1,9}(?:\.(?:\d{1,9}|[xX*]))*|[xX*])[\w.+-]*", re.ASCII
)
_SPAN = re.compile(r"\s(-)\s", re.ASCII)


def too_old(version: str) -> bool | None:
    """Whether a version, or the best of a range as Helm takes it, is too old; None where it reads as neither."""
    verdicts = [_at_best(part) for part in version.split("||")] if len(version) < _LONGEST else [None]
    if any(verdict is None for verdict in verdicts):
        return None
    return all(verdict is True for verdict in verdicts)


def _at_best(text: str) -> bool | None:
    _, dash, upper = _SPAN.sub("\0-\0", text).partition("\0-\0")
    text = f"<={upper}" if dash else text.replace(",", " ")
    newest: tuple[int, ...] = _NEVER
    at = 0
    while text[at:].strip():
        term = _TERM.match(text, at)
        if term is None or term.end() == at:
            return None
        newest, at = min(newest, _newest(term[1] or "", term[2])), term.end()
    return newest < _OLDEST


def _newest(operator: str, version: str) -> tuple[int, ...]:
    """The newest version that a comparison lets in, as far as it tells; beyond all versions where it sets no bound."""
    parts = version.split(".")
    known = next((index for index, part in enumerate(parts) if part in {"x", "X", "*"}), len(parts))
    given = tuple(int(part) for part in parts[: min(known, 3)])
    if operator in {">", ">=", "=>", "!="}:
        return _NEVER
    if operator == "^":
        return (*given[:1], *_NEVER)
    if operator in {"~", "~>"} or known < len(parts):
        return (*given[:2], *_NEVER)
    return (*(*given, 0, 0)[:3], -1 if operator == "<" else 0)


def _pin(place: Node) -> Iterator[Finding]:
    text = str(place.value) if isinstance(place.value, int | float) else place.text
    if place.open:
        yield Finding(OPEN, place.path, "pins a version of Arc's agents that is not known yet", _PIN_MEND)
    elif not text or isinstance(place.value, bool):
        return
    elif (old := too_old(text)) is None:
        yield Finding("unread", place.path, "pins Arc's agents to something that reads as no version", _PIN_MEND)
    elif old:
        yield Finding(
            "old",
            place.path,
            f"pins Arc's agents to a version before {OLDEST_AGENTS}, the first that can use a gateway",
            _PIN_MEND,
        )


def _kept(place: Node, off: bool) -> Iterator[Finding]:
    if off:
        yield Finding(
            "kept", place.path, "switches off the automatic upgrade of Arc's agents, which then grow old", _UPGRADE_MEND
        )


def _off(place: Node) -> bool:
    return place.value is False or place.text.lower() in {"disabled", "false", "no", "off"}


def _cluster(subject: Subject, _: Settings) -> Iterator[Finding]:
    profile = subject.node.field("arcAgentProfile")
    version = profile.get("desiredAgentVersion")
    yield from _pin(subject.node.field("arcAgentDesiredVersion") if version.value is None else version)
    upgrade = profile.get("agentAutoUpgrade")
    upgrade = subject.node.field("arcAgentAutoUpgradeEnabled") if upgrade.value is None else upgrade
    yield from _kept(upgrade, _off(upgrade))


def _agents(subject: Subject, _: Settings) -> Iterator[Finding]:
    yield from _pin(subject.node.get("version"))
    upgrade, disabled = subject.node.get("autoUpgrade"), subject.node.get("disableAutoUpgrade")
    yield from _kept(subject.node, _off(upgrade) or disabled.on)


_INPUTS: Mapping[str, Callable[[Node], Iterator[Finding]]] = {
    "agentversion": _pin,
    "desiredagentversion": _pin,
    "disableautoupgrade": lambda node: _kept(node, node.on),
    "agentautoupgrade": lambda node: _kept(node, _off(node)),
    "autoupgrade": lambda node: _kept(node, _off(node)),
}


def _component(subject: Subject, _: Settings) -> Iterator[Finding]:
    for node in subject.node.walk():
        if node.key in _INPUTS:
            yield from _INPUTS[node.key](node)


def _reported(subject: Subject, _: Settings) -> Iterator[Finding]:
    """What the agents are told of themselves, in a ConfigMap of theirs."""
    if subject.node.get("metadata", "name").text == AGENTS_CONFIG:
        yield from _pin(subject.node.get("data", "AZURE_ARC_AGENT_VERSION"))
        upgrade = subject.node.get("data", "AZURE_ARC_AUTOUPDATE")
        yield from _kept(upgrade, _off(upgrade))


_LEARN = "learn.microsoft.com/azure/azure-arc/kubernetes/arc-gateway-simplify-networking"
_CHECKED = date(2026, 11, 24)
_GRADES = ("old", "unread", "kept")

RULE = Rule(
    name="agent-version",
    description=f"Arc's agents beside a gateway are {OLDEST_AGENTS} or newer, and upgrade themselves.",
    why=(
        f"Agents before {OLDEST_AGENTS} know nothing of gateways: they go on calling Azure's own host names, "
        "which are closed behind a gateway, and the cluster disconnects."
    ),
    grades={
        "old": Grade(
            f"agents pinned to a version before {OLDEST_AGENTS}", Level.MANDATORY, Level.MANDATORY, _LEARN, _CHECKED
        ),
        "unread": Grade(
            "agents pinned to what reads as no version", Level.ADVISORY, Level.ADVISORY, "our judgement", _CHECKED
        ),
        "kept": Grade(
            "automatic upgrade of the agents switched off",
            Level.ADVISORY,
            Level.ADVISORY,
            "learn.microsoft.com/azure/azure-arc/kubernetes/agent-upgrade: the last three minor versions are supported",
            _CHECKED,
        ),
    },
    checks=(
        Check(
            "cluster",
            "`arcAgentProfile` of connected clusters: azure-native (every version and package), classic, generic, in "
            "templates, azapi; `az connectedk8s connect`, `update`, `upgrade`; PowerShell",
            _cluster,
            frozenset({"azure-native:kubernetes:connectedcluster"}),
            grades=_GRADES,
        ),
        Check(
            "agents",
            "version and values of Arc's own chart, as a release or by `helm`; HELMREGISTRY; the driver's settings",
            _agents,
            frozenset({AGENTS}),
            grades=_GRADES,
        ),
        Check(
            "reported",
            "the agents' own ConfigMap `azure-clusterconfig`",
            _reported,
            frozenset({"kubernetes:core:configmap"}),
            grades=_GRADES,
        ),
        Check("component", "this project's own components", _component, matches=is_component, grades=_GRADES),
    ),
)
