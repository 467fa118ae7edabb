"""Azure's own filters of outbound traffic, Azure Firewall and network security groups, as rules in their order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from .closings import CLOSES, EVERYTHING, MAY_CLOSE, SILENT, Passage, Target
from .names import host_of
from .reading import Node
from .service_tags import everywhere, names_behind, outside, overlaps

RULE_GROUP = "azure-native:network:firewallpolicyrulecollectiongroup"
FIREWALL = "azure-native:network:azurefirewall"
RULE_COLLECTION = "azure-native:network:firewallrulecollection"
SECURITY_GROUP = "azure-native:network:networksecuritygroup"
SECURITY_RULE = "azure-native:network:securityrule"
ADMIN_RULE = "azure-native:network:adminrule"

#: A group or rule whose number is no greater has nothing before it.
_FIRST = 100
#: From here on, stopping everything is the end of a list of which the beginning stands elsewhere.
_LATE_GROUP = 1000
_LATE_RULE = 4000

_HTTPS = 443
_ARC = "arc.azure.com"
_TEXT_PROTOCOL = re.compile(r"\s*(\w+)\s*(?:[=:]\s*(\d+))?\s*")
_PORTS = re.compile(r"\s*(\d+)\s*(?:[-:]\s*(\d+))?\s*")

_SOURCES = (
    *("sourceAddresses", "sourceAddress", "sourceAddressPrefix", "sourceAddressPrefixes"),
    *("sourceIpGroups", "sourceApplicationSecurityGroups", "sourceApplicationSecurityGroupIds", "sources"),
)
_ADDRESSES = (
    *("destinationAddresses", "destinationAddress", "destinationAddressPrefix", "destinationAddressPrefixes"),
    "destinations",
)
_PORT_KEYS = ("destinationPorts", "destinationPortRange", "destinationPortRanges")
_NAMES = ("targetFqdns", "destinationFqdns", "destinationFqdn")
_URLS = ("targetUrls", "destinationUrls")
#: What stands for hosts that are not named one by one.
_SETS = ("fqdnTags", "destinationFqdnTags", "webCategories")
_GROUPS = ("destinationIpGroups", "destinationApplicationSecurityGroups", "destinationApplicationSecurityGroupIds")


@dataclass(frozen=True)
class _Ordered:
    """A passage with its place: network rules come before application rules, then the smaller number does."""

    layer: int
    priority: float
    passage: Passage


def azure_passages(token: str, node: Node, ranges: tuple[str, ...] = ()) -> list[Passage]:
    """The rules of an Azure resource in the order in which they are tried.

    Args:
        token: its normalised type.
        node: its properties.
        ranges: where the clusters are, if that is known: a rule for others says nothing about them.
    """
    return _READERS[token](node, ranges) if token in _READERS else []


def policy_passages(groups: Iterable[Node], ranges: tuple[str, ...], final: str) -> list[Passage]:
    """The rules of several rule collection groups of one policy, as one list; `final` as in `Passage`."""
    numbered = sorted(groups, key=lambda group: number(group.field("priority")))
    found = [ordered for group in numbered for ordered in _sorted(_collections(group, ranges, final))]
    return [ordered.passage for ordered in sorted(found, key=lambda ordered: ordered.layer)]


def number(priority: Node) -> float:
    """A priority as a number; infinity where there is none, or none yet."""
    value = priority.text or priority.value
    try:
        return float(value) if isinstance(value, int | float | str) else float("inf")
    except ValueError:
        return float("inf")


def _rule_group(node: Node, ranges: tuple[str, ...]) -> list[Passage]:
    return _passages(_collections(node, ranges, _final(node.field("priority"), _LATE_GROUP)))


def _firewall(node: Node, ranges: tuple[str, ...]) -> list[Passage]:
    """All of a firewall's own rules, and its end, where it denies: that counts where the rules are about Arc at all."""
    passages = _passages(_collections(node, ranges, CLOSES))
    if any(
        passage.allows and any(_ARC in target.pattern.lower() for target in passage.targets) for passage in passages
    ):
        place = node.field("applicationRuleCollections", "networkRuleCollections")
        end = Target(EVERYTHING, place.path)
        passages.append(Passage(False, (end,), final=MAY_CLOSE, how="denies by default, as no rule lets them out,"))
    return passages


def _final(priority: Node, late: int) -> str:
    """What stopping everything comes to in a list whose other parts may stand in other resources."""
    value = number(priority)
    if value <= _FIRST:
        return CLOSES
    return MAY_CLOSE if value < late or priority.value is None or priority.open else SILENT


def _passages(ordered: Iterable[_Ordered]) -> list[Passage]:
    return [one.passage for one in _sorted(ordered)]


