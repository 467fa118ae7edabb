"""Resources that required-endpoints must refuse, must only advise against, and must let pass."""

from __future__ import annotations

import base64
import json
from typing import Any

from policy_cases import UNKNOWN, Case, StackCase

RULE = "required-endpoints"

LOCAL, REMOTE = "command:local:Command", "command:remote:Command"
GROUP = "azure-native:network:FirewallPolicyRuleCollectionGroup"
CLASSIC_GROUP = "azure:network/firewallPolicyRuleCollectionGroup:FirewallPolicyRuleCollectionGroup"
FIREWALL = "azure-native:network:AzureFirewall"
SECURITY_GROUP, SECURITY_RULE = "azure-native:network:NetworkSecurityGroup", "azure-native:network:SecurityRule"
TEMPLATE, GENERIC = "azure-native:resources:Deployment", "azure-native:resources:Resource"
ZONE, RECORD = "azure-native:privatedns:PrivateZone", "azure-native:privatedns:PrivateRecordSet"
NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
CILIUM, CLUSTERWIDE = (f"kubernetes:cilium.io/v2:Cilium{kind}NetworkPolicy" for kind in ("", "Clusterwide"))
CALICO = "kubernetes:crd.projectcalico.org/v1:GlobalNetworkPolicy"
ADMIN = "kubernetes:policy.networking.k8s.io/v1alpha1:AdminNetworkPolicy"
CONFIG_MAP, SECRET = "kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:Secret"
RELEASE = "kubernetes:helm.sh/v3:Release"
ALLOWLIST = "arc-gateway:index:EndpointAllowlist"
CLUSTER, ASSOCIATION = "arc-gateway:index:ConnectedCluster", "arc-gateway:index:GatewayAssociation"
POLICY = "azure-native:network:FirewallPolicy"

HTTPS = [{"protocolType": "Https", "port": 443.0}]
NEEDED = ["*.azure.com", "*.microsoftonline.com", "*.microsoft.com"]
FUTURE, PAST = "2999-01-01T00:00:00Z", "2026-01-01T00:00:00Z"


def app(*hosts: object, **rest: Any) -> dict[str, Any]:
    return {
        "ruleType": "ApplicationRule",
        "targetFqdns": list(hosts),
        "protocols": HTTPS,
        "sourceAddresses": ["*"],
        **rest,
    }


def net(*addresses: object, ports: object = ("443",), **rest: Any) -> dict[str, Any]:
    return {
        "ruleType": "NetworkRule",
        "destinationAddresses": list(addresses),
        "destinationPorts": list(ports) if isinstance(ports, tuple) else ports,
        "ipProtocols": ["TCP"],
        "sourceAddresses": ["*"],
        **rest,
    }


def filters(action: object, *rules: dict[str, Any], priority: object = 100.0) -> dict[str, Any]:
    return {
        "ruleCollectionType": "FirewallPolicyFilterRuleCollection",
        "action": {"type": action},
        "priority": priority,
        "rules": list(rules),
    }


def deny(*rules: dict[str, Any], priority: object = 100.0) -> dict[str, Any]:
    return filters("Deny", *rules, priority=priority)


def allow(*rules: dict[str, Any], priority: object = 100.0) -> dict[str, Any]:
    return filters("Allow", *rules, priority=priority)


def group(*collections: dict[str, Any], priority: object = 500.0, **rest: Any) -> dict[str, Any]:
    return {"priority": priority, "ruleCollections": list(collections), **rest}


def host(collection: int = 0, rule: int = 0, target: int = 0, key: str = "targetFqdns") -> str:
    return f"ruleCollections[{collection}].rules[{rule}].{key}[{target}]"


def security(prefix: object, *, access: str = "Deny", priority: float = 200.0, **rest: Any) -> dict[str, Any]:
    return {
        "access": access,
        "direction": "Outbound",
        "priority": priority,
        "protocol": "*",
        "destinationPortRange": "443",
        "destinationAddressPrefix": prefix,
        "sourceAddressPrefix": "*",
        **rest,
    }


def policy(*egress: dict[str, Any], namespace: str = "azure-arc", selector: Any = None) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": namespace},
        "spec": {"podSelector": selector or {}, "policyTypes": ["Egress"], "egress": list(egress)},
    }


def cilium(*egress: dict[str, Any], namespace: str = "azure-arc", **spec: Any) -> dict[str, Any]:
    held = {"egress": list(egress)} if egress else {}
    return {"metadata": {"namespace": namespace}, "spec": {"endpointSelector": {}, **held, **spec}}


def fqdns(*names: str) -> dict[str, Any]:
    key = {False: "matchName", True: "matchPattern"}
    return {
        "toFQDNs": [{key["*" in n]: n} for n in names],
        "toPorts": [{"ports": [{"port": "443", "protocol": "TCP"}]}],
    }


def configuration(name: str, content: str) -> dict[str, Any]:
    return {"metadata": {"name": "c"}, "data": {name: content}}


def template(*resources: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"properties": {"template": {"resources": list(resources), **rest}}}


def cluster(name: str, removable: object, *, enabled: object = True, **rest: Any) -> Case:
    return Case(name, CLUSTER, {"gatewayEnabled": enabled, "endpointsRemovableAt": removable, **rest})


def driver(name: str, **settings: object) -> Case:
    environment = {"ARC_CLUSTER_NAME": "c", **settings}
    return Case(name, LOCAL, {"create": "arcgateway-driver associate", "environment": environment})


