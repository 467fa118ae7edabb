"""Long-running operations: begun by a write, ended by the clock, asked about at two addresses."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from sandbox.azure import activity, catalogue
from sandbox.azure.core import Azure, Call, Ending, Reply, stamp
from sandbox.azure.errors import ArmError
from sandbox.azure.store import NEVER, Json, Operation

#: The part of an operation's time for which it only waits its turn, and the most seconds.
QUEUED, QUEUED_AT_MOST = 0.2, 120.0

_HYBRID = "/subscriptions/{subscription}/providers/{namespace}/locations/{location}"
_KUBERNETES = "/providers/{namespace}/locations/{location}/operationStatuses/{id}"
#: Where an operation's own document is, and its result; they differ between providers.
_ADDRESSES = {"microsoft.kubernetes": (_KUBERNETES, f"{_KUBERNETES}*result")}
_USUAL = (f"{_HYBRID}/operationstatus/{{id}}", f"{_HYBRID}/operationresults/{{id}}")


def begin(azure: Azure, document: Json, action: str, seconds: float, ending: Ending | None) -> Operation:
    """Start an operation on a stored resource; it ends `seconds` from now on the sandbox's clock.

    Args:
        azure: the service.
        document: the resource.
        action: create, update or delete.
        seconds: how long it takes.
        ending: how it ends; None for well.
    """
    now = azure.clock.now()
    operation = Operation(
        id=str(uuid.uuid4()),
        resource=document["id"].lower(),
        action=action,
        started=now,
        due=NEVER if ending and not ending.status else now + seconds,
        status=(ending and ending.status) or "Succeeded",
        error=ending.error if ending else None,
        done=False,
    )
    azure.store.add_operation(operation)
    if azure.next_due is None or operation.due < azure.next_due:
        azure.next_due = operation.due
    return operation


def settle(azure: Azure) -> None:
    """End all operations whose time has come."""
    now = azure.clock.now()
    if azure.next_due is None or now < azure.next_due:
        return
    with azure.store.transaction():
        for operation in azure.store.due_operations(now):
            document = azure.store.get(operation.resource)
            if document and operation.action == "delete" and operation.status == "Succeeded":
                azure.store.delete(operation.resource, now)
            elif document:
                document.setdefault("properties", {})["provisioningState"] = operation.status
                if operation.status == "Succeeded":
                    catalogue.of(document["type"]).complete(document)
                azure.store.rewrite(document)
            azure.store.finish_operation(operation.id, operation.status, now)
            activity.end(azure, operation, operation.status)
    azure.next_due = azure.store.next_due()


def headers(call: Call, document: Json, operation: Operation) -> dict[str, str]:
    """Where to ask about an operation, and after how many seconds."""
    namespace = document["type"].split("/")[0]
    parts = {
        "subscription": document["id"].split("/")[2],
        "namespace": namespace,
        "location": str(document.get("location", "global")).replace(" ", "").lower(),
        "id": operation.id,
    }
    status, result = (
        f"{call.base}{address.format(**parts)}?api-version={call.api_version}"
        for address in _ADDRESSES.get(namespace.lower(), _USUAL)
    )
    return {"Azure-AsyncOperation": status, "Location": result, "Retry-After": wait()}


def wait() -> str:
    """Retry-After of everything pending: clients take nought for "not said" and wait half a minute, so it is 1."""
    return "1"


def status_of(azure: Azure, operation: Operation) -> str:
    """The state that an operation is in now."""
    if operation.done:
        return operation.status
    waiting = min(QUEUED * (operation.due - operation.started), QUEUED_AT_MOST)
    return "Queued" if azure.clock.now() - operation.started < waiting else "InProgress"


def get_status(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """The operation's own document."""
    identifier, result, _ = params["operation"].partition("*")
    if result:
        return get_result(azure, call, {**params, "operation": identifier})
    operation = _find(azure, identifier)
    state = status_of(azure, operation)
    body: Json = {"name": operation.id, "status": state, "startTime": stamp(operation.started)}
    if not operation.done:
        document = azure.store.get(operation.resource)
        return Reply(200, body, headers(call, document, operation) if document else {"Retry-After": wait()})
    if operation.error:
        body["error"] = operation.error
    return Reply(200, body)


def get_result(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """202 while the operation goes on, then what it made, or its error.

    Raises:
        ArmError: there is no such operation, or it has failed.
    """
    operation = _find(azure, params["operation"])
    if not operation.done:
        here = f"{call.base}{call.path}?api-version={call.api_version}"
        return Reply(202, None, {"Location": here, "Retry-After": wait()})
    if operation.error:
        # Not 5xx: clients would take that for a failure of the question, and ask again.
        raise ArmError(409, operation.error["code"], operation.error["message"])
    document = azure.store.get(operation.resource)
    if document is None:
        # ARM ends the deletion of a group with 200; resource providers end theirs with 204.
        return Reply(200 if "location" not in params else 204)
    return Reply(200, catalogue.of(document["type"]).view(azure, document, call.api_version))


def _find(azure: Azure, identifier: str) -> Operation:
    operation = azure.store.operation(identifier)
    if operation is None:
        raise ArmError(404, "NotFound", f"The operation '{identifier}' could not be found.")
    return operation
