"""Decryption policies of security products, as their Pulumi providers and operators write them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .proxy_settings import DIRECTIVE, EXEMPTED, ONE_SIGN, grade
from .reading import Node
from .rule import OPEN, Check, Finding
from .settings import Settings
from .subjects import FOREIGN, is_custom
from .tokens import Subject

_MEND = "Exempt the hosts of Arc from decryption, or take the rule off the path of the clusters."
_PRODUCTS = re.compile(
    r"zia|zscaler|panos|scm|prisma\w*|paloalto\w*|fortios|fortimanager|fortinet|netskope|cloudflare|checkpoint|sophos\w*|"
    r"umbrella|cisco\w*|forcepoint|skyhigh|bluecoat|symantec"
)
_AWS = "aws:networkfirewall:tlsinspectionconfiguration"
_GCP = frozenset({"gcp:networksecurity:gatewaysecuritypolicyrule"})

#: Properties that switch decryption on, by themselves or by an `enabled` below.
_SWITCHES = frozenset(
    {
        *("tlsdecrypt", "tlsdecryptenabled", "tlsdecryption", "tlsinspection", "tlsinspectionenabled"),
        *("sslinspection", "sslinspectionenabled", "ssldecryption", "ssldecryptionenabled", "httpsinspection"),
    }
)
#: Values that say so, by the properties that hold them.
_VALUES = {
    "sslsshprofile": frozenset({"deep-inspection", "custom-deep-inspection"}),
    "inspectall": frozenset({"deep-inspection"}),
    "status": frozenset({"deep-inspection"}),
    "decryptionruletype": frozenset({"ssloutboundinspection"}),
}
_FORWARD_PROXY = frozenset({"sslforwardproxy", "ssl-forward-proxy"})
_OFF = frozenset({"disabled", "disable", "false"})


def _product(subject: Subject) -> str:
    """The product that a resource belongs to; "" where it is none of a known one."""
    kind = subject.resource.type if subject.resource is not None else subject.token
    provider, _, rest = kind.lower().partition(":")
    group = rest.partition("/")[0] if provider == "kubernetes" else ""
    words = re.split(r"[.-]", group or provider)
    return next((word for word in words if _PRODUCTS.fullmatch(word)), "")


def _policy(subject: Subject, settings: Settings) -> Iterator[Finding]:
    product = _product(subject)
    for node in subject.node.walk():
        place = _decrypting(node, product)
        if place is None:
            continue
        if place.open:
            yield Finding(OPEN, place.path, "may have TLS decrypted, which is not known yet", _MEND)
        elif product:
            yield Finding(grade(settings, DIRECTIVE), place.path, "has outbound TLS decrypted", _MEND)
        else:
            yield Finding(ONE_SIGN, place.path, "seems to have TLS decrypted", _MEND)
        return


def _decrypting(node: Node, product: str) -> Node | None:
    """The property that switches decryption on, in one mapping; None where there is none."""
    if not isinstance(node.value, dict) or _off(node):
        return None
    for child in node.children():
        enabled = child.get("enabled") if isinstance(child.value, dict) else child
        if child.key in _SWITCHES and (enabled.on or (enabled.open and product)):
            return enabled
        if child.text.lower() in _VALUES.get(child.key, ()) and child.key != "status":
            return child
        if child.key == "status" and product and child.text.lower() in _VALUES["status"]:
            return child
    action = node.get("action")
    if product in {"zia", "zscaler"} and action.get("type").text.lower() == "decrypt":
        return action.get("type")
    if action.text.lower() == "decrypt" and any(
        child.key in _FORWARD_PROXY or child.text.lower() in _FORWARD_PROXY for child in node.walk()
    ):
        return action
    return None


def _off(node: Node) -> bool:
    state = node.get("state").text.lower()
    return state in _OFF or node.get("disabled").on or node.get("enabled").value is False


def _aws(subject: Subject, settings: Settings) -> Iterator[Finding]:
    for node in subject.node.walk():
        if node.key == "certificateauthorityarn" and (node.text or node.open):
            yield Finding(grade(settings, DIRECTIVE), node.path, "has outbound TLS decrypted", _MEND)
            return


def _gcp(subject: Subject, settings: Settings) -> Iterator[Finding]:
    switch = subject.node.get("tlsInspectionEnabled")
    if switch.on and subject.node.get("enabled").value is not False:
        yield Finding(grade(settings, DIRECTIVE), switch.path, "has outbound TLS decrypted", _MEND)


CHECKS = (
    Check(
        "decryption-policies",
        "decryption policies of Zscaler, Palo Alto, Fortinet, Netskope, Cloudflare, Check Point, Cisco, Forcepoint and "
        "Symantec by their providers and custom resources (of others: one sign)",
        _policy,
        frozenset({FOREIGN}),
        matches=is_custom,
        grades=(DIRECTIVE, EXEMPTED, ONE_SIGN),
    ),
    Check(
        "decryption-aws",
        "outbound TLS inspection of AWS Network Firewall",
        _aws,
        frozenset({_AWS}),
        grades=(DIRECTIVE, EXEMPTED),
    ),
    Check(
        "decryption-gcp",
        "TLS inspection of Google's secure web proxy",
        _gcp,
        _GCP,
        grades=(DIRECTIVE, EXEMPTED),
    ),
)
