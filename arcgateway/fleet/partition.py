"""The stacks of a fleet: which there are, what each holds, and its configuration."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from arcgateway.fleet.description import Cluster, Fleet, Gateway

#: What stands between the fleet's name and a gateway's in the name of the stack that owns it; no ring is called so.
GATEWAY = "gateway"

_SUBSCRIPTION = "azure-native:subscriptionId"


@dataclass(frozen=True)
class FleetStack:
    """One stack of a fleet.

    Attributes:
        name: the stack's name, without organisation and project.
        kind: `gateway` owns one gateway and exports its id; `clusters` holds clusters behind one gateway.
        ring: the ring of its clusters; empty for a gateway's stack, which comes before all rings.
        region: the Azure region of its clusters, or of its gateway.
        config: the stack's settings as in Pulumi.STACK.yaml, keys without the namespace `arc-gateway:`. A key with a
            colon is another namespace's and stands as it is (`azure-native:subscriptionId`). Holds no secret.
        clusters: keys of its clusters in `config["clusters"]`, sorted.
        needs: names of the gateways' stacks that have to be up before.
        secrets: where in the settings a secret belongs (`proxies.corporate.password`, a path as `pulumi config set
            --path` takes it, without the namespace), and the environment variable that holds its value.
    """

    name: str
    kind: Literal["gateway", "clusters"]
    ring: str
    region: str
    config: Mapping[str, Any]
    clusters: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)


def stacks(fleet: Fleet) -> tuple[FleetStack, ...]:
    """The stacks of a fleet: those of gateways first, then those of clusters, ring by ring.

    Which stack a cluster is in follows from its own entry in the file alone: its ring, its region, and its `stack`. So
    adding or removing a cluster moves no other.
    """
    held: dict[tuple[str, str, int], list[Cluster]] = defaultdict(list)
    for cluster in fleet.clusters.values():
        held[cluster.ring, cluster.region, cluster.number].append(cluster)
    order = [ring.name for ring in fleet.rings]
    made = [_of_gateway(fleet, gateway) for gateway in fleet.gateways.values() if gateway.own]
    for place in sorted(held, key=lambda one: (order.index(one[0]), *one[1:])):
        made.append(_of_clusters(fleet, *place, sorted(held[place], key=lambda one: one.key)))
    return tuple(made)


def is_of(fleet: Fleet, stack: str) -> bool:
    """Whether a stack's name is one that this fleet gives, whether or not it has that stack now.

    A stack that is the fleet's and no longer among `stacks` still holds what was deployed with it.
    """
    return re.fullmatch(rf"{fleet.name}-({GATEWAY}-.+|.+-[a-z0-9]+-\d+)", stack) is not None


def _of_gateway(fleet: Fleet, gateway: Gateway) -> FleetStack:
    config = {"gateway": gateway.config, **fleet.settings, _SUBSCRIPTION: gateway.subscription}
    return FleetStack(_gateway_stack(fleet, gateway.key), "gateway", "", gateway.region, config)


def _of_clusters(fleet: Fleet, ring: str, region: str, number: int, clusters: list[Cluster]) -> FleetStack:
    # A cluster without a gateway has no say in which one its stack has.
    using = [one for one in clusters if one.config.get("gateway") is not False] or clusters
    gateway = fleet.gateways[using[0].gateway]
    owner = _gateway_stack(fleet, gateway.key)
    config: dict[str, Any] = {
        "gateway": {"stack": f"{fleet.organization}/{fleet.project}/{owner}"} if gateway.own else gateway.config
    }
    proxies = {one.proxy: fleet.proxies[one.proxy] for one in clusters if one.proxy is not None}
    if proxies:
        config["proxies"] = {name: proxies[name].config for name in sorted(proxies)}
    config["clusters"] = {one.key: one.config for one in clusters}
    secrets = {
        config_path("proxies", name, *keys): proxies[name].secrets[keys]
        for name in sorted(proxies)
        for keys in proxies[name].secrets
    }
    secrets |= {
        config_path("clusters", one.key, *keys): variable for one in clusters for keys, variable in one.secrets.items()
    }
    return FleetStack(
        name=f"{fleet.name}-{ring}-{region}-{number}",
        kind="clusters",
        ring=ring,
        region=region,
        config=config | dict(fleet.settings),
        clusters=tuple(one.key for one in clusters),
        needs=(owner,) if gateway.own else (),
        secrets=secrets,
    )


def _gateway_stack(fleet: Fleet, key: str) -> str:
    return f"{fleet.name}-{GATEWAY}-{key}"


def config_path(first: str, *keys: str) -> str:
    """A path as `pulumi config set --path` reads it."""
    return first + "".join(f".{key}" if re.fullmatch(r"[A-Za-z_]\w*", key) else f"[{json.dumps(key)}]" for key in keys)
