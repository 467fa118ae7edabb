"""Rule `least-privilege`: whoever works on Arc gateways needs a few actions of Azure and no more; it only advises."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple

from arcgateway import rights

from . import shell
from .reading import Node, plain
from .rule import OPEN, Check, Finding, Grade, Level, Rule
from .settings import Settings
from .tokens import Subject

_GATEWAY_ACTION = re.compile(
    r"microsoft\.hybridcompute/(?:gateways|settings)\b|microsoft\.kubernetes/connectedclusters/settings\b", re.I
)
_GATEWAY_SCOPE = re.compile(
    r"microsoft\.hybridcompute/(?:gateways|settings)\b|microsoft\.kubernetes/connectedclusters\b", re.I
)
_GATEWAY_WORDS = re.compile(r"(?<![a-z])arc[\s_-]*gateway", re.I)
_MAKE_GATEWAY = "Microsoft.HybridCompute/gateways/write"
#: The tenant's root, or a management group.
_ABOVE_SUBSCRIPTIONS = re.compile(r"^/$|microsoft\.management/managementgroups\b", re.I)
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)

#: Azure's built-in roles by their ids: those that open everything, and those made for this work.
_FAR_REACHING = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
}
_MADE_FOR_IT = {
    "f6e92014-8af2-414d-9948-9b1abf559285": "Arc Gateway Manager",
    "34e09817-6cbe-4d01-b1a2-e0eac5743d41": "Kubernetes Cluster - Azure Arc Onboarding",
}


class _Power(NamedTuple):
    """More than work on gateways needs: what it is, and actions of which any one shows that a role gives it."""

    what: str
    actions: tuple[str, ...]


def _whole(provider: str) -> tuple[str, ...]:
    """Actions on a resource type that no provider has: only what is meant for all of its types gives them."""
    return tuple(f"{provider}/anyTypeAtAll/{verb}" for verb in ("write", "delete", "run/action"))


# The worst first: of one entry only the first is told.
_POWERS = (
    _Power("rights over every service of Azure", _whole("Microsoft.AnyProviderAtAll")),
    _Power(
        "the right to hand out rights",
        (
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.Authorization/roleDefinitions/write",
            "Microsoft.Authorization/elevateAccess/action",
        ),
    ),
    _Power(
        "rights over Arc-enabled servers or Arc's private link",
        (
            "Microsoft.HybridCompute/machines/delete",
            "Microsoft.HybridCompute/machines/extensions/write",
            "Microsoft.HybridCompute/machines/runCommands/write",
            "Microsoft.HybridCompute/privateLinkScopes/write",
        ),
    ),
    _Power(
        "the right to reach or change what runs inside clusters",
        (
            "Microsoft.Kubernetes/connectedClusters/listClusterUserCredential/action",
            "Microsoft.KubernetesConfiguration/extensions/write",
            "Microsoft.KubernetesConfiguration/fluxConfigurations/write",
        ),
    ),
)
#: Azure's own roles carry it everywhere: to ask Microsoft for help.
_HARMLESS_PROVIDERS = frozenset({"microsoft.support"})

_NARROW = (
    "Name single actions, or use the built-in role Arc Gateway Manager or this project's component "
    "GatewayOperatorRole, which give just what the work needs."
)
_CLOSER = "Name the resource groups or the subscription that hold the gateways and clusters instead."
_LOOK = "Look that it gives only what the work on gateways needs."


class _Taken:
    """What a role takes away again, found by provider: large roles are to cost no more than they are large."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._anywhere: list[str] = []
        self._by_provider: dict[str, list[str]] = {}
        for pattern in patterns:
            provider = _provider(pattern)
            where = self._anywhere if "*" in provider else self._by_provider.setdefault(provider, [])
            where.append(pattern)

    def leaves(self, action: str) -> bool:
        own = self._by_provider.get(_provider(action), ())
        return not any(rights.matches(pattern, action) for pattern in (*self._anywhere, *own))

    def left_of(self, power: _Power) -> _Power:
        return _Power(power.what, tuple(filter(self.leaves, power.actions)))


def _provider(action: str) -> str:
    return action.partition("/")[0].lower()


