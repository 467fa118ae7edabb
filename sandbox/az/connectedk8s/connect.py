"""`az connectedk8s connect`: the calls, their order and the refusals of the real client."""

from __future__ import annotations

import base64
from argparse import Namespace
from typing import Any

from sandbox.az.arm import Resource
from sandbox.az.command import Context
from sandbox.az.connectedk8s import agents, checks, precheck
from sandbox.az.connectedk8s.agents import same, step
from sandbox.az.connectedk8s.resources import (
    CLUSTERS,
    RESOURCES,
    changed_cluster,
    cluster_path,
    group_path,
    link,
    new_cluster,
    printed,
    profiles,
)
from sandbox.az.connectedk8s.settings import Settings
from sandbox.az.errors import AzError
from sandbox.az.helm import RELEASE, Helm, flattened, nested
from sandbox.az.kube import Cluster, Kubeconfig
from sandbox.az.virtual import helm_for, is_virtual

#: The real client takes 4096 bits, which costs a second; nothing here depends on the length.
_KEY_BITS = 2048

_NO_PRECHECK = ("aks_workload", "aks_management", "aks_edge_k3s", "aks_edge_k8s")


def connect(context: Context, args: Namespace) -> Any:
    """Onboard a cluster. Returns the connected cluster as ARM has it at the end."""
    context.warn("This operation might take a while...\n")
    arm = context.arm
    location = args.location or arm.get(group_path(arm, args.resource_group), RESOURCES)["location"]
    if args.enable_private_link:
        context.confirm(
            "The Cluster Connect and Custom Location features are not supported by Private Link at this time. "
            "Enabling Private Link will disable these features. Are you sure you want to continue?",
            args.yes,
        )
    if args.azure_hybrid_benefit == "True":
        context.confirm(
            "I confirm I have an eligible Windows Server license with Azure Hybrid Benefit to apply this benefit",
            args.yes,
        )
    checks.providers(
        context, bool(args.gateway_resource_id), bool(args.enable_workload_identity or args.enable_oidc_issuer)
    )
    step("Setting KubeConfig")
    settings = Settings.given(args)
    endpoint = agents.data_plane(arm, location)
    config = Kubeconfig(args.kube_config, args.kube_context, verify=not args.skip_ssl_verification)
    cluster = Cluster(config)
    checks.connectivity(cluster)
    nodes = checks.nodes(context, cluster)
    with helm_for(config) as helm:
        if not (is_virtual(config) or (args.infrastructure == "azure_stack_hci" and args.distribution in _NO_PRECHECK)):
            for remark in precheck.check(cluster, helm, location, settings):
                context.warn(remark)
        checks.may_bind_roles(cluster)
        distribution, infrastructure = checks.kind_of_cluster(nodes, args.distribution, args.infrastructure)
        checks.issuer(args, distribution)
        checks.region(arm, location)
        if args.enable_private_link:
            checks.private_link_scope(arm, args.private_link_scope_resource_id, location)
        body = _body(args, settings, location, distribution, infrastructure)
        step("Check if an earlier azure-arc release exists")
        release_namespace = helm.release_namespace()
        if release_namespace:
            step("Found an earlier instance of azure-arc release")
            before = agents.onboarded_as(cluster, release_namespace)
            if agents.exists(arm, before["AZURE_RESOURCE_GROUP"], before["AZURE_RESOURCE_NAME"]):
                return _again(context, args, settings, endpoint, helm, before, body)
            context.warn("Cleaning up the stale arc agents present on the cluster before starting new onboarding.")
            agents.delete_crds(cluster)
            agents.uninstall(cluster, helm, release_namespace, hooks=False)
        else:
            if agents.exists(arm, args.resource_group, args.name):
                raise AzError(
                    f"The connected cluster resource {args.name} already exists  in the resource group "
                    f"{args.resource_group} "
                    "and corresponds to a different Kubernetes cluster.",
                    "To onboard this Kubernetes cluster to Azure, specify different resource name or resource group "
                    "name.",
                )
            agents.delete_crds(cluster)
        return _new(context, args, settings, endpoint, helm, cluster, body)


def _body(args: Namespace, settings: Settings, location: str, distribution: str, infrastructure: str) -> Resource:
    properties = {
        "distribution": distribution,
        "infrastructure": infrastructure,
        "distributionVersion": args.distribution_version,
        "azureHybridBenefit": args.azure_hybrid_benefit,
        "arcAgentProfile": {"agentAutoUpgrade": "Disabled"} if args.disable_auto_upgrade else None,
        "arcAgentryConfigurations": settings.configurations(),
        "gateway": {"enabled": True} if args.gateway_resource_id else None,
        "privateLinkState": None
        if args.enable_private_link is None
        else ("Enabled" if args.enable_private_link else "Disabled"),
        "privateLinkScopeResourceId": args.private_link_scope_resource_id or None,
        **profiles(args),
    }
    return new_cluster(location, args.tags, properties)


