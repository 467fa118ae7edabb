"""Resources that no-tls-terminating-proxies must refuse, must only advise against, and must let pass."""

from __future__ import annotations

import base64
from typing import Any

from policy_cases import UNKNOWN, Case

RULE = "no-tls-terminating-proxies"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
GA = {"profile": "ga"}
EXEMPT = {"profile": "ga", "exemptHosts": ["*.gw.arc.azure.com"]}

LOCAL = "command:local:Command"
PROXY = "arc-gateway:index:ProxySettings"
RULES = "azure-native:network:FirewallPolicyRuleCollectionGroup"
CLASSIC_RULES = "azure:network/firewallPolicyRuleCollectionGroup:FirewallPolicyRuleCollectionGroup"
CONFIG_MAP, SECRET = "kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:Secret"
RELEASE = "kubernetes:helm.sh/v3:Release"
ONE_RULE = "ruleCollections[0].rules[0].terminateTLS"


def rule(*hosts: object, terminates: object = True, **rest: Any) -> dict[str, Any]:
    return {"ruleType": "ApplicationRule", "targetFqdns": list(hosts), "terminateTLS": terminates, **rest}


def group(*rules: dict[str, Any], priority: float = 100.0) -> dict[str, Any]:
    return {"priority": priority, "ruleCollectionType": "FirewallPolicyFilterRuleCollection", "rules": list(rules)}


def groups(*collections: dict[str, Any]) -> dict[str, Any]:
    return {"priority": 200.0, "ruleCollections": list(collections)}


def pod(image: object, *args: str, **rest: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "p", "image": image, "args": list(args), **rest}]}}}}


def text(name: str, content: str) -> dict[str, Any]:
    return {"data": {name: content}}


IMAGE = "spec.template.spec.containers[0].image"
BUMP = "http_port 3128 ssl-bump cert=/ca.pem\nacl step1 at_step SslBump1\nssl_bump peek step1\nssl_bump bump all\n"
SPLICE = "http_port 3128 ssl-bump generate-host-certificates=on\nssl_bump peek all\nssl_bump splice all\n"
GUARDED = "acl arc ssl::server_name .gw.arc.azure.com\nssl_bump splice arc\nssl_bump bump all\n"

