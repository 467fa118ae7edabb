"""Rule `no-expressroute-or-vpn`: an Arc gateway is reached over the internet, not over a private line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date

from .commands import TEXT
from .reading import Node
from .rule import OPEN, Check, Finding, Grade, Level, Rule
from .settings import Settings
from .subjects import FOREIGN
from .tokens import Subject

_NET = "azure-native:network:"

#: What is ExpressRoute or site-to-site VPN by its type alone.
_ALWAYS = {
    **dict.fromkeys(
        (
            *(f"{_NET}expressroutecircuit", f"{_NET}expressroutecircuitauthorization"),
            *(f"{_NET}expressroutecircuitconnection", f"{_NET}expressroutecircuitpeering"),
            *(f"{_NET}expressroutecrossconnection", f"{_NET}expressroutecrossconnectionpeering"),
        ),
        "an ExpressRoute circuit or a part of one",
    ),
    f"{_NET}expressrouteconnection": "an ExpressRoute connection",
    f"{_NET}expressroutegateway": "an ExpressRoute gateway",
    f"{_NET}expressrouteport": "an ExpressRoute port",
    f"{_NET}expressrouteportauthorization": "an authorization of an ExpressRoute port",
    "azure-native:avs:authorization": "an ExpressRoute authorization of a VMware cloud",
    "azure-native:avs:globalreachconnection": "an ExpressRoute connection of a VMware cloud",
    f"{_NET}localnetworkgateway": "the far end of a site-to-site VPN",
    f"{_NET}vpngateway": "a site-to-site VPN gateway of a virtual WAN",
    f"{_NET}vpnconnection": "a site-to-site VPN connection of a virtual WAN",
    f"{_NET}vpnsite": "a VPN site of a virtual WAN",
    f"{_NET}natrule": "address translation of a site-to-site VPN gateway",
}
_GATEWAY = f"{_NET}virtualnetworkgateway"
_CONNECTION = f"{_NET}virtualnetworkgatewayconnection"
_HUB = f"{_NET}virtualhub"

#: Peerings over which Azure's public services, Arc's among them, come.
_PUBLIC_PEERINGS = frozenset({"microsoftpeering", "azurepublicpeering"})
#: Communities of Azure's regions and of Azure Resource Manager.
_AZURE_COMMUNITY = re.compile(r"12076:(?:5070|51\d{3})\b")
#: That of Entra ID, which Arc needs as Microsoft 365 does.
_LOGIN_COMMUNITY = re.compile(r"12076:5060\b")
_SERVICE_TAG = "azurearcinfrastructure"
_ARC_TEXT = re.compile(
    r"\.arc\.azure\.com|\bdp\.kubernetesconfiguration\.azure\.com|microsoft\.hybridcompute/|microsoft\.kubernetes/"
    rf"|{_SERVICE_TAG}",
    re.IGNORECASE,
)
_LONGEST_TEXT = 4_000

_NET_IDS = re.compile(
    r"microsoft\.network/(?:expressroute\w+|vpngateways|vpnsites|localnetworkgateways)", re.IGNORECASE
)
_SHELL_NET = re.compile(
    r"express-route['\",\s]+(?:create|gateway|peering|port)|(?:vpn-connection|local-gateway|vpn-site|vpn-gateway)"
    r"['\",\s]+create|new-az(?:expressroute|localnetworkgateway|vpnsite|vpngateway|vpnconnection)",
    re.IGNORECASE,
)

_WITHOUT = "Have the clusters reach the gateway over the internet, through the enterprise proxy, and remove it."
_ARC_WITHOUT = (
    "Keep Arc's names on the internet path: take them, and Azure's public services, off this connection; "
    "or keep these clusters off the gateway."
)
_OTHER_MEND = (
    "Remove it or move it to a stack of its own; "
    "where it does not carry Arc's traffic, the profile ga only advises against it."
)
_SURE_MEND = "Nothing is to be done for point-to-site VPN; otherwise remove it or move it to a stack of its own."


def _judged(subject: Subject, place: Node, problem: str) -> Iterator[Finding]:
    """The finding about an ExpressRoute or VPN resource: graver where something in it names Arc."""
    arc = next((node for node in subject.node.walk() if _names_arc(node)), None)
    if arc is None:
        yield Finding("other", place.path, problem, _OTHER_MEND)
    else:
        yield Finding("arc", arc.path, f"{problem}, and names hosts or resources of Arc", _ARC_WITHOUT)


def _names_arc(node: Node) -> bool:
    # What a template waits for says nothing about traffic.
    return len(node.text) <= _LONGEST_TEXT and bool(_ARC_TEXT.search(node.text)) and "dependsOn" not in node.path


def _always(subject: Subject, _: Settings) -> Iterator[Finding]:
    peering = _public_peering(subject)
    if peering is not None:
        problem = "makes an ExpressRoute peering that carries Microsoft's public services, of which Arc is one"
        yield Finding("arc", peering.path, problem, _ARC_WITHOUT)
    else:
        yield from _judged(subject, subject.node, f"makes {_ALWAYS.get(subject.token, 'a part of ExpressRoute')}")


def _public_peering(subject: Subject) -> Node | None:
    """The type (else the name) of a peering that carries public services: the resource's own or one of its circuit's.

    None where there is no such peering, or where it is switched off.
    """
    own = ("peeringType", "peeringName", "name") if subject.token.endswith("peering") else ("peeringType",)
    named = [subject.node.field(name) for name in own]
    switched_off = subject.node.field("state").text.lower() == "disabled"
    for peering in subject.node.field("peerings").each():
        if peering.field("state").text.lower() != "disabled":
            named += [peering.field(name) for name in ("peeringType", "name")]
    found = (kind for kind in named if kind.text.lower().rpartition("/")[2] in _PUBLIC_PEERINGS)
    return None if switched_off else next(found, None)


def _own_type(node: Node, name: str) -> Node:
    """A property that the classic provider calls `type`, which in a template is the ARM type."""
    given = node.field(name)
    classic = node.get("type")
    return classic if given.value is None and (classic.open or (classic.text and "/" not in classic.text)) else given


_Run = Callable[[Subject, Settings], Iterator[Finding]]


def _where_known(run: _Run) -> _Run:
    """The check, where there are properties to judge; else only that there may be something to find."""

    def checked(subject: Subject, settings: Settings) -> Iterator[Finding]:
        place = subject.node if subject.node.open else subject.node.get("properties")
        if place.open:
            problem = "may make a connection by ExpressRoute or site-to-site VPN, as its properties are not known yet"
            yield Finding(OPEN, place.path, problem, _SURE_MEND)
        else:
            yield from run(subject, settings)

    return checked


def _gateway(subject: Subject, _: Settings) -> Iterator[Finding]:
    kind = _own_type(subject.node, "gatewayType")
    clients = subject.node.field("vpnClientConfiguration", "vpnClientConfigurations")
    site = subject.node.field("gatewayDefaultSite", "defaultLocalNetworkGatewayId")
    routing = subject.node.field("vpnType")
    name = kind.text.lower()
    if name == "expressroute":
        yield from _judged(subject, kind, "makes an ExpressRoute gateway")
    elif _given(site):
        yield from _judged(subject, site, "makes a VPN gateway with a default site, which is site-to-site")
    elif routing.text.lower() == "policybased":
        yield from _judged(subject, routing, "makes a policy-based VPN gateway, which is site-to-site only")
    elif clients.open:
        problem = "decides whether the gateway is for point-to-site VPN, and is not known yet"
        yield Finding(OPEN, clients.path, problem, _SURE_MEND)
    elif kind.open and not _given(clients):
        problem = "decides whether the gateway is for VPN or ExpressRoute, and is not known yet"
        yield Finding(OPEN, kind.path, problem, _SURE_MEND)
    elif not _given(clients):
        yield Finding(
            "sign", kind.path, "makes a gateway without VPN clients, which may be for site-to-site", _SURE_MEND
        )


def _given(node: Node) -> bool:
    """Whether something is there, be it known or not."""
    return node.value not in (None, "", {}, [])


#: Properties that only one type of connection has, and what they make it.
_ENDS = (
    (("localNetworkGateway2", "localNetworkGatewayId"), "a site-to-site VPN connection"),
    (("peer", "expressRouteCircuitId"), "an ExpressRoute connection"),
)
_CONNECTION_TYPES = {"ipsec": "a site-to-site VPN connection", "expressroute": "an ExpressRoute connection"}
_HARMLESS = frozenset({"vnet2vnet", "vpnclient"})


def _connection(subject: Subject, _: Settings) -> Iterator[Finding]:
    kind = _own_type(subject.node, "connectionType")
    name = kind.text.lower()
    if name in _HARMLESS:
        return
    if name in _CONNECTION_TYPES:
        yield from _judged(subject, kind, f"makes {_CONNECTION_TYPES[name]}")
        return
    for names, what in _ENDS:
        end = subject.node.field(*names)
        if _given(end):
            yield from _judged(subject, end, f"makes {what}")
            return
    if not _given(subject.node.field("virtualNetworkGateway2", "peerVirtualNetworkGatewayId")):
        grade = OPEN if kind.open else "sign"
        problem = "makes a connection of a gateway, by VPN or ExpressRoute, whose type is not known"
        yield Finding(grade, kind.path, problem, _SURE_MEND)


_HUB_ENDS = (
    ("vpnGateway", "a site-to-site VPN gateway"),
    ("expressRouteGateway", "an ExpressRoute gateway"),
)


def _hub(subject: Subject, _: Settings) -> Iterator[Finding]:
    for name, what in _HUB_ENDS:
        end = subject.node.field(name)
        if _given(end) and _given(end.field("id", "reference")):
            yield from _judged(subject, end, f"joins a virtual hub to {what}")
            return


def _filter(subject: Subject, _: Settings) -> Iterator[Finding]:
    rules = [*subject.node.field("rules").each(), *subject.node.field("rule").each()] or [subject.node]
    allowing = [rule for rule in rules if rule.field("access").text.lower() != "deny"]
    communities = [community for rule in allowing for community in rule.field("communities").each()]
    for grade, problem, found in (
        ("arc", "lets Azure's public services, of which Arc is one, over an ExpressRoute circuit", _is_azure),
        (OPEN, "lets services over an ExpressRoute circuit that are not known yet", _is_open),
        ("sign", "lets Entra ID, at which agents sign in, over an ExpressRoute circuit", _is_login),
    ):
        place = next((community for community in communities if found(community)), None)
        if place is not None:
            yield Finding(grade, place.path, problem, _ARC_WITHOUT)
            return


def _is_azure(community: Node) -> bool:
    return bool(_AZURE_COMMUNITY.search(community.text))


def _is_open(community: Node) -> bool:
    return community.open


def _is_login(community: Node) -> bool:
    return bool(_LOGIN_COMMUNITY.search(community.text))


def _routes(subject: Subject, _: Settings) -> Iterator[Finding]:
    for route in subject.node.field("routes").each() or [subject.node]:
        prefix, hop = route.field("addressPrefix"), route.field("nextHopType")
        if prefix.text.lower().partition(".")[0] == _SERVICE_TAG and hop.text.lower() == "virtualnetworkgateway":
            problem = "sends Arc's traffic through a gateway of ExpressRoute or VPN"
            yield Finding("arc", prefix.path, problem, _ARC_WITHOUT)
            return


def _bridged(subject: Subject, _: Settings) -> Iterator[Finding]:
    for node in subject.node.walk():
        if _NET_IDS.search(node.text):
            yield Finding("sign", node.path, "mentions ExpressRoute or a site-to-site VPN of Azure", _WITHOUT)
            return


def _text(subject: Subject, _: Settings) -> Iterator[Finding]:
    if _SHELL_NET.search(subject.node.text):
        problem = "seems to make an ExpressRoute or site-to-site VPN connection, in text that is no plain shell"
        yield Finding("sign", subject.node.path, problem, _WITHOUT)


def _express_route(token: str) -> bool:
    return token.startswith((f"{_NET}expressroute", "azure:network:expressroute"))


_CHECKS = (
    Check(
        "by-type",
        "ExpressRoute circuits, peerings, ports, gateways, connections, authorizations; VPN gateways, sites and "
        "connections of a virtual WAN; local network gateways: azure-native (every version and package), classic, "
        "bridged Terraform, azapi, Kubernetes operators, generic, in templates, `az`, PowerShell",
        _always,
        frozenset(_ALWAYS),
        matches=_express_route,
        grades=("other", "arc"),
    ),
    Check(
        "gateway",
        "virtual network gateways in the same forms; one with clients only is point-to-site and passes",
        _where_known(_gateway),
        frozenset({_GATEWAY}),
        grades=("other", "arc", "sign", OPEN),
    ),
    Check(
        "connection",
        "connections of virtual network gateways of the types IPsec and ExpressRoute, or with such an end; "
        "Vnet2Vnet and VPNClient pass",
        _where_known(_connection),
        frozenset({_CONNECTION}),
        grades=("other", "arc", "sign", OPEN),
    ),
    Check(
        "hub",
        "virtual hubs that name a site-to-site VPN or ExpressRoute gateway",
        _where_known(_hub),
        frozenset({_HUB}),
        grades=("other", "arc", OPEN),
    ),
    Check(
        "route-filter",
        "route filters of ExpressRoute that let through communities of Azure's regions, Azure Resource Manager or "
        "Entra ID",
        _filter,
        frozenset({f"{_NET}routefilter", f"{_NET}routefilterrule"}),
        grades=("arc", "sign", OPEN),
    ),
    Check(
        "route",
        "routes for the service tag AzureArcInfrastructure whose next hop is a virtual network gateway",
        _routes,
        frozenset({f"{_NET}route", f"{_NET}routetable"}),
        grades=("arc",),
    ),
    Check(
        "bridged",
        "resources of other providers that mention ExpressRoute or VPN resources of Azure",
        _bridged,
        frozenset({FOREIGN}),
        grades=("sign",),
    ),
    Check(
        "text",
        "scripts in other languages, and shell text that does not parse",
        _text,
        frozenset({TEXT}),
        grades=("sign",),
    ),
)

_HISTORY = "MicrosoftDocs/azure-management-docs, articles/azure-arc/kubernetes/arc-gateway-simplify-networking.md"
_ROUTING = "MicrosoftDocs/azure-docs, articles/expressroute/expressroute-routing.md"
_CHECKED = date(2026, 8, 20)

RULE = Rule(
    name="no-expressroute-or-vpn",
    description="No ExpressRoute and no site-to-site VPN beside an Arc gateway.",
    why=(
        "An Arc gateway is a public address that clusters reach over the internet; over ExpressRoute or a site-to-site "
        "VPN (a private line between networks) Arc's host names may lead another way, and agents lose the gateway."
    ),
    grades={
        "other": Grade(
            "ExpressRoute and site-to-site VPN (refused as first published, dropped on 2025-08-13)",
            Level.MANDATORY,
            Level.ADVISORY,
            _HISTORY,
            _CHECKED,
        ),
        "arc": Grade(
            "ExpressRoute or VPN that carries Arc: Microsoft's public services, or what names Arc's hosts or resources",
            Level.MANDATORY,
            Level.MANDATORY,
            f"{_HISTORY}; {_ROUTING}",
            _CHECKED,
        ),
        "sign": Grade("a sign that proves nothing alone", Level.ADVISORY, Level.ADVISORY, "our judgement", _CHECKED),
    },
    checks=_CHECKS,
)
