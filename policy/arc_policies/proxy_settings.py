"""What a proxy's own settings say about TLS: the switch, and a certificate where the proxy has no TLS of its own."""

from __future__ import annotations

from collections.abc import Iterator

from .commands import PROXIES
from .names import GATEWAY, covers
from .reading import Node
from .rule import OPEN, Check, Finding
from .settings import Settings, texts
from .subjects import is_component
from .tokens import Subject

EXEMPT_HOSTS = texts(
    "exemptHosts",
    'host names that every intercepting proxy on the path passes through untouched, such as `"*.gw.arc.azure.com"` '
    "(counts in the profile `ga`)",
)

_THROUGH = "Have the proxy pass the hosts of Arc through without opening their TLS"


def exempt(settings: Settings) -> bool:
    """Whether configuration says that the gateway's host names are left untouched."""
    return any(covers(host, GATEWAY) for host in settings.get(EXEMPT_HOSTS))


def grade(settings: Settings, *, passes_gateway: bool = False) -> str:
    """The grade of a proxy that opens TLS: graver where the gateway's host names are not exempt."""
    return "exempted" if passes_gateway or exempt(settings) else "terminates"


def _settings(subject: Subject, settings: Settings) -> Iterator[Finding]:
    for node in subject.node.walk():
        if node.open and node == subject.node:
            yield _open(node)
        elif isinstance(node.value, dict):
            yield from _switch(node.get("terminatesTls"), settings)
            yield from _certificate(node, settings)


def _switch(switch: Node, settings: Settings) -> Iterator[Finding]:
    mend = f"{_THROUGH}, and set terminatesTls to false."
    if switch.on:
        yield Finding(grade(settings), switch.path, "says that the proxy terminates TLS", mend)
    elif switch.open:
        yield Finding(OPEN, switch.path, "may say that the proxy terminates TLS, which is not known yet", mend)


def _certificate(node: Node, settings: Settings) -> Iterator[Finding]:
    url = node.field("httpsUrl", "proxyHttps", "ARC_PROXY_HTTPS", "httpsProxy")
    certificate = node.field("certificate", "proxyCertificate", "ARC_PROXY_CERTIFICATE", "proxyCert")
    custom = node.field("isCustomCert")
    if not certificate.text and not certificate.open and (custom.on or custom.open):
        certificate = custom
    if url.value is None and certificate.value is None:
        return
    given = bool(certificate.text) or certificate.value is True
    scheme = url.text.partition(":")[0].lower()
    if scheme == "http" and given:
        yield Finding(
            grade(settings),
            certificate.path,
            "gives a proxy certificate although httpsUrl is an http:// address: that proxy has no TLS of its own "
            "to trust, so the certificate can only be for sites that it re-signs",
            f"{_THROUGH} and drop the certificate, or give the https:// address of a proxy that speaks TLS itself.",
        )
    elif given and not url.open:
        yield Finding(
            "sign",
            certificate.path,
            "gives a proxy certificate, which may be for the proxy's own TLS or for sites that it re-signs",
            f"{_THROUGH}; nothing is to be done where the certificate is the proxy's own.",
        )
    elif (certificate.open and scheme == "http") or (url.open and (given or certificate.open)):
        yield _open(certificate if certificate.open else url)


def _open(place: Node) -> Finding:
    return Finding(
        OPEN,
        place.path,
        "is not known yet, so that a certificate together with an http:// proxy cannot be ruled out",
        f"{_THROUGH}, or leave the certificate out.",
    )


CHECKS = (
    Check(
        "settings",
        "proxy settings of our components, of the driver's environment, of `az connectedk8s`, of Arc's chart",
        _settings,
        PROXIES,
        matches=is_component,
        grades=("terminates", "exempted", "sign"),
    ),
)
