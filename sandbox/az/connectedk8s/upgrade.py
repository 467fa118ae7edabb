"""`az connectedk8s upgrade`: the agents of a cluster that does not upgrade them by itself."""

from __future__ import annotations

from argparse import Namespace

from sandbox.az.command import Context
from sandbox.az.connectedk8s import agents, checks
from sandbox.az.connectedk8s.resources import CLUSTERS, cluster_path
from sandbox.az.connectedk8s.settings import Settings
from sandbox.az.connectedk8s.update import release_namespace
from sandbox.az.errors import AzError
from sandbox.az.helm import RELEASE
from sandbox.az.kube import Cluster, Kubeconfig
from sandbox.az.virtual import helm_for


def upgrade(context: Context, args: Namespace) -> str:
    """Bring the agents to a version, by default the newest. Returns what is said of it."""
    arm, path = context.arm, cluster_path(context.arm, args.resource_group, args.name)
    connected = arm.get(path, CLUSTERS)
    context.warn("This operation might take a while...\n")
    config = Kubeconfig(args.kube_config, args.kube_context, verify=not args.skip_ssl_verification)
    cluster = Cluster(config)
    checks.connectivity(cluster)
    with helm_for(config) as helm:
        namespace = release_namespace(arm, cluster, helm, args)
        profile = connected["properties"].get("arcAgentProfile") or {}
        if profile.get("agentAutoUpgrade") != "Disabled":
            raise AzError(
                "az connectedk8s upgrade to manually upgrade agents and extensions is only supported when auto-upgrade "
                "is set to false.",
                "Please run 'az connectedk8s update -n <connected-cluster-name> -g <resource-group-name> "
                "--auto-upgrade false' before performing manual upgrade",
            )
        endpoint = agents.data_plane(arm, connected["location"])
        repository, _ = agents.helm_settings(arm, endpoint, connected, Settings({}, {}, ""))
        path_of_chart, _, newest = repository.rpartition(":")
        chart = agents.chart(helm, f"{path_of_chart}:{args.agent_version or newest}")
        try:
            seconds = int(args.upgrade_timeout)
            helm.upgrade(RELEASE, chart, helm.values(namespace), seconds, namespace=namespace, install=False)
        except AzError as problem:
            raise AzError(
                'Error while upgrading agents. Please run "kubectl get pods -n azure-arc" to check the pods in case of '
                f"timeout error. Error: {problem.message}"
            ) from problem
    return f"Agents for Connected Cluster {args.name} have been upgraded successfully"
