"""Stacks and gateways that gateways-per-subscription must refuse, must only advise against, and must let pass."""

from __future__ import annotations

import json
from typing import Any

from policy_cases import UNKNOWN, Case, StackCase

RULE = "gateways-per-subscription"

ONE = "11111111-1111-1111-1111-111111111111"
TWO = "22222222-2222-2222-2222-222222222222"
FIVE = {"gatewaysElsewhere": {ONE: 5.0}}
FULL = {"gatewaysElsewhere": {"default": 5.0}}

LOCAL, REMOTE = "command:local:Command", "command:remote:Command"
GATEWAY = "azure-native:hybridcompute:Gateway"
DEPLOYMENT = "azure-native:resources:Deployment"
GROUP = f"/subscriptions/{ONE}/resourceGroups/r"
ARC = "providers/Microsoft.HybridCompute"
GENERIC = "azure-native:resources:Resource"
AZAPI = "azapi:index/resource:Resource"
CREATE = "az arcgateway create -g rg -n"


def arm(name: str = "g", **rest: Any) -> dict[str, Any]:
    return {"type": "Microsoft.HybridCompute/gateways", "name": name, "apiVersion": "2024-07-31-preview", **rest}


def deployment(*resources: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"properties": {"mode": "Incremental", "template": {"resources": list(resources), **rest}}}


def nested(*resources: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"type": "Microsoft.Resources/deployments", "name": "inner", **deployment(*resources), **rest}


def generic() -> dict[str, Any]:
    return {
        "resourceProviderNamespace": "Microsoft.HybridCompute",
        "parentResourcePath": "",
        "resourceType": "gateways",
        "resourceName": "g",
        "resourceGroupName": "rg",
    }


def commands(*words: str) -> dict[str, Any]:
    return {"create": "\n".join(words)}


def gateways(number: int, subscription: object = ONE, token: str = GATEWAY) -> list[Case]:
    """Gateways as an update shows them: outputs, with what Azure adds."""
    provider = None if subscription is None else {"subscriptionId": subscription}
    outputs = {"gatewayType": "Public", "type": "Microsoft.HybridCompute/gateways", "gatewayEndpoint": UNKNOWN}
    return [Case(f"g{n}", token, {"name": f"g{n}", **outputs}, provider=provider) for n in range(1, number + 1)]


def clusters(number: int, distinct: int = 10_000) -> list[Case]:
    environment = {"ARC_GATEWAY_ID": "/subscriptions/s/gateways/g", "ARC_LOCATION": "eastus"}
    names = {"ARC_SUBSCRIPTION_ID": ONE, "ARC_RESOURCE_GROUP": "rg"}
    return [
        Case(
            f"c{n:04}",
            LOCAL,
            {"create": "connect", "environment": {**environment, **names, "ARC_CLUSTER_NAME": f"c{n % distinct}"}},
        )
        for n in range(number)
    ]


HERE = {"subscriptionId": ONE}

