"""The stack's outputs, as other stacks and people read them."""

from typing import Any, Union

import pulumi

from .allowlist import EndpointAllowlist
from .cluster import ConnectedCluster, GatewayAssociation
from .gateway import ArcGateway


def gateway(component: ArcGateway) -> dict[str, pulumi.Output[Any]]:
    """`{id, endpoint}`."""
    return {"id": component.id, "endpoint": component.endpoint}


def cluster(component: Union[ConnectedCluster, GatewayAssociation]) -> dict[str, pulumi.Output[Any]]:
    """What is known of a cluster behind the gateway."""
    return {
        "id": component.id,
        "gatewayEnabled": component.gateway_enabled,
        "agentVersion": component.agent_version,
        "connectivityStatus": component.connectivity_status,
        "associatedAt": component.associated_at,
        "endpointsRemovableAt": component.endpoints_removable_at,
    }


def allowlist(component: EndpointAllowlist) -> dict[str, pulumi.Output[Any]]:
    """`{required, removable, removableAt, kept, files}`."""
    return {
        "required": component.required,
        "removable": component.removable,
        "removableAt": component.removable_at,
        "kept": component.kept,
        "files": component.files,
    }
