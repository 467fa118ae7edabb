"""Names that a private zone, a cluster's DNS or a hosts file answers for in place of the public ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from .closings import CLOSES, MAY_CLOSE, Closing, hit
from .names import Need, below
from .reading import Node
from .rule import OPEN

ZONES = frozenset(
    {
        "azure-native:privatedns:privatezone",
        "azure-native:privatedns:virtualnetworklink",
        "aws:route53:zone",
        "aws-native:route53:hostedzone",
        "gcp:dns:managedzone",
    }
)
RECORDS = frozenset({"azure-native:privatedns:privaterecordset"})

_LINK = "azure-native:privatedns:virtualnetworklink"
_ZONE_KEYS = ("privateZoneName", "privateDnsZoneName", "dnsName")
_CLASSIC_RECORD = re.compile(r"(\w+)record$", re.IGNORECASE)
_RECORD_KINDS = frozenset({"", "a", "aaaa", "cname"})
_SHADOWS = "makes a private DNS zone answer instead of the public one for"
_ANSWERS = "redirects"

#: Entries of configuration in which names are given addresses; prose about names is not.
_FILES = re.compile(
    r"corefile|configblock|hosts|dnsmasq|unbound|named|\.server$|\.override$|\.conf$|\.zone$|\.db$|rpz|^db\.",
    re.IGNORECASE,
)
_MENTION = re.compile(r"azure|microsoft|windows\.net|azurecr|dl\.k8s", re.IGNORECASE)
_ADDRESS = r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:.]+)"
_HOSTS_LINE = re.compile(rf"^[ \t]*{_ADDRESS}[ \t]+([^\n#]+)", re.MULTILINE | re.IGNORECASE)
_DNSMASQ = re.compile(r"^[ \t]*(address|local|server)=((?:/[^/\s]+)+)/(\S*)", re.MULTILINE | re.IGNORECASE)
_DNSMASQ_RECORD = re.compile(r"^[ \t]*(?:host-record|cname)=([^\n#]+)", re.MULTILINE | re.IGNORECASE)
_UNBOUND = re.compile(r'^[ \t]*local-(?:zone|data):[ \t]*["\']?([^\s"\']+)["\']?(?:[ \t]+(\w+))?', re.MULTILINE)
_UNBOUND_TRANSPARENT = frozenset({"transparent", "typetransparent", "nodefault", "inform"})
_RPZ = re.compile(r"^[ \t]*([\w*.-]+)[ \t]+(?:\d+[ \t]+)?(?:IN[ \t]+)?CNAME[ \t]+(?:\*?\.|rpz-)", re.MULTILINE)
_BLOCK = re.compile(r"^[ \t]*([^\s{}#][^{}\n#]*)\{", re.MULTILINE)
_BRACE = re.compile(r"[{}]")
_REWRITE = re.compile(
    r"^[ \t]*rewrite[ \t]+(?:(?:stop|continue)[ \t]+)?name[ \t]+(?:(exact|suffix|prefix|substring|regex)[ \t]+)?(\S+)",
    re.MULTILINE,
)
_TEMPLATE = re.compile(r"^[ \t]*template[ \t]+\S+[ \t]+\S+[ \t]+([^{\n]+)\{", re.MULTILINE)
_LOCAL_ANSWER = re.compile(r"^[ \t]*(?:file|auto|hosts|template|erratic|etcd|acl)\b", re.MULTILINE)
_FORWARD = re.compile(r"^[ \t]*(?:forward|proxy|alternate|fallthrough)\b", re.MULTILINE)


def zone_closings(token: str, node: Node, needs: Sequence[Need]) -> Iterator[Closing]:
    """What a private DNS zone, or a link to one, takes out of the public DNS."""
    if token.startswith(("aws", "gcp")) and not _private(node):
        return
    zone = _zone(node, linked=token == _LINK)
    if zone.open and token.startswith("azure-native"):
        yield Closing(OPEN, zone.path, "names a private DNS zone that is not known yet")
    elif lost := _taken(zone.text, needs):
        yield Closing(CLOSES, zone.path, _SHADOWS, lost)


def record_closings(node: Node, resource_type: str, needs: Sequence[Need]) -> Iterator[Closing]:
    """What a record of a private zone answers for; some providers have a type of resource for each type of record."""
    zone, record = _zone(node, linked=True), _record(node)
    classic = _CLASSIC_RECORD.search(resource_type)
    kind = classic[1] if classic else node.field("recordType").text or node.field("type", "resourceType").text
    if not zone.text or kind.rpartition("/")[2].lower() not in _RECORD_KINDS:
        return
    name = zone.text if record.text == "@" else f"{record.text}.{zone.text}" if record.text else ""
    lost = tuple(need.name for need in needs if name and hit(name, need))
    if lost:
        yield Closing(CLOSES, record.path, "makes a private DNS record answer instead of the public one for", lost)
    elif record.open and _taken(zone.text, needs):
        yield Closing(OPEN, record.path, _ANSWERS, _taken(zone.text, needs), "if its name, not known yet, is such")


def alias_closings(node: Node, needs: Sequence[Need]) -> Iterator[Closing]:
    """What the host aliases of Arc's own pods answer for."""
    for place in node.walk():
        if place.key == "hostaliases":
            names = [name for alias in place.each() for name in alias.get("hostnames").each()]
            if lost := _exactly([name.text for name in names], needs):
                yield Closing(CLOSES, place.path, _ANSWERS, lost)


