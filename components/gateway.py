"""The Arc gateway itself, and the custom role of those who work on it."""

from typing import NotRequired, Optional, TypedDict

import pulumi
from pulumi_azure_native import authorization, hybridcompute

from .component import Component

#: Azure needs ten to thirty minutes to create a gateway (learn.microsoft.com/azure/azure-arc/kubernetes/
#: arc-gateway-simplify-networking).
TIMEOUTS = pulumi.CustomTimeouts(create="60m", update="60m", delete="60m")


class ArcGatewayArgs(TypedDict):
    resource_group_name: pulumi.Input[str]
    """Name of the resource group that holds the gateway."""
    gateway_name: NotRequired[pulumi.Input[str]]
    """Name of the gateway in Azure; made up from the component's name when not given."""
    location: NotRequired[pulumi.Input[str]]
    """Azure region of the gateway's metadata, for example `eastus`; the provider's default when not given."""
    gateway_type: NotRequired[pulumi.Input[str]]
    """`Public`, the one type there is."""
    allowed_features: NotRequired[pulumi.Input[list[str]]]
    """Arc features that may use the gateway; `["*"]`, all of them, by default."""
    tags: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """Azure tags."""
    protect: NotRequired[bool]
    """Whether Pulumi refuses to delete the gateway; false by default."""


class ArcGateway(Component):
    """An Azure Arc gateway (`Microsoft.HybridCompute/gateways`).

    Any connected cluster of the tenant may use it, whatever its subscription.
    """

    id: pulumi.Output[str]
    """ARM id of the gateway."""
    name: pulumi.Output[str]
    """Name of the gateway in Azure."""
    endpoint: pulumi.Output[str]
    """Host name that the enterprise proxy must let through, as Azure returns it, without a scheme."""
    endpoint_url: pulumi.Output[str]
    """The endpoint as an address: `https://` and the host name."""
    url_prefix: pulumi.Output[str]
    """First label of the endpoint."""
    gateway_id: pulumi.Output[str]
    """Azure's own id of the gateway, a GUID in other texts than ARM's."""
    provisioning_state: pulumi.Output[str]
    """`Succeeded` once Azure serves the endpoint."""

    def __init__(self, name: str, args: ArcGatewayArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        super().__init__(name, args, opts)
        gateway = hybridcompute.Gateway(
            name,
            resource_group_name=args["resource_group_name"],
            gateway_name=args.get("gateway_name"),
            location=args.get("location"),
            gateway_type=args.get("gateway_type", "Public"),
            allowed_features=args.get("allowed_features", ["*"]),
            tags=args.get("tags"),
            opts=self.child(custom_timeouts=TIMEOUTS, protect=args.get("protect", False)),
        )
        endpoint = gateway.gateway_endpoint
        self.register(
            id=gateway.id,
            name=gateway.name,
            endpoint=endpoint,
            endpoint_url=pulumi.Output.concat("https://", endpoint),
            url_prefix=endpoint.apply(lambda host: host.split(".", 1)[0]),
            gateway_id=gateway.gateway_id,
            provisioning_state=gateway.provisioning_state,
        )


#: What associating a cluster needs, and what owning gateways needs besides (learn.microsoft.com/azure/azure-arc/
#: kubernetes/arc-gateway-simplify-networking; reading settings and deleting gateways are not on that page's list).
ASSOCIATE_ACTIONS = (
    "Microsoft.HybridCompute/gateways/read",
    "Microsoft.Kubernetes/connectedClusters/read",
    "Microsoft.Kubernetes/connectedClusters/write",
    "Microsoft.HybridCompute/settings/read",
    "Microsoft.HybridCompute/settings/write",
    "Microsoft.Kubernetes/connectedClusters/settings/default/write",
)
OWN_ACTIONS = ("Microsoft.HybridCompute/gateways/write", "Microsoft.HybridCompute/gateways/delete")


class GatewayOperatorRoleArgs(TypedDict):
    scope: pulumi.Input[str]
    """ARM id of the subscription or resource group in which the role may be assigned."""
    manage_gateways: NotRequired[bool]
    """Whether the role may also create and delete gateways; false by default, as cluster teams need it not."""
    principal_ids: NotRequired[list[str]]
    """Object ids of service principals to assign the role to at `scope`."""


class GatewayOperatorRole(Component):
    """A custom role with exactly what the work on gateways and associations needs."""

    role_definition_id: pulumi.Output[str]
    """ARM id of the role definition."""

    def __init__(self, name: str, args: GatewayOperatorRoleArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        super().__init__(name, args, opts)
        own = OWN_ACTIONS if args.get("manage_gateways") else ()
        role = authorization.RoleDefinition(
            name,
            scope=args["scope"],
            role_name=name,
            description="Associates connected clusters with an Arc gateway" + (", and owns gateways" if own else ""),
            permissions=[authorization.PermissionArgs(actions=[*ASSOCIATE_ACTIONS, *own])],
            assignable_scopes=[args["scope"]],
            opts=self.child(),
        )
        for principal_id in args.get("principal_ids", []):
            authorization.RoleAssignment(
                f"{name}-{principal_id}",
                scope=args["scope"],
                principal_id=principal_id,
                principal_type="ServicePrincipal",
                role_definition_id=role.id,
                opts=self.child(),
            )
        self.register(role_definition_id=role.id)
