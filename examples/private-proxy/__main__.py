"""A proxy that speaks TLS with a certificate of a private CA, and asks for a password."""

import pulumi
from arcgateway_components import ArcGateway, ConnectedCluster, ProxySettings

config = pulumi.Config()
location, group, context = (config.require(key) for key in ("location", "resourceGroup", "kubeContext"))
roots = {"genuine_roots": text} if (text := config.get("genuineRoots")) else {}  # for sandboxes alone

gateway = ArcGateway("gateway", {"resource_group_name": group, "create_resource_group": True, "location": location})
proxy = ProxySettings(
    "corporate",
    {
        "https_url": config.require("proxyUrl"),
        "username": config.require("proxyUser"),
        "password": config.require_secret("proxyPassword"),
        "certificate": config.require("proxyCertificate"),
        "region": location,
        **roots,
    },
)
cluster = ConnectedCluster(
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
        "proxy_certificate": proxy.certificate,
        **roots,
    },
)

pulumi.export("gatewayEnabled", cluster.gateway_enabled)
pulumi.export("environment", proxy.environment)  # for the deployment machine; secret, as it holds the password