REFUSED = [
    Case("says so", PROXY, {"httpsUrl": "http://proxy:3128", "terminatesTls": True}, "terminatesTls", GA),
    Case("says so, snake", PROXY, {"https_url": UNKNOWN, "terminates_tls": True}, "terminates_tls"),
    Case("says so, as text", PROXY, {"terminatesTls": "true"}, "terminatesTls"),
    Case("says so, exempt, preview", PROXY, {"terminatesTls": True}, "terminatesTls", {"exemptHosts": ["*"]}),
    Case("certificate", PROXY, {"httpsUrl": "http://proxy:3128", "certificate": PEM}, "certificate", GA),
    Case("certificate, snake", PROXY, {"https_url": " HTTP://u:p@proxy:3128", "certificate": PEM}, "certificate"),
    Case(
        "certificate, nested",
        "arc-gateway:index:ConnectedCluster",
        {"clusterName": "c", "proxy": {"httpsUrl": "http://proxy", "certificate": PEM}},
        "proxy.certificate",
    ),
    Case(
        "certificate, driver",
        LOCAL,
        {
            "create": "connect",
            "environment": {"ARC_PROXY_HTTPS": "http://p:1", "ARC_PROXY_CERTIFICATE": PEM, "ARC_GATEWAY_ID": UNKNOWN},
        },
        "environment.ARC_PROXY_CERTIFICATE",
    ),
    Case(
        "certificate, az",
        LOCAL,
        {"create": "az connectedk8s connect --proxy-https http://p --proxy-cert ca.pem"},
        "create",
    ),
    Case(
        "certificate, az, other name",
        LOCAL,
        {"create": "az connectedk8s update --custom-ca-cert=ca.pem --proxy-https=$P", "environment": {"P": "http://p"}},
        "create",
    ),
    Case(
        "certificate, az, from a file",
        LOCAL,
        {"create": "az connectedk8s update --proxy-https http://p:3128 --proxy-cert @ca.pem"},
        "create",
    ),
    Case(
        "certificate, chart",
        RELEASE,
        {
            "chart": "oci://mcr.microsoft.com/azurearck8s/batch2/stable/v2/azure-arc-k8sagents",
            "values": {"global": {"httpsProxy": "http://p:3128", "proxyCert": PEM}},
        },
        "values.global.proxyCert",
    ),
    Case("firewall", RULES, groups(group(rule("*"))), ONE_RULE, GA),
    Case("firewall, exact", RULES, groups(group(rule("shop.example", "eastus.gw.arc.azure.com"))), ONE_RULE, GA),
    Case("firewall, wildcard", RULES, groups(group(rule("*.Azure.com"))), ONE_RULE, GA),
    Case("firewall, other required name", RULES, groups(group(rule("mcr.microsoft.com"))), ONE_RULE),
    Case("firewall, url", RULES, groups(group(rule(targetUrls=["mcr.microsoft.com/azurearck8s/*"]))), ONE_RULE),
    Case(
        "firewall, exempt too late",
        RULES,
        groups(group(rule("*.gw.arc.azure.com", terminates=False), priority=300.0), group(rule("*"), priority=200.0)),
        "ruleCollections[1].rules[0].terminateTLS",
        GA,
    ),
    Case("firewall, draft", f"{RULES}Draft", groups(group(rule("*"))), ONE_RULE),
    Case("firewall, old token", RULES.replace("network:", "network/v20230201:"), groups(group(rule("*"))), ONE_RULE),
    Case(
        "firewall, legacy group",
        "azure-native:network/v20190601:FirewallPolicyRuleGroup",
        {"rules": [rule("*")]},
        "rules[0].terminateTLS",
    ),
    Case(
        "firewall, classic",
        CLASSIC_RULES,
        {
            "applicationRuleCollections": [
                {"priority": 1.0, "rules": [{"terminateTls": True, "destinationFqdns": ["*"]}]}
            ]
        },
        "applicationRuleCollections[0].rules[0].terminateTls",
    ),
    Case(
        "firewall, template",
        "azure-native:resources:Deployment",
        {
            "properties": {
                "template": {
                    "resources": [
                        {
                            "type": "Microsoft.Network/firewallPolicies/ruleCollectionGroups",
                            "properties": groups(group(rule("*"))),
                        }
                    ]
                }
            }
        },
        f"properties.template.resources[0].properties.{ONE_RULE}",
    ),
    Case(
        "Palo Alto",
        "azure-native:cloudngfw:LocalRule",
        {"decryptionRuleType": "SSLOutboundInspection"},
        "decryptionRuleType",
    ),
    Case(
        "Palo Alto, classic",
        "azure:paloalto/localRulestackRule:LocalRulestackRule",
        {"decryptionRuleType": "SSLOutboundInspection"},
        "decryptionRuleType",
    ),
    Case("mitmproxy", "kubernetes:apps/v1:Deployment", pod("mitmproxy/mitmproxy:11.0.2"), IMAGE, GA),
    Case(
        "mitmproxy, mirrored",
        "kubernetes:apps/v1:DaemonSetPatch",
        pod("registry.corp:5000/x/mitmproxy@sha256:0"),
        IMAGE,
    ),
    Case(
        "mitmproxy, exempt, preview",
        "kubernetes:apps/v1:Deployment",
        pod("mitmproxy/mitmproxy", "--ignore-hosts", r"gw\.arc\.azure\.com"),
        IMAGE,
    ),
    Case(
        "sslsplit pod",
        "kubernetes:core/v1:Pod",
        {"spec": {"initContainers": [{"image": "x/sslsplit"}]}},
        "spec.initContainers[0].image",
    ),
    Case(
        "mitmdump by command",
        "kubernetes:batch/v1:Job",
        pod("python:3.12", command=["/usr/bin/mitmdump", "-p", "8080"]),
        "spec.template.spec.containers[0].command",
    ),
    Case("list", "kubernetes:apps/v1:DeploymentList", {"items": [pod("mitmproxy/mitmproxy")]}, f"items[0].{IMAGE}"),
    Case("mitmproxy chart", RELEASE, {"chart": "oci://charts.example/mitmproxy", "values": {}}, "chart"),
    Case(
        "chart's image",
        RELEASE,
        {"chart": "egress", "values": {"image": {"repository": "mitmproxy/mitmproxy"}}},
        "values.image.repository",
    ),
    Case("squid", CONFIG_MAP, text("squid.conf", BUMP), 'data["squid.conf"]', GA),
    Case("squid, stare", CONFIG_MAP, text("a", "  ssl_bump  stare all"), "data.a"),
    Case("squid, old words", f"{CONFIG_MAP}Patch", text("a", "ssl_bump server-first all"), "data.a"),
    Case("squid, guarded, preview", CONFIG_MAP, text("a", GUARDED), "data.a"),
    Case("squid, secret", SECRET, text("a", base64.b64encode(BUMP.encode()).decode()), "data.a"),
    Case("squid, plain secret", SECRET, {"stringData": {"a": BUMP}}, "stringData.a"),
    Case("squid, binary", CONFIG_MAP, {"binaryData": {"a": base64.b64encode(BUMP.encode()).decode()}}, "binaryData.a"),
    Case("squid in a chart", RELEASE, {"chart": "squid", "values": {"config": {"squid": BUMP}}}, "values.config.squid"),
    Case(
        "two signs",
        CONFIG_MAP,
        text("a", "http_port 1 ssl-bump\nsslcrtd_program /usr/lib/security_file_certgen -s /db"),
        "data.a",
    ),
    Case(
        "two signs, two entries", CONFIG_MAP, {"data": {"a": "http_port 1 ssl-bump", "ca": "# ZscalerRoot"}}, "data.a"
    ),
    Case(
        "Cilium",
        "kubernetes:cilium.io/v2:CiliumNetworkPolicy",
        {"spec": {"egress": [{"toPorts": [{"terminatingTLS": {"secret": {"name": "s"}}}]}]}},
        "spec.egress[0].toPorts[0].terminatingTLS",
    ),
    Case("docker", LOCAL, {"create": "docker run -d -p 8080:8080 mitmproxy/mitmproxy mitmdump"}, "create"),
    Case(
        "one of two exempt, under ga",
        LOCAL,
        {"create": "docker run x/mitmproxy --ignore-hosts gw.arc.azure.com\ndocker run x/mitmproxy"},
        "create",
        GA,
    ),
    Case("by hand", LOCAL, {"create": "nohup /opt/bin/mitmdump -p 8080 &"}, "create"),
    Case(
        "kubectl",
        LOCAL,
        {"create": "kubectl create deployment p --image=docker.io/mitmproxy/mitmproxy:latest"},
        "create",
    ),
]

