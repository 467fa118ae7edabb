"""The stacks of a fleet: which there are, what each holds, and its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from arcgateway.fleet.description import Fleet


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
    """The stacks of a fleet: those of gateways first, then those of clusters, ring by ring."""
    raise NotImplementedError