DNS = {"ports": [{"protocol": "UDP", "port": 53.0}, {"protocol": "TCP", "port": 53.0}]}
WEB = {"ports": [{"protocol": "TCP", "port": 443.0}]}
CILIUM_DNS = {
    "toEndpoints": [{"matchLabels": {"k8s:io.kubernetes.pod.namespace": "kube-system", "k8s-app": "kube-dns"}}],
    "toPorts": [{"ports": [{"port": "53", "protocol": "ANY"}], "rules": {"dns": [{"matchPattern": "*"}]}}],
}
ALL_NEEDED = (*(f"*.{name}" for name in ("gw.arc.azure.com", "obo.arc.azure.com", "his.arc.azure.com")),)
NAMED = (
    *ALL_NEEDED,
    *("management.azure.com", "login.microsoftonline.com", "*.login.microsoft.com"),
    *("mcr.microsoft.com", "*.data.mcr.microsoft.com"),
)

SQUID = """\
http_port 3128
acl localnet src 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16
acl SSL_ports port 443
acl Safe_ports port 80 443 1025-65535
http_access deny !Safe_ports
http_access deny CONNECT !SSL_ports
http_access allow localhost manager
http_access deny manager
{rules}
http_access allow localhost
http_access deny all
"""
SQUID_DENIES = SQUID.format(
    rules="acl login dstdomain login.microsoftonline.com\nhttp_access deny login\nhttp_access allow localnet"
)
SQUID_LACKS = SQUID.format(
    rules="acl allowed dstdomain .azure.com .microsoftonline.com\nhttp_access allow localnet allowed"
)
SQUID_HOLDS = SQUID.format(
    rules="acl allowed dstdomain .azure.com .microsoftonline.com\\\n  .microsoft.com\n"
    "http_access allow localnet allowed"
)
SQUID_OPEN = SQUID.format(rules="http_access allow localnet")
CORE = """\
.:53 {{
    errors
    {rule}
    forward . /etc/resolv.conf
}}
"""

