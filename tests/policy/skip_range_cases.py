"""Skip ranges that skip-range must refuse, must only advise against, and must let pass."""

from __future__ import annotations

import json
from typing import Any

from policy_cases import UNKNOWN, Case

RULE = "skip-range"
GA = {"profile": "ga"}

LOCAL, REMOTE = "command:local:Command", "command:remote:Command"
PROXY, CLUSTER = "arc-gateway:index:ProxySettings", "arc-gateway:index:ConnectedCluster"
RELEASE = "kubernetes:helm.sh/v3:Release"
NATIVE = "azure-native:kubernetes:ConnectedCluster"
DEPLOYMENT = "azure-native:resources:Deployment"
URL = "http://proxy.corp:3128"
WHOLE = "10.96.0.0/12,kubernetes.default.svc,.svc.cluster.local,.svc"
RANGES = {"serviceRanges": ["10.96.0.0/12", "fd00:10:96::/108"]}


def connect(skip: str, verb: str = "connect", **rest: Any) -> dict[str, Any]:
    return {"create": f"az connectedk8s {verb} -n c -g g --proxy-https {URL} --proxy-skip-range {skip}", **rest}


def chart(values: object, name: str = "azure-arc-k8sagents") -> dict[str, Any]:
    return {"chart": f"oci://mcr.microsoft.com/azurearck8s/batch2/stable/v2/{name}", "values": values}


def agents(skip: object, settings: str = "protectedSettings") -> list[dict[str, Any]]:
    return [
        {"feature": "monitoring", "settings": {"no_proxy": "*"}},
        {"feature": "proxy", settings: {"no_proxy": skip}},
    ]


def cluster(skip: object) -> dict[str, Any]:
    return {"type": "Microsoft.Kubernetes/connectedClusters", "properties": {"arcAgentryConfigurations": agents(skip)}}


def template(*resources: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"$schema": "https://schema.management.azure.com/x", "resources": list(resources), **rest}


NO_PROXY = "arcAgentryConfigurations[1].protectedSettings.no_proxy"

