"""Kubernetes clusters behind a gateway: onboarded by the stack, or existing connected clusters."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NotRequired, Optional, TypedDict, cast

import pulumi

from arcgateway import ids
from arcgateway import proxy as rules

from . import drift
from .component import ArgumentError, derived, without_none
from .driver import Driven, Report, Verbs, drive, reported
from .egress import egress_policy
from .proxy import as_json, joined, with_credentials_secret

#: Options of what belongs to a paused cluster: whatever its settings say by now, it stays, even when it is removed.
PAUSED: dict[str, Any] = {"ignore_changes": ["*"], "retain_on_delete": True}


class _ClusterArgs(TypedDict):
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
    proxy_skip_range: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """What the agents reach without the proxy."""
    proxy_certificate: NotRequired[pulumi.Input[str]]
    """PEM text of the root that signed the proxy's own certificate."""
    preflight: NotRequired[str]
    """`require` (the default), `warn` or `off`: what an endpoint that is closed or intercepted does to a change."""
    preflight_exceptions: NotRequired[pulumi.Input[dict[str, pulumi.Input[dict[str, pulumi.Input[str]]]]]]
    """Endpoints that are let off, by host name or pattern with a leading `*.`: each with its `reason`, and `counts`,
    which is `warn` (the default) or `ignore`."""
    preflight_in_cluster: NotRequired[bool]
    """Whether a pod of the cluster looks at the endpoints too, once before the first change, by the agents' own way
    out; false by default. Its Job is removed after."""
    preflight_image: NotRequired[pulumi.Input[str]]
    """Image of that pod: any with Python 3.11 or later; Azure Linux's Python from mcr.microsoft.com when not given."""
    preflight_namespace: NotRequired[pulumi.Input[str]]
    """Namespace of that pod; `azure-arc` where there is one, or else `default`, when not given."""
    genuine_roots: NotRequired[pulumi.Input[str]]
    """PEM text of private roots that count as the endpoints' own; for sandboxes and private tests."""
    scenarios: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Arc features that the cluster will use, whose endpoints the preflight proves too."""
    distribution: NotRequired[pulumi.Input[str]]
    """Kubernetes distribution, for example `k3s`; found out by the client when not given."""
    distribution_version: NotRequired[pulumi.Input[str]]
    """Version of that distribution; none is told to Azure when not given."""
    azure_hybrid_benefit: NotRequired[pulumi.Input[str]]
    """Whether the Azure Hybrid Benefit applies: `True`, `False` or `NotApplicable`, which is Azure's default. With
    `True` you confirm that you hold an eligible Windows Server licence."""
    disable_auto_upgrade: NotRequired[pulumi.Input[bool]]
    """Whether the agents stay at their version until somebody upgrades them. Azure's default is false: it upgrades
    them."""
    container_log_path: NotRequired[pulumi.Input[str]]
    """Where the nodes keep the containers' logs, for the agents' own log shipping; the agents' default when not
    given."""
    enable_oidc_issuer: NotRequired[pulumi.Input[bool]]
    """Whether the cluster gets an OIDC issuer URL for federated workload identities. Azure's default is false; what
    is on cannot be turned off again."""
    self_hosted_issuer: NotRequired[pulumi.Input[str]]
    """URL of the issuer that the cluster has already, which AKS, EKS and GKE need with `enable_oidc_issuer`."""
    enable_workload_identity: NotRequired[pulumi.Input[bool]]
    """Whether the workload identity webhook is installed. Azure's default is false."""
    configuration_settings: NotRequired[pulumi.Input[dict[str, pulumi.Input[dict[str, pulumi.Input[str]]]]]]
    """Settings of the agents by feature and name, which Azure stores and shows. Those of others stay."""
    configuration_protected_settings: NotRequired[pulumi.Input[dict[str, pulumi.Input[dict[str, pulumi.Input[str]]]]]]
    """Secret settings of the agents by feature and name. Azure is told no more than their names."""
    on_unreachable: NotRequired[str]
    """What a delete does when the cluster cannot be reached: `fail` (the default) leaves all as it is, `azure-only`
    clears what Azure holds, `forget` clears nothing."""
    enabled: NotRequired[bool]
    """False pauses the cluster: it is left as it is, neither looked at nor changed nor, on a delete, disconnected,
    until this is true again (the default)."""
    drift: NotRequired[str]
    """What happens where Azure cannot tell whether somebody else has changed the cluster: `require` fails, `warn` says
    so, `off` never looks. By default `require` in pipelines, where the variable CI is set, and `warn` elsewhere."""
    egress_policy: NotRequired[bool]
    """Whether the namespace `azure-arc` gets a network policy that lets the agents out to the proxy, the API server
    and name resolution alone; false by default."""


