"""Existing clusters only: nothing is onboarded, and `pulumi destroy` leaves the clusters and the gateway in place."""

import pulumi
from arcgateway_components import ArcGateway, GatewayAssociation

config = pulumi.Config()
roots = {"genuine_roots": text} if (text := config.get("genuineRoots")) else {}  # for sandboxes alone

gateway = ArcGateway.get("gateway", config.require("gatewayId"))

for cluster_id in config.require_object("clusterIds"):
    name = cluster_id.rpartition("/")[2]
    association = GatewayAssociation(
        name,
        {
            "cluster_id": cluster_id,
            "kube_context": name,
            "gateway_id": gateway.id,
            "gateway_endpoint": gateway.endpoint,
            **roots,
        },
    )
    pulumi.export(name, {"removableAt": association.endpoints_removable_at})
