"""One gateway and ten clusters: a loop over the contexts of a kubeconfig."""

import pulumi
from arcgateway_components import ArcGateway, ConnectedCluster, EndpointAllowlist, ProxySettings

config = pulumi.Config()
location, group = config.require("location"), config.require("resourceGroup")
roots = {"genuine_roots": text} if (text := config.get("genuineRoots")) else {}  # for sandboxes alone

gateway = ArcGateway("gateway", {"resource_group_name": group, "create_resource_group": True, "location": location})
proxy = ProxySettings(
    "corporate",
    {
        "https_url": config.require("proxyUrl"),
        "skip_range": config.require_object("serviceRanges"),
        "region": location,
        **roots,
    },
)
clusters = {
    context: ConnectedCluster(
        context,
        {
            "cluster_name": context,
            "resource_group_name": group,
            "location": location,
            "kube_context": context,
            "gateway_id": gateway.id,
            "gateway_endpoint": gateway.endpoint,
            "proxy_https": proxy.https_url,
            "proxy_http": proxy.http_url,
            "proxy_skip_range": proxy.skip_range,
            **roots,
        },
    )
    for context in config.require_object("kubeContexts")
}
allowlist = EndpointAllowlist("allowlist", {"gateway_endpoint": gateway.endpoint, "regions": [location]})

pulumi.export("clusters", {name: cluster.gateway_enabled for name, cluster in clusters.items()})
pulumi.export("required", allowlist.required)
