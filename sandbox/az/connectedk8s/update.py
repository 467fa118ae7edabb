"""`az connectedk8s update`: proxies on and off, a gateway on and off, and what else ARM stores."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from sandbox.az.arm import Arm, Resource
from sandbox.az.command import Context
from sandbox.az.connectedk8s import agents, checks
from sandbox.az.connectedk8s.agents import same, step
from sandbox.az.connectedk8s.resources import CLUSTERS, changed_cluster, cluster_path, link, printed, profiles
from sandbox.az.connectedk8s.settings import Settings
from sandbox.az.errors import AzError
from sandbox.az.helm import RELEASE, Helm
from sandbox.az.kube import Cluster, Kubeconfig
from sandbox.az.virtual import helm_for

#: helm's own time-out for `--wait`, which the real client leaves as it is.
_HELM_SECONDS = 300

_NO_FLAG = (
    "No parameters were specified with update command. "
    "Please run az connectedk8s update --help to check parameters available for update"
)
_BOTH_WAYS = (
    "Conflict detected: --disable-proxy can not be set with --https-proxy, --http-proxy, --proxy-skip-range and "
    "--proxy-cert at the "
    "same time. Please run az connectedk8s update --help for more information about the parameters"
)


def update(context: Context, args: Namespace) -> Any:
    """Change a connected cluster, and bring its agents up to what Azure then says."""
    if args.azure_hybrid_benefit == "True":
        context.confirm(
            "I confirm I have an eligible Windows Server license with Azure Hybrid Benefit to apply this benefit",
            args.yes,
        )
    settings = Settings.given(args)
    arm, path = context.arm, cluster_path(context.arm, args.resource_group, args.name)
    arm.get(path, CLUSTERS)
    stored = _patch(args)
    if stored:
        patched = arm.change("PATCH", path, CLUSTERS, stored)
        if _only_hybrid_benefit(args, stored):
            return printed(patched)
    elif not _touches_agents(args):
        raise AzError(_NO_FLAG)
    if args.disable_proxy and (args.proxy_https or args.proxy_http or args.proxy_skip_range):
        raise AzError(_BOTH_WAYS)
    config = Kubeconfig(args.kube_config, args.kube_context, verify=not args.skip_ssl_verification)
    cluster = Cluster(config)
    checks.connectivity(cluster)
    with helm_for(config) as helm:
        namespace = release_namespace(arm, cluster, helm, args)
        arm.get(path, CLUSTERS)
        changes = {
            **profiles(args),
            **_gateway(args),
            **_profile(args),
            "arcAgentryConfigurations": settings.configurations(),
        }
        connected = arm.get(path, CLUSTERS)
        checks.issuer(args, connected["properties"].get("distribution") or "")
        if args.gateway_resource_id:
            step("Associating gateway with Connected Cluster")
            link(arm, args.resource_group, args.name, args.gateway_resource_id)
        if args.disable_gateway:
            step("Disassociating gateway from Connected Cluster")
            link(arm, args.resource_group, args.name, None)
        put = arm.change("PUT", path, CLUSTERS, changed_cluster(connected, changes))
        assert put is not None
        settled, connected = agents.state(arm, path)
        endpoint = agents.data_plane(arm, connected["location"])
        repository, service = agents.helm_settings(arm, endpoint, put, settings)
        version = connected["properties"].get("agentVersion")
        if version:
            repository = f"{repository.rpartition(':')[0]}:{version}"
        chart = agents.chart(helm, repository)
        step("Starting to update Azure arc agents on the Kubernetes cluster.")
        values = settings.values(service, helm.values(namespace), args.disable_proxy)
        try:
            helm.upgrade(RELEASE, chart, values, _HELM_SECONDS, namespace=namespace, install=False)
        except AzError as problem:
            raise AzError(
                'Error while updating agents. Please run "kubectl get pods -n azure-arc" to check the pods in case '
                "of timeout error. "
                f"Error: {problem.message}"
            ) from problem
    if not settled:
        raise AzError(agents.NOT_SETTLED)
    return printed(connected)


def _proxies(args: Namespace) -> bool:
    return bool(args.proxy_https or args.proxy_http or args.proxy_skip_range or args.proxy_cert or args.disable_proxy)


def _touches_agents(args: Namespace) -> bool:
    """Configuration settings do not count, as in the real client: alone they are refused."""
    return bool(
        _proxies(args)
        or args.auto_upgrade or args.container_log_path or args.gateway_resource_id or args.disable_gateway
        or args.enable_oidc_issuer is not None or args.enable_workload_identity is not None
        or args.disable_workload_identity is not None
    )  # fmt: skip


def _only_hybrid_benefit(args: Namespace, stored: Resource) -> bool:
    """Whether the real client takes it for a change of the hybrid benefit alone: a gateway beside it is forgotten."""
    alone = set(stored) == {"properties"} and set(stored["properties"]) == {"azureHybridBenefit"}
    return alone and not (_proxies(args) or args.auto_upgrade or args.container_log_path)


def _patch(args: Namespace) -> Resource:
    properties = {
        "distribution": args.distribution,
        "distributionVersion": args.distribution_version,
        "azureHybridBenefit": args.azure_hybrid_benefit,
    }
    given = {key: value for key, value in properties.items() if value is not None}
    return {**({"tags": args.tags} if args.tags is not None else {}), **({"properties": given} if given else {})}


def _gateway(args: Namespace) -> dict[str, Any]:
    if not (args.gateway_resource_id or args.disable_gateway):
        return {}
    return {"gateway": {"enabled": bool(args.gateway_resource_id)}}


def _profile(args: Namespace) -> dict[str, Any]:
    if args.auto_upgrade is None:
        return {}
    return {"arcAgentProfile": {"agentAutoUpgrade": "Enabled" if args.auto_upgrade == "true" else "Disabled"}}


def release_namespace(arm: Arm, cluster: Cluster, helm: Helm, args: Namespace) -> str:
    """Where the agents are installed.

    Raises:
        AzError: they are not, or they are those of another connected cluster.
    """
    namespace = helm.release_namespace()
    if not namespace:
        raise AzError(
            "The azure-arc release namespace couldn't be retrieved, which implies that the kubernetes cluster has "
            "not been "
            "onboarded to azure-arc.",
            "Please run 'az connectedk8s connect -n <connected-cluster-name> -g <resource-group-name>' to onboard "
            "the cluster",
        )
    before = agents.onboarded_as(cluster, namespace)
    group, name = before["AZURE_RESOURCE_GROUP"], before["AZURE_RESOURCE_NAME"]
    if not agents.exists(arm, group, name):
        raise AzError(
            "There exist no ConnectedCluster resource corresponding to this kubernetes Cluster.",
            "Please cleanup the helm release first using 'az connectedk8s delete -n <connected-cluster-name> -g "
            "<resource-group-name>' "
            "and re-onboard the cluster using 'az connectedk8s connect -n <connected-cluster-name> -g "
            "<resource-group-name>'",
        )
    if not (same(group, args.resource_group) and same(name, args.name)):
        raise AzError(
            "The provided cluster name and resource group name do not correspond to the kubernetes cluster being "
            "updated.",
            "Please update the cluster, with correct resource group and cluster name.",
        )
    return namespace
