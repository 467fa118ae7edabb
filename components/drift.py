"""Drift of a cluster, shown by the next preview although a command has no read.

Before a cluster's command is declared, Azure is asked what it holds. Where somebody else has changed that, the command
gets one more variable, which says what; so the preview shows an update, and the update mends it. Where nothing has
changed, the value of an earlier drift stays in the state, so that its going is no change either.
"""

import asyncio
import functools
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from inspect import isawaitable
from typing import Any, Literal, Optional, cast
from weakref import WeakKeyDictionary

import pulumi
from pulumi.runtime.mocks import MockMonitor

from arcgateway import lookout
from arcgateway.drift import Applied, drift, in_place
from arcgateway.errors import Failure

Mode = Literal["require", "warn", "off"]

#: The variable that tells the driver what differs.
VARIABLE = "ARC_DRIFT"

_KEPT = f"environment.{VARIABLE}"
_COMMAND = "command:local:Command"

#: The settings that say which cluster is looked at, for what, and by which way.
_LOOKED_BY = (
    "ARC_SUBSCRIPTION_ID",
    "ARC_RESOURCE_GROUP",
    "ARC_CLUSTER_NAME",
    "ARC_GATEWAY_ID",
    "ARC_PROXY_HTTPS",
    "ARC_PROXY_HTTP",
    "ARC_PROXY_SKIP_RANGE",
)


def mode(asked: Optional[str]) -> Mode:
    """What happens where Azure cannot be asked: as told, else a failure in pipelines and a warning elsewhere."""
    return cast(Mode, asked) if asked else "require" if os.environ.get("CI") else "warn"


def watched(
    component: pulumi.Resource, name: str, environment: Mapping[str, pulumi.Input[Any]], asked: Optional[str]
) -> dict[str, Any]:
    """The environment and the options of a cluster's command, by which its drift shows.

    Args:
        component: the command's parent.
        name: the command's name.
        environment: the command's variables.
        asked: `require`, `warn` or `off`; None for the default.
    """
    how = mode(asked)
    ignored = [_KEPT]
    if how == "off" or isinstance(pulumi.runtime.settings.get_monitor(), MockMonitor):
        return {"environment": environment, "ignore_changes": ignored}
    _lookout().warm_up()

    async def look() -> Mapping[str, pulumi.Input[Any]]:
        found = await _found(component, name, environment, how)
        if not found:
            return environment
        # The SDK reads this list when it has the inputs, of which this is one.
        ignored.remove(_KEPT)
        return {**environment, VARIABLE: found}

    return {"environment": asyncio.ensure_future(look()), "ignore_changes": ignored}


async def _found(component: pulumi.Resource, name: str, environment: Mapping[str, pulumi.Input[Any]], how: Mode) -> str:
    """What differs, in words; empty where nothing does, or where it cannot be known yet."""
    settings = await _settings(environment)
    if settings is None:
        return ""
    try:
        return await _look(component, name, settings)
    except Failure as failure:
        if how == "require":
            raise pulumi.RunError(
                f"{failure.cause}, so it cannot be seen whether somebody else has changed {name}: "
                f"{failure.mend}; or set `drift` to warn"
            ) from None
        _warn(f"{failure.cause}, so changes that somebody else has made in Azure are not seen: {failure.mend}")
        return ""


async def _settings(environment: Mapping[str, pulumi.Input[Any]]) -> Optional[Mapping[str, str]]:
    """The settings that a look needs; None where they are not known before the update."""
    known: dict[str, str] = {}
    for key in _LOOKED_BY:
        value = environment.get(key, "")
        if isinstance(value, pulumi.Output):
            if not await value.is_known():
                return None
            value = await value.future()
        elif isawaitable(value):
            value = await value
        known[key] = str(value or "")
    return known


async def _look(component: pulumi.Resource, name: str, settings: Mapping[str, str]) -> str:
    limit = lookout.seconds()
    looked = asyncio.wrap_future(_lookout().look(settings))
    try:
        seen = await asyncio.wait_for(asyncio.shield(looked), limit)
    except TimeoutError:
        raise Failure(
            f"Azure has not answered within {limit:g} s",
            "run again, or allow more seconds in ARCGATEWAY_OBSERVER_SECONDS",
        ) from None
    if seen is None or in_place(seen, settings["ARC_GATEWAY_ID"]):
        return ""
    applied = await _applied(component, name)
    return drift(settings["ARC_CLUSTER_NAME"], seen, applied, datetime.now(UTC)) if applied else ""


async def _applied(component: pulumi.Resource, name: str) -> Optional[Applied]:
    """What the last update of a cluster left; None for one that is yet to be created.

    Without it, a cluster that is declared for the first time, or with another gateway, would look like drift.
    """
    urn = await pulumi.create_urn(name, _COMMAND, component).future()
    stored = (await _state()).get(urn or "")
    return Applied.reported(json.loads(stored["outputs"]["stdout"])) if stored else None


_states: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Future[Mapping[str, Any]]] = WeakKeyDictionary()


def _state() -> asyncio.Future[Mapping[str, Any]]:
    """The outputs of all resources of this stack as the last update left them, by URN; read once."""
    loop = asyncio.get_running_loop()
    if loop not in _states:
        _states[loop] = asyncio.ensure_future(_read_state())
    return _states[loop]


async def _read_state() -> Mapping[str, Any]:
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    try:
        answer = await pulumi.runtime.invoke_async(
            "pulumi:pulumi:readStackResourceOutputs", {"stackName": stack}, pulumi.InvokeOptions()
        )
    except Exception as error:
        raise Failure(f"the state of {stack} cannot be read ({error})", "check the backend of the stack") from error
    return cast(Mapping[str, Any], answer["outputs"])


@functools.cache
def _lookout() -> lookout.Lookout:
    return lookout.Lookout()


@functools.cache
def _warn(message: str) -> None:
    """Say it once, however many clusters it is true of."""
    pulumi.log.warn(message)
