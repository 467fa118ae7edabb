"""The allowlist of a gateway's clusters: what must be open, what the gateway makes superfluous, and from when.

Pure: who knows when the clusters were associated says so (the stack's outputs, Azure, or a person).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from arcgateway import endpoints
from arcgateway.endpoints import CLUSTER_HOPS, Edition, Endpoint, Hop
from arcgateway.times import rfc3339

State = Literal["required", "kept", "removable"]

_STATES: tuple[State, ...] = ("required", "kept", "removable")


@dataclass(frozen=True)
class Cluster:
    """A cluster whose traffic the list is for.

    Attributes:
        name: as people know it.
        region: its Azure region, as host names have it.
        removable_at: an hour after its association with a gateway; None where it uses none yet.
    """

    name: str
    region: str
    removable_at: datetime | None


@dataclass(frozen=True)
class Entry:
    """One name of the list.

    Attributes:
        endpoint: the name, its port and what is published of it.
        state: `required` must be open; `removable` was needed without the gateway and no longer is; `kept` was needed
            too and is left open by caution.
        reason: why it is kept; else empty.
        removable_at: from when a removable one may be closed, an hour after the last association that uses it; None
            where that is not known.
        waiting: the clusters without a gateway that need it until they are associated.
    """

    endpoint: Endpoint
    state: State
    reason: str = ""
    removable_at: datetime | None = None
    waiting: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The entry under camelCase names."""
        shown = ("host", "port", "protocol", "purpose", "scenario", "edition", "hop", "carried", "source", "checked")
        return {
            **{name: getattr(self.endpoint, name) for name in shown},
            "state": self.state,
            "reason": self.reason or None,
            "removableAt": rfc3339(self.removable_at),
            "waitingFor": list(self.waiting),
        }


@dataclass(frozen=True)
class Allowlist:
    """The whole.

    Attributes:
        entries: each name and port once, what is required first, each part in the published order.
        gateway: the gateway's host name; empty without one.
        regions: of the clusters, as host names have them.
        scenarios: the Arc features in use.
        edition: which published list.
        vault: the Key Vault's name, None for any.
    """

    entries: tuple[Entry, ...]
    gateway: str
    regions: tuple[str, ...]
    scenarios: tuple[str, ...]
    edition: Edition
    vault: str | None

    def of(self, *states: State) -> tuple[Entry, ...]:
        """The entries of some states."""
        return tuple(entry for entry in self.entries if entry.state in states)

    @property
    def heading(self) -> str:
        """What the list is for, in one line."""
        way = f"gateway {self.gateway}" if self.gateway else "no gateway"
        extra = f"; scenarios {', '.join(self.scenarios)}" if self.scenarios else ""
        return f"Azure Arc-enabled Kubernetes, {way}; regions {', '.join(self.regions)}{extra}; edition {self.edition}"


def build(
    gateway_endpoint: str | None,
    regions: Iterable[str],
    scenarios: Iterable[str] = (),
    edition: Edition = "both",
    *,
    vault: str | None = None,
    hops: Iterable[Hop] = CLUSTER_HOPS,
    clusters: Iterable[Cluster] = (),
) -> Allowlist:
    """The allowlist of clusters in some regions.

    Args:
        gateway_endpoint: the gateway's host name; None or empty for no gateway, which makes all of it required.
        regions: Azure regions of the clusters; those of `clusters` are added.
        scenarios: the Arc features in use, of `endpoints.scenarios()`.
        edition: the list as published for the preview, at general availability, or the union of both.
        vault: the Key Vault's name or host.
        hops: whose traffic; what may be closed concerns the clusters' own alone.
        clusters: which clusters there are, and from when each needs the names no more that the gateway replaces.

    Raises:
        ValueError: no region, an unknown scenario or edition, or an impossible region or host.
    """
    known = tuple(clusters)
    places = tuple(
        dict.fromkeys(endpoints.region_name(region) for region in [*regions, *(one.region for one in known)])
    )
    if not places:
        raise ValueError("give at least one Azure region, for example eastus")
    chosen, hops = tuple(dict.fromkeys(scenarios)), tuple(hops)

    def merged(gateway: str | None, hops: Sequence[Hop]) -> dict[tuple[str, int], tuple[Endpoint, set[str]]]:
        found: dict[tuple[str, int], tuple[Endpoint, set[str]]] = {}
        for region in places:
            for row in endpoints.required(gateway, region, chosen, edition, vault=vault, hops=hops):
                found.setdefault((row.host, row.port), (row, set()))[1].add(region)
        return found

    needed = merged(gateway_endpoint, hops)
    entries = [Entry(row, "required") for row, _ in needed.values()]
    if gateway_endpoint:
        # What the clusters need is kept whichever hops were asked for.
        stays = [row for row, _ in merged(gateway_endpoint, CLUSTER_HOPS).values()]
        held = {(row.host, row.port) for row in stays}
        asked = [hop for hop in CLUSTER_HOPS if hop in hops]
        for row, where in merged(None, asked).values():
            if (row.host, row.port) not in held:
                entries.append(_no_longer_required(row, stays, [one for one in known if _region(one) in where]))
    return Allowlist(
        entries=tuple(sorted(entries, key=lambda entry: _STATES.index(entry.state))),
        gateway=endpoints.host_of(gateway_endpoint) if gateway_endpoint else "",
        regions=places,
        scenarios=chosen,
        edition=edition,
        vault=vault,
    )


def _region(cluster: Cluster) -> str:
    return endpoints.region_name(cluster.region)


def _no_longer_required(row: Endpoint, stays: Sequence[Endpoint], users: Sequence[Cluster]) -> Entry:
    if (reason := endpoints.why_kept(row, stays)) is not None:
        return Entry(row, "kept", reason)
    waiting = tuple(one.name for one in users if one.removable_at is None)
    times = [one.removable_at for one in users if one.removable_at is not None]
    return Entry(row, "removable", removable_at=None if waiting or not times else max(times), waiting=waiting)
