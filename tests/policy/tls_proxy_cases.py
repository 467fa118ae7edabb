"""Resources that no-tls-terminating-proxies must refuse, must only advise against, and must let pass."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

from policy_cases import UNKNOWN, Case, StackCase

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

ROUTED = "kubernetes:apps/v1:Deployment"
POWERSHELL = {"interpreter": ["pwsh", "-Command"]}

NGINX = """\
server {
  listen 8443 ssl;
  ssl_certificate     /etc/nginx/any.crt;
  location / { resolver 10.0.0.2; }
  proxy_pass https://$host$request_uri;
}
"""
NGINX_APART = """\
server {
  listen 443 ssl;
  server_name shop.example;
  ssl_certificate /etc/nginx/shop.crt;
  location / { proxy_pass http://backend; }
  return 301 https://$host$request_uri;
}
server {
  listen 3128;
  proxy_connect;
  proxy_connect_allow 443;
  location / { proxy_pass http://$host; }
}
"""
NGINX_STREAM = """\
stream {
  server {
    listen 443;
    ssl_preread on;
    proxy_pass $ssl_preread_server_name:443;
  }
}
"""
ENVOY = """\
listeners:
- filter_chains:
  - transport_socket:
      name: envoy.transport_sockets.tls
      typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext}
    filters:
    - name: envoy.filters.http.dynamic_forward_proxy
clusters:
- name: any
  cluster_type: {name: envoy.clusters.dynamic_forward_proxy}
"""
ENVOY_ANEW = (
    ENVOY
    + """\
  transport_socket:
    typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext}
"""
)
ENVOY_TUNNEL = ENVOY.replace(
    "    filters:", "    route: {match: {connect_matcher: {}}, upgrade_configs: [CONNECT]}\n    filters:"
)
ENVOY_SNI = """\
listeners:
- listener_filters: [{name: envoy.filters.listener.tls_inspector}]
  filter_chains:
  - filters: [{name: envoy.filters.network.sni_dynamic_forward_proxy}]
clusters:
- name: any
  cluster_type: {name: envoy.clusters.dynamic_forward_proxy}