def _worst(pattern: str, powers: Iterable[_Power], taken: _Taken) -> str:
    """The worst that an entry of a role's actions gives; "" for nothing unneeded."""
    if pattern.lower().endswith("/read"):
        return ""
    for power in powers:
        if any(rights.matches(pattern, action) for action in power.actions):
            return power.what
    provider = _provider(pattern)
    whole = _Power("rights over all that a provider of Azure has", _whole(provider))
    given = any(rights.matches(pattern, action) and taken.leaves(action) for action in whole.actions)
    return whole.what if given and provider not in _HARMLESS_PROVIDERS else ""


def _unread(node: Node) -> bool:
    return node.open or shell.OPEN in node.text


def _permissions(role: Node) -> list[Node]:
    """A role's permissions; `az` takes them without that level, too."""
    permissions = role.field("permissions")
    return [role] if permissions.value is None else permissions.each()


def _is_for_gateways(role: Node, name: str) -> bool:
    """Whether a role calls itself so, names gateway actions, or gives them to someone who works with Arc's clusters."""
    words = (name, role.field("roleName", "name").text, role.field("description").text)
    if any(_GATEWAY_WORDS.search(text) for text in words):
        return True
    actions = [action.text for permission in _permissions(role) for action in permission.field("actions").each()]
    if any(_GATEWAY_ACTION.match(action) for action in actions):
        return True
    on_clusters = any(action.lower().startswith("microsoft.kubernetes/connectedclusters/") for action in actions)
    return on_clusters and any(
        action.lower().startswith("microsoft.hybridcompute/") and rights.matches(action, _MAKE_GATEWAY)
        for action in actions
    )


def _definition(subject: Subject, _: Settings) -> Iterator[Finding]:
    role, resource = subject.node, subject.resource
    if not _is_for_gateways(role, resource.name if resource else ""):
        # What a command reads from a file is often written by the same command.
        if role.field("permissions").open and resource and _mentions_gateways(Node(plain(resource.props))):
            yield Finding(OPEN, role.field("permissions").path, "makes a role that cannot be read here", _LOOK)
        return
    for permission in _permissions(role):
        yield from _allowed(permission)
    # The classic provider takes the scope of the definition where no other is named.
    scopes = role.field("assignableScopes")
    for scope in (role.field("scope") if scopes.value is None else scopes).each():
        if _ABOVE_SUBSCRIPTIONS.search(scope.text):
            yield Finding(
                "scope", scope.path, "lets a role for Arc gateways be assigned above single subscriptions", _CLOSER
            )


def _mentions_gateways(props: Node) -> bool:
    return any(_GATEWAY_ACTION.search(node.text) for node in props.walk())


def _allowed(permission: Node) -> Iterator[Finding]:
    if permission.open:
        yield Finding(OPEN, permission.path, "is what a role for Arc gateways gives, which is not known yet", _LOOK)
        return
    exceptions = permission.field("notActions").each()
    exceptions_open = any(_unread(entry) for entry in exceptions)
    taken = _Taken(entry.text for entry in exceptions if entry.text)
    powers = tuple(map(taken.left_of, _POWERS))
    for action in permission.field("actions").each():
        power = _worst(action.text, powers, taken)
        if _unread(action):
            yield Finding(OPEN, action.path, "is an action of a role for Arc gateways that is not known yet", _LOOK)
        elif power and exceptions_open:
            yield Finding(OPEN, action.path, f"gives {power}, unless notActions, not known yet, takes it away", _NARROW)
        elif power:
            yield Finding("role", action.path, f"gives {power}, more than work on Arc gateways needs", _NARROW)
    kept = [entry.text for entry in permission.field("notDataActions").each() if entry.text]
    for action in permission.field("dataActions").each():
        reads_one_thing = action.text.lower().endswith("/read") and "*" not in action.text
        if action.text and not reads_one_thing and not any(rights.matches(entry, action.text) for entry in kept):
            problem = "gives access to data within services, which work on Arc gateways does not need"
            yield Finding("role", action.path, problem, _NARROW)


def _one_of(roles: dict[str, str], role: Node) -> str:
    """The name of that of these built-in roles which is given by id (in whatever address) or by name."""
    by_id = (roles.get(guid.lower(), "") for guid in _GUID.findall(role.text))
    by_name = (name for name in roles.values() if name.lower() == role.text.lower())
    return next(filter(None, (*by_id, *by_name)), "")


