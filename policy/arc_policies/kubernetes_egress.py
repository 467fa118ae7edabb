"""Kubernetes' filters of outbound traffic: policies that add up to an allowlist, and those that deny."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .closings import CLOSES, EVERYTHING, MAY_CLOSE, Closing, Passage, Target, hit
from .names import Need
from .reading import Node, Path
from .rule import OPEN
from .service_tags import names_behind, outside

NAMESPACE = "azure-arc"

NETWORK_POLICY = frozenset({"kubernetes:networking.k8s.io:networkpolicy", "kubernetes:extensions:networkpolicy"})
CILIUM = frozenset({"kubernetes:cilium.io:ciliumnetworkpolicy", "kubernetes:cilium.io:ciliumclusterwidenetworkpolicy"})
CALICO = frozenset(
    f"kubernetes:{group}:{kind}"
    for group in ("crd.projectcalico.org", "projectcalico.org")
    for kind in ("networkpolicy", "globalnetworkpolicy")
)
ADMIN = frozenset(
    f"kubernetes:policy.networking.k8s.io:{kind}" for kind in ("adminnetworkpolicy", "clusternetworkpolicy")
)
#: What adds up: a pod may go wherever one of the policies that select it lets it.
ADDITIVE = NETWORK_POLICY | CILIUM
ORDERED = CALICO | ADMIN

_API_PORTS = frozenset({443, 6443})
_DNS_PORT = 53
_NAMESPACE_LABELS = ("k8s:io.kubernetes.pod.namespace", "io.kubernetes.pod.namespace")
_NAME_LABELS = ("kubernetes.io/metadata.name", "projectcalico.org/name", *_NAMESPACE_LABELS)
_WORLD = frozenset({"world", "world-ipv4", "all"})
_ALL_SELECTORS = frozenset({"", "all()", "global()"})
_NAMED_NAMESPACE = re.compile(
    r"(?:projectcalico\.org/(?:name|namespace)|kubernetes\.io/metadata\.name)\s*==\s*'([^']*)'"
)
_PORT_RANGE = re.compile(r"\s*(\d{1,5})\s*(?:[-:]\s*(\d{1,5}))?\s*")


@dataclass(frozen=True)
class Allowlist:
    """What a policy lets the agents reach, all else being closed where it closes at all.

    Attributes:
        path: its rules.
        closes: whether it closes what no policy opens.
        whole: whether it is about all of the agents.
        ways: host name patterns that it opens.
        names: whether it opens name resolution.
        proxied: whether one of the ways is to a proxy, which resolves names itself.
        elsewhere: whether what it closes is likely to be opened outside of the stack.
        open: whether it holds something that is not known.
    """

    path: Path
    closes: bool
    whole: bool
    ways: tuple[Target, ...]
    names: bool
    proxied: bool = False
    elsewhere: bool = False
    open: bool = False


def allowlists(token: str, node: Node) -> list[Allowlist]:
    """The allowlists for the agents' namespace in an additive policy; none where it is about other pods."""
    if token in NETWORK_POLICY:
        return _network_policy(node)
    return [found for spec in _specs(node) for found in _cilium_allowlist(token, node, spec)]


def lacking(lists: Sequence[Allowlist], needs: Sequence[Need]) -> Iterator[Closing]:
    """What allowlists that add up leave closed."""
    closing = [one for one in lists if one.closes]
    if not closing:
        return
    place = next((one for one in closing if one.whole), closing[0])
    ways = [way for one in lists if one.whole or not place.whole for way in one.ways]
    opened = {need.name: [way.sure for way in ways if hit(way.pattern, need) is not False] for need in needs}
    lost = tuple(name for name, sure in opened.items() if not sure)
    doubtful = tuple(name for name, sure in opened.items() if sure and not any(sure))
    certain = CLOSES if place.whole and not any(one.elsewhere for one in lists) else MAY_CLOSE
    grade, doubt = certain, "" if certain == CLOSES else "unless another policy, not seen here, lets them out"
    if any(one.open for one in lists):
        grade, doubt = OPEN, "as far as that is known yet"
    out = "lets no pod of Arc out to"
    if lost:
        yield Closing(grade, place.path, out, lost, doubt, False)
    elif not any(one.names for one in lists):
        how = "leaves the pods of Arc without name resolution (port 53), and so without"
        proxied = grade == CLOSES and any(one.proxied for one in lists)
        yield Closing(MAY_CLOSE if proxied else grade, place.path, how, tuple(opened), doubt, False)
    elif doubtful and place.whole:
        if grade != OPEN:
            grade, doubt = MAY_CLOSE, "unless the addresses that it opens are theirs or a proxy's"
        yield Closing(grade, place.path, out, doubtful, doubt, False)


