"""Resources that no-private-endpoints must refuse, must only advise against, and must let pass."""

from __future__ import annotations

import base64
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

POWERSHELL = {"interpreter": ["pwsh", "-NoProfile", "-Command"]}
JOB = "kubernetes:batch/v1:Job"
ARM_JSON = json.dumps(template(ARM_ENDPOINT))
CLUSTER_ID = "/subscriptions/0/resourceGroups/r/providers/Microsoft.Kubernetes/connectedClusters/c"
BICEP = """\
param zone string = 'privatelink.his.arc.azure.com'
resource net 'Microsoft.Network/virtualNetworks@2023-05-01' existing = {
  name: 'net'
}
resource dns 'Microsoft.Network/privateDnsZones@2020-06-01' = {
  name: zone
  location: 'global'
}
"""


def pod(*command: str) -> dict[str, Any]:
    containers = [{"name": "c", "image": "mcr.microsoft.com/azure-cli", "command": list(command)}]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


#: Ways of shell text to the same call.
SHELL_FORMS = {
    "split words": "a''z net\"\"work private-\\endpoint create",
    "ANSI-C quoting": "az network $'private\\x2dendpoint' create",
    "broken within a word": "az network private-end\\\npoint create",
    "Windows line ends": "az network \\\r\n private-endpoint create\r\n",
    "a redirection within": "az network 2>/dev/null private-endpoint create >out.json",
    "eval of a variable": f"cmd='{CREATE}'\neval \"$cmd\"",
    "a variable as command": f"cmd='{CREATE}'; $cmd",
    "an array as command": 'cmd=(az network private-endpoint create)\n"${cmd[@]}"',
    "a default of a variable": "az ${GROUP:-network} private-endpoint create",
    "parts in variables": "readonly A=private; export B=endpoint\naz network $A-$B create",
    "a loop's variable in a name": 'for n in a b; do az network private-endpoint create -n "$n"; done',
    "xargs": "printf 'a\\nb' | xargs -d '\\n' -I{} az network private-endpoint create -n {}",
    "parallel": "parallel -j 2 az network private-endpoint create -n {} ::: a b",
    "a pipe into a shell": f"echo '{CREATE}' | bash -e",
    "base64 into a shell": f"echo {encoded(CREATE)} | base64 -d | sudo sh",
    "a here-document through cat": f"cat <<EOF | sh\n{CREATE}\nEOF\n",
    "the second here-document": f"cat <<A; bash -s <<B\n{CREATE} of no use\nA\n{CREATE}\nB\n",
    "a here-string": f"bash <<< '{CREATE}'",
    "a function": 'pe() { az network private-endpoint create -n "$1"; }\npe a',
    "a function that runs its arguments": f'try() {{ "$@" || exit 1; }}\ntry {CREATE}',
    "positional arguments": 'sh -c \'az network "$0" "$1"\' private-endpoint create',
    "set --": f'set -- {CREATE}\n"$@"',
    "a branch of case": "case $1 in\n up) az network private-endpoint create ;;\nesac",
    "or else": f"az network private-endpoint show -n pe || {CREATE}",
    "a process substitution": f"cat <({CREATE})",
    "backquotes in quotes": f'id="`{CREATE}`"',
    "an alias": "alias pe='az network private-endpoint'\npe create -n x",
    "a trap": f"trap '{CREATE}' EXIT",
    "find": f"find . -name x -exec {CREATE} \\;",
    "watch": f"watch -n 5 '{CREATE}'",
    "at": f"echo '{CREATE}' | at now",
    "a crontab": f"echo '*/5 * * * * {CREATE}' | crontab -",
    "a makefile on stdin": f"make -f - <<'E'\nall:\n\t@{CREATE}\nE",
    "source": f"source /dev/stdin <<'E'\n{CREATE}\nE",
    "a shell's process substitution": f"bash <(echo '{CREATE}')",
    "a printed word": "az network $(echo private-endpoint) create",
    "a printed script": f'x=$(bash -c "$(echo {CREATE!r})")',
    "all output redirected": "az network private-endpoint create &> log",
    "several scripts for a machine": f"az vm run-command invoke --command-id R --scripts 'set -e' '{CREATE}'",
    "a connection of a storage account": "az storage account private-endpoint-connection approve -n x",
    "the machine's agent": f"azcmagent connect --private-link-scope {SCOPE}",
    "encoded PowerShell": f"pwsh -EncodedCommand {base64.b64encode(CREATE.encode('utf-16-le')).decode()}",
    "wrappers": f"nohup stdbuf -oL setsid timeout -k 5 60s flock /tmp/lock {CREATE}",
    "env -S": f"env -S '{CREATE}'",
    "su": f"su - azure -c '{CREATE}'",
    "ssh": f"ssh -i key -o BatchMode=yes admin@jump '{CREATE}'",
    "busybox": f"busybox sh -c '{CREATE}'",
    "Python's module": f"python3 -m azure.cli {CREATE[3:]}",
    "docker exec": f"docker exec -i cli {CREATE}",
    "a shell in docker": f"docker run --rm mcr.microsoft.com/azure-cli bash -c '{CREATE}'",
    "an entry point": f"docker run --entrypoint az mcr.microsoft.com/azure-cli {CREATE[3:]}",
    "kubectl exec": f"kubectl exec -n tools cli -- {CREATE}",
    "a machine's run command": f"az vm run-command invoke -g g -n v --command-id RunShellScript --scripts '{CREATE}'",
    "a cluster's run command": f'az aks command invoke -g g -n c --command "{CREATE}"',
    "a script that it writes": f"cat > up.sh <<'EOF'\n#!/bin/sh\n{CREATE}\nEOF\nsh up.sh",
    "update": "az network private-endpoint update -g rg -n pe --set tags.a=b",
    "a resource below a parent": "az resource create -g g --namespace Microsoft.HybridCompute "
    "--parent privateLinkScopes/s --resource-type scopedResources -n x --properties '{}'",
    "a resource's whole object": f"az resource create --is-full-object --id {SCOPE} --properties '{{}}'",
    "properties as JSON": "az resource create -g g -n c --resource-type Microsoft.Kubernetes/connectedClusters "
    """--properties '{"privateLinkState": "Enabled"}'""",
    "a property by its path": f"az resource update --ids {CLUSTER_ID} --set properties.privateLinkState=Enabled",
    "a request's body": f"az rest -m patch -u {CLUSTER_ID}?api-version=1 "
    """-b '{"properties":{"privateLinkState":"Enabled"}}'""",
    "a request for a deployment": "az rest --method put --url /subscriptions/0/resourceGroups/r/providers/"
    f"Microsoft.Resources/deployments/d?api-version=1 --body '{json.dumps(deployment(ARM_ENDPOINT))}'",
    "curl": f"curl -sX PUT -H 'Content-Type: text/json' https://management.azure.com{SCOPE}?api-version=1 -d '{{}}'",
    "a template on stdin": f"az deployment group create -g r --template-file /dev/stdin <<'EOF'\n{ARM_JSON}\nEOF",
    "a template that it writes": f"cat > t.json <<'EOF'\n{ARM_JSON}\nEOF\naz deployment sub create -f ./t.json",
    "Bicep that it writes": f"tee t.bicep >/dev/null <<'EOF'\n{BICEP}EOF\naz stack group create -n s -f t.bicep",
    "a manifest on stdin": "kubectl apply -f - <<EOF\napiVersion: network.azure.com/v1api20220701\n"
    "kind: PrivateEndpoint\nmetadata: {name: pe}\nEOF",
    "PowerShell in a shell": 'pwsh -Command "New-AzPrivateEndpoint -Name pe"',
    "options in a variable": 'O="-n c"\nO+=" --enable-private-link true"\naz connectedk8s connect $O',
    "the last of two switches": "az connectedk8s connect --enable-private-link false --enable-private-link true",
}