def _sorted(ordered: Iterable[_Ordered]) -> list[_Ordered]:
    return sorted(ordered, key=lambda one: (one.layer, one.priority))


def _collections(node: Node, ranges: tuple[str, ...], final: str) -> Iterator[_Ordered]:
    """Collections of a policy's group (in the old form its rules are such), of a firewall, or one by itself."""
    layers = {"ruleCollections": None, "networkRuleCollections": 0, "applicationRuleCollections": 1}
    given = [(collection, layer) for name, layer in layers.items() for collection in node.field(name).each()]
    if not given:
        itself = node.field("action").value is not None
        given = [(one, None) for one in ([node] if itself else node.field("rules").each())]
    alone = not any(_allows(collection.field("action")) for collection, _ in given)
    for collection, layer in given:
        priority = collection.field("priority")
        if collection.open:
            yield _Ordered(0, _FIRST, Passage(True, (), unknown_target=collection.path))
            continue
        if "nat" in collection.field("ruleCollectionType", "ruleType").text.lower():
            continue
        if collection.field("action").value is None:
            continue
        allows = _allows(collection.field("action"))
        rules = collection.field("rules", "ruleConditions", "ruleCondition").each()
        for rule in rules:
            kind = rule.field("ruleType", "ruleConditionType").text.lower()
            if "nat" in kind.removesuffix("condition"):
                continue
            network = "network" in kind or layer == 0 or (not kind and layer is None and _is_network(rule))
            passage = _network(rule, allows, ranges) if network else _application(rule, allows, ranges)
            if passage is None:
                continue
            if priority.open and not alone:
                # It may come before all others, or after them.
                passage, place = replace(passage, unknown_terms=True), 0.0
            else:
                place = number(priority)
            yield _Ordered(0 if network else 1, place, replace(passage, final=final))


def _allows(action: Node) -> bool | None:
    """Whether an action lets traffic through; None where it is not known. Azure denies what it does not know."""
    action = action.get("type") if isinstance(action.value, dict) else action
    return None if action.open else action.text.lower() in {"allow", "alwaysallow"}


def _is_network(rule: Node) -> bool:
    return any(rule.field(key).value is not None for key in ("ipProtocols", *_PORT_KEYS))


def _application(rule: Node, allows: bool | None, ranges: tuple[str, ...]) -> Passage | None:
    if rule.open:
        return Passage(allows, (), unknown_target=rule.path)
    speaks = _speaks_https(rule.field("protocols"))
    if speaks is False:
        return None
    targets: list[Target] = []
    unknown: Node | None = None
    for node in _each(rule, *_NAMES):
        unknown = node if node.open else unknown
        if node.text:
            targets.append(Target(node.text, node.path))
    for node in _each(rule, *_URLS):
        host, path = host_of(node.text), node.text.partition("://")[2] or node.text
        if host:
            targets.append(Target(host, node.path, path.partition("/")[2] in {"", "*"}))
    if allows:
        # Which hosts such a set holds is Microsoft's to say: it may let Arc's out.
        targets += [Target(EVERYTHING, node.path, sure=False) for node in _each(rule, *_SETS)]
    return _passage(rule, allows, targets, unknown, speaks is None, ranges)


def _network(rule: Node, allows: bool | None, ranges: tuple[str, ...]) -> Passage | None:
    if rule.open:
        return Passage(allows, (), unknown_target=rule.path)
    reaches = _reaches_https(rule)
    if reaches is False:
        return None
    targets: list[Target] = []
    unknown: Node | None = None
    for node in _each(rule, *_ADDRESSES):
        place = node.get("addressPrefix") if isinstance(node.value, dict) else node
        for part in _words(place):
            found = names_behind(part)
            targets += [Target(name, place.path, sure) for name, sure in found]
            if not found and allows and outside(part):
                targets.append(Target(EVERYTHING, place.path, sure=False))
        unknown = place if place.open else unknown
    for node in _each(rule, *_NAMES):
        unknown = node if node.open else unknown
        if node.text:
            targets.append(Target(node.text, node.path))
    if allows:
        targets += [Target(EVERYTHING, node.path, sure=False) for node in _each(rule, *_GROUPS)]
    return _passage(rule, allows, targets, unknown, reaches is None, ranges)


def _passage(
    rule: Node,
    allows: bool | None,
    targets: list[Target],
    unknown: Node | None,
    unknown_terms: bool,
    ranges: tuple[str, ...],
) -> Passage | None:
    sources = _sources(rule, ranges, allows=bool(allows))
    if sources is None or (not targets and unknown is None):
        return None
    return Passage(
        allows,
        tuple(targets),
        sources,
        None if unknown is None else unknown.path,
        unknown_terms or any(node.open for node in _each(rule, *_SOURCES)),
    )