ADVISED = [
    Case("says so, exempt", PROXY, {"terminatesTls": True}, "terminatesTls", EXEMPT),
    Case("may say so", PROXY, {"terminatesTls": UNKNOWN}, "terminatesTls"),
    Case("https and certificate", PROXY, {"httpsUrl": "https://proxy:3129", "certificate": PEM}, "certificate"),
    Case("unknown certificate", PROXY, {"httpsUrl": "http://proxy:3128", "certificate": UNKNOWN}, "certificate"),
    Case("unknown chart", RELEASE, {"chart": UNKNOWN, "values": {}}, "chart"),
    Case("unknown image of a chart", RELEASE, {"chart": "p", "values": {"image": UNKNOWN}}, "values.image"),
    Case("unknown address", PROXY, {"httpsUrl": UNKNOWN, "certificate": PEM}, "httpsUrl"),
    Case(
        "firewall, exempt",
        RULES,
        groups(group(rule("*.gw.arc.azure.com", terminates=False), rule("*"))),
        "ruleCollections[0].rules[1].terminateTLS",
        GA,
    ),
    Case("firewall, other name under ga", RULES, groups(group(rule("management.azure.com"))), ONE_RULE, GA),
    Case("firewall, category", RULES, groups(group(rule(webCategories=["business"]))), ONE_RULE),
    Case("firewall, unknown hosts", RULES, groups(group(rule(UNKNOWN))), ONE_RULE),
    Case("firewall, unknown switch", RULES, groups(group(rule("*", terminates=UNKNOWN))), ONE_RULE),
    Case(
        "firewall, url alone",
        RULES,
        groups(group(rule(terminates=False, targetUrls=["*.azure.com/x"]))),
        "ruleCollections[0].rules[0].targetUrls[0]",
    ),
    Case(
        "firewall policy",
        "azure-native:network:FirewallPolicy",
        {"transportSecurity": {"certificateAuthority": {"name": "ca"}}},
        "transportSecurity",
    ),
    Case(
        "firewall policy, classic",
        "azure:network/firewallPolicy:FirewallPolicy",
        {"tlsCertificate": {"name": "c"}, "explicitProxy": {"enabled": True}},
        "tlsCertificate",
    ),
    Case(
        "rule stack",
        "azure-native:cloudngfw:LocalRulestack",
        {"securityServices": {"outboundTrustCertificate": "c"}},
        "securityServices.outboundTrustCertificate",
    ),
    Case("appliance", "azure-native:network:NetworkVirtualAppliance", {"nvaSku": {"vendor": "x"}}, ""),
    Case(
        "application gateway",
        "azure-native:network:ApplicationGateway",
        {"backendAddressPools": [{"backendAddresses": [{"fqdn": "mcr.microsoft.com"}]}]},
        "backendAddressPools[0].backendAddresses[0].fqdn",
    ),
    Case("vendor image", "kubernetes:apps/v1:DaemonSet", pod("registry.corp/zscaler/connector:1"), IMAGE),
    Case("unknown image", "kubernetes:apps/v1:Deployment", pod(UNKNOWN), IMAGE),
    Case(
        "mitmproxy, exempt under ga",
        "kubernetes:apps/v1:Deployment",
        pod("mitmproxy/mitmproxy", "--ignore-hosts", r".*\.gw\.arc\.azure\.com"),
        IMAGE,
        GA,
    ),
    Case("squid, guarded under ga", CONFIG_MAP, text("a", GUARDED), "data.a", GA),
    Case("one sign", CONFIG_MAP, text("a", "https_port 3129 ssl-bump cert=x"), "data.a"),
    Case("authority", CONFIG_MAP, text("ZscalerRoot.crt", PEM), 'data["ZscalerRoot.crt"]'),
    Case("unknown configuration", SECRET, {"data": UNKNOWN}, "data"),
]