REFUSED = [
    Case("names missing", LOCAL, connect("10.0.0.0/16"), "create", GA, says=".svc and .svc.cluster.local and kub"),
    Case("one name missing", LOCAL, connect("10.0.0.0/16,.svc"), "create", says="without .svc.cluster.local"),
    Case("the other missing", LOCAL, connect("'10.0.0.0/16,.cluster.local'"), "create"),
    Case(
        "none at all", LOCAL, {"create": f"az connectedk8s connect -n c --proxy-https {URL}"}, "create", says="without"
    ),
    Case("everything", LOCAL, connect("'*'"), "create", says="every host"),
    Case("everything besides", LOCAL, connect(f"'{WHOLE},*'"), "create", says="every host"),
    Case("every address", LOCAL, connect(f"{WHOLE},0.0.0.0/0"), "create", says="every public address"),
    Case("every address, halves", LOCAL, connect(f"{WHOLE},0.0.0.0/1,128.0.0.0/1"), "create"),
    Case("every address but private ones", LOCAL, connect(f"{WHOLE},0.0.0.0/1,128.0.0.0/2,192.0.0.0/3"), "create"),
    Case("every address, IPv6", LOCAL, connect(f"{WHOLE},2000::/4,3000::/4"), "create"),
    Case("every address, mapped", LOCAL, connect(f"{WHOLE},::ffff:0:0/96"), "create"),
    Case("the gateway", LOCAL, connect(f"{WHOLE},.gw.arc.azure.com"), "create", says="*.gw.arc.azure.com"),
    Case("one gateway", LOCAL, connect(f"{WHOLE},0123abcd.gw.arc.azure.com"), "create"),
    Case("a part of Azure", LOCAL, connect(f"{WHOLE},*.Azure.com"), "create", says="management.azure.com"),
    Case("a required name with its port", LOCAL, connect(f"{WHOLE},login.microsoftonline.com:443"), "create"),
    Case("a required name as a URL", LOCAL, connect(f"{WHOLE},https://mcr.microsoft.com/v2"), "create", says="mcr."),
    Case("a top level domain", LOCAL, connect(f"{WHOLE},.com"), "create"),
    Case("what the gateway carries, all of it", LOCAL, connect(f"{WHOLE},.servicebus.windows.net"), "create"),
    Case(
        "deployment script",
        "azure-native:resources:AzureCliScript",
        {
            "scriptContent": 'az connectedk8s update --proxy-skip-range "$SKIP"',
            "environmentVariables": [{"name": "SKIP", "value": "*"}, {"name": "X", "secureValue": UNKNOWN}],
        },
        "scriptContent",
    ),
    Case("what the gateway carries", LOCAL, connect(f"{WHOLE},.dp.kubernetesconfiguration.azure.com"), "create"),
    Case("keyword", LOCAL, connect(f"{WHOLE},Arc"), "create", says="keyword Arc"),
    Case("keyword, other case, escaped", LOCAL, connect(f"'{WHOLE},ARC'".replace(",", "\\,")), "create"),
    Case("blanks alone", LOCAL, connect("'10.0.0.0/16 .svc .svc.cluster.local'"), "create", says="commas"),
    Case("scheme", LOCAL, connect(f"{WHOLE},http://registry.corp"), "create", says="URL"),
    Case("shell pattern", LOCAL, connect(f"'{WHOLE},10.5.*'"), "create", says="no effect"),
    Case("part of an address", LOCAL, connect(f"{WHOLE},10.5"), "create", says="no effect"),
    Case("from to", LOCAL, connect(f"{WHOLE},10.5.0.1-10.5.0.9"), "create"),
    Case("netmask", LOCAL, connect(f"{WHOLE},10.5.0.0/255.255.0.0"), "create"),
    Case("impossible range", LOCAL, connect(f"{WHOLE},10.5.0.0/33"), "create"),
    Case("word of Windows", LOCAL, connect(f"'{WHOLE},<local>'"), "create"),
    Case("abbreviated flag", LOCAL, {"create": "az connectedk8s update --proxy-s=.svc"}, "create"),
    Case(
        "quoted piecewise",
        LOCAL,
        {"create": '"az" \'connected\'k8s  update \\\n --proxy-skip"-range" "${R}"', "environment": {"R": ".svc"}},
        "create",
    ),
    Case(
        "in a shell, remote", REMOTE, {"update": "bash -c \"az connectedk8s update --proxy-skip-range '*'\""}, "update"
    ),
    Case(
        "configuration settings",
        LOCAL,
        {"create": f"az connectedk8s connect --config proxy.https_proxy={URL} x.y=z proxy.no_proxy=.svc -n c"},
        "create",
    ),
    Case(
        "protected settings",
        LOCAL,
        {"create": "az connectedk8s update --config-protected-settings='proxy.no_proxy=10.0.0.0/16,.svc'"},
        "create",
    ),
    Case(
        "PowerShell",
        LOCAL,
        {"create": f"New-AzConnectedKubernetes -HttpsProxy {URL} -NoProxy '*'", "interpreter": ["pwsh", "-Command"]},
        "create",
    ),
    Case(
        "PowerShell, variable",
        LOCAL,
        {"create": "pwsh -c 'Set-AzConnectedKubernetes -NoProxy $env:SKIP'", "environment": {"SKIP": ".svc"}},
        "create",
    ),
    Case("PowerShell, change", LOCAL, {"create": "pwsh -c 'Set-AzConnectedKubernetes -NoProxy:.svc'"}, "create"),
    Case(
        "helm",
        LOCAL,
        {
            "create": "helm upgrade --install azure-arc oci://x/azure-arc-k8sagents "
            f"--set global.httpsProxy={URL},global.noProxy='10.0.0.0/16\\,.svc'"
        },
        "create",
        says="without .svc.cluster.local",
    ),
    Case("chart", RELEASE, chart({"global": {"httpsProxy": URL, "noProxy": ".svc"}}), "values.global.noProxy"),
    Case("chart, none", RELEASE, chart({"global": {"httpProxy": URL}}), "values.global.httpProxy"),
    Case(
        "chart, escaped",
        "kubernetes:helm.sh/v4:Chart",
        chart({"global": {"httpsProxy": UNKNOWN, "noProxy": f"{WHOLE},*".replace(",", "\\,")}}),
        "values.global.noProxy",
    ),
    Case("component, everything", PROXY, {"httpsUrl": URL, "skipRange": ["*"]}, "skipRange[0]"),
    Case("component, snake", PROXY, {"https_url": URL, "skip_range": [UNKNOWN, ".azure.com"]}, "skip_range[1]", GA),
    Case("component, text", PROXY, {"httpsUrl": URL, "skipRange": ".svc, Arc"}, "skipRange"),
    Case("component, halves", PROXY, {"skipRange": ["128.0.0.0/1", "0.0.0.0/1"]}, "skipRange"),
    Case("component, dead", PROXY, {"httpsUrl": URL, "skipRange": ["10.5.*"]}, "skipRange[0]"),
    Case("cluster", CLUSTER, {"proxySkipRange": ["x.gw.arc.azure.com"], "proxyHttps": UNKNOWN}, "proxySkipRange[0]"),
    Case("cluster, snake", CLUSTER, {"proxy_skip_range": ["arc"]}, "proxy_skip_range[0]"),
    Case("cluster, nested", CLUSTER, {"proxy": {"httpsUrl": URL, "skipRange": ["::/0"]}}, "proxy.skipRange"),
    Case(
        "driver",
        LOCAL,
        {"create": "connect", "environment": {"ARC_PROXY_HTTPS": UNKNOWN, "ARC_PROXY_SKIP_RANGE": ".svc,arc"}},
        "environment.ARC_PROXY_SKIP_RANGE",
    ),
    Case("agents' configuration", NATIVE, {"arcAgentryConfigurations": agents(".svc")}, NO_PROXY),
    Case(
        "agents' configuration, version",
        "azure-native:kubernetes/v20240715preview:ConnectedCluster",
        {"arcAgentryConfigurations": agents("*", "settings")},
        "arcAgentryConfigurations[1].settings.no_proxy",
    ),
    Case(
        "agents' configuration, local package",
        "azure-native_kubernetes_v20251201preview:kubernetes:ConnectedCluster",
        {"arcAgentryConfigurations": agents(f"{WHOLE},Arc")},
        NO_PROXY,
    ),
    Case(
        "generic",
        "azure-native:resources:Resource",
        {
            "resourceProviderNamespace": "Microsoft.Kubernetes",
            "resourceType": "connectedClusters",
            "resourceName": "c",
            "properties": {"arcAgentryConfigurations": agents(".svc")},
        },
        f"properties.{NO_PROXY}",
    ),
    Case(
        "template",
        DEPLOYMENT,
        {"properties": {"template": template(cluster(".svc"))}},
        f"properties.template.resources[0].properties.{NO_PROXY}",
    ),
    Case(
        "template, parameter",
        DEPLOYMENT,
        {
            "properties": {
                "template": template(cluster("[parameters('skip')]"), parameters={"skip": {"type": "string"}}),
                "parameters": {"skip": {"value": "*"}},
            }
        },
        f"properties.template.resources[0].properties.{NO_PROXY}",
    ),
    Case(
        "template, nested, as text",
        "azure:core/resourceGroupTemplateDeployment:ResourceGroupTemplateDeployment",
        {
            "templateContent": json.dumps(
                template(
                    {
                        "type": "Microsoft.Resources/deployments",
                        "properties": {"template": template(cluster(f"{WHOLE},arc"))},
                    }
                )
            )
        },
        "templateContent",
    ),
    Case(
        "azapi",
        "azapi:index/resource:Resource",
        {"type": "Microsoft.Kubernetes/connectedClusters@2024-07-15-preview", "body": cluster(".svc")},
        "type",
    ),
    Case("service range", LOCAL, connect(WHOLE), "create", {"serviceRanges": ["10.95.0.0/16"]}, says="10.95.0.0/16"),
    Case("service range, larger", LOCAL, connect(WHOLE), "create", {"serviceRanges": ["10.96.0.0/11"]}),
    Case("service range, IPv6", LOCAL, connect(WHOLE), "create", RANGES, says="fd00:10:96::/108"),
]