def _scopes(node: Node) -> list[Node]:
    """Where an assignment holds, in the terms of each form that can say it."""
    place = node.field("scope", "parentId", "id")
    if place.value is not None:
        return place.each()
    parent = node.get("parentResourcePath")
    if parent.open:
        return [parent]
    if parent.text:
        return [Node(f"{node.get('resourceProviderNamespace').text}/{parent.text}", parent.path)]
    # As the child of another resource in a template: Microsoft.Kubernetes/connectedClusters/providers/roleAssignments.
    return [node.get("type")]


def _assignment(subject: Subject, _: Settings) -> Iterator[Finding]:
    node = subject.node
    role, scopes = node.field("roleDefinitionId", "roleDefinitionName"), _scopes(node)
    near = any(_GATEWAY_SCOPE.search(scope.text) for scope in scopes)
    if name := _one_of(_FAR_REACHING, role):
        said = (node.field("description").text, subject.resource.name if subject.resource else "")
        if near:
            yield Finding("assignment", role.path, f"gives {name} on an Arc gateway or a connected cluster", _NARROW)
        elif any(_GATEWAY_WORDS.search(text) for text in said):
            yield Finding("assignment", role.path, f"gives {name} for work on Arc gateways", _NARROW)
        elif any(_unread(scope) for scope in scopes):
            yield Finding(OPEN, role.path, f"gives {name}, and the scope is not known yet", _NARROW)
    elif _one_of(_MADE_FOR_IT, role):
        for scope in scopes:
            if _ABOVE_SUBSCRIPTIONS.search(scope.text):
                yield Finding("scope", scope.path, "gives a role for Arc gateways above single subscriptions", _CLOSER)
    elif near and (_unread(role) or (role.text.startswith("[") and not _GUID.search(role.text))):
        problem = "is a role on an Arc gateway or a connected cluster that is not known yet"
        yield Finding(OPEN, role.path, problem, _LOOK)


def _component(subject: Subject, _: Settings) -> Iterator[Finding]:
    scope = subject.node.get("scope")
    if _ABOVE_SUBSCRIPTIONS.search(scope.text):
        yield Finding("scope", scope.path, "gives a role for Arc gateways above single subscriptions", _CLOSER)


def _assigns(token: str) -> bool:
    return token.startswith("azure-native:") and token.endswith(":roleassignment")


_SEED = (
    "learn.microsoft.com/azure/azure-arc/kubernetes/arc-gateway-simplify-networking: three actions; arcgateway/rights"
)
_ROLES = "learn.microsoft.com/azure/role-based-access-control/built-in-roles and best-practices"
_CHECKED = date(2026, 8, 20)

RULE = Rule(
    name="least-privilege",
    description="Work on Arc gateways with no more rights than it needs.",
    why=(
        "Creating gateways and associating clusters takes a handful of Azure's actions; whoever gets hold of an "
        "account with more can change or read far more than gateways."
    ),
    grades={
        "role": Grade(
            "a custom role for gateways with rights over other things: `*`, whole providers, handing out rights, "
            "servers, the inside of clusters, data",
            Level.ADVISORY,
            Level.ADVISORY,
            _SEED,
            _CHECKED,
        ),
        "scope": Grade(
            "a role for gateways at a management group or the tenant's root",
            Level.ADVISORY,
            Level.ADVISORY,
            _ROLES,
            _CHECKED,
        ),
        "assignment": Grade(
            "Owner, Contributor, User Access Administrator or Role Based Access Control Administrator on a gateway or "
            "a connected cluster, or said to be for Arc gateways",
            Level.ADVISORY,
            Level.ADVISORY,
            _ROLES,
            _CHECKED,
        ),
    },
    checks=(
        Check(
            "definition",
            "role definitions that name gateway actions or call themselves Arc gateway: azure-native, classic, "
            "generic, azapi, in templates, `az role definition`, PowerShell",
            _definition,
            frozenset({"azure-native:authorization:roledefinition"}),
            grades=("role", "scope", OPEN),
        ),
        Check(
            "assignment",
            "role assignments, lasting or eligible, in the same forms; `az ad sp create-for-rbac`",
            _assignment,
            matches=_assigns,
            grades=("assignment", "scope", OPEN),
        ),
        Check(
            "component",
            "this project's GatewayOperatorRole",
            _component,
            frozenset({"arc-gateway:index:gatewayoperatorrole"}),
            grades=("scope",),
        ),
    ),
)
