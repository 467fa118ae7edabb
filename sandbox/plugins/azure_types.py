"""The types that the `azure-native` stand-in creates, as data: names as in pulumi-azure-native 3.29, paths as in ARM.

To add a type: copy the inputs from the SDK's `MODULE/resource.py`, the API version from its docstring, and the path and
body from the REST reference. A change of what stands in the path makes a new resource without further mark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sandbox.plugins.fields import Field

#: How a resource without a name gets one: its logical name and a random suffix, a UUID, or not at all.
AutoName = Literal["random", "uuid", ""]


@dataclass(frozen=True)
class ArmType:
    """One resource type.

    Attributes:
        path: its id, with parameters in braces; `{+scope}` is one that holds slashes.
        api_version: the default of the SDK; "" where a program gives it as `apiVersion`.
        fields: its properties but the parameters of the path.
        parameters: those of the path; `subscriptionId` is the plugin's own.
        name: the parameter that names it.
        auto_name: what it is called when that is not given.
    """

    path: str
    api_version: str
    fields: Mapping[str, Field]
    parameters: Mapping[str, Field]
    name: str
    auto_name: AutoName = "random"

    @property
    def inputs(self) -> dict[str, Field]:
        """All that a program can give."""
        return {**self.parameters, **{name: known for name, known in self.fields.items() if not known.readonly}}


GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}"

REQUIRED = Field(required=True)
TAGS = Field("map", items=Field())
OUTPUT = Field(readonly=True)
NAMED = {"name": OUTPUT, "type": OUTPUT}
COMMON = {**NAMED, "systemData": Field("object", readonly=True)}
#: A location, once chosen, stays: with these types ARM refuses another.
LOCATED = {"location": Field(required=True, immutable=True), "tags": TAGS}
TRACKED = {**COMMON, **LOCATED}
IN_GROUP = {"resourceGroupName": REQUIRED}


def inner(name: str, kind: Field | None = None, *, readonly: bool = False) -> Field:
    """A property that ARM keeps under `properties`, of which the SDK shows it freed."""
    base = kind or Field()
    return Field(
        base.kind,
        at=f"properties.{name}",
        required=base.required,
        immutable=base.immutable,
        readonly=readonly,
        items=base.items,
        members=base.members,
    )


def _inner(names: str, kind: Field | None = None, *, readonly: bool = False) -> dict[str, Field]:
    return {name: inner(name, kind, readonly=readonly) for name in names.split()}


_ANY = Field("any")
_OBJECT = Field("object")
_INTEGER = Field("integer")
_LIST = Field("array", items=_ANY)
_TEXTS = Field("array", items=Field())
_MADE_BY = _inner("createdBy createdOn updatedBy updatedOn", readonly=True)
_LINK = Field(
    "object",
    members={
        "id": Field(),
        "name": Field(),
        **_inner("privateLinkServiceId requestMessage"),
        "groupIds": inner("groupIds", _TEXTS),
        "privateLinkServiceConnectionState": inner("privateLinkServiceConnectionState", _OBJECT),
    },
)

TYPES: Mapping[str, ArmType] = {
    "azure-native:resources:ResourceGroup": ArmType(
        path=GROUP,
        api_version="2024-03-01",
        fields={**NAMED, **LOCATED, "managedBy": Field(), "properties": Field("object", readonly=True)},
        parameters={"resourceGroupName": REQUIRED},
        name="resourceGroupName",
    ),
    "azure-native:hybridcompute:Gateway": ArmType(
        path=GROUP + "/providers/Microsoft.HybridCompute/gateways/{gatewayName}",
        api_version="2024-07-31-preview",
        fields={
            **TRACKED,
            "gatewayType": inner("gatewayType"),
            "allowedFeatures": inner("allowedFeatures", _TEXTS),
            **_inner("gatewayId gatewayEndpoint provisioningState", readonly=True),
        },
        parameters={**IN_GROUP, "gatewayName": REQUIRED},
        name="gatewayName",
    ),
    "azure-native:hybridcompute:PrivateLinkScope": ArmType(
        path=GROUP + "/providers/Microsoft.HybridCompute/privateLinkScopes/{scopeName}",
        api_version="2024-07-10",
        fields={**TRACKED, "properties": _OBJECT},
        parameters={**IN_GROUP, "scopeName": REQUIRED},
        name="scopeName",
    ),
    "azure-native:kubernetes:ConnectedCluster": ArmType(
        path=GROUP + "/providers/Microsoft.Kubernetes/connectedClusters/{clusterName}",
        api_version="2024-02-01-preview",
        fields={
            **TRACKED,
            "identity": Field("object", required=True),
            "kind": Field(),
            "agentPublicKeyCertificate": inner("agentPublicKeyCertificate", REQUIRED),
            "aadProfile": inner("aadProfile", _OBJECT),
            "arcAgentProfile": inner("arcAgentProfile", _OBJECT),
            **_inner("azureHybridBenefit distribution distributionVersion infrastructure"),
            **_inner("privateLinkScopeResourceId privateLinkState provisioningState"),
            **_inner("agentVersion connectivityStatus kubernetesVersion lastConnectivityTime", readonly=True),
            **_inner("managedIdentityCertificateExpirationTime offering", readonly=True),
            **_inner("totalCoreCount totalNodeCount", _INTEGER, readonly=True),
            "miscellaneousProperties": inner("miscellaneousProperties", _OBJECT, readonly=True),
        },
        parameters={**IN_GROUP, "clusterName": REQUIRED},
        name="clusterName",
    ),
    "azure-native:authorization:RoleDefinition": ArmType(
        path="/{+scope}/providers/Microsoft.Authorization/roleDefinitions/{roleDefinitionId}",
        api_version="2022-05-01-preview",
        fields={
            **COMMON,
            **_inner("roleName description"),
            "roleType": inner("type"),
            "permissions": inner("permissions", _LIST),
            "assignableScopes": inner("assignableScopes", _TEXTS),
            **_MADE_BY,
        },
        parameters={"scope": REQUIRED, "roleDefinitionId": REQUIRED},
        name="roleDefinitionId",
        auto_name="uuid",
    ),
    "azure-native:authorization:RoleAssignment": ArmType(
        path="/{+scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}",
        api_version="2022-04-01",
        fields={
            **COMMON,
            "principalId": inner("principalId", Field(required=True, immutable=True)),
            "roleDefinitionId": inner("roleDefinitionId", REQUIRED),
            "scope": inner("scope", readonly=True),
            **_inner("principalType description condition conditionVersion delegatedManagedIdentityResourceId"),
            **_MADE_BY,
        },
        parameters={"scope": REQUIRED, "roleAssignmentName": REQUIRED},
        name="roleAssignmentName",
        auto_name="uuid",
    ),
    "azure-native:resources:Resource": ArmType(
        path=GROUP + "/providers/{resourceProviderNamespace}/{+parentResourcePath}/{+resourceType}/{resourceName}",
        api_version="",
        fields={
            **COMMON,
            **dict.fromkeys(("location", "kind", "managedBy"), Field()),
            **dict.fromkeys(("identity", "plan", "sku", "extendedLocation"), _OBJECT),
            "tags": TAGS,
            "properties": _ANY,
        },
        parameters={
            **IN_GROUP,
            **dict.fromkeys(("resourceProviderNamespace", "parentResourcePath", "resourceType"), REQUIRED),
            "resourceName": REQUIRED,
            "apiVersion": REQUIRED,
        },
        name="resourceName",
    ),
    "azure-native:network:PrivateEndpoint": ArmType(
        path=GROUP + "/providers/Microsoft.Network/privateEndpoints/{privateEndpointName}",
        api_version="2024-05-01",
        fields={
            **NAMED,
            "etag": OUTPUT,
            "id": Field(),
            "location": Field(),
            "tags": TAGS,
            "extendedLocation": _OBJECT,
            "subnet": inner("subnet", Field("object", immutable=True)),
            "customNetworkInterfaceName": inner("customNetworkInterfaceName"),
            **_inner("privateLinkServiceConnections manualPrivateLinkServiceConnections", Field("array", items=_LINK)),
            **_inner("applicationSecurityGroups customDnsConfigs ipConfigurations", _LIST),
            "networkInterfaces": inner("networkInterfaces", _LIST, readonly=True),
            "provisioningState": inner("provisioningState", readonly=True),
        },
        parameters={**IN_GROUP, "privateEndpointName": REQUIRED},
        name="privateEndpointName",
    ),
    "azure-native:network:FirewallPolicyRuleCollectionGroup": ArmType(
        path=GROUP
        + "/providers/Microsoft.Network/firewallPolicies/{firewallPolicyName}"
        + "/ruleCollectionGroups/{ruleCollectionGroupName}",
        api_version="2024-05-01",
        fields={
            "name": Field(),
            "type": OUTPUT,
            "etag": OUTPUT,
            "id": Field(),
            "priority": inner("priority", _INTEGER),
            "ruleCollections": inner("ruleCollections", _LIST),
            **_inner("provisioningState size", readonly=True),
        },
        parameters={**IN_GROUP, "firewallPolicyName": REQUIRED, "ruleCollectionGroupName": REQUIRED},
        name="ruleCollectionGroupName",
    ),
}

#: Functions that read one resource, by their tokens, such as `azure-native:hybridcompute:getGateway`.
GETTERS: Mapping[str, str] = {
    f"{package}:get{resource}": token for token in TYPES for package, _, resource in [token.rpartition(":")]
}
