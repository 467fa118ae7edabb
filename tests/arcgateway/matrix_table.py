"""The matrix as data: what the preflight has to find, for each kind of proxy and each kind of endpoint.

A cell is a cause. `ok` passes, a cause after `warn` warns, any other fails.
"""

from __future__ import annotations

from collections.abc import Mapping

#: What each endpoint leads to by itself, where nothing is in the way.
_ROAD: Mapping[str, str] = {
    "open": "ok",
    "slow": "ok",
    "nobody there": "unreachable",
    "wrong name": "certificate-invalid",
    "expired": "certificate-invalid",
    "not yet valid": "certificate-invalid",
    "re-signed": "tls-intercepted",
    "no TLS": "tls-failed",
    "silent": "timed-out",
    "cut": "connection-reset",
    "gateway": "ok",
    "gateway of others": "ok",
    "gateway cut inside": "gateway-refused",
    "gateway re-signed inside": "tls-intercepted",
    "websocket": "ok",
    "websocket not granted": "ok",
    "websocket cut": "websocket-blocked",
}

#: And what the proxy's own rules and its resolver add.
_THROUGH: Mapping[str, str] = {
    **_ROAD,
    "denied": "denied-by-proxy",
    "closed port": "denied-by-proxy",
    "unresolved": "name-not-resolved",
    "unresolved pattern": "warn name-not-resolved",
}


def _all(cause: str) -> Mapping[str, str]:
    """One cause for all endpoints, as nothing is known of what is behind the proxy."""
    return dict.fromkeys(_THROUGH, cause)


#: TLS that the proxy opens, whatever is behind it: its own pages come under a certificate that it signs, too. For who
#: never answers there is none to show.
_OPENED: Mapping[str, str] = {**_all("tls-intercepted"), "silent": "timed-out"}

#: TLS that the proxy opens with a root that somebody vouches for: then its pages are read. What it makes of an
#: endpoint's bad certificate is a page as well; and a gateway is never reached.
_VOUCHED: Mapping[str, str] = {
    **_THROUGH,
    "unresolved": "unreachable",
    "unresolved pattern": "warn unreachable",
    **dict.fromkeys(("wrong name", "expired", "not yet valid", "re-signed", "no TLS", "cut"), "tls-failed"),
    **{kind: "gateway-refused" for kind in _ROAD if kind.startswith("gateway")},
    **{kind: "websocket-blocked" for kind in _ROAD if kind.startswith("websocket")},
}

CELLS: Mapping[str, Mapping[str, str]] = {
    "direct": _ROAD,
    "absent": _all("proxy-unreachable"),
    "unknown name": _all("proxy-unreachable"),
    "no proxy": _all("not-http"),
    "squid": _THROUGH,
    "squid over TLS": _THROUGH,
    "squid over TLS, root unknown": _all("proxy-certificate-invalid"),
    "squid over TLS, as http": _all("proxy-speaks-tls"),
    "squid, as https": _all("proxy-speaks-no-tls"),
    "squid with login": _THROUGH,
    "squid with login, none given": _all("proxy-auth-required"),
    "squid with login, a wrong one": _all("proxy-auth-required"),
    "squid stalled": _all("timed-out"),
    "opening": _OPENED,
    "opening, root installed": _OPENED,
    "opening, root given as the proxy's": _OPENED,
    "opening, root vouched for": _VOUCHED,
    "opening but for exceptions": {
        **_OPENED,
        **{kind: cause for kind, cause in _ROAD.items() if kind.startswith(("gateway", "websocket"))},
    },
    # That an endpoint does not grant a websocket cannot be told from a proxy that has taken the request for it away.
    "opening with upgrades, root vouched for": {**_VOUCHED, "websocket": "ok"},
}

#: With which status curl ends that finds the same, directly or through a proxy. With `--fail`, so 22 is a refusal, of
#: the tunnel or inside the TLS.
CURL: Mapping[str, frozenset[int]] = {
    "ok": frozenset({0}),
    "unreachable": frozenset({7, 22}),
    "name-not-resolved": frozenset({22}),
    "denied-by-proxy": frozenset({22}),
    "proxy-auth-required": frozenset({22}),
    "proxy-unreachable": frozenset({5, 7}),
    "proxy-certificate-invalid": frozenset({60}),
    "proxy-speaks-no-tls": frozenset({35}),
    "proxy-speaks-tls": frozenset({52, 56}),
    "not-http": frozenset({1, 8, 56}),
    # 35 inside the TLS of a proxy that speaks it itself, where curl 7.88 does not say which handshake was refused why.
    "certificate-invalid": frozenset({35, 60}),
    "tls-intercepted": frozenset({35, 60}),
    "tls-failed": frozenset({22, 35}),
    "timed-out": frozenset({28}),
    "connection-reset": frozenset({35}),
}

#: And what curl was answered, where that says more.
ANSWERS: Mapping[str, frozenset[str]] = {
    "ok": frozenset({"200"}),
    "denied-by-proxy": frozenset({"403"}),
    "proxy-auth-required": frozenset({"407"}),
    "name-not-resolved": frozenset({"500", "503"}),
}

#: The columns that docs/network.md shows, and what it calls them.
SHOWN: Mapping[str, str] = {
    "squid": "squid",
    "opening": "opens TLS",
    "opening, root vouched for": "opens TLS, its root vouched for",
    "opening but for exceptions": "opens TLS, but for gateway and websockets",
}


def page() -> str:
    """The table in docs/network.md."""
    lines = [f"| endpoint | {' | '.join(SHOWN.values())} |", "| --- " * (len(SHOWN) + 1) + "|"]
    for kind in _THROUGH:
        lines.append(f"| {kind} | {' | '.join(CELLS[proxy][kind] for proxy in SHOWN)} |")
    return "\n".join(lines) + "\n"
