"""Rule `no-private-endpoints`: an Arc gateway is public, and private names of Arc cut clusters off from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from .commands import CONFIGURATION, OPEN_TEXT, TEXT
from .reading import Node
from .rule import OPEN, Check, Finding, Grade, Level, Rule
from .settings import Settings, choice
from .subjects import FOREIGN, is_component, is_custom
from .templates import OPEN_TEMPLATE
from .tokens import Subject

SCOPE = choice(
    "scope",
    "private endpoints of services other than Arc: `all` judges them as the profile says, `arc` leaves them alone",
    "all",
    "arc",
)

_ARC_SCOPE = re.compile(r"microsoft\.(?:hybridcompute|kubernetesconfiguration)/privatelinkscopes", re.IGNORECASE)
_ARC_ZONE = re.compile(
    r"privatelink\.(?:his\.arc|guestconfiguration|dp\.kubernetesconfiguration)\.azure\.(?:com|us|cn)\.?", re.IGNORECASE
)
_ARC_GROUP = "hybridcompute"
_ZONE_NAMES = ("privateZoneName", "privateDnsZoneName", "zoneName", "name", "resourceName")
_TARGETS = ("privateLinkServiceId", "privateConnectionResourceId", "privateConnectionResourceAlias")
_ARC_LINK_NAMES = re.compile(
    r"(?:\.his\.arc|\.guestconfiguration|\.dp\.kubernetesconfiguration)\.azure\.|hybridcompute", re.I
)
_NET = re.compile(
    r"microsoft\.(?:hybridcompute|kubernetesconfiguration)/privatelinkscopes|microsoft\.network/privateendpoints"
    r"|network-privateendpoint\b|private-?endpoint/azurerm",
    re.I,
)
_SHELL_NET = re.compile(
    r"private-endpoint['\",\s]+create|--enable-private|private-link-scope['\",\s]+create|new-azprivateendpoint|/privateendpoints/",
    re.I,
)

_CODE = re.compile(
    r"^[ \t]*resource[ \t]+(?:\"azurerm_(?:private_endpoint|arc_private_link_scope)\"|"
    r"\w+[ \t]+'microsoft\.(?:network/privateendpoints|hybridcompute/privatelinkscopes)@)",
    re.MULTILINE | re.IGNORECASE,
)

_WITHOUT = "Remove it, or keep these clusters off the gateway."
_OTHER_MEND = (
    "Remove it or move it to a stack of its own; "
    "where it has nothing to do with Arc, the profile ga only advises against it."
)
_SWITCH = "Switch private link off for this cluster, or keep it off the gateway."


def _endpoint(subject: Subject, settings: Settings) -> Iterator[Finding]:
    connections = [
        connection
        for name in ("privateLinkServiceConnections", "manualPrivateLinkServiceConnections", "privateServiceConnection")
        for connection in subject.node.field(name).each()
    ]
    for connection in connections:
        target = connection.field(*_TARGETS)
        groups = connection.field("groupIds", "subresourceNames")
        if _ARC_SCOPE.search(target.text):
            yield Finding("arc", target.path, "makes a private endpoint of an Arc private link scope", _WITHOUT)
            return
        if any(group.text.lower() == _ARC_GROUP for group in groups.each()):
            yield Finding("arc", groups.path, "makes a private endpoint with Arc's group id", _WITHOUT)
            return
    if settings.get(SCOPE) == "arc":
        if any(connection.field(*_TARGETS).open for connection in connections):
            yield Finding(OPEN, subject.node.path, "makes a private endpoint whose target is not known yet", _WITHOUT)
        return
    yield Finding("other", subject.node.path, "makes a private endpoint", _OTHER_MEND)


def _scope(subject: Subject, _: Settings) -> Iterator[Finding]:
    yield Finding("arc", subject.node.path, "belongs to an Arc private link scope", _WITHOUT)


def _connection(subject: Subject, settings: Settings) -> Iterator[Finding]:
    module = subject.token.split(":")[1]
    about_arc = module in {"hybridcompute", "kubernetesconfiguration"} or any(
        _ARC_SCOPE.search(node.text) for node in subject.node.walk()
    )
    if about_arc:
        yield Finding("arc", subject.node.path, "approves a private endpoint's connection to Arc", _WITHOUT)
    elif settings.get(SCOPE) == "all":
        yield Finding("other", subject.node.path, "approves a private endpoint's connection", _OTHER_MEND)


def _managed(subject: Subject, _: Settings) -> Iterator[Finding]:
    """Private endpoints that another service keeps in a network of its own: of no concern unless they lead to Arc."""
    for node in subject.node.walk():
        if _ARC_SCOPE.search(node.text):
            yield Finding("arc", node.path, "makes a private endpoint of an Arc private link scope", _WITHOUT)
            return


def _forwarding(subject: Subject, _: Settings) -> Iterator[Finding]:
    domain = subject.node.field("domainName")
    if _ARC_ZONE.search(domain.text):
        yield Finding("sign", domain.path, "forwards the private names of Arc to name servers of your own", _WITHOUT)


def _link_service(subject: Subject, _: Settings) -> Iterator[Finding]:
    for node in subject.node.walk():
        if _ARC_LINK_NAMES.search(node.text):
            yield Finding("arc", node.path, "makes a private link service that stands in for Arc", _WITHOUT)
            return


def _zone_name(node: Node) -> Node:
    """The zone, by the names that native, classic and ARM have for it; ARM's child names begin with their zone."""
    parent = node.field("parentResourcePath")
    zone = next((part for part in parent.text.split("/") if part.lower().startswith("privatelink.")), "")
    if zone:
        return Node(zone, parent.path)
    place = node.field(*_ZONE_NAMES)
    return Node(place.text.partition("/")[0], place.path) if place.text else place


