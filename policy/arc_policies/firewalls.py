"""TLS inspection on the path: Azure Firewall's rules, Palo Alto's on Azure, and what cannot be judged."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from .names import GATEWAY, REQUIRED, covers, host_of, meets
from .proxy_settings import EXEMPTED, FIREWALL, ONE_SIGN, grade
from .reading import Node
from .rule import OPEN, Check, Finding
from .settings import Settings
from .tokens import Subject

_EXEMPT = (
    "Put the hosts of Arc, {name} first, into an application rule without TLS termination "
    "in a rule collection of higher priority."
)
_NO_DECRYPTION = "Exempt the hosts of Arc from decryption, or take the rule off the path of the clusters."


def _rule_groups(subject: Subject, settings: Settings) -> Iterator[Finding]:
    """Application rules by priority: what an earlier one allows untouched, a later one never opens."""
    passed: list[_Passed] = []
    collections = sorted(
        [*subject.node.field("ruleCollections").each(), *subject.node.field("applicationRuleCollections").each()],
        key=_priority,
    )
    rules = [rule for collection in collections for rule in collection.field("rules").each()]
    for rule in rules or subject.node.field("rules").each():
        terminates = rule.field("terminateTLS", "terminateTls", "enableTlsInspection")
        targets = [
            *rule.field("targetFqdns", "destinationFqdns").each(),
            *rule.field("targetUrls", "destinationUrls").each(),
        ]
        unsure = [
            *rule.field("targetUrls", "destinationUrls").each(),
            *rule.field("webCategories").each(),
            *rule.field("fqdnTags", "destinationFqdnTags").each(),
        ]
        if terminates.on:
            spared = [one.pattern for one in passed if not _apart(one.sources, _sources(rule))]
            yield from _terminating(terminates, targets, unsure, spared, settings)
        elif terminates.open:
            yield Finding(
                OPEN, terminates.path, "may terminate TLS, which is not known yet", _EXEMPT.format(name=GATEWAY)
            )
        elif implied := [
            node
            for node in rule.field("targetUrls", "destinationUrls").each()
            if _touched(node, [one.pattern for one in passed])
        ]:
            yield Finding(
                ONE_SIGN,
                implied[0].path,
                "filters addresses of hosts that Arc needs by URL, for which the firewall opens their TLS",
                _EXEMPT.format(name=GATEWAY),
            )
        else:
            hosts = rule.field("targetFqdns", "destinationFqdns").each()
            passed += [_Passed(node.text, _sources(rule)) for node in hosts if node.text]


@dataclass(frozen=True)
class _Passed:
    """Hosts that a rule lets through untouched, and for whom; no sources mean that these are not known."""

    pattern: str
    sources: frozenset[str]


def _sources(rule: Node) -> frozenset[str]:
    """Addresses and groups that a rule is for; none where it is for all, or some are not known."""
    given = [*rule.field("sourceAddresses").each(), *rule.field("sourceIpGroups").each()]
    texts = frozenset(one.text.lower() for one in given)
    return frozenset() if any(one.open for one in given) or "*" in texts else texts


def _apart(these: frozenset[str], those: frozenset[str]) -> bool:
    """Whether two rules are for different sources, as far as their texts tell."""
    return bool(these and those) and not any(_overlap(one, other) for one in these for other in those)


def _overlap(one: str, other: str) -> bool:
    try:
        ours, theirs = ipaddress.ip_network(one, strict=False), ipaddress.ip_network(other, strict=False)
    except ValueError:
        # Groups and ranges can be compared by their text alone; a group may hold any address.
        return one == other or ("/ipgroups/" in one) != ("/ipgroups/" in other) or "-" in one + other
    return ours.version == theirs.version and ours.overlaps(theirs)


def _priority(collection: Node) -> float:
    value = collection.field("priority").value
    return float(value) if isinstance(value, int | float) else float("inf")


def _touched(target: Node, passed: list[str]) -> list[str]:
    """The required names that a rule's target meets and that no earlier rule lets pass untouched."""
    host = host_of(target.text)
    return [name for name in REQUIRED if host and meets(host, name) and not any(covers(one, name) for one in passed)]


def _terminating(
    switch: Node, targets: list[Node], unsure: list[Node], passed: list[str], settings: Settings
) -> Iterator[Finding]:
    touched = [name for target in targets for name in _touched(target, passed)]
    if touched:
        gateway = GATEWAY in touched
        name = GATEWAY if gateway else touched[0]
        yield Finding(
            grade(settings, FIREWALL, passes_gateway=not gateway),
            switch.path,
            f"terminates TLS of {name}, which Arc needs untouched",
            _EXEMPT.format(name=name),
        )
    elif any(target.open for target in targets):
        yield Finding(OPEN, switch.path, "terminates TLS of hosts that are not known yet", _EXEMPT.format(name=GATEWAY))
    elif unsure and not all(any(covers(one, name) for one in passed) for name in REQUIRED) and not targets:
        yield Finding(
            ONE_SIGN,
            switch.path,
            "terminates TLS of a category of hosts, among which may be those of Arc",
            _EXEMPT.format(name=GATEWAY),
        )