"""
HAPROXY = "frontend f\n  bind :8443 ssl crt /a.pem ca-sign-file /ca.pem generate-certificates\n"
FORTINET = 'config firewall policy\n edit 1\n  set action accept\n  set ssl-ssh-profile "deep-inspection"\n next\nend\n'
PANOS_SET = """\
set rulebase decryption rules "all web" type ssl-forward-proxy
set rulebase decryption rules "all web" action decrypt
"""
PANOS_APART = """\
set rulebase decryption rules out type ssl-forward-proxy
set rulebase decryption rules out action no-decrypt
set rulebase decryption rules in type ssl-inbound-inspection
set rulebase decryption rules in action decrypt
"""
PANOS_XML = "<entry name='o'><action>decrypt</action><type><ssl-forward-proxy/></type></entry>"
PROXYSG = "; all sites\n<SSL-Intercept>\n  ssl.forward_proxy(https)\n"
UNIT = "[Service]\nExecStart=/usr/local/bin/mitmdump --mode transparent\n[Install]\nWantedBy=multi-user.target\n"
CLOUD_INIT = "#cloud-config\nwrite_files:\n  - path: /etc/systemd/system/p.service\n    content: |\n" + "".join(
    f"      {line}\n" for line in UNIT.splitlines()
)
VERDICT_LINE = (
    "preflight: {0}:443 tls-intercepted: TLSv1.3, issuer CN=Corp\npreflight through http://p: fail on 9 endpoints\n"
)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


#: Configuration that opens TLS by itself, or shows two signs that agree.
OPENING = {
    "squid 3.1": "http_port 3128 ssl-bump\nssl_bump allow all\n",
    "squid 3.3": "ssl_bump server-first all\n",
    "squid 5": "http_port 3128 tls-cert=/ca.pem ssl-bump\nssl_bump peek step1\nssl_bump bump all\n",
    "squid 6, wrapped": "ssl_bump \\\n  stare \\\n  step2\n",
    "squid, sparing others": "acl bank ssl::server_name .bank.example\nssl_bump splice bank\nssl_bump bump all\n",
    "NGINX": NGINX,
    "Envoy": ENVOY_ANEW,
    "HAProxy": HAPROXY,
    "Fortinet": FORTINET,
    "Fortinet's profile": "config firewall ssl-ssh-profile\n config ssl\n  set inspect-all deep-inspection\n end\n",
    "Palo Alto": PANOS_SET,
    "Palo Alto as XML": PANOS_XML,
    "Palo Alto as JSON": '{"entry": [{"@name": "o", "type": {"ssl-forward-proxy": {}}, "action": "decrypt"}]}',
    "ProxySG": PROXYSG,
    "a unit of mitmdump": UNIT,
    "a script of mitmproxy": "#!/bin/sh\nset -e\nexec /opt/venv/bin/mitmweb --web-host 0.0.0.0\n",
    "a verdict": '{"verdict": "fail", "endpoints": [{"host": "x.gw.arc.azure.com", "cause": "tls-intercepted"}]}',
}

#: Configuration that looks like it and opens nothing.
HARMLESS = {
    "squid, splicing first": "http_port 3128 ssl-bump\nssl_bump splice all\nssl_bump bump all\n",
    "squid, peeking": "http_port 3128 ssl-bump\nssl_bump peek step1\nssl_bump terminate bad\nssl_bump splice all\n",
    "squid 3.3, none": "http_port 3128 ssl-bump generate-host-certificates=on\nssl_bump none all\n",
    "squid, plain": "http_port 3128\nhttp_access allow localnet\ncache_peer p parent 3128 0\n",
    "NGINX before a site and as a tunnel": NGINX_APART,
    "NGINX, preread": NGINX_STREAM,
    "NGINX, one site": "server {\n  ssl_certificate /a;\n  proxy_pass https://shop.example;\n}\n",
    "Envoy by SNI": ENVOY_SNI,
    "Envoy with TLS of its own": ENVOY_TUNNEL,
    "Envoy before a site": "filter_chains: [DownstreamTlsContext]\nclusters: [{name: shop, UpstreamTlsContext: {}}]\n",
    "HAProxy before a site": "frontend f\n  bind :443 ssl crt /a.pem alpn h2\n  default_backend b\n",
    "Fortinet, certificates only": 'config firewall policy\n  set ssl-ssh-profile "certificate-inspection"\nend\n',
    "Palo Alto, no decryption": PANOS_APART,
    "Palo Alto as XML, no decryption": PANOS_XML.replace("decrypt<", "no-decrypt<"),
    "ProxySG, off": "<SSL-Intercept>\n  ssl.forward_proxy(no)\n; ssl.forward_proxy(https)\n",
    "requirements": "ansible\nmitmproxy\nrequests\n",
    "shell that installs": "#!/bin/sh\npip install mitmproxy\nwhich mitmdump | head -1\n# mitmdump -p 8080\n",
    "a verdict that is fine": '{"verdict": "pass", "endpoints": [{"host": "x.gw.arc.azure.com", "cause": "ok"}]}',
}

#: Commands that run an interceptor or write such configuration.
COMMANDS = {
    "a here-document into tee": f"sudo tee /etc/squid/squid.conf >/dev/null <<'EOF'\n{BUMP}EOF\nsquid -k parse",
    "a here-document into a file": f"cat > /etc/squid/squid.conf <<EOF\n{BUMP}EOF\n",
    "echo into a file": "echo 'ssl_bump bump all' >> /etc/squid/squid.conf",
    "printf through a pipe": "printf 'http_port 3128\\nssl_bump stare all\\n' | sudo tee -a /etc/squid/squid.conf",
    "a config map from stdin": f"kubectl create configmap squid --from-file=squid.conf=/dev/stdin <<'EOF'\n{BUMP}EOF\n",
    "a manifest": "kubectl apply -f - <<'EOF'\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n"
    "  containers:\n  - {name: p, image: mitmproxy/mitmproxy}\nEOF",
    "a manifest in a file": "cat <<'EOF' > p.yaml\napiVersion: apps/v1\nkind: DaemonSet\n"
    "spec: {template: {spec: {initContainers: [{image: 'mitmproxy/mitmproxy:11'}]}}}\nEOF\nkubectl apply -f p.yaml",
    "Helm's values on stdin": "helm upgrade -i egress ./egress -f - <<EOF\nsquid: |\n  ssl_bump bump all\nEOF",
    "Helm's set": "helm install egress charts/egress --set image.repository=mitmproxy/mitmproxy",
    "Helm's chart": "helm install p oci://registry.example/charts/mitmproxy --version 1.2.3",
    "docker": "docker run -d --name p mitmproxy/mitmproxy@sha256:00 mitmdump",
    "docker, other program": "docker run -d python:3 sh -c 'pip install mitmproxy && exec mitmdump -p 8080'",
    "pip": "python3 -m pip install mitmproxy && mitmdump -p 8080 &",
    "uvx": "uvx mitmproxy --mode transparent",
    "uvx, of a package": "uvx --from mitmproxy mitmdump",
    "pipx": "pipx run mitmproxy==11.0.2",
    "Python's module": "python3 -m mitmproxy.tools.main",
    "ssh": "ssh proxy.corp 'nohup mitmdump -p 8080 >/dev/null 2>&1 &'",
    "tmux": "tmux new-session -d 'mitmdump -p 8080'",
    "systemd-run": "systemd-run --unit p /usr/bin/mitmdump",
    "a compose file": "docker compose -f - up -d <<'E'\nservices:\n  p:\n    image: mitmproxy/mitmproxy\nE",
    "a container file": "docker build -t p - <<'E'\nFROM mitmproxy/mitmproxy:11\nE",
    "a service": "systemctl enable --now mitmproxy.service",
    "Helm's chart by repository": "helm upgrade --install p mitmproxy --repo https://charts.example",
    "a unit": f"cat > /etc/systemd/system/p.service <<'EOF'\n{UNIT}EOF\nsystemctl enable --now p",
}

REFUSED = [
    *(Case(f"text of {name}", CONFIG_MAP, text("a", content), "data.a") for name, content in OPENING.items()),
    *(
        Case(f"secret with {name}", SECRET, {"data": {"a": encoded(content)}}, "data.a", GA)
        for name, content in OPENING.items()
    ),
    *(
        Case(
            f"values with {name}",
            RELEASE,
            {"chart": "egress", "values": {"proxy": {"text": content}}},
            "values.proxy.text",
        )
        for name, content in OPENING.items()
    ),
    *(Case(f"command: {name}", LOCAL, {"create": content}, "create") for name, content in COMMANDS.items()),
    Case("certificate, HTTP address alone", PROXY, {"httpUrl": "http://proxy:3128", "certificate": PEM}, "certificate"),
    Case(
        "certificate, cluster in snake case",
        "arc-gateway:index:GatewayAssociation",
        {"proxy_https": "http://p:1", "proxy_http": "http://p:1", "proxy_certificate": PEM},
        "proxy_certificate",
        GA,
    ),
    Case(
        "certificate, az settings",
        LOCAL,
        {
            "create": "az connectedk8s connect --config-protected proxy.https_proxy=http://p:1 "
            "--config proxy.proxy_cert=@ca.pem"
        },
        "create",
    ),
    Case(
        "certificate, PowerShell",
        LOCAL,
        {**POWERSHELL, "create": "Set-AzConnectedKubernetes -ClusterName c -HttpProxy 'http://p:1' -ProxyCert ca.pem"},
        "create",
    ),
    Case(
        "firewall, az",
        LOCAL,
        {
            "create": "az network firewall policy rule-collection-group collection add-filter-collection "
            "--policy-name p --rule-type ApplicationRule --target-fqdns shop.example '*.arc.azure.com' "
            "--enable-tls-inspection true --protocols Https=443 --collection-priority 100"
        },
        "create",
        GA,
    ),
    Case(
        "firewall, PowerShell",
        LOCAL,
        {**POWERSHELL, "create": "New-AzFirewallPolicyApplicationRule -Name r -TargetFqdn '*' -TerminateTLS"},
        "create",
        GA,
    ),
    Case(
        "mitmproxy, init container of a cron job",
        "kubernetes:batch/v1:CronJob",
        {
            "spec": {
                "jobTemplate": {
                    "spec": {"template": {"spec": {"initContainers": [{"image": "quay.io/x/mitmproxy:9"}]}}}
                }
            }
        },
        "spec.jobTemplate.spec.template.spec.initContainers[0].image",
    ),
    Case("mitmproxy, repackaged", ROUTED, pod("registry.corp/docker-mitmproxy-arm64:1"), IMAGE),
    Case(
        "mitmdump in a shell",
        ROUTED,
        pod("python:3.12", "pip install mitmproxy\nexec mitmdump -p 8080", command=["sh", "-c"]),
        "spec.template.spec.containers[0].command",
    ),
    Case(
        "configuration in a variable",
        ROUTED,
        pod("ubuntu/squid", env=[{"name": "SQUID", "value": BUMP}]),
        "spec.template.spec.containers[0].env[0].value",
    ),
    Case(
        "configuration in an argument",
        ROUTED,
        pod("envoyproxy/envoy", "--config-yaml", ENVOY_ANEW),
        "spec.template.spec.containers[0].args[1]",
    ),
    Case(
        "image and authority",
        ROUTED,
        pod("registry.corp/zscaler/connector:1", env=[{"name": "CA", "value": "/etc/ZscalerRoot.pem"}]),
        IMAGE,
    ),
    Case("chart and authority", RELEASE, {"chart": "zscaler", "values": {"ca": "ZscalerRoot.crt"}}, "chart"),
    Case(
        "chart's files",
        RELEASE,
        {"chart": "egress", "valueYamlFiles": [{"text": ""}, "image: mitmproxy/mitmproxy:11\n"]},
        "valueYamlFiles[1]",
    ),
    Case(
        "squid in lists of values",
        RELEASE,
        {"chart": "squid", "values": {"config": {"ssl_bump": ["peek step1", "bump all"]}}},
        "values",
    ),
    Case("Helm v4", "kubernetes:helm.sh/v4:Chart", {"chart": "oci://r/mitmproxy"}, "chart"),
    Case(
        "Flux",
        "kubernetes:helm.toolkit.fluxcd.io/v2:HelmRelease",
        {"spec": {"chart": {"spec": {"chart": "mitmproxy"}}}},
        "spec.chart.spec.chart",
    ),
    Case(
        "Argo's application",
        "kubernetes:argoproj.io/v1alpha1:Application",
        {
            "spec": {
                "source": {
                    "chart": "egress",
                    "helm": {"values": f"squid: |\n  {BUMP.replace(chr(10), chr(10) + '  ')}"},
                }
            }
        },
        "spec.source.helm.values",
    ),
    Case(
        "Argo's workflow",
        "kubernetes:argoproj.io/v1alpha1:Workflow",
        {
            "spec": {
                "templates": [
                    {
                        "script": {"image": "python:3", "source": "mitmdump -p 1"},
                        "container": {"image": "python:3", "command": ["mitmdump"]},
                    }
                ]
            }
        },
        "spec.templates[0].container.command",
    ),
    Case("Knative", "kubernetes:serving.knative.dev/v1:Service", pod("mitmproxy/mitmproxy"), IMAGE),
    Case(
        "list of anything",
        "kubernetes:core/v1:List",
        {"items": [{"apiVersion": "v1", "kind": "ConfigMap", **text("a", BUMP)}]},
        "items[0].data.a",
    ),
    Case(
        "Envoy as objects",
        "kubernetes:networking.istio.io/v1alpha3:EnvoyFilter",
        {
            "spec": {
                "configPatches": [
                    {
                        "patch": {
                            "value": {"transport_socket": {"typed_config": {"@type": "t/v3.DownstreamTlsContext"}}}
                        }
                    },
                    {
                        "patch": {
                            "value": {
                                "cluster_type": {"name": "envoy.clusters.dynamic_forward_proxy"},
                                "transport_socket": {"typed_config": {"@type": "t/v3.UpstreamTlsContext"}},
                            }
                        }
                    },
                ]
            }
        },
        "spec",
    ),
    Case(
        "Cilium, second specification",
        "kubernetes:cilium.io/v2:CiliumClusterwideNetworkPolicy",
        {
            "specs": [
                {"egress": []},
                {"egress": [{"toFQDNs": [{"matchPattern": "*.azure.com"}], "toPorts": [{"terminatingTLS": {}}]}]},
            ]
        },
        "specs[1].egress[0].toPorts[0].terminatingTLS",
        GA,
    ),
    Case("docker container", "docker:index/container:Container", {"image": "mitmproxy/mitmproxy:11"}, "image"),
    Case(
        "container group",
        "azure-native:containerinstance:ContainerGroup",
        {"containers": [{"name": "p", "image": "mitmproxy/mitmproxy"}]},
        "containers[0].image",
    ),
    Case(
        "machine's custom data",
        "azure-native:compute:VirtualMachine",
        {"osProfile": {"customData": encoded("#!/bin/sh\npip install mitmproxy\nmitmdump -p 8080\n")}},
        "osProfile.customData",
    ),
    Case(
        "machine's unit",
        "azure-native:compute:VirtualMachine",
        {"osProfile": {"customData": encoded(CLOUD_INIT)}},
        "osProfile.customData",
    ),
    Case(
        "machine's extension",
        "azure-native:compute:VirtualMachineExtension",
        {
            "protectedSettings": {
                "commandToExecute": "apt install -y squid; echo 'ssl_bump bump all' > /etc/squid/squid.conf"
            }
        },
        "protectedSettings.commandToExecute",
    ),
    Case(
        "machine's configuration",
        "azure:compute/linuxVirtualMachine:LinuxVirtualMachine",
        {"userData": encoded(FORTINET)},
        "userData",
        GA,
    ),
    Case(
        "Zscaler's rule",
        "zia:index/sslInspectionRule:SslInspectionRule",
        {"state": "ENABLED", "action": {"type": "DECRYPT"}},
        "action.type",
        GA,
    ),
    Case(
        "Palo Alto's rules",
        "panos:index/decryptionPolicy:DecryptionPolicy",
        {"rules": [{"action": "no-decrypt"}, {"action": "decrypt", "type": {"sslForwardProxy": {}}}]},
        "rules[1].action",
        GA,
    ),
    Case(
        "Fortinet's policy", "fortios:firewall/policy:Policy", {"sslSshProfile": "deep-inspection"}, "sslSshProfile", GA
    ),
    Case(
        "Fortinet's profile as resource",
        "fortios:firewall/sslsshprofile:Sslsshprofile",
        {"https": {"ports": "443", "status": "deep-inspection"}},
        "https.status",
        GA,
    ),
    Case(
        "Cloudflare",
        "cloudflare:index/zeroTrustGatewaySettings:ZeroTrustGatewaySettings",
        {"settings": {"tlsDecrypt": {"enabled": True}}},
        "settings.tlsDecrypt.enabled",
        GA,
    ),
    Case(
        "AWS",
        "aws:networkfirewall/tlsInspectionConfiguration:TlsInspectionConfiguration",
        {"tlsInspectionConfiguration": {"serverCertificateConfiguration": {"certificateAuthorityArn": UNKNOWN}}},
        "tlsInspectionConfiguration.serverCertificateConfiguration.certificateAuthorityArn",
        GA,
    ),
    Case(
        "Google",
        "gcp:networksecurity/gatewaySecurityPolicyRule:GatewaySecurityPolicyRule",
        {"tlsInspectionEnabled": True},
        "tlsInspectionEnabled",
        GA,
    ),
    Case(
        "product's custom resource",
        "kubernetes:netskope.com/v1:SteeringConfig",
        {"spec": {"sslDecryption": "enabled"}},
        "spec.sslDecryption",
        GA,
    ),
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
    Case(
        "firewall, exempt for others",
        RULES,
        groups(
            group(
                rule("*.gw.arc.azure.com", terminates=False, sourceAddresses=["10.1.0.0/16"]),
                rule("*", sourceAddresses=["10.2.0.0/16", "10.3.4.5"]),
            )
        ),
        "ruleCollections[0].rules[1].terminateTLS",
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
    Case(
        "firewall, exempt for some of these",
        RULES,
        groups(
            group(
                rule("*.gw.arc.azure.com", terminates=False, sourceAddresses=["10.1.0.0/16"]),
                rule("*", sourceAddresses=["10.0.0.0/8"]),
            )
        ),
        "ruleCollections[0].rules[1].terminateTLS",
        GA,
    ),
    Case(
        "squid, guarded by a list beside it, under ga",
        CONFIG_MAP,
        {
            "data": {
                "squid.conf": 'acl spared ssl::server_name "/etc/squid/spared.txt"\n'
                "ssl_bump splice spared\nssl_bump bump all\n",
                "spared.txt": ".bank.example\n.gw.arc.azure.com\n",
            }
        },
        'data["squid.conf"]',
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
    Case(
        "squid, sparing the gateway by negation, under ga",
        CONFIG_MAP,
        text("a", "acl arc ssl::server_name .gw.arc.azure.com\nssl_bump bump !arc\n"),
        "data.a",
        GA,
    ),
    Case("every directive exempt under ga", CONFIG_MAP, text("a", FORTINET), "data.a", EXEMPT),
    Case("two signs exempt under ga", CONFIG_MAP, text("a", HAPROXY), "data.a", EXEMPT),
    Case(
        "interceptor run, exempt under ga",
        LOCAL,
        {"create": "mitmdump --ignore-hosts '.*\\.gw\\.arc\\.azure\\.com'"},
        "create",
        GA,
    ),
    Case(
        "HAProxy, one sign", CONFIG_MAP, text("a", "frontend f\n  bind :1 ssl crt /a ca-sign-file /ca.pem\n"), "data.a"
    ),
    Case(
        "NGINX, one sign",
        CONFIG_MAP,
        text("a", "server {\n listen 80;\n proxy_pass https://$http_host;\n}\n"),
        "data.a",
    ),
    Case("Envoy, one sign", CONFIG_MAP, text("a", ENVOY), "data.a"),
    Case(
        "authority in values", RELEASE, {"chart": "agent", "values": {"extraCa": "Umbrella Root CA"}}, "values.extraCa"
    ),
    Case("vendor's chart", RELEASE, {"chart": "netskope-connector", "values": {"url": "corp.netskope.com"}}, "chart"),
    Case(
        "vendor's image in Flux",
        "kubernetes:helm.toolkit.fluxcd.io/v2:HelmRelease",
        {"spec": {"values": {"image": {"name": "paloaltonetworks/pan_cn_mgmt"}}}},
        "spec.values.image.name",
    ),
    Case("unreadable values of a proxy", RELEASE, {"chart": "squid", "valueYamlFiles": [UNKNOWN]}, "valueYamlFiles[0]"),
    Case("unknown entry of a proxy", CONFIG_MAP, {"data": {"squid.conf": UNKNOWN}}, 'data["squid.conf"]'),
    Case("unknown product's switch", "panos:index/x:X", {"sslDecryption": UNKNOWN}, "sslDecryption"),
    Case(
        "switch of no known product",
        "kubernetes:corp.example/v1:Egress",
        {"spec": {"tlsInspection": {"enabled": True}}},
        "spec.tlsInspection.enabled",
    ),
    Case(
        "decryption, exempt under ga",
        "zia:index/sslInspectionRule:SslInspectionRule",
        {"action": {"type": "DECRYPT"}},
        "action.type",
        EXEMPT,
    ),
    Case("private roots", PROXY, {"httpsUrl": "http://proxy.corp:3128", "genuineRoots": PEM}, "genuineRoots"),
    Case("private roots, no proxy", "arc-gateway:index:ConnectedCluster", {"genuine_roots": PEM}, "genuine_roots"),
    Case("private roots, address unknown", PROXY, {"https_url": UNKNOWN, "genuine_roots": PEM}, "genuine_roots"),
    Case(
        "private roots, driver",
        LOCAL,
        {"create": "connect", "environment": {"ARC_GENUINE_ROOTS": UNKNOWN, "ARC_PROXY_HTTPS": "http://10.0.0.1:1"}},
        "environment.ARC_GENUINE_ROOTS",
    ),
    Case(
        "certificate without a proxy",
        LOCAL,
        {"create": "az connectedk8s connect -n c --custom-ca-cert ca.pem"},
        "create",
    ),
    Case("unknown configuration", SECRET, {"data": UNKNOWN}, "data"),
]

PASSED = [
    *(Case(f"text of {name}", CONFIG_MAP, text("a", content)) for name, content in HARMLESS.items()),
    *(
        Case(f"written: {name}", LOCAL, {"create": f"cat > a <<'EOF'\n{content}EOF\n"})
        for name, content in HARMLESS.items()
    ),
    *(
        Case(f"values with {name}", RELEASE, {"chart": "egress", "values": {"a": content}})
        for name, content in HARMLESS.items()
    ),
    Case("sandbox", PROXY, {"httpsUrl": "http://127.0.0.1:3128", "genuineRoots": PEM, "terminatesTls": False}),
    Case(
        "sandbox's cluster",
        "arc-gateway:index:ConnectedCluster",
        {"proxy_https": "http://localhost:1", "genuine_roots": PEM},
    ),
    Case(
        "sandbox's driver",
        LOCAL,
        {"create": "probe", "environment": {"ARC_PROXY_HTTP": "http://[::1]:1", "ARC_GENUINE_ROOTS": PEM}},
    ),
    Case("no private roots", PROXY, {"httpsUrl": "http://proxy:1", "genuineRoots": ""}),
    Case("unknown secret", SECRET, {"data": {"password": UNKNOWN}, "stringData": {"token": UNKNOWN}}),
    Case("unknown values of no proxy", RELEASE, {"chart": "prometheus", "valueYamlFiles": [UNKNOWN]}),
    Case(
        "names alone", LOCAL, {"create": "kubectl run mitmproxy --image=nginx:1; docker run --name mitmproxy nginx:1"}
    ),
    Case("a release's name", LOCAL, {"create": "helm install mitmproxy ./charts/egress"}),
    Case("stopping it", LOCAL, {"create": "systemctl stop mitmproxy; systemctl disable mitmproxy; pkill mitmdump"}),
    Case("vendor's address", RELEASE, {"chart": "egress", "values": {"tenant": "corp.goskope.com", "by": "netskope"}}),
    Case(
        "rule that forbids it",
        "kubernetes:kyverno.io/v1:ClusterPolicy",
        {"spec": {"rules": [{"validate": {"pattern": {"spec": {"containers": [{"image": "!mitmproxy/*"}]}}}}]}},
    ),
    Case(
        "constraint that forbids it",
        "kubernetes:templates.gatekeeper.sh/v1:ConstraintTemplate",
        {"spec": {"targets": [{"rego": 'deny[msg] {\n  input.image == "mitmproxy/mitmproxy"\n}'}]}},
    ),
    Case(
        "alarm about it",
        CONFIG_MAP,
        text("rules.yaml", "- rule: interception\n  condition: proc.name in (mitmproxy, mitmdump)\n"),
    ),
    Case(
        "ingress controller",
        RELEASE,
        {"chart": "ingress-nginx", "values": {"controller": {"config": {"ssl-redirect": "true"}}}},
    ),
    Case(
        "egress gateway that passes through",
        "kubernetes:networking.istio.io/v1:Gateway",
        {"spec": {"servers": [{"hosts": ["*.azure.com"], "tls": {"mode": "PASSTHROUGH"}}]}},
    ),
    Case(
        "connecting as documented",
        LOCAL,
        {
            "create": 'az connectedk8s connect --name="$NAME" -g $RG --location eastus '
            "--gateway-resource-id $GW 2>&1 | tee log"
        },
    ),
    Case("asking for a version", LOCAL, {"create": "mitmproxy --version; docker run mitmproxy/mitmproxy --help"}),
    Case("inside a running one", LOCAL, {"create": "docker exec mitmproxy ls; kubectl logs deploy/mitmproxy"}),
    Case(
        "printing a directive", LOCAL, {"create": "echo 'never write ssl_bump bump all'; echo 'ssl_bump bump all' >&2"}
    ),
    Case(
        "reading squid's configuration", LOCAL, {"create": "grep -c 'ssl_bump bump all' /etc/squid/squid.conf > count"}
    ),
    Case(
        "named like one",
        ROUTED,
        pod("corp/mitigation-proxy:1", "--burp"),
    ),
    Case(
        "Zscaler's rule, no decryption",
        "zia:index/sslInspectionRule:SslInspectionRule",
        {"action": {"type": "DO_NOT_DECRYPT"}},
    ),
    Case(
        "Zscaler's rule, disabled",
        "zia:index/sslInspectionRule:SslInspectionRule",
        {"state": "DISABLED", "action": {"type": "DECRYPT"}},
    ),
    Case(
        "Palo Alto's rules, inbound",
        "panos:index/decryptionPolicy:DecryptionPolicy",
        {
            "rules": [
                {"action": "decrypt", "type": {"sslInboundInspection": "c"}},
                {"action": "no-decrypt", "type": {"sslForwardProxy": {}}},
            ]
        },
    ),
    Case(
        "Palo Alto's profile",
        "panos:index/decryptionProfile:DecryptionProfile",
        {"sslForwardProxy": {"blockExpiredCertificate": True}},
    ),
    Case(
        "Fortinet's policy, certificates only",
        "fortios:firewall/policy:Policy",
        {"sslSshProfile": "certificate-inspection", "status": "enable"},
    ),
    Case(
        "Cloudflare, off",
        "cloudflare:index/zeroTrustGatewaySettings:ZeroTrustGatewaySettings",
        {"settings": {"tlsDecrypt": {"enabled": False}}},
    ),
    Case(
        "AWS, inbound",
        "aws:networkfirewall/tlsInspectionConfiguration:TlsInspectionConfiguration",
        {
            "tlsInspectionConfiguration": {
                "serverCertificateConfiguration": {"serverCertificates": [{"resourceArn": "a"}]}
            }
        },
    ),
    Case(
        "Google, off",
        "gcp:networksecurity/gatewaySecurityPolicyRule:GatewaySecurityPolicyRule",
        {"tlsInspectionEnabled": False},
    ),
    Case(
        "custom resource of others",
        "kubernetes:cert-manager.io/v1:Certificate",
        {"spec": {"secretName": "tls", "dnsNames": ["shop.example"], "image": "nginx:1"}},
    ),
    Case(
        "Argo's application of others",
        "kubernetes:argoproj.io/v1alpha1:Application",
        {"spec": {"source": {"repoURL": "https://github.com/x/y", "chart": "redis", "helm": {"values": "a: b"}}}},
    ),
    Case(
        "ingress",
        "kubernetes:networking.k8s.io/v1:Ingress",
        {"spec": {"tls": [{"hosts": ["shop.example"], "secretName": "s"}]}},
    ),
    Case(
        "manifest of others",
        LOCAL,
        {
            "create": "kubectl apply -f - <<'EOF'\napiVersion: v1\nkind: Pod\n"
            "spec: {containers: [{name: p, image: 'nginx:1'}]}\nEOF"
        },
    ),
    Case(
        "machine of others",
        "azure-native:compute:VirtualMachine",
        {
            "osProfile": {
                "customData": encoded(
                    "#cloud-config\npackages: [squid, mitmproxy]\nruncmd:\n  - systemctl restart squid\n"
                )
            }
        },
    ),
    Case(
        "firewall, az, no inspection",
        LOCAL,
        {
            "create": "az network firewall policy rule-collection-group collection rule add "
            "--target-fqdns '*' --rule-type ApplicationRule --protocols Https=443"
        },
    ),
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

PRESSED = Case(
    "probe", LOCAL, {"create": "probe", "stderr": VERDICT_LINE.format("p.gw.arc.azure.com"), "stdout": "{}"}, "stderr"
)

PORT = Case("port", CONFIG_MAP, text("squid.conf", "http_port 3128 ssl-bump cert=/ca.pem"))
SIGNING = Case("signing", CONFIG_MAP, text("more.conf", "sslcrtd_program /usr/lib/security_file_certgen -s /db"))
CONNECTOR = Case("connector", ROUTED, pod("zscaler/connector:1"))
STACKS_REFUSED = [
    StackCase("squid in two parts", [PORT, SIGNING], "port", GA, says="and signing has squid sign certificates"),
    StackCase(
        "squid, written and mounted",
        [Case("made", LOCAL, {"create": ("cat > /etc/squid/squid.conf <<EOF\nhttp_port 3128 ssl-bump\nEOF")}), SIGNING],
        "made",
    ),
    StackCase("squid, three parts, told once", [PORT, replace(PORT, name="again"), SIGNING], "again"),
    StackCase(
        "HAProxy, in two secrets",
        [
            Case("one", SECRET, {"stringData": {"a": "bind :3128 ssl crt /a ca-sign-file /ca"}}),
            Case("two", SECRET, {"stringData": {"a": "bind :3129 ssl crt /a generate-certificates"}}),
        ],
        "one",
    ),
    StackCase(
        "a product and its authority",
        [CONNECTOR, Case("roots", CONFIG_MAP, text("ca.crt", "# Zscaler Root CA"))],
        "connector",
        says="and roots names the certificate authority",
    ),
    StackCase(
        "a chart and its authority",
        [
            Case("agent", RELEASE, {"chart": "netskope-publisher"}),
            Case("trust", "kubernetes:trust.cert-manager.io/v1alpha1:Bundle", {"spec": {"x": "Netskope Root CA"}}),
        ],
        "agent",
    ),
    StackCase("verdict of the driver", [PRESSED], "probe"),
    StackCase("verdict of the driver, under ga", [Case("other", LOCAL, {"stdout": "x"}), PRESSED], "probe", GA),
    StackCase(
        "verdict as JSON",
        [Case("look", LOCAL, {"stdout": OPENING["a verdict"]}, "stdout")],
        "look",
    ),
    StackCase(
        "another name, in the profile preview",
        [Case("look", "command:remote:Command", {"stderr": VERDICT_LINE.format("mcr.microsoft.com")})],
        "look",
    ),
]
STACKS_ADVISED = [
    StackCase("squid in two parts, exempt", [PORT, SIGNING], "port", EXEMPT),
    StackCase(
        "another name, under ga", [Case("l", LOCAL, {"stderr": VERDICT_LINE.format("mcr.microsoft.com")})], "l", GA
    ),
]
STACKS_PASSED = [
    StackCase("one sign in two resources", [PORT, replace(PORT, name="again")]),
    StackCase(
        "signs of two products",
        [
            PORT,
            Case("roots", CONFIG_MAP, text("ca.crt", "# Zscaler Root CA")),
            Case("proxy", CONFIG_MAP, text("a", "bind :3129 ssl crt /a generate-certificates")),
        ],
    ),
    StackCase("squid in two parts that splices", [PORT, SIGNING, Case("steps", CONFIG_MAP, text("a", SPLICE))]),
    StackCase("a product and another's authority", [CONNECTOR, Case("roots", CONFIG_MAP, text("a", "mitmproxy-ca"))]),
    StackCase("refused by itself", [PORT, Case("both", CONFIG_MAP, text("a", BUMP))]),
    StackCase("text that is not known yet", [PORT, Case("more", CONFIG_MAP, text("a", UNKNOWN))]),
    StackCase(
        "verdict that is fine",
        [Case("l", LOCAL, {"stderr": "preflight through x: pass on 9 endpoints\n", "stdout": "{}"})],
    ),
    StackCase(
        "closed and not intercepted",
        [Case("l", LOCAL, {"stderr": "preflight: mcr.microsoft.com:443 denied-by-proxy: 403\n"})],
    ),
    StackCase("unknown output", [Case("l", LOCAL, {"stderr": UNKNOWN, "stdout": UNKNOWN})]),
]
