"""Microsoft.Authorization: role definitions, role assignments, permissions, and the refusals of who has none.

The sandbox's own service principal owns its subscription. Any other has the roles that are assigned to it, at a scope
and below it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

from sandbox.azure import ids, principals
from sandbox.azure.catalogue import AUTHORIZATION_VERSIONS, ResourceType
from sandbox.azure.core import Azure, Call, Principal, Reply, Shape, conform, expect, stamp
from sandbox.azure.errors import ArmError, invalid_content, unauthorized
from sandbox.azure.ids import Target
from sandbox.azure.store import Json

DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"

#: Built-in roles: name, description, actions, what is taken away.
BUILT_IN = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": ("Owner", "Grants full access to manage all resources.", ("*",), ()),
    "b24988ac-6180-42a0-ab88-20f7382dd24c": (
        "Contributor",
        "Grants full access to manage all resources, but does not allow you to assign roles.",
        ("*",),
        ("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"),
    ),
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": (
        "Reader",
        "View all resources, but does not allow changes.",
        ("*/read",),
        (),
    ),
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": (
        "User Access Administrator",
        "Lets you manage user access to Azure resources.",
        ("*/read", "Microsoft.Authorization/*"),
        (),
    ),
    "34e09817-6cbe-4d01-b1a2-e0eac5743d41": (
        "Kubernetes Cluster - Azure Arc Onboarding",
        "Role definition to authorize any user/service to create connectedClusters resource.",
        (
            "Microsoft.Authorization/*/read",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Resources/deployments/write",
            "Microsoft.Resources/subscriptions/operationresults/read",
            "Microsoft.Resources/subscriptions/read",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Kubernetes/connectedClusters/Write",
            "Microsoft.Kubernetes/connectedClusters/read",
            "Microsoft.Support/*",
        ),
        (),
    ),
    "f6e92014-8af2-414d-9948-9b1abf559285": (
        "Arc Gateway Manager",
        "Manage Arc Gateway Resources",
        (
            "Microsoft.HybridCompute/settings/write",
            "Microsoft.HybridCompute/settings/read",
            "Microsoft.HybridCompute/gateways/read",
            "Microsoft.HybridCompute/gateways/write",
            "Microsoft.HybridCompute/gateways/delete",
            "Microsoft.Authorization/*/read",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ),
        (),
    ),
}
#: What anybody may read who has any role: what a subscription is, and how operations go.
_OPEN = re.compile(
    r"Microsoft\.Resources/subscriptions(/(providers|locations|operationresults))?/read"
    r"|[^/]+/locations/operation(status|statuses|results)/read",
    re.IGNORECASE,
)
#: Actions that are documented for the same thing as another.
_ALSO = {
    "microsoft.hybridcompute/settings/write": ("Microsoft.Kubernetes/connectedClusters/settings/default/write",),
}
_PARTS = ("actions", "notActions", "dataActions", "notDataActions")
#: What a client sends for each type.
_DEFINITION: Shape = {
    "roleName": str,
    "description": str,
    "assignableScopes": [str],
    "permissions": [{part: [str] for part in _PARTS}],
}
_ASSIGNMENT: Shape = dict.fromkeys(
    ("principalId", "roleDefinitionId", "principalType", "description", "condition", "conditionVersion"), str
)
_FILTER = re.compile(r"(\w+)\s+eq\s+'([^']*)'|(atScope|assignedTo|asTarget)\(([^)]*)\)", re.IGNORECASE)


def permissions(azure: Azure, call: Call, target: Target) -> Reply:
    """What the caller may do in a scope: a permission for each role."""
    return Reply(200, {"value": held(azure, call.principal, target.scope)})


def authorize(azure: Azure, call: Call, action: str, scope: str) -> None:
    """Refuse a caller whose roles do not allow an action.

    Raises:
        ArmError: 403.
    """
    who = call.principal
    if principals.owns(azure, who.app_id) or not scope.lower().startswith("/subscriptions/"):
        return
    if _OPEN.fullmatch(action) and _assigned(azure, who):
        return
    wanted = (action, *_ALSO.get(action.lower(), ()))
    if not any(_allows(right, one) for right in held(azure, who, scope) for one in wanted):
        raise unauthorized(who.app_id, who.object_id, action, scope)


def held(azure: Azure, who: Principal, scope: str) -> list[Json]:
    """The permissions of a caller's roles at a scope and above it."""
    if principals.owns(azure, who.app_id):
        return [{"actions": ["*"], "notActions": [], "dataActions": ["*"], "notDataActions": []}]
    below = scope.lower().rstrip("/") + "/"
    rights: list[Json] = []
    for one in _assigned(azure, who):
        role = _role(azure, one["roleDefinitionId"].rsplit("/", 1)[-1])
        if role and below.startswith(one["scope"].lower().rstrip("/") + "/"):
            rights += role["properties"]["permissions"]
    return rights


