"""Resources that gateway-shape must refuse, must only advise against, and must let pass."""

from __future__ import annotations

import json
from typing import Any

from policy_cases import UNKNOWN, Case
from private_endpoint_cases import deployment, nested

RULE = "gateway-shape"
GA = {"profile": "ga"}
TAGGED = {"requiredTags": ["owner", "costCentre"]}
EPHEMERAL = {"ephemeralStacks": ["pr-*", "dev"]}

LOCAL, REMOTE = "command:local:Command", "command:remote:Command"
GATEWAY = "azure-native:hybridcompute:Gateway"
OLD = "azure-native:hybridcompute/v20240731preview:Gateway"
PACKAGE = "azure-native_hybridcompute_v20250916preview:hybridcompute:Gateway"
GENERIC = "azure-native:resources:Resource"
DEPLOYMENT = "azure-native:resources:Deployment"
AZAPI = "azapi:resource:Resource"
OURS = "arc-gateway:index:ArcGateway"
ID = "/subscriptions/0/resourceGroups/g/providers/Microsoft.HybridCompute/gateways/g"
URL = f"https://management.azure.com{ID}?api-version=2025-06-01"
TEMPLATE = "properties.template.resources[0].properties."


def arm(**properties: Any) -> dict[str, Any]:
    return {"type": "Microsoft.HybridCompute/gateways", "name": "g", "location": "eastus", "properties": properties}


def generic(**rest: Any) -> dict[str, Any]:
    return {
        "resourceProviderNamespace": "Microsoft.HybridCompute",
        "resourceType": "gateways",
        "resourceName": "g",
        **rest,
    }


def rest(body: object, method: str = "put") -> dict[str, Any]:
    return {"create": f"az rest --method {method} --url '{URL}' --body '{json.dumps(body)}'"}


def azapi(body: object, **inputs: Any) -> dict[str, Any]:
    return {"type": "Microsoft.HybridCompute/gateways@2025-06-01", "name": "g", "body": body, **inputs}