POWERSHELL_FORMS = {
    "Invoke-Expression": f"Invoke-Expression '{CREATE}'",
    "Start-Process": "Start-Process az -ArgumentList 'network','private-endpoint','create' -Wait",
    "a variable": "$what = 'private-endpoint'\naz network $what create",
    "an escaped quote before": 'Write-Host "it`"s"; New-AzPrivateEndpoint -Name pe',
    "a text block before": "@'\nit's\n'@ | Out-File x\nNew-AzPrivateEndpoint -Name pe",
    "a condition": "if (-not (Get-AzPrivateEndpoint -Name pe)) {\n  New-AzPrivateEndpoint -Name pe\n}",
    "splatting": "$params = @{ Name = 'pe' }\nNew-AzPrivateEndpoint @params",
    "try": "try { New-AzPrivateEndpoint -Name pe } catch { throw }",
    "a pipe": "Get-AzVirtualNetwork | ForEach-Object { New-AzPrivateEndpoint -Subnet $_.Subnets[0] -Name pe }",
    "a module's name": "Az.Network\\New-AzPrivateEndpoint -Name pe",
    "the call operator": "& 'C:\\Program Files\\az.cmd' network private-endpoint create -n pe",
    "a block comment before": "<# it's new #>\nNew-AzPrivateEndpoint -Name pe",
    "a changed endpoint": "Set-AzPrivateEndpoint -PrivateEndpoint $pe",
    "a scope": "[void](New-AzConnectedPrivateLinkScope -Name s -PublicNetworkAccess Disabled)",
    "a generic resource": "New-AzResource -ResourceType Microsoft.Network/privateEndpoints -ResourceName pe -Force",
    "a request": f"Invoke-AzRestMethod -Method PUT -Path '{SCOPE}?api-version=1' -Payload '{{}}'",
}

