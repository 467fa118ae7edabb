"""Proxy URLs that proxy-urls must refuse, must only advise against, and must let pass."""

from __future__ import annotations

import json
from typing import Any

from arc_policies.secrecy import Marked
from policy_cases import UNKNOWN, Case

RULE = "proxy-urls"
GA = {"profile": "ga"}

LOCAL, REMOTE = "command:local:Command", "command:remote:Command"
PROXY, CLUSTER = "arc-gateway:index:ProxySettings", "arc-gateway:index:ConnectedCluster"
RELEASE = "kubernetes:helm.sh/v3:Release"
NATIVE = "azure-native:kubernetes:ConnectedCluster"
DEPLOYMENT = "azure-native:resources:Deployment"
URL = "http://proxy.corp:3128"
WITH_PASSWORD = "http://agent:s3cr3t@proxy.corp:3128"
SKIP = "10.96.0.0/12,kubernetes.default.svc,.svc.cluster.local,.svc"


def secret(text: str) -> Marked:
    return Marked(text, secret=True)


def plain(text: str) -> Marked:
    return Marked(text, secret=False)


def update(rest: str, **inputs: Any) -> dict[str, Any]:
    return {"create": f"az connectedk8s update -n c -g g {rest}", **inputs}


def chart(**values: object) -> dict[str, Any]:
    return {"chart": "azure-arc-k8sagents", "values": {"global": {"noProxy": SKIP, **values}}}


def agents(settings: str = "protectedSettings", **urls: object) -> dict[str, Any]:
    return {"arcAgentryConfigurations": [{"feature": "proxy", settings: urls}]}


def cluster(**urls: object) -> dict[str, Any]:
    return {"type": "Microsoft.Kubernetes/connectedClusters", "properties": agents(**urls)}


HTTPS = "arcAgentryConfigurations[0].protectedSettings.https_proxy"

