"""Azure Resource Manager: who calls, what is meant, and who answers it."""

from __future__ import annotations

from sandbox.azure import activity, authorization, catalogue, groups, ids, lro, resources, subscriptions, tags, tokens
from sandbox.azure.core import Azure, Call, Reply
from sandbox.azure.errors import ArmError, method_not_allowed, no_route, subscription_not_found, wrong_tenant
from sandbox.azure.routes import Routes

_IN = "/subscriptions/{subscription}"
_STATUS = "/providers/{namespace}/locations/{location}"

FIXED = Routes(
    {
        "/tenants": {"GET": subscriptions.tenants},
        "/providers": {"GET": subscriptions.of_tenant},
        "/providers/{namespace}": {"GET": subscriptions.of_tenant},
        "/subscriptions": {"GET": subscriptions.listing},
        _IN: {"GET": subscriptions.get},
        f"{_IN}/locations": {"GET": subscriptions.locations},
        f"{_IN}/providers": {"GET": subscriptions.providers},
        f"{_IN}/providers/{{namespace}}": {"GET": subscriptions.provider},
        f"{_IN}/providers/{{namespace}}/register": {"POST": subscriptions.register},
        f"{_IN}/providers/{{namespace}}/unregister": {"POST": subscriptions.unregister},
        f"{_IN}{_STATUS}/operationstatus/{{operation}}": {"GET": lro.get_status},
        f"{_IN}{_STATUS}/operationresults/{{operation}}": {"GET": lro.get_result},
        f"{_STATUS}/operationstatuses/{{operation}}": {"GET": lro.get_status},
        f"{_IN}/operationresults/{{operation}}": {"GET": lro.get_result},
        f"{_IN}/resources": {"GET": groups.resources},
        f"{_IN}/resourcegroups": {"GET": groups.listing},
        f"{_IN}/resourcegroups/{{group}}": {
            "GET": groups.get,
            "HEAD": groups.head,
            "PUT": groups.put,
            "PATCH": groups.patch,
            "DELETE": groups.delete,
        },
        f"{_IN}/resourcegroups/{{group}}/resources": {"GET": groups.resources},
    }
)
#: Below `providers/microsoft.insights`, which the tree above would take for a provider's name.
EVENTS = ("providers", "microsoft.insights", "eventtypes", "management", "values")

for _kind in (*authorization.TYPES, tags.TYPE):
    catalogue.register(_kind)

_WRITES = frozenset(("PUT", "PATCH", "DELETE", "POST"))
#: What stands below a subscription, as actions name it.
_KINDS = {"resourcegroups": "resourceGroups"}
_ACTS = {"PUT": "write", "PATCH": "write", "DELETE": "delete"}


def answer(azure: Azure, call: Call) -> Reply:
    """Answer a request to ARM; a write is stored, and entered in the activity log, before it is answered.

    Raises:
        ArmError: whatever ARM would refuse.
    """
    call.principal = tokens.principal_of(azure, call)
    lro.settle(azure)
    try:
        segments = ids.split(call.path)
    except UnicodeDecodeError:
        raise no_route(call.method, call.path[:200]) from None
    _check_subscription(azure, segments)
    if call.method not in _WRITES:
        return _dispatch(azure, call, segments)
    try:
        with azure.store.transaction():
            reply = _dispatch(azure, call, segments)
            _log(azure, call, segments, reply)
    except ArmError as error:
        _log(azure, call, segments, error)
        azure.next_due = azure.store.next_due()
        raise
    return reply


def action_of(method: str, segments: tuple[str, ...]) -> tuple[str, str]:
    """The action that a role must allow, as `Microsoft.HybridCompute/gateways/write`, and the id that it is done to."""
    target = ids.parse(segments)
    if target is None:
        kinds = ("subscriptions", _KINDS.get(segments[2].lower(), segments[2])) if segments[2:] else segments[:1]
        return f"Microsoft.Resources/{'/'.join(kinds)}/{_ACTS.get(method, 'read')}", "/" + "/".join(segments)
    if method == "POST" and not target.whole:
        return f"{target.kind}/action", target.owner.id
    return f"{target.kind}/{_ACTS.get(method, 'read')}", target.id


def _dispatch(azure: Azure, call: Call, segments: tuple[str, ...]) -> Reply:
    authorization.authorize(azure, call, *action_of(call.method, segments))
    if tuple(segment.lower() for segment in segments[2:]) == EVENTS and call.method == "GET":
        return activity.values(azure, call, {})
    found = FIXED.find(segments)
    if found:
        verbs, params = found
        handler = verbs.get(call.method)
        if handler is None:
            raise method_not_allowed(call.method, call.path[:200])
        return handler(azure, call, params)
    target = ids.parse(segments)
    if target is None:
        raise no_route(call.method, call.path[:200])
    return resources.handle(azure, call, target)


def _check_subscription(azure: Azure, segments: tuple[str, ...]) -> None:
    if len(segments) < 2 or segments[0].lower() != "subscriptions":
        return
    asked = segments[1]
    if asked.lower() == azure.identity.subscription_id:
        return
    if tenant := subscriptions.foreign(azure).get(asked.lower()):
        raise wrong_tenant(azure.identity.tenant_id, tenant)
    if not ids.GUID.fullmatch(asked):
        raise ArmError(
            400,
            "InvalidSubscriptionId",
            f"The provided subscription identifier '{asked[:80]}' is malformed or invalid.",
        )
    raise subscription_not_found(asked)


def _log(azure: Azure, call: Call, segments: tuple[str, ...], reply: Reply | ArmError) -> None:
    action, resource = action_of(call.method, segments)
    last = segments[-1].lower() if segments else ""
    if call.method == "POST" and last.startswith("list"):
        return
    activity.record(azure, call, action, resource, reply)