def _sources(rule: Node, ranges: tuple[str, ...], *, allows: bool) -> frozenset[str] | None:
    """From where a rule counts: nothing for everywhere, None where no cluster is."""
    nodes = [
        node.get("addressPrefix") if isinstance(node.value, dict) and node.get("addressPrefix").value else node
        for node in _each(rule, *_SOURCES)
    ]
    given = {part for node in nodes for part in (_words(node) or [str(node.value)])}
    if not given or any(everywhere(source) for source in given):
        return frozenset()
    if not ranges:
        return frozenset(given)
    touched = [one for one in ranges if any(overlaps(source, [one]) for source in given)]
    if not touched:
        return None
    # Closed for some of the clusters is closed; let out are they only when all are.
    return frozenset() if not allows or len(touched) == len(ranges) else frozenset(given)


def _speaks_https(protocols: Node) -> bool | None:
    """Whether an application rule is about HTTPS on its usual port; None where that is not known."""
    given = protocols.each()
    if not given:
        return not protocols.open
    known = False
    for node in given:
        kind, port = node.field("protocolType", "type"), node.field("port")
        if node.text:
            written = _TEXT_PROTOCOL.fullmatch(node.text)
            name, value = (written[1], written[2]) if written else ("", None)
            known = known or (name.lower() == "https" and value in {None, "", str(_HTTPS)})
        elif node.open or kind.open or port.open:
            return None
        else:
            known = known or (kind.text.lower() in {"https", ""} and number(port) in {_HTTPS, float("inf"), 0})
    return known


def _reaches_https(rule: Node) -> bool | None:
    """Whether a network rule is about TCP to port 443; None where that is not known."""
    protocols = _each(rule, "ipProtocols", "protocols", "protocol")
    ports = _each(rule, *_PORT_KEYS)
    if any(node.open for node in protocols + ports):
        return None
    kinds = {part.lower() for node in protocols for part in _words(node)}
    if kinds and not kinds & {"tcp", "any", "all", "*", "6"}:
        return False
    return not ports or any(_in_port(node) for node in ports)


def _in_port(node: Node) -> bool:
    if not node.text:
        return number(node) == _HTTPS
    return any(_has_https(part) for part in _words(node))


def _has_https(written: str) -> bool:
    ports = _PORTS.fullmatch(written)
    if ports is None:
        return written.lower() in {"*", "any", "all"}
    first = int(ports[1][:6])
    return first <= _HTTPS <= (int(ports[2][:6]) if ports[2] else first)


def _words(node: Node) -> list[str]:
    return [part for part in re.split(r"[,\s]+", node.text) if part]


def _each(rule: Node, *names: str) -> list[Node]:
    return [item for name in names for item in rule.field(name).each()]


def _security_group(node: Node, ranges: tuple[str, ...]) -> list[Passage]:
    rules = sorted(
        [rule for rule in node.field("securityRules").each() if _outbound(rule)],
        key=lambda rule: number(rule.field("priority")),
    )
    final = SILENT if any(_leads_to_proxy(rule) for rule in rules) else MAY_CLOSE
    return [passage for rule in rules for passage in _access(rule, ranges, final)]


def _leads_to_proxy(rule: Node) -> bool:
    """Whether a rule lets traffic to an inner address out on another port than 443, as a proxy has."""
    inside = [part for node in _each(rule, *_ADDRESSES) for part in _words(node)]
    return bool(_allows(rule.field("access")) and inside and not any(map(outside, inside)) and not _reaches_https(rule))


def _security_rule(node: Node, ranges: tuple[str, ...]) -> list[Passage]:
    final = SILENT if number(node.field("priority")) >= _LATE_RULE else MAY_CLOSE
    return _access(node, ranges, final) if _outbound(node) else []


def _access(rule: Node, ranges: tuple[str, ...], final: str) -> list[Passage]:
    access = rule.field("access")
    passage = None if access.value is None else _network(rule, _allows(access), ranges)
    if passage is None:
        return []
    unknown = passage.unknown_terms or rule.field("direction").open
    return [replace(passage, final=final, unknown_terms=unknown)]


def _outbound(rule: Node) -> bool:
    direction = rule.field("direction")
    return direction.open or direction.text.lower() == "outbound"


_READERS: dict[str, Callable[[Node, tuple[str, ...]], list[Passage]]] = {
    RULE_GROUP: _rule_group,
    RULE_COLLECTION: _rule_group,
    FIREWALL: _firewall,
    SECURITY_GROUP: _security_group,
    SECURITY_RULE: _security_rule,
    ADMIN_RULE: _security_rule,
}