def _zone(subject: Subject, settings: Settings) -> Iterator[Finding]:
    zone = _zone_name(subject.node)
    yield from _zone_named(zone, zone.text, settings)


def _zone_named(place: Node, name: str, settings: Settings) -> Iterator[Finding]:
    if place.open:
        yield Finding(OPEN, place.path, "names a private DNS zone that is not known yet", _WITHOUT)
    elif _ARC_ZONE.search(name):
        yield Finding("arc", place.path, "puts names of Arc into a private DNS zone", _WITHOUT)
    elif "privatelink." in name.lower() and settings.get(SCOPE) == "all":
        yield Finding("other", place.path, "belongs to a private link DNS zone", _OTHER_MEND)


def _zone_group(subject: Subject, settings: Settings) -> Iterator[Finding]:
    zones = [node for node in subject.node.walk() if node.key in {"privatednszoneid", "privatednszoneids"}]
    for zone in zones:
        for item in zone.each():
            yield from _zone_named(item, item.text, settings)


def _cluster(subject: Subject, _: Settings) -> Iterator[Finding]:
    scope = subject.node.field("privateLinkScopeResourceId")
    if subject.node.get("properties").open:
        # Nothing is known, not even that a scope is named.
        scope = Node(None)
    yield from _switches(subject.node.field("privateLinkState"), scope)


def _switches(state: Node, scope: Node) -> Iterator[Finding]:
    if state.on:
        yield Finding("arc", state.path, "has private link switched on", _SWITCH)
    elif state.open:
        yield Finding(OPEN, state.path, "may have private link switched on, which is not known yet", _SWITCH)
    # A scope's id that is still unknown is an id nevertheless: somebody has set it.
    if scope.text or scope.open:
        yield Finding("arc", scope.path, "names a private link scope for the cluster", _SWITCH)


def _component(subject: Subject, _: Settings) -> Iterator[Finding]:
    nothing = Node(None)
    for node in subject.node.walk():
        if node.key in {"enableprivatelink", "privatelink", "privatelinkstate"}:
            yield from _switches(node, nothing)
        elif node.key in {"privatelinkscoperesourceid", "privatelinkscopeid", "privatelinkscope", "plsarmid"}:
            yield from _switches(nothing, node)


def _neighbour(subject: Subject, _: Settings) -> Iterator[Finding]:
    yield Finding(
        "neighbour",
        subject.node.path,
        "moves names that Arc or its extensions use into a private network",
        "Make sure that clusters behind the gateway still resolve these names publicly.",
    )


def _bridged(subject: Subject, _: Settings) -> Iterator[Finding]:
    for node in subject.node.walk():
        if _NET.search(node.text):
            yield Finding("sign", node.path, "mentions a private endpoint or an Arc private link scope", _WITHOUT)
            return


def _text(subject: Subject, _: Settings) -> Iterator[Finding]:
    if _SHELL_NET.search(subject.node.text):
        yield Finding(
            "sign", subject.node.path, "seems to make a private endpoint, in text that is no plain shell", _WITHOUT
        )


def _kept_script(subject: Subject, _: Settings) -> Iterator[Finding]:
    for entry in subject.node.get("data").children():
        if entry.text.startswith("#!") and _SHELL_NET.search(entry.text):
            yield Finding("sign", entry.path, "keeps a script that seems to make a private endpoint", _WITHOUT)


def _written(subject: Subject, _: Settings) -> Iterator[Finding]:
    if _CODE.search(subject.node.text):
        yield Finding("sign", subject.node.path, "seems to describe a private endpoint", _WITHOUT)


def _open(subject: Subject, _: Settings) -> Iterator[Finding]:
    what = (
        "a template that cannot be read here" if subject.token == OPEN_TEMPLATE else "a command that is not known yet"
    )
    yield Finding(OPEN, subject.node.path, f"holds {what}", "Look through it for private endpoints yourself.")


def _connections(token: str) -> bool:
    return token.startswith(("azure-native:", "azure:")) and "privateendpointconnection" in token.rpartition(":")[2]


def _managed_endpoints(token: str) -> bool:
    return token.startswith(("azure-native:", "azure:", "azurerm:")) and token.rpartition(":")[2].endswith(
        ("managedprivateendpoint", "sharedprivatelinkresource", "sharedprivatelinkservice")
    )


