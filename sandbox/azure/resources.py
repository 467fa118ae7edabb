"""What ARM does with any resource: create, change, read, list, delete."""

from __future__ import annotations

import uuid

from sandbox.azure import activity, catalogue, ids, lro, preconditions, subscriptions, tags
from sandbox.azure.catalogue import ResourceType
from sandbox.azure.core import Azure, Call, Reply, Shape, conform, expect, stamp
from sandbox.azure.errors import (
    ArmError,
    group_not_found,
    invalid_api_version,
    method_not_allowed,
    no_registered_provider,
    no_route,
    resource_not_found,
    unsupported_version,
)
from sandbox.azure.ids import Target
from sandbox.azure.paging import page_bounds, page_reply
from sandbox.azure.store import Json, Operation, Page

#: What a request may not set, and what is set apart from the rest.
_OWN = frozenset(("id", "name", "type", "systemData", "location", "tags", "properties", "identity", "etag"))
#: The rest, as ARM knows it for every type. Types of the table have no other.
_ENVELOPE: dict[str, Shape] = {
    "kind": str,
    "managedBy": str,
    "plan": dict,
    "sku": dict,
    "extendedLocation": dict,
    "zones": [str],
    "identity": {"type": str},
}


def handle(azure: Azure, call: Call, target: Target) -> Reply:
    """Answer a request for a resource, a collection or an action.

    Raises:
        ArmError: whatever ARM would refuse.
    """
    if target.whole:
        kind = catalogue.of(target.kind)
        verb = call.method
    elif call.method == "POST":
        kind = catalogue.of(target.owner.kind)
        verb = "POST"
    else:
        kind = catalogue.of(target.kind)
        verb = "LIST" if call.method == "GET" else call.method
    check_version(call, kind)
    handler = kind.verbs.get(verb) or (None if verb in kind.lacks else USUAL.get(verb))
    if handler is None or (verb in ("LIST", "POST")) == target.whole:
        raise method_not_allowed(call.method, kind.name)
    return handler(azure, call, target)


def check_version(call: Call, kind: ResourceType) -> None:
    """Refuse an API version that the type does not have.

    Raises:
        ArmError: 400 or 404, with the versions that it has.
    """
    version = call.api_version
    if version in kind.versions:
        return
    if not kind.versions:
        if not ids.API_VERSION.fullmatch(version):
            raise invalid_api_version(version, ("YYYY-MM-DD",))
        return
    if call.method in ("PUT", "PATCH"):
        location = str(call.document.get("location") or "global")
        raise no_registered_provider(kind.short, location, version, kind.versions, kind.locations)
    raise unsupported_version(kind.namespace, kind.short, version, kind.versions)


def get(azure: Azure, call: Call, target: Target) -> Reply:
    """Read one."""
    kind = catalogue.of(target.kind)
    return Reply(200, kind.view(azure, _existing(azure, kind, target), call.api_version))


def head(azure: Azure, call: Call, target: Target) -> Reply:
    """Whether one is there."""
    found = azure.store.get(target.id)
    return Reply(204 if found else 404)


def put(azure: Azure, call: Call, target: Target) -> Reply:
    """Create or replace."""
    kind = catalogue.of(target.kind)
    if kind.versions:
        subscriptions.check_registered(azure, kind.namespace)
    ids.check_name(target.names[-1], kind.pattern, kind.longest)
    old = _stored(azure, kind, target)
    if kind.etags:
        preconditions.check(call, old)
    container = _container(azure, target)
    location = _location(call, kind, target, old)
    properties = kind.properties(azure, call, target, old)
    name = old["name"] if old else target.names[-1]
    parent = f"{container}/providers/{kind.namespace}" if len(target.types) == 1 else container
    document: Json = {
        "id": old["id"] if old else f"{parent}/{kind.name.rsplit('/', 1)[1]}/{name}",
        "name": name,
        "type": kind.name,
        **({"location": location} if location else {}),
        **({"tags": tags.checked(call.document)} if kind.tracked or call.document.get("tags") is not None else {}),
        **_further(call, kind),
        **_identity(azure, call, kind, old),
        "properties": properties,
    }
    return _write(azure, call, kind, target, document, old)