REFUSED = [
    Case(
        "named", GROUP, group(deny(app("login.microsoftonline.com"))), host(), says="denies login.microsoftonline.com"
    ),
    Case("gateway", GROUP, group(deny(app("shop.example", "prefix.GW.arc.azure.com"))), host(target=1)),
    Case(
        "wildcard",
        GROUP,
        group(deny(app("*.azure.com"))),
        host(),
        {"profile": "ga"},
        says="denies *.gw.arc.azure.com, management.azure.com, *.obo.arc.azure.com and 2 more, which",
    ),
    Case("regional", GROUP, group(deny(app("westeurope.obo.arc.azure.com"))), host()),
    Case("regional, by region", GROUP, group(deny(app("eastus.login.microsoft.com"))), host(), {"region": "East US"}),
    Case("late priority", GROUP, group(deny(app("mcr.microsoft.com"), priority=65000.0), priority=65000.0), host()),
    Case(
        "allowed too late",
        GROUP,
        group(deny(app("*"), priority=200.0), allow(app(*NEEDED), priority=300.0), priority=20000.0),
        host(),
        says="before",
    ),
    Case(
        "listed before, allowed later",
        GROUP,
        group(allow(app("management.azure.com"), priority=900.0), deny(app("management.azure.com"), priority=800.0)),
        host(1),
    ),
    Case(
        "network rule before application rule",
        GROUP,
        group(allow(app("management.azure.com"), priority=100.0), deny(net("AzureResourceManager"), priority=900.0)),
        host(1, key="destinationAddresses"),
    ),
    Case("everything first", GROUP, group(deny(app("*")), priority=100.0), host()),
    Case("by url", GROUP, group(deny(app(targetUrls=["mcr.microsoft.com/*"]))), host(key="targetUrls")),
    Case(
        "by name in a network rule",
        GROUP,
        group(deny(net(destinationFqdns=["gbl.his.arc.azure.com"]))),
        host(key="destinationFqdns"),
    ),
    Case(
        "port range",
        GROUP,
        group(deny(net("AzureArcInfrastructure", ports=("400-500",)))),
        host(key="destinationAddresses"),
    ),
    Case(
        "known beside unknown",
        GROUP,
        group(deny(app("mcr.microsoft.com", UNKNOWN), priority=UNKNOWN), name=UNKNOWN),
        host(),
    ),
    Case(
        "of the clusters' range",
        GROUP,
        group(deny(app("mcr.microsoft.com", sourceAddresses=["10.20.0.0/15"]))),
        host(),
        {"clusterRanges": ["10.20.0.0/16"]},
    ),
    Case("feature", GROUP, group(deny(app("*.vault.azure.net"))), host(), {"scenarios": ["key-vault"]}),
    Case(
        "within the hour",
        GROUP,
        group(deny(app("login.windows.net"))),
        host(),
        {"lastAssociation": "2998-12-31T23:00:00Z"},
        says="this may close from 2999-01-01 00:00 UTC on",
    ),
    Case("old token", GROUP.replace("network:", "network/v20230201:"), group(deny(app("mcr.microsoft.com"))), host()),
    Case(
        "local package",
        GROUP.replace("azure-native:network:", "azure-native_network_v20240501:network:"),
        group(deny(app("mcr.microsoft.com"))),
        host(),
    ),
    Case("draft", f"{GROUP}Draft", group(deny(app("mcr.microsoft.com"))), host()),
    Case(
        "oldest form",
        "azure-native:network/v20190601:FirewallPolicyRuleGroup",
        {
            "priority": 300.0,
            "rules": [
                {
                    "ruleType": "FirewallPolicyFilterRule",
                    "action": {"type": "Deny"},
                    "ruleConditions": [
                        {"ruleConditionType": "ApplicationRuleCondition", "targetFqdns": ["mcr.microsoft.com"]}
                    ],
                }
            ],
        },
        "rules[0].ruleConditions[0].targetFqdns[0]",
    ),
    Case(
        "classic group",
        CLASSIC_GROUP,
        {
            "applicationRuleCollections": [
                {
                    "action": "Deny",
                    "priority": 500.0,
                    "rules": [
                        {"destinationFqdns": ["mcr.microsoft.com"], "protocols": [{"type": "Https", "port": 443.0}]}
                    ],
                }
            ]
        },
        "applicationRuleCollections[0].rules[0].destinationFqdns[0]",
    ),
    Case(
        "classic collection",
        "azure:network/firewallApplicationRuleCollection:FirewallApplicationRuleCollection",
        {
            "action": "Deny",
            "priority": 200.0,
            "rules": [{"targetFqdns": ["*.arc.azure.com"], "sourceAddresses": ["*"]}],
        },
        "rules[0].targetFqdns[0]",
    ),
    Case(
        "classic network collection",
        "azure:network/firewallNetworkRuleCollection:FirewallNetworkRuleCollection",
        {
            "action": "Deny",
            "priority": 200.0,
            "rules": [
                {
                    "destinationAddresses": ["AzureActiveDirectory"],
                    "destinationPorts": ["*"],
                    "protocols": ["Any"],
                    "sourceAddresses": ["10.0.0.0/8"],
                }
            ],
        },
        "rules[0].destinationAddresses[0]",
    ),
    Case(
        "firewall of its own rules",
        FIREWALL,
        {
            "applicationRuleCollections": [
                {
                    "properties": {
                        "priority": 200.0,
                        "action": {"type": "deny"},
                        "rules": [{"targetFqdns": ["*.data.mcr.microsoft.com"], "protocols": HTTPS}],
                    }
                }
            ]
        },
        "applicationRuleCollections[0].properties.rules[0].targetFqdns[0]",
    ),
    Case(
        "firewall of its own rules, closed",
        FIREWALL,
        {
            "network_rule_collections": [
                {"priority": 100.0, "action": {"type": "Allow"}, "rules": [net("AzureArcInfrastructure")]},
                {"priority": 200.0, "action": {"type": "Deny"}, "rules": [net("*", ports=("*",))]},
            ]
        },
        "network_rule_collections[1].rules[0].destinationAddresses[0]",
    ),
    Case(
        "template",
        TEMPLATE,
        template(
            {
                "type": "Microsoft.Network/firewallPolicies/ruleCollectionGroups",
                "properties": group(deny(app("[parameters('host')]"))),
            },
            parameters={"host": {"defaultValue": "mcr.microsoft.com"}},
        ),
        f"properties.template.resources[0].properties.{host()}",
    ),
    Case(
        "nested template, classic, as text",
        "azure:core/resourceGroupTemplateDeployment:ResourceGroupTemplateDeployment",
        {
            "templateContent": json.dumps(
                {
                    "resources": [
                        {
                            "type": "Microsoft.Resources/deployments",
                            "properties": {
                                "template": {
                                    "resources": [
                                        {
                                            "type": "Microsoft.Network/networkSecurityGroups",
                                            "properties": {
                                                "securityRules": [
                                                    {"name": "x", "properties": security("AzureArcInfrastructure")}
                                                ]
                                            },
                                        }
                                    ]
                                }
                            },
                        }
                    ]
                }
            )
        },
        "templateContent",
    ),
    Case(
        "generic",
        GENERIC,
        {
            "resourceProviderNamespace": "Microsoft.Network",
            "parentResourcePath": "firewallPolicies/hub",
            "resourceType": "ruleCollectionGroups",
            "resourceName": "arc",
            "properties": group(deny(app("management.azure.com"))),
        },
        f"properties.{host()}",
    ),
    Case(
        "azapi",
        "azapi:resource:Resource",
        {
            "type": "Microsoft.Network/firewallPolicies/ruleCollectionGroups@2024-05-01",
            "name": "arc",
            "body": {"properties": group(deny(app("management.azure.com")))},
        },
        "type",
    ),
    Case("security rule", SECURITY_RULE, security("AzureArcInfrastructure"), "destinationAddressPrefix"),
    Case(
        "security rule, all of Azure",
        SECURITY_RULE,
        security("AzureCloud", destinationPortRange="*"),
        "destinationAddressPrefix",
    ),
    Case(
        "security rule, a tag beside all",
        SECURITY_RULE,
        security(None, destinationAddressPrefixes=["Internet", "AzureArcInfrastructure"]),
        "destinationAddressPrefixes[1]",
    ),
    Case(
        "security group, shadowed",
        SECURITY_GROUP,
        {
            "securityRules": [
                security("AzureArcInfrastructure", access="Allow", priority=300.0),
                security("Internet", destinationPortRange="*", priority=200.0),
            ]
        },
        "securityRules[1].destinationAddressPrefix",
    ),
    Case(
        "security rule, classic",
        "azure:network/networkSecurityRule:NetworkSecurityRule",
        {
            **security(None, access="Deny"),
            "destinationAddressPrefixes": ["Sql", "AzureActiveDirectory"],
            "destinationPortRanges": ["80", "443"],
            "destinationPortRange": None,
        },
        "destinationAddressPrefixes[1]",
    ),
    Case(
        "admin rule",
        "azure-native:network:AdminRule",
        {
            "access": "Deny",
            "direction": "Outbound",
            "kind": "Custom",
            "priority": 10.0,
            "protocol": "Tcp",
            "destinationPortRanges": ["443"],
            "destinations": [{"addressPrefix": "AzureResourceManager", "addressPrefixType": "ServiceTag"}],
            "sources": [{"addressPrefix": "*", "addressPrefixType": "IPPrefix"}],
        },
        "destinations[0].addressPrefix",
    ),
    Case(
        "az firewall",
        LOCAL,
        {
            "create": "az network firewall policy rule-collection-group collection add-filter-collection -g rg "
            "--policy-name hub --rcg-name 'arc' --name x --collection-priority=200 --action \"Deny\" --rule-name r "
            "--rule-type ApplicationRule --target-fqdns shop.example '*.arc.azure.com' --protocols Https=443 "
            "--source-addresses '*'"
        },
        "create",
    ),
    Case(
        "az firewall, old command",
        REMOTE,
        {
            "create": "true",
            "update": "az   network firewall network-rule create -f fw -g rg --collection-name c -n r \\\n"
            " --priority 200 --action deny"
            ' --dest-addr AzureCloud --destination-ports "443" --protocols TCP --source-addresses "*"',
        },
        "update",
    ),
    Case(
        "az nsg",
        LOCAL,
        {
            "create": "bash -c 'az network nsg rule create -g rg --nsg-name n -n deny --priority 150 "
            "--direction Outbound --access Deny --protocol Tcp --destination-address-prefixes AzureArcInfrastructure "
            "--destination-port-ranges 443'"
        },
        "create",
    ),
    Case(
        "PowerShell nsg",
        LOCAL,
        {
            "interpreter": ["pwsh", "-Command"],
            "create": "$nsg | Add-AzNetworkSecurityRuleConfig -Name d -Access Deny -Direction Outbound -Priority 100 "
            "-Protocol Tcp -DestinationAddressPrefix AzureActiveDirectory -DestinationPortRange 443 "
            "-SourceAddressPrefix *  -SourcePortRange *",
        },
        "create",
    ),
    Case(
        "PowerShell firewall",
        LOCAL,
        {
            "interpreter": ["pwsh", "-Command"],
            "create": "$rule = New-AzFirewallPolicyApplicationRule -Name r -SourceAddress '*' -Protocol 'https:443' "
            "-TargetFqdn 'mcr.microsoft.com','shop.example'\n"
            "$c = New-AzFirewallPolicyFilterRuleCollection -Name c -Priority 200 -Rule $rule -ActionType Deny",
        },
        "create",
    ),
    Case("zone", ZONE, {"privateZoneName": "gw.arc.azure.com", "location": "Global"}, "privateZoneName"),
    Case("zone above", ZONE, {"privateZoneName": "Azure.com."}, "privateZoneName"),
    Case(
        "zone of one host",
        "azure-native:network/v20200601:PrivateZone",
        {"privateZoneName": "login.microsoftonline.com"},
        "privateZoneName",
    ),
    Case("zone, classic", "azure:privatedns/zone:Zone", {"name": "microsoft.com"}, "name"),
    Case(
        "zone, azapi",
        "azapi:resource:Resource",
        {"type": "Microsoft.Network/privateDnsZones@2020-06-01", "name": "his.arc.azure.com", "body": {}},
        "type",
    ),
    Case(
        "zone, az",
        LOCAL,
        {"create": "az network private-dns zone create -g rg -n 'eastus.obo.arc.azure.com'"},
        "create",
    ),
    Case("zone, Route 53", "aws:route53/zone:Zone", {"name": "arc.azure.com", "vpcs": [{"vpcId": "v"}]}, "name"),
    Case(
        "link",
        "azure-native:privatedns:VirtualNetworkLink",
        {"privateZoneName": "mcr.microsoft.com", "virtualNetworkLinkName": "l", "virtualNetwork": {"id": UNKNOWN}},
        "privateZoneName",
    ),
    Case(
        "record of the zone itself",
        RECORD,
        {"privateZoneName": "management.azure.com", "relativeRecordSetName": "@", "recordType": "A"},
        "relativeRecordSetName",
    ),
    Case(
        "record, classic",
        "azure:privatedns/cnameRecord:CnameRecord",
        {"zoneName": "microsoft.com", "name": "mcr"},
        "name",
    ),
    Case(
        "record, az",
        LOCAL,
        {"create": "az network private-dns record-set a add-record -g rg -z azure.com -n management -a 10.0.0.4"},
        "create",
    ),
    Case("Cilium denies", CILIUM, cilium(egressDeny=[{"toEntities": ["world"]}]), "spec.egressDeny[0]"),
    Case(
        "Cilium denies everywhere",
        CLUSTERWIDE,
        {
            "spec": {
                "endpointSelector": {},
                "egressDeny": [{"toCIDRSet": [{"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}]}],
            }
        },
        "spec.egressDeny[0]",
    ),
    Case(
        "Calico, shadowed",
        CALICO,
        {
            "spec": {
                "order": 10.0,
                "types": ["Egress"],
                "egress": [
                    {"action": "Deny", "protocol": "TCP", "destination": {"nets": ["0.0.0.0/0"], "ports": [443.0]}},
                    {"action": "Allow", "destination": {"domains": ["*.arc.azure.com"]}},
                ],
            }
        },
        "spec.egress[0].destination.nets[0]",
    ),
    Case(
        "admin policy",
        ADMIN,
        {
            "spec": {
                "priority": 5.0,
                "subject": {"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "azure-arc"}}},
                "egress": [{"action": "Deny", "to": [{"domainNames": ["login.microsoftonline.com"]}]}],
            }
        },
        "spec.egress[0].to[0].domainNames[0]",
    ),
    Case(
        "squid denies",
        CONFIG_MAP,
        configuration("squid.conf", SQUID_DENIES),
        'data["squid.conf"]',
        says="login.microsoftonline.com",
    ),
    Case(
        "squid lacks", CONFIG_MAP, configuration("squid.conf", SQUID_LACKS), 'data["squid.conf"]', says="does not list"
    ),
    Case(
        "squid lacks, list in a file",
        CONFIG_MAP,
        {
            "data": {
                "squid.conf": 'acl ok dstdomain -n "/etc/squid/allow.txt"\nhttp_access deny !ok\nhttp_access allow all',
                "allow.txt": "# ours\n.azure.com\n.microsoftonline.com\n",
            }
        },
        'data["squid.conf"]',
    ),
    Case("squid, secret", SECRET, {"data": {"c": base64.b64encode(SQUID_LACKS.encode()).decode()}}, "data.c"),
    Case(
        "squid, chart",
        RELEASE,
        {"chart": "squid", "values": {"config": {"squid": SQUID_DENIES}}},
        "values.config.squid",
    ),
    Case(
        "squid, uploaded",
        "command:remote:CopyToRemote",
        {"source": SQUID_LACKS, "remotePath": "/etc/squid/squid.conf", "connection": {"host": "p"}},
        "source",
    ),
    Case(
        "squid, by expression",
        CONFIG_MAP,
        configuration(
            "s", "acl b dstdom_regex -i \\.arc\\.azure\\.com$\nhttp_access deny CONNECT b\nhttp_access allow all"
        ),
        "data.s",
    ),
    Case(
        "CoreDNS hosts",
        f"{CONFIG_MAP}Patch",
        configuration("Corefile", CORE.format(rule="hosts {\n 10.0.0.9 login.microsoftonline.com\n fallthrough\n }")),
        "data.Corefile",
    ),
    Case(
        "CoreDNS zone",
        CONFIG_MAP,
        configuration("arc.server", "arc.azure.com:53 {\n  errors\n  template IN ANY {\n rcode NXDOMAIN\n }\n}\n"),
        'data["arc.server"]',
    ),
    Case(
        "CoreDNS rewrite",
        CONFIG_MAP,
        configuration("a.override", "rewrite name exact mcr.microsoft.com mirror.corp.svc.cluster.local\n"),
        'data["a.override"]',
    ),
    Case(
        "dnsmasq",
        CONFIG_MAP,
        configuration("dnsmasq.conf", "address=/microsoftonline.com/10.0.0.1"),
        'data["dnsmasq.conf"]',
    ),
    Case(
        "unbound",
        CONFIG_MAP,
        configuration("unbound.conf", 'server:\n  local-zone: "azure.com." refuse'),
        'data["unbound.conf"]',
    ),
    Case(
        "alias",
        "kubernetes:apps/v1:DeploymentPatch",
        {
            "metadata": {"namespace": "azure-arc", "name": "clusterconnect-agent"},
            "spec": {
                "template": {"spec": {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["x", "gbl.his.arc.azure.com"]}]}}
            },
        },
        "spec.template.spec.hostAliases",
    ),
    Case(
        "allowlist",
        ALLOWLIST,
        {"gatewayEndpoint": UNKNOWN, "regions": ["eastus"], "scenarios": ["key-vault"]},
        "scenarios",
        {"scenarios": ["container-insights"]},
        says="*.ods.opinsights.azure.com, *.oms.opinsights.azure.com and *.monitoring.azure.com",
    ),
    Case(
        "allowlist, snake",
        ALLOWLIST,
        {"gateway_endpoint": UNKNOWN, "regions": ["West Europe"]},
        "regions",
        {"region": "eastus"},
    ),
]

ADVISED = [
    Case("part of the network", GROUP, group(deny(app("mcr.microsoft.com", sourceAddresses=["10.9.0.0/24"]))), host()),
    Case(
        "by an address group",
        GROUP,
        group(deny(app("mcr.microsoft.com", sourceAddresses=[], sourceIpGroups=["g"]))),
        host(),
    ),
    Case(
        "perhaps let out",
        GROUP,
        group(allow(app(fqdnTags=["AzureKubernetesService"])), deny(app("mcr.microsoft.com"), priority=200.0)),
        host(1),
        says="unless an earlier rule",
    ),
    Case("everything, early group", GROUP, group(deny(app("*"))), host()),
    Case(
        "everything but some",
        GROUP,
        group(allow(app("*.microsoft.com")), deny(app("*"), priority=900.0), priority=9000.0),
        host(1),
    ),
    Case("unknown host", GROUP, group(deny(app("shop.example", UNKNOWN))), host(target=1)),
    Case("unknown action", GROUP, group(filters(UNKNOWN, app("mcr.microsoft.com"))), host()),
    Case("unknown port", GROUP, group(deny(net("AzureCloud", ports=(UNKNOWN,)))), host(key="destinationAddresses")),
    Case("one customer's vault", GROUP, group(deny(app("x.vault.azure.net"))), host(), {"scenarios": ["key-vault"]}),
    Case(
        "firewall of its own rules, not all listed",
        FIREWALL,
        {
            "applicationRuleCollections": [
                {"priority": 200.0, "action": {"type": "Allow"}, "rules": [app("*.arc.azure.com", "*.microsoft.com")]}
            ]
        },
        "applicationRuleCollections",
        says="denies by default, as no rule lets them out, management.azure.com and login.microsoftonline.com",
    ),
    Case(
        "upload that cannot be read",
        "command:remote:CopyToRemote",
        {"source": UNKNOWN, "remotePath": "/etc/squid/squid.conf"},
        "source",
    ),
    Case("unknown rules", SECURITY_GROUP, {"securityRules": UNKNOWN}, "securityRules"),
    Case("regional tag", SECURITY_RULE, security("AzureCloud.eastus"), "destinationAddressPrefix"),
    Case("internet", SECURITY_RULE, security("Internet"), "destinationAddressPrefix"),
    Case(
        "hosts file",
        LOCAL,
        {"create": "echo 10.0.0.1 login.microsoftonline.com | sudo tee -a /etc/hosts"},
        "create",
    ),
    Case("nothing out of azure-arc", NETWORK_POLICY, policy(), "spec.egress"),
    Case("only DNS out of azure-arc", NETWORK_POLICY, policy(DNS), "spec.egress"),
    Case(
        "Calico denies",
        CALICO,
        {"spec": {"types": ["Egress"], "egress": [{"action": "Deny", "destination": {"nets": ["0.0.0.0/0"]}}]}},
        "spec.egress[0].destination.nets[0]",
    ),
    Case(
        "squid, more to come",
        CONFIG_MAP,
        configuration(
            "squid.conf", "include /etc/squid/conf.d/*.conf\nhttp_access allow localhost\nhttp_access deny all"
        ),
        'data["squid.conf"]',
    ),
    Case(
        "unknown record",
        RECORD,
        {"privateZoneName": "management.azure.com", "relativeRecordSetName": UNKNOWN, "recordType": "A"},
        "relativeRecordSetName",
    ),
    Case(
        "unknown allowlist",
        ALLOWLIST,
        {"regions": ["eastus"], "scenarios": UNKNOWN},
        "scenarios",
        {"scenarios": ["key-vault"]},
    ),
]

PASSED = [
    Case("allow", GROUP, group(allow(app(*NEEDED)))),
    Case("allow, then deny all", GROUP, group(allow(app(*NEEDED)), deny(app("*"), priority=200.0), priority=100.0)),
    Case(
        "allow, then deny, by the numbers",
        GROUP,
        group(deny(app("*.azure.com"), priority=900.0), allow(app(*NEEDED), priority=100.0)),
    ),
    Case(
        "network rule lets out",
        GROUP,
        group(deny(app("*"), priority=100.0), allow(net("AzureCloud"), priority=900.0), priority=100.0),
    ),
    Case("deny others", GROUP, group(deny(app("*.shop.example", "azure.com.evil.example", "notmcr.microsoft.com")))),
    Case("deny neighbours", GROUP, group(deny(app("portal.azure.com", "*.servicebus.example", "teams.microsoft.com")))),
    Case(
        "deny plain http",
        GROUP,
        group(deny(app("*", protocols=[{"protocolType": "Http", "port": 80.0}])), priority=100.0),
    ),
    Case("deny another port", GROUP, group(deny(net("*", ports=("22", "444-500", "8443"))), priority=100.0)),
    Case("deny datagrams", GROUP, group(deny(net("*", ipProtocols=["UDP"])), priority=100.0)),
    Case("deny an address", GROUP, group(deny(net("203.0.113.7", "10.0.0.0/8"), net("Sql.eastus")))),
    Case("deny a category", GROUP, group(deny(app(webCategories=["gambling"])))),
    Case("closing rule of a list elsewhere", GROUP, group(deny(app("*"), net("*")), priority=65000.0)),
    Case("no rule for Arc", GROUP, group(allow(app("*.shop.example")))),
    Case("nothing denied", GROUP, group(deny(), {"action": {"type": "Deny"}}, {})),
    Case(
        "destination translation",
        GROUP,
        group(
            {"ruleCollectionType": "FirewallPolicyNatRuleCollection", "action": {"type": "DNAT"}, "rules": [net("*")]}
        ),
    ),
    Case(
        "other sources",
        GROUP,
        group(deny(app("mcr.microsoft.com", sourceAddresses=["10.9.0.0/24"]))),
        config={"clusterRanges": ["10.20.0.0/16"]},
    ),
    Case("another region", GROUP, group(deny(app("westus.obo.arc.azure.com"))), config={"region": "eastus"}),
    Case("feature not used", GROUP, group(deny(app("*.vault.azure.net", "*.ods.opinsights.azure.com")))),
    Case("superfluous", GROUP, group(deny(app("login.windows.net", "sts.windows.net", "*.servicebus.windows.net")))),
    Case("superfluous long since", GROUP, group(deny(app("login.windows.net"))), config={"lastAssociation": PAST}),
    Case("superfluous, no time", GROUP, group(deny(app("login.windows.net"))), config={"lastAssociation": "soon"}),
    Case(
        "classic firewall",
        FIREWALL,
        {
            "applicationRuleCollections": [
                {"priority": 200.0, "action": {"type": "Allow"}, "rules": [{"targetFqdns": ["*"], "protocols": HTTPS}]},
                {"priority": 300.0, "action": {"type": "Deny"}, "rules": [{"targetFqdns": ["*"], "protocols": HTTPS}]},
            ]
        },
    ),
    Case(
        "classic firewall, not about Arc",
        FIREWALL,
        {
            "applicationRuleCollections": [
                {"priority": 200.0, "action": {"type": "Allow"}, "rules": [app("*.shop.example")]}
            ]
        },
    ),
    Case(
        "classic firewall, all listed",
        "azure-native:network/v20230401:AzureFirewall",
        {
            "applicationRuleCollections": [
                {"priority": 200.0, "action": {"type": "Allow"}, "rules": [app("*.arc.azure.com", "*.microsoft.com")]}
            ],
            "networkRuleCollections": [
                {
                    "priority": 200.0,
                    "action": {"type": "Allow"},
                    "rules": [net("AzureActiveDirectory", "AzureResourceManager")],
                }
            ],
        },
    ),
    Case(
        "inline rules, classic",
        "azure:network/networkSecurityGroup:NetworkSecurityGroup",
        {
            "securityRules": [
                security("10.0.0.0/16", access="Allow", priority=100.0, destinationPortRange="8080"),
                security("0.0.0.0/0", priority=4000.0, destinationPortRange="0-65535"),
            ]
        },
    ),
    Case("inbound", SECURITY_RULE, {**security("*"), "direction": "Inbound"}),
    Case("outbound, allowed", SECURITY_RULE, security("AzureArcInfrastructure", access="Allow")),
    Case("outbound, other service", SECURITY_RULE, security("Sql")),
    Case("outbound, the end of a list", SECURITY_RULE, security("*", priority=4096.0, destinationPortRange="*")),
    Case(
        "outbound through a proxy",
        SECURITY_GROUP,
        {
            "securityRules": [
                security("10.1.0.4", access="Allow", priority=100.0, destinationPortRange="3128"),
                security("Internet", priority=4000.0, destinationPortRange="*"),
            ]
        },
    ),
    Case(
        "outbound, tags first",
        SECURITY_GROUP,
        {
            "securityRules": [
                security("Internet", priority=4000.0, destinationPortRange="*"),
                security("AzureCloud", access="Allow", priority=100.0),
            ]
        },
    ),
    Case(
        "az allows",
        LOCAL,
        {
            "create": "az network firewall policy rule-collection-group collection add-filter-collection -g rg "
            "--policy-name hub --rcg-name arc --name x --collection-priority 200 --action Allow --rule-name r "
            "--rule-type ApplicationRule --target-fqdns '*.arc.azure.com' --protocols Https=443 && echo Deny"
        },
    ),
    Case("zone of others", ZONE, {"privateZoneName": "corp.contoso.com"}),
    Case("zone beside", ZONE, {"privateZoneName": "contoso.azure.com"}),
    Case("zone like one", ZONE, {"privateZoneName": "notazure.com"}),
    Case("public zone", "azure-native:dns:Zone", {"zoneName": "arc.azure.com"}),
    Case("public zone elsewhere", "aws:route53/zone:Zone", {"name": "azure.com"}),
    Case(
        "record of others", RECORD, {"privateZoneName": "azure.com", "relativeRecordSetName": "www", "recordType": "A"}
    ),
    Case("mail record", "azure:privatedns/mxRecord:MxRecord", {"zoneName": "management.azure.com", "name": "@"}),
    Case("network policy elsewhere", NETWORK_POLICY, policy(namespace="shop")),
    Case(
        "network policy, inbound", NETWORK_POLICY, {**policy(), "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}
    ),
    Case("network policy, this project's", NETWORK_POLICY, policy(DNS, WEB, {"to": [{"podSelector": {}}]})),
    Case("Cilium denies elsewhere", CILIUM, cilium(namespace="shop", egressDeny=[{"toEntities": ["world"]}])),
    Case(
        "Cilium denies others",
        CILIUM,
        cilium(
            egressDeny=[
                {"toCIDR": ["169.254.169.254/32"]},
                {"toEntities": ["world"], "toPorts": [{"ports": [{"port": "25"}]}]},
            ]
        ),
    ),
    Case(
        "Calico, let out first",
        CALICO,
        {
            "spec": {
                "types": ["Egress"],
                "egress": [
                    {"action": "Allow", "protocol": "TCP", "destination": {"ports": [443.0]}},
                    {"action": "Deny"},
                ],
            }
        },
    ),
    Case(
        "Calico elsewhere",
        CALICO,
        {"spec": {"namespaceSelector": "projectcalico.org/name == 'shop'", "egress": [{"action": "Deny"}]}},
    ),
    Case("squid, prose", CONFIG_MAP, configuration("README.md", SQUID_LACKS)),
    Case(
        "squid, before a site",
        CONFIG_MAP,
        configuration(
            "squid.conf",
            "http_port 80 accel defaultsite=shop.example\nacl ours dstdomain shop.example\n"
            "http_access allow ours\nhttp_access deny all",
        ),
    ),
    Case("other upload", "command:remote:CopyToRemote", {"source": UNKNOWN, "remotePath": "/opt/app/app.conf"}),
    Case("squid, open", CONFIG_MAP, configuration("squid.conf", SQUID_OPEN)),
    Case("squid, all listed", CONFIG_MAP, configuration("squid.conf", SQUID_HOLDS)),
    Case(
        "squid, list elsewhere",
        CONFIG_MAP,
        configuration("s", 'acl ok dstdomain "/lists/ok"\nhttp_access allow ok\nhttp_access deny all'),
    ),
    Case(
        "squid, commented out",
        CONFIG_MAP,
        configuration("s", "# http_access deny all\n#http_access deny arc\nhttp_access allow all"),
    ),
    Case(
        "CoreDNS forwards",
        CONFIG_MAP,
        configuration(
            "Corefile",
            "azure.com:53 {\n forward . 10.0.0.10\n}\n"
            + CORE.format(rule="hosts {\n 10.0.0.9 shop.corp\n fallthrough\n }"),
        ),
    ),
    Case("prose", CONFIG_MAP, configuration("README.md", "10.0.0.9 login.microsoftonline.com is what never to write")),
    Case(
        "alias elsewhere",
        "kubernetes:core/v1:Pod",
        {"metadata": {"namespace": "shop"}, "spec": {"hostAliases": [{"hostnames": ["mcr.microsoft.com"]}]}},
    ),
    Case(
        "hosts file of others",
        LOCAL,
        {"create": "echo '10.0.0.1 shop.corp' >> /etc/hosts; echo login.microsoftonline.com"},
    ),
    Case(
        "allowlist, all there",
        ALLOWLIST,
        {"regions": ["East US"], "scenarios": ["key-vault"]},
        config={"scenarios": ["key-vault"], "region": "eastus"},
    ),
    Case("allowlist, nothing set", ALLOWLIST, {"regions": UNKNOWN, "scenarios": UNKNOWN}),
]

CLOSED = Case("closed", GROUP, group(deny(app("login.windows.net"))))
ARC_FIRST = Case("first", GROUP, group(allow(app(*NEEDED)), priority=200.0))
END = Case("end", GROUP, group(deny(app("*")), priority=65000.0))

STACKS_REFUSED = [
    StackCase(
        "stack: within the hour",
        [CLOSED, cluster("c", FUTURE)],
        "closed",
        says="this may close from 2999-01-01 00:00 UTC on",
    ),
    StackCase(
        "stack: with the association",
        [driver("d", ARC_GATEWAY_ID=UNKNOWN), cluster("c", UNKNOWN, enabled=UNKNOWN), CLOSED],
        "closed",
        says="one that this update makes",
    ),
    StackCase("stack: one of two", [cluster("a", PAST), cluster("b", FUTURE), CLOSED], "closed"),
    StackCase(
        "stack: association",
        [CLOSED, Case("a", ASSOCIATION, {"gateway_enabled": True, "endpoints_removable_at": FUTURE})],
        "closed",
    ),
    StackCase(
        "stack: without a gateway", [cluster("c", None, enabled=False), CLOSED], "closed", says="uses no gateway"
    ),
    StackCase(
        "stack: a zone within the hour",
        [cluster("c", FUTURE), Case("z", ZONE, {"privateZoneName": "servicebus.windows.net"})],
        "z",
    ),
    StackCase(
        "stack: feature",
        [
            driver("d", ARC_SCENARIOS="key-vault,container-insights"),
            Case("g", GROUP, group(deny(app("*.opinsights.azure.com")))),
        ],
        "g",
    ),
    StackCase("stack: nothing before", [Case("hub", POLICY, {"sku": {"tier": "Standard"}}), END], "end"),
    StackCase(
        "stack: too late",
        [
            Case("late", GROUP, group(allow(app(*NEEDED)), priority=300.0)),
            Case("early", GROUP, group(deny(app("*")), priority=200.0)),
        ],
        "early",
    ),
    StackCase("stack: nothing out", [Case("p", NETWORK_POLICY, policy())], "p", says="*.obo.arc.azure.com and 6 more"),
    StackCase("stack: no DNS", [Case("p", NETWORK_POLICY, policy(WEB))], "p", says="without name resolution"),
    StackCase(
        "stack: two that do not add up",
        [Case("p", NETWORK_POLICY, policy()), Case("q", NETWORK_POLICY, policy(DNS, {"to": [{"podSelector": {}}]}))],
        "p",
    ),
    StackCase(
        "stack: too short a list",
        [Case("p", CILIUM, cilium(CILIUM_DNS, fqdns(*NAMED[:-1])))],
        "p",
        says="*.data.mcr.microsoft.com",
    ),
    StackCase(
        "stack: allowlist",
        [
            driver("d", ARC_SCENARIOS="key-vault", ARC_LOCATION="eastus"),
            Case(
                "l",
                ALLOWLIST,
                {"required": ["management.azure.com", "*.azure.com", "*.microsoft.com", "*.microsoftonline.com"]},
            ),
        ],
        "l",
        says="*.vault.azure.net",
    ),
]

STACKS_ADVISED = [
    StackCase("stack: time unknown", [CLOSED, cluster("c", UNKNOWN, enabled=UNKNOWN)], "closed"),
    StackCase("stack: no cluster", [CLOSED], "closed", says="set lastAssociation"),
    StackCase("stack: some pods", [Case("p", NETWORK_POLICY, policy(selector={"matchLabels": {"app": "x"}}))], "p"),
    StackCase(
        "stack: unknown rules",
        [Case("p", NETWORK_POLICY, policy({"ports": [{"port": UNKNOWN, "protocol": "UDP"}]}))],
        "p",
    ),
    StackCase(
        "stack: some addresses",
        [Case("p", NETWORK_POLICY, policy(DNS, {**WEB, "to": [{"ipBlock": {"cidr": "20.0.0.0/8"}}]}))],
        "p",
    ),
]

STACKS_PASSED = [
    StackCase("stack: unknown allowlist", [driver("d"), Case("l", ALLOWLIST, {"required": UNKNOWN})]),
    StackCase("stack: long since", [CLOSED, cluster("c", PAST)]),
    StackCase("stack: no cluster, set", [CLOSED], config={"lastAssociation": PAST}),
    StackCase("stack: never closed", [cluster("c", FUTURE), Case("g", GROUP, group(deny(app("*.shop.example"))))]),
    StackCase(
        "stack: left out within the hour",
        [cluster("c", FUTURE), Case("s", CONFIG_MAP, configuration("squid.conf", SQUID_HOLDS))],
    ),
    StackCase("stack: saved by an earlier group", [END, ARC_FIRST, Case("hub", POLICY, {})]),
    StackCase(
        "stack: groups elsewhere", [END, Case("other", GROUP, group(allow(app("*.shop.example")), priority=300.0))]
    ),
    StackCase("stack: base policy", [END, Case("hub", POLICY, {"basePolicy": {"id": UNKNOWN}})]),
    StackCase(
        "stack: other policies",
        [
            Case("a", GROUP, group(deny(app("*")), priority=200.0, firewallPolicyName="dev")),
            Case("b", GROUP, group(allow(app(*NEEDED)), priority=300.0, firewallPolicyName="prod")),
        ],
    ),
    StackCase(
        "stack: policies that add up",
        [Case("p", NETWORK_POLICY, policy()), Case("q", NETWORK_POLICY, policy(DNS, WEB))],
    ),
    StackCase(
        "stack: policies of two kinds that add up",
        [Case("p", NETWORK_POLICY, policy(DNS)), Case("q", CILIUM, cilium(CILIUM_DNS, fqdns(*NAMED)))],
    ),
    StackCase(
        "stack: through a proxy",
        [
            Case(
                "p",
                NETWORK_POLICY,
                policy(DNS, {"ports": [{"port": 3128.0}], "to": [{"ipBlock": {"cidr": "10.0.0.4/32"}}]}),
            )
        ],
    ),
    StackCase("stack: elsewhere", [Case("p", NETWORK_POLICY, policy(namespace="shop")), cluster("c", PAST)]),
    StackCase(
        "stack: features let out",
        [
            driver("d", ARC_SCENARIOS="key-vault"),
            Case("g", GROUP, group(allow(app("*")), deny(app("*.vault.azure.net"), priority=200.0))),
        ],
    ),
    StackCase(
        "stack: allowlist, all there",
        [
            driver("d", ARC_SCENARIOS="key-vault", ARC_LOCATION="East US"),
            Case(
                "l",
                ALLOWLIST,
                {
                    "required": [
                        "x.gw.arc.azure.com",
                        "*.azure.com",
                        "*.microsoft.com",
                        "*.microsoftonline.com",
                        "*.vault.azure.net",
                    ]
                },
            ),
        ],
    ),
    StackCase("stack: allowlist alone", [Case("l", ALLOWLIST, {"required": UNKNOWN, "removable": UNKNOWN})]),
]