class ConnectedClusterArgs(_ClusterArgs):
    cluster_name: pulumi.Input[str]
    """Name of the connected cluster in Azure."""
    resource_group_name: pulumi.Input[str]
    """Name of the resource group that holds it; made by the client where there is none."""
    location: pulumi.Input[str]
    """Azure region of the connected cluster, for example `eastus`."""
    infrastructure: NotRequired[pulumi.Input[str]]
    """What the cluster runs on, for example `vsphere`; found out by the client when not given."""
    tags: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """Azure tags."""
    custom_locations_oid: NotRequired[pulumi.Input[str]]
    """Object id of the application `Custom Locations RP` in the tenant, for a caller who may not look it up. It counts
    while the cluster is connected."""
    onboarding_timeout: NotRequired[pulumi.Input[int]]
    """Seconds that the agents' pods get to become ready while the cluster is connected; 1200 when not given."""
    enable_private_link: NotRequired[pulumi.Input[bool]]
    """Whether the agents use Azure Private Link; false by default. It excludes a gateway, which is why the policy pack
    refuses it, and cluster connect."""
    private_link_scope_id: NotRequired[pulumi.Input[str]]
    """ARM id of the private link scope, which `enable_private_link` needs."""


class GatewayAssociationArgs(_ClusterArgs):
    cluster_id: NotRequired[pulumi.Input[str]]
    """ARM id of the connected cluster: in place of its name, group and subscription."""
    cluster_name: NotRequired[pulumi.Input[str]]
    """Name of the connected cluster in Azure; needed without `cluster_id`."""
    resource_group_name: NotRequired[pulumi.Input[str]]
    """Name of the resource group that holds it; needed without `cluster_id`."""
    location: NotRequired[pulumi.Input[str]]
    """Azure region of the connected cluster, whose endpoints the preflight proves; the one in Azure when not given."""


def _as_it_is(value: pulumi.Input[Any]) -> pulumi.Input[str]:
    return cast(pulumi.Input[str], value)


def _as_word(value: pulumi.Input[Any]) -> pulumi.Input[str]:
    """A boolean or a number as the driver reads it."""
    return derived(value, _word)


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