REFUSED = [
    *(Case(f"az, by {name}", LOCAL, {"create": text}, "create") for name, text in SHELL_FORMS.items()),
    *(
        Case(f"powershell, by {name}", LOCAL, {**POWERSHELL, "create": text}, "create")
        for name, text in POWERSHELL_FORMS.items()
    ),
    Case(
        "old generic token's zone",
        "azure-native:resources/v20210401:Resource",
        {
            "resourceProviderNamespace": "Microsoft.Network",
            "parentResourcePath": "",
            "resourceType": "privateDnsZones",
            "resourceName": "privatelink.his.arc.azure.com",
        },
        "resourceName",
        GA,
    ),
    Case(
        "generic link of a zone",
        GENERIC,
        {
            "resourceProviderNamespace": "Microsoft.Network",
            "parentResourcePath": "privateDnsZones/privatelink.his.arc.azure.com",
            "resourceType": "virtualNetworkLinks",
            "resourceName": "l",
        },
        "parentResourcePath",
        GA,
    ),
    Case("service operator", "kubernetes:network.azure.com/v1api20220701:PrivateEndpoint", {"spec": {}}, "spec"),
    Case(
        "service operator's zone",
        "kubernetes:network.azure.com/v1api20180901:PrivateDnsZone",
        {"spec": {"azureName": "privatelink.his.arc.azure.com"}},
        "spec.name",
        GA,
    ),
    Case(
        "service operator's scope", "kubernetes:hybridcompute.azure.com/v1:PrivateLinkScope", {"spec": {}}, "spec", GA
    ),
    Case(
        "Crossplane",
        "kubernetes:network.azure.upbound.io/v1beta1:PrivateEndpoint",
        {"spec": {"forProvider": {"privateServiceConnection": [{"privateConnectionResourceId": SCOPE}]}}},
        "spec.forProvider.privateServiceConnection[0].privateConnectionResourceId",
        GA,
    ),
    Case(
        "Crossplane's zone, by annotation",
        "kubernetes:network.azure.m.upbound.io/v1beta1:PrivateDNSZone",
        {
            "metadata": {"annotations": {"crossplane.io/external-name": "privatelink.his.arc.azure.com"}},
            "spec": {"forProvider": {"tags": {}}},
        },
        "spec.forProvider.name",
        GA,
    ),
    Case("azurerm", "azurerm:index/privateEndpoint:PrivateEndpoint", {"name": "pe"}, ""),
    Case(
        "azurerm's record",
        "azurerm:index/privateDnsARecord:PrivateDnsARecord",
        {"zoneName": "privatelink.his.arc.azure.com"},
        "zoneName",
        GA,
    ),
    Case(
        "azapi, changing a cluster",
        "azapi:index/updateResource:UpdateResource",
        {
            "type": "Microsoft.Kubernetes/connectedClusters@2024-07-15-preview",
            "resourceId": UNKNOWN,
            "body": {"properties": {"privateLinkState": "Enabled"}},
        },
        "type",
        GA,
    ),
    Case(
        "azapi, body as text",
        "azapi:index/resource:Resource",
        {
            "type": "Microsoft.Kubernetes/connectedClusters@2024-07-15-preview",
            "body": '{"properties": {"privateLinkState": "enabled"}}',
        },
        "type",
        GA,
    ),
    Case(
        "managed endpoint",
        "azure-native:datafactory:ManagedPrivateEndpoint",
        {"properties": {"privateLinkResourceId": SCOPE}},
        "properties.privateLinkResourceId",
        GA,
    ),
    Case(
        "driver's settings",
        LOCAL,
        {"create": "c", "environment": {"ARC_ENABLE_PRIVATE_LINK": "true"}},
        "environment.ARC_ENABLE_PRIVATE_LINK",
        GA,
    ),
    Case(
        "driver's scope",
        LOCAL,
        {"create": "c", "environment": {"ARC_PRIVATE_LINK_SCOPE_ID": UNKNOWN}},
        "environment.ARC_PRIVATE_LINK_SCOPE_ID",
        GA,
    ),
    Case(
        "ours, camel scope",
        "arc-gateway:index:ConnectedCluster",
        {"enablePrivateLink": False, "privateLinkScopeId": UNKNOWN},
        "privateLinkScopeId",
        GA,
    ),
    Case("pod", JOB, pod("bash", "-c", CREATE), "spec.template.spec.containers[0].command"),
    Case(
        "extension of a machine",
        "azure-native:compute:VirtualMachineExtension",
        {"settings": {"commandToExecute": f"apt-get update && {CREATE}"}},
        "settings.commandToExecute",
    ),
    Case(
        "extension, classic",
        "azure:compute/extension:Extension",
        {"protectedSettings": json.dumps({"commandToExecute": CREATE})},
        "protectedSettings",
    ),
    Case(
        "custom data",
        "azure-native:compute/v20230301:VirtualMachine",
        {"osProfile": {"customData": encoded(f"#!/bin/bash\n{CREATE}\n")}},
        "osProfile.customData",
    ),
    Case(
        "cloud-init",
        "azure:compute/linuxVirtualMachine:LinuxVirtualMachine",
        {"customData": encoded("#cloud-config\nruncmd:\n  - [az, network, private-endpoint, create, -n, pe]\n")},
        "customData",
    ),
    Case(
        "run command",
        "azure-native:compute:VirtualMachineRunCommandByVirtualMachine",
        {"source": {"script": CREATE}},
        "source.script",
    ),
    Case(
        "deployment script in a template",
        DEPLOYMENT,
        deployment(
            {
                "type": "Microsoft.Resources/deploymentScripts",
                "kind": "AzurePowerShell",
                "properties": {"scriptContent": "try { New-AzPrivateEndpoint -Name pe } catch { throw }"},
            }
        ),
        "properties.template.resources[0].properties.scriptContent",
    ),
    Case(
        "policy that deploys",
        "azure-native:authorization:PolicyDefinition",
        {"policyRule": {"then": {"effect": "deployIfNotExists", "details": {"deployment": deployment(ARM_ENDPOINT)}}}},
        "policyRule.then.details.deployment.properties.template.resources[0]",
    ),
    Case(
        "cmd",
        LOCAL,
        {"interpreter": ["cmd.exe", "/C"], "create": "set X=network\ncall az %X% private-endpoint create"},
        "create",
    ),
    Case(
        "machine's mixed data",
        "azure-native:compute:VirtualMachine",
        {"userData": encoded(f"Content-Type: multipart/mixed; boundary=B\n\n--B\nX: y\n\n#!/bin/sh\n{CREATE}\n--B--")},
        "userData",
    ),
    Case(
        "scale set's extension",
        "azure-native:compute:VirtualMachineScaleSet",
        {"virtualMachineProfile": {"extensionProfile": {"extensions": [{"settings": {"commandToExecute": CREATE}}]}}},
        "virtualMachineProfile.extensionProfile.extensions[0].settings.commandToExecute",
    ),
    Case("runbook", "azure:automation/runBook:RunBook", {"content": "New-AzPrivateEndpoint -Name pe"}, "content"),
    Case(
        "container by its entry point",
        "docker:index/container:Container",
        {"image": "azure-cli", "entrypoints": ["az"], "command": ["network", "private-endpoint", "create"]},
        "entrypoints",
    ),
    Case(
        "container group",
        "azure-native:containerinstance:ContainerGroup",
        {"containers": [{"image": "azure-cli", "command": ["/bin/sh", "-c", CREATE]}]},
        "containers[0].command",
    ),
    Case(
        "Tekton's step",
        "kubernetes:tekton.dev/v1:Task",
        {"spec": {"steps": [{"image": "azure-cli", "script": f"#!/bin/bash\n{CREATE}"}]}},
        "spec.steps[0].script",
    ),
    Case(
        "Crossplane's composition",
        "kubernetes:apiextensions.crossplane.io/v1:Composition",
        {
            "spec": {
                "resources": [
                    {"base": {"apiVersion": "network.azure.upbound.io/v1beta1", "kind": "PrivateEndpoint", "spec": {}}}
                ]
            }
        },
        "spec.resources[0].base.spec",
    ),
    Case(
        "type put together in a template",
        DEPLOYMENT,
        deployment({"type": "[concat('Microsoft.Network', '/privateEndpoints')]", "name": "x"}),
        "properties.template.resources[0]",
    ),
    Case(
        "zone put together in a template",
        DEPLOYMENT,
        deployment(
            {
                "type": "Microsoft.Network/privateDnsZones",
                "name": "[format('privatelink.{0}.{1}', variables('service'), 'azure.com')]",
            },
            variables={"service": "his.arc"},
        ),
        "properties.template.resources[0].name",
        GA,
    ),
    Case(
        "template spec in a template",
        DEPLOYMENT,
        deployment(
            {
                "type": "Microsoft.Resources/templateSpecs/versions",
                "name": "x/1",
                "properties": {"mainTemplate": template(ARM_ENDPOINT)},
            }
        ),
        "properties.template.resources[0].properties.mainTemplate.resources[0]",
    ),
    Case(
        "managed application",
        "azure-native:solutions:ApplicationDefinition",
        {"mainTemplate": template(ARM_ENDPOINT)},
        "mainTemplate.resources[0]",
    ),
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
    Case("template file", LOCAL, {"create": "az deployment group create -g r --template-file main.json"}, "create"),
    Case("Bicep file", LOCAL, {"create": "az stack sub create -n s -l eastus -f main.bicep"}, "create"),
    Case("template's address", LOCAL, {"create": "az deployment sub create -l e --template-uri https://x/t"}, "create"),
    Case("template spec", LOCAL, {"create": "az ts create -g g -n s -v 1 -f main.bicep"}, "create"),
    Case(
        "template by PowerShell",
        LOCAL,
        {**POWERSHELL, "create": "New-AzResourceGroupDeployment -ResourceGroupName g -TemplateFile main.bicep"},
        "create",
    ),
    Case(
        "module in Bicep text",
        LOCAL,
        {"create": "az deployment group create -f /dev/stdin <<'E'\nmodule pe './pe.bicep' = {\n  name: 'x'\n}\nE"},
        "create",
    ),
    Case(
        "template's type unknown",
        DEPLOYMENT,
        deployment({"type": UNKNOWN, "name": "x"}),
        "properties.template.resources[0].type",
    ),
    Case(
        "module of Terraform",
        "terraform-module:index:Module",
        {"source": "Azure/avm-res-network-privateendpoint/azurerm"},
        "source",
    ),
    Case(
        "forwarding",
        "azure-native:dnsresolver:ForwardingRule",
        {"domainName": "privatelink.his.arc.azure.com.", "targetDnsServers": [{"ipAddress": "10.0.0.4"}]},
        "domainName",
    ),
    Case(
        "unknown custom data",
        "azure-native:compute:VirtualMachine",
        {"osProfile": {"customData": UNKNOWN}},
        "osProfile.customData",
    ),
    Case(
        "python's text on stdin",
        LOCAL,
        {"create": "python3 - <<E\nrun(['az', 'network', 'private-endpoint', 'create'])\nE"},
        "create",
    ),
    Case(
        "Terraform text", LOCAL, {"create": 'cat > m.tf <<E\nresource "azurerm_private_endpoint" "x" {}\nE'}, "create"
    ),
    Case("options that are not known", LOCAL, {"create": 'az connectedk8s connect -n "$N" -g "$G" $OPTIONS'}, "create"),
    Case(
        "script kept in a ConfigMap",
        "kubernetes:core/v1:ConfigMap",
        {"data": {"run.sh": f"#!/bin/sh\n{CREATE}\n"}},
        'data["run.sh"]',
    ),
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
    Case(
        "named like one",
        "azure-native:storage:StorageAccount",
        {
            "accountName": "private-endpoint-docs",
            "publicNetworkAccess": "Disabled",
            "networkRuleSet": {"bypass": "None"},
        },
    ),
    Case(
        "showing and waiting",
        LOCAL,
        {"create": "az network private-endpoint show -n create && az network private-endpoint wait -n pe --created"},
    ),
    Case("help", LOCAL, {"create": "az network private-endpoint create --help"}),
    Case("searching", LOCAL, {"create": f"grep -r '{CREATE}' docs; git commit -m '{CREATE}'"}),
    Case("printing", LOCAL, {"create": f"usage() {{ echo '{CREATE}'; }}\nusage; printf '%s\\n' '{CREATE}' >&2"}),
    Case(
        "writing it down", LOCAL, {"create": f"echo '{CREATE}' > README.md; echo '{CREATE}' | tee -a notes.txt | wc -l"}
    ),
    Case(
        "switched off in all ways",
        LOCAL,
        {"create": "az connectedk8s connect --enable-private-link=False; az connectedk8s update --enable-private no"},
    ),
    Case(
        "switched off last",
        LOCAL,
        {"create": "az connectedk8s connect --enable-private-link true --enable-private-link false"},
    ),
    Case(
        "deleting in update",
        LOCAL,
        {
            "create": "true",
            "update": "az network private-endpoint list -o tsv | xargs -r az network private-endpoint delete --ids",
        },
    ),
    Case(
        "deleting a zone",
        LOCAL,
        {"create": "true", "delete": "az network private-dns zone delete -y -n privatelink.his.arc.azure.com"},
    ),
    Case(
        "deleting by request",
        LOCAL,
        {
            "create": f"az rest --method delete --url {SCOPE}?api-version=1; curl -X DELETE https://management.azure.com{SCOPE}"
        },
    ),
    Case("own zone by az", LOCAL, {"create": "az network private-dns zone create -g g -n corp.example"}),
    Case("what-if", LOCAL, {"create": "az deployment group what-if -g r -f main.bicep; az bicep build -f main.bicep"}),
    Case(
        "template of others that it writes",
        LOCAL,
        {
            "create": "cat > t.json <<'E'\n"
            + json.dumps(template({"type": "Microsoft.Storage/storageAccounts", "name": "pe"}))
            + "\nE\naz deployment group create -g g -f t.json"
        },
    ),
    Case(
        "existing endpoint in Bicep text",
        LOCAL,
        {
            "create": "az deployment group create -f /dev/stdin <<'E'\n"
            "resource pe 'Microsoft.Network/privateEndpoints@2023-05-01' existing = {\n  name: 'pe'\n}\nE"
        },
    ),
    Case(
        "powershell, reading",
        LOCAL,
        {
            **POWERSHELL,
            "create": "Get-AzPrivateEndpoint; # New-AzPrivateEndpoint\nRemove-AzPrivateEndpoint -Name pe -Force",
        },
    ),
    Case(
        "driver, private link off",
        LOCAL,
        {"create": "connect", "environment": {"ARC_ENABLE_PRIVATE_LINK": "false", "ARC_PRIVATE_LINK_SCOPE_ID": ""}},
    ),
    Case(
        "another network resource of an operator",
        "kubernetes:network.azure.com/v1api20201101:VirtualNetwork",
        {"metadata": {"name": "privatelink.his.arc.azure.com"}, "spec": {}},
    ),
    Case("another operator", "kubernetes:network.aws.upbound.io/v1:PrivateEndpoint", {"spec": {}}),
    Case(
        "policy that denies",
        "azure-native:authorization:PolicyDefinition",
        {
            "policyRule": {
                "if": {"field": "type", "equals": "Microsoft.Network/privateEndpoints"},
                "then": {"effect": "deny"},
            }
        },
    ),
    Case(
        "managed endpoint of a database",
        "azure-native:datafactory:ManagedPrivateEndpoint",
        {"properties": {"privateLinkResourceId": STORAGE}},
    ),
    Case(
        "azapi, asking",
        "azapi:index/resourceAction:ResourceAction",
        {"type": "Microsoft.HybridCompute/privateLinkScopes@2024-07-10", "resourceId": SCOPE, "method": "GET"},
    ),
    Case("pod that lists", JOB, pod("az", "network", "private-endpoint", "list")),
    Case(
        "machine that installs",
        "azure-native:compute:VirtualMachine",
        {
            "osProfile": {
                "customData": encoded(
                    "#cloud-config\npackages: [azure-cli]\nruncmd:\n  - echo az network private-endpoint create\n"
                )
            }
        },
    ),
    Case(
        "private cluster of AKS",
        "azure-native:containerservice:ManagedCluster",
        {"apiServerAccessProfile": {"enablePrivateCluster": True, "privateDNSZone": "none"}},
    ),
    Case("unknown values of options", LOCAL, {"create": 'az connectedk8s connect -n "$N" -g "$G" --tags "a=$B"'}),
    Case("a function that prints its arguments", LOCAL, {"create": f'log() {{ echo "$@"; }}\nlog {CREATE}'}),
    Case("a text of several lines", LOCAL, {"create": f"git commit -m 'one\n{CREATE}\ntwo'"}),
    Case("printed for a search", LOCAL, {"create": f"echo '{CREATE}' | grep private; cat <<E\n{CREATE}\nE"}),
    Case(
        "deleting all",
        LOCAL,
        {"create": "az network private-endpoint delete --ids $(az network private-endpoint list -o tsv)"},
    ),
    Case("powershell, off", LOCAL, {**POWERSHELL, "create": "Set-AzConnectedKubernetes -PrivateLinkState Disabled"}),
    Case("not Azure", "aws:ec2/vpcEndpoint:VpcEndpoint", {"privateDnsEnabled": True}),
]
