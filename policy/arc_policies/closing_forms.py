"""All forms in which a resource may close host names that clusters need: a row for each, with how it is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from . import azure_egress, kubernetes_egress, name_hijacks, proxy_lists
from .closings import CLOSES, MAY_CLOSE, Closing, closings
from .firewall_calls import HOSTS
from .names import GATEWAY, Need, covers, needs
from .reading import Node
from .required_settings import RANGES, SCENARIOS, known_regions, known_scenarios, regions
from .rule import OPEN, Finding
from .settings import Settings
from .subjects import HELM
from .tokens import Subject
from .workloads import CONFIGURATION, WORKLOADS, entries

ALLOWLIST = "arc-gateway:index:endpointallowlist"
_UPLOAD = "command:remote:copytoremote"

_BEFORE = "Let {name} out on port 443 in a rule that is tried before, or take it out of this one; {when}"
_NOT_DENIED = "Take {name} out of what is denied, or let it out in a rule that is tried before; {when}"
_ADDED = (
    "Add a rule, here or in another policy of the namespace, that lets these pods out to {name} on port 443 and to "
    "name resolution on port 53; {when}"
)
_PUBLIC = "Leave {name} to the public DNS; {when}"
_THROUGH = "Let {name} through on port 443, at its public address; {when}"

_MOST_NAMES = 3

#: Files on a machine that decide about host names.
_OF_INTEREST = re.compile(r"squid|dnsmasq|unbound|corefile|etc/hosts$", re.IGNORECASE)

#: For the names that are needed with a gateway, too.
WHY_NEEDED = "clusters behind an Arc gateway need"
NEVER = "this may close only when no cluster uses a gateway any more."

Reader = Callable[[Subject, Sequence[Need], Settings], Iterable[Closing]]


@dataclass(frozen=True)
class Row:
    """A form of closing.

    Attributes:
        name, covers: the check's.
        read: what a subject closes of some names.
        tokens: the types it looks at.
        mend: how to open a name, as a pattern of the name and of when this may close.
        grades: what it may give.
    """

    name: str
    covers: str
    read: Reader
    tokens: frozenset[str]
    mend: str = _BEFORE
    grades: tuple[str, ...] = (CLOSES, MAY_CLOSE)

    def finding(self, closing: Closing, why: str, when: str, grade: str | None = None) -> Finding:
        """What to say of a closing: why the names are needed, and when they may close."""
        shown = _shown(closing.names)
        doubt = f", {closing.doubt}" if closing.doubt else ""
        problem = f"{closing.how} {shown}, which {why}{doubt}" if closing.names else closing.how
        mend = self.mend.format(name=shown or "the hosts of Arc", when=when)
        if len(set(closing.names)) > _MOST_NAMES:
            mend += " `arcgateway endpoints` lists all of them."
        return Finding(grade or closing.grade, closing.path, problem, mend)


def _shown(names: Sequence[str]) -> str:
    """The names, the gateway's first; of many the first few, and how many more."""
    ordered = sorted(dict.fromkeys(names), key=lambda name: name != GATEWAY)
    shown, rest = ordered[:_MOST_NAMES], len(ordered[_MOST_NAMES:])
    if rest:
        return f"{', '.join(shown)} and {rest} more"
    return " and ".join(part for part in (", ".join(shown[:-1]), *shown[-1:]) if part)


def _azure(subject: Subject, wanted: Sequence[Need], settings: Settings) -> Iterable[Closing]:
    return closings(azure_egress.azure_passages(subject.token, subject.node, settings.get(RANGES)), wanted)


def _denials(subject: Subject, wanted: Sequence[Need], _: Settings) -> Iterable[Closing]:
    return closings(kubernetes_egress.denials(subject.token, subject.node), wanted)


def _isolated(subject: Subject, wanted: Sequence[Need], _: Settings) -> Iterator[Closing]:
    """A policy that by itself lets out nothing; another may, which only the stack tells."""
    for closing in kubernetes_egress.lacking(kubernetes_egress.allowlists(subject.token, subject.node), wanted):
        if len(closing.names) == len(wanted) and closing.grade != OPEN:
            doubt = "unless another policy lets them out"
            yield Closing(MAY_CLOSE, closing.path, closing.how, closing.names, doubt, named=False)


def _zone(subject: Subject, wanted: Sequence[Need], _: Settings) -> Iterable[Closing]:
    return name_hijacks.zone_closings(subject.token, subject.node, wanted)


def _record(subject: Subject, wanted: Sequence[Need], _: Settings) -> Iterable[Closing]:
    kind = "" if subject.resource is None or subject.at is not None else subject.resource.type
    return name_hijacks.record_closings(subject.node, kind, wanted)


def _aliases(subject: Subject, wanted: Sequence[Need], _: Settings) -> Iterable[Closing]:
    arc = subject.node.get("metadata", "namespace").text.lower() == kubernetes_egress.NAMESPACE
    return name_hijacks.alias_closings(subject.node, wanted) if arc else ()


def _hosts(subject: Subject, wanted: Sequence[Need], _: Settings) -> Iterable[Closing]:
    return name_hijacks.hosts_closings(subject.node.each(), subject.node, wanted)


