"""What the product finds before its first write, against the local Azure and callers with little right."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from local_azure import GROUPS, LocalAzure
from restricted import LOOK, ONBOARDING, READER, SECRET, Restricted, restricted

from arcgateway import arm as product_arm
from arcgateway import driver
from arcgateway.association import Plan, Seen, Step
from arcgateway.azure_cli import Change
from arcgateway.driver_settings import DriverSettings
from arcgateway.errors import Failure
from arcgateway.ids import ConnectedClusterId, GatewayId
from arcgateway.lifeline import Lifeline
from arcgateway.prerequisites import check
from arcgateway.rights import ASSOCIATE_ACTIONS, DISCONNECT_ACTIONS, ONBOARD_ACTIONS

READ_GATEWAY = "Microsoft.HybridCompute/gateways/read"


class Scene:
    """A group, a caller without rights, and what is wanted: a cluster in the group that uses a gateway of another."""

    def __init__(self, azure: LocalAzure, gateway: str) -> None:
        self.azure = azure
        self.group = azure.group()
        self.gateway = gateway
        self.caller: Restricted = restricted(azure)
        name = self.group.rsplit("/", 1)[1]
        self.cluster = ConnectedClusterId(azure.identity.subscription_id, name, "edge")
        self.wanted = DriverSettings(cluster=self.cluster, location="eastus", gateway=GatewayId.parse(self.gateway))
        self.associate: Plan = (Change(gateway=self.wanted.gateway),)
        self.told: list[str] = []

    def run(self, steps: Plan = (Step.CONNECT,), **changes: object) -> str | None:
        arm = self.caller.arm
        seen = Seen(arm.get(str(self.cluster), product_arm.CLUSTERS), None)
        wanted = DriverSettings(**{**vars(self.wanted), **changes})
        return check(arm, wanted, seen, steps, self.told.append)

    def found(self, steps: Plan = (Step.CONNECT,), **changes: object) -> Failure:
        with pytest.raises(Failure) as caught:
            self.run(steps, **changes)
        return caught.value

    def provider(self, namespace: str, act: str) -> None:
        path = f"{self.azure.subscription}/providers/{namespace}/{act}"
        assert self.azure.call("POST", path, GROUPS).status_code == 200


@pytest.fixture(scope="module")
def gateway(azure: LocalAzure) -> str:
    """The id of one that is ready."""
    return azure.gateway(azure.group(), "gw")


@pytest.fixture
def scene(azure: LocalAzure, gateway: str) -> Scene:
    """With a caller that may read the gateway. A test that unregisters a provider registers it again."""
    made = Scene(azure, gateway)
    made.caller.may(gateway, READ_GATEWAY)
    return made


@pytest.mark.parametrize(
    ("steps", "actions"),
    [
        ("connect", (*ONBOARD_ACTIONS, *ASSOCIATE_ACTIONS)),
        ("associate", ASSOCIATE_ACTIONS),
        ("mend", (*DISCONNECT_ACTIONS, *ONBOARD_ACTIONS, *ASSOCIATE_ACTIONS)),
    ],
)
def test_the_listed_actions_suffice_and_no_caller_needs_more(
    scene: Scene, steps: str, actions: tuple[str, ...]
) -> None:
    plans: dict[str, Plan] = {
        "connect": (Step.CONNECT,),
        "associate": scene.associate,
        "mend": (Step.DISCONNECT, Step.CONNECT),
    }
    if steps == "associate":
        scene.azure.cluster(scene.group, "edge")
    scene.caller.may(scene.group, *LOOK, *actions)
    assert (scene.run(plans[steps]) or "").endswith(".gw.arc.azure.com")
    assert scene.told == []


def test_each_missing_action_is_listed_with_its_scope_and_the_role_that_gives_it(scene: Scene) -> None:
    caller = scene.caller
    caller.may(scene.group, "Microsoft.HybridCompute/settings/*")
    caller.assigned(scene.group, READER)
    found = scene.found()
    assert found.cause == f"the caller lacks Microsoft.Kubernetes/connectedClusters/write at {scene.group}"
    assert found.mend == (
        f"have the scope's owner run `az role assignment create --assignee {caller.client_id} --scope {scene.group} "
        "--role 'Kubernetes Cluster - Azure Arc Onboarding'`"
    )
    caller.assigned(scene.group, ONBOARDING)
    assert scene.run()


def test_who_may_only_read_learns_of_all_writes_at_once(scene: Scene) -> None:
    scene.azure.cluster(scene.group, "edge")
    scene.caller.assigned(scene.azure.subscription, READER)
    found = scene.found(scene.associate)
    for action in (
        "connectedClusters/write",
        "connectedClusters/settings/default/write",
        "HybridCompute/settings/write",
    ):
        assert action in found.cause
    assert f"at {scene.cluster}" in found.cause and "/read" not in found.cause
    assert "'Kubernetes Cluster - Azure Arc Onboarding'" in found.mend and "'Arc Gateway Manager'" in found.mend
    assert not found.transient


def test_a_right_that_no_small_built_in_role_gives_is_asked_for_as_a_custom_role(scene: Scene) -> None:
    scene.caller.assigned(scene.azure.subscription, READER)
    found = scene.found((Step.DELETE_RESOURCE,))
    assert "connectedClusters/delete" in found.cause and "GatewayOperatorRole" in found.mend


def test_an_action_that_a_role_takes_away_is_missing_unless_another_role_gives_it(scene: Scene) -> None:
    write = "Microsoft.Kubernetes/connectedClusters/write"
    scene.caller.may(scene.group, "*", but=("*/connectedClusters/WRITE",))
    assert write in scene.found().cause
    scene.caller.may(scene.group, write)
    assert scene.run()


def test_who_may_look_at_nothing_is_told_so_and_stopped_only_by_what_is_certain(scene: Scene) -> None:
    scene.caller.may(scene.group, *ONBOARD_ACTIONS, *ASSOCIATE_ACTIONS)
    assert scene.run()
    (told,) = scene.told
    assert (
        told.startswith(f"what the caller may do with {scene.cluster} could not be seen") and "permissions/read" in told
    )


def test_who_has_no_role_at_all_is_told_of_the_gateway(azure: LocalAzure, gateway: str) -> None:
    nobody = Scene(azure, gateway)
    with pytest.raises(Failure) as caught:
        check(nobody.caller.arm, nobody.wanted, Seen(None, None), (Step.CONNECT,), nobody.told.append)
    assert caught.value.cause == f"the caller lacks {READ_GATEWAY} at {gateway}, if it is there at all"
    assert "'Arc Gateway Manager'" in caught.value.mend
    assert sorted(line.split(" could not be seen")[0] for line in nobody.told) == [
        f"what the caller may do with {nobody.cluster}",
        *(
            f"whether {name} is registered in subscription {nobody.cluster.subscription}"
            for name in ("Microsoft.HybridCompute", "Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration")
        ),
    ]


@pytest.mark.parametrize(
    "namespace", ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration", "Microsoft.HybridCompute"]
)
def test_an_unregistered_provider_is_named_with_the_command_that_registers_it(scene: Scene, namespace: str) -> None:
    scene.caller.assigned(scene.azure.subscription, "b24988ac-6180-42a0-ab88-20f7382dd24c")
    scene.provider(namespace, "unregister")
    found = scene.found()
    subscription = scene.cluster.subscription
    assert found.cause == f"the resource provider {namespace} is Unregistered in subscription {subscription}"
    assert f"`az provider register --namespace {namespace} --subscription {subscription} --wait`" in found.mend
    if namespace == "Microsoft.HybridCompute":
        assert scene.run(gateway=None) is None, "who wants no gateway needs it not"
    scene.provider(namespace, "register")
    assert scene.run()


def test_a_region_without_connected_clusters_is_refused_with_those_that_have_them(scene: Scene) -> None:
    scene.caller.may(scene.group, "*")
    found = scene.found(location="brazilsouth")
    assert found.cause == "Azure has no connected clusters in brazilsouth"
    assert "centralus, eastasia, eastus, eastus2," in found.mend
    assert scene.run(location="East US")
    scene.azure.cluster(scene.group, "edge")
    assert scene.run(scene.associate, location="brazilsouth"), "a cluster that is there has its region"


def test_a_group_that_is_not_there_is_created_by_who_may(scene: Scene) -> None:
    absent = ConnectedClusterId(scene.cluster.subscription, f"absent-{uuid.uuid4().hex[:6]}", "edge")
    scene.caller.may(scene.azure.subscription, *LOOK, *ONBOARD_ACTIONS, *ASSOCIATE_ACTIONS)
    found = scene.found(cluster=absent)
    assert "Microsoft.Resources/subscriptions/resourceGroups/write" in found.cause
    assert found.cause.endswith(f"at {scene.azure.subscription}")
    scene.caller.may(scene.azure.subscription, "Microsoft.Resources/subscriptions/resourceGroups/write")
    assert scene.run(cluster=absent)
    assert "give the cluster a location" in scene.found(cluster=absent, location="").mend


def test_a_gateway_of_another_tenant_is_one_finding(scene: Scene) -> None:
    foreign, tenant = str(uuid.uuid4()), str(uuid.uuid4())
    body = {"subscriptionId": foreign, "tenantId": tenant}
    assert scene.azure.call("POST", "/sandbox/foreign-subscriptions", body=body).status_code == 201
    scene.caller.may(scene.group, "*")
    found = scene.found(gateway=GatewayId(foreign, "rg", "gw"))
    assert found.cause == f"the gateway's subscription {foreign} belongs to another tenant than the cluster"
    assert "of its own tenant" in found.mend and scene.told == []


def test_private_link_and_a_gateway_do_not_go_together(scene: Scene) -> None:
    scene.azure.cluster(scene.group, "edge", privateLinkState="Enabled")
    scene.caller.may(scene.group, "*")
    assert "has private link" in scene.found(scene.associate).cause
    assert scene.run((Change(tags={"a": "b"}),)), "what does not touch the gateway is left alone"


def test_a_gateway_that_is_not_there_or_not_ready(scene: Scene) -> None:
    scene.caller.may(scene.azure.subscription, "*")
    other = GatewayId.parse(scene.gateway.replace("/gw", "/other"))
    assert scene.found(gateway=other).cause == f"there is no gateway {other}"
    scene.azure.durations(gateway=600)
    assert scene.azure.call("PUT", str(other), product_arm.GATEWAYS, {"location": "eastus"}).status_code == 201
    creating = scene.found(gateway=other)
    assert creating.cause == f"the gateway {other} is Creating" and creating.transient
    scene.azure.durations(gateway=0)
    scene.azure.advance(601)
    assert scene.run(gateway=other)


def test_the_driver_tells_all_of_it_in_one_message_and_writes_nothing(scene: Scene, tmp_path: Path) -> None:
    """The kubeconfig's context, a provider, a right, the region and the gateway at once."""
    scene.caller.assigned(scene.azure.subscription, READER)
    scene.provider("Microsoft.KubernetesConfiguration", "unregister")
    (tmp_path / "config").write_text("{contexts: [], clusters: [], users: []}")
    env = {
        "ARM_METADATA_HOSTNAME": f"localhost:{scene.azure.port}",
        "ARM_TENANT_ID": scene.azure.identity.tenant_id,
        "ARM_CLIENT_ID": scene.caller.client_id,
        "ARM_CLIENT_SECRET": SECRET,
        "REQUESTS_CA_BUNDLE": scene.azure.bundle,
        "KUBECONFIG": str(tmp_path / "config"),
        "ARC_SUBSCRIPTION_ID": scene.cluster.subscription,
        "ARC_RESOURCE_GROUP": scene.cluster.resource_group,
        "ARC_CLUSTER_NAME": "edge",
        "ARC_LOCATION": "brazilsouth",
        "ARC_KUBE_CONTEXT": "nowhere",
        "ARC_GATEWAY_ID": f"{scene.gateway}x",
        "ARC_PREFLIGHT": "off",
    }
    with pytest.raises(Failure) as caught:
        driver.run("connect", env, scene.told.append, Lifeline())
    scene.provider("Microsoft.KubernetesConfiguration", "register")
    for words in (
        "no context 'nowhere'",
        f"there is no gateway {scene.gateway}x",
        "Microsoft.KubernetesConfiguration is Unregistered",
        "the caller lacks Microsoft.Kubernetes/connectedClusters/write, Microsoft.Kubernetes/connectedClusters/sett",
        "no connected clusters in brazilsouth",
    ):
        assert words in caught.value.cause
    for words in ("kubeContext", "az provider register", "az role assignment create", "location of these"):
        assert words in caught.value.mend
    sent = scene.azure.call("GET", "/sandbox/requests").json()["value"]
    mine = [one for one in sent if scene.group.lower() in one["path"].lower() and "arc-gateway" in one["agent"]]
    assert mine and {one["method"] for one in mine} == {"GET"}