def text_closings(place: Node, name: str, text: str, needs: Sequence[Need]) -> Iterator[Closing]:
    """What an entry of configuration, by its name a hosts file or the configuration of a DNS server, answers for."""
    if not _FILES.search(name) or not _MENTION.search(text):
        return
    lost = _exactly(_given_names(text), needs) + _taken_any(_zones(text), needs)
    if lost:
        yield Closing(CLOSES, place.path, _ANSWERS, tuple(dict.fromkeys(lost)))


def hosts_closings(words: Iterable[Node], place: Node, needs: Sequence[Need]) -> Iterator[Closing]:
    """What lines that a command writes to its machine's hosts file answer for, if that is a cluster's node."""
    names = [name for word in words for name in _hosts_names(word.text.replace("\\n", "\n").replace("\\t", " "))]
    if lost := _exactly(names, needs):
        yield Closing(MAY_CLOSE, place.path, "writes to a hosts file, which redirects", lost)


def _private(node: Node) -> bool:
    return bool(node.get("vpcs").value or node.get("vpcIds").value or node.get("visibility").text.lower() == "private")


def _zone(node: Node, *, linked: bool) -> Node:
    """The zone's name: of its own, or as the beginning of a child's name in ARM, or in the path to a child."""
    place = node.field(*_ZONE_KEYS)
    if place.value is not None:
        return place
    parent = node.get("parentResourcePath").text.strip("/").split("/")
    if len(parent) > 1:
        return Node(parent[-1], node.get("parentResourcePath").path)
    name = node.field("zoneName") if node.field("zoneName").value is not None else node.field("name", "resourceName")
    if not linked or name.open or name.key == "zonename":
        return name if not (linked and name.open) else Node(None, name.path)
    zone, slash, _ = name.text.partition("/")
    return Node(zone if slash else None, name.path)


def _record(node: Node) -> Node:
    name = node.field("relativeRecordSetName", "resourceName", "name")
    return Node(name.text.rpartition("/")[2], name.path) if name.text else name


def _taken(zone: str, needs: Sequence[Need]) -> tuple[str, ...]:
    # What private link puts into a zone of its own is that rule's to judge.
    zone = zone.strip().rstrip(".").lower()
    if not zone or zone.startswith("privatelink.") or "." not in zone:
        return ()
    return tuple(need.name for need in needs if below(zone, need.name) and _meant(zone, need))


def _meant(zone: str, need: Need) -> bool:
    """Whether a zone below a pattern may hold the one name that is needed."""
    return need.own or not zone.endswith(need.name.removeprefix("*"))


def _taken_any(zones: Iterable[str], needs: Sequence[Need]) -> tuple[str, ...]:
    return tuple(name for zone in zones for name in _taken(zone, needs))


def _exactly(names: Sequence[str], needs: Sequence[Need]) -> tuple[str, ...]:
    given = {name.strip().rstrip(".").lower() for name in names}
    return tuple(need.name for need in needs if any("." in name and hit(name, need) for name in given))


def _hosts_names(text: str) -> list[str]:
    return [name for line in _HOSTS_LINE.finditer(text) for name in line[1].split()]


def _given_names(text: str) -> list[str]:
    """Names that are given an answer one by one."""
    records = [part.strip() for line in _DNSMASQ_RECORD.finditer(text) for part in line[1].split(",")[:-1]]
    rewritten = [line[2] for line in _REWRITE.finditer(text) if line[1] in {None, "exact"}]
    policies = [re.sub(r"\.rpz\..*$", "", line[1]) for line in _RPZ.finditer(text)]
    return [*_hosts_names(text), *records, *rewritten, *policies]


def _zones(text: str) -> Iterator[str]:
    """Zones that are answered for as a whole: without a server that is asked in turn."""
    for line in _DNSMASQ.finditer(text):
        # A server for a zone is asked in turn; none at all means that nobody is.
        if line[1].lower() == "address" or not line[3]:
            yield from (zone for zone in line[2].split("/") if zone)
    for line in _UNBOUND.finditer(text):
        if (line[2] or "").lower() not in _UNBOUND_TRANSPARENT:
            yield line[1].partition(" ")[0]
    for line in _REWRITE.finditer(text):
        if line[1] == "suffix":
            yield line[2].removeprefix(".")
    for line in _TEMPLATE.finditer(text):
        yield from line[1].split()
    yield from _blocks(text)


def _blocks(text: str) -> Iterator[str]:
    """Zones of CoreDNS's outermost blocks that are answered for without asking any other server."""
    start = _BLOCK.search(text)
    while start:
        end = _end_of_block(text, start.end())
        zones = re.split(r"[,\s]+", start[1].strip())
        body = text[start.end() : end]
        if "." in start[1] and _LOCAL_ANSWER.search(body) and not _FORWARD.search(body):
            yield from (re.sub(r"^\w+://|:\d+$", "", zone) for zone in zones)
        start = _BLOCK.search(text, end)


def _end_of_block(text: str, start: int) -> int:
    depth = 1
    for found in _BRACE.finditer(text, start):
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return found.end()
    return len(text)