REFUSED = [
    Case("private", GATEWAY, {"gatewayType": "Private"}, "gatewayType", protect=True),
    Case("private, under ga", GATEWAY, {"gatewayType": "Internal"}, "gatewayType", GA),
    Case("blanks in the type", OLD, {"gatewayType": " Public "}, "gatewayType"),
    Case("no type at all", PACKAGE, {"gatewayType": ""}, "gatewayType"),
    Case("type of another kind", GATEWAY, {"gatewayType": True}, "gatewayType"),
    Case(
        "nextgen, features unknown",
        "azure-nextgen:hybridcompute:Gateway",
        {"gatewayType": "private", "allowedFeatures": UNKNOWN},
        "gatewayType",
    ),
    Case("no feature", GATEWAY, {"allowedFeatures": []}, "allowedFeatures"),
    Case("blank feature", GATEWAY, {"allowedFeatures": [UNKNOWN, " "]}, "allowedFeatures[1]"),
    Case("joined features", GATEWAY, {"allowedFeatures": ["kubernetes,servers"]}, "allowedFeatures[0]"),
    Case("part of a name", GATEWAY, {"allowedFeatures": ["kube*"]}, "allowedFeatures[0]"),
    Case("feature of another kind", GATEWAY, {"allowedFeatures": [443.0]}, "allowedFeatures[0]"),
    Case("name", GATEWAY, {"gatewayName": "my gateway"}, "gatewayName"),
    Case("name, too long", GATEWAY, {"gatewayName": "g" * 64}, "gatewayName"),
    Case("bypass", PACKAGE, {"gatewayBypass": ["contoso.com", "https://contoso.com"]}, "gatewayBypass[1]"),
    Case("generic", GENERIC, generic(properties={"gatewayType": "Private"}), "properties.gatewayType"),
    Case("generic, name", GENERIC, {**generic(), "resourceName": "g/x"}, "resourceName"),
    Case("template", DEPLOYMENT, deployment(arm(gatewayType="Private")), f"{TEMPLATE}gatewayType"),
    Case(
        "nested template, by a parameter",
        DEPLOYMENT,
        deployment(
            nested(arm(allowedFeatures="[parameters('features')]")),
            parameters={"features": {"type": "array", "defaultValue": []}},
        ),
        f"{TEMPLATE}template.resources[0].properties.allowedFeatures",
    ),
    Case(
        "classic template",
        "azure:core/resourceGroupTemplateDeployment:ResourceGroupTemplateDeployment",
        {"templateContent": json.dumps({"resources": [arm(gatewayType="VNet")]})},
        "templateContent",
    ),
    Case("azapi", AZAPI, azapi({"properties": {"gatewayType": "Private"}}), "type"),
    Case("azapi, as text", AZAPI, azapi(json.dumps({"properties": {"allowedFeatures": []}})), "type"),
    Case("az", LOCAL, {"create": "az arcgateway create -n g -g g -l eastus --gateway-type Private"}, "create"),
    Case(
        "az, quoted and cut",
        REMOTE,
        {"create": "sudo az 'arcgateway' \\\n create --gateway-ty=\"Pri\"'vate' --name g"},
        "create",
    ),
    Case(
        "az, within bash, by a variable",
        LOCAL,
        {"create": "bash -c 'az arcgateway create -n g --gateway-type $T'", "environment": {"T": "internal"}},
        "create",
    ),
    Case(
        "az, features",
        LOCAL,
        {"create": "az arcgateway create -n g --allowed-features kubernetes,servers -l x"},
        "create",
    ),
    Case("az, no features", LOCAL, {"create": "az arcgateway create -n g --allowed-features '[]' -l eastus"}, "create"),
    Case("az, name", LOCAL, {"create": 'az arcgateway create --gateway-name "my gateway" -g g'}, "create"),
    Case("az, update", LOCAL, {"update": "az arcgateway update -n g -g g --gateway-type=private"}, "update"),
    Case(
        "az, servers' extension",
        LOCAL,
        {"create": "az connectedmachine gateway create --name g --gateway-type private"},
        "create",
    ),
    Case("az rest", LOCAL, rest({"location": "eastus", "properties": {"gatewayType": "Private"}}), "create"),
    Case("az rest, change", LOCAL, rest({"properties": {"allowedFeatures": []}}, "patch"), "create", TAGGED),
    Case(
        "az resource",
        LOCAL,
        {
            "create": "az resource create -g g -n g --resource-type Microsoft.HybridCompute/gateways "
            """-p '{"gatewayType": "Private"}'"""
        },
        "create",
    ),
    Case(
        "az resource, change",
        LOCAL,
        {"create": f"az resource update --ids {ID} --set properties.gatewayType=Private"},
        "create",
    ),
    Case(
        "PowerShell",
        LOCAL,
        {"create": "New-AzArcGateway -Name g -GatewayType Private -Location eastus", "interpreter": ["pwsh", "-c"]},
        "create",
    ),
    Case(
        "PowerShell, after a list",
        LOCAL,
        {"create": "pwsh -c 'New-AzArcGateway -AllowedFeature @(\"*\") -GatewayType Private'"},
        "create",
    ),
    Case(
        "PowerShell, after a table",
        LOCAL,
        {"create": "New-AzArcGateway -Name g -Tag @{owner='me'; x='1'} -GatewayType Private"},
        "create",
    ),
    Case("ours", OURS, {"gatewayType": "Private", "resourceGroupName": UNKNOWN}, "gatewayType"),
    Case("ours, snake case", OURS, {"allowed_features": []}, "allowed_features"),
    Case(
        "no tags", GATEWAY, {"gatewayName": "g"}, "tags", TAGGED, protect=True, says="lacks the tags owner, costCentre"
    ),
    Case(
        "a tag missing", GATEWAY, {"tags": {"Owner": UNKNOWN}}, "tags", TAGGED, protect=True, says="the tag costCentre"
    ),
    Case("an empty tag", GATEWAY, {"tags": {"owner": "me", "costCentre": ""}}, "tags", TAGGED, protect=True),
    Case(
        "no tags, template",
        DEPLOYMENT,
        deployment({**arm(), "tags": {"owner": "me"}}),
        "properties.template.resources[0].tags",
        TAGGED,
    ),
    Case("no tags, azapi", AZAPI, azapi({}, tags={"owner": "me"}), "type", TAGGED),
    Case("no tags, az", LOCAL, {"create": "az arcgateway create -n g --tags owner=me -l eastus"}, "create", TAGGED),
    Case("no tags, ours", OURS, {"tags": {"owner": "me"}}, "tags", TAGGED),
]

ADVISED = [
    Case("not protected", GATEWAY, {"gatewayType": "Public"}, says="protect"),
    Case("not protected, under ga", PACKAGE, {}, None, GA),
    Case("unknown type", GATEWAY, {"gatewayType": UNKNOWN}, "gatewayType", protect=True),
    Case("unknown features", GATEWAY, {"allowedFeatures": UNKNOWN}, "allowedFeatures", protect=True),
    Case("unknown feature", GATEWAY, {"allowedFeatures": ["kubernetes", UNKNOWN]}, "allowedFeatures[1]", protect=True),
    Case("unpublished feature", GATEWAY, {"allowedFeatures": ["kubernetes"]}, "allowedFeatures", protect=True),
    Case(
        "unpublished feature, az",
        LOCAL,
        {"create": "az arcgateway create --allowed-features kubernetes -n g"},
        "create",
    ),
    Case("unknown type, az", LOCAL, {"create": "az arcgateway create -n g --gateway-type=$(cat type)"}, "create"),
    Case("unknown body", GENERIC, generic(properties={"gatewayType": UNKNOWN}), "properties.gatewayType"),
    Case("file, az rest", LOCAL, {"create": f"az rest -m PUT -u '{URL}' -b @gateway.json"}, "create"),
    Case("unknown body, azapi", AZAPI, azapi(UNKNOWN), "type"),
    Case("unknown tags", GATEWAY, {"tags": UNKNOWN}, "tags", TAGGED, protect=True),
    Case("unknown tags, az", LOCAL, {"create": "az arcgateway create -n g --tags $TAGS"}, "create", TAGGED),
]

