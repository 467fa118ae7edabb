"""The stack's program: settings -> components -> outputs."""

import pulumi

from components import (
    ArcGateway,
    ConnectedCluster,
    EndpointAllowlist,
    GatewayAssociation,
    ProxySettings,
    arguments,
    outputs,
    settings,
)

stack = settings.load(pulumi.Config("arc-gateway"))

gateway = ArcGateway(arguments.gateway_name(stack), arguments.gateway_args(stack))

proxies = {name: ProxySettings(name, arguments.proxy_args(stack, name)) for name in stack.proxies}

clusters = {
    name: (GatewayAssociation if cluster.existing else ConnectedCluster)(
        name, arguments.cluster_args(stack, name, gateway, proxies)
    )
    for name, cluster in stack.clusters.items()
}

allowlist = EndpointAllowlist("allowlist", arguments.allowlist_args(stack, gateway, clusters))

pulumi.export("gateway", outputs.gateway(gateway))
pulumi.export("clusters", {name: outputs.cluster(cluster) for name, cluster in clusters.items()})
pulumi.export("allowlist", outputs.allowlist(allowlist))