REFUSED = [
    Case(
        "full elsewhere",
        GATEWAY,
        {"gatewayName": "g"},
        "",
        FIVE,
        provider=HERE,
        says="6 Arc gateways (1 in this stack and 5",
    ),
    Case(
        "full elsewhere, upper-case",
        GATEWAY,
        {"gatewayName": UNKNOWN},
        "",
        FIVE,
        provider={"subscriptionId": ONE.upper()},
    ),
    Case("full by default", "azure-native:hybridcompute/v20240731preview:Gateway", {"gatewayName": "g"}, "", FULL),
    Case("full by default, subscription unknown", GATEWAY, {}, "", FULL, provider={"subscriptionId": UNKNOWN}),
    Case(
        "full by default, package token",
        "azure-native_hybridcompute_v20250113:hybridcompute:Gateway",
        {},
        "",
        FULL,
        provider=HERE,
    ),
    Case("generic", GENERIC, generic(), "", FIVE, provider=HERE),
    Case("template", DEPLOYMENT, deployment(arm()), "properties.template.resources[0]", FIVE, provider=HERE),
    Case(
        "template's copies",
        DEPLOYMENT,
        deployment(arm("[concat('g', copyIndex())]", copy={"name": "c", "count": 6.0})),
        "properties.template.resources[0]",
        says="6 Arc gateways (6 in this stack); Azure allows 5",
    ),
    Case(
        "template's copies, by a list",
        DEPLOYMENT,
        deployment(
            arm(copy={"name": "c", "count": "[length(variables('names'))]"}),
            variables={"names": ["a", "b", "c", "d", "e", "f"]},
        ),
        "properties.template.resources[0]",
    ),
    Case(
        "template's copies of a nested template",
        DEPLOYMENT,
        deployment(
            nested(arm(copy={"name": "c", "count": 2.0}), copy={"name": "d", "count": "[parameters('n')]"}),
            parameters={"n": {"type": "int", "defaultValue": 3}},
        ),
        "properties.template.resources[0].properties.template.resources[0]",
    ),
    Case(
        "nested template of another subscription",
        DEPLOYMENT,
        deployment(nested(arm(), subscriptionId=ONE)),
        "properties.template.resources[0].properties.template.resources[0]",
        FIVE,
        provider={"subscriptionId": TWO},
    ),
    Case(
        "classic template",
        "azure:core/resourceGroupTemplateDeployment:ResourceGroupTemplateDeployment",
        {"templateContent": json.dumps({"resources": [arm()]})},
        "templateContent",
        FIVE,
        provider=HERE,
    ),
    Case(
        "azapi, by its parent",
        AZAPI,
        {
            "type": "Microsoft.HybridCompute/gateways@2024-07-31-preview",
            "parentId": f"/subscriptions/{ONE}/resourceGroups/rg",
        },
        "type",
        FIVE,
        provider={"subscriptionId": TWO},
    ),
    Case("az", LOCAL, commands(f"{CREATE} g --subscription {ONE}"), "create", FIVE),
    Case("az, subscription set before", LOCAL, commands(f"az account set -s {ONE}", f"{CREATE} g"), "create", FIVE),
    Case(
        "az, quoted, by global option",
        REMOTE,
        {"create": f"sh -c \"az --subscription '{ONE}' arcgateway cre\"ate -n g"},
        "create",
        FIVE,
    ),
    Case("az, unnamed", LOCAL, commands("az arcgateway \\\n  create --gateway-name $NAME"), "create", FULL),
    Case(
        "az resource",
        LOCAL,
        commands(f"az resource create --id {GROUP}/{ARC}/gateways/g"),
        "create",
        FIVE,
    ),
    Case(
        "az rest",
        LOCAL,
        commands(f"az rest --method put --url https://management.azure.com{GROUP}/{ARC}/gateways/g?api-version=1"),
        "create",
        FIVE,
    ),
    Case(
        "PowerShell",
        LOCAL,
        {"interpreter": ["pwsh", "-c"], "create": f"New-AzArcGateway -Name g -SubscriptionId {ONE}"},
        "create",
        FIVE,
    ),
    Case(
        "PowerShell resource",
        LOCAL,
        {"interpreter": ["pwsh", "-c"], "create": f"New-AzResource -ResourceId {GROUP}/{ARC}/gateways/g -Force"},
        "create",
        FIVE,
    ),
    Case(
        "PowerShell, subscription set before",
        LOCAL,
        {"interpreter": ["pwsh", "-c"], "create": f"Set-AzContext -Subscription {ONE}; $g = New-AzArcGateway -Name g"},
        "create",
        FIVE,
    ),
]

ADVISED = [
    Case(
        "copies of an unknown number",
        DEPLOYMENT,
        deployment(arm(copy={"name": "c", "count": "[length(parameters('names'))]"})),
        "properties.template.resources[0]",
        says="a number that cannot be seen",
    ),
    Case(
        "maybe six copies",
        DEPLOYMENT,
        deployment(arm(copy={"name": "c", "count": 6.0}, condition="[equals(parameters('a'), 'b')]")),
        "properties.template.resources[0]",
    ),
    Case(
        "unknown subscription beside a full one",
        GATEWAY,
        {},
        "",
        FIVE,
        protect=True,
        provider={"subscriptionId": UNKNOWN},
    ),
    Case("unnamed subscription beside a full one", GATEWAY, {}, "", FIVE, protect=True),
    Case("subscription by its name", LOCAL, commands(f"{CREATE} g --subscription 'Our production'"), "create", FIVE),
    Case("loop over words not known", LOCAL, commands("for n in $NAMES; do", f"  {CREATE} gw-$n", "done"), "create"),
    Case("loop over lines", LOCAL, commands(f'seq 6 | while read -r n; do {CREATE} "gw-${{n}}"; done'), "create"),
    Case("loop that counts", LOCAL, commands(f"for ((i=0; i<6; i++)); do {CREATE} gw-$i; done"), "create"),
    Case("xargs", LOCAL, commands(f"cat names | xargs -I{{}} {CREATE} {{}}"), "create"),
    Case(
        "PowerShell's loop",
        LOCAL,
        {"interpreter": ["pwsh", "-c"], "create": "1..6 | ForEach-Object { New-AzArcGateway -Name gw$_ }"},
        "create",
    ),
]

