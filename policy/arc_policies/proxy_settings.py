"""What a proxy's own settings say about TLS: the switch, a certificate for no TLS of its own, private roots."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from .commands import DRIVER_ROOTS, PROXIES
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

# The rule's grades, by which its table tells what is conclusive alone.
SAYS_SO = "says-so"
CERTIFICATE = "certificate-with-http-proxy"
FIREWALL = "firewall-rule"
INTERCEPTOR = "interceptor"
DIRECTIVE = "directive"
TWO_SIGNS = "two-signs"
VERDICT = "verdict"
EXEMPTED = "exempted"
ONE_SIGN = "one-sign"
OTHER_CERTIFICATE = "certificate-alone"
PRIVATE_ROOTS = "private-roots"

_THROUGH = "Have the proxy pass the hosts of Arc through without opening their TLS"
#: The proxy's address by the names that components, driver and clients have for it, the HTTPS one first.
_URLS = (
    *("httpsUrl", "proxyHttps", "ARC_PROXY_HTTPS", "httpsProxy"),
    *("httpUrl", "proxyHttp", "ARC_PROXY_HTTP", "httpProxy"),
)
_CERTIFICATES = ("certificate", "proxyCertificate", "ARC_PROXY_CERTIFICATE", "proxyCert")


def exempt(settings: Settings) -> bool:
    """Whether configuration says that the gateway's host names are left untouched."""
    return any(covers(host, GATEWAY) for host in settings.get(EXEMPT_HOSTS))


def grade(settings: Settings, name: str, *, passes_gateway: bool = False) -> str:
    """The grade of something that opens TLS: another one where the gateway's host names are exempt."""
    return EXEMPTED if passes_gateway or exempt(settings) else name


def _of(judge: Callable[[Node, Settings], Iterator[Finding]]) -> Callable[[Subject, Settings], Iterator[Finding]]:
    """A check that asks about every mapping in a resource, as proxies stand at any depth."""

    def run(subject: Subject, settings: Settings) -> Iterator[Finding]:
        for node in subject.node.walk():
            if isinstance(node.value, dict):
                yield from judge(node, settings)
            elif node.open and node == subject.node and judge is _certificate:
                yield _open(node)

    return run


def _switch(node: Node, settings: Settings) -> Iterator[Finding]:
    switch = node.get("terminatesTls")
    mend = f"{_THROUGH}, and set terminatesTls to false."
    if switch.on:
        yield Finding(grade(settings, SAYS_SO), switch.path, "says that the proxy terminates TLS", mend)
    elif switch.open:
        yield Finding(OPEN, switch.path, "may say that the proxy terminates TLS, which is not known yet", mend)


def _url(node: Node) -> Node:
    """The address that HTTPS traffic goes through: the one for HTTP serves both where no other is given."""
    found = (node.get(name) for name in _URLS)
    return next((url for url in found if url.open or url.text), Node(None, (*node.path, _URLS[0])))


def _certificate(node: Node, settings: Settings) -> Iterator[Finding]:
    url, certificate, custom = _url(node), node.field(*_CERTIFICATES), node.field("isCustomCert")
    if not certificate.text and not certificate.open and (custom.on or custom.open):
        certificate = custom
    given = bool(certificate.text) or certificate.value is True
    scheme = url.text.partition(":")[0].lower()
    if scheme == "http" and given:
        yield Finding(
            grade(settings, CERTIFICATE),
            certificate.path,
            "gives a proxy certificate although the proxy's address begins with http://: that proxy has no TLS of its "
            "own to trust, so the certificate can only be for sites that it re-signs",
            f"{_THROUGH} and drop the certificate, or give the https:// address of a proxy that speaks TLS itself.",
        )
    elif given and not url.open:
        yield Finding(
            OTHER_CERTIFICATE,
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


def _private_roots(node: Node, _: Settings) -> Iterator[Finding]:
    """Roots that the preflight takes as the endpoints' own hide an interception; a sandbox's proxy is on this machine.

    An address that is not known yet is told apart, as the sandbox's own may be.
    """
    roots = node.field("genuineRoots", "ARC_GENUINE_ROOTS")
    if not (roots.open or any(root.open or root.text for root in roots.each())):
        return
    url = _url(node)
    if _loopback(url.text):
        return
    yield Finding(
        OPEN if url.open else PRIVATE_ROOTS,
        roots.path,
        "has the preflight take private roots as the endpoints' own, so that it cannot see TLS opened by their holder",
        "Leave it empty outside of sandboxes, whose proxy is on the machine itself.",
    )


def _loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or host.endswith(".localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


CHECKS = tuple(
    Check(name, covers, _of(judge), tokens, matches=is_component, grades=grades)
    for name, covers, judge, tokens, grades in (
        ("settings", "`terminatesTls` of this project's components", _switch, PROXIES, (SAYS_SO, EXEMPTED)),
        (
            "certificate",
            "a proxy's certificate: of this project's components, in the driver's environment, of `az connectedk8s` "
            "and its PowerShell twins, among the values of Arc's chart",
            _certificate,
            PROXIES,
            (CERTIFICATE, OTHER_CERTIFICATE, EXEMPTED),
        ),
        (
            "private-roots",
            "`genuineRoots` of this project's components and in the driver's environment, where the proxy is not on "
            "the machine itself, as a sandbox's is",
            _private_roots,
            frozenset({DRIVER_ROOTS}),
            (PRIVATE_ROOTS,),
        ),
    )
)
