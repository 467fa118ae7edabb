"""The table of resource types: what versions, places and names each has, and what is its own in its life.

A type that is not in the table is stored and returned as it comes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.azure import clusters, gateways, scopes
from sandbox.azure.core import Azure, Call, Reply
from sandbox.azure.ids import MAX_NAME, Target
from sandbox.azure.store import Json

#: Regions of the sandbox's providers: name and display name.
LOCATIONS = {
    "eastus": "East US",
    "eastus2": "East US 2",
    "westus": "West US",
    "westus2": "West US 2",
    "westus3": "West US 3",
    "centralus": "Central US",
    "westcentralus": "West Central US",
    "southcentralus": "South Central US",
    "canadacentral": "Canada Central",
    "westeurope": "West Europe",
    "northeurope": "North Europe",
    "uksouth": "UK South",
    "francecentral": "France Central",
    "swedencentral": "Sweden Central",
    "germanywestcentral": "Germany West Central",
    "australiaeast": "Australia East",
    "japaneast": "Japan East",
    "southeastasia": "Southeast Asia",
    "eastasia": "East Asia",
    "koreacentral": "Korea Central",
    "centralindia": "Central India",
}

#: Of azure-native 3.29.0's list of versions and of the published specifications.
GATEWAY_VERSIONS = (
    "2024-03-31-preview",
    "2024-05-20-preview",
    "2024-07-31-preview",
    "2024-09-10-preview",
    "2024-11-10-preview",
    "2025-01-13",
    "2025-02-19-preview",
    "2025-06-01",
    "2025-08-21-preview",
    "2025-09-16-preview",
    "2026-02-12-preview",
    "2026-06-04-preview",
    "2026-06-16-preview",
    "2026-07-15",
)
SCOPE_VERSIONS = ("2022-03-10", "2022-11-10", "2022-12-27", "2023-10-03-preview", "2024-07-10", *GATEWAY_VERSIONS)
CLUSTER_VERSIONS = (
    "2021-04-01-preview",
    "2021-10-01",
    "2022-05-01-preview",
    "2022-10-01-preview",
    "2023-11-01-preview",
    "2024-01-01",
    "2024-02-01-preview",
    "2024-06-01-preview",
    "2024-07-01-preview",
    "2024-07-15-preview",
    "2024-12-01-preview",
    "2025-08-01-preview",
    "2025-12-01-preview",
    "2026-02-01-preview",
    "2026-05-01",
)
AUTHORIZATION_VERSIONS = (
    "2015-07-01",
    "2018-01-01-preview",
    "2018-07-01",
    "2020-04-01-preview",
    "2020-08-01-preview",
    "2020-10-01-preview",
    "2022-04-01",
    "2022-05-01-preview",
)


def _as_it_comes(azure: Azure, call: Call, target: Target, old: Json | None) -> Json:
    given = dict(call.properties)
    return {**old["properties"], **given} if old and call.method == "PATCH" else given


def _nothing(document: Json) -> None:
    return None


def _whole(azure: Azure, document: Json, version: str) -> Json:
    return document


@dataclass(frozen=True)
class ResourceType:
    """One type.

    Attributes:
        name: namespace and type, in ARM's own case.
        versions: supported `api-version`s; none means any well-formed one.
        locations: regions; none means that the type is not checked against regions.
        pattern: of its names; `longest`: their greatest length.
        tracked: whether ARM lists it among a group's resources and it must have a location.
        anywhere: whether it may hang under any resource.
        durations: seconds that "create", "update" and "delete" take; what is missing is done at once.
        states: provisioning states while each of those goes on; none means that the type shows no state.
        properties: checks a PUT or a PATCH and makes the properties to store (before an operation ends).
        complete: what the end of a creation or update adds.
        view: the document as a version shows it.
        statuses: of "create", "update" and "delete" that are done at once, where they are not 201, 200 and 200.
        patched_later: the first version in which a PATCH is an operation, answered with 202; none for 200 at once.
        etags: whether it has etags, which If-Match and If-None-Match are compared with.
        signed: whether it carries `systemData`.
        identity: whether a system-assigned identity is given ids.
        verbs: handlers in place of the usual ones: "PUT", "GET", "DELETE", "PATCH", "LIST".
        actions: POST verbs by lower-cased name.
        lacks: usual verbs that it does not take.
        unset: the document that is read where none was stored (a settings object).
    """

    name: str
    versions: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    longest: int = MAX_NAME
    tracked: bool = False
    anywhere: bool = False
    durations: Mapping[str, float] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    properties: Callable[[Azure, Call, Target, Json | None], Json] = _as_it_comes
    complete: Callable[[Json], None] = _nothing
    view: Callable[[Azure, Json, str], Json] = _whole
    statuses: Mapping[str, int] = field(default_factory=dict)
    patched_later: str = ""
    etags: bool = False
    signed: bool = True
    identity: bool = False
    verbs: Mapping[str, Callable[[Azure, Call, Target], Reply]] = field(default_factory=dict)
    actions: Mapping[str, Callable[[Azure, Call, Json], Reply]] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    unset: Callable[[Azure, Target], Json | None] | None = None

    @property
    def namespace(self) -> str:
        """The provider."""
        return self.name.split("/")[0]

    @property
    def short(self) -> str:
        """The type without its provider."""
        return self.name.split("/", 1)[1]


#: Hybrid Compute's and Kubernetes' patterns, of the published specifications.
_COMPUTE_NAME = re.compile(r"[-\w.]+", re.ASCII)
_CLUSTER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]*")

_TABLE = (
    ResourceType(
        "Microsoft.HybridCompute/gateways",
        versions=GATEWAY_VERSIONS,
        locations=tuple(LOCATIONS),
        pattern=_COMPUTE_NAME,
        longest=54,
        tracked=True,
        # Ten minutes in life.
        durations={"create": 0.9, "delete": 0.9},
        states={"create": "Creating", "update": "Updating", "delete": "Deleting"},
        statuses={"delete": 204},
        properties=gateways.properties,
        complete=gateways.complete,
    ),
    ResourceType(
        "Microsoft.HybridCompute/settings",
        versions=GATEWAY_VERSIONS,
        pattern=re.compile("default", re.IGNORECASE),
        anywhere=True,
        properties=gateways.association,
        unset=gateways.no_association,
    ),
    ResourceType(
        "Microsoft.HybridCompute/privateLinkScopes",
        versions=SCOPE_VERSIONS,
        locations=tuple(LOCATIONS),
        pattern=_COMPUTE_NAME,
        longest=255,
        tracked=True,
        properties=scopes.properties,
        view=scopes.view,
    ),
    ResourceType(
        scopes.CONNECTIONS,
        versions=SCOPE_VERSIONS,
        pattern=_COMPUTE_NAME,
        states={"create": "Succeeded", "update": "Updating", "delete": "Deleting"},
        properties=scopes.connection,
        lacks=("PATCH",),
        # In life an endpoint has made it before anybody writes to it.
        statuses={"create": 200},
    ),
    ResourceType(
        scopes.RESOURCES,
        versions=SCOPE_VERSIONS,
        lacks=("HEAD", "PUT", "PATCH", "DELETE"),
        verbs={"GET": scopes.get_resource, "LIST": scopes.list_resources},
    ),
    ResourceType(
        "Microsoft.Kubernetes/connectedClusters",
        versions=CLUSTER_VERSIONS,
        locations=tuple(LOCATIONS),
        pattern=_CLUSTER_NAME,
        longest=63,
        tracked=True,
        states={"create": "Accepted", "update": "Updating", "delete": "Deleting"},
        properties=clusters.properties,
        complete=clusters.complete,
        view=clusters.view,
        patched_later="2025-12-01",
        identity=True,
        actions={"listclusterusercredential": clusters.credential},
    ),
)

_TYPES = {kind.name.lower(): kind for kind in _TABLE}


def register(kind: ResourceType) -> None:
    """Add a type to the table; for parts that themselves need the table."""
    _TYPES[kind.name.lower()] = kind


def of(name: str) -> ResourceType:
    """The type by its name in any case; one that keeps what it is given where the table has none."""
    return _TYPES.get(name.lower()) or ResourceType(name, tracked=name.count("/") == 1, anywhere=True, etags=True)


def types() -> list[ResourceType]:
    """All types of the table."""
    return [*_TYPES.values()]


def in_namespace(namespace: str) -> list[ResourceType]:
    """The table's types of one provider."""
    return [kind for kind in _TYPES.values() if kind.namespace.lower() == namespace.lower()]
