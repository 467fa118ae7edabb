"""The activity log: every write, at the address where Azure's own log is read."""

from __future__ import annotations

import re
import sys
import uuid
from collections.abc import Mapping
from datetime import datetime

from sandbox.azure.core import Azure, Call, Reply, stamp
from sandbox.azure.errors import ArmError
from sandbox.azure.paging import page_bounds, page_reply
from sandbox.azure.store import Json, Page

_CLAUSE = re.compile(r"\s*(\w+)\s+(eq|ge|le|gt|lt)\s+'([^']*)'\s*", re.IGNORECASE)


def record(azure: Azure, call: Call, operation: str, resource: str, status: int, error: ArmError | None = None) -> None:
    """Append what a write did to a resource; `operation` is its action, as `.../gateways/write`."""
    now = stamp(azure.clock.now())
    parts = resource.split("/")
    lower = [part.lower() for part in parts]
    group = parts[4] if len(parts) > 4 and lower[3] == "resourcegroups" else ""
    namespace, kind = operation.split("/")[0], operation.rsplit("/", 1)[0]
    state = "Failed" if error else "Accepted" if status == 202 else "Succeeded"
    identifier = str(uuid.uuid4())
    body: Json = {
        "authorization": {"action": operation, "scope": resource},
        "caller": call.principal.app_id,
        "channels": "Operation",
        "claims": {"appid": call.principal.app_id, "oid": call.principal.object_id},
        "correlationId": call.correlation_id,
        "description": error.message if error else "",
        "eventDataId": identifier,
        "eventName": _local("EndRequest", "End request"),
        "category": _local("Administrative", "Administrative"),
        "eventTimestamp": now,
        "submissionTimestamp": now,
        "id": f"{resource}/events/{identifier}",
        "level": "Error" if error else "Informational",
        "operationId": call.correlation_id,
        "operationName": _local(operation, operation),
        "resourceGroupName": group,
        "resourceId": resource,
        "resourceProviderName": _local(namespace, namespace),
        "resourceType": _local(kind, kind),
        "status": _local(state, state),
        "subStatus": _local(error.code if error else str(status), error.code if error else str(status)),
        "subscriptionId": azure.identity.subscription_id,
        "tenantId": azure.identity.tenant_id,
        "httpRequest": {
            "clientRequestId": call.headers.get("x-ms-client-request-id", call.request_id),
            "method": call.method,
        },
        "properties": {"statusCode": str(status)},
    }
    azure.store.add_event(azure.clock.now(), azure.identity.subscription_id, group, resource, body)


def values(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """Events that `$filter` asks for, the newest first.

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
        name, comparison, value = match[1].lower(), match[2].lower(), match[3]
        if name == "eventtimestamp":
            at = _time(value)
            first, last = (at, last) if comparison in ("ge", "gt") else (first, at)
        elif name == "resourcegroupname":
            group = value
        elif name in ("resourceuri", "resourceid"):
            resource = value.rstrip("/")
        elif name in ("correlationid", "caller", "status", "resourceprovider", "levels"):
            further[name] = value.lower()
        elif name != "eventchannels":
            raise ArmError(
                400, "BadRequest", f"The property '{match[1]}' of '$filter' is none that events are found by."
            )
    after, limit = page_bounds(call)
    before = int(after) if after.isascii() and after.isdigit() else sys.maxsize
    items, more = azure.store.events(azure.identity.subscription_id, group, resource, (first, last), before, limit)
    shown = [item for item in items if all(_property(item, name) == value for name, value in further.items())]
    return page_reply(call, Page(shown, None if more is None else str(more)))


def _property(event: Json, name: str) -> str:
    found = {
        "correlationid": event["correlationId"],
        "caller": event["caller"],
        "status": event["status"]["value"],
        "resourceprovider": event["resourceProviderName"]["value"],
        "levels": event["level"],
    }[name]
    return str(found).lower()


def _local(value: str, shown: str) -> Json:
    return {"value": value, "localizedValue": shown}


def _time(text: str) -> float:
    try:
        at = datetime.fromisoformat(text if text[-1:] in ("Z", "z") or "+" in text else f"{text}Z")
        return at.timestamp()
    except ValueError:
        raise ArmError(400, "BadRequest", f"'{text[:40]}' in '$filter' is no time.") from None