def patch(azure: Azure, call: Call, target: Target) -> Reply:
    """Change parts: tags are replaced as a whole, properties as the type has it."""
    kind = catalogue.of(target.kind)
    old = _existing(azure, kind, target)
    if kind.etags:
        preconditions.check(call, old)
    document = {**old, **_further(call, kind)}
    if "tags" in call.document:
        document["tags"] = tags.checked(call.document)
    if call.document.get("identity") is not None:
        document |= _identity(azure, call, kind, old)
    if call.document.get("properties") is not None:
        document["properties"] = kind.properties(azure, call, target, old)
    return _write(azure, call, kind, target, document, old)


def delete(azure: Azure, call: Call, target: Target) -> Reply:
    """Remove one, and all that hangs under it; nothing to remove is no error."""
    kind = catalogue.of(target.kind)
    old = azure.store.get(target.id)
    if old is None:
        _check_group(azure, target)
        return Reply(204)
    if kind.etags:
        preconditions.check(call, old)
    operation = azure.store.pending_operation(old["id"])
    if operation is None or operation.action != "delete":
        seconds = _seconds(azure, kind, "delete")
        ending = call.ending if kind.states else None
        if not seconds and ending is None:
            azure.store.delete(old["id"], azure.clock.now())
            return Reply(kind.statuses.get("delete", 200))
        if operation:
            azure.store.finish_operation(operation.id, "Canceled", azure.clock.now())
            activity.end(azure, operation, "Canceled")
        if kind.states:
            old["properties"]["provisioningState"] = kind.states["delete"]
            azure.store.rewrite(old)
        operation = lro.begin(azure, old, "delete", seconds, ending)
    return Reply(202, kind.view(azure, old, call.api_version), lro.headers(call, old, operation))


def listing(azure: Azure, call: Call, target: Target) -> Reply:
    """A page of a collection."""
    kind = catalogue.of(target.kind)
    after, limit = page_bounds(call)
    if target.subscription and not target.group and len(target.types) == 1 and target.scope.count("/") == 2:
        page = azure.store.in_subscription(target.subscription, target.kind, after, limit)
    else:
        _container(azure, target)
        page = azure.store.in_scope(target.container, target.kind, after, limit)
    return page_reply(call, Page([kind.view(azure, item, call.api_version) for item in page.items], page.after))


def act(azure: Azure, call: Call, target: Target) -> Reply:
    """A POST on a resource."""
    kind = catalogue.of(target.owner.kind)
    action = kind.actions.get(target.types[-1].lower())
    if action is None:
        raise no_route(call.method, call.path)
    return action(azure, call, _existing(azure, kind, target.owner))


#: What any type takes, where its own row does not say otherwise.
USUAL = {"GET": get, "HEAD": head, "PUT": put, "PATCH": patch, "DELETE": delete, "LIST": listing, "POST": act}


def system_data(azure: Azure, call: Call, old: Json | None) -> Json:
    """Who made a resource, and who changed it last."""
    now, who = stamp(azure.clock.now()), call.principal.app_id
    created = (old or {}).get("systemData") or {"createdBy": who, "createdByType": "Application", "createdAt": now}
    return {**created, "lastModifiedBy": who, "lastModifiedByType": "Application", "lastModifiedAt": now}


