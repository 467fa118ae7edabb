"""Rule `no-tls-terminating-proxies`: what opens TLS between agents and the gateway breaks the tunnel inside it."""

from __future__ import annotations

from datetime import date

from . import firewalls, proxy_settings, workloads
from .rule import Grade, Level, Rule

_HISTORY = "MicrosoftDocs/azure-management-docs, articles/azure-arc/kubernetes/arc-gateway-simplify-networking.md"
_CHECKED = date(2026, 8, 20)

RULE = Rule(
    name="no-tls-terminating-proxies",
    description="No proxy or firewall that opens TLS between clusters and an Arc gateway.",
    why=(
        "Arc's agents open TLS to the gateway and a second tunnel inside it; a proxy that ends the outer TLS "
        "cannot carry the inner one, and the cluster disconnects."
    ),
    grades={
        "terminates": Grade(
            "TLS of the gateway's host names is opened, by itself conclusive",
            Level.MANDATORY,
            Level.MANDATORY,
            _HISTORY,
            _CHECKED,
        ),
        "exempted": Grade(
            "TLS is opened, but not that of the gateway's host names (allowed since 2026-02-17)",
            Level.MANDATORY,
            Level.ADVISORY,
            _HISTORY,
            _CHECKED,
        ),
        "sign": Grade("a sign that proves nothing alone", Level.ADVISORY, Level.ADVISORY, "our judgement", _CHECKED),
    },
    checks=(*proxy_settings.CHECKS, *firewalls.CHECKS, *workloads.CHECKS),
    options=(proxy_settings.EXEMPT_HOSTS,),
)
