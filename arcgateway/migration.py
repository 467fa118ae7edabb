"""How far the clusters of a subscription are on their way to a gateway, for the time at which names may be closed."""

from __future__ import annotations

from collections.abc import Iterable

from arcgateway import arm
from arcgateway.allowlist import Cluster
from arcgateway.association import associated_at
from arcgateway.endpoints import region_name
from arcgateway.errors import Failure
from arcgateway.status import Association, Reader, Status
from arcgateway.times import SETTLING


def clusters(looked: Iterable[Status]) -> list[Cluster]:
    """The clusters with the time from which each needs the names no more that a gateway replaces.

    One whose association is half made, or whose time Azure does not say, counts as one without a gateway.
    """
    found = []
    for one in looked:
        location = (one.seen.cluster or {}).get("location")
        if not location:
            continue
        when = associated_at(one.seen) if one.association is Association.WHOLE else None
        found.append(Cluster(one.id.name, region_name(str(location)), when + SETTLING if when else None))
    return found


def endpoint_in_use(reader: Reader, looked: Iterable[Status]) -> str:
    """The endpoint of the one gateway that some clusters use.

    Raises:
        Failure: they use none, or several, or it is not there or not ready.
    """
    used = sorted({one.seen.gateway_id.lower(): one.seen.gateway_id for one in looked if one.seen.gateway_id}.values())
    if len(used) != 1:
        seen = f"use {len(used)} gateways ({', '.join(used)})" if used else "use no gateway"
        raise Failure(f"the clusters {seen}", "say which with --gateway HOST")
    found = reader.get(used[0], arm.GATEWAYS)
    endpoint = ((found or {}).get("properties") or {}).get("gatewayEndpoint")
    if not endpoint:
        raise Failure(f"the gateway {used[0]} has no endpoint", "give it with --gateway HOST")
    return str(endpoint)