ADVISED = [
    Case("no addresses", LOCAL, connect("kubernetes.default.svc,.svc.cluster.local,.svc"), "create"),
    Case("star and dot", LOCAL, connect(f"'{WHOLE},*.corp.example'"), "create", says="Python"),
    Case("star and dot, minimum", LOCAL, connect("'10.0.0.0/16,*.svc,*.svc.cluster.local,.svc'"), "create"),
    Case("port", LOCAL, connect(f"{WHOLE},10.9.8.7:6443"), "create", says="requests"),
    Case("port of a name", RELEASE, chart({"global": {"noProxy": f"{WHOLE},api.corp:6443"}}), "values.global.noProxy"),
    Case("port, component", PROXY, {"httpsUrl": URL, "skipRange": ["10.9.8.7:6443"]}, "skipRange[0]"),
    Case("last dot", LOCAL, connect(f"{WHOLE},registry.corp."), "create"),
    Case("wide", LOCAL, connect(f"{WHOLE},64.0.0.0/3"), "create", says="wide"),
    Case("the proxy's host", LOCAL, connect(f"{WHOLE},proxy.corp"), "create", says="own host"),
    Case("unknown", RELEASE, chart({"global": {"httpsProxy": URL, "noProxy": UNKNOWN}}), "values.global.noProxy"),
    Case("unknown entry", PROXY, {"httpsUrl": URL, "skipRange": [".svc", UNKNOWN]}, "skipRange[1]"),
    Case("unknown, component", PROXY, {"httpsUrl": URL, "skip_range": UNKNOWN}, "skip_range"),
    Case("unknown variable", LOCAL, connect('"$SERVICES,.svc"'), "create", says="environment"),
    Case("from a file", LOCAL, connect("@skip.txt"), "create"),
    Case("client, by env", LOCAL, {"create": "env -u A NO_PROXY=.azure.com az connectedk8s list"}, "create"),
    Case("unknown variable alone", LOCAL, connect("$RANGE"), "create"),
    Case(
        "client",
        LOCAL,
        {"create": "az connectedk8s list", "environment": {"NO_PROXY": "10.9.8.7:6443"}},
        "environment.NO_PROXY",
    ),
    Case("client, before", LOCAL, {"create": "no_proxy='*' az arcgateway list"}, "create", says="no_proxy"),
    Case(
        "client, PowerShell",
        LOCAL,
        {
            "create": "$Env:NO_PROXY = '10.9.8.7:6443'\n"
            f"New-AzConnectedKubernetes -HttpsProxy {URL} -NoProxy '{WHOLE}'",
            "interpreter": ["pwsh", "-Command"],
        },
        "create",
        says="with NO_PROXY",
    ),
    Case("client, exported", LOCAL, {"create": "export NO_PROXY=.azure.com\naz connectedk8s list"}, "create"),
]

