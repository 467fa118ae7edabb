"""The components as a package for programs in other languages."""

import arcgateway_components as components
from arcgateway_components.component import PACKAGE
from pulumi.provider.experimental import component_provider_host

if __name__ == "__main__":
    component_provider_host(
        name=PACKAGE,
        components=[
            components.ArcGateway,
            components.ConnectedCluster,
            components.EndpointAllowlist,
            components.GatewayAssociation,
            components.GatewayOperatorRole,
            components.ProxySettings,
        ],
    )