def _configuration(subject: Subject, wanted: Sequence[Need], _: Settings) -> Iterable[Closing]:
    return _texts([(node, _file_name(node), text) for node, text in entries(subject)], wanted)


def _helm(subject: Subject, wanted: Sequence[Need], _: Settings) -> Iterable[Closing]:
    texts = [(node, _file_name(node), node.text) for node in subject.node.get("values").walk() if node.text]
    return _texts(texts, wanted)


def _upload(subject: Subject, wanted: Sequence[Need], _: Settings) -> Iterable[Closing]:
    source, target = subject.node.get("source"), subject.node.get("remotePath").text
    if source.open and _OF_INTEREST.search(target):
        how = "uploads the configuration of a proxy or of name resolution, which cannot be read here"
        return (Closing(OPEN, source.path, how),)
    return _texts([(source, target.rpartition("/")[2], source.text)], wanted)


def _file_name(node: Node) -> str:
    return str(node.path[-1]) if node.path else ""


def _texts(texts: Sequence[tuple[Node, str, str]], wanted: Sequence[Need]) -> Iterator[Closing]:
    """What files close, each with the name that it goes by."""
    files = {name: text for _, name, text in texts if text}
    for node, name, text in texts:
        if proxy_lists.speaks(name, text):
            yield from proxy_lists.squid_closings(node, text, files, wanted)
        elif text:
            yield from name_hijacks.text_closings(node, name, text, wanted)


def _allowlist(subject: Subject, _: Sequence[Need], settings: Settings) -> Iterator[Closing]:
    """Our own allowlist, asked for fewer Arc features or other regions than configuration says are in use."""
    places = {key: subject.node.get(key) for key in ("scenarios", "regions")}
    given = {key: [item.text for item in place.each()] for key, place in places.items()}
    asked = known_regions(given["regions"]), known_scenarios(given["scenarios"])
    listed, wanted = needs(*asked), needs(regions(settings) or asked[0], settings.get(SCENARIOS))
    lost = tuple(need.name for need in wanted if not any(covers(one.name, need.name) for one in listed))
    if not lost:
        return
    unknown = next((place for place in places.values() if place.open or any(item.open for item in place.each())), None)
    if unknown is not None:
        yield Closing(OPEN, unknown.path, "leaves out", lost, "as far as that is known yet", named=False)
    else:
        lacks = "scenarios" if {*settings.get(SCENARIOS)} - {*asked[1]} else "regions"
        yield Closing(CLOSES, places[lacks].path, "leaves out", lost, named=False)


ROWS = (
    Row(
        "firewall",
        "Azure Firewall: policy rule collection groups (old forms and drafts too), classic rule collections, "
        "`az network firewall`, PowerShell",
        _azure,
        frozenset({azure_egress.RULE_GROUP, azure_egress.RULE_COLLECTION, azure_egress.FIREWALL}),
    ),
    Row(
        "security-group",
        "outbound rules of network security groups and of Virtual Network Manager, by service tag",
        _azure,
        frozenset({azure_egress.SECURITY_GROUP, azure_egress.SECURITY_RULE, azure_egress.ADMIN_RULE}),
    ),
    Row(
        "cluster-denials",
        "Kubernetes: `egressDeny` of Cilium, Calico's rules, AdminNetworkPolicy, where they are about Arc's pods",
        _denials,
        kubernetes_egress.CILIUM | kubernetes_egress.ORDERED,
        _NOT_DENIED,
    ),
    Row(
        "isolation",
        "a NetworkPolicy or CiliumNetworkPolicy of the namespace `azure-arc` that by itself lets nothing out",
        _isolated,
        kubernetes_egress.ADDITIVE,
        _ADDED,
        (MAY_CLOSE,),
    ),
    Row(
        "zone",
        "private DNS zones (Azure, Route 53, Google Cloud) over names that Arc needs, and links to such zones",
        _zone,
        name_hijacks.ZONES,
        _PUBLIC,
        (CLOSES,),
    ),
    Row(
        "record",
        "records of private zones under a name that Arc needs",
        _record,
        name_hijacks.RECORDS,
        _PUBLIC,
        (CLOSES,),
    ),
    Row("aliases", "host aliases of pods in `azure-arc`", _aliases, WORKLOADS, _PUBLIC, (CLOSES,)),
    Row(
        "configuration",
        "ConfigMaps and Secrets: access rules of squid; hosts files, CoreDNS, dnsmasq, Unbound",
        _configuration,
        CONFIGURATION,
        _THROUGH,
    ),
    Row("helm", "the same in the values of Helm releases", _helm, HELM, _THROUGH),
    Row(
        "upload",
        "the same in files that `command:remote:CopyToRemote` uploads",
        _upload,
        frozenset({_UPLOAD}),
        _THROUGH,
    ),
    Row("hosts", "lines that commands write to a hosts file", _hosts, frozenset({HOSTS}), _PUBLIC, (MAY_CLOSE,)),
    Row(
        "allowlist",
        "this project's EndpointAllowlist, asked for less than `scenarios` and `region` say",
        _allowlist,
        frozenset({ALLOWLIST}),
        _THROUGH,
        (CLOSES,),
    ),
)