PASSED = [
    Case("gateway", GATEWAY, {"gatewayType": "Public", "allowedFeatures": ["*"]}, protect=True, provider=HERE),
    Case("fifth", GATEWAY, {}, config={"gatewaysElsewhere": {ONE: 4.0}}, protect=True, provider=HERE),
    Case(
        "full elsewhere, another subscription", GATEWAY, {}, config=FIVE, protect=True, provider={"subscriptionId": TWO}
    ),
    Case(
        "its own number before the default's",
        GATEWAY,
        {},
        config={"gatewaysElsewhere": {"default": 5.0, ONE: 0.0}},
        protect=True,
        provider=HERE,
    ),
    Case("unnamed, with a number", GATEWAY, {}, config={"gatewaysElsewhere": {"default": 1.0, ONE: 5.0}}, protect=True),
    Case("our component", "arc-gateway:index:ArcGateway", {"existingId": "/x/gateways/g"}, config=FULL),
    Case("VPN of clients", "azure-native:network:P2sVpnGateway", {}, config=FULL),
    Case("NAT gateway", "azure-native:network:NatGateway", {}, config=FULL),
    Case("template's condition", DEPLOYMENT, deployment(arm(condition=False)), config=FULL),
    Case("template's existing", DEPLOYMENT, deployment(arm(existing=True)), config=FULL),
    Case("template's five copies", DEPLOYMENT, deployment(arm(copy={"name": "c", "count": 5.0}))),
    Case(
        "azapi update",
        "azapi:index/updateResource:UpdateResource",
        {"type": "Microsoft.HybridCompute/gateways@2024-07-31-preview"},
        config=FULL,
    ),
    Case("az update", LOCAL, commands("az arcgateway update -n g -g rg --allowed-features '*'"), config=FULL),
    Case("az association", LOCAL, commands("az arcgateway settings update --base-resource-name c -g rg"), config=FULL),
    Case("az listing", LOCAL, commands("az arcgateway list -g rg -o table"), config=FULL),
    Case("az on delete", LOCAL, {"create": "true", "delete": f"{CREATE} g"}, config=FULL),
    Case(
        "az rest, patch",
        LOCAL,
        commands(f"az rest --method patch --url {GROUP}/{ARC}/gateways/g"),
        config=FULL,
    ),
    Case(
        "az settings",
        LOCAL,
        commands(f"az rest --method put --url /subscriptions/{ONE}/{ARC}/settings/default"),
        config=FULL,
    ),
    Case("wait loop", LOCAL, commands(f'{CREATE} "$NAME"', "for i in 1 2 3; do az arcgateway show; sleep 9; done")),
    Case("tried again", LOCAL, commands(f'for i in 1 2 3 4 5 6 7; do {CREATE} "$NAME" && break; done')),
    Case("tried again, name known", LOCAL, commands(f"while true; do {CREATE} fixed && break; done")),
    Case("loop of other words", LOCAL, commands('NAMES="a b"', "for n in $NAMES; do echo $n; done", f"{CREATE} fixed")),
    Case(
        "az, other subscription",
        LOCAL,
        commands(f"az account set -s {ONE}", f"{CREATE} g --subscription {TWO}"),
        config=FIVE,
    ),
]