def _assigned(azure: Azure, who: Principal) -> list[Json]:
    return [
        one["properties"]
        for one in _all(azure, ASSIGNMENTS)
        if one["properties"]["principalId"].lower() == who.object_id
    ]


def _allows(right: Json, action: str) -> bool:
    return _listed(right["actions"], action) and not _listed(right["notActions"], action)


def _listed(patterns: list[str], action: str) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def _definition(azure: Azure, call: Call, target: Target, old: Json | None) -> Json:
    given = expect(call.document.get("properties"), dict, "properties")
    name = expect(given.get("roleName"), str, "properties.roleName")
    conform(given, _DEFINITION, "properties")
    rights = [{part: one.get(part) or [] for part in _PARTS} for one in given.get("permissions") or ()]
    now = stamp(azure.clock.now())
    before = old["properties"] if old else {}
    return {
        "roleName": name,
        "type": "CustomRole",
        "description": given.get("description") or "",
        "assignableScopes": given.get("assignableScopes") or [target.scope],
        "permissions": rights,
        "createdOn": before.get("createdOn", now),
        "createdBy": before.get("createdBy", call.principal.object_id),
        "updatedOn": now,
        "updatedBy": call.principal.object_id,
    }


def _assignment(azure: Azure, call: Call, target: Target, old: Json | None) -> Json:
    given = expect(call.document.get("properties"), dict, "properties")
    principal = expect(given.get("principalId"), str, "properties.principalId")
    role = expect(given.get("roleDefinitionId"), str, "properties.roleDefinitionId")
    conform(given, _ASSIGNMENT, "properties")
    if not ids.GUID.fullmatch(principal):
        raise invalid_content(f"'{principal[:60]}' in 'properties.principalId' is no GUID")
    if _role(azure, role.rsplit("/", 1)[-1]) is None:
        raise ArmError(
            400, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{role[-80:]}' does not exist."
        )
    for one in _all(azure, ASSIGNMENTS):
        made = one["properties"]
        same = (made["principalId"], made["roleDefinitionId"].lower(), made["scope"].lower())
        if same == (principal, role.lower(), target.scope.lower()) and one["name"].lower() != target.names[-1].lower():
            raise ArmError(
                409,
                "RoleAssignmentExists",
                "The role assignment already exists. The ID of the conflicting role assignment is "
                f"{one['name'].replace('-', '')}.",
            )
    now = stamp(azure.clock.now())
    return {
        "roleDefinitionId": role,
        "principalId": principal,
        "principalType": given.get("principalType") or "ServicePrincipal",
        "scope": target.scope,
        "condition": given.get("condition"),
        "conditionVersion": given.get("conditionVersion"),
        "description": given.get("description"),
        "createdOn": now,
        "updatedOn": now,
        "createdBy": call.principal.object_id,
        "updatedBy": call.principal.object_id,
    }


def _get_definition(azure: Azure, call: Call, target: Target) -> Reply:
    found = _role(azure, target.names[-1])
    if found is None:
        raise ArmError(
            404,
            "RoleDefinitionDoesNotExist",
            f"The specified role definition with ID '{target.names[-1]}' does not exist.",
        )
    return Reply(200, found)


