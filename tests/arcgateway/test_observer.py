"""What the observer asks Azure, how often, what it answers, and what is called drift."""

from __future__ import annotations

import io
import json
import threading
import time
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from waiting import until

from arcgateway import arm
from arcgateway.drift import Applied, drift, in_place
from arcgateway.errors import Failure
from arcgateway.held import Held
from arcgateway.ids import ConnectedClusterId
from arcgateway.lookout import seconds
from arcgateway.observer import SIDE_BY_SIDE, Observer, serve
from arcgateway.proxy import ProxySettings, ProxyUrl

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GATEWAYS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/arc/providers/Microsoft.HybridCompute/gateways"
OURS, OTHER = f"{GATEWAYS}/gw", f"{GATEWAYS}/other"
EAST = ConnectedClusterId(SUBSCRIPTION, "arc", "east")
DIRECT = ProxySettings()
CLUSTER_CHANGED, SETTING_CHANGED = "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"
LOOKED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
WAIT = 30  # seconds until a test gives up on a future


def cluster(name: str = "east", *, enabled: bool = True) -> dict[str, Any]:
    return {
        "id": str(ConnectedClusterId(SUBSCRIPTION, "arc", name)),
        "properties": {"gateway": {"enabled": enabled}},
        "systemData": {"lastModifiedAt": CLUSTER_CHANGED},
    }


def setting(gateway: str | None = OURS) -> dict[str, Any]:
    return {
        "properties": {"gatewayProperties": {"gatewayResourceId": gateway}},
        "systemData": {"lastModifiedAt": SETTING_CHANGED},
    }


class Azure:
    """Answers as the Resource Manager does, and remembers what was asked."""

    def __init__(self, *clusters: str, delay: float = 0.0) -> None:
        self.clusters = {str(cluster(name)["id"]): cluster(name) for name in clusters}
        self.settings = {
            f"{one}/providers/Microsoft.HybridCompute/settings/default": setting() for one in self.clusters
        }
        self.asked: list[str] = []
        self.most = 0
        self.failure: Failure | None = None
        self._delay = delay
        self._now = 0
        self._lock = threading.Lock()

    def list(self, path: str, _version: str) -> list[dict[str, Any]]:
        self._answer(path)
        if self.failure is not None:
            raise self.failure
        return list(self.clusters.values())

    def get(self, resource_id: str, _version: str) -> dict[str, Any] | None:
        self._answer(resource_id)
        return self.settings.get(resource_id) or self.clusters.get(resource_id)

    def _answer(self, path: str) -> None:
        with self._lock:
            self.asked.append(path)
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(self._delay)
        with self._lock:
            self._now -= 1

    def observer(self) -> Observer:
        return Observer(lambda _traffic: cast(arm.Arm, self))


def refused(status: int) -> arm.Refused:
    return arm.Refused("Azure refused", "ask for the right", "/subscriptions/x", status, "AuthorizationFailed")


def test_a_cluster_is_seen_with_its_setting() -> None:
    seen = Azure("east").observer().look(EAST, DIRECT).result(WAIT)
    assert in_place(seen, OURS)
    assert not in_place(seen, OTHER)
    assert not in_place(seen, "")


def test_ids_compare_without_regard_to_case() -> None:
    azure = Azure("east")
    azure.clusters = {key.upper(): {**body, "id": key.upper()} for key, body in azure.clusters.items()}
    assert in_place(azure.observer().look(EAST, DIRECT).result(WAIT), OURS.upper())


def test_one_list_for_a_subscription_and_one_read_for_a_cluster() -> None:
    names = [f"c{number}" for number in range(50)]
    azure = Azure(*names)
    observer = azure.observer()
    clusters = [ConnectedClusterId(SUBSCRIPTION, "arc", name) for name in names]
    for _ in range(2):
        for look in [observer.look(one, DIRECT) for one in clusters]:
            assert in_place(look.result(WAIT), OURS)
    assert len(azure.asked) == 51
    assert len(set(azure.asked)) == 51