PASSED = [
    Case(
        "a host of that name, for other programs",
        LOCAL,
        {"create": "az connectedk8s list", "environment": {"NO_PROXY": "arc,localhost"}},
    ),
    Case("whole", LOCAL, connect(WHOLE)),
    Case("whole, other order, blanks after commas", LOCAL, connect(f"'{', '.join(reversed(WHOLE.split(',')))},'")),
    Case("whole, escaped", LOCAL, connect(f"'{WHOLE}'".replace(",", "\\,"))),
    Case("covered by shorter suffixes", LOCAL, connect("10.0.0.0/16,svc,local")),
    Case(
        "sloppy range",
        LOCAL,
        connect("10.96.0.1/12,.svc,.svc.cluster.local"),
        config={"serviceRanges": ["10.96.0.0/12"]},
    ),
    Case("wider range", LOCAL, connect("10.0.0.0/8,.svc,.cluster.local"), config={"serviceRanges": ["10.96.0.0/12"]}),
    Case(
        "two halves",
        LOCAL,
        connect("10.96.0.0/13,10.104.0.0/13,fd00::/8,.svc,.svc.cluster.local"),
        config=RANGES,
    ),
    Case("one address of the API", LOCAL, connect("10.96.0.1,.svc,.svc.cluster.local")),
    Case("port beside its host", LOCAL, connect(f"{WHOLE},10.9.8.7:6443,10.9.8.7")),
    Case("near names", LOCAL, connect(f"{WHOLE},.notazure.com,gw.arc.azure.com.corp.example,arc.corp,azure.corp")),
    Case("other port of Azure", LOCAL, connect(f"{WHOLE},mcr.microsoft.com.corp,.blob.core.windows.net")),
    Case("a customer's name", LOCAL, connect(f"{WHOLE},orders.servicebus.windows.net,team.vault.azure.net")),
    Case("keyword of monitoring", LOCAL, connect(f"{WHOLE},Microsoft.AzureMonitor.Containers")),
    Case(
        "private ranges", LOCAL, connect(f"{WHOLE},172.16.0.0/12,192.168.0.0/16,fc00::/7,169.254.169.254,::1,localhost")
    ),
    Case("change of something else", LOCAL, {"create": f"az connectedk8s update --proxy-https {URL} -n c"}),
    Case("no proxy", LOCAL, {"create": "az connectedk8s connect -n c --proxy-skip-range .svc"}),
    Case(
        "driver, the machine's own",
        LOCAL,
        {"create": "connect", "environment": {"ARC_PROXY_HTTPS": URL, "NO_PROXY": "*", "HTTPS_PROXY": "proxy:3128"}},
    ),
    Case("other command", LOCAL, {"create": "az aks create --proxy-skip-range '*'", "environment": {"NO_PROXY": "*"}}),
    Case("talking about it", LOCAL, {"create": "echo az connectedk8s connect --proxy-skip-range '*'"}),
    Case("component completes", PROXY, {"httpsUrl": URL, "skipRange": ["10.96.0.0/12"]}),
    Case("component has none", PROXY, {"httpsUrl": URL}),
    Case("component tidies", PROXY, {"httpsUrl": URL, "skip_range": ["*.corp", "a, b.corp", "10.1.2.3/8", "X.Corp"]}),
    Case("cluster completes", CLUSTER, {"proxyHttps": URL, "proxySkipRange": ["10.96.0.0/12", ".corp"]}),
    Case(
        "driver completes",
        LOCAL,
        {
            "create": "connect",
            "environment": {"ARC_PROXY_HTTPS": URL, "ARC_PROXY_SKIP_RANGE": "10.96.0.0/12,*.corp"},
        },
    ),
    Case("chart, whole", RELEASE, chart({"global": {"httpsProxy": URL, "noProxy": WHOLE.replace(",", "\\,")}})),
    Case("chart without a proxy", RELEASE, chart({"global": {"noProxy": "", "isProxyEnabled": False}})),
    Case("other chart", RELEASE, {"chart": "squid", "values": {"global": {"httpsProxy": "p", "noProxy": "*"}}}),
    Case("agents' configuration, whole", NATIVE, {"arcAgentryConfigurations": agents(f"{WHOLE},.corp")}),
    Case("agents' configuration without", NATIVE, {"arcAgentryConfigurations": [{"feature": "proxy", "settings": {}}]}),
    Case(
        "client, whole",
        LOCAL,
        {"create": "az connectedk8s list", "environment": {"NO_PROXY": "10.9.8.7,10.9.8.7:6443,.corp"}},
    ),
    Case("NO_PROXY of a pod", "kubernetes:core/v1:ConfigMap", {"data": {"NO_PROXY": "*"}}),
]
