"""Which host names Arc-enabled Kubernetes needs, with a gateway and without one.

The names are data (`endpoints.json`, a source and a date in each row), since the published lists move.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

Edition = Literal["preview", "ga", "both"]
Hop = Literal["workstation", "nodes", "agents"]

ALWAYS = "always"
EDITIONS: tuple[Edition, ...] = ("preview", "ga", "both")

#: Whose traffic the published allowlists are about. The deployment machine's (`workstation`) is asked for by name.
CLUSTER_HOPS: tuple[Hop, ...] = ("nodes", "agents")

#: How long the documentation asks to wait before the names that the gateway replaces are closed.
SETTLING = timedelta(hours=1)

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")


#: How names begin that stand for a pattern of which no real one is known.
MADE_UP = "arcgateway-preflight."

#: The part of a listed name that stands for any: a wildcard, a region or a name of the customer's own.
_FIELDS = re.compile(r"^(?:(?:\*|\{\w+\})\.)+")


@dataclass(frozen=True)
class Endpoint:
    """One name that must be open, or need no longer be.

    Attributes:
        host: a host name, or a pattern with a leading `*.`.
        port: TCP port.
        protocol: `https`, or `wss` where a websocket runs over it.
        purpose: one line for the person who opens it.
        scenario: the Arc feature that needs it, or `always`.
        edition: the published list that has it: `preview`, `ga`, or `both`.
        hop: who opens the connection: the deployment machine, the nodes or the agents.
        carried: whether the gateway's own published list holds it, be it needed beside the gateway or not.
        source: where it is published.
        checked: when that was read (ISO date).
        probe: the name that a preflight asks for; another than `host` for patterns.
        gateway: whether this is the gateway's own name.
    """

    host: str
    port: int
    protocol: Literal["https", "wss"]
    purpose: str
    scenario: str
    edition: Edition
    hop: Hop
    carried: bool
    source: str
    checked: str
    probe: str
    gateway: bool = False

    @property
    def websocket(self) -> bool:
        """Whether a websocket runs over it, which proxies may cut."""
        return self.protocol == "wss"

    @property
    def made_up(self) -> bool:
        """Whether the name that stands for a pattern is no real one: it shows what is let through, and no more."""
        return self.probe != self.host and self.probe.startswith(MADE_UP)


def scenarios() -> tuple[str, ...]:
    """The scenarios that add names, sorted."""
    return tuple(sorted({row["scenario"] for row in _data()["endpoints"]} - {ALWAYS}))


def region_code(region: str) -> str | None:
    """The short name that `his.arc.azure.com` uses for a region; None where it is not confirmed by a source."""
    known = _data()["regionCodes"].get(region_name(region))
    return known["code"] if known else None


def region_name(region: str) -> str:
    """A region as host names have it: `East US 2` is `eastus2`.

    Raises:
        ValueError: it cannot be part of a host name.
    """
    name = region.replace(" ", "").lower()
    if not (name.isascii() and name.isalnum()):
        raise ValueError(f"{region!r} is no Azure region: give its name, for example eastus")
    return name


def required(
    gateway_endpoint: str | None,
    region: str,
    scenarios: Iterable[str] = (),
    edition: Edition = "both",
    *,
    vault: str | None = None,
    hops: Iterable[Hop] = CLUSTER_HOPS,
) -> tuple[Endpoint, ...]:
    """The names that must be open now, in the published order, each name and port once.

    Args:
        gateway_endpoint: the gateway's host name (with or without https://); None or empty for no gateway.
        region: the cluster's Azure region.
        scenarios: the Arc features in use, of `scenarios()`.
        edition: the list as published for the preview, at general availability, or the union of both.
        vault: the Key Vault's name or host; without one its pattern is listed.
        hops: whose traffic.

    Raises:
        ValueError: an unknown scenario or edition, or an impossible region or host; the message says what is valid.
    """
    fields = _fields(gateway_endpoint, region, vault)
    chosen = _checked_scenarios(scenarios)
    key = "withGateway" if fields["gateway"] else "withoutGateway"
    return _rows(key, fields, chosen, _checked_edition(edition), frozenset(hops))


def known(gateway_endpoint: str | None, vault: str | None = None) -> tuple[Endpoint, ...]:
    """All names of all scenarios, editions and hops, with a gateway or without one; `*.` stands for every region."""
    fields = {**_fields(gateway_endpoint, "any", vault), "region": "*", "code": "*"}
    made = (_endpoint(row, fields) for row in _data()["endpoints"] if fields["gateway"] or row["host"] != "{gateway}")
    return tuple({(row.host, row.port, row.scenario, row.hop): row for row in made}.values())


def published_counts(edition: Edition) -> tuple[int, int] | None:
    """How many names the page of an edition counts with a gateway, and how many it names; None for the union."""
    found = _data()["editions"].get(edition)
    return (found["counted"], found["named"]) if found else None


def common(region: str, scenarios: Iterable[str] = (), edition: Edition = "both") -> tuple[Endpoint, ...]:
    """The names that clusters need with a gateway and without one alike. Takes the arguments of `required`."""
    chosen = tuple(scenarios)
    before = {(row.host, row.port) for row in required(None, region, chosen, edition)}
    with_any = required("any.gw.arc.azure.com", region, chosen, edition)
    return tuple(row for row in with_any if (row.host, row.port) in before)


def removable(
    gateway_endpoint: str,
    region: str,
    scenarios: Iterable[str] = (),
    edition: Edition = "both",
    *,
    vault: str | None = None,
) -> tuple[Endpoint, ...]:
    """The names that were needed without the gateway and no longer are with it, for the clusters' own traffic.

    Never a name that the gateway needs, nor a pattern that covers one, nor what no list says the gateway carries
    (`why_kept`). Takes the arguments of `required`.
    """
    if not gateway_endpoint:
        raise ValueError("what a gateway makes superfluous is known only for a gateway: give its endpoint")
    chosen = tuple(scenarios)
    needed = required(gateway_endpoint, region, chosen, edition, vault=vault)
    before = required(None, region, chosen, edition, vault=vault)
    held = {(row.host, row.port) for row in needed}
    return tuple(row for row in before if (row.host, row.port) not in held and why_kept(row, needed) is None)


def why_kept(row: Endpoint, needed: Iterable[Endpoint]) -> str | None:
    """Why a name that only the list without a gateway has stays open for all that; None where it may be closed.

    Args:
        row: the name.
        needed: what must be open with the gateway.
    """
    for kept in needed:
        if row.port == kept.port and covers(row.host, kept.host):
            return f"it admits {kept.host}, which stays needed: narrow it to that, if at all"
        if row.port != kept.port and row.host == kept.host:
            return "the list of what stays open has this host without a port"
    if row.hop == "nodes":
        return "the nodes pull images themselves, past the Arc Proxy"
    if not row.carried:
        return "no published list says that the gateway carries it"
    return None


def listed(host: str) -> tuple[Literal["https", "wss"], str] | None:
    """Protocol and source of a name as published, in whatever region and scenario; None for one on no list."""
    for row in _data()["endpoints"]:
        pattern = "*.gw.arc.azure.com" if row["host"] == "{gateway}" else _FIELDS.sub("*.", row["host"])
        if covers(pattern, host):
            return row["protocol"], row["source"]
    return None


def covers(pattern: str, host: str) -> bool:
    """Whether a listed name or pattern admits another: itself, or what ends in the part after its `*`."""
    pattern, host = pattern.lower(), host.lower()
    return pattern == host or (pattern.startswith("*.") and host.removeprefix("*").endswith(pattern[1:]))


def host_of(endpoint: str) -> str:
    """The host name in a gateway's endpoint, which some tools show with a scheme.

    Raises:
        ValueError: it is no host name.
    """
    try:
        return host_name(endpoint.strip().removeprefix("https://").rstrip("/"))
    except ValueError:
        raise ValueError(
            f"{endpoint!r} is no host name: give the gateway's endpoint, PREFIX.gw.arc.azure.com"
        ) from None


def host_name(text: str) -> str:
    """A host name in lower case, or an IPv4 address.

    Raises:
        ValueError: it is none that DNS knows.
    """
    host = text.lower()
    if len(host) > 253 or not all(map(_LABEL.match, host.split("."))):
        raise ValueError(
            f"{text!r} is no host name: give letters, digits and hyphens between dots, at most 63 each; other letters "
            "in their form xn--..."
        )
    return host


def _rows(
    key: str, fields: dict[str, str], scenarios: frozenset[str], edition: Edition, hops: frozenset[str]
) -> tuple[Endpoint, ...]:
    found: dict[tuple[str, int], Endpoint] = {}
    for row in _data()["endpoints"]:
        if not row[key] or row["scenario"] not in scenarios or row["hop"] not in hops:
            continue
        if "both" not in (edition, row["edition"]) and row["edition"] != edition:
            continue
        endpoint = _endpoint(row, fields)
        known = found.get((endpoint.host, endpoint.port))
        found[endpoint.host, endpoint.port] = (
            replace(known, edition="both") if known and (known.edition != endpoint.edition) else known or endpoint
        )
    return tuple(found.values())


def _endpoint(row: dict[str, Any], fields: dict[str, str]) -> Endpoint:
    host = row["host"].format(**fields)
    probe = host if "*" not in host else row.get("probe", "").format(**fields)
    return Endpoint(
        host=host,
        port=row["port"],
        protocol=row["protocol"],
        purpose=row["purpose"],
        scenario=row["scenario"],
        edition=row["edition"],
        hop=row["hop"],
        carried=row["carried"],
        source=row["source"],
        checked=row["checked"],
        probe=probe,
        gateway=row["host"] == "{gateway}",
    )


def _fields(gateway_endpoint: str | None, region: str, vault: str | None) -> dict[str, str]:
    return {
        "gateway": host_of(gateway_endpoint) if gateway_endpoint else "",
        "region": region_name(region),
        "code": region_code(region) or "*",
        "vault": host_of(vault).removesuffix(".vault.azure.net") if vault else "*",
    }


def _checked_scenarios(given: Iterable[str]) -> frozenset[str]:
    chosen = frozenset(given)
    unknown = sorted(chosen - set(scenarios()) - {ALWAYS})
    if unknown:
        raise ValueError(f"unknown scenario {', '.join(unknown)}: give any of {', '.join(scenarios())}")
    return chosen | {ALWAYS}


def _checked_edition(edition: str) -> Edition:
    for known in EDITIONS:
        if edition == known:
            return known
    raise ValueError(f"unknown edition {edition!r}: give one of {', '.join(EDITIONS)}")


@cache
def _data() -> dict[str, Any]:
    text = Path(__file__).with_name("endpoints.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data
