"""When a look is taken, what its outcome does to a command, and what happens without one. The engine's part is in
tests/integration/test_drift.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import pulumi
import pytest

from arcgateway.drift import Applied
from arcgateway.errors import Failure
from arcgateway.held import Held
from components import drift

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GATEWAYS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/arc/providers/Microsoft.HybridCompute/gateways"
OURS, OTHER = f"{GATEWAYS}/gw", f"{GATEWAYS}/other"
ENVIRONMENT: dict[str, Any] = {
    "ARC_SUBSCRIPTION_ID": SUBSCRIPTION,
    "ARC_RESOURCE_GROUP": "arc",
    "ARC_CLUSTER_NAME": "east",
    "ARC_GATEWAY_ID": OURS,
    "ARC_PROXY_HTTPS": "http://proxy.corp:3128",
}
ASSOCIATED = Applied(OURS, "2026-01-01T09:00:00Z")


def holds(gateway: str) -> Held:
    """What Azure shows of a cluster that uses this gateway, or none where empty."""
    when = {"lastModifiedAt": "2026-01-01T11:00:00Z"}
    setting = {"properties": {"gatewayProperties": {"gatewayResourceId": gateway or None}}, "systemData": when}
    return Held({"properties": {"gateway": {"enabled": bool(gateway)}}}, setting)


class World:
    """What Azure and the state answer in a test, and what was said."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.azure: Future[Held | None] = Future()
        self.applied: Applied | None = ASSOCIATED
        self.looked: list[Mapping[str, str]] = []
        self.read = 0
        self.warnings: list[str] = []
        monkeypatch.setattr(drift, "_lookout", lambda: self)
        monkeypatch.setattr(drift, "_applied", self._applied)
        monkeypatch.setattr(pulumi.log, "warn", self.warnings.append)
        drift._warn.cache_clear()

    def warm_up(self) -> None:
        """There is nothing to start."""

    def look(self, settings: Mapping[str, str]) -> Future[Held | None]:
        self.looked.append(settings)
        return self.azure

    async def _applied(self, _component: pulumi.Resource, _name: str) -> Applied | None:
        self.read += 1
        return self.applied


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def found(how: drift.Mode = "require", **environment: Any) -> str:
    """What is found of the cluster `east` with these variables."""
    loop = asyncio.get_event_loop()
    component: Any = None  # only the state is looked up by it

    async def look() -> str:
        return await drift._found(component, "east", {**ENVIRONMENT, **environment}, how)

    return loop.run_until_complete(look())


def test_what_is_in_place_asks_nothing_of_the_state(world: World) -> None:
    world.azure.set_result(holds(OURS))
    assert found() == ""
    assert world.looked == [{**ENVIRONMENT, "ARC_PROXY_HTTP": "", "ARC_PROXY_SKIP_RANGE": ""}]
    assert world.read == 0


def test_what_somebody_has_changed_is_drift(world: World) -> None:
    world.azure.set_result(holds(""))
    assert found() == "gw is disabled, changed in Azure 2026-01-01T11:00:00Z"


def test_another_gateway_in_the_configuration_is_no_drift(world: World) -> None:
    world.azure.set_result(holds(OURS))
    assert found(ARC_GATEWAY_ID=OTHER) == ""
    assert world.read == 1


def test_a_cluster_that_is_yet_to_be_created_has_no_drift(world: World) -> None:
    world.azure.set_result(Held(None, None))
    world.applied = None
    assert found() == ""


def test_what_is_not_known_before_the_update_is_not_looked_at(world: World) -> None:
    gateway = pulumi.Output(set(), _done(None), _done(False))
    assert found(ARC_GATEWAY_ID=gateway) == ""
    assert world.looked == []


def test_wrong_settings_are_left_to_the_driver(world: World) -> None:
    world.azure.set_result(None)
    assert found(ARC_SUBSCRIPTION_ID="none") == ""
    assert world.read == 0


def failing(world: World) -> None:
    world.azure.set_exception(Failure("no token for Azure", "run `az login`"))


def silent(_world: World) -> None:
    """Azure never answers."""


@pytest.mark.parametrize(
    ("unanswered", "words"),
    [(failing, ("no token for Azure", "az login")), (silent, ("within 0.01 s", "ARCGATEWAY_OBSERVER_SECONDS"))],
    ids=["refused", "too late"],
)
@pytest.mark.parametrize("how", ["require", "warn"])
def test_without_an_answer(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    unanswered: Callable[[World], None],
    words: tuple[str, ...],
    how: drift.Mode,
) -> None:
    monkeypatch.setenv("ARCGATEWAY_OBSERVER_SECONDS", "0.01")
    unanswered(world)
    if how == "require":
        with pytest.raises(pulumi.RunError, match="east") as raised:
            found(how)
        said = str(raised.value)
        assert "set `drift` to warn" in said
    else:
        assert found(how) == found(how) == ""
        (said,) = world.warnings
    assert all(word in said for word in words)


def test_the_default_is_stricter_in_pipelines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert drift.mode(None) == "warn"
    monkeypatch.setenv("CI", "true")
    assert drift.mode(None) == "require"
    assert drift.mode("off") == "off"


def watched(environment: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Mapping[str, Any], list[str]]:
    """What a command of the cluster `east` gets: its environment, and what is ignored of it by then."""
    monkeypatch.setattr(pulumi.runtime.settings, "get_monitor", lambda: None)
    component: Any = None  # only the state is looked up by it

    async def run() -> tuple[Mapping[str, Any], list[str]]:
        options = drift.watched(component, "east", environment, "require")
        return await options["environment"], options["ignore_changes"]

    return asyncio.get_event_loop().run_until_complete(run())


def test_drift_becomes_one_more_variable_and_leaves_the_rest_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.azure.set_result(holds(""))
    environment = {**ENVIRONMENT, "ARC_TAGS": (secret := pulumi.Output.secret("s"))}
    given, ignored = watched(environment, monkeypatch)
    assert given == {**environment, "ARC_DRIFT": "gw is disabled, changed in Azure 2026-01-01T11:00:00Z"}
    assert given["ARC_TAGS"] is secret
    assert ignored == []


def test_without_drift_an_earlier_one_stays_in_the_state(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.azure.set_result(holds(OURS))
    assert watched(ENVIRONMENT, monkeypatch) == (ENVIRONMENT, ["environment.ARC_DRIFT"])


def test_the_command_keeps_the_list_that_drift_empties() -> None:
    ignored = ["environment.ARC_DRIFT"]
    options = pulumi.ResourceOptions(ignore_changes=ignored, delete_before_replace=True)
    defaults, own = pulumi.ResourceOptions(version="1"), pulumi.ResourceOptions(replace_on_changes=["triggers[*]"])
    merged = pulumi.ResourceOptions.merge(pulumi.ResourceOptions.merge(defaults, options), own)
    assert merged.ignore_changes is ignored
    assert merged.delete_before_replace is True


def test_a_setting_that_is_awaited_is_looked_by(world: World) -> None:
    world.azure.set_result(holds(OURS))
    assert found(ARC_GATEWAY_ID=_done(OURS)) == ""
    assert world.looked[0]["ARC_GATEWAY_ID"] == OURS


def _done(value: Any) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = asyncio.get_event_loop().create_future()
    future.set_result(value)
    return future
