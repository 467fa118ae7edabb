"""Rule `no-tls-terminating-proxies`: what opens TLS between agents and the gateway breaks the tunnel inside it."""

from __future__ import annotations

from datetime import date

from . import appliances, firewalls, workloads
from . import proxy_settings as settings
from .rule import Grade, Level, Rule

_HISTORY = "MicrosoftDocs/azure-management-docs, articles/azure-arc/kubernetes/arc-gateway-simplify-networking.md"
_VENDORS = (
    "the vendors' references: squid `ssl_bump` (wiki.squid-cache.org/Features/SslPeekAndSplice), Fortinet "
    "`ssl-ssh-profile`, Zscaler SSL inspection rules, PAN-OS decryption policy, ProxySG SSL intercept layer, AWS "
    "`CertificateAuthorityArn`, Cloudflare TLS decryption"
)
_CHECKED, _VENDORS_CHECKED = date(2026, 8, 20), date(2026, 11, 26)
_BOTH = (Level.MANDATORY, Level.MANDATORY)
_ADVICE = (Level.ADVISORY, Level.ADVISORY)


RULE = Rule(
    name="no-tls-terminating-proxies",
    description="No proxy or firewall that opens TLS between clusters and an Arc gateway.",
    why=(
        "Arc's agents open TLS to the gateway and a second tunnel inside it; a proxy that ends the outer TLS "
        "cannot carry the inner one, and the cluster disconnects."
    ),
    grades={
        settings.SAYS_SO: Grade("settings that say so; conclusive alone", *_BOTH, _HISTORY, _CHECKED),
        settings.CERTIFICATE: Grade(
            "a proxy certificate together with an `http://` address of the proxy; conclusive alone, as that proxy has "
            "no TLS of its own",
            *_BOTH,
            "our judgement: a proxy that speaks no TLS has no certificate to trust",
            _CHECKED,
        ),
        settings.FIREWALL: Grade(
            "a firewall's rule that opens TLS of the gateway's host names; conclusive alone", *_BOTH, _HISTORY, _CHECKED
        ),
        settings.INTERCEPTOR: Grade(
            "an image, chart or program that does nothing but intercept (mitmproxy, sslsplit); conclusive alone",
            *_BOTH,
            "the programs' own documentation",
            _VENDORS_CHECKED,
        ),
        settings.DIRECTIVE: Grade(
            "a directive or a decryption policy of a known product that opens TLS; conclusive alone",
            *_BOTH,
            _VENDORS,
            _VENDORS_CHECKED,
        ),
        settings.VERDICT: Grade(
            "a preflight that saw TLS intercepted; conclusive alone",
            *_BOTH,
            "this project's preflight, which tries the way itself",
            _VENDORS_CHECKED,
        ),
        settings.TWO_SIGNS: Grade(
            "two signs that agree, neither of which proves anything alone", *_BOTH, "our judgement", _VENDORS_CHECKED
        ),
        settings.EXEMPTED: Grade(
            "TLS is opened, but the gateway's host names are exempt (allowed since 2026-02-17)",
            Level.MANDATORY,
            Level.ADVISORY,
            _HISTORY,
            _CHECKED,
        ),
        settings.ONE_SIGN: Grade("one sign, which proves nothing alone", *_ADVICE, "our judgement", _VENDORS_CHECKED),
        settings.OTHER_CERTIFICATE: Grade(
            "a proxy certificate with an `https://` address or none: it may be the proxy's own",
            *_ADVICE,
            "our judgement",
            _CHECKED,
        ),
        settings.PRIVATE_ROOTS: Grade(
            "private roots that the preflight takes as genuine, outside of a sandbox",
            *_ADVICE,
            "our judgement: an interception by their holder would not be seen",
            _VENDORS_CHECKED,
        ),
    },
    checks=(*settings.CHECKS, *firewalls.CHECKS, *appliances.CHECKS, *workloads.CHECKS),
    stack_checks=workloads.STACK_CHECKS,
    options=(settings.EXEMPT_HOSTS,),
)
