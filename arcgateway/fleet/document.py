"""What a fleet's file may say, as models: the settings of stacks, and what is a fleet's own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, WithJsonSchema

from arcgateway.ids import ConnectedClusterId
from arcgateway.stack_settings import (
    Allowlist,
    ExistingCluster,
    ExistingClusterById,
    ExistingGateway,
    GatewayOfStack,
    Guid,
    Model,
    OnboardedCluster,
    OwnGateway,
    Preflight,
    PreflightException,
    Proxy,
    cluster_form,
    gateway_form,
)
from arcgateway.times import seconds

#: Clusters in a stack where the file says nothing else: the cost of an update grows with the square of its resources.
CLUSTERS_PER_STACK = 50

#: What Azure allows (MicrosoftDocs/azure-management-docs, articles/azure-arc/kubernetes/
#: arc-gateway-simplify-networking.md, read on 2026-08-20).
GATEWAYS_PER_SUBSCRIPTION = 5
CLUSTERS_PER_GATEWAY_AND_REGION = 1000

#: How a fleet's own gateway may be called in the file: the name of its stack has it.
NAME_OF_GATEWAY = r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?"

NAME_OF_RING = r"[a-z]([-a-z0-9]{0,28}[a-z0-9])?"
_FLEET, _PULUMI = r"[a-z][a-z0-9]{0,19}", r"[-\w.]+"

#: Settings that no two clusters share.
OF_ONE_CLUSTER = ("clusterId", "kubeContext", "name", "stack")

#: Other words for keys of a cluster: what to write is said for them, and columns of a CSV file may have them.
OTHER_WORDS = {
    "region": "location",
    "group": "resourceGroup",
    "subscription": "subscriptionId",
    "context": "kubeContext",
    "kubecontext": "kubeContext",
}


def _in_words(pattern: str, words: str) -> AfterValidator:
    """For a text of a form that an error can put into words."""

    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(f"{value[:80]!r} cannot be used: {words}")
        return value

    return AfterValidator(check)


def _shown(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


def _pause(value: str) -> str:
    if value != "0" and seconds(value) is None:
        raise ValueError(f"{value!r} is no span of time: give one like 90s, 10m or 2h")
    return value


def _used_gateway(value: Any) -> Any:
    if not isinstance(value, str) and value is not False:
        raise ValueError("has to be the name of one of the file's gateways, or false for a cluster without one")
    return value


_Pause = Annotated[str, AfterValidator(_pause)]
_UsedGateway = Annotated[
    Any,
    AfterValidator(_used_gateway),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"const": False}]}),
]
_Number = Annotated[int, Field(strict=True, ge=1, le=9999)]
_FleetName = Annotated[str, _in_words(_FLEET, "small letters and digits, a letter first, at most 20"), _shown(_FLEET)]
_RingName = Annotated[
    str, _in_words(NAME_OF_RING, "small letters, digits and hyphens, a letter first, at most 30"), _shown(NAME_OF_RING)
]
_PulumiName = Annotated[str, _in_words(_PULUMI, "letters, digits, -, _ and ."), _shown(_PULUMI)]
_ClusterName = Annotated[
    str,
    _in_words(ConnectedClusterId.name_pattern, "letters, digits, -, _ and ., at most 63"),
    _shown(ConnectedClusterId.name_pattern),
]


class FleetOwnGateway(OwnGateway):
    """A gateway of the fleet: it has a stack of its own, whose output the stacks of clusters take."""

    noun = "a gateway of the fleet's own"

    name: str = ""
    """Name of the gateway in Azure; its key when not given."""
    subscription_id: Guid | None = None
    """Subscription that holds the gateway; the first of `subscriptions` when not given."""
    regions: list[str] = []
    """Regions whose clusters use it where they name none; of any region when not given."""


class FleetExistingGateway(ExistingGateway):
    """A gateway that exists and is not the fleet's: it is read, and neither changed nor deleted."""

    regions: list[str] = []
    """Regions whose clusters use it where they name none; of any region when not given."""


class FleetGatewayOfStack(GatewayOfStack):
    """The gateway of a stack outside the fleet, which has it as its output `gateway`, with its `id`."""

    regions: list[str] = []
    """Regions whose clusters use it where they name none; of any region when not given."""


class Place(Model):
    """Where in the fleet a cluster is."""

    ring: str
    """Name of the ring that it is deployed in."""
    stack: _Number = 1
    """Which of the stacks of its ring and region it is in; one that is moved to another is disconnected first."""
    gateway: _UsedGateway = ""
    """Key in `gateways` of the gateway that it uses, by default the first that serves its region; false for none."""


class FleetOnboardedCluster(Place, OnboardedCluster):
    """A cluster that its stack onboards, and disconnects when it is removed."""

    name: _ClusterName | None = None
    """Name of the connected cluster in Azure; its key when not given."""


