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

#: `az` writes times without quotation marks.
_CLAUSE = re.compile(r"\s*(\w+)\s+(eq|ge|le|gt|lt)\s+('[^']*'|[^'\s]+)\s*", re.IGNORECASE)


def record(azure: Azure, call: Call, operation: str, resource: str, status: int, error: ArmError | None = None) -> None:
    """Append what a write did to a resource; `operation` is its action, as `.../gateways/write`."""
    parts = resource.split("/", 5)
    group = parts[4] if len(parts) > 4 and parts[3].lower() == "resourcegroups" else ""
    # Kept short: it is written with every write, and read seldom.
    kept = {
        "id": str(uuid.uuid4()),
        "operation": operation,
        "resource": resource,
        "group": group,
        "method": call.method,
        "code": status,
        "app": call.principal.app_id,
        "object": call.principal.object_id,
        "correlation": call.correlation_id,
        "client": call.headers.get("x-ms-client-request-id", call.request_id),
        **({"error": error.code, "message": error.message} if error else {}),
    }
    azure.store.add_event(azure.clock.now(), azure.identity.subscription_id, group, resource, kept)


def _event(azure: Azure, at: float, kept: Json) -> Json:
    """An event as the log shows it."""
    now, operation, resource = stamp(at), kept["operation"], kept["resource"]
    namespace, kind = operation.split("/")[0], operation.rsplit("/", 1)[0]
    state = "Failed" if "error" in kept else "Accepted" if kept["code"] == 202 else "Succeeded"
    return {
        "authorization": {"action": operation, "scope": resource},
        "caller": kept["app"],
        "channels": "Operation",
        "claims": {"appid": kept["app"], "oid": kept["object"]},
        "correlationId": kept["correlation"],
        "description": kept.get("message", ""),
        "eventDataId": kept["id"],
        "eventName": _local("EndRequest", "End request"),
        "category": _local("Administrative"),
        "eventTimestamp": now,
        "submissionTimestamp": now,
        "id": f"{resource}/events/{kept['id']}",
        "level": "Error" if "error" in kept else "Informational",
        "operationId": kept["correlation"],
        "operationName": _local(operation),
        "resourceGroupName": kept["group"],
        "resourceId": resource,
        "resourceProviderName": _local(namespace),
        "resourceType": _local(kind),
        "status": _local(state),
        "subStatus": _local(kept.get("error", str(kept["code"]))),
        "subscriptionId": azure.identity.subscription_id,
        "tenantId": azure.identity.tenant_id,
        "httpRequest": {"clientRequestId": kept["client"], "method": kept["method"]},
        "properties": {"statusCode": str(kept["code"])},
    }


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
        name, comparison, value = match[1].lower(), match[2].lower(), match[3].strip("'")
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
    found, more = azure.store.events(azure.identity.subscription_id, group, resource, (first, last), before, limit)
    items = [_event(azure, at, kept) for at, kept in found]
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


def _local(value: str, shown: str | None = None) -> Json:
    return {"value": value, "localizedValue": shown or value}


def _time(text: str) -> float:
    try:
        at = datetime.fromisoformat(text if text[-1:] in ("Z", "z") or "+" in text else f"{text}Z")
        return at.timestamp()
    except ValueError:
        raise ArmError(400, "BadRequest", f"'{text[:40]}' in '$filter' is no time.") from None
