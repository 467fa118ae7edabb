"""Component resources that put Kubernetes clusters behind an Azure Arc gateway."""

import gc

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

# What has been imported stays as long as the program, which makes many objects: looking through it again and again, as
# the garbage collector does, is a twentieth of a program's time.
gc.freeze()
