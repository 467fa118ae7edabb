"""Resources that no-private-endpoints must refuse, must only advise against, and must let pass."""

from __future__ import annotations

import json
from typing import Any

from policy_cases import UNKNOWN, Case

RULE = "no-private-endpoints"
SCOPE = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.HybridCompute/privateLinkScopes/s"
STORAGE = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/a"
GA = {"profile": "ga"}

LOCAL, REMOTE = "command:local:Command", "command:remote:Command"
ENDPOINT = "azure-native:network:PrivateEndpoint"
DEPLOYMENT = "azure-native:resources:Deployment"
GENERIC = "azure-native:resources:Resource"


def connection(target: object, *groups: str) -> list[dict[str, Any]]:
    return [{"name": "c", "privateLinkServiceId": target, "groupIds": list(groups)}]


def template(*resources: dict[str, Any] | str, **rest: Any) -> dict[str, Any]:
    return {"$schema": "x", "contentVersion": "1.0.0.0", "resources": list(resources), **rest}


def deployment(*resources: dict[str, Any] | str, **rest: Any) -> dict[str, Any]:
    return {"properties": {"mode": "Incremental", "template": template(*resources, **rest)}}


def nested(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Microsoft.Resources/deployments", "name": "inner", **deployment(*resources)}


ARM_ENDPOINT = {"type": "Microsoft.Network/privateEndpoints", "name": "pe", "properties": {}}
CREATE = "az network private-endpoint create -g rg -n pe --subnet s --connection-name c"

REFUSED = [
    Case("native", ENDPOINT, {"privateLinkServiceConnections": connection(STORAGE, "blob")}, ""),
    Case("empty", ENDPOINT, {}, ""),
    Case("v2 token", "azure-native:network/v20230501:PrivateEndpoint", {}, ""),
    Case("package token", "azure-native_network_v20250113:network:PrivateEndpoint", {}, ""),
    Case("early v3", "azure-native_network_v20250113:network/v20250113:PrivateEndpoint", {}, ""),
    Case("nextgen", "azure-nextgen:network/latest:PrivateEndpoint", {}, ""),
    Case("old name", "azure-native:network/v20180801:InterfaceEndpoint", {}, ""),
    Case(
        "to Arc, under ga",
        ENDPOINT,
        {"privateLinkServiceConnections": connection(SCOPE.upper())},
        "privateLinkServiceConnections[0].privateLinkServiceId",
        GA,
    ),
    Case(
        "manual, by group, under ga",
        ENDPOINT,
        {"manualPrivateLinkServiceConnections": connection(UNKNOWN, "hybridCompute")},
        "manualPrivateLinkServiceConnections[0].groupIds",
        GA,
    ),
    Case("unknown target", ENDPOINT, {"privateLinkServiceConnections": connection(UNKNOWN)}, ""),
    Case(
        "classic",
        "azure:privatelink/endpoint:Endpoint",
        {"privateServiceConnection": {"privateConnectionResourceId": SCOPE}},
        "privateServiceConnection.privateConnectionResourceId",
        GA,
    ),
    Case("classic scope", "azure:arc/privateLinkScope:PrivateLinkScope", {"publicNetworkAccessEnabled": True}, "", GA),
    Case("scope", "azure-native:hybridcompute:PrivateLinkScope", {"scopeName": "s"}, "", GA),
    Case("scoped", "azure-native:hybridcompute/v20240710:PrivateLinkScopedResource", {"scopeName": "s"}, "", GA),
    Case("connection", "azure-native:hybridcompute:PrivateEndpointConnection", {"scopeName": "s"}, "", GA),
    Case("extensions' scope", "azure-native:kubernetesconfiguration:PrivateLinkScope", {"scopeName": "s"}, "", GA),
    Case("other connection", "azure-native:storage:PrivateEndpointConnection", {"accountName": "a"}, ""),
    Case(
        "zone",
        "azure-native:privatedns:PrivateZone",
        {"privateZoneName": "privatelink.his.arc.azure.com"},
        "privateZoneName",
        GA,
    ),
    Case(
        "old zone",
        "azure-native:network/v20200601:PrivateZone",
        {"privateZoneName": "PrivateLink.dp.kubernetesconfiguration.azure.com."},
        "privateZoneName",
        GA,
    ),
    Case(
        "link",
        "azure-native:privatedns:VirtualNetworkLink",
        {"privateZoneName": "privatelink.guestconfiguration.azure.com", "virtualNetwork": {"id": UNKNOWN}},
        "privateZoneName",
        GA,
    ),
    Case(
        "classic record",
        "azure:privatedns/aRecord:ARecord",
        {"zoneName": "privatelink.his.arc.azure.com", "name": "gbl"},
        "zoneName",
        GA,
    ),
    Case("classic zone", "azure:privatedns/zone:Zone", {"name": "privatelink.his.arc.azure.com"}, "name", GA),
    Case("storage's zone", "azure:privatedns/zone:Zone", {"name": "privatelink.blob.core.windows.net"}, "name"),
    Case(
        "zone group",
        "azure-native:network:PrivateDnsZoneGroup",
        {"privateDnsZoneConfigs": [{"privateDnsZoneId": "/x/privateDnsZones/privatelink.his.arc.azure.com"}]},
        "privateDnsZoneConfigs[0].privateDnsZoneId",
        GA,
    ),
    Case(
        "cluster", "azure-native:kubernetes:ConnectedCluster", {"privateLinkState": "enabled"}, "privateLinkState", GA
    ),
    Case(
        "cluster's scope",
        "azure-native_kubernetes_v20260501:kubernetes:ConnectedCluster",
        {"privateLinkState": "Disabled", "privateLinkScopeResourceId": UNKNOWN},
        "privateLinkScopeResourceId",
        GA,
    ),
    Case(
        "machine",
        "azure-native:hybridcompute:Machine",
        {"privateLinkScopeResourceId": SCOPE},
        "privateLinkScopeResourceId",
    ),
    Case("ours", "arc-gateway:index:ConnectedCluster", {"enablePrivateLink": True}, "enablePrivateLink", GA),
    Case(
        "ours, snake", "arc-gateway:index:GatewayAssociation", {"enable_private_link": True}, "enable_private_link", GA
    ),
    Case(
        "ours, scope",
        "arc-gateway:index:ConnectedCluster",
        {"private_link_scope_resource_id": SCOPE},
        "private_link_scope_resource_id",
        GA,
    ),
    Case(
        "ours, nested", "arc-gateway:index:Fleet", {"clusters": [{"privateLink": True}]}, "clusters[0].privateLink", GA
    ),
    Case(
        "generic",
        GENERIC,
        {"resourceProviderNamespace": "Microsoft.Network", "resourceType": "privateEndpoints", "resourceName": "pe"},
        "",
    ),
    Case(
        "generic child",
        GENERIC,
        {
            "resourceProviderNamespace": "Microsoft.HybridCompute",
            "parentResourcePath": "privateLinkScopes/s",
            "resourceType": "scopedResources",
            "resourceName": "r",
        },
        "",
        GA,
    ),
    Case(
        "generic cluster",
        GENERIC,
        {
            "resourceProviderNamespace": "microsoft.kubernetes",
            "parentResourcePath": "",
            "resourceName": UNKNOWN,
            "resourceType": "connectedClusters",
            "properties": {"privateLinkState": "Enabled"},
        },
        "properties.privateLinkState",
        GA,
    ),
    Case(
        "generic below another provider",
        GENERIC,
        {
            "resourceProviderNamespace": "Microsoft.Kubernetes",
            "resourceName": "r",
            "resourceType": "scopedResources",
            "parentResourcePath": "connectedClusters/c/providers/Microsoft.HybridCompute/privateLinkScopes/s",
        },
        "",
        GA,
    ),
    Case("template", DEPLOYMENT, deployment(ARM_ENDPOINT), "properties.template.resources[0]"),
    Case(
        "nested template",
        DEPLOYMENT,
        deployment(nested(nested(ARM_ENDPOINT))),
        "properties.template.resources[0].properties.template.resources[0].properties.template.resources[0]",
    ),
    Case(
        "symbolic names",
        DEPLOYMENT,
        {"properties": {"template": {"languageVersion": "2.0", "resources": {"pe": {**ARM_ENDPOINT}}}}},
        "properties.template.resources.pe",
    ),
    Case(
        "template's child",
        DEPLOYMENT,
        deployment(
            {
                "type": "Microsoft.Network/privateDnsZones",
                "name": "[parameters('zone')]",
                "resources": [{"type": "virtualNetworkLinks", "name": "privatelink.his.arc.azure.com/l"}],
            },
            parameters={"zone": {"type": "string", "defaultValue": "corp.example"}},
        ),
        "properties.template.resources[0].resources[0].name",
        GA,
    ),
    Case(
        "template's parameter",
        DEPLOYMENT,
        {
            "properties": {
                "parameters": {"state": {"value": "Enabled"}},
                "template": template(
                    {
                        "type": "Microsoft.Kubernetes/connectedClusters",
                        "properties": {"privateLinkState": "[parameters('State')]"},
                    }
                ),
            }
        },
        "properties.template.resources[0].properties.privateLinkState",
        GA,
    ),
    Case(
        "template's expression",
        DEPLOYMENT,
        deployment(
            {
                "type": "Microsoft.Network/privateEndpoints",
                "name": "[concat('a', 'b')]",
                "properties": {
                    "privateLinkServiceConnections": [
                        {
                            "properties": {
                                "privateLinkServiceId": "[resourceId('Microsoft.HybridCompute/privateLinkScopes', 's')]"
                            }
                        }
                    ]
                },
            }
        ),
        "properties.template.resources[0].properties.privateLinkServiceConnections[0].properties.privateLinkServiceId",
        GA,
    ),
    Case(
        "classic template",
        "azure:core/resourceGroupTemplateDeployment:ResourceGroupTemplateDeployment",
        {"templateContent": json.dumps(template(ARM_ENDPOINT))},
        "templateContent",
    ),
    Case(
        "azapi",
        "azapi:index/resource:Resource",
        {"type": "Microsoft.HybridCompute/privateLinkScopes@2024-07-10", "name": "s", "body": {}},
        "type",
        GA,
    ),
    Case("az", LOCAL, {"create": CREATE}, "create"),
    Case("az, quoted", LOCAL, {"create": "az  network 'private-endpoint' \"cre\"ate -n pe"}, "create"),
    Case(
        "az, continued", LOCAL, {"create": "set -e\naz network \\\n  private-endpoint \\\n  create -n pe\n"}, "create"
    ),
    Case("az, second line", LOCAL, {"create": f"az account show # don't\n{CREATE}"}, "create"),
    Case("az, global options", LOCAL, {"create": f"az --subscription s --debug {CREATE[3:]}"}, "create"),
    Case("az, in bash -c", LOCAL, {"create": f"bash -euc '{CREATE}'"}, "create"),
    Case("az, in a substitution", LOCAL, {"create": f'id="$({CREATE} -o tsv)"; echo "$id"'}, "create"),
    Case("az, behind sudo and &&", LOCAL, {"create": f"true && sudo -u root /usr/bin/{CREATE} || exit 1"}, "create"),
    Case("az, behind env -u", LOCAL, {"create": f"env -u HTTP_PROXY A=b {CREATE}"}, "create"),
    Case(
        "az, after a redirection", LOCAL, {"create": "az connectedk8s connect 2>&1 --enable-private-link"}, "create", GA
    ),
    Case("az, in a container", LOCAL, {"create": f"docker run --rm mcr.microsoft.com/azure-cli {CREATE}"}, "create"),
    Case("az, by a variable", LOCAL, {"create": f"$AZ {CREATE[3:]}"}, "create"),
    Case("az, in a loop", LOCAL, {"create": f"for n in a b; do\n  if ! {CREATE}; then exit 1; fi\ndone"}, "create"),
    Case(
        "az, options in an array",
        LOCAL,
        {"create": 'A=(--enable-private-link true)\naz connectedk8s connect "${A[@]}"'},
        "create",
    ),
    Case(
        "az, as a deployment script",
        "azure-native:resources:AzureCliScript",
        {"scriptContent": CREATE},
        "scriptContent",
    ),
    Case(
        "deployment stack",
        "azure-native:resources:DeploymentStackAtResourceGroup",
        {"template": template(ARM_ENDPOINT)},
        "template.resources[0]",
    ),
    Case(
        "powershell, kept",
        LOCAL,
        {"interpreter": ["pwsh", "-Command"], "create": "$pe = New-AzPrivateEndpoint -Name pe"},
        "create",
    ),
    Case("az, on update", LOCAL, {"create": "true", "update": CREATE}, "update"),
    Case(
        "az, by interpreter",
        LOCAL,
        {"interpreter": ["az", "network", "private-endpoint"], "create": "create"},
        "create",
    ),
    Case(
        "az, words in a variable",
        LOCAL,
        {"create": "az $WHAT -n pe", "environment": {"WHAT": "network private-endpoint create"}},
        "create",
    ),
    Case("az, on stdin", REMOTE, {"create": "bash -s", "stdin": CREATE}, "create"),
    Case("az, in a here-document", LOCAL, {"create": f"bash <<'EOF'\n{CREATE}\nEOF\n"}, "create"),
    Case(
        "private link", REMOTE, {"create": "az connectedk8s connect -n c -g g --enable-private-link true"}, "create", GA
    ),
    Case(
        "private link, bare and short", LOCAL, {"create": "az connectedk8s update -n c --enable-private"}, "create", GA
    ),
    Case(
        "private link, by =", LOCAL, {"create": "az connectedk8s connect --enable-private-link=True -n c"}, "create", GA
    ),
    Case("scope id", LOCAL, {"create": "az connectedk8s connect -n c --pls-arm-id $ID"}, "create", GA),
    Case(
        "powershell",
        LOCAL,
        {"interpreter": ["pwsh", "-Command"], "create": "New-AzPrivateEndpoint -Name `\n pe"},
        "create",
    ),
    Case(
        "powershell cluster",
        LOCAL,
        {
            "interpreter": ["pwsh", "-c"],
            "create": "New-AzConnectedKubernetes -ClusterName c -PrivateLinkState 'Enabled'",
        },
        "create",
        GA,
    ),
    Case(
        "az resource",
        LOCAL,
        {"create": "az resource create --resource-type Microsoft.Network/privateEndpoints -n x"},
        "create",
    ),
    Case(
        "az rest",
        LOCAL,
        {"create": f"az rest --method PUT --url 'https://management.azure.com{SCOPE}?api-version=1' --body {{}}"},
        "create",
        GA,
    ),
    Case(
        "az zone",
        LOCAL,
        {"create": "az network private-dns zone create -g g -n privatelink.his.arc.azure.com"},
        "create",
        GA,
    ),
    Case(
        "az record",
        LOCAL,
        {"create": "az network private-dns record-set a add-record -g g --zone-name=privatelink.his.arc.azure.com"},
        "create",
        GA,
    ),
]

ADVISED = [
    Case("storage under ga", ENDPOINT, {"privateLinkServiceConnections": connection(STORAGE, "blob")}, "", GA),
    Case(
        "storage's zone under ga",
        "azure:privatedns/zone:Zone",
        {"name": "privatelink.blob.core.windows.net"},
        "name",
        GA,
    ),
    Case("Azure Monitor", "azure-native:monitor:PrivateLinkScope", {"scopeName": "m"}, ""),
    Case("Resource Manager", "azure:management/privateLink:PrivateLink", {"name": "m"}, ""),
    Case("unknown zone", "azure-native:privatedns:PrivateZone", {"privateZoneName": UNKNOWN}, "privateZoneName"),
    Case(
        "unknown state", "azure-native:kubernetes:ConnectedCluster", {"privateLinkState": UNKNOWN}, "privateLinkState"
    ),
    Case("unknown switch", "arc-gateway:index:ConnectedCluster", {"enablePrivateLink": UNKNOWN}, "enablePrivateLink"),
    Case("unknown command", LOCAL, {"create": UNKNOWN, "update": "true"}, "create"),
    Case(
        "linked template", DEPLOYMENT, {"properties": {"templateLink": {"uri": "https://x"}}}, "properties.templateLink"
    ),
    Case("unknown resource of a template", DEPLOYMENT, deployment(UNKNOWN), "properties.template.resources[0]"),
    Case(
        "unknown resources of a template",
        DEPLOYMENT,
        {"properties": {"template": {"resources": UNKNOWN}}},
        "properties.template.resources",
    ),
    Case("unknown azapi", "azapi:index/resource:Resource", {"type": UNKNOWN, "body": {}}, "type"),
    Case("bridged", "terraform:index:Thing", {"a": [{"b": SCOPE}]}, "a[0].b"),
    Case(
        "python text",
        LOCAL,
        {"interpreter": ["python3", "-c"], "create": "run(['az','network','private-endpoint','create'])"},
        "create",
    ),
    Case("template of a command", LOCAL, {"create": "az deployment group create -g g -f main.bicep"}, "create"),
    Case(
        "template of PowerShell",
        LOCAL,
        {"interpreter": ["pwsh", "-c"], "create": "New-AzResourceGroupDeployment -TemplateFile main.bicep"},
        "create",
    ),
    Case("unknown groups", LOCAL, {"create": "az network $WHAT create -n pe"}, "create"),
    Case("unbalanced", LOCAL, {"create": "az network private-endpoint create 'x"}, "create"),
]

PASSED = [
    Case(
        "gateway",
        "azure-native:hybridcompute:Gateway",
        {"gatewayType": "Public", "allowedFeatures": ["*"]},
        protect=True,
    ),
    Case(
        "cluster, off",
        "azure-native:kubernetes:ConnectedCluster",
        {"privateLinkState": "Disabled", "privateLinkScopeResourceId": ""},
    ),
    Case("ours, off", "arc-gateway:index:ConnectedCluster", {"enablePrivateLink": False, "clusterName": "privateLink"}),
    Case(
        "ours, unrelated unknowns", "arc-gateway:index:ConnectedCluster", {"gatewayId": UNKNOWN, "clusterName": "east"}
    ),
    Case("public zone", "azure-native:dns:Zone", {"zoneName": "privatelink.his.arc.azure.com"}),
    Case("own private zone", "azure-native:privatedns:PrivateZone", {"privateZoneName": "corp.example"}),
    Case("like a private link zone", "azure:privatedns/zone:Zone", {"name": "privatelinks.example"}),
    Case("service endpoint", "azure-native:network:Subnet", {"serviceEndpoints": [{"service": "Microsoft.Storage"}]}),
    Case("private link service", "azure-native:network:PrivateLinkService", {"fqdns": ["shop.example"]}),
    Case(
        "private endpoint policy of a subnet",
        "azure-native:network:Subnet",
        {"privateEndpointNetworkPolicies": "Disabled"},
    ),
    Case("listing", LOCAL, {"create": "az network private-endpoint list -g rg -o table"}),
    Case("deleting", LOCAL, {"create": "true", "delete": "az network private-endpoint delete -n pe -g rg"}),
    Case("echo", LOCAL, {"create": f"echo '{CREATE}'"}),
    Case("comment", LOCAL, {"create": f"# {CREATE}\naz account show"}),
    Case("switched off", LOCAL, {"create": "az connectedk8s update -n c --enable-private-link false"}),
    Case("oidc", LOCAL, {"create": "az connectedk8s connect -n c --enable-oidc-issuer --proxy-skip-range .svc"}),
    Case("redirected", LOCAL, {"create": "az account show >/dev/null 2>&1 && echo ok"}),
    Case("here-document for a file", LOCAL, {"create": f"cat > notes <<EOF\n{CREATE}\nEOF\naz account show"}),
    Case("template of a command, tried out", LOCAL, {"create": "az deployment group what-if -g g -f main.bicep"}),
    Case(
        "rest read", LOCAL, {"create": f"az rest --method get --url https://management.azure.com{SCOPE}?api-version=1"}
    ),
    Case(
        "driver",
        LOCAL,
        {"interpreter": ["bin/driver"], "create": "connect", "update": "connect", "delete": "disconnect"},
    ),
    Case(
        "storage, left alone", ENDPOINT, {"privateLinkServiceConnections": connection(STORAGE)}, config={"scope": "arc"}
    ),
    Case("condition", DEPLOYMENT, deployment({**ARM_ENDPOINT, "condition": False})),
    Case("template of others", DEPLOYMENT, deployment({"type": "Microsoft.Storage/storageAccounts", "name": "pe"})),
    Case(
        "generic gateway", GENERIC, {"resourceProviderNamespace": "Microsoft.HybridCompute", "resourceType": "gateways"}
    ),
    Case("bridged, unrelated", "terraform:index:Thing", {"a": "private endpoint"}),
    Case("Kubernetes kind of that name", "kubernetes:core/v1:Endpoints", {"metadata": {"name": "privateEndpoint"}}),
    Case("not Azure", "aws:ec2/vpcEndpoint:VpcEndpoint", {"privateDnsEnabled": True}),
]