def test_many_are_asked_side_by_side_where_azure_is_slow() -> None:
    names = [f"c{number}" for number in range(60)]
    azure = Azure(*names, delay=0.2)
    observer = azure.observer()
    looks = [observer.look(ConnectedClusterId(SUBSCRIPTION, "arc", name), DIRECT) for name in names]
    assert all(in_place(look.result(WAIT), OURS) for look in looks)
    assert 2 < azure.most <= SIDE_BY_SIDE


def test_a_request_that_hangs_holds_up_no_other() -> None:
    azure, released = Azure("east", "west"), threading.Event()
    get = azure.get

    def hanging(resource_id: str, version: str) -> dict[str, Any] | None:
        if "/east/" in resource_id:
            released.wait(WAIT)
        return get(resource_id, version)

    azure.get = hanging  # type: ignore[method-assign]
    observer = azure.observer()
    east = observer.look(EAST, DIRECT)
    west = observer.look(ConnectedClusterId(SUBSCRIPTION, "arc", "west"), DIRECT)
    assert in_place(west.result(WAIT), OURS)
    assert not east.done()
    released.set()
    assert in_place(east.result(WAIT), OURS)


def test_nothing_more_is_asked_of_a_cluster_that_is_gone() -> None:
    azure = Azure("west")
    assert azure.observer().look(EAST, DIRECT).result(WAIT) == Held(None, None)
    assert len(azure.asked) == 1


def test_who_may_not_list_reads_each_cluster() -> None:
    azure = Azure("east")
    azure.failure = refused(403)
    observer = azure.observer()
    assert in_place(observer.look(EAST, DIRECT).result(WAIT), OURS)
    gone = observer.look(ConnectedClusterId(SUBSCRIPTION, "arc", "gone"), DIRECT)
    assert gone.result(WAIT) == Held(None, None)


@pytest.mark.parametrize("failure", [refused(404), Failure("unreachable", "check")], ids=["refused", "unreachable"])
def test_a_failure_is_handed_on(failure: Failure) -> None:
    azure = Azure("east")
    azure.failure = failure
    assert azure.observer().look(EAST, DIRECT).exception(WAIT) is failure


def test_each_way_out_is_taken_by_itself() -> None:
    opened: list[ProxySettings] = []
    azure = Azure("east")

    def open_arm(traffic: ProxySettings) -> arm.Arm:
        opened.append(traffic)
        return cast(arm.Arm, azure)

    proxied = ProxySettings(https=ProxyUrl.parse("http://proxy.corp:3128"))
    observer = Observer(open_arm)
    for traffic in (DIRECT, proxied, DIRECT):
        observer.look(EAST, traffic).result(WAIT)
    assert opened == [DIRECT, proxied]


def variables(name: str) -> dict[str, str]:
    return {"ARC_SUBSCRIPTION_ID": SUBSCRIPTION, "ARC_RESOURCE_GROUP": "arc", "ARC_CLUSTER_NAME": name}


def answers(azure: Azure, *settings: dict[str, str]) -> list[dict[str, Any]]:
    """What is answered to these questions, in their order."""
    lines = "".join(json.dumps({"number": number, "settings": asked}) + "\n" for number, asked in enumerate(settings))
    written = io.StringIO()
    serve(azure.observer(), io.StringIO(lines), written)
    until(lambda: written.getvalue().count("\n") == len(settings))
    return sorted(map(json.loads, written.getvalue().splitlines()), key=lambda answer: answer["number"])


def test_questions_are_answered_by_number() -> None:
    azure = Azure("east", "west")
    east, gone, wrong = answers(azure, variables("east"), variables("gone"), {"ARC_CLUSTER_NAME": "alone"})
    assert east == {"number": 0, "cluster": cluster(), "setting": setting()}
    assert gone == {"number": 1, "cluster": None, "setting": None}
    assert wrong == {"number": 2}


