"""The clusters with this project's components."""

import pulumi
from arcgateway_components import ConnectedCluster, ProxySettings
from world import GATEWAY_ENDPOINT, GATEWAY_ID, GROUP, LOCATION, NAMES, PROXY, SKIP_RANGE, SUBSCRIPTION

proxy = ProxySettings("corporate", {"https_url": PROXY, "skip_range": SKIP_RANGE, "region": LOCATION})
clusters = {
    name: ConnectedCluster(
        name,
        {
            "cluster_name": name,
            "resource_group_name": GROUP,
            "subscription_id": SUBSCRIPTION,
            "location": LOCATION,
            "kube_context": name,
            "gateway_id": GATEWAY_ID,
            "gateway_endpoint": GATEWAY_ENDPOINT,
            "proxy_https": proxy.https_url,
            "proxy_http": proxy.http_url,
            "proxy_skip_range": proxy.skip_range,
        },
    )
    for name in NAMES
}
pulumi.export("clusters", {name: cluster.connectivity_status for name, cluster in clusters.items()})
