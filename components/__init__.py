"""Component resources that put Kubernetes clusters behind an Azure Arc gateway."""

from .allowlist import EndpointAllowlist, EndpointAllowlistArgs
from .cluster import ConnectedCluster, ConnectedClusterArgs, GatewayAssociation, GatewayAssociationArgs
from .gateway import ArcGateway, ArcGatewayArgs, GatewayOperatorRole, GatewayOperatorRoleArgs
from .proxy import ProxySettings, ProxySettingsArgs

__all__ = [
    "ArcGateway",
    "ArcGatewayArgs",
    "ConnectedCluster",
    "ConnectedClusterArgs",
    "EndpointAllowlist",
    "EndpointAllowlistArgs",
    "GatewayAssociation",
    "GatewayAssociationArgs",
    "GatewayOperatorRole",
    "GatewayOperatorRoleArgs",
    "ProxySettings",
    "ProxySettingsArgs",
]
