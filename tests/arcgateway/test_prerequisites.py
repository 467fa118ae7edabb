"""What is looked for before the first write, as far as no Azure is needed: judging, and how the looks are taken.

Against a local Azure with restricted callers: tests/sandbox/azure/test_permissions_before_writing.py.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import pytest
from driver_world import CLUSTER, GATEWAY, SUBSCRIPTION, World

from arcgateway.arm import PUBLIC_CLOUD, Arm, Refused
from arcgateway.association import Seen, Step
from arcgateway.azure_cli import Change
from arcgateway.driver_settings import DriverSettings
from arcgateway.errors import Failure
from arcgateway.ids import ConnectedClusterId, GatewayId
from arcgateway.prerequisites import check, together
from arcgateway.proxy import ProxySettings
from arcgateway.rights import (
    ASSOCIATE,
    ASSOCIATE_ACTIONS,
    CREATE_GROUP,
    DISCONNECT,
    DISCONNECT_ACTIONS,
    GATEWAY_ACTIONS,
    ONBOARD,
    ONBOARD_ACTIONS,
    READ_GATEWAY,
    missing,
    roles_for,
)

ELSEWHERE = "66666666-2222-3333-4444-555555555555"
WANTED = DriverSettings(cluster=ConnectedClusterId.parse(CLUSTER), location="eastus", gateway=GatewayId.parse(GATEWAY))
CONNECT = (Step.CONNECT,)
NEW = Seen(None, None)


class FakeArm:
    """Answers with everything in order, but for what a test puts in its place by the end of the path."""

    cloud = PUBLIC_CLOUD
    caller = ""

    def __init__(self, answers: Mapping[str, Any] | None = None, meeting: threading.Barrier | None = None) -> None:
        self.asked: list[str] = []
        self._answers = {
            "/providers/Microsoft.Kubernetes": _registered("East US", "West Europe"),
            "/providers/Microsoft.KubernetesConfiguration": _registered(),
            "/providers/Microsoft.HybridCompute": _registered(),
            "/providers/Microsoft.ExtendedLocation": {"registrationState": "NotRegistered"},
            "/permissions": [{"actions": ["*"], "notActions": []}],
            "/gateways/gw": {"properties": {"gatewayEndpoint": "abc.gw.arc.azure.com"}},
            "/resourceGroups/rg": {},
            f"/subscriptions/{SUBSCRIPTION}": {"tenantId": "one"},
            f"/subscriptions/{ELSEWHERE}": {"tenantId": "ONE"},
            **(answers or {}),
        }
        self._meeting = meeting

    def get(self, path: str, api_version: str) -> Any:
        self.asked.append(path)
        if self._meeting is not None:
            self._meeting.wait(60)
        answer = next(answer for end, answer in self._answers.items() if path.endswith(end))
        if isinstance(answer, Failure):
            raise answer
        return answer

    list = get


def _registered(*locations: str) -> dict[str, Any]:
    return {
        "registrationState": "Registered",
        "resourceTypes": [{"resourceType": "connectedClusters", "locations": list(locations)}],
    }


def looked(arm: FakeArm, wanted: DriverSettings = WANTED, seen: Seen = NEW, steps: Any = CONNECT) -> list[str]:
    """What was told; raises what `check` raises."""
    told: list[str] = []
    check(cast(Arm, arm), wanted, seen, steps, told.append)
    return told


def test_all_looks_of_a_new_cluster_are_taken_at_once() -> None:
    """Each read waits until all of them have begun."""
    arm = FakeArm(meeting=threading.Barrier(6))
    assert looked(arm) == []
    assert len(arm.asked) == 6


def test_looks_at_a_gateway_elsewhere_are_taken_at_once_too() -> None:
    arm = FakeArm(meeting=threading.Barrier(9))
    gateway = GatewayId.parse(GATEWAY.replace(SUBSCRIPTION, ELSEWHERE))
    assert looked(arm, replace(WANTED, gateway=gateway)) == []
    assert len(arm.asked) == 9


def test_a_change_of_tags_asks_for_little() -> None:
    arm = FakeArm({"/permissions": [{"actions": ["Microsoft.Kubernetes/*"]}]})
    seen = Seen({"properties": {}}, None)
    assert looked(arm, replace(WANTED, gateway=None), seen, (Change(tags={"a": "b"}),)) == []
    assert len(arm.asked) == 3


def test_a_gateway_that_the_caller_sees_in_another_tenant_is_refused() -> None:
    gateway = GatewayId.parse(GATEWAY.replace(SUBSCRIPTION, ELSEWHERE))
    arm = FakeArm({f"/subscriptions/{ELSEWHERE}": {"tenantId": "two"}})
    with pytest.raises(Failure, match=r"belongs to tenant two, the cluster's to one.*of its own tenant"):
        looked(arm, replace(WANTED, gateway=gateway))


def test_what_azure_does_not_show_is_told_and_stops_nothing() -> None:
    unknown = {"/providers/Microsoft.HybridCompute": None, "/resourceGroups/rg": Refused("no", "ask", "/x", 403, "No")}
    (told,) = looked(FakeArm(unknown))
    assert told.startswith(f"whether Microsoft.HybridCompute is registered in subscription {SUBSCRIPTION}")


def test_a_look_that_may_succeed_later_is_a_transient_failure_unless_there_is_a_lasting_one() -> None:
    busy = Refused("busy", "later", "/x", 429, "TooManyRequests", transient=True, retry_after=7)
    with pytest.raises(Failure) as caught:
        looked(FakeArm({"/permissions": busy}))
    assert caught.value.transient and caught.value.retry_after == 7
    with pytest.raises(Failure, match="busy; Azure has no connected clusters in brazilsouth") as both:
        looked(FakeArm({"/permissions": busy}), replace(WANTED, location="brazilsouth"))
    assert not both.value.transient


def test_a_provider_that_is_being_registered_takes_writes_already() -> None:
    assert looked(FakeArm({"/providers/Microsoft.HybridCompute": {"registrationState": "Registering"}})) == []
    with pytest.raises(Failure, match="is NotRegistered in"):
        looked(FakeArm({"/providers/Microsoft.HybridCompute": {}}))


def test_the_provider_of_custom_locations_is_asked_for_and_not_insisted_on() -> None:
    (told,) = looked(FakeArm(), replace(WANTED, flags={"ARC_CUSTOM_LOCATIONS_OID": "an-object-id"}))
    assert "Microsoft.ExtendedLocation is NotRegistered" in told
    assert f"az provider register --namespace Microsoft.ExtendedLocation --subscription {SUBSCRIPTION}" in told


def test_another_cloud_has_no_gateways() -> None:
    arm = FakeArm()
    arm.cloud = replace(PUBLIC_CLOUD, name="AzureUSGovernment")
    with pytest.raises(Failure, match="AzureUSGovernment has no Arc gateways"):
        looked(arm)


def test_findings_of_the_same_cause_and_mend_are_told_once() -> None:
    one, other = Failure("a", "do it", transient=True, retry_after=3), Failure("b", "do it", retry_after=5)
    assert together([one]) is one
    both = together([one, other, one])
    assert (both.cause, both.mend, both.transient, both.retry_after) == ("a; b", "do it", False, 5)


@pytest.mark.parametrize(
    ("held", "lacks"),
    [
        ([{"actions": ["*"]}], 0),
        ([{"actions": ["*/read", "microsoft.KUBERNETES/connectedClusters/*"]}], 0),
        ([{"actions": ["*/read"], "notActions": []}], 1),
        ([{"actions": ["*"], "notActions": ["Microsoft.Kubernetes/*/Write"]}], 1),
        ([{"actions": ["*"], "notActions": ["*"]}, {"actions": ["*"]}], 0),
        ([{"actions": None}], 3),
        ([{"actions": ["Microsoft.Kubernetes/connectedClusters"]}, {"dataActions": ["*"]}], 3),
        ([], 3),
    ],
)
def test_rights_are_judged_as_azure_judges_roles(held: list[dict[str, Any]], lacks: int) -> None:
    assert len(missing(ONBOARD, held)) == lacks


def test_the_fewest_built_in_roles_are_named() -> None:
    assert roles_for(ONBOARD) == ("Kubernetes Cluster - Azure Arc Onboarding",)
    assert roles_for((READ_GATEWAY,)) == ("Arc Gateway Manager",)
    assert len(roles_for(ASSOCIATE) or ()) == 2
    assert roles_for(DISCONNECT) is None and roles_for((CREATE_GROUP,)) is None


def test_a_cluster_teams_actions_create_no_gateway() -> None:
    cluster_team = {*ASSOCIATE_ACTIONS, *ONBOARD_ACTIONS, *DISCONNECT_ACTIONS}
    assert not any(action.endswith(("gateways/write", "gateways/delete", "/*")) for action in cluster_team)
    documented = {
        "Microsoft.Kubernetes/connectedClusters/settings/default/write",
        "Microsoft.HybridCompute/gateways/read",
        "Microsoft.HybridCompute/gateways/write",
    }
    assert documented <= {*ASSOCIATE_ACTIONS, *GATEWAY_ACTIONS}


def test_a_list_of_what_is_not_there_is_refused_and_the_caller_is_the_service_principal(scene: World) -> None:
    arm = Arm(ProxySettings(), scene.env, dict)
    with pytest.raises(Refused, match="ResourceNotFound") as caught:
        arm.list(
            f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Kubernetes/connectedClusters", "2025-08-01-preview"
        )
    assert caught.value.status == 404 and caught.value.code == "ResourceNotFound"
    assert arm.caller == "client"
    assert Arm(ProxySettings(), {"ARM_CLIENT_ID": "client"}, dict).caller == ""


@pytest.mark.parametrize("link", ["https://elsewhere.example/next", "https://{host}/{path}?page=2"])
def test_a_next_page_elsewhere_or_in_a_circle_is_not_followed(scene: World, link: str) -> None:
    path = CLUSTER
    address = link.format(host=scene.host, path=path.lstrip("/"))
    scene.change(cluster={"value": [{"id": 1}], "nextLink": address})
    with pytest.raises(Failure, match="which is no next page of"):
        Arm(ProxySettings(), scene.env, dict).list(path, "2025-08-01-preview")
    assert not any("elsewhere" in line for line in scene.requests)