_CHECKS = (
    Check(
        "endpoint",
        "private endpoints: azure-native (every version and package), classic, azurerm, azapi, generic; in ARM "
        "templates and Bicep text; by `az`, PowerShell or a request to Azure in commands, pods, machines and "
        "deployment scripts; of Azure Service Operator and Crossplane",
        _endpoint,
        frozenset({"azure-native:network:privateendpoint"}),
        grades=("arc", "other"),
    ),
    Check(
        "scope",
        "Arc private link scopes and what they hold (hybridcompute, kubernetesconfiguration)",
        _scope,
        frozenset(
            {
                "azure-native:hybridcompute:privatelinkscope",
                "azure-native:hybridcompute:privatelinkscopedresource",
                "azure-native:kubernetesconfiguration:privatelinkscope",
            }
        ),
        grades=("arc",),
    ),
    Check(
        "connection",
        "connections of private endpoints, of any service",
        _connection,
        matches=_connections,
        grades=("arc", "other"),
    ),
    Check(
        "managed",
        "private endpoints that another service manages (Data Factory, Synapse, Search) towards Arc",
        _managed,
        matches=_managed_endpoints,
        grades=("arc",),
    ),
    Check(
        "link-service",
        "private link services that name Arc's hosts",
        _link_service,
        frozenset({"azure-native:network:privatelinkservice"}),
        grades=("arc",),
    ),
    Check(
        "zone",
        "`privatelink.*` private DNS zones, their links and records",
        _zone,
        frozenset(
            {
                "azure-native:privatedns:privatezone",
                "azure-native:privatedns:virtualnetworklink",
                "azure-native:privatedns:privaterecordset",
            }
        ),
        grades=("arc", "other"),
    ),
    Check(
        "forwarding",
        "DNS forwarding rules for Arc's private zones",
        _forwarding,
        frozenset({"azure-native:dnsresolver:forwardingrule", "azure:privatedns:resolverforwardingrule"}),
        grades=("sign",),
    ),
    Check(
        "zone-group",
        "zone groups of private endpoints",
        _zone_group,
        frozenset({"azure-native:network:privatednszonegroup"}),
        grades=("arc", "other"),
    ),
    Check(
        "cluster",
        "connected clusters and machines with private link or a scope, in the same forms; "
        "`az connectedk8s --enable-private-link`; the driver's settings in a command's environment",
        _cluster,
        frozenset({"azure-native:kubernetes:connectedcluster", "azure-native:hybridcompute:machine"}),
        grades=("arc",),
    ),
    Check("component", "this project's own components", _component, matches=is_component, grades=("arc",)),
    Check(
        "neighbour",
        "private link of Azure Monitor and of Azure Resource Manager",
        _neighbour,
        frozenset(
            {
                "azure-native:monitor:privatelinkscope",
                "azure-native:authorization:resourcemanagementprivatelink",
                "azure-native:authorization:privatelinkassociation",
            }
        ),
        grades=("neighbour",),
    ),
    Check(
        "bridged",
        "resources of other providers, and custom resources of Kubernetes, that mention private endpoints",
        _bridged,
        frozenset({FOREIGN}),
        matches=is_custom,
        grades=("sign",),
    ),
    Check(
        "text",
        "scripts in other languages, and shell text that does not parse",
        _text,
        frozenset({TEXT}),
        grades=("sign",),
    ),
    Check(
        "kept-script",
        "scripts in ConfigMaps",
        _kept_script,
        frozenset({"kubernetes:core:configmap"}),
        grades=("sign",),
    ),
    Check(
        "written",
        "Terraform and Bicep text that a command writes into a file",
        _written,
        frozenset({CONFIGURATION}),
        grades=("sign",),
    ),
    Check(
        "open",
        "templates and commands that cannot be read",
        _open,
        frozenset({OPEN_TEMPLATE, OPEN_TEXT}),
        grades=(OPEN,),
    ),
)

_HISTORY = "MicrosoftDocs/azure-management-docs, articles/azure-arc/kubernetes/arc-gateway-simplify-networking.md"
_CHECKED = date(2026, 8, 20)

RULE = Rule(
    name="no-private-endpoints",
    description="No private endpoints or private link beside an Arc gateway.",
    why=(
        "An Arc gateway is reached over the internet only; private link moves Arc's host names into a private network, "
        "where agents lose the gateway hours after the deployment."
    ),
    grades={
        "arc": Grade("private link that touches Arc", Level.MANDATORY, Level.MANDATORY, _HISTORY, _CHECKED),
        "other": Grade(
            "private endpoints and zones of other services (refused as first published, dropped on 2025-08-13)",
            Level.MANDATORY,
            Level.ADVISORY,
            _HISTORY,
            _CHECKED,
        ),
        "neighbour": Grade(
            "private link of services that Arc uses", Level.ADVISORY, Level.ADVISORY, "our judgement", _CHECKED
        ),
        "sign": Grade("a mention that proves nothing", Level.ADVISORY, Level.ADVISORY, "our judgement", _CHECKED),
    },
    checks=_CHECKS,
    options=(SCOPE,),
)
