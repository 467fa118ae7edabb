"""`az connectedk8s delete`: the resource first, then the agents."""

from __future__ import annotations

from argparse import Namespace

from sandbox.az.command import Context
from sandbox.az.connectedk8s import agents, checks
from sandbox.az.connectedk8s.agents import same, step
from sandbox.az.connectedk8s.resources import CLUSTERS, cluster_path
from sandbox.az.errors import AzError
from sandbox.az.kube import Cluster, Kubeconfig
from sandbox.az.virtual import helm_for


def delete(context: Context, args: Namespace) -> None:
    """Disconnect a cluster."""
    question = "Are you sure you want to perform delete operation?"
    if args.force:
        question = (
            "Force delete will clean up all the azure-arc resources, including extensions. Please make sure your  "
            "current kubeconfig "
            "is pointing to the right cluster.\nAre you sure you want to perform force delete:"
        )
    context.confirm(question, args.yes)
    context.warn("This operation might take a while ...\n")
    arm, path = context.arm, cluster_path(context.arm, args.resource_group, args.name)
    arm.get(path, CLUSTERS)
    step("Setting KubeConfig")
    config = Kubeconfig(args.kube_config, args.kube_context, verify=not args.skip_ssl_verification)
    cluster = Cluster(config)
    checks.connectivity(cluster)
    with helm_for(config) as helm:
        namespace = helm.release_namespace()
        checks.nodes(context, cluster)
        if namespace and not args.force:
            _check_same(agents.onboarded_as(cluster, namespace), arm.subscription, args)
        step("Deleting ARM resource")
        arm.change("DELETE", f"{path}?force=true" if args.force else path, CLUSTERS, wait=not args.no_wait)
        if args.force:
            agents.delete_crds(cluster)
        if namespace:
            warning = agents.uninstall(cluster, helm, namespace, hooks=not args.force)
            if warning:
                context.warn(warning)
    step("Delete of Connected Cluster ended.")


def _check_same(installed: dict[str, str], subscription: str, args: Namespace) -> None:
    pairs = (
        (installed["AZURE_RESOURCE_GROUP"], args.resource_group),
        (installed["AZURE_RESOURCE_NAME"], args.name),
        (installed["AZURE_SUBSCRIPTION_ID"], subscription),
    )
    if not all(same(one, other) for one, other in pairs):
        raise AzError(
            "The current context in the kubeconfig file does not correspond to the connected cluster resource "
            "specified. "
            f"Agents installed on this cluster correspond to the resource group name "
            f"'{installed['AZURE_RESOURCE_GROUP']}' "
            f"and resource name '{installed['AZURE_RESOURCE_NAME']}'."
        )