def _write(azure: Azure, call: Call, kind: ResourceType, target: Target, document: Json, old: Json | None) -> Reply:
    pending = azure.store.pending_operation(document["id"]) if old else None
    if pending and pending.action == "delete":
        raise ArmError(
            409,
            "Conflict",
            f"The resource '{document['id']}' is being deleted; nothing can be written to it until that ends.",
        )
    if kind.signed:
        document["systemData"] = system_data(azure, call, old)
    if kind.etags:
        document["etag"] = preconditions.fresh()
    action = pending.action if pending else "update" if old else "create"
    # A PATCH is done at once, where the version does not make an operation of it.
    patch = call.method == "PATCH"
    accepted = patch and bool(kind.patched_later) and call.api_version >= kind.patched_later
    seconds = 0.0 if patch and not accepted else _seconds(azure, kind, action)
    ending = call.ending if kind.states else None
    running = accepted or pending is not None or seconds > 0 or ending is not None
    if kind.states:
        document["properties"]["provisioningState"] = kind.states[action] if running else "Succeeded"
    if not running:
        kind.complete(document)
    azure.store.put(
        document,
        subscription=target.subscription or "",
        group=target.group or "",
        scope=target.container,
        tracked=kind.tracked and bool(target.group) and target.scope.count("/") == 4,
    )
    created = not old or (pending is not None and pending.action == "create")
    status = kind.statuses.get("create", 201) if created else kind.statuses.get("update", 200)
    body = kind.view(azure, document, call.api_version)
    if not running:
        return Reply(status, body)
    operation: Operation = pending or lro.begin(azure, document, action, seconds, ending)
    where = lro.headers(call, document, operation)
    return Reply(202, None, where) if accepted else Reply(status, body, where)


def _seconds(azure: Azure, kind: ResourceType, action: str) -> float:
    return azure.durations.get(f"{kind.name}:{action}".lower(), kind.durations.get(action, 0.0))


def _stored(azure: Azure, kind: ResourceType, target: Target) -> Json | None:
    return azure.store.get(target.id) or (kind.unset(azure, target) if kind.unset else None)


def _existing(azure: Azure, kind: ResourceType, target: Target) -> Json:
    found = _stored(azure, kind, target)
    if found is None:
        _check_group(azure, target)
        raise resource_not_found(target.kind, "/".join(target.names), target.group)
    return found


def _check_group(azure: Azure, target: Target) -> Json | None:
    if target.group is None:
        return None
    found = azure.store.get(f"/subscriptions/{target.subscription}/resourceGroups/{target.group}")
    if found is None:
        raise group_not_found(target.group)
    return found


def _container(azure: Azure, target: Target) -> str:
    """The id, in its own case, of what a resource hangs under."""
    group = _check_group(azure, target)
    container = target.container
    if "/providers/" not in container.lower():
        if group and container.count("/") == 4:
            return str(group["id"])
        if container.count("/") not in (0, 2):
            raise no_route("PUT", container[:200])
        return f"/subscriptions/{azure.identity.subscription_id}" if target.subscription else ""
    found = azure.store.get(container)
    if found is None:
        parent = ids.parse_id(container)
        if parent is None:
            raise no_route("GET", container)
        raise resource_not_found(parent.kind, "/".join(parent.names), parent.group)
    return str(found["id"])


def _location(call: Call, kind: ResourceType, target: Target, old: Json | None) -> str | None:
    given = call.document.get("location")
    location = expect(given, str, "location") if given is not None else (old or {}).get("location")
    if not kind.locations:
        return location
    if not location:
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    plain = location.replace(" ", "").lower()
    if plain not in kind.locations:
        raise ArmError(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{location[:80]}' is not available for resource type '{kind.name}'. "
            f"List of available regions for the resource type is '{','.join(kind.locations)}'.",
        )
    if old and old.get("location", location).replace(" ", "").lower() != plain:
        raise ArmError(
            409,
            "InvalidResourceLocation",
            f"The resource '{old['name']}' already exists in location '{old['location']}' in resource group "
            f"'{target.group}'. A resource with the same name cannot be created in location '{location}'. "
            "Please select a new resource name.",
        )
    return str(old["location"]) if old and old.get("location") else location


def _further(call: Call, kind: ResourceType) -> Json:
    conform(call.document, _ENVELOPE, "")
    names = call.document.keys() - _OWN
    if kind.versions:
        names &= _ENVELOPE.keys()
    return {name: call.document[name] for name in names}


def _identity(azure: Azure, call: Call, kind: ResourceType, old: Json | None) -> Json:
    given = call.document.get("identity")
    if given is None:
        return {}
    if not kind.identity or str(given.get("type", "")).lower() != "systemassigned":
        return {"identity": given}
    before = (old or {}).get("identity") or {}
    return {
        "identity": {
            "type": "SystemAssigned",
            "principalId": before.get("principalId") or str(uuid.uuid4()),
            "tenantId": azure.identity.tenant_id,
        }
    }