def _delete_definition(azure: Azure, call: Call, target: Target) -> Reply:
    name = f"/{target.names[-1].lower()}"
    if any(one["properties"]["roleDefinitionId"].lower().endswith(name) for one in _all(azure, ASSIGNMENTS)):
        code = "RoleDefinitionHasAssignments"
        raise ArmError(400, code, f"There are existing role assignments referencing role (code: {code}).")
    return _delete(azure, call, target)


def _list_definitions(azure: Azure, call: Call, target: Target) -> Reply:
    wanted = _filters(call)
    found = [_built_in(azure, name) for name in BUILT_IN] + _all(azure, DEFINITIONS)
    for key, prop in (("rolename", "roleName"), ("type", "type")):
        if key in wanted:
            found = [one for one in found if one["properties"][prop].lower() == wanted[key]]
    return Reply(200, {"value": found})


def _list_assignments(azure: Azure, call: Call, target: Target) -> Reply:
    """Those at a scope, above it, and below it (below: not with `atScope()`)."""
    wanted, scope = _filters(call), target.scope.lower()
    found = []
    for one in _all(azure, ASSIGNMENTS):
        at = one["properties"]["scope"].lower()
        above = scope == at or scope.startswith(at.rstrip("/") + "/")
        below = at.startswith(scope.rstrip("/") + "/") and "atscope" not in wanted
        principal = wanted.get("principalid", wanted.get("assignedto"))
        if (above or below) and principal in (None, one["properties"]["principalId"].lower()):
            found.append(one)
    return Reply(200, {"value": found})


def _delete(azure: Azure, call: Call, target: Target) -> Reply:
    found = azure.store.get(target.id)
    if found is None:
        return Reply(204)
    azure.store.delete(target.id, azure.clock.now())
    return Reply(200, found)


def _all(azure: Azure, kind: str) -> list[Json]:
    return azure.store.in_subscription(azure.identity.subscription_id, kind, "", 10_000).items


def _role(azure: Azure, name: str) -> Json | None:
    if name.lower() in BUILT_IN:
        return _built_in(azure, name.lower())
    return next((one for one in _all(azure, DEFINITIONS) if one["name"].lower() == name.lower()), None)


def _built_in(azure: Azure, name: str) -> Json:
    title, description, actions, taken = BUILT_IN[name]
    right = {"actions": list(actions), "notActions": list(taken), "dataActions": [], "notDataActions": []}
    return {
        "id": f"/subscriptions/{azure.identity.subscription_id}/providers/{DEFINITIONS}/{name}",
        "name": name,
        "type": DEFINITIONS,
        "properties": {
            "roleName": title,
            "type": "BuiltInRole",
            "description": description,
            "assignableScopes": ["/"],
            "permissions": [right],
        },
    }


def _filters(call: Call) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, value, function, argument in _FILTER.findall(call.query.get("$filter", "")):
        found[(name or function).lower()] = (value or argument.strip("'")).lower()
    return found


#: The types of this provider, for the table.
TYPES = (
    ResourceType(
        DEFINITIONS,
        versions=AUTHORIZATION_VERSIONS,
        pattern=ids.GUID,
        anywhere=True,
        signed=False,
        statuses={"update": 201},
        properties=_definition,
        verbs={
            "GET": _get_definition,
            "LIST": _list_definitions,
            "DELETE": _delete_definition,
        },
        lacks=("PATCH",),
    ),
    ResourceType(
        ASSIGNMENTS,
        versions=AUTHORIZATION_VERSIONS,
        pattern=ids.GUID,
        anywhere=True,
        signed=False,
        properties=_assignment,
        verbs={"LIST": _list_assignments, "DELETE": _delete},
        lacks=("PATCH",),
    ),
    ResourceType(
        "Microsoft.Authorization/permissions",
        versions=AUTHORIZATION_VERSIONS,
        anywhere=True,
        verbs={"LIST": permissions},
        lacks=("GET", "HEAD", "PUT", "PATCH", "DELETE"),
    ),
)