STACKS_REFUSED = [
    StackCase("six", gateways(6), "g6", says="6 Arc gateways (6 in this stack); Azure allows 5"),
    StackCase("six, subscription unnamed", gateways(6, None), "g6"),
    StackCase("six, v2 token", gateways(6, token="azure-native:hybridcompute/v20240731preview:Gateway"), "g6"),
    StackCase(
        "three and three elsewhere",
        gateways(3),
        "g3",
        {"gatewaysElsewhere": {ONE.upper(): 3.0}},
        says="6 Arc gateways (3 in this stack and 3 that gatewaysElsewhere counts)",
    ),
    StackCase("two and four by default", gateways(2), "g2", {"gatewaysElsewhere": {"default": 4.0}}),
    StackCase(
        "in six forms",
        [
            *gateways(2),
            Case("h", DEPLOYMENT, deployment(arm("h")), provider=HERE),
            Case("i", GENERIC, generic(), provider=HERE),
            Case(
                "j",
                AZAPI,
                {"type": "Microsoft.HybridCompute/gateways@1", "parent_id": f"/subscriptions/{ONE}/resourceGroups/r"},
            ),
            Case("k", LOCAL, commands(f"{CREATE} k --subscription {ONE}")),
        ],
        "k",
    ),
    StackCase(
        "beside another subscription",
        [
            *gateways(6),
            *(Case(f"o{n}", GATEWAY, {"name": f"o{n}"}, provider={"subscriptionId": TWO}) for n in range(5)),
        ],
        "g6",
    ),
    StackCase(
        "three commands of two",
        [Case(f"k{n}", LOCAL, commands(f"{CREATE} a{n}", f"{CREATE} b{n}")) for n in range(3)],
        "k2",
    ),
    StackCase("a loop of six", [Case("k", LOCAL, commands(f"for n in a b c d e f; do {CREATE} gw-$n; done"))], "k"),
    StackCase(
        "a loop over a span", [Case("k", LOCAL, commands(f"for n in {{1..6}}\ndo\n  {CREATE} gw-$n\ndone"))], "k"
    ),
    StackCase(
        "two templates of three copies",
        [Case(f"t{n}", DEPLOYMENT, deployment(arm(copy={"name": "c", "count": 3.0})), provider=HERE) for n in range(2)],
        "t1",
    ),
    StackCase(
        "beside our component",
        [Case("ours", "arc-gateway:index:ArcGateway", {"name": "ours", "endpoint": UNKNOWN}), *gateways(6)],
        "g6",
    ),
    StackCase(
        "update makes one more",
        [*gateways(4, None), Case("k", LOCAL, {"create": f"{CREATE} a", "update": f"{CREATE} a\n{CREATE} b"})],
        "k",
    ),
    StackCase(
        "unknowns around",
        [*gateways(6), Case("x", GATEWAY, {"name": UNKNOWN, "tags": UNKNOWN}, provider={"subscriptionId": UNKNOWN})],
        "g6",
    ),
]

STACKS_ADVISED = [
    StackCase("six, subscription unknown", gateways(6, UNKNOWN), "g6", says="may bring its subscription to 6"),
    StackCase(
        "five and a command without subscription", [*gateways(5), Case("k", LOCAL, commands(f"{CREATE} k"))], "k"
    ),
    StackCase(
        "five and one on a condition",
        [*gateways(5), Case("t", DEPLOYMENT, deployment(arm(condition="[parameters('x')]")), provider=HERE)],
        "t",
    ),
    StackCase("1,001 clusters of one region", clusters(1_001), "c1000", says="1001 clusters"),
]

STACKS_PASSED = [
    StackCase("five", gateways(5)),
    StackCase("five, subscription unknown", gateways(5, UNKNOWN)),
    StackCase(
        "five in each of two",
        [*gateways(5), *(Case(f"o{n}", GATEWAY, {}, provider={"subscriptionId": TWO}) for n in range(5))],
    ),
    StackCase("five of ours", [*(Case(f"c{n}", "arc-gateway:index:ArcGateway", {}) for n in range(5)), *gateways(5)]),
    StackCase(
        "created and updated",
        [*gateways(4, None), Case("k", LOCAL, {"create": f"{CREATE} a", "update": f"{CREATE} a"})],
    ),
    StackCase(
        "created and updated, name unknown",
        [*gateways(4, None), Case("k", LOCAL, {"create": f"{CREATE} $N", "update": f"{CREATE} $N"})],
    ),
    StackCase("said twice", [Case(f"k{n}", LOCAL, commands(f"{CREATE} same --subscription {ONE}")) for n in range(9)]),
    StackCase("a loop of five", [Case("k", LOCAL, commands(f"for n in a b c d e; do {CREATE} $n; done"))]),
    StackCase(
        "tried until it works",
        [Case("k", LOCAL, commands(f"{CREATE} a || {CREATE} a || {CREATE} a")), *gateways(4, None)],
    ),
    StackCase("other gateways", [Case(f"n{n}", "azure-native:network:NatGateway", {}) for n in range(9)]),
    StackCase("said alone already", gateways(1), config=FIVE),
    StackCase("1,000 clusters of one region", clusters(1_000)),
    StackCase("commands of the same clusters", clusters(1_200, 600)),
    StackCase("two elsewhere", gateways(3), config={"gatewaysElsewhere": {"default": 2.0}}),
    StackCase("full elsewhere, in another", gateways(5), config={"gatewaysElsewhere": {TWO: 5.0}}),
]
