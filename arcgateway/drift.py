"""In what a cluster in Azure differs from what the last update left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arcgateway.held import Held
from arcgateway.ids import same


@dataclass(frozen=True)
class Applied:
    """What the last update left behind, as the driver reported it.

    Attributes:
        gateway: id of the gateway in use; empty for none.
        since: when the association was made (RFC 3339); empty without one.
    """

    gateway: str
    since: str

    @classmethod
    def reported(cls, report: Mapping[str, Any]) -> Applied:
        """Read a report of `connect` or `associate`."""
        enabled = bool(report.get("gatewayEnabled"))
        return cls(str((enabled and report.get("gatewayResourceId")) or ""), str(report.get("associatedAt") or ""))


def in_place(seen: Held, gateway: str) -> bool:
    """Whether Azure holds the cluster with both halves of its association to this gateway; to none where empty."""
    return seen.cluster is not None and seen.gateway_enabled == bool(gateway) and same(seen.gateway_id, gateway)


def drift(cluster: str, seen: Held, applied: Applied, looked_at: datetime) -> str:
    """In words, what somebody else has changed since the last update; empty where nobody has.

    The words hold the time of that change, so that the same change made a second time reads differently.

    Args:
        cluster: name of the cluster that was looked at.
        seen: what Azure holds.
        applied: what the last update left.
        looked_at: when, in UTC: the one time there is for a cluster that is gone and had no association.
    """
    if in_place(seen, applied.gateway):
        return ""
    if seen.cluster is None:
        last = f"associated {applied.since}" if applied.since else f"looked for {looked_at:%Y-%m-%dT%H:%M:%SZ}"
        return f"Azure holds no connected cluster {cluster} any more, {last}"
    setting_differs = not same(seen.gateway_id, applied.gateway)
    changed = _modified(seen.setting if setting_differs else None) or _modified(seen.cluster) or "at an unknown time"
    return f"{_difference(seen, applied.gateway)}, changed in Azure {changed}"


def _difference(seen: Held, applied: str) -> str:
    named, enabled = _name(seen.gateway_id), seen.gateway_enabled
    if not applied:
        return f"the gateway {named or '(unnamed)'} is enabled, though none is declared"
    ours = _name(applied)
    if not named:
        return f"the cluster is told to use a gateway, but {ours} is not set" if enabled else f"{ours} is disabled"
    if not same(seen.gateway_id, applied):
        return f"{seen.gateway_id} is set instead of {ours}" + ("" if enabled else ", and disabled")
    return f"{ours} is set, but the cluster is told to use no gateway"


def _name(gateway: str) -> str:
    return gateway.rpartition("/")[2]


def _modified(resource: Mapping[str, Any] | None) -> str:
    system = (resource or {}).get("systemData") or {}
    return str(system.get("lastModifiedAt") or system.get("createdAt") or "")