def denials(token: str, node: Node) -> list[Passage]:
    """Explicit rules, in the order in which they are tried, as far as they are about the agents."""
    if token in CILIUM:
        return [
            passage
            for spec in _specs(node)
            if _cilium_selects(token, node, spec) is not None
            for passage in _cilium_denials(spec, whole=_cilium_selects(token, node, spec) is True)
        ]
    if token in CALICO:
        return _calico(token, node)
    return _admin(node) if token in ADMIN else []


def _network_policy(node: Node) -> list[Allowlist]:
    if node.get("metadata", "namespace").text.lower() != NAMESPACE:
        return []
    spec = node.get("spec")
    egress, types = spec.get("egress"), spec.get("policyTypes")
    kinds = {kind.text.lower() for kind in types.each()}
    if "egress" not in kinds and (kinds or egress.value is None) and not spec.open:
        return []
    selector = spec.get("podSelector")
    ways: list[Target] = []
    names = proxied = False
    for rule in egress.each():
        targets, resolves, other = _rule_ways(rule)
        ways += targets
        names = names or resolves
        proxied = proxied or (bool(targets) and other)
    unknown = any(part.open for part in (spec, egress, types, *egress.each()))
    unknown = unknown or any(part.open for rule in egress.each() for part in rule.walk())
    place = egress if egress.value is not None else spec
    return [Allowlist(place.path, True, _empty(selector), tuple(ways), names, proxied, open=unknown)]


def _rule_ways(rule: Node) -> tuple[list[Target], bool, bool]:
    """Where to a rule of a NetworkPolicy opens a way, whether it opens name resolution, and another port than 443."""
    ports = rule.get("ports").each()
    tcp = [port for port in ports if port.get("protocol").text.upper() in {"", "TCP"}]
    https = not ports or any(_port_holds(port, 443) for port in tcp)
    other = any(not _port_holds(port, *_API_PORTS, _DNS_PORT) for port in tcp)
    names = not ports or any(_port_holds(port, _DNS_PORT) for port in ports)
    peers = rule.get("to").each()
    if not peers:
        # Without an address this is the way to whatever there is, on another port than 443 to a proxy.
        return ([Target(EVERYTHING, rule.path)] if https or other else []), names, other
    ways: list[Target] = []
    for peer in peers:
        cidr = peer.get("ipBlock", "cidr").text
        if cidr and (https or other):
            everything = https and any(name == EVERYTHING for name, _ in names_behind(cidr))
            if everything or outside(cidr) or other or not _api_server(cidr):
                ways.append(Target(EVERYTHING, peer.path, sure=everything or (other and not outside(cidr))))
        elif not cidr and (https or other) and peer.get("namespaceSelector").value is not None:
            # Somewhere in the cluster: a proxy or an egress gateway, or nothing of the kind.
            ways.append(Target(EVERYTHING, peer.path, sure=other))
    return ways, names, other


def _api_server(cidr: str) -> bool:
    """Whether a range is one address, as the API server's is."""
    return cidr.rpartition("/")[2] in {"32", "128"} or "/" not in cidr


def _port_holds(port: Node, *numbers: int) -> bool:
    """Whether a port entry takes in one of these numbers; a name may stand for the first."""
    value, end = port.get("port").value, port.get("endPort").value
    if value is None:
        return True
    if isinstance(value, str):
        written = _PORT_RANGE.fullmatch(value)
        if written is None:
            return value.lower() in ({"https"} if 443 in numbers else {"dns", "domain", "dns-tcp"})
        value, end = int(written[1]), int(written[2]) if written[2] else end
    if not isinstance(value, int | float):
        return True
    last = end if isinstance(end, int | float) else value
    return any(value <= number <= last for number in numbers)


def _specs(node: Node) -> list[Node]:
    return [spec for name in ("spec", "specs") for spec in node.get(name).each()]


def _empty(selector: Node) -> bool:
    """Whether a selector selects all."""
    return not any(
        part.value not in (None, {}, [])
        for part in ([selector] if not isinstance(selector.value, dict) else selector.children())
    )


