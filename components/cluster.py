"""Kubernetes clusters behind a gateway: onboarded by the stack, or existing connected clusters."""

from typing import Any, NotRequired, Optional, TypedDict, cast

import pulumi

from arcgateway import ids

from .component import Component
from .driver import Verbs, drive, result
from .egress import egress_policy
from .proxy import joined


class _ClusterArgs(TypedDict):
    cluster_name: pulumi.Input[str]
    """Name of the connected cluster in Azure."""
    resource_group_name: pulumi.Input[str]
    """Name of the resource group that holds it."""
    subscription_id: NotRequired[pulumi.Input[str]]
    """Subscription that holds it; the gateway's when not given."""
    gateway_id: NotRequired[pulumi.Input[str]]
    """ARM id of the gateway to use; without it the cluster uses none."""
    gateway_endpoint: NotRequired[pulumi.Input[str]]
    """Host name of that gateway, so that the preflight proves the way to it."""
    kube_context: NotRequired[pulumi.Input[str]]
    """Context of the kubeconfig that reaches the cluster; the current one when not given."""
    proxy_https: NotRequired[pulumi.Input[str]]
    """URL of the proxy for the agents' HTTPS traffic."""
    proxy_http: NotRequired[pulumi.Input[str]]
    """URL of the proxy for the agents' HTTP traffic."""
    proxy_skip_range: NotRequired[pulumi.Input[list[str]]]
    """What the agents reach without the proxy."""
    proxy_certificate: NotRequired[pulumi.Input[str]]
    """PEM text of the root that signed the proxy's own certificate."""
    preflight: NotRequired[str]
    """`require` (the default), `warn` or `off`: what an endpoint that is closed or intercepted does to a change."""
    genuine_roots: NotRequired[pulumi.Input[str]]
    """PEM text of private roots that count as the endpoints' own; for sandboxes and private tests."""
    scenarios: NotRequired[pulumi.Input[list[str]]]
    """Arc features that the cluster will use, whose endpoints the preflight proves too."""
    on_unreachable: NotRequired[str]
    """What a delete does when the cluster cannot be reached: `fail` (the default) leaves all as it is, `azure-only`
    clears what Azure holds, `forget` clears nothing."""
    egress_policy: NotRequired[bool]
    """Whether the namespace `azure-arc` gets a network policy that lets the agents out to the proxy, the API server
    and name resolution alone; false by default."""


class ConnectedClusterArgs(_ClusterArgs):
    location: pulumi.Input[str]
    """Azure region of the connected cluster, for example `eastus`."""
    distribution: NotRequired[pulumi.Input[str]]
    """Kubernetes distribution, for example `k3s`; found out by the client when not given."""
    infrastructure: NotRequired[pulumi.Input[str]]
    """What the cluster runs on, for example `vsphere`; found out by the client when not given."""
    tags: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """Azure tags."""
    enable_private_link: NotRequired[pulumi.Input[bool]]
    """Whether the agents use Azure Private Link. It excludes a gateway, which is why the policy pack refuses it."""


class GatewayAssociationArgs(_ClusterArgs):
    location: NotRequired[pulumi.Input[str]]
    """Azure region of the connected cluster, whose endpoints the preflight proves; `eastus` when not given."""


class _Cluster(Component):
    """What the two kinds have in common: one operation of the driver, its report, and the egress policy."""

    id: pulumi.Output[str]
    """ARM id of the connected cluster."""
    agent_version: pulumi.Output[str]
    """Version of the agents that report to Azure."""
    connectivity_status: pulumi.Output[str]
    """`Connected` when Azure hears from the agents."""
    gateway_enabled: pulumi.Output[bool]
    """Whether the agents use a gateway."""
    associated_at: pulumi.Output[Optional[str]]
    """When the association was made (RFC 3339), or nothing without a gateway."""
    endpoints_removable_at: pulumi.Output[Optional[str]]
    """From when the endpoints that the gateway replaces may be closed: an hour later (RFC 3339)."""

    def _declare(self, name: str, verbs: Verbs, args: Any) -> None:
        subscription_id = _subscription(args)
        tags = args.get("tags")
        command = drive(
            name,
            verbs,
            {
                "ARC_SUBSCRIPTION_ID": subscription_id,
                "ARC_RESOURCE_GROUP": args["resource_group_name"],
                "ARC_CLUSTER_NAME": args["cluster_name"],
                "ARC_LOCATION": args.get("location"),
                "ARC_KUBE_CONTEXT": args.get("kube_context"),
                "ARC_GATEWAY_ID": args.get("gateway_id"),
                "ARC_GATEWAY_ENDPOINT": args.get("gateway_endpoint"),
                "ARC_PROXY_HTTPS": args.get("proxy_https"),
                "ARC_PROXY_HTTP": args.get("proxy_http"),
                "ARC_PROXY_SKIP_RANGE": joined(args.get("proxy_skip_range")),
                "ARC_PROXY_CERTIFICATE": args.get("proxy_certificate"),
                "ARC_DISTRIBUTION": args.get("distribution"),
                "ARC_INFRASTRUCTURE": args.get("infrastructure"),
                "ARC_TAGS": None if tags is None else pulumi.Output.json_dumps(tags, sort_keys=True),
                "ARC_PREFLIGHT": args.get("preflight", "require"),
                "ARC_GENUINE_ROOTS": args.get("genuine_roots"),
                "ARC_SCENARIOS": joined(args.get("scenarios")),
                "ARC_ON_UNREACHABLE": args.get("on_unreachable"),
            },
            identity=[subscription_id, args["resource_group_name"], args["cluster_name"], args.get("location", "")],
            opts=self.child(),
        )
        if args.get("egress_policy"):
            egress_policy(name, args.get("kube_context"), args.get("proxy_https"), self.child(depends_on=[command]))
        self.register(
            id=result(command, "id"),
            agent_version=result(command, "agentVersion"),
            connectivity_status=result(command, "connectivityStatus"),
            gateway_enabled=result(command, "gatewayEnabled"),
            associated_at=result(command, "associatedAt"),
            endpoints_removable_at=result(command, "endpointsRemovableAt"),
        )


class ConnectedCluster(_Cluster):
    """A cluster that the stack onboards with `az connectedk8s connect`, and disconnects when it is removed."""

    def __init__(self, name: str, args: ConnectedClusterArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        super().__init__(name, args, opts)
        self._declare(name, Verbs("connect", "disconnect"), args)


class GatewayAssociation(_Cluster):
    """An existing connected cluster that is to use a gateway. Removing it disables the gateway; the cluster stays."""

    def __init__(self, name: str, args: GatewayAssociationArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        super().__init__(name, args, opts)
        self._declare(name, Verbs("associate", "disassociate"), args)


def subscription_of(gateway_id: str) -> str:
    """The subscription in a gateway's ARM id."""
    return ids.GatewayId.parse(gateway_id).subscription


def _subscription(args: Any) -> pulumi.Input[str]:
    if "subscription_id" in args:
        return cast(pulumi.Input[str], args["subscription_id"])
    if "gateway_id" in args:
        return pulumi.Output.from_input(args["gateway_id"]).apply(subscription_of)
    raise ValueError("a cluster that uses no gateway needs its subscription_id")