#: The driver's variable for each argument, and how the value is written there.
_VARIABLES: Mapping[str, tuple[str, Callable[[pulumi.Input[Any]], Optional[pulumi.Input[str]]]]] = {
    "location": ("ARC_LOCATION", _as_it_is),
    "kube_context": ("ARC_KUBE_CONTEXT", _as_it_is),
    "gateway_id": ("ARC_GATEWAY_ID", _as_it_is),
    "gateway_endpoint": ("ARC_GATEWAY_ENDPOINT", _as_it_is),
    "proxy_https": ("ARC_PROXY_HTTPS", _as_it_is),
    "proxy_http": ("ARC_PROXY_HTTP", _as_it_is),
    "proxy_skip_range": ("ARC_PROXY_SKIP_RANGE", joined),
    "proxy_certificate": ("ARC_PROXY_CERTIFICATE", _as_it_is),
    "tags": ("ARC_TAGS", as_json),
    "distribution": ("ARC_DISTRIBUTION", _as_it_is),
    "distribution_version": ("ARC_DISTRIBUTION_VERSION", _as_it_is),
    "infrastructure": ("ARC_INFRASTRUCTURE", _as_it_is),
    "azure_hybrid_benefit": ("ARC_AZURE_HYBRID_BENEFIT", _as_it_is),
    "disable_auto_upgrade": ("ARC_DISABLE_AUTO_UPGRADE", _as_word),
    "custom_locations_oid": ("ARC_CUSTOM_LOCATIONS_OID", _as_it_is),
    "onboarding_timeout": ("ARC_ONBOARDING_TIMEOUT", _as_word),
    "container_log_path": ("ARC_CONTAINER_LOG_PATH", _as_it_is),
    "enable_oidc_issuer": ("ARC_ENABLE_OIDC_ISSUER", _as_word),
    "self_hosted_issuer": ("ARC_SELF_HOSTED_ISSUER", _as_it_is),
    "enable_workload_identity": ("ARC_ENABLE_WORKLOAD_IDENTITY", _as_word),
    "configuration_settings": ("ARC_CONFIGURATION_SETTINGS", as_json),
    "configuration_protected_settings": ("ARC_CONFIGURATION_PROTECTED_SETTINGS", as_json),
    "enable_private_link": ("ARC_ENABLE_PRIVATE_LINK", _as_word),
    "private_link_scope_id": ("ARC_PRIVATE_LINK_SCOPE_ID", _as_it_is),
    "preflight_exceptions": ("ARC_PREFLIGHT_EXCEPTIONS", as_json),
    "preflight_in_cluster": ("ARC_PREFLIGHT_IN_CLUSTER", _as_word),
    "preflight_image": ("ARC_PREFLIGHT_IMAGE", _as_it_is),
    "preflight_namespace": ("ARC_PREFLIGHT_NAMESPACE", _as_it_is),
    "genuine_roots": ("ARC_GENUINE_ROOTS", _as_it_is),
    "scenarios": ("ARC_SCENARIOS", joined),
    "on_unreachable": ("ARC_ON_UNREACHABLE", _as_it_is),
}


#: How the driver reads an argument: what is wrong with a plain value is told before it is run.
_READ: Mapping[str, Callable[[Any], Any]] = {
    "gateway_id": ids.GatewayId.parse,
    "proxy_https": rules.ProxyUrl.parse,
    "proxy_http": rules.ProxyUrl.parse,
    "proxy_skip_range": rules.canonical,
}