def _cilium_selects(token: str, node: Node, spec: Node) -> bool | None:
    """Whether a Cilium policy is about all of the agents; None where it is about none of them."""
    if spec.get("nodeSelector").value is not None:
        return None
    selector = spec.get("endpointSelector")
    labels = selector.get("matchLabels").children()
    if token.endswith("clusterwidenetworkpolicy"):
        named = [label for label in labels if str(label.path[-1]) in _NAMESPACE_LABELS]
        if any(label.text.lower() != NAMESPACE and not label.open for label in named):
            return None
        if not named:
            return True if _empty(selector) else None
        return len(labels) == len(named)
    if node.get("metadata", "namespace").text.lower() != NAMESPACE:
        return None
    return _empty(selector)


def _cilium_allowlist(token: str, node: Node, spec: Node) -> list[Allowlist]:
    selects = _cilium_selects(token, node, spec)
    egress = spec.get("egress")
    if selects is None or egress.value is None:
        return []
    ways: list[Target] = []
    names = proxied = False
    for rule in egress.each():
        https, resolves = _cilium_ports(rule)
        general = not any(rule.get(key).value is not None for key in _CILIUM_PEERS)
        names = names or resolves
        if not https:
            inside = any(not outside(cidr) for cidr in _cidrs(rule)) or rule.get("toEndpoints").value is not None
            if inside and _cilium_other(rule):
                ways.append(Target(EVERYTHING, rule.path))
                proxied = True
            continue
        if general or any(entity.text.lower() in _WORLD for entity in rule.get("toEntities").each()):
            ways.append(Target(EVERYTHING, rule.path))
        ways += [Target(name.text, name.path) for name in _fqdns(rule) if name.text]
        for cidr in _cidrs(rule):
            total = any(name == EVERYTHING for name, _ in names_behind(cidr))
            if total or outside(cidr):
                ways.append(Target(EVERYTHING, rule.path, sure=total))
    closes = spec.get("enableDefaultDeny", "egress").value is not False
    unknown = any(part.open for part in egress.walk())
    clusterwide = token.endswith("clusterwidenetworkpolicy") and _empty(spec.get("endpointSelector"))
    # Whoever closes the whole cluster opens its parts elsewhere.
    return [Allowlist(egress.path, closes, selects, tuple(ways), names, proxied, clusterwide, unknown)]


_CILIUM_PEERS = (
    *("toEndpoints", "toEntities", "toFQDNs", "toCIDR", "toCIDRSet", "toServices", "toGroups", "toNodes", "toRequires"),
)


def _cilium_ports(rule: Node) -> tuple[bool, bool]:
    """Whether a rule is about TCP 443, and whether about name resolution."""
    ports = [port for group in rule.get("toPorts").each() for port in group.get("ports").each()]
    if rule.get("icmps").value is not None and not ports:
        return False, False
    if not ports:
        return True, True
    tcp = [port for port in ports if port.get("protocol").text.upper() in {"", "TCP", "ANY"}]
    https = any(_port_holds(port, 443) or port.get("port").text == "0" for port in tcp)
    return https, any(_port_holds(port, _DNS_PORT) or port.get("port").text == "0" for port in ports)


def _cilium_other(rule: Node) -> bool:
    return any(
        not _port_holds(port, *_API_PORTS, _DNS_PORT)
        for group in rule.get("toPorts").each()
        for port in group.get("ports").each()
    )


def _fqdns(rule: Node) -> list[Node]:
    return [item.get(key) for item in rule.get("toFQDNs").each() for key in ("matchName", "matchPattern")]


def _cidrs(rule: Node) -> list[str]:
    sets = [item.get("cidr") for item in rule.get("toCIDRSet").each()]
    return [node.text for node in (*rule.get("toCIDR").each(), *sets) if node.text]


def _cilium_denials(spec: Node, *, whole: bool) -> Iterator[Passage]:
    for rule in spec.get("egressDeny").each():
        https, _ = _cilium_ports(rule)
        if not https:
            continue
        targets = [Target(name.text, name.path) for name in _fqdns(rule) if name.text]
        peers = [*_cidrs(rule), *(entity.text for entity in rule.get("toEntities").each())]
        total = not any(rule.get(key).value is not None for key in _CILIUM_PEERS)
        if total or any(_is_world(peer) for peer in peers):
            targets.append(Target(EVERYTHING, rule.path))
        if targets:
            sources = frozenset() if whole else frozenset({"endpointSelector"})
            yield Passage(False, tuple(targets), sources)


def _is_world(peer: str) -> bool:
    return peer.lower() in _WORLD or any(name == EVERYTHING for name, _ in names_behind(peer))


