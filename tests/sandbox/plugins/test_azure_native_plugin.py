"""The azure-native stand-in over gRPC, against an ARM of the test's own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_arm import GATEWAY, GROUP, SUBSCRIPTION, TENANT, FakeArm, serving, token
from plugin_hosting import BIN, Hosted, Refused, hosted, urn
from pulumi.runtime.proto import provider_pb2

from sandbox.plugins.values import UNKNOWN, Properties, Secret, decode

GW = urn("azure-native:hybridcompute:Gateway", "edge")
RG = urn("azure-native:resources:ResourceGroup", "group")
PLUGIN = BIN / "pulumi-resource-azure-native"
GIVEN = {"resourceGroupName": "group", "gatewayName": "gw", "allowedFeatures": ["*"], "location": "eastus"}
Kind = provider_pb2.PropertyDiff


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeArm, Hosted]]:
    folder = tmp_path_factory.mktemp("plugin")
    with serving(folder) as (arm, environment), hosted(PLUGIN, folder, environment) as plugin:
        yield arm, plugin


@pytest.fixture
def arm_and_plugin(started: tuple[FakeArm, Hosted]) -> tuple[FakeArm, Hosted]:
    """An empty ARM, and a plugin configured anew, so with nothing remembered."""
    arm, plugin = started
    arm.reset()
    plugin.configure({})
    return arm, plugin


def made(plugin: Hosted, given: Properties = GIVEN) -> tuple[str, Properties, Properties]:
    """A gateway through check and create: id, inputs, outputs."""
    inputs, failures = plugin.check(GW, given, randomSeed=b"seed")
    assert not failures
    id, outputs = plugin.create(GW, inputs)
    return id, inputs, outputs


def test_create_update_read_delete(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    arm, plugin = arm_and_plugin
    id, inputs, outputs = made(plugin)
    assert id == GATEWAY
    assert arm.methods() == ["GET", "PUT", "GET"]
    assert arm.log[1][2:] == ("2024-07-31-preview", {"location": "eastus", "properties": {"allowedFeatures": ["*"]}})
    assert outputs["gatewayEndpoint"] == "abc.gw.arc.azure.com"
    assert outputs["azureApiVersion"] == "2024-07-31-preview"
    assert (outputs["name"], outputs["type"]) == ("gw", "Microsoft.HybridCompute/gateways")
    assert not {"id", "properties", "gatewayName", "resourceGroupName"} & outputs.keys()

    changed = inputs | {"tags": {"owner": "network"}}
    assert plugin.update(GW, id, (inputs, outputs), changed)["tags"] == {"owner": "network"}
    assert arm.resources[id]["tags"] == {"owner": "network"}

    plugin.delete(GW, id, changed, outputs)
    assert arm.resources == {}
    plugin.delete(GW, id, changed, outputs)  # gone already
    assert plugin.read(GW, id, changed, outputs).id == ""


def test_create_refuses_what_exists(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    arm, plugin = arm_and_plugin
    made(plugin)
    with pytest.raises(Refused, match=f"^cannot create already existing resource '{GATEWAY}'$"):
        plugin.create(GW, GIVEN)
    assert arm.methods().count("PUT") == 1


def test_preview_knows_inputs_and_asks_nobody(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    arm, plugin = arm_and_plugin
    inputs, failures = plugin.check(GW, GIVEN | {"resourceGroupName": UNKNOWN, "tags": {"a": UNKNOWN}})
    assert not failures
    _, outputs = plugin.create(GW, inputs, preview=True)
    assert outputs["allowedFeatures"] == ["*"]
    assert outputs["tags"] == {"a": UNKNOWN}
    assert {name for name, value in outputs.items() if value is UNKNOWN} >= {"gatewayEndpoint", "name", "systemData"}
    assert arm.log == []


def test_preview_of_an_update_keeps_what_never_changes(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    _, plugin = arm_and_plugin
    id, inputs, outputs = made(plugin)
    seen = plugin.update(GW, id, (inputs, outputs), inputs | {"tags": {"a": "b"}}, preview=True)
    assert (seen["name"], seen["location"], seen["tags"]) == ("gw", "eastus", {"a": "b"})
    assert seen["gatewayEndpoint"] is UNKNOWN


@pytest.mark.parametrize(
    ("given", "path", "reason"),
    [
        ({"gatewayName": "gw"}, "resourceGroupName", "missing required property 'resourceGroupName'"),
        (GIVEN | {"allowedFeatures": "*"}, "allowedFeatures", "should be of type 'array' but is a string"),
        (GIVEN | {"allowedFeatures": ["*", 1.0]}, "allowedFeatures[1]", "should be of type 'string'"),
        (GIVEN | {"tags": {"a": True}}, "tags.a", "should be of type 'string' but is a boolean"),
        (GIVEN | {"alowedFeatures": []}, "alowedFeatures", "did you mean 'allowedFeatures'?"),
        (GIVEN | {"gatewayEndpoint": "x"}, "gatewayEndpoint", "there is no property"),
    ],
)
def test_check_names_each_bad_property(
    arm_and_plugin: tuple[FakeArm, Hosted], given: Properties, path: str, reason: str
) -> None:
    _, failures = arm_and_plugin[1].check(GW, {"location": "eastus"} | given)
    assert list(failures) == [path]
    assert reason in failures[path]


def test_check_names_a_bad_property_inside_of_a_list(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    endpoint = urn("azure-native:network:PrivateEndpoint")
    link = {"name": "a", "privateLinkServiceId": "/id", "groupIds": "hybridcompute"}
    given = {"resourceGroupName": "group", "privateLinkServiceConnections": [link], "location": "eastus"}
    _, failures = arm_and_plugin[1].check(endpoint, given)
    assert list(failures) == ["privateLinkServiceConnections[0].groupIds"]


def test_names_are_made_up_once(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    _, plugin = arm_and_plugin
    given = {key: value for key, value in GIVEN.items() if key != "gatewayName"}
    first, _ = plugin.check(GW, given, randomSeed=b"one")
    assert first["gatewayName"].startswith("edge")
    assert len(first["gatewayName"]) == len("edge") + 8
    int(first["gatewayName"][4:], 16)
    assert plugin.check(GW, given, randomSeed=b"one")[0] == first
    assert plugin.check(GW, given, randomSeed=b"two")[0]["gatewayName"] != first["gatewayName"]
    assert plugin.check(GW, given, old=first, randomSeed=b"two")[0] == first

    Naming = provider_pb2.CheckRequest.AutonamingOptions
    proposed = Naming(proposed_name="edge-dev", mode=Naming.PROPOSE)
    assert plugin.check(GW, given, autonaming=proposed)[0]["gatewayName"] == "edge-dev"
    refused = Naming(mode=Naming.DISABLE)
    assert list(plugin.check(GW, given, autonaming=refused)[1]) == ["gatewayName"]


def test_location_comes_from_the_group_when_not_configured(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    arm, plugin = arm_and_plugin
    given = {key: value for key, value in GIVEN.items() if key != "location"}
    _, failures = plugin.check(GW, given | {"resourceGroupName": "missing"})
    assert "pulumi config set azure-native:location" in failures["location"]
    arm.resources[GROUP] = {"id": GROUP, "location": "westeurope"}
    assert plugin.check(GW, given)[0]["location"] == "westeurope"
    assert plugin.check(GW, given | {"resourceGroupName": UNKNOWN})[0]["location"] is UNKNOWN
    plugin.configure({"location": "northeurope"})
    assert plugin.check(GW, given)[0]["location"] == "northeurope"
    assert plugin.check(GW, given, old=GIVEN)[0]["location"] == "eastus"


def test_diff(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    _, plugin = arm_and_plugin
    none = plugin.diff(GW, GIVEN, GIVEN | {"location": "East US"})
    assert none.changes == none.DIFF_NONE

    some = plugin.diff(GW, GIVEN, GIVEN | {"tags": {"a": "b"}, "allowedFeatures": ["*", "x"]})
    assert {path: change.kind for path, change in some.detailedDiff.items()} == {
        "tags": Kind.ADD,
        "allowedFeatures[1]": Kind.ADD,
    }
    assert (some.changes, list(some.replaces)) == (some.DIFF_SOME, [])

    other = plugin.diff(GW, GIVEN, GIVEN | {"location": "westus", "gatewayName": UNKNOWN})
    assert set(other.replaces) == {"location", "gatewayName"}
    assert other.detailedDiff["location"].kind == Kind.UPDATE_REPLACE
    assert other.deleteBeforeReplace  # the name is given, so there can be only one
    random = GIVEN | {"__createBeforeDelete": True}
    assert not plugin.diff(GW, random, random | {"location": "westus"}).deleteBeforeReplace

    endpoint = urn("azure-native:network:PrivateEndpoint")
    moved = plugin.diff(endpoint, {"subnet": {"id": "/a"}}, {"subnet": {"id": "/b"}})
    assert moved.detailedDiff["subnet.id"].kind == Kind.UPDATE_REPLACE

    secret = plugin.diff(GW, GIVEN | {"tags": {"a": "b"}}, GIVEN | {"tags": {"a": Secret("b")}})
    assert secret.changes == secret.DIFF_NONE


def test_secrets_stay_secret(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    arm, plugin = arm_and_plugin
    id, inputs, outputs = made(plugin, GIVEN | {"tags": {"owner": Secret("s3")}})
    assert arm.resources[id]["tags"] == {"owner": "s3"}
    assert inputs["tags"] == {"owner": Secret("s3")}
    assert outputs["tags"] == Secret({"owner": "s3"})
    assert outputs["location"] == "eastus"
    refreshed = plugin.read(GW, id, inputs, outputs)
    assert decode(refreshed.inputs)["tags"] == {"owner": Secret("s3")}
    assert decode(refreshed.properties)["tags"] == Secret({"owner": "s3"})
    arm.resources[id]["tags"]["owner"] = "s4"
    assert decode(plugin.read(GW, id, inputs, outputs).inputs)["tags"] == {"owner": Secret("s4")}


def test_refresh_takes_over_what_changed_and_no_defaults(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    arm, plugin = arm_and_plugin
    id, inputs, outputs = made(plugin, {key: value for key, value in GIVEN.items() if key != "allowedFeatures"})
    assert outputs["gatewayType"] == "Public"
    unchanged = plugin.read(GW, id, inputs, outputs)
    assert decode(unchanged.inputs) == inputs
    arm.resources[id]["tags"] = {"added": "by hand"}
    drifted = plugin.read(GW, id, inputs, outputs)
    assert decode(drifted.inputs) == inputs | {"tags": {"added": "by hand"}}
    assert decode(drifted.properties)["tags"] == {"added": "by hand"}


def test_import_by_id(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    arm, plugin = arm_and_plugin
    id, inputs, outputs = made(plugin)
    found = plugin.read(GW, id)
    assert decode(found.inputs) == inputs | {"gatewayType": "Public"}
    assert decode(found.properties) == outputs
    other = f"{GROUP}/providers/Microsoft.HybridCompute/privateLinkScopes/x"
    arm.resources[other] = {"id": other, "name": "x"}
    with pytest.raises(Refused, match=r"is no id of the form .*/gateways/\{gatewayName\}"):
        plugin.read(GW, other)


def test_operations_are_followed_to_their_end(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    arm, plugin = arm_and_plugin
    arm.operation = [{"status": "Queued"}, {"status": "InProgress"}, {"status": "Succeeded"}]
    id, inputs, outputs = made(plugin)
    assert outputs["provisioningState"] == "Succeeded"
    assert arm.operation == [{"status": "Succeeded"}]
    arm.operation = [{"status": "Queued"}, {"status": "Succeeded"}]
    plugin.delete(GW, id, inputs, outputs)
    assert arm.operation == [{"status": "Succeeded"}]


def test_a_failed_operation_leaves_the_resource_in_the_state(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    arm, plugin = arm_and_plugin
    arm.operation = [{"status": "Failed", "error": {"code": "Quota", "message": "Five gateways are enough."}}]
    with pytest.raises(Refused, match=r"Quota: Five gateways are enough\.") as caught:
        plugin.create(GW, GIVEN)
    assert GATEWAY in str(caught.value)
    half = caught.value.half_made
    assert half is not None
    assert half.id == GATEWAY
    assert decode(half.inputs) == GIVEN
    assert decode(half.properties)["gatewayEndpoint"] == "abc.gw.arc.azure.com"


def test_errors_say_code_message_and_resource(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    arm, plugin = arm_and_plugin
    reason = {"code": "LimitReached", "message": "No more.", "details": [{"code": "Inner", "message": "Five at most."}]}
    arm.answers["PUT"] = [(409, {}, {"error": reason})]
    with pytest.raises(Refused) as caught:
        plugin.create(GW, GIVEN)
    assert str(caught.value) == f"writing {GATEWAY}: Azure answered 409 LimitReached: No more.; Inner: Five at most."
    assert caught.value.half_made is None
    arm.answers["PUT"] = [(400, {}, {"Message": "odd"})]
    with pytest.raises(Refused, match=r'Azure answered 400 Bad Request: \{"Message": "odd"\}'):
        plugin.create(GW, GIVEN)


def test_a_busy_azure_is_asked_again(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    arm, plugin = arm_and_plugin
    arm.answers["PUT"] = [(503, {"Retry-After": "0"}, {}), (429, {"Retry-After": "0"}, {})]
    assert made(plugin)[0] == GATEWAY
    assert arm.methods() == ["GET", "PUT", "PUT", "PUT", "GET"]


def test_a_refused_login_names_the_client_and_never_the_secret(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    arm, plugin = arm_and_plugin
    arm.refuses_login = True
    with pytest.raises(Refused, match=r"the-client.*AADSTS7000215") as caught:
        plugin.create(GW, GIVEN)
    assert "the-secret" not in str(caught.value)


def test_an_azure_that_is_not_there(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, environment):
        pass
    with (
        hosted(PLUGIN, tmp_path, environment, {}) as plugin,
        pytest.raises(Refused, match=r"asking for the addresses of Azure at https://localhost:\d+/.*refused"),
    ):
        plugin.create(GW, GIVEN)


def test_configuration_comes_before_the_environment_and_may_be_incomplete(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, environment):
        bare = dict.fromkeys(environment, "") | {"SSL_CERT_FILE": environment["SSL_CERT_FILE"], "NO_PROXY": "localhost"}
        with hosted(PLUGIN, tmp_path, bare) as plugin:
            with pytest.raises(Refused, match=r"lacks .*azure-native:tenantId \(or ARM_TENANT_ID\)"):
                plugin.configure({"subscriptionId": SUBSCRIPTION})
            with pytest.raises(Refused, match="environment is 'china'"):
                plugin.configure(_settings(environment) | {"environment": "china"})
            plugin.configure(_settings(environment))
            assert plugin.invoke("azure-native:authorization:getClientConfig", {}) == {
                "clientId": "the-client",
                "objectId": "the-object",
                "subscriptionId": SUBSCRIPTION,
                "tenantId": TENANT,
            }


def _settings(environment: dict[str, str]) -> Properties:
    return {
        "subscriptionId": environment["ARM_SUBSCRIPTION_ID"],
        "tenantId": environment["ARM_TENANT_ID"],
        "clientId": environment["ARM_CLIENT_ID"],
        "clientSecret": Secret(environment["ARM_CLIENT_SECRET"]),
        "metadataHost": environment["ARM_METADATA_HOSTNAME"],
    }


def test_functions(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    _, plugin = arm_and_plugin
    made(plugin)
    found = plugin.invoke("azure-native:hybridcompute:getGateway", {"resourceGroupName": "group", "gatewayName": "gw"})
    assert (found["id"], found["gatewayEndpoint"]) == (GATEWAY, "abc.gw.arc.azure.com")
    assert plugin.invoke("azure-native:authorization:getClientToken", {}) == {"token": token()}
    with pytest.raises(Refused, match=r"404 for .*/resourceGroups/none"):
        plugin.invoke("azure-native:resources:getResourceGroup", {"resourceGroupName": "none"})
    with pytest.raises(Refused, match="has no function azure-native:storage:listKeys"):
        plugin.invoke("azure-native:storage:listKeys", {})


def test_a_type_outside_of_the_table_is_previewed_and_not_created(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    arm, plugin = arm_and_plugin
    storage = urn("azure-native:storage:StorageAccount")
    given = {"accountName": "a", "sku": {"name": UNKNOWN}}
    inputs, failures = plugin.check(storage, given)
    assert (inputs, failures) == (given, {})
    assert plugin.create(storage, inputs, preview=True)[1] == given
    with pytest.raises(Refused, match=r"storage:StorageAccount is not among the types.*azure_types\.py"):
        plugin.create(storage, inputs)
    assert arm.log == []


@pytest.mark.parametrize(
    ("token", "given", "id", "body"),
    [
        (
            "azure-native:authorization:RoleAssignment",
            {"scope": f"/{GROUP[1:]}", "roleAssignmentName": "r", "principalId": "p", "roleDefinitionId": "/d"},
            f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/r",
            {"properties": {"principalId": "p", "roleDefinitionId": "/d"}},
        ),
        (
            "azure-native:authorization:RoleDefinition",
            {"scope": GROUP[1:], "roleDefinitionId": "r", "roleName": "Operator", "roleType": "CustomRole"},
            f"{GROUP}/providers/Microsoft.Authorization/roleDefinitions/r",
            {"properties": {"roleName": "Operator", "type": "CustomRole"}},
        ),
        (
            "azure-native:resources:Resource",
            {
                "resourceGroupName": "group",
                "resourceProviderNamespace": "Microsoft.Kubernetes",
                "parentResourcePath": "connectedClusters/c/providers/Microsoft.HybridCompute",
                "resourceType": "settings",
                "resourceName": "Default",
                "apiVersion": "2025-02-19-preview",
                "location": "eastus",
                "properties": {"gatewayProperties": {"gatewayResourceId": GATEWAY}},
            },
            f"{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/c/providers/Microsoft.HybridCompute/settings/Default",
            {"location": "eastus", "properties": {"gatewayProperties": {"gatewayResourceId": GATEWAY}}},
        ),
        (
            "azure-native:network:PrivateEndpoint",
            {
                "resourceGroupName": "group",
                "privateEndpointName": "e",
                "location": "eastus",
                "subnet": {"id": "/s"},
                "privateLinkServiceConnections": [{"name": "l", "groupIds": ["hybridcompute"]}],
            },
            f"{GROUP}/providers/Microsoft.Network/privateEndpoints/e",
            {
                "location": "eastus",
                "properties": {
                    "subnet": {"id": "/s"},
                    "privateLinkServiceConnections": [{"name": "l", "properties": {"groupIds": ["hybridcompute"]}}],
                },
            },
        ),
    ],
)
def test_bodies_and_ids(
    arm_and_plugin: tuple[FakeArm, Hosted], token: str, given: Properties, id: str, body: Properties
) -> None:
    arm, plugin = arm_and_plugin
    inputs, failures = plugin.check(urn(token), given)
    assert not failures
    created, outputs = plugin.create(urn(token), inputs)
    assert (created, arm.log[1][1], arm.log[1][3]) == (id, id, body)
    given_back = {name: outputs[name] for name in given if name in outputs and name != "name"}
    assert given_back == {name: value for name, value in given.items() if name in given_back}
    assert given_back


def test_a_whole_number_travels_as_one(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    arm, plugin = arm_and_plugin
    group = urn("azure-native:network:FirewallPolicyRuleCollectionGroup")
    given = {"resourceGroupName": "group", "firewallPolicyName": "p", "ruleCollectionGroupName": "g", "priority": 100.0}
    plugin.create(group, given)
    assert json.dumps(arm.log[1][3]) == '{"properties": {"priority": 100}}'


def test_cancel_and_time_out(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    arm, plugin = arm_and_plugin
    arm.operation = [{"status": "InProgress"}]
    with pytest.raises(Refused, match=r"not done after 0\.5 s; Azure goes on with it") as late:
        plugin.create(GW, GIVEN, timeout=0.5)
    assert late.value.half_made is not None
    arm.resources.clear()
    threading.Timer(1, plugin.cancel).start()
    start = time.monotonic()
    with pytest.raises(Refused, match="cancelled; Azure goes on with it") as cancelled:
        plugin.create(GW, GIVEN)
    assert time.monotonic() - start < 5
    assert cancelled.value.half_made is not None
    assert cancelled.value.half_made.id == GATEWAY


def test_the_schema_has_every_type(arm_and_plugin: tuple[FakeArm, Hosted]) -> None:
    schema = json.loads(arm_and_plugin[1].call("GetSchema", provider_pb2.GetSchemaRequest()).schema)
    assert (schema["name"], schema["version"]) == ("azure-native", "3.29.0")
    gateway = schema["resources"]["azure-native:hybridcompute:Gateway"]
    assert gateway["requiredInputs"] == ["resourceGroupName"]
    assert gateway["inputProperties"]["allowedFeatures"] == {"type": "array", "items": {"type": "string"}}
    assert "gatewayEndpoint" in gateway["properties"]