def test_a_failure_is_an_answer() -> None:
    azure = Azure("east")
    azure.failure = Failure("Azure is away", "wait for it")
    (answer,) = answers(azure, variables("east"))
    assert answer["failure"] == {"cause": "Azure is away", "mend": "wait for it"}


def test_a_defect_is_told_as_one() -> None:
    azure = Azure("east")
    azure.failure = KeyError("id")  # type: ignore[assignment]
    (answer,) = answers(azure, variables("east"))
    assert "KeyError" in answer["failure"]["cause"]


@pytest.mark.parametrize(
    ("seen", "applied", "words"),
    [
        (Held(cluster(), setting()), OURS, ""),
        (Held(cluster(), setting(OURS.upper())), OURS, ""),
        (Held(cluster(enabled=False), None), "", ""),
        (Held(cluster(enabled=False), setting(None)), "", ""),
        (Held(cluster(enabled=False), setting(None)), OURS, f"gw is disabled, changed in Azure {SETTING_CHANGED}"),
        (Held(cluster(enabled=False), None), OURS, f"gw is disabled, changed in Azure {CLUSTER_CHANGED}"),
        (
            Held(cluster(), setting(OTHER)),
            OURS,
            f"{OTHER} is set instead of gw, changed in Azure {SETTING_CHANGED}",
        ),
        (
            Held(cluster(enabled=False), setting(OTHER)),
            OURS,
            f"{OTHER} is set instead of gw, and disabled, changed in Azure {SETTING_CHANGED}",
        ),
        (
            Held(cluster(), setting(None)),
            OURS,
            f"the cluster is told to use a gateway, but gw is not set, changed in Azure {SETTING_CHANGED}",
        ),
        (
            Held(cluster(enabled=False), setting()),
            OURS,
            f"gw is set, but the cluster is told to use no gateway, changed in Azure {CLUSTER_CHANGED}",
        ),
        (
            Held(cluster(), setting()),
            "",
            f"the gateway gw is enabled, though none is declared, changed in Azure {SETTING_CHANGED}",
        ),
    ],
    ids=[
        "in place",
        "in place in capitals",
        "no gateway",
        "no gateway any more",
        "disabled",
        "setting deleted",
        "switched",
        "switched and disabled",
        "setting emptied",
        "cluster half disabled",
        "enabled by somebody",
    ],
)
def test_drift_in_words(seen: Held, applied: str, words: str) -> None:
    assert drift("east", seen, Applied(applied, ""), LOOKED_AT) == words


def test_a_cluster_that_is_gone_is_told_by_the_association_that_went_with_it() -> None:
    gone = Held(None, None)
    said = drift("east", gone, Applied(OURS, "2026-01-01T09:00:00Z"), LOOKED_AT)
    assert said == "Azure holds no connected cluster east any more, associated 2026-01-01T09:00:00Z"
    without = drift("east", gone, Applied("", ""), LOOKED_AT)
    assert without == "Azure holds no connected cluster east any more, looked for 2026-01-01T12:00:00Z"


@pytest.mark.parametrize(
    ("report", "applied"),
    [
        ({"gatewayEnabled": True, "gatewayResourceId": OURS, "associatedAt": "T"}, Applied(OURS, "T")),
        ({"gatewayEnabled": False, "gatewayResourceId": None, "associatedAt": None}, Applied("", "")),
        ({"gatewayEnabled": None, "paused": True}, Applied("", "")),
    ],
    ids=["associated", "without a gateway", "paused"],
)
def test_what_was_applied_is_read_from_the_report(report: dict[str, Any], applied: Applied) -> None:
    assert Applied.reported(report) == applied


def test_seconds_come_from_the_environment() -> None:
    assert seconds({}) == 10
    assert seconds({"ARCGATEWAY_OBSERVER_SECONDS": "2.5"}) == 2.5


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan"])
def test_seconds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(Failure, match="ARCGATEWAY_OBSERVER_SECONDS"):
        seconds({"ARCGATEWAY_OBSERVER_SECONDS": text})