REFUSED = [
    Case("no scheme", LOCAL, update("--proxy-https proxy.corp:3128"), "create", GA, says="has no scheme"),
    Case("address alone", LOCAL, update("--proxy-https 10.0.0.9"), "create"),
    Case("socks", LOCAL, update("--proxy-https=socks5://proxy.corp:1080"), "create", says="socks5"),
    Case("no port", LOCAL, update("--proxy-https http://proxy.corp"), "create", says="has no port"),
    Case("no port, slash", LOCAL, update('--proxy-http "http://proxy.corp/"'), "create"),
    Case("port 0", LOCAL, update("--proxy-https http://proxy.corp:0"), "create"),
    Case("port too large", LOCAL, update("--proxy-https http://proxy.corp:70000"), "create"),
    Case("path", LOCAL, update(f"--proxy-https {URL}/proxy.pac"), "create", says="goes on after its port"),
    Case("query", LOCAL, update(f"--proxy-https '{URL}?a=b'"), "create"),
    Case("blank", LOCAL, update("--proxy-https 'http://proxy corp:3128'"), "create", says="blanks"),
    Case("two in one", LOCAL, update(f"--proxy-https '{URL}, {URL}'"), "create"),
    Case("impossible host", LOCAL, update("--proxy-https http://proxy_.-corp:3128"), "create"),
    Case("part of an address", LOCAL, update("--proxy-https http://10.0.9:3128"), "create", says="impossible host"),
    Case("IPv6 without brackets", LOCAL, update("--proxy-https http://fd00::9:3128"), "create"),
    Case("stray percent", LOCAL, update("--proxy-https 'http://agent:50%@proxy.corp:3128'"), "create", says="%25"),
    Case("slash in the password", LOCAL, update("--proxy-https 'http://a:b/c@proxy.corp:3128'"), "create"),
    Case(
        "https and http of one port",
        LOCAL,
        update(f"--proxy-https https://proxy.corp:3128 --proxy-http {URL}"),
        "create",
    ),
    Case(
        "https and http of one port, other case",
        PROXY,
        {"httpsUrl": secret("https://agent:s3cr3t@Proxy.corp:3128/"), "httpUrl": URL},
        "httpsUrl",
        says="TLS or not",
    ),
    Case("the other way round", PROXY, {"https_url": URL, "http_url": "https://proxy.corp:3128"}, "http_url"),
    Case(
        "quoted piecewise",
        REMOTE,
        {"create": '\'az\' connectedk8s \\\n  connect --proxy-ht"tps" "${P}"', "environment": {"P": "proxy:1"}},
        "create",
    ),
    Case("in a shell", LOCAL, {"update": 'bash -c "az connectedk8s update --proxy-https ftp://p:21"'}, "update"),
    Case("unknown host, no port", LOCAL, update("--proxy-https ftp://$HOST:3128"), "create"),
    Case(
        "configuration settings",
        LOCAL,
        update("--configuration-settings proxy.http_proxy=proxy.corp:3128"),
        "create",
    ),
    Case(
        "PowerShell",
        LOCAL,
        {"create": f'pwsh -Command "Set-AzConnectedKubernetes -HttpsProxy proxy.corp -NoProxy {SKIP}"'},
        "create",
    ),
    Case(
        "helm",
        LOCAL,
        {"create": "helm upgrade azure-arc x/azure-arc-k8sagents --reuse-values --set-string=global.httpsProxy=p:1"},
        "create",
    ),
    Case("chart", RELEASE, chart(httpsProxy="proxy.corp:3128"), "values.global.httpsProxy"),
    Case(
        "chart, other key",
        "kubernetes:helm.sh/v4:Chart",
        chart(httpsProxy=URL, httpProxy="socks4://p:1"),
        "values.global.httpProxy",
    ),
    Case("component", PROXY, {"httpsUrl": "proxy.corp:3128", "terminatesTls": False}, "httpsUrl"),
    Case("component, snake", PROXY, {"http_url": "http://proxy.corp", "https_url": UNKNOWN}, "http_url"),
    Case("cluster", CLUSTER, {"proxyHttps": "HTTP://proxy.corp", "proxySkipRange": UNKNOWN}, "proxyHttps"),
    Case("cluster, nested, snake", CLUSTER, {"proxy": {"https_url": "tcp://p:1"}}, "proxy.https_url"),
    Case(
        "driver",
        LOCAL,
        {"create": "connect", "environment": {"ARC_PROXY_HTTPS": "proxy:3128", "ARC_GATEWAY_ID": UNKNOWN}},
        "environment.ARC_PROXY_HTTPS",
    ),
    Case("agents' configuration", NATIVE, agents(https_proxy="proxy:3128"), HTTPS),
    Case(
        "agents' configuration, version",
        "azure-native:kubernetes/v20240715preview:ConnectedCluster",
        agents("settings", http_proxy="http://proxy"),
        "arcAgentryConfigurations[0].settings.http_proxy",
    ),
    Case(
        "agents' configuration, local package",
        "azure-native_kubernetes_v20251201preview:kubernetes:ConnectedCluster",
        agents(https_proxy="socks5h://proxy:1080"),
        HTTPS,
    ),
    Case(
        "generic",
        "azure-native:resources:Resource",
        {
            "resourceProviderNamespace": "Microsoft.Kubernetes",
            "resourceType": "connectedClusters",
            "properties": agents(https_proxy="proxy:3128"),
        },
        f"properties.{HTTPS}",
    ),
    Case(
        "template",
        DEPLOYMENT,
        {"properties": {"template": {"resources": [cluster(https_proxy="http://proxy")]}}},
        f"properties.template.resources[0].properties.{HTTPS}",
    ),
    Case(
        "template, nested, as text",
        "azure:core/resourceGroupTemplateDeployment:ResourceGroupTemplateDeployment",
        {
            "templateContent": json.dumps(
                {
                    "resources": [
                        {
                            "type": "Microsoft.Resources/deployments",
                            "properties": {"template": {"resources": [cluster(https_proxy="p:1")]}},
                        }
                    ]
                }
            )
        },
        "templateContent",
    ),
    Case(
        "azapi",
        "azapi:index/resource:Resource",
        {"type": "Microsoft.Kubernetes/connectedClusters@2024-07-15-preview", "body": cluster(https_proxy="p:1")},
        "type",
    ),
    Case(
        "password in a command",
        LOCAL,
        {"create": plain(f"az connectedk8s update --proxy-https {WITH_PASSWORD}")},
        "create",
    ),
    Case(
        "password in an environment",
        LOCAL,
        {"create": "az connectedk8s update --proxy-https $P", "environment": {"P": plain(WITH_PASSWORD)}},
        "create",
        says="readable in Pulumi's state",
    ),
    Case("password in a component", PROXY, {"httpsUrl": plain(WITH_PASSWORD)}, "httpsUrl"),
    Case(
        "password for the driver",
        LOCAL,
        {"create": "connect", "environment": {"ARC_PROXY_HTTP": plain(WITH_PASSWORD)}},
        "environment.ARC_PROXY_HTTP",
    ),
    Case("password in a chart", RELEASE, chart(httpsProxy=plain(WITH_PASSWORD)), "values.global.httpsProxy"),
    Case("password for agents", NATIVE, agents(https_proxy=plain(WITH_PASSWORD)), HTTPS),
    Case(
        "password for a client",
        LOCAL,
        {"create": "az connectedk8s list", "environment": {"https_proxy": plain(WITH_PASSWORD)}},
        "environment.https_proxy",
    ),
]