def _new(
    context: Context, args: Namespace, settings: Settings, endpoint: str, helm: Helm, cluster: Cluster, body: Resource
) -> Any:
    arm, path = context.arm, cluster_path(context.arm, args.resource_group, args.name)
    step("Check if ResourceGroup exists.  Try to create if it doesn't")
    if not arm.exists(f"/subscriptions/{arm.subscription}/resourcegroups/{args.resource_group}", RESOURCES):
        arm.change("PUT", group_path(arm, args.resource_group), RESOURCES, {"location": body["location"]})
    step("Generating Public-Private Key pair")
    public, private = key_pair()
    body["properties"]["agentPublicKeyCertificate"] = public
    gateway = body["properties"].pop("gateway", None)  # enabled once it is associated
    step("Azure resource provisioning has begun.")
    connected = arm.change("PUT", path, CLUSTERS, body)
    more = {} if args.enable_private_link else checks.custom_locations(context, args.custom_locations_oid)
    if gateway:
        step("Associating Gateway with the Connected Cluster")
        try:
            link(arm, args.resource_group, args.name, args.gateway_resource_id)
        except AzError as problem:
            raise AzError(
                "Failed to associate gateway with connected cluster. Please ensure that the gateway resource is "
                "valid and "
                f"accessible, then try again. {problem.message}"
            ) from problem
        step("Updating Connected Cluster resource with Gateway configuration")
        changes = {"gateway": gateway, "arcAgentryConfigurations": settings.configurations()}
        connected = arm.change("PUT", path, CLUSTERS, changed_cluster(arm.get(path, CLUSTERS), changes))
    step("Azure resource provisioning has finished.")
    assert connected is not None
    repository, service = agents.helm_settings(arm, endpoint, connected, settings)
    chart = agents.chart(helm, repository)
    step("Starting to install Azure arc agents on the Kubernetes cluster.")
    # Since agents 1.35.3 the key goes straight into the cluster and never through helm.
    agents.store_private_key(cluster, private)
    own = {
        "global.azureEnvironment": "AZUREPUBLICCLOUD",
        agents.CLUSTER_CONNECT: not args.enable_private_link,
        **more,
    }
    try:
        helm.upgrade(
            RELEASE,
            chart,
            settings.values({**service, **own}, {}),
            _seconds(args.onboarding_timeout),
            wait=not args.no_wait,
        )
    except AzError as problem:
        raise AzError(f"Unable to install helm release: {problem.message}") from problem
    if args.enable_workload_identity or (args.enable_oidc_issuer and not args.self_hosted_issuer):
        settled, connected = agents.state(arm, path)
        if not settled:
            raise AzError(agents.NOT_SETTLED)
    return printed(connected)


def _again(
    context: Context,
    args: Namespace,
    settings: Settings,
    endpoint: str,
    helm: Helm,
    before: dict[str, str],
    body: Resource,
) -> Any:
    """A cluster that is onboarded already: the same one is put again, another one is refused."""
    group, name = before["AZURE_RESOURCE_GROUP"], before["AZURE_RESOURCE_NAME"]
    arm, path = context.arm, cluster_path(context.arm, group, name)
    there = arm.get(path, CLUSTERS)
    if not (same(group, args.resource_group) and same(name, args.name)):
        raise AzError(
            "The kubernetes cluster you are trying to onboard is already onboarded to "
            f"the resource group '{group}' with resource name '{name}'."
        )
    body["properties"]["agentPublicKeyCertificate"] = there["properties"]["agentPublicKeyCertificate"]
    connected = arm.change("PUT", path, CLUSTERS, body)
    assert connected is not None
    if args.enable_private_link:
        _disable_cluster_connect(context, endpoint, helm, connected, _seconds(args.onboarding_timeout))
    if not args.gateway_resource_id:
        return printed(connected)
    step("Associating Gateway with the Connected Cluster")
    try:
        link(arm, group, name, args.gateway_resource_id)
    except AzError as problem:
        context.warn(f"Error occurred while associating gateway with connected cluster: {problem.message}\n")
    repository, service = agents.helm_settings(arm, endpoint, connected, settings)
    namespace = helm.release_namespace() or ""
    values = settings.values(service, helm.values(namespace))
    helm.upgrade(
        RELEASE,
        agents.chart(helm, repository),
        values,
        _seconds(args.onboarding_timeout),
        namespace=namespace,
        install=False,
    )
    return printed(connected)


def _disable_cluster_connect(context: Context, endpoint: str, helm: Helm, connected: Resource, seconds: int) -> None:
    repository, _ = agents.helm_settings(context.arm, endpoint, connected, Settings({}, {}, ""))
    namespace = helm.release_namespace() or ""
    values = nested({**flattened(helm.values(namespace)), agents.CLUSTER_CONNECT: False})
    helm.upgrade(RELEASE, agents.chart(helm, repository), values, seconds, namespace=namespace, install=False)


def key_pair() -> tuple[str, str]:
    """A new RSA key: the public half as base64 of its PKCS#1 form, the private one as PEM."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    public = base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)).decode()
    return public, key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def _seconds(text: str) -> int:
    if not text.isdigit():
        raise AzError(f"--onboarding-timeout takes a number of seconds, not '{text}'.")
    return int(text)
