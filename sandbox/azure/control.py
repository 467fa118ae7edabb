"""The sandbox's own controls, below `/sandbox/` on its own address.

Clock, length of operations, faults, what arrived, further service principals, subscriptions of other tenants.
"""

from __future__ import annotations

from typing import Any

from sandbox.azure import catalogue, fault_effects, faults, ids, lro, principals, subscriptions
from sandbox.azure.core import Azure, Call, Reply, expect, stamp
from sandbox.azure.errors import ArmError, invalid_content, no_route

ACTIONS = ("create", "update", "delete")


def answer(azure: Azure, call: Call) -> Reply:
    """Answer a request to the controls.

    Raises:
        ArmError: the address or a value is none.
    """
    match (call.method, call.path.rstrip("/")):
        case ("GET", "/sandbox/clock"):
            pass
        case ("POST", "/sandbox/clock"):
            _advance(azure, call.document.get("advance"))
        case ("GET", "/sandbox/durations"):
            return Reply(200, azure.durations)
        case ("POST", "/sandbox/durations"):
            _durations(azure, call.document)
            return Reply(200, azure.durations)
        case ("GET", "/sandbox/requests"):
            return Reply(200, {"value": list(azure.recent)})
        case ("GET", "/sandbox/faults"):
            return Reply(200, {"value": [fault.view(azure.clock.now()) for fault in azure.faults]})
        case ("POST", "/sandbox/faults"):
            return Reply(201, fault_effects.add(azure, call.document).view(azure.clock.now()))
        case ("DELETE", path) if path == "/sandbox/faults" or path.startswith("/sandbox/faults/"):
            faults.remove(azure, _number(path.removeprefix("/sandbox/faults").strip("/")))
            return Reply(204)
        case ("POST", "/sandbox/principals"):
            made = principals.add(azure, expect(call.document.get("secret"), str, "secret"))
            return Reply(201, {"clientId": made, "objectId": principals.object_id(made)})
        case ("POST", "/sandbox/foreign-subscriptions"):
            subscriptions.add_foreign(azure, *(_guid(call, name) for name in ("subscriptionId", "tenantId")))
            return Reply(201)
        case _:
            raise no_route(call.method, call.path[:200])
    return Reply(200, {"now": stamp(azure.clock.now())})


def _number(text: str) -> int | None:
    if text and not (text.isascii() and text.isdigit()):
        raise ArmError(404, "FaultNotFound", f"'{text[:40]}' is no fault's number.")
    return int(text[:18]) if text else None


def _guid(call: Call, name: str) -> str:
    given: str = expect(call.document.get(name), str, name)
    if not ids.GUID.fullmatch(given):
        raise invalid_content(f"'{given[:60]}' in '{name}' is no GUID")
    return given.lower()


def _advance(azure: Azure, seconds: Any) -> None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise invalid_content("'advance' must be a number of seconds")
    try:
        azure.clock.advance(seconds)
    except ValueError as problem:
        raise invalid_content(str(problem)) from None
    lro.settle(azure)


def _durations(azure: Azure, document: dict[str, Any]) -> None:
    made = dict(azure.durations)
    for key, seconds in document.items():
        kind, _, action = key.partition(":")
        known = catalogue.of(kind).versions or kind.lower() == "microsoft.resources/resourcegroups"
        if not known or action.lower() not in ACTIONS:
            raise ArmError(400, "BadRequest", f"'{key[:80]}' is no TYPE:ACTION; actions are {', '.join(ACTIONS)}.")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 10**9:
            raise invalid_content(f"'{key[:80]}' must be a number of seconds, nought or more")
        made[key.lower()] = float(seconds)
    azure.store.set("durations", made)
    azure.durations = made
