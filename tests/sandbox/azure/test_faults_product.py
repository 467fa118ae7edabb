"""What the product makes of each fault of the local Azure, and what its user is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from driver_world import failed
from local_azure import CLUSTERS, GATEWAYS, GROUPS, LocalAzure
from product_world import Scene, scene, variables

from arcgateway.arm import Arm, Refused
from arcgateway.errors import Failure
from arcgateway.ids import ConnectedClusterId
from arcgateway.observer import Observer
from arcgateway.proxy import ProxySettings

GATEWAY_TYPE = "Microsoft.HybridCompute/gateways"
CLUSTER_TYPE = "Microsoft.Kubernetes/connectedClusters"
pytestmark = pytest.mark.long
ALONE = {"ARC_ON_UNREACHABLE": "azure-only"}

Set = Callable[..., None]


@pytest.fixture
def fault(azure: LocalAzure) -> Iterator[Set]:
    """Sets a fault, for the test."""
    yield azure.fault
    azure.clear_faults()


@pytest.fixture(scope="module")
def group(azure: LocalAzure) -> str:
    return azure.group()


@pytest.fixture(scope="module")
def gateway(azure: LocalAzure, group: str) -> str:
    return azure.gateway(group, "gw")


@pytest.fixture
def edge(azure: LocalAzure, tmp_path: Path, gateway: str) -> Iterator[Scene]:
    with scene(azure, tmp_path, gateway) as made:
        yield made


@contextmanager
def unlucky_gateway(azure: LocalAzure, group: str) -> Iterator[str]:
    """One that is made under the fault that is set."""
    identifier = f"{group}/providers/{GATEWAY_TYPE}/unlucky"
    assert azure.call("PUT", identifier, GATEWAYS, {"location": "eastus"}).status_code == 201
    azure.advance(1)
    yield identifier
    azure.clear_faults()
    azure.call("DELETE", identifier, GATEWAYS)
    azure.advance(1)


def reader(azure: LocalAzure) -> Arm:
    def no_token(audience: str) -> Any:
        raise AssertionError(audience)

    return Arm(ProxySettings(), variables(azure), no_token)


def refusal(arm: Arm, group: str) -> Failure:
    with pytest.raises(Failure) as caught:
        arm.get(group, GROUPS)
    return caught.value


def struck(azure: LocalAzure) -> int:
    return sum(one["struck"] for one in azure.faults())


def test_throttling_is_waited_out(fault: Set, edge: Scene) -> None:
    fault("throttle", retryAfter=1, count=1)
    done = edge.drive("associate")
    assert done.returncode == 0 and edge.held() == (True, edge.gateway)
    assert "(SubscriptionRequestsThrottled: " in done.stderr and "; trying again in " in done.stderr
    fault("throttle", retryAfter=3600)
    assert refusal(reader(edge.azure), edge.group).retry_after == 3600
    last = failed(edge.drive("associate"))
    assert "SubscriptionRequestsThrottled" in last and last.endswith("trying again is over: run again later")


@pytest.mark.parametrize(("html", "detail"), [(False, "ServiceUnavailable: "), (True, "status 503")])
def test_a_server_error_is_told_as_one_that_passes(
    azure: LocalAzure, fault: Set, group: str, html: bool, detail: str
) -> None:
    fault("server-error", status=503, html=html)
    told = refusal(reader(azure), group)
    assert told.transient and f"Azure refused GET {group} ({detail}" in told.cause and told.mend == "run again later"
    cluster = ConnectedClusterId(azure.identity.subscription_id, group.rsplit("/", 1)[1], "edge")
    looked = Observer(lambda _: reader(azure)).look(cluster, ProxySettings()).exception(timeout=20)
    assert isinstance(looked, Refused) and looked.status == 503 and looked.mend == "run again later"


def test_one_reset_is_not_noticed_and_lasting_ones_are_told(azure: LocalAzure, fault: Set, group: str) -> None:
    fault("reset", count=3)
    arm = reader(azure)
    told = refusal(arm, group)
    assert told.transient and "localhost cannot be reached" in told.cause and "check the proxy" in told.mend
    assert arm.get(group, GROUPS) is not None and struck(azure) == 3


def test_slow_answers_are_waited_for(azure: LocalAzure, fault: Set, group: str) -> None:
    whole = reader(azure).get(group, GROUPS)
    fault("slow", firstByte=0.2, bytesPerSecond=2000)
    assert reader(azure).get(group, GROUPS) == whole and struck(azure) == 1


def test_a_write_whose_answer_is_lost_is_done_again_to_the_same_end(fault: Set, edge: Scene) -> None:
    assert edge.drive("associate").returncode == 0
    edge.world.change(unreachable=True)
    fault("lost-response", type=CLUSTER_TYPE, count=1)
    fault("lost-response", type="Microsoft.HybridCompute/settings", count=1)
    done = edge.drive("disassociate", **ALONE, ARCGATEWAY_DEADLINE="2")
    assert done.returncode == 0 and done.stderr.splitlines()[-1] == (
        "edge: changed in Azure alone, the cluster is left as it is"
    )
    assert struck(edge.azure) == 2 and edge.held() == (False, None)


def test_az_is_run_again_after_a_lost_answer_which_is_told(fault: Set, edge: Scene) -> None:
    fault("lost-response", type=CLUSTER_TYPE, count=1)
    done = edge.drive("associate")
    assert done.returncode == 0 and edge.held() == (True, edge.gateway)
    assert "a connection was lost or could not be made" in done.stderr and "; trying again in " in done.stderr


def test_a_stale_read_after_a_write_is_no_reason_to_write_again(fault: Set, edge: Scene) -> None:
    fault("stale-read", reads=1, type="Microsoft.HybridCompute/settings")
    done = edge.drive("associate")
    assert done.returncode == 0 and "waiting for Azure to show what was changed of edge" in done.stderr
    assert edge.world.writes() == ["update"] and edge.held() == (True, edge.gateway)


def test_what_azure_never_shows_is_told(fault: Set, edge: Scene) -> None:
    fault("stale-read", within=1000, type="Microsoft.HybridCompute/settings")
    last = failed(edge.drive("associate", ARCGATEWAY_DEADLINE="12"))
    assert last.startswith("Azure has taken the changes to edge and does not show them: run again")
    assert edge.world.writes() == ["update"]


@pytest.mark.parametrize(("kind", "state"), [("operation-failed", "Failed"), ("operation-canceled", "Canceled")])
def test_an_operation_that_did_not_end_well_is_told(fault: Set, edge: Scene, group: str, kind: str, state: str) -> None:
    fault(kind, type=GATEWAY_TYPE)
    with unlucky_gateway(edge.azure, group) as unlucky:
        last = failed(edge.drive("associate", ARC_GATEWAY_ID=unlucky))
    assert last == f"the gateway {unlucky} is {state}: see the cause in its activity log, and deploy the gateway again"
    assert edge.world.writes() == []

    edge.world.change(unreachable=True)
    fault(kind, type=CLUSTER_TYPE, methods=["DELETE"])
    last = failed(edge.drive("disconnect", **ALONE, ARCGATEWAY_DEADLINE="2"))
    assert last.startswith(f"Azure could not delete {edge.cluster}: it is {state}: see the cause in its activity log")


def test_an_operation_that_never_ends_is_waited_for_in_vain(fault: Set, edge: Scene, group: str) -> None:
    fault("operation-endless", type=GATEWAY_TYPE)
    with unlucky_gateway(edge.azure, group) as unlucky:
        done = edge.drive("associate", ARC_GATEWAY_ID=unlucky, ARCGATEWAY_DEADLINE="8")
    assert f"the gateway {unlucky} is Creating; trying again in " in done.stderr
    assert failed(done).endswith("the time for trying again is over: wait until it is ready, and run again")

    edge.world.change(unreachable=True)
    fault("operation-endless", type=CLUSTER_TYPE, methods=["DELETE"])
    last = failed(edge.drive("disconnect", **ALONE, ARCGATEWAY_DEADLINE="8"))
    assert last.startswith(f"Azure has not deleted {edge.cluster} in time: it is Deleting: run again later")
    assert edge.azure.call("GET", edge.cluster, CLUSTERS).status_code == 200


def test_an_expired_token_is_exchanged_once(azure: LocalAzure, fault: Set, group: str) -> None:
    arm = reader(azure)
    assert arm.get(group, GROUPS) is not None
    fault("expired-token")
    assert arm.get(group, GROUPS) is not None and struck(azure) == 1
    fault("expired-token", tokens="all")
    told = refusal(arm, group)
    assert not told.transient and "ExpiredAuthenticationToken" in told.cause
    assert told.mend.startswith("log in again") and "clock" in told.mend and struck(azure) == 3


def test_a_gateway_that_vanished_stops_an_association_and_not_its_end(
    azure: LocalAzure, fault: Set, tmp_path: Path, group: str
) -> None:
    with scene(azure, tmp_path, azure.gateway(group, "doomed")) as edge:
        fault("gateway-deleted", gateway=edge.gateway)
        last = failed(edge.drive("associate"))
        assert last.startswith(f"there is no gateway {edge.gateway}: create it first") and edge.world.writes() == []
        azure.gateway(group, "doomed")
        assert edge.drive("associate").returncode == 0
        fault("gateway-deleted", gateway=edge.gateway)
        assert edge.held() == (True, edge.gateway), "Azure shows what was set"
        assert edge.drive("disassociate").returncode == 0 and edge.held() == (False, None)


def test_an_outage_of_the_login_is_told_as_one_that_passes(azure: LocalAzure, fault: Set, group: str) -> None:
    fault("login-outage", status=503)
    told = refusal(reader(azure), group)
    assert told.transient and "no token for Azure" in told.cause and "503" in told.cause
    assert told.mend == "the login service has an outage: run again later"
    azure.clear_faults()
    fault("login-outage", status=401, code="AADSTS7000222", message="The secret has expired.")
    told = refusal(reader(azure), group)
    assert not told.transient and "AADSTS7000222" in told.cause and "ARM_CLIENT_SECRET" in told.mend
    azure.clear_faults()
    assert reader(azure).get(group, GROUPS) is not None