class FleetExistingCluster(Place, ExistingCluster):
    """A connected cluster that exists, by its name. Removing it disables the gateway; the cluster stays."""

    location: str
    name: _ClusterName | None = None
    """Name of the connected cluster in Azure; its key when not given."""


class FleetExistingClusterById(Place, ExistingClusterById):
    """A connected cluster that exists, by its id. Removing it disables the gateway; the cluster stays."""

    location: str


class RingGate(Model):
    """What a ring has to show before the next one begins."""

    noun = "a gate"

    preflight: bool = True
    """Whether the preflight of every cluster of the ring has to pass."""
    connected: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The least share of the ring's clusters that Azure has to show as connected, from 0 to 1."""
    pause: _Pause = "0"
    """How long to wait after that, for example 30m or 2h."""


class FleetRing(Model):
    """A part of the fleet that is deployed together."""

    noun = "a ring"

    name: _RingName
    """The ring's name, in small letters, digits and hyphens; the names of its stacks have it."""
    gate: RingGate = Field(default_factory=RingGate)
    """What it has to show before the next ring begins."""


FleetGateway = Annotated[
    Annotated[FleetOwnGateway, Tag("own")]
    | Annotated[FleetExistingGateway, Tag("id")]
    | Annotated[FleetGatewayOfStack, Tag("stack")],
    Discriminator(gateway_form),
]
FleetCluster = Annotated[
    Annotated[FleetOnboardedCluster, Tag("onboarded")]
    | Annotated[FleetExistingCluster, Tag("existing")]
    | Annotated[FleetExistingClusterById, Tag("by id")],
    Discriminator(cluster_form),
]

GATEWAY_FORMS: Mapping[str, type[Model]] = {
    "own": FleetOwnGateway,
    "id": FleetExistingGateway,
    "stack": FleetGatewayOfStack,
}
CLUSTER_FORMS: Mapping[str, type[Model]] = {
    "onboarded": FleetOnboardedCluster,
    "existing": FleetExistingCluster,
    "by id": FleetExistingClusterById,
}


class FleetFile(Model):
    """A fleet: many clusters in stacks of modest size, deployed ring by ring."""

    noun = "a fleet"

    name: _FleetName
    """The fleet's name, in small letters and digits; the names of all its stacks begin with it."""
    organization: _PulumiName = "organization"
    """The organization of its stacks in Pulumi Cloud; other backends have the one that is called `organization`."""
    project: _PulumiName = "arc-gateway"
    """The Pulumi project of its stacks."""
    clusters_per_stack: Annotated[int, Field(strict=True, ge=1, le=1000)] = CLUSTERS_PER_STACK
    """How many clusters a stack takes."""
    regions: list[str] = []
    """Azure regions that have opened since this program's list was made, as names like `eastus`."""
    subscriptions: list[Guid] = []
    """Subscriptions that the fleet's own gateways are spread over."""
    rings: Annotated[list[FleetRing], Field(min_length=1)]
    """The rings, in the order in which they are deployed."""
    gateways: Annotated[dict[str, FleetGateway], Field(min_length=1)]
    """The gateways, by names of your choice."""
    proxies: dict[str, Proxy] = {}
    """Enterprise proxies by names of your choice."""
    defaults: dict[str, Any] = {}
    """Settings of every cluster that has none of its own under the same key."""
    clusters: dict[str, FleetCluster]
    """Clusters by names of your choice, which are also their names in Azure and in the kubeconfig where nothing else
    is said."""
    allowlist: Allowlist = Field(default_factory=Allowlist)
    """What the allowlists of the stacks' outputs take into account."""
    preflight: Preflight = Field(default_factory=Preflight)
    """How much the look at the endpoints decides."""
    drift: Literal["require", "warn", "off"] | None = None


def serving(region: str, listed: Mapping[str, Sequence[str]]) -> list[str]:
    """The gateways that serve a region: first those that list it, then those that list none.

    Args:
        region: its name.
        listed: the regions that each gateway lists, in the file's order.
    """
    return [key for key, names in listed.items() if region in names] + [
        key for key, names in listed.items() if not names
    ]


def owner(location: tuple[int | str, ...]) -> tuple[tuple[int | str, ...], type[Model]]:
    """Where an error in a `FleetFile` is, without the tag of a form that pydantic puts in, and the model it is in."""
    forms = {"gateways": GATEWAY_FORMS, "clusters": CLUSTER_FORMS}.get(str(location[0]), {})
    if forms and len(location) > 2:
        return (*location[:2], *location[3:]), forms[str(location[2])]
    if location[0] == "rings" and len(location) > 2:
        return location, RingGate if len(location) > 3 else FleetRing
    if location[:2] == ("preflight", "exceptions") and len(location) > 3:
        return location, PreflightException
    owners: dict[str, type[Model]] = {"proxies": Proxy, "allowlist": Allowlist, "preflight": Preflight}
    return location, owners.get(str(location[0]), FleetFile) if len(location) > 1 else FleetFile
