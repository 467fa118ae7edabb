"""The network team's stack: the one gateway, and its endpoint for the proxy's allowlist."""

import pulumi
from arcgateway_components import ArcGateway

config = pulumi.Config()

gateway = ArcGateway(
    "gateway",
    {
        "resource_group_name": config.require("resourceGroup"),
        "create_resource_group": True,
        "location": config.require("location"),
        "gateway_name": "shared",
    },
)

pulumi.export("gateway", {"id": gateway.id, "endpoint": gateway.endpoint})