ADVISED = [
    Case("password, nobody says", LOCAL, update(f"--proxy-https {WITH_PASSWORD}"), "create", says="cannot be told"),
    Case("password in a chart, nobody says", RELEASE, chart(httpsProxy=WITH_PASSWORD), "values.global.httpsProxy"),
    Case("unknown", RELEASE, chart(httpsProxy=UNKNOWN), "values.global.httpsProxy", says="not known yet"),
    Case("unknown variable", LOCAL, update("--proxy-https $HTTPS_PROXY"), "create", says="environment"),
    Case("unknown scheme", LOCAL, update("--proxy-https $SCHEME://proxy:3128"), "create"),
    Case("unknown host and port", LOCAL, update("--proxy-https http://$PROXY"), "create"),
    Case("HTTP alone", RELEASE, chart(httpProxy=URL), "values.global.httpProxy", says="HTTP alone"),
    Case("client, no port", LOCAL, {"create": "HTTPS_PROXY=http://proxy az connectedk8s list"}, "create"),
    Case(
        "client, socks",
        LOCAL,
        {"create": "az arcgateway list", "environment": {"HTTPS_PROXY": "socks5://proxy:1080"}},
        "environment.HTTPS_PROXY",
    ),
]

PASSED = [
    Case("same for both", LOCAL, update(f"--proxy-https {URL} --proxy-http {URL}")),
    Case("slash at the end, capitals", LOCAL, update("--proxy-https 'HTTP://Proxy.Corp:3128/'")),
    Case("speaks TLS", LOCAL, update("--proxy-https https://proxy.corp:3129 --proxy-http https://proxy.corp:3129")),
    Case("two ports", LOCAL, update(f"--proxy-https https://proxy.corp:3129 --proxy-http {URL}")),
    Case("two hosts", PROXY, {"httpsUrl": "https://tls.corp:3128", "httpUrl": URL}),
    Case("address", LOCAL, update("--proxy-https http://10.0.0.9:3128")),
    Case("IPv6 address", PROXY, {"httpsUrl": "http://[fd00::9]:3128"}),
    Case("service name", LOCAL, update("--proxy-https http://squid.egress.svc.cluster.local:80")),
    Case("unknown parts", LOCAL, update("--proxy-https http://$U:$P@$HOST:$PORT")),
    Case("user without a password", LOCAL, update("--proxy-https http://agent@proxy.corp:3128")),
    Case("percent-encoded", PROXY, {"httpsUrl": secret("http://dom%5Cagent:p%40ss%2F@proxy.corp:3128")}),
    Case("secret command", LOCAL, {"create": secret(f"az connectedk8s update --proxy-https {WITH_PASSWORD}")}),
    Case(
        "secret environment",
        LOCAL,
        {"create": "az connectedk8s update --proxy-https $P", "environment": {"P": secret(WITH_PASSWORD)}},
    ),
    Case("secret component", PROXY, {"httpsUrl": secret(WITH_PASSWORD), "httpUrl": secret(WITH_PASSWORD)}),
    Case("component, nobody says", PROXY, {"httpsUrl": WITH_PASSWORD, "username": None}),
    Case("secret chart", RELEASE, chart(httpsProxy=secret(WITH_PASSWORD))),
    Case("component, unknown", PROXY, {"httpsUrl": UNKNOWN, "http_url": UNKNOWN}),
    Case("component, HTTP alone", PROXY, {"httpUrl": URL}),
    Case("driver, unknown", LOCAL, {"create": "connect", "environment": {"ARC_PROXY_HTTPS": UNKNOWN}}),
    Case("none", LOCAL, update("--proxy-https ''")),
    Case("client without a scheme", LOCAL, {"create": "HTTPS_PROXY=proxy:3128 az connectedk8s list"}),
    Case("client of others", LOCAL, {"create": "curl x", "environment": {"HTTPS_PROXY": "socks5://p"}}),
    Case("other command", LOCAL, {"create": "az vm create --proxy-https p; git config http.proxy p"}),
    Case("talking about it", LOCAL, {"create": "echo az connectedk8s update --proxy-https p"}),
    Case("other chart", RELEASE, {"chart": "squid", "values": {"global": {"httpsProxy": "p"}}}),
    Case("other feature", NATIVE, {"arcAgentryConfigurations": [{"feature": "x", "settings": {"https_proxy": "p"}}]}),
    Case(
        "address of something else", PROXY, {"httpsUrl": URL, "region": "eastus", "documentation": plain(WITH_PASSWORD)}
    ),
]
