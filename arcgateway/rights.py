"""Which rights in Azure the verbs need, who gives them, and whether a caller has them: data and pure decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Right:
    """One thing that is done to Azure.

    Attributes:
        actions: of Azure's role definitions; any one of them suffices. More than one where the documents and the roles
            of Azure differ on what it asks for.
        source: what shows that it is needed.
    """

    actions: tuple[str, ...]
    source: str


# Seen: what the unmodified client of connectedk8s 1.11.2 sent. Page: learn.microsoft.com/azure/azure-arc/kubernetes/
# arc-gateway-simplify-networking. Role: Azure's built-in role "Arc Gateway Manager" of 2025-05-12.
_READ_CLUSTER = Right(("Microsoft.Kubernetes/connectedClusters/read",), "seen: every command begins with GET")
_WRITE_CLUSTER = Right(("Microsoft.Kubernetes/connectedClusters/write",), "seen: PUT by connect and by update")
_DELETE_CLUSTER = Right(("Microsoft.Kubernetes/connectedClusters/delete",), "seen: DELETE by delete")
_READ_GROUP = Right(("Microsoft.Resources/subscriptions/resourceGroups/read",), "seen: HEAD by connect")
_READ_SETTING = Right(("Microsoft.HybridCompute/settings/read",), "role; the driver's own look")
_WRITE_SETTING = Right(
    ("Microsoft.Kubernetes/connectedClusters/settings/default/write", "Microsoft.HybridCompute/settings/write"),
    "page names the first, role the second; seen: PUT by connect and by update",
)
_WRITE_GATEWAY = Right(("Microsoft.HybridCompute/gateways/write",), "page, role; seen: PUT by `az arcgateway create`")
_DELETE_GATEWAY = Right(("Microsoft.HybridCompute/gateways/delete",), "role; seen: DELETE by `az arcgateway delete`")

#: To associate a cluster; at the gateway, which may stand elsewhere.
READ_GATEWAY = Right(("Microsoft.HybridCompute/gateways/read",), "page, role; the driver's own look")
#: To create the resource group, which `az connectedk8s connect` does where it is missing; at the subscription.
CREATE_GROUP = Right(("Microsoft.Resources/subscriptions/resourceGroups/write",), "seen: PUT by connect")

#: At the cluster, or at its group before it is there: to onboard, to change, to take away, to associate.
ONBOARD = (_READ_GROUP, _READ_CLUSTER, _WRITE_CLUSTER)
UPDATE = (_READ_CLUSTER, _WRITE_CLUSTER)
DISCONNECT = (_READ_CLUSTER, _DELETE_CLUSTER)
ASSOCIATE = (_READ_CLUSTER, _WRITE_CLUSTER, _READ_SETTING, _WRITE_SETTING)


def _all(*rights: Right) -> tuple[str, ...]:
    return tuple(dict.fromkeys(action for right in rights for action in right.actions))


#: The same as lists of actions for a role, with reading the gateway, which may stand elsewhere than the cluster.
ONBOARD_ACTIONS = _all(*ONBOARD)
DISCONNECT_ACTIONS = _all(*DISCONNECT)
ASSOCIATE_ACTIONS = _all(READ_GATEWAY, *ASSOCIATE)
#: To create, change and delete gateways.
GATEWAY_ACTIONS = _all(READ_GATEWAY, _WRITE_GATEWAY, _DELETE_GATEWAY)

#: Azure's built-in roles that give some of these rights and little else (learn.microsoft.com/azure/role-based-access-
#: control/built-in-roles, 2025-05), by name.
BUILT_IN_ROLES = {
    "Kubernetes Cluster - Azure Arc Onboarding": (
        "Microsoft.Resources/subscriptions/resourceGroups/read",
        "Microsoft.Kubernetes/connectedClusters/read",
        "Microsoft.Kubernetes/connectedClusters/write",
    ),
    "Arc Gateway Manager": (
        "Microsoft.Resources/subscriptions/resourceGroups/read",
        "Microsoft.HybridCompute/settings/read",
        "Microsoft.HybridCompute/settings/write",
        "Microsoft.HybridCompute/gateways/read",
        "Microsoft.HybridCompute/gateways/write",
        "Microsoft.HybridCompute/gateways/delete",
    ),
}


def missing(needed: Iterable[Right], held: Iterable[Mapping[str, Any]]) -> tuple[Right, ...]:
    """The rights that a caller lacks.

    Args:
        needed: in the order in which they are to be told.
        held: the caller's permissions in a scope, as Azure's permissions API lists them. One that a role takes away by
            `notActions` may still be given by another.
    """
    roles = tuple(held)
    return tuple(
        right
        for right in dict.fromkeys(needed)
        if not any(_gives(role, action) for role in roles for action in right.actions)
    )


def roles_for(lacking: Iterable[Right]) -> tuple[str, ...] | None:
    """The fewest built-in roles that together give all these rights; None where they do not."""
    left, chosen = set(lacking), []
    for name, actions in BUILT_IN_ROLES.items():
        given = {right for right in left if set(right.actions) & set(actions)}
        if given:
            chosen.append(name)
            left -= given
    return tuple(chosen) if not left else None


def matches(pattern: str, action: str) -> bool:
    """Whether an action fits a role's pattern: without regard to case, `*` for any characters."""
    head, *others = pattern.lower().split("*")
    action = action.lower()
    if not others:
        return action == head
    *parts, tail = others
    start, end = len(head), len(action) - len(tail)
    if start > end or not (action.startswith(head) and action.endswith(tail)):
        return False
    for part in parts:
        found = action.find(part, start, end)
        if found < 0:
            return False
        start = found + len(part)
    return True


def _gives(role: Mapping[str, Any], action: str) -> bool:
    return _fits(role.get("actions"), action) and not _fits(role.get("notActions"), action)


def _fits(patterns: Iterable[str] | None, action: str) -> bool:
    return any(matches(pattern, action) for pattern in patterns or ())