PASSED = [
    Case(
        "proxy",
        PROXY,
        {
            "httpUrl": "http://proxy:3128",
            "httpsUrl": "http://proxy:3128",
            "skipRange": [".svc"],
            "terminatesTls": False,
        },
    ),
    Case(
        "proxy, empty certificate", PROXY, {"httpsUrl": "http://proxy:3128", "certificate": "", "terminates_tls": None}
    ),
    Case("proxy, all unknown but the switch", PROXY, {"httpsUrl": UNKNOWN, "terminatesTls": False}),
    Case(
        "driver, no certificate",
        LOCAL,
        {"create": "connect", "environment": {"ARC_PROXY_HTTPS": "http://p:1", "ARC_PROXY_CERTIFICATE": ""}},
    ),
    Case(
        "az, no certificate",
        LOCAL,
        {
            "create": "az connectedk8s connect -n c --proxy-https http://p:3128 --proxy-http http://p:3128 "
            "--proxy-skip-range 10.96.0.0/12,kubernetes.default.svc,.svc.cluster.local,.svc"
        },
    ),
    Case(
        "Arc's chart",
        RELEASE,
        {
            "chart": "azure-arc-k8sagents",
            "values": {
                "global": {
                    "httpsProxy": "http://p:3128",
                    "noProxy": "10.96.0.0/12,kubernetes.default.svc,.svc.cluster.local,.svc",
                    "isCustomCert": False,
                }
            },
        },
    ),
    Case("firewall, no termination", RULES, groups(group(rule("*", terminates=False)))),
    Case("firewall, other hosts", RULES, groups(group(rule("shop.example", "*.shop.example", "microsoft.com")))),
    Case(
        "firewall, all exempt",
        RULES,
        groups(
            group(rule("*.azure.com", "*.microsoftonline.com", "*.microsoft.com", terminates=False), priority=1.0),
            group(rule("*"), priority=2.0),
        ),
    ),
    Case("firewall, network rules", RULES, groups(group({"ruleType": "NetworkRule", "destinationFqdns": ["*"]}))),
    Case(
        "explicit proxy",
        "azure-native:network:FirewallPolicy",
        {"explicitProxy": {"enableExplicitProxy": True, "httpPort": 8080.0}},
    ),
    Case("Palo Alto, inbound", "azure-native:cloudngfw:LocalRule", {"decryptionRuleType": "SSLInboundInspection"}),
    Case(
        "Palo Alto, disabled",
        "azure-native:cloudngfw:PreRule",
        {"decryptionRuleType": "SSLOutboundInspection", "ruleState": "DISABLED"},
    ),
    Case(
        "application gateway of others",
        "azure-native:network:ApplicationGateway",
        {
            "httpListeners": [{"protocol": "Https"}],
            "backendAddressPools": [{"backendAddresses": [{"fqdn": "shop.example"}]}],
        },
    ),
    Case("plain squid", "kubernetes:apps/v1:Deployment", pod("ubuntu/squid:6.6")),
    Case("squid, splicing", CONFIG_MAP, text("squid.conf", SPLICE)),
    Case(
        "squid, commented out",
        CONFIG_MAP,
        text("squid.conf", "http_port 3128\n# ssl_bump bump all\n#http_port 1 ssl-bump"),
    ),
    Case(
        "text about it",
        CONFIG_MAP,
        text("README.md", "Never write ssl_bump bump all, it opens TLS; mitmproxy does so too."),
    ),
    Case("like an interceptor", "kubernetes:apps/v1:Deployment", pod("corp/charlesworth-api:1", "--name=mitmproxy")),
    Case(
        "Cilium, other hosts",
        "kubernetes:cilium.io/v2:CiliumNetworkPolicy",
        {"spec": {"egress": [{"toFQDNs": [{"matchName": "shop.example"}], "toPorts": [{"terminatingTLS": {}}]}]}},
    ),
    Case(
        "secret that is no text",
        SECRET,
        {"data": {"tls.crt": "%%%", "key": base64.b64encode(bytes(range(256))).decode()}},
    ),
    Case("own certificate authority", CONFIG_MAP, text("ca.crt", PEM)),
    Case("other image", LOCAL, {"create": "docker run -d nginx:1.27 && echo mitmproxy/mitmproxy"}),
    Case("installing", LOCAL, {"create": "pip install mitmproxy && man mitmdump"}),
    Case("cleaning up", LOCAL, {"create": "docker pull mitmproxy/mitmproxy; kubectl delete deployment mitmproxy"}),
    Case(
        "network policy",
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        {"spec": {"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}},
    ),
]
