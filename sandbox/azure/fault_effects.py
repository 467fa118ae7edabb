"""What each fault does to a request that it strikes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from fnmatch import translate

from sandbox.azure import fault_definitions, faults, gateways, ids, login, lro
from sandbox.azure.core import Azure, Call, Delivery, Ending, Reply, refusal, stamp
from sandbox.azure.errors import ArmError, front_door, server_error, throttled, unauthenticated
from sandbox.azure.faults import Fault, Request
from sandbox.azure.store import Json

#: Does what the request asks for.
Proceed = Callable[[], Reply]
Effect = Callable[[Azure, Call, Fault, Proceed], Reply]

_RESET = Delivery(reset=True)


def answer(azure: Azure, request: Request, proceed: Proceed) -> tuple[Reply, Fault | None]:
    """Answer a request under the faults that are set, and say which of them struck: the first that matches."""
    now = azure.clock.now()
    asked = False
    for fault in azure.faults:
        before = fault.shown_before(request, now)
        if before:
            faults.keep(azure)
            return _as_before(azure, before, proceed), fault
        if fault.matches(request, now):
            asked = True
            if fault.strikes(azure, request):
                # Counted first: a process that is killed on the way has struck all the same.
                faults.keep(azure)
                return EFFECTS[fault.kind](azure, request.call, fault, proceed), fault
    if asked:
        faults.keep(azure)
    return proceed(), None


def add(azure: Azure, definition: Json) -> Fault:
    """Set a fault, and do at once what it does at once.

    Raises:
        ArmError: the definition is wrong, or there is nothing to strike.
    """
    kind, settings = fault_definitions.read(definition, azure.clock.now())
    with azure.store.transaction():
        struck = _delete_gateways(azure, settings["gateway"]) if kind == "gateway-deleted" else 0
        return faults.add(azure, kind, settings, struck)


def _throttle(azure: Azure, call: Call, fault: Fault, proceed: Proceed) -> Reply:
    seconds = fault.settings["retryAfter"]
    error = throttled(azure.identity.subscription_id, call.method in ("GET", "HEAD"), seconds)
    return refusal(error)


def _server_error(azure: Azure, call: Call, fault: Fault, proceed: Proceed) -> Reply:
    status = fault.settings["status"]
    if fault.settings["html"]:
        return Reply(status, front_door(status), {"Content-Type": "text/html"})
    return refusal(server_error(status, azure.identity.subscription_id, call.request_id))


def _reset(azure: Azure, call: Call, fault: Fault, proceed: Proceed) -> Reply:
    return Reply(0, delivery=_RESET)


def _slow(azure: Azure, call: Call, fault: Fault, proceed: Proceed) -> Reply:
    reply = proceed()
    reply.delivery = Delivery(first_byte=fault.settings["firstByte"], rate=fault.settings["bytesPerSecond"])
    return reply


def _lost(azure: Azure, call: Call, fault: Fault, proceed: Proceed) -> Reply:
    reply = proceed()
    reply.delivery = _RESET
    return reply


def _stale(azure: Azure, call: Call, fault: Fault, proceed: Proceed) -> Reply:
    identifier = "/" + "/".join(ids.split(call.path)).lower()
    lro.settle(azure)
    before = azure.store.get(identifier)
    reply = proceed()
    if reply.status < 300:
        fault.remember(identifier, before, azure.clock.now())
        faults.keep(azure)
    return reply


def _ending(status: str) -> Effect:
    def effect(azure: Azure, call: Call, fault: Fault, proceed: Proceed) -> Reply:
        error = {name: fault.settings[name] for name in ("code", "message")} if status else None
        call.ending = Ending(status, error)
        return proceed()

    return effect


def _expired(azure: Azure, call: Call, fault: Fault, proceed: Proceed) -> Reply:
    now = time.time()
    message = f"The access token expiry UTC time '{stamp(now - 1)}' is earlier than current UTC time '{stamp(now)}'."
    return refusal(unauthenticated(azure.identity.tenant_id, "ExpiredAuthenticationToken", message))


def _no_token(azure: Azure, call: Call, fault: Fault, proceed: Proceed) -> Reply:
    status, code = fault.settings["status"], fault.settings["code"]
    error = "invalid_client" if status in (400, 401) else "temporarily_unavailable"
    return Reply(status, login.problem(code, error, fault.settings["message"]))


def _as_before(azure: Azure, before: dict[str, Json | None], proceed: Proceed) -> Reply:
    """Answer a read from resources as they were: they are put back for as long as it takes."""
    lro.settle(azure)
    with azure.store.discarded():
        for identifier, document in before.items():
            azure.store.delete(identifier, azure.clock.now())
            if document is not None:
                _put_back(azure, document)
        reply = proceed()
    # An operation that ended meanwhile has not ended after all.
    azure.next_due = azure.store.next_due()
    return reply


def _put_back(azure: Azure, document: Json) -> None:
    target = ids.parse_id(document["id"])
    subscription = document["id"].split("/")[2]
    azure.store.put(
        document,
        subscription=subscription,
        group=(target.group if target else None) or "",
        scope=target.container if target else f"/subscriptions/{subscription}",
        tracked=False,
    )


def _delete_gateways(azure: Azure, pattern: str) -> int:
    """Remove the gateways themselves; settings objects go on naming them, as nothing is told to the clusters."""
    matching = re.compile(translate(pattern.lower()))
    held = azure.store.in_subscription(azure.identity.subscription_id, gateways.KIND, "", 1000).items
    found = [one["id"] for one in held if matching.match(one["id"].lower())]
    if not found:
        known = ", ".join(one["id"] for one in held) or "none"
        raise ArmError(404, "GatewayNotFound", f"No gateway's id matches '{pattern[:200]}'; there are: {known}.")
    for identifier in found:
        azure.store.delete(identifier, azure.clock.now())
    return len(found)


EFFECTS: dict[str, Effect] = {
    "throttle": _throttle,
    "server-error": _server_error,
    "reset": _reset,
    "slow": _slow,
    "lost-response": _lost,
    "stale-read": _stale,
    "operation-failed": _ending("Failed"),
    "operation-canceled": _ending("Canceled"),
    "operation-endless": _ending(""),
    "expired-token": _expired,
    "login-outage": _no_token,
}
