"""The Arc gateway itself, and the custom roles of those who work with it."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, NotRequired, Optional, TypedDict

import pulumi

from arcgateway import rights
from arcgateway.ids import GatewayId

from .component import ArgumentError, Component, without_none

# The SDK is imported where it is used, as stacks of clusters need it not, and it takes as long as all of this package.
if TYPE_CHECKING:
    from pulumi_azure_native import hybridcompute

#: Azure needs ten to thirty minutes to create a gateway (learn.microsoft.com/azure/azure-arc/kubernetes/
#: arc-gateway-simplify-networking).
TIMEOUTS = pulumi.CustomTimeouts(create="60m", update="60m", delete="60m")


class ArcGatewayArgs(TypedDict):
    resource_group_name: NotRequired[pulumi.Input[str]]
    """Name of the resource group that holds the gateway; needed unless `existing_id` is given."""
    create_resource_group: NotRequired[bool]
    """Whether the resource group is the gateway's own, made and deleted with it; false by default."""
    existing_id: NotRequired[pulumi.Input[str]]
    """ARM id of a gateway that exists and belongs to somebody else. It is read, and neither changed nor deleted; no
    other argument goes with it."""
    gateway_name: NotRequired[pulumi.Input[str]]
    """Name of the gateway in Azure; made up from the component's name when not given."""
    location: NotRequired[pulumi.Input[str]]
    """Azure region of the gateway's metadata, for example `eastus`; the provider's default when not given."""
    gateway_type: NotRequired[pulumi.Input[str]]
    """`Public`, the one type there is."""
    allowed_features: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Arc features that may use the gateway; `["*"]`, all of them, by default."""
    tags: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """Azure tags, of its own resource group too."""
    protect: NotRequired[bool]
    """Whether Pulumi refuses to delete the gateway, and its own resource group; as the component's option
    `protect` says when not given."""


class ArcGateway(Component):
    """An Azure Arc gateway (`Microsoft.HybridCompute/gateways`): one that the stack owns, or an existing one.

    Any connected cluster of the tenant may use it, whatever its subscription.
    """

    id: pulumi.Output[str]
    """ARM id of the gateway."""
    resource_id: pulumi.Output[str]
    """The same id, for YAML programs: there `.id` of a component is Pulumi's own and empty."""
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
        args = without_none(args)
        super().__init__(name, args, opts)
        gateway = self._existing(name, args) if "existing_id" in args else self._own(name, args)
        endpoint = gateway.gateway_endpoint
        self.register(
            id=gateway.id,
            resource_id=gateway.id,
            name=gateway.name,
            endpoint=endpoint,
            endpoint_url=pulumi.Output.concat("https://", endpoint),
            url_prefix=endpoint.apply(lambda host: host.split(".", 1)[0]),
            gateway_id=gateway.gateway_id,
            provisioning_state=gateway.provisioning_state,
        )

    @classmethod
    def get(cls, name: str, id: pulumi.Input[str], opts: Optional[pulumi.ResourceOptions] = None) -> "ArcGateway":
        """An existing gateway, which the stack uses and does not own; `destroy` leaves it alone.

        Args:
            name: the component's name.
            id: the gateway's ARM id, in plain text or as another stack's output.
            opts: options of the component.
        """
        return cls(name, {"existing_id": id}, opts)

    def _existing(self, name: str, args: ArcGatewayArgs) -> "hybridcompute.Gateway":
        if idle := sorted(set(args) - {"existing_id"}):
            raise ArgumentError(
                self,
                ", ".join(idle),
                "an existing gateway is used as it is: remove this, or remove existing_id to have the stack make one",
            )
        from pulumi_azure_native import hybridcompute

        gateway_id = self.checked("existing_id", args["existing_id"], lambda text: str(GatewayId.parse(text)))
        return hybridcompute.Gateway.get(name, gateway_id, opts=self.child())

    def _own(self, name: str, args: ArcGatewayArgs) -> "hybridcompute.Gateway":
        from pulumi_azure_native import hybridcompute, resources

        if "resource_group_name" not in args:
            raise ArgumentError(
                self, "resource_group_name", "is missing: name the gateway's resource group, or give existing_id"
            )
        group_name, location, tags = args["resource_group_name"], args.get("location"), args.get("tags")
        protect = args.get("protect")  # without it the component's own option counts, as for any child
        if args.get("create_resource_group"):
            group = resources.ResourceGroup(
                name,
                resource_group_name=group_name,
                location=location,
                tags=tags,
                opts=self.child(protect=protect),
            )
            group_name = group.name
        return hybridcompute.Gateway(
            name,
            resource_group_name=group_name,
            gateway_name=args.get("gateway_name"),
            location=location,
            gateway_type=args.get("gateway_type", "Public"),
            allowed_features=args.get("allowed_features", ["*"]),
            tags=tags,
            opts=self.child(custom_timeouts=TIMEOUTS, protect=protect),
        )


class _Duty(NamedTuple):
    """What a role is for, the argument that asks for it (None: always), and the actions that it takes."""

    description: str
    argument: Optional[str]
    actions: tuple[str, ...]


_DUTIES = (
    _Duty("Associates connected clusters with an Arc gateway", None, rights.ASSOCIATE_ACTIONS),
    _Duty("connects and disconnects clusters", "onboard_clusters", rights.ONBOARD_ACTIONS + rights.DISCONNECT_ACTIONS),
    _Duty("owns gateways", "manage_gateways", rights.GATEWAY_ACTIONS),
)


def _actions(duties: Iterable[_Duty]) -> list[str]:
    """Each action once, in the duties' order."""
    return list(dict.fromkeys(action for duty in duties for action in duty.actions))


class GatewayOperatorRoleArgs(TypedDict):
    scope: pulumi.Input[str]
    """ARM id of the subscription or resource group in which the role may be assigned."""
    role_name: NotRequired[pulumi.Input[str]]
    """Name of the role, which is unique in the tenant; the component's name when not given."""
    onboard_clusters: NotRequired[bool]
    """Whether the role may also connect and disconnect clusters; false by default, as associating existing ones needs
    it not."""
    manage_gateways: NotRequired[bool]
    """Whether the role may also create, change and delete gateways; false by default, as cluster teams need it not."""
    principal_ids: NotRequired[list[str]]
    """Object ids of the principals that the role is assigned to at `scope`."""
    principal_type: NotRequired[pulumi.Input[str]]
    """What these principals are: `ServicePrincipal` (the default), `User` or `Group`."""


class GatewayOperatorRole(Component):
    """A custom role with exactly what the work on gateways and associations needs."""

    role_definition_id: pulumi.Output[str]
    """ARM id of the role definition."""

    def __init__(self, name: str, args: GatewayOperatorRoleArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        from pulumi_azure_native import authorization

        args = without_none(args)
        super().__init__(name, args, opts)
        duties = [duty for duty in _DUTIES if duty.argument is None or args.get(duty.argument)]
        role = authorization.RoleDefinition(
            name,
            scope=args["scope"],
            role_name=args.get("role_name", name),
            description=", ".join(duty.description for duty in duties),
            permissions=[authorization.PermissionArgs(actions=_actions(duties))],
            assignable_scopes=[args["scope"]],
            opts=self.child(),
        )
        for principal_id in args.get("principal_ids", []):
            authorization.RoleAssignment(
                f"{name}-{principal_id}",
                scope=args["scope"],
                principal_id=principal_id,
                principal_type=args.get("principal_type", "ServicePrincipal"),
                role_definition_id=role.id,
                opts=self.child(),
            )
        self.register(role_definition_id=role.id)