class _Cluster(Driven):
    """What the two kinds have in common: one operation of the driver, its report, and the egress policy."""

    id: pulumi.Output[str] = reported("id")
    """ARM id of the connected cluster."""
    resource_id: pulumi.Output[str] = reported("id")
    """The same id, for YAML programs: there `.id` of a component is Pulumi's own and empty."""
    agent_version: pulumi.Output[str] = reported("agentVersion")
    """Version of the agents that report to Azure."""
    connectivity_status: pulumi.Output[str] = reported("connectivityStatus")
    """`Connected` when Azure hears from the agents."""
    gateway_enabled: pulumi.Output[bool] = reported("gatewayEnabled")
    """Whether the agents use a gateway."""
    associated_at: pulumi.Output[Optional[str]] = reported("associatedAt")
    """When the association was made (RFC 3339), or nothing without a gateway."""
    endpoints_removable_at: pulumi.Output[Optional[str]] = reported("endpointsRemovableAt")
    """From when the endpoints that the gateway replaces may be closed: an hour later (RFC 3339)."""

    def __init__(self, name: str, verbs: Verbs, args: Any, opts: Optional[pulumi.ResourceOptions]) -> None:
        args = _with_secrets(args)
        enabled = args.get("enabled", True)
        if not enabled:
            opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(**PAUSED))
        super().__init__(name, args, opts)
        for argument, read in _READ.items():
            if isinstance(value := args.get(argument), (str, list)):
                self.checked(argument, value, read)
        subscription_id, resource_group, cluster_name = self._identity(args)
        environment: dict[str, Any] = {
            "ARC_SUBSCRIPTION_ID": subscription_id,
            "ARC_RESOURCE_GROUP": resource_group,
            "ARC_CLUSTER_NAME": cluster_name,
            **{
                variable: write(args[argument])
                for argument, (variable, write) in _VARIABLES.items()
                if argument in args
            },
            "ARC_PREFLIGHT": args.get("preflight", "require"),
        }
        if enabled:
            options = drift.watched(self, name, environment, args.get("drift"))
        else:
            options = {"environment": {**environment, "ARC_PAUSED": "true"}, **PAUSED}
        command = drive(
            self,
            name,
            verbs,
            identity=[subscription_id, resource_group, cluster_name, args.get("location", "")],
            **options,
        )
        if args.get("egress_policy"):
            beside = self.child(depends_on=[command], **({} if enabled else PAUSED))
            egress_policy(name, args.get("kube_context"), args.get("proxy_https"), beside)
        self.register_report(Report(command))

    def _identity(self, args: Mapping[str, Any]) -> tuple[pulumi.Input[str], pulumi.Input[str], pulumi.Input[str]]:
        """Subscription, resource group and name of the cluster.

        Raises:
            ArgumentError: the cluster is given in two ways, or in none.
        """
        named = [name for name in ("cluster_name", "resource_group_name") if name in args]
        if "cluster_id" not in args:
            if len(named) < 2:
                raise ArgumentError(self, "cluster_id", "is missing: give it, or cluster_name and resource_group_name")
            return self._subscription(args), args["resource_group_name"], args["cluster_name"]
        if "subscription_id" in args:
            named.append("subscription_id")
        if named:
            raise ArgumentError(self, "cluster_id", f"says all of it: leave {', '.join(named)} out")
        known = self.checked("cluster_id", args["cluster_id"], ids.ConnectedClusterId.parse)
        return (
            known.apply(lambda cluster: cluster.subscription),
            known.apply(lambda cluster: cluster.resource_group),
            known.apply(lambda cluster: cluster.name),
        )

    def _subscription(self, args: Mapping[str, Any]) -> pulumi.Input[str]:
        if "subscription_id" in args:
            return cast(pulumi.Input[str], args["subscription_id"])
        if "gateway_id" in args:
            return derived(args["gateway_id"], subscription_of)
        raise ArgumentError(self, "subscription_id", "is missing: give it, or gateway_id, which names one")


class ConnectedCluster(_Cluster):
    """A cluster that the stack onboards with `az connectedk8s connect`, and disconnects when it is removed."""

    def __init__(self, name: str, args: ConnectedClusterArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        super().__init__(name, Verbs("connect", "disconnect"), args, opts)


class GatewayAssociation(_Cluster):
    """An existing connected cluster that is to use a gateway. Removing it disables the gateway; the cluster stays."""

    def __init__(self, name: str, args: GatewayAssociationArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        super().__init__(name, Verbs("associate", "disassociate"), args, opts)

    def _identity(self, args: Mapping[str, Any]) -> tuple[pulumi.Input[str], pulumi.Input[str], pulumi.Input[str]]:
        identity = super()._identity(args)
        if "gateway_id" not in args and args.get("enabled", True):
            raise ArgumentError(self, "gateway_id", "is missing: an existing cluster is there to use a gateway")
        return identity


def _with_secrets(args: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with what is secret in them as secrets, whatever it came as: they go into the state."""
    given = dict(without_none(args))
    if "configuration_protected_settings" in given:
        given["configuration_protected_settings"] = pulumi.Output.secret(given["configuration_protected_settings"])
    for url in ("proxy_https", "proxy_http"):
        if url in given:
            given[url] = with_credentials_secret(given[url])
    return given


def subscription_of(gateway_id: str) -> str:
    """The subscription in a gateway's ARM id."""
    return ids.GatewayId.parse(gateway_id).subscription
