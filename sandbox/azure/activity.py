"""The activity log: every write, at the address where Azure's own log is read.

As in Azure a write is two events, one when it starts and one when it is answered; what goes on then has a third when it
ends. All have the correlation id of the request. A write is stored once, and told as two when somebody reads.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from http import HTTPStatus

from sandbox.azure.core import Azure, Call, Reply, stamp
from sandbox.azure.errors import ArmError
from sandbox.azure.paging import page_bounds, page_reply
from sandbox.azure.store import Json, Operation, Page

#: `$filter` has values with quotes around them, and from `az` times without.
_CLAUSE = re.compile(r"\s*(\w+)\s+(eq|ge|le|gt|lt)\s+(?:'([^']*)'|(\S+))\s*", re.IGNORECASE)
#: Further properties of `$filter`, and where an event has them.
_FURTHER: Mapping[str, tuple[str, ...]] = {
    "correlationid": ("correlationId",),
    "caller": ("caller",),
    "status": ("status", "value"),
    "resourceprovider": ("resourceProviderName", "value"),
    "levels": ("level",),
}
#: How many of a resource's latest writes can have operations that go on.
_RECENT = 20


def record(azure: Azure, call: Call, operation: str, resource: str, reply: Reply | ArmError) -> None:
    """Append a write that was answered or refused.

    Args:
        operation: its action, as `.../gateways/write`.
        resource: the id of what it was done to.
    """
    error = reply if isinstance(reply, ArmError) else None
    location = "" if error else reply.headers.get("Location", "")
    # Kept short: it is written with every write, and read seldom.
    kept = {
        "id": str(uuid.uuid4()),
        "operation": operation,
        "resource": resource,
        "method": call.method,
        "code": reply.status,
        "app": call.principal.app_id,
        "object": call.principal.object_id,
        "correlation": call.correlation_id,
        "client": call.headers.get("x-ms-client-request-id", call.request_id),
        **({"error": error.body["error"]} if error else {}),
        **({"pending": location.rsplit("/", 1)[1][:36]} if location else {}),
    }
    _append(azure, azure.clock.now(), kept)


def end(azure: Azure, operation: Operation, status: str) -> None:
    """Append the end of an operation, for every write that started it or joined it.

    Args:
        status: Succeeded, Failed or Canceled.
    """
    subscription = azure.identity.subscription_id
    since = (operation.started, sys.maxsize)
    found, _ = azure.store.events(subscription, None, operation.resource, since, sys.maxsize, _RECENT)
    for _, kept in found:
        if kept.pop("pending", None) == operation.id:
            error = {"error": operation.error} if operation.error else {}
            _append(
                azure,
                min(operation.due, azure.clock.now()),
                {**kept, "id": str(uuid.uuid4()), "code": 200, "ended": status, **error},
            )


def _append(azure: Azure, at: float, kept: Json) -> None:
    azure.store.add_event(at, azure.identity.subscription_id, _group(kept["resource"]), kept["resource"], kept)


def _group(resource: str) -> str:
    parts = resource.split("/", 5)
    return parts[4] if len(parts) > 4 and parts[3].lower() == "resourcegroups" else ""


def _told(azure: Azure, at: float, kept: Json) -> Iterator[Json]:
    """What was stored as the log shows it, the newest first."""
    if "ended" in kept:
        yield _event(azure, at, kept, kept["ended"])
        return
    yield _event(azure, at, kept, "Failed" if "error" in kept else "Accepted" if "pending" in kept else "Succeeded")
    started = {name: value for name, value in kept.items() if name not in ("code", "error")}
    yield _event(azure, at, {**started, "id": str(uuid.uuid5(uuid.NAMESPACE_OID, kept["id"]))}, "Started")


def _event(azure: Azure, at: float, kept: Json, status: str) -> Json:
    now, operation, resource, code = stamp(at), kept["operation"], kept["resource"], kept.get("code")
    namespace, kind = operation.split("/")[0], operation.rsplit("/", 1)[0]
    event = _local("EndRequest", "End request") if code else _local("BeginRequest", "Begin request")
    phrase = HTTPStatus(code).phrase if code else ""
    properties = {"eventCategory": "Administrative", "entity": resource, "message": operation}
    if code:
        properties |= {"statusCode": phrase.replace(" ", ""), "serviceRequestId": kept["id"]}
    if "error" in kept:
        properties["statusMessage"] = json.dumps({"error": kept["error"]})
    return {
        "authorization": {"action": operation, "scope": resource},
        "caller": kept["app"],
        "channels": "Operation",
        "claims": {"appid": kept["app"], "oid": kept["object"]},
        "correlationId": kept["correlation"],
        "description": "",
        "eventDataId": kept["id"],
        "eventName": event,
        "category": _local("Administrative"),
        "eventTimestamp": now,
        "submissionTimestamp": now,
        "id": f"{resource}/events/{kept['id']}/ticks/{int(at * 10**7) + 621355968 * 10**9}",
        "level": "Error" if status == "Failed" else "Informational",
        "operationId": kept["correlation"],
        "operationName": _local(operation),
        "resourceGroupName": _group(resource),
        "resourceId": resource,
        "resourceProviderName": _local(namespace),
        "resourceType": _local(kind),
        "status": _local(status),
        "subStatus": _local(phrase.replace(" ", ""), f"{phrase} (HTTP Status Code: {code})" if code else ""),
        "subscriptionId": azure.identity.subscription_id,
        "tenantId": azure.identity.tenant_id,
        "httpRequest": {"clientRequestId": kept["client"], "clientIpAddress": "127.0.0.1", "method": kept["method"]},
        "properties": properties,
    }


def values(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """Events that `$filter` asks for, the newest first, with the properties that `$select` names.

    Raises:
        ArmError: the filter cannot be read.
    """
    _ = call.api_version
    text = call.query.get("$filter", "")
    group = resource = None
    first, last = 0.0, float(sys.maxsize)
    further: dict[str, str] = {}
    for clause in re.split(r"\s+and\s+", text, flags=re.IGNORECASE) if text.strip() else ():
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise ArmError(400, "BadRequest", f"The '$filter' clause '{clause[:80]}' cannot be read.")
        name, comparison, value = match[1].lower(), match[2].lower(), match[3] or match[4] or ""
        if name == "eventtimestamp":
            at = _time(value)
            first, last = (at, last) if comparison in ("ge", "gt") else (first, at)
        elif name == "resourcegroupname":
            group = value
        elif name in ("resourceuri", "resourceid"):
            resource = value.rstrip("/")
        elif name in _FURTHER:
            further[name] = value.lower()
        elif name != "eventchannels":
            raise ArmError(
                400, "BadRequest", f"The property '{match[1]}' of '$filter' is none that events are found by."
            )
    after, limit = page_bounds(call)
    before = int(after[:18]) if after.isascii() and after.isdigit() else sys.maxsize
    # A page holds at most as many events as it may: a write is two.
    found, more = azure.store.events(
        azure.identity.subscription_id, group, resource, (first, last), before, max(1, limit // 2)
    )
    shown = [
        event
        for at, kept in found
        for event in _told(azure, at, kept)
        if all(_at(event, _FURTHER[name]) == value for name, value in further.items())
    ]
    wanted = {name.strip().lower() for name in call.query.get("$select", "").split(",")} - {""}
    if wanted:
        shown = [{name: value for name, value in event.items() if name.lower() in wanted} for event in shown]
    return page_reply(call, Page(shown, None if more is None else str(more)))


def _at(event: Json, path: tuple[str, ...]) -> str:
    value: object = event
    for name in path:
        assert isinstance(value, dict)
        value = value[name]
    return str(value).lower()


def _local(value: str, shown: str | None = None) -> Json:
    return {"value": value, "localizedValue": value if shown is None else shown}


def _time(text: str) -> float:
    try:
        at = datetime.fromisoformat(text if text[-1:] in ("Z", "z") or "+" in text else f"{text}Z")
        return at.timestamp()
    except ValueError:
        raise ArmError(400, "BadRequest", f"'{text[:40]}' in '$filter' is no time.") from None