def _firewall_policy(subject: Subject, _: Settings) -> Iterator[Finding]:
    authority = subject.node.field("transportSecurity", "tlsCertificate")
    if authority.value is None or authority.value == {}:
        return
    explicit = subject.node.field("explicitProxy")
    if explicit.get("enableExplicitProxy").on or explicit.get("enabled").on:
        yield Finding(
            ONE_SIGN,
            authority.path,
            "sets up TLS inspection beside an explicit proxy, which has none",
            "Drop one of the two.",
        )
    else:
        yield Finding(
            ONE_SIGN,
            authority.path,
            "makes TLS inspection possible, although it opens nothing by itself",
            "Keep application rules for the hosts of Arc free of TLS termination.",
        )


def _decryption(subject: Subject, settings: Settings) -> Iterator[Finding]:
    kind = subject.node.field("decryptionRuleType")
    if subject.node.field("ruleState").text.lower() == "disabled" or subject.node.get("enabled").value is False:
        return
    if kind.text.lower() == "ssloutboundinspection":
        yield Finding(grade(settings, FIREWALL), kind.path, "decrypts outbound TLS", _NO_DECRYPTION)
    elif kind.open:
        yield Finding(OPEN, kind.path, "may decrypt outbound TLS, which is not known yet", _NO_DECRYPTION)


def _rulestack(subject: Subject, _: Settings) -> Iterator[Finding]:
    services = subject.node.field("securityServices")
    for name in ("outboundTrustCertificate", "outboundUnTrustCertificate"):
        certificate = services.get(name)
        if certificate.value is not None:
            yield Finding(ONE_SIGN, certificate.path, "holds a certificate for outbound decryption", _NO_DECRYPTION)
            return


def _outbound_certificate(subject: Subject, _: Settings) -> Iterator[Finding]:
    yield Finding(
        ONE_SIGN, subject.node.path, "gives a rule stack a certificate for outbound decryption", _NO_DECRYPTION
    )


def _application_gateway(subject: Subject, _: Settings) -> Iterator[Finding]:
    for node in subject.node.walk():
        if node.key in {"fqdn", "fqdns"}:
            for item in node.each():
                if item.text and any(meets(item.text, name) for name in REQUIRED):
                    yield Finding(
                        ONE_SIGN,
                        item.path,
                        "puts an application gateway, which ends TLS, before a host that Arc needs",
                        "Let clusters reach the hosts of Arc directly or through a forward proxy.",
                    )
                    return


def _appliance(subject: Subject, _: Settings) -> Iterator[Finding]:
    yield Finding(
        ONE_SIGN, subject.node.path, "is a network appliance, whose own rules cannot be seen here", _NO_DECRYPTION
    )


def _native(*types: str) -> frozenset[str]:
    return frozenset(f"azure-native:{name}" for name in types)


CHECKS = (
    Check(
        "firewall-rules",
        "Azure Firewall policy rules with TLS termination, drafts and the classic provider's included",
        _rule_groups,
        _native("network:firewallpolicyrulecollectiongroup"),
        grades=(FIREWALL, EXEMPTED, ONE_SIGN),
    ),
    Check(
        "firewall-policy",
        "Azure Firewall policies set up for TLS inspection",
        _firewall_policy,
        _native("network:firewallpolicy"),
        grades=(ONE_SIGN,),
    ),
    Check(
        "decryption",
        "Palo Alto rules that decrypt outbound TLS",
        _decryption,
        _native("cloudngfw:localrule", "cloudngfw:prerule", "cloudngfw:postrule"),
        grades=(FIREWALL, EXEMPTED),
    ),
    Check(
        "rule-stack",
        "Palo Alto rule stacks with certificates for decryption",
        _rulestack,
        _native("cloudngfw:localrulestack", "cloudngfw:globalrulestack"),
        grades=(ONE_SIGN,),
    ),
    Check(
        "rule-stack-certificate",
        "the classic provider's certificates",
        _outbound_certificate,
        _native("cloudngfw:outboundcertificate"),
        grades=(ONE_SIGN,),
    ),
    Check(
        "application-gateway",
        "application gateways before a host that Arc needs",
        _application_gateway,
        _native("network:applicationgateway"),
        grades=(ONE_SIGN,),
    ),
    Check(
        "appliance",
        "network virtual appliances",
        _appliance,
        _native("network:networkvirtualappliance"),
        grades=(ONE_SIGN,),
    ),
)
