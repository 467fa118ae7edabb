"""Resources that no-expressroute-or-vpn must refuse, must only advise against, and must let pass."""

from __future__ import annotations

import json
from typing import Any

from policy_cases import UNKNOWN, Case

RULE = "no-expressroute-or-vpn"
GA = {"profile": "ga"}

LOCAL, REMOTE = "command:local:Command", "command:remote:Command"
DEPLOYMENT = "azure-native:resources:Deployment"
GENERIC = "azure-native:resources:Resource"
GATEWAY = "azure-native:network:VirtualNetworkGateway"
CONNECTION = "azure-native:network:VirtualNetworkGatewayConnection"
PEERING = "azure-native:network:ExpressRouteCircuitPeering"
NETWORK = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Network"
CIRCUIT = f"{NETWORK}/expressRouteCircuits/c"
CLIENTS = {"vpnClientAddressPool": {"addressPrefixes": ["172.16.0.0/24"]}, "vpnClientProtocols": ["OpenVPN"]}
POWERSHELL = ["pwsh", "-Command"]


def template(*resources: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"$schema": "x", "contentVersion": "1.0.0.0", "resources": list(resources), **rest}


def deployment(*resources: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"properties": {"mode": "Incremental", "template": template(*resources, **rest)}}


def arm(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": f"Microsoft.Network/{kind}", "name": "n", "apiVersion": "2024-05-01", "properties": properties}


def generic(kind: str, parent: str = "", **properties: Any) -> dict[str, Any]:
    return {
        "resourceProviderNamespace": "Microsoft.Network",
        "parentResourcePath": parent,
        "resourceType": kind,
        "resourceName": "n",
        "properties": properties,
    }


def az(text: str) -> dict[str, Any]:
    return {"create": f"az network {text}"}


def pwsh(text: str) -> dict[str, Any]:
    return {"interpreter": POWERSHELL, "create": text}


REFUSED = [
    Case("circuit", "azure-native:network:ExpressRouteCircuit", {"circuitName": "c"}, ""),
    Case("circuit, v2 token", "azure-native:network/v20230501:ExpressRouteCircuit", {"location": UNKNOWN}, ""),
    Case("circuit, package token", "azure-native_network_v20250113:network:ExpressRouteCircuit", {}, ""),
    Case("circuit, nextgen", "azure-nextgen:network/latest:ExpressRouteCircuit", {}, ""),
    Case("circuit's authorization", "azure-native:network:ExpressRouteCircuitAuthorization", {}, ""),
    Case("global reach", "azure-native:network:ExpressRouteCircuitConnection", {"circuitName": "c"}, ""),
    Case("virtual WAN's ExpressRoute", "azure-native:network:ExpressRouteGateway", {"virtualHub": {"id": "h"}}, ""),
    Case("virtual WAN's circuit", "azure-native:network:ExpressRouteConnection", {"name": "n"}, ""),
    Case("port", "azure-native:network:ExpressRoutePort", {"bandwidthInGbps": 100}, ""),
    Case("cross connection", "azure-native:network:ExpressRouteCrossConnectionPeering", {"peeringName": UNKNOWN}, ""),
    Case("a type yet to come", "azure-native:network:ExpressRouteSomethingNew", {}, ""),
    Case("VMware's authorization", "azure-native:avs:Authorization", {"privateCloudName": "p"}, ""),
    Case("private peering", PEERING, {"peeringType": "AzurePrivatePeering", "peeringName": "AzurePrivatePeering"}, ""),
    Case("public services, under ga", PEERING, {"peeringType": "MicrosoftPeering", "vlanId": 7}, "peeringType", GA),
    Case(
        "public services, by name",
        PEERING,
        {"peeringType": UNKNOWN, "peeringName": "microsoftpeering"},
        "peeringName",
        GA,
    ),
    Case(
        "public services, within the circuit",
        "azure-native:network:ExpressRouteCircuit",
        {"peerings": [{"peeringType": "AzurePrivatePeering"}, {"peeringType": "MicrosoftPeering"}]},
        "peerings[1].peeringType",
        GA,
    ),
    Case(
        "route filter",
        "azure-native:network:RouteFilter",
        {
            "rules": [
                {"access": "Deny", "communities": ["12076:51004"]},
                {"access": "Allow", "communities": ["12076:5010", "12076:51004"]},
            ]
        },
        "rules[1].communities[1]",
        GA,
    ),
    Case(
        "classic route filter",
        "azure:network/routeFilter:RouteFilter",
        {"rule": {"access": "Allow", "ruleType": "Community", "communities": ["12076:5070"]}},
        "rule.communities[0]",
        GA,
    ),
    Case(
        "route of Arc's service tag",
        "azure-native:network:RouteTable",
        {
            "routes": [
                {"addressPrefix": "10.0.0.0/8", "nextHopType": "VirtualNetworkGateway"},
                {"addressPrefix": "AzureArcInfrastructure.WestEurope", "nextHopType": "virtualNetworkGateway"},
            ]
        },
        "routes[1].addressPrefix",
        GA,
    ),
    Case(
        "site that names Arc, under ga",
        "azure-native:network:VpnSite",
        {"vpnSiteLinks": [{"fqdn": "edge.gw.arc.azure.com"}]},
        "vpnSiteLinks[0].fqdn",
        GA,
    ),
    Case(
        "ExpressRoute gateway",
        GATEWAY,
        {"gatewayType": "expressRoute", "vpnClientConfiguration": CLIENTS},
        "gatewayType",
    ),
    Case("policy-based gateway", GATEWAY, {"gatewayType": "Vpn", "vpnType": "PolicyBased"}, "vpnType"),
    Case(
        "gateway with a default site",
        GATEWAY,
        {"gatewayType": UNKNOWN, "vpnClientConfiguration": CLIENTS, "gatewayDefaultSite": {"id": UNKNOWN}},
        "gatewayDefaultSite",
    ),
    Case("site-to-site", CONNECTION, {"connectionType": "IPsec", "sharedKey": "hush"}, "connectionType"),
    Case(
        "circuit to network", CONNECTION, {"connectionType": "EXPRESSROUTE", "peer": {"id": CIRCUIT}}, "connectionType"
    ),
    Case(
        "type unknown, end known",
        CONNECTION,
        {"connectionType": UNKNOWN, "localNetworkGateway2": {"id": UNKNOWN}},
        "localNetworkGateway2",
    ),
    Case("far end", "azure-native:network:LocalNetworkGateway", {"gatewayIpAddress": "192.0.2.1"}, ""),
    Case("virtual WAN's VPN", "azure-native:network/v20231101:VpnGateway", {"virtualHub": {"id": UNKNOWN}}, ""),
    Case("virtual WAN's site", "azure-native:network:VpnSite", {"addressSpace": UNKNOWN}, ""),
    Case("virtual WAN's connection", "azure-native:network:VpnConnection", {"gatewayName": "g"}, ""),
    Case("virtual WAN's translation", "azure-native:network:NatRule", {"gatewayName": "g"}, ""),
    Case("hub with VPN", "azure-native:network:VirtualHub", {"vpnGateway": {"id": UNKNOWN}}, "vpnGateway"),
    Case(
        "hub with ExpressRoute",
        "azure-native:network:VirtualHub",
        {"p2SVpnGateway": {"id": "p"}, "expressRouteGateway": {"id": "e"}},
        "expressRouteGateway",
    ),
    Case("classic circuit", "azure:network/expressRouteCircuit:ExpressRouteCircuit", {"bandwidthInMbps": 50}, ""),
    Case(
        "classic peering",
        "azure:network/expressRouteCircuitPeering:ExpressRouteCircuitPeering",
        {"peeringType": "MicrosoftPeering"},
        "peeringType",
        GA,
    ),
    Case("classic port", "azure:network/expressRoutePort:ExpressRoutePort", {}, ""),
    Case(
        "classic gateway", "azure:network/virtualNetworkGateway:VirtualNetworkGateway", {"type": "ExpressRoute"}, "type"
    ),
    Case(
        "classic connection",
        "azure:network/virtualNetworkGatewayConnection:VirtualNetworkGatewayConnection",
        {"type": "IPsec", "localNetworkGatewayId": UNKNOWN},
        "type",
    ),
    Case("classic far end", "azure:network/localNetworkGateway:LocalNetworkGateway", {}, ""),
    Case("classic virtual WAN", "azure:network/vpnGateway:VpnGateway", {}, ""),
    Case("classic virtual WAN's connection", "azure:network/vpnGatewayConnection:VpnGatewayConnection", {}, ""),
    Case("classic VMware", "azure:avs/expressRouteAuthorization:ExpressRouteAuthorization", {}, ""),
    Case("generic circuit", GENERIC, generic("expressRouteCircuits"), ""),
    Case(
        "generic peering",
        GENERIC,
        generic("peerings", "expressRouteCircuits/c", peeringType="MicrosoftPeering"),
        "properties.peeringType",
        GA,
    ),
    Case("generic connection", GENERIC, generic("connections", connectionType="IPsec"), "properties.connectionType"),
    Case("template", DEPLOYMENT, deployment(arm("expressRouteCircuits")), "properties.template.resources[0]"),
    Case(
        "template's gateway",
        DEPLOYMENT,
        deployment(
            arm("virtualNetworkGateways", gatewayType="[parameters('kind')]"),
            parameters={"kind": {"defaultValue": "ExpressRoute"}},
        ),
        "properties.template.resources[0].properties.gatewayType",
    ),
    Case(
        "template's connection",
        DEPLOYMENT,
        deployment(
            arm(
                "connections",
                connectionType="[parameters('kind')]",
                localNetworkGateway2={"id": "[resourceId('Microsoft.Network/localNetworkGateways', 'l')]"},
            )
        ),
        "properties.template.resources[0].properties.localNetworkGateway2",
    ),
    Case(
        "nested template",
        DEPLOYMENT,
        deployment({"type": "Microsoft.Resources/deployments", "name": "i", **deployment(arm("vpnSites"))}),
        "properties.template.resources[0].properties.template.resources[0]",
    ),
    Case(
        "template's child",
        DEPLOYMENT,
        deployment(
            {**arm("expressRouteCircuits"), "condition": False, "resources": []},
            {**arm("expressRouteGateways"), "resources": []},
        ),
        "properties.template.resources[1]",
    ),
    Case(
        "classic template",
        "azure:core/resourceGroupTemplateDeployment:ResourceGroupTemplateDeployment",
        {"templateContent": json.dumps(template(arm("localNetworkGateways")))},
        "templateContent",
    ),
    Case(
        "azapi",
        "azapi:index/resource:Resource",
        {"type": "Microsoft.Network/expressRouteCircuits@2024-05-01", "body": {}},
        "type",
    ),
    Case(
        "azapi, body as text",
        "azapi:index/resource:Resource",
        {
            "type": "Microsoft.Network/virtualNetworkGateways@2024-05-01",
            "body": '{"properties": {"gatewayType": "ExpressRoute"}}',
        },
        "type",
    ),
    Case("bridged Terraform", "azurerm:index/expressRouteCircuit:ExpressRouteCircuit", {"name": "c"}, ""),
    Case(
        "bridged Terraform's gateway",
        "azurerm:index/virtualNetworkGateway:VirtualNetworkGateway",
        {"type": "ExpressRoute"},
        "type",
    ),
    Case(
        "Azure Service Operator",
        "kubernetes:network.azure.com/v1api20220701:VirtualNetworkGateway",
        {"metadata": {"name": "g"}, "spec": {"gatewayType": "ExpressRoute"}},
        "spec.gatewayType",
    ),
    Case(
        "operator's site",
        "kubernetes:network.azure.com/v1api20220701:LocalNetworkGateway",
        {"spec": {"location": "x"}},
        "spec",
    ),
    Case(
        "Crossplane",
        "kubernetes:network.azure.upbound.io/v1beta1:VPNSite",
        {"spec": {"forProvider": {"location": "x"}}},
        "spec.forProvider",
    ),
    Case(
        "Crossplane's connection",
        "kubernetes:network.azure.m.upbound.io/v1beta1:VirtualNetworkGatewayConnection",
        {"spec": {"forProvider": {"type": "IPsec"}}},
        "spec.forProvider.type",
    ),
    Case("az", LOCAL, az("express-route create -n c -g g --bandwidth 50 --provider P --peering-location L"), "create"),
    Case(
        "az peering, under ga",
        LOCAL,
        az("express-route peering create --peering-type=MicrosoftPeering -g g --circuit-name c"),
        "create",
        GA,
    ),
    Case(
        "az peering, quoted",
        REMOTE,
        {"create": "bash -c \"az network 'express-route' peer\"ing update --peering-type 'MicrosoftPeering'"},
        "create",
        GA,
    ),
    Case("az port", LOCAL, az("express-route port link update --port-name p -g g -n link1"), "create"),
    Case(
        "az gateway of ExpressRoute",
        LOCAL,
        az("vnet-gateway create -n g --gateway-type \\\n ExpressRoute --vnet v"),
        "create",
    ),
    Case("az policy-based", LOCAL, az("vnet-gateway create -n g --vpn-type PolicyBased --vnet v"), "create"),
    Case(
        "az connection",
        LOCAL,
        az("vpn-connection create -n c --vnet-gateway1 g --local-gateway2 $L --shared-key k"),
        "create",
    ),
    Case(
        "az connection to a circuit",
        LOCAL,
        az("vpn-connection create -n c --vnet-gateway1 g --express-route-circuit2=c"),
        "create",
    ),
    Case(
        "az far end, in a condition",
        LOCAL,
        {"create": "if true; then /usr/bin/az --only-show-errors network local-gateway create -n l; fi"},
        "create",
    ),
    Case(
        "az, over ssh", LOCAL, {"create": "ssh -i key -p 22 user@host 'az network local-gateway create -n l'"}, "create"
    ),
    Case("az, as another user", LOCAL, {"create": "su deploy -c 'az network local-gateway create -n l'"}, "create"),
    Case("az, as a module", LOCAL, {"create": "python3 -m azure.cli network local-gateway create -n l"}, "create"),
    Case(
        "az, by cmd",
        LOCAL,
        {"interpreter": ["cmd", "/C"], "create": "az.cmd network ^\n vpn-site create -n s"},
        "create",
    ),
    Case("az site", LOCAL, {"create": "true", "update": "az network vpn-site link add -n l --site-name s"}, "update"),
    Case("az virtual WAN", LOCAL, az("vpn-gateway connection create --gateway-name g -n c"), "create"),
    Case(
        "az route filter",
        LOCAL,
        az("route-filter rule create --filter-name f -n r --communities 12076:5010 12076:51006 --access Allow"),
        "create",
        GA,
    ),
    Case(
        "az resource",
        LOCAL,
        {
            "create": "az resource create --resource-type Microsoft.Network/connections -n c "
            """--properties '{"connectionType": "IPsec"}'"""
        },
        "create",
    ),
    Case(
        "az rest",
        LOCAL,
        {
            "create": f"az rest -m put -u 'https://management.azure.com{NETWORK}/virtualNetworkGateways/g?a=1' "
            """--body '{"location": "x", "properties": {"gatewayType": "ExpressRoute"}}'"""
        },
        "create",
    ),
    Case(
        "az resource, below a parent",
        LOCAL,
        {
            "create": "az resource create -g g -n c --namespace Microsoft.Network --parent expressRouteCircuits/c "
            """--resource-type peerings --properties '{"peeringType": "MicrosoftPeering"}'"""
        },
        "create",
        GA,
    ),
    Case(
        "curl",
        LOCAL,
        {
            "create": "curl -fsS -XPUT -H 'Authorization: Bearer x' "
            f"https://management.azure.com{CIRCUIT}?api-version=1 -d @body.json"
        },
        "create",
    ),
    Case("PowerShell resource", LOCAL, pwsh(f"New-AzResource -ResourceId {CIRCUIT} -Force"), "create"),
    Case(
        "PowerShell request",
        LOCAL,
        pwsh(
            f"Invoke-AzRestMethod -Method PUT -Path '{NETWORK}/connections/c?api-version=1' "
            """-Payload '{"properties": {"connectionType": "IPsec"}}'"""
        ),
        "create",
    ),
    Case("PowerShell circuit", LOCAL, pwsh("$c = New-AzExpressRouteCircuit -Name c `\n -Bandwidth 50"), "create"),
    Case(
        "PowerShell peering",
        LOCAL,
        pwsh(
            "Get-AzExpressRouteCircuit -Name c | Add-AzExpressRouteCircuitPeeringConfig -PeeringType MicrosoftPeering"
        ),
        "create",
        GA,
    ),
    Case(
        "PowerShell connection",
        LOCAL,
        pwsh("New-AzVirtualNetworkGatewayConnection -Name c -ConnectionType:IPsec"),
        "create",
    ),
    Case("PowerShell, old", LOCAL, pwsh("New-AzureRmLocalNetworkGateway -Name l"), "create"),
    Case(
        "PowerShell gateway", LOCAL, pwsh("New-AzVirtualNetworkGateway -Name g -GatewayType 'ExpressRoute'"), "create"
    ),
]

ADVISED = [
    Case("circuit, under ga", "azure-native:network:ExpressRouteCircuit", {"circuitName": "c"}, "", GA),
    Case("site-to-site, under ga", CONNECTION, {"connectionType": "IPsec"}, "connectionType", GA),
    Case("peering of unknown type, under ga", PEERING, {"peeringType": UNKNOWN}, "", GA),
    Case(
        "public services, switched off, under ga",
        PEERING,
        {"peeringType": "MicrosoftPeering", "state": "Disabled"},
        "",
        GA,
    ),
    Case("az, under ga", LOCAL, az("vpn-gateway create -n g"), "create", GA),
    Case("classic far end, under ga", "azure:network/localNetworkGateway:LocalNetworkGateway", {}, "", GA),
    Case("gateway alone", GATEWAY, {"gatewayType": "Vpn", "vpnType": "RouteBased"}, "gatewayType"),
    Case("gateway alone, az", LOCAL, az("vnet-gateway create -n g --vnet v"), "create"),
    Case("gateway of unknown type, az", LOCAL, az("vnet-gateway create -n g --gateway-type $KIND"), "create"),
    Case("gateway of the edge", GATEWAY, {"gatewayType": "LocalGateway"}, "gatewayType"),
    Case("gateway of unknown type", GATEWAY, {"gatewayType": UNKNOWN}, "gatewayType"),
    Case(
        "gateway of unknown clients",
        GATEWAY,
        {"gatewayType": "Vpn", "vpnClientConfiguration": UNKNOWN},
        "vpnClientConfiguration",
    ),
    Case("connection of unknown type", CONNECTION, {"connectionType": UNKNOWN}, "connectionType"),
    Case("gateway of unknown properties", GENERIC, {**generic("connections"), "properties": UNKNOWN}, "properties"),
    Case(
        "Crossplane's unknown connection",
        "kubernetes:network.azure.upbound.io/v1beta1:VirtualNetworkGatewayConnection",
        {"spec": UNKNOWN},
        "spec.forProvider",
    ),
    Case(
        "connection from a file",
        LOCAL,
        {"create": f"az rest -m put -u https://management.azure.com{NETWORK}/connections/c?a=1 --body @c.json"},
        "create",
    ),
    Case(
        "hub of unknown properties",
        DEPLOYMENT,
        deployment({**arm("virtualHubs"), "properties": "[variables('p')]"}),
        "properties.template.resources[0].properties",
    ),
    Case("PowerShell's table of options", LOCAL, pwsh("New-AzVirtualNetworkGatewayConnection @options"), "create"),
    Case(
        "route filter, unknown",
        "azure-native:network:RouteFilterRule",
        {"access": "Allow", "communities": [UNKNOWN]},
        "communities[0]",
    ),
    Case(
        "route filter of Entra ID",
        "azure-native:network:RouteFilterRule",
        {"communities": ["12076:5060"]},
        "communities[0]",
    ),
    Case("bridged", "equinix:fabric/connection:Connection", {"z": [{"id": CIRCUIT}]}, "z[0].id"),
    Case(
        "python text",
        LOCAL,
        {"interpreter": ["python3", "-c"], "create": "run(['az','network','express-route','create'])"},
        "create",
    ),
]

PASSED = [
    Case("point-to-site gateway", GATEWAY, {"gatewayType": "Vpn", "vpnClientConfiguration": CLIENTS}),
    Case("point-to-site, type unknown", GATEWAY, {"gatewayType": UNKNOWN, "vpnClientConfiguration": CLIENTS}),
    Case(
        "point-to-site with Entra",
        GATEWAY,
        {"gatewayType": "Vpn", "vpnClientConfiguration": {"aadTenant": "https://login.microsoftonline.com/t"}},
    ),
    Case(
        "classic point-to-site",
        "azure:network/virtualNetworkGateway:VirtualNetworkGateway",
        {"type": "Vpn", "vpnClientConfiguration": {"addressSpaces": ["10.2.0.0/24"]}},
    ),
    Case("virtual WAN's point-to-site", "azure-native:network:P2sVpnGateway", {"virtualHub": {"id": UNKNOWN}}),
    Case("classic virtual WAN's point-to-site", "azure:network/pointToPointVpnGateway:PointToPointVpnGateway", {}),
    Case("client configuration", "azure-native:network:VpnServerConfiguration", {"vpnProtocols": ["IkeV2"]}),
    Case("between networks", CONNECTION, {"connectionType": "Vnet2Vnet", "virtualNetworkGateway2": {"id": UNKNOWN}}),
    Case(
        "between networks, type unknown", CONNECTION, {"connectionType": UNKNOWN, "virtualNetworkGateway2": {"id": "g"}}
    ),
    Case("client's connection", CONNECTION, {"connectionType": "VPNClient"}),
    Case("virtual WAN", "azure-native:network:VirtualWan", {"allowBranchToBranchTraffic": True, "type": "Standard"}),
    Case(
        "hub with clients only",
        "azure-native:network:VirtualHub",
        {"p2SVpnGateway": {"id": UNKNOWN}, "virtualWan": {"id": UNKNOWN}, "vpnGateway": {}},
    ),
    Case("peering of networks", "azure-native:network:VirtualNetworkPeering", {"useRemoteGateways": True}),
    Case("NAT gateway", "azure-native:network:NatGateway", {"sku": {"name": "Standard"}}),
    Case("application gateway", "azure-native:network:ApplicationGateway", {"name": "expressroute"}),
    Case("Internet peering", "azure-native:peering:Peering", {"kind": "Direct"}),
    Case(
        "route filter of Microsoft 365",
        "azure-native:network:RouteFilter",
        {"rules": [{"access": "Allow", "communities": ["12076:5010", "12076:5050", "12076:5100"]}]},
    ),
    Case(
        "route to a firewall",
        "azure-native:network:Route",
        {"addressPrefix": "AzureArcInfrastructure", "nextHopType": "VirtualAppliance"},
    ),
    Case(
        "route to the Internet",
        "azure:network/routeTable:RouteTable",
        {"routes": [{"addressPrefix": "AzureArcInfrastructure", "nextHopType": "Internet"}]},
    ),
    Case("AWS", "aws:ec2/vpnConnection:VpnConnection", {"type": "ipsec.1"}),
    Case("generic hub", GENERIC, generic("virtualHubs", addressPrefix="10.0.0.0/24")),
    Case(
        "template's point-to-site",
        DEPLOYMENT,
        deployment(arm("virtualNetworkGateways", gatewayType="Vpn", vpnClientConfiguration=CLIENTS)),
    ),
    Case(
        "template's condition",
        DEPLOYMENT,
        deployment(
            {**arm("expressRouteCircuits"), "condition": "[parameters('er')]"},
            parameters={"er": {"defaultValue": False}},
        ),
    ),
    Case("template's existing", DEPLOYMENT, deployment({**arm("expressRouteCircuits"), "existing": True})),
    Case(
        "Azure Service Operator's network",
        "kubernetes:network.azure.com/v1api20220701:VirtualNetwork",
        {"spec": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}},
    ),
    Case("other operator's site", "kubernetes:network.example.com/v1:VpnSite", {"spec": {"location": "x"}}),
    Case("Terraform's network", "azurerm:index/virtualNetwork:VirtualNetwork", {"addressSpaces": ["10.0.0.0/16"]}),
    Case(
        "az point-to-site",
        LOCAL,
        az("vnet-gateway create -n g --vnet v --address-prefixes 172.16.0.0/24 --client-protocol OpenVPN"),
    ),
    Case("az clients of a virtual WAN", LOCAL, az("p2s-vpn-gateway create -n g --vhub h")),
    Case(
        "az between networks",
        LOCAL,
        az("vpn-connection create -n c --vnet-gateway1 a --vnet-gateway2 b --shared-key k"),
    ),
    Case("az listing", LOCAL, az("express-route list -o table && az network vpn-connection show -n c -g g")),
    Case("az deleting", LOCAL, {"create": "true", "delete": "az network express-route delete -n c -g g"}),
    Case("curl reading", LOCAL, {"create": f"curl https://management.azure.com{CIRCUIT}?api-version=1"}),
    Case("curl elsewhere", LOCAL, {"create": "curl -X PUT https://host.example/providers/x -d y"}),
    Case("PowerShell reading", LOCAL, pwsh(f"Invoke-AzRestMethod -Method GET -Path {CIRCUIT}?api-version=1")),
    Case("az echo", LOCAL, {"create": "echo 'az network express-route create -n c'"}),
    Case("az network", LOCAL, az("vnet create -n express-route --address-prefixes 10.0.0.0/16")),
    Case(
        "az route filter of Microsoft 365",
        LOCAL,
        az("route-filter rule create -n r --communities 12076:5010 12076:5100 --access Allow"),
    ),
    Case("PowerShell letter", LOCAL, pwsh("New-AzExpressRoutePortLOA -ExpressRoutePort $p -CustomerName c")),
    Case(
        "PowerShell point-to-site",
        LOCAL,
        pwsh("New-AzVirtualNetworkGateway -Name g -GatewayType Vpn -VpnClientAddressPool 10.9.0.0/24"),
    ),
    Case(
        "PowerShell between networks",
        LOCAL,
        pwsh("New-AzVirtualNetworkGatewayConnection -ConnectionType Vnet2Vnet -Name c"),
    ),
    Case("ours", "arc-gateway:index:ConnectedCluster", {"clusterName": "expressroute", "location": "eastus"}),
    Case("exempt words", "terraform:index:Thing", {"note": "no ExpressRoute and no VPN here"}),
]