def _calico(token: str, node: Node) -> list[Passage]:
    spec = node.get("spec")
    if not _calico_selects(token, node, spec):
        return []
    kinds = {kind.text.lower() for kind in spec.get("types").each()}
    if kinds and "egress" not in kinds:
        return []
    whole = spec.get("selector").text.replace(" ", "") in _ALL_SELECTORS
    sources = frozenset() if whole else frozenset({"selector"})
    rules = (
        _ordered_rule(rule, _calico_targets(rule.get("destination")), rule.get("destination", "ports"), sources)
        for rule in spec.get("egress").each()
        if rule.get("action").text.lower() not in {"log", "pass"}
    )
    return [rule for rule in rules if rule is not None]


def _calico_selects(token: str, node: Node, spec: Node) -> bool:
    if not token.endswith("globalnetworkpolicy"):
        return node.get("metadata", "namespace").text.lower() == NAMESPACE
    selectors = f"{spec.get('namespaceSelector').text} {spec.get('selector').text}"
    named = _NAMED_NAMESPACE.findall(selectors)
    if named:
        return NAMESPACE in named
    return all(spec.get(key).text.replace(" ", "") in _ALL_SELECTORS for key in ("namespaceSelector", "selector"))


def _calico_targets(destination: Node) -> list[Target]:
    domains = [Target(name.text, name.path) for name in destination.get("domains").each() if name.text]
    nets = destination.get("nets").each()
    limited = [destination.get(key).value for key in ("selector", "namespaceSelector", "serviceAccounts", "services")]
    if not nets and not domains and not any(limited):
        return [Target(EVERYTHING, destination.path)]
    return domains + _net_targets(nets)


def _net_targets(nets: Iterable[Node]) -> list[Target]:
    found: list[Target] = []
    for net in nets:
        total = any(name == EVERYTHING for name, _ in names_behind(net.text)) if net.text else False
        if total or (net.text and outside(net.text)):
            found.append(Target(EVERYTHING, net.path, total))
    return found


def _ordered_rule(rule: Node, targets: list[Target], ports: Node, sources: frozenset[str]) -> Passage | None:
    protocol = rule.get("protocol").text.upper()
    numbers = ports.each()
    about = not numbers or any(_calico_port(port) for port in numbers)
    about = about and not any(_calico_port(port) for port in rule.get("destination", "notPorts").each())
    allows = None if rule.get("action").open else rule.get("action").text.lower() in {"allow", "accept"}
    if not allows:
        targets = [target for target in targets if target.sure]
    if protocol not in {"", "TCP", "6"} or not about or not targets:
        return None
    # Another policy of a lower order may have let the agents out before.
    return Passage(allows, tuple(targets), sources, None, ports.open, final=MAY_CLOSE)


def _calico_port(port: Node) -> bool:
    if port.text:
        written = _PORT_RANGE.fullmatch(port.text)
        return written is not None and int(written[1]) <= 443 <= int(written[2] or written[1])
    return port.value == 443


def _admin(node: Node) -> list[Passage]:
    """AdminNetworkPolicy, whose rules stand above all NetworkPolicies."""
    subject = node.get("spec", "subject")
    namespaces = subject.get("namespaces") if subject.get("namespaces").value is not None else subject.get("pods")
    selector = namespaces.get("namespaceSelector") if namespaces.key == "pods" else namespaces
    labels = selector.get("matchLabels").children()
    named = [label.text.lower() for label in labels if str(label.path[-1]) in _NAME_LABELS]
    if (named and NAMESPACE not in named) or (not named and not _empty(selector)):
        return []
    sources = frozenset[str]() if len(labels) == len(named) else frozenset({"subject"})
    found: list[Passage] = []
    for rule in node.get("spec", "egress").each():
        if rule.get("action").text.lower() == "pass":
            continue
        targets: list[Target] = []
        for peer in rule.get("to").each():
            targets += [Target(name.text, name.path) for name in peer.get("domainNames").each() if name.text]
            targets += _net_targets(peer.get("networks").each())
        ports = rule.get("ports").each()
        if ports and not any(_admin_port(port) for port in ports):
            continue
        passage = _ordered_rule(rule, targets, Node(None), sources)
        found += [] if passage is None else [passage]
    return found


def _admin_port(port: Node) -> bool:
    number, span = port.get("portNumber"), port.get("portRange")
    if number.value is not None:
        return number.get("protocol").text.upper() in {"", "TCP"} and number.get("port").value == 443
    start, end = span.get("start").value, span.get("end").value
    return isinstance(start, int | float) and isinstance(end, int | float) and start <= 443 <= end
