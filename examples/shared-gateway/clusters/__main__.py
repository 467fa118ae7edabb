"""A cluster team's stack: its clusters use the network team's gateway, which this stack reads and does not own."""

import pulumi
from arcgateway_components import ArcGateway, ConnectedCluster, ProxySettings

config = pulumi.Config()
roots = {"genuine_roots": text} if (text := config.get("genuineRoots")) else {}  # for sandboxes alone

network = pulumi.StackReference(config.require("gatewayStack"))
gateway = ArcGateway.get("gateway", network.require_output("gateway")["id"])
proxy = ProxySettings(
    "corporate", {"https_url": config.require("proxyUrl"), "region": config.require("location"), **roots}
)

for context in config.require_object("kubeContexts"):
    cluster = ConnectedCluster(
        context,
        {
            "cluster_name": context,
            "resource_group_name": config.require("resourceGroup"),
            "location": config.require("location"),
            "kube_context": context,
            "gateway_id": gateway.id,
            "gateway_endpoint": gateway.endpoint,
            "proxy_https": proxy.https_url,
            "proxy_skip_range": proxy.skip_range,
            **roots,
        },
    )
    pulumi.export(context, {"id": cluster.id, "gatewayEnabled": cluster.gateway_enabled})