PASSED = [
    Case("protected", GATEWAY, {"gatewayType": "Public", "allowedFeatures": ["*"], "gatewayName": "g"}, protect=True),
    Case("Azure's defaults", OLD, {"resourceGroupName": "g"}, protect=True),
    Case("ephemeral", GATEWAY, {"gatewayType": "Public"}, config=EPHEMERAL),
    Case("as the documents have it", GATEWAY, {"gatewayType": "public"}, protect=True),
    Case("all features and a name", GATEWAY, {"allowedFeatures": ["*", UNKNOWN]}, protect=True),
    Case("name unknown", GATEWAY, {"gatewayName": UNKNOWN}, protect=True),
    Case("long name with all signs", GATEWAY, {"gatewayName": "-Gw_1.2" + "x" * 56}, protect=True),
    Case("sound, bypass", PACKAGE, {"gatewayBypass": ["contoso.com", "*.contoso.com", UNKNOWN]}, protect=True),
    Case("tags, in any case", GATEWAY, {"tags": {"OWNER": "me", "costcentre": UNKNOWN}}, config=TAGGED, protect=True),
    Case("tags not required", GATEWAY, {"tags": UNKNOWN}, protect=True),
    Case("sound, template", DEPLOYMENT, deployment(arm(gatewayType="Public", allowedFeatures=["*"]))),
    Case(
        "template, tagged", DEPLOYMENT, deployment({**arm(), "tags": {"owner": "a", "costCentre": "b"}}), config=TAGGED
    ),
    Case("switched off", DEPLOYMENT, deployment({**arm(gatewayType="Private"), "condition": False})),
    Case("sound, generic", GENERIC, generic(properties={"gatewayType": "Public"})),
    Case("sound, azapi", AZAPI, azapi({"properties": {}, "tags": {"owner": "a", "costCentre": "b"}}), config=TAGGED),
    Case(
        "az, as the documents have it",
        LOCAL,
        {"create": "az arcgateway create --name g -g g -l eastus --gateway-type public --allowed-features *"},
    ),
    Case("az, tagged", LOCAL, {"create": "az arcgateway create -n g --tags owner=me 'costCentre=4 7'"}, config=TAGGED),
    Case("az, all in brackets", LOCAL, {"create": "az arcgateway create -n g --allowed-features '[\"*\"]'"}),
    Case(
        "az, change leaves tags", LOCAL, {"create": "az arcgateway update -n g --allowed-features '*'"}, config=TAGGED
    ),
    Case("az rest, change leaves tags", LOCAL, rest({"properties": {"gatewayType": "Public"}}, "patch"), config=TAGGED),
    Case("sound, az rest", LOCAL, rest({"properties": {}, "tags": {"owner": "a", "costCentre": "b"}}), config=TAGGED),
    Case("az, another gateway", LOCAL, {"create": "az network nat gateway create -n 'a b'"}),
    Case("az, shown", LOCAL, {"create": "az arcgateway show -n 'a b' -g g"}),
    Case("az, association", LOCAL, {"create": "az arcgateway settings update --gateway-resource-id x -g g"}),
    Case("az, a shell's file", LOCAL, {"create": "az resource show --ids x --set properties.gatewayType=Private"}),
    Case("sound, PowerShell", LOCAL, {"create": 'New-AzArcGateway -Name g -AllowedFeature @("*") -Location eastus'}),
    Case("sound, ours", OURS, {"gatewayType": "Public", "allowed_features": ["*"], "protect": False}),
    Case(
        "azapi, change leaves tags",
        "azapi:resource:UpdateResource",
        {"type": "Microsoft.HybridCompute/gateways@2025-06-01", "resourceId": ID, "body": {"properties": {}}},
        config=TAGGED,
    ),
    Case(
        "azapi, action",
        "azapi:index/resourceAction:ResourceAction",
        {"type": "Microsoft.HybridCompute/gateways@2025-06-01", "resourceId": ID, "action": "x", "body": {}},
        config=TAGGED,
    ),
    Case("ours, existing", OURS, {"existing_id": ID}, config=TAGGED),
    Case("ours, existing, unknown", OURS, {"existingId": UNKNOWN}, config=TAGGED),
    Case("another gateway", "azure-native:apimanagement:Gateway", {"gatewayType": "Private"}, config=TAGGED),
    Case("virtual network's", "azure-native:network:NatGateway", {"gatewayType": "Private", "tags": {}}, config=TAGGED),
    Case("machine", "azure-native:hybridcompute:Machine", {"kind": "HCI"}, config=TAGGED),
]
