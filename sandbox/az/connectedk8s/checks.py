"""What connect looks at before it writes: Azure's providers and regions, and the cluster's nodes and permissions."""

from __future__ import annotations

from argparse import Namespace
from typing import Any
from urllib.parse import quote

from sandbox.az.arm import Arm
from sandbox.az.command import Context
from sandbox.az.connectedk8s.agents import step
from sandbox.az.connectedk8s.resources import RESOURCES
from sandbox.az.errors import AzError, HttpError
from sandbox.az.kube import ApiError, Cluster

_REGISTERED = ("Registered", "Registering")

#: The app behind custom locations, the same in every tenant.
_CUSTOM_LOCATIONS_APP = "bc313c14-388c-4e7d-a58e-70017303ee3b"

_SCOPES = "2022-11-10"

#: Marks of a distribution: (field of a node's metadata, key or its beginning) -> name. The first match counts.
_DISTRIBUTIONS = (
    ("labels", "node.openshift.io/os_id", "openshift"),
    ("labels", "kubernetes.azure.com/node-image-version", "aks"),
    ("labels", "cloud.google.com/gke-", "gke"),
    ("labels", "eks.amazonaws.com/nodegroup", "eks"),
    ("labels", "minikube.k8s.io/version", "minikube"),
    ("annotations", "rke.cattle.io/", "rancher_rke"),
    ("labels", "snap.microk8s", "microk8s"),
    ("annotations", "rke2.io", "rke2"),
    ("labels", "run.tanzu.vmware.com", "tkg"),
    ("labels", "k0s.k0sproject.io", "k0s"),
)
_PUBLIC_CLOUDS = ("gke", "eks", "aks")
_INFRASTRUCTURES = {"k3s": "k3s", "kind": "kind", "azure": "azure", "gce": "gcp", "aws": "aws"}


def provider(arm: Arm, namespace: str) -> Any:
    """A resource provider as ARM describes it."""
    return arm.get(f"/subscriptions/{arm.subscription}/providers/{namespace}", RESOURCES)


def providers(context: Context, with_gateway: bool, with_identity: bool) -> None:
    """Refuse a subscription whose providers are not registered."""
    step("Checking Provider Registrations")
    wanted = [("Microsoft.Kubernetes", True), ("Microsoft.KubernetesConfiguration", with_identity)]
    if with_gateway:
        wanted.append(("Microsoft.HybridCompute", True))
    for namespace, needed in wanted:
        try:
            state = provider(context.arm, namespace)["registrationState"]
        except HttpError as problem:
            context.warn(f"Couldn't check the required provider's registration status: {problem.message}")
            return
        if state in _REGISTERED:
            continue
        if needed:
            raise AzError(
                f"{namespace} provider is not registered. Please register it using 'az provider register -n "
                f"'{namespace}' "
                "before running the connect command."
            )
        context.warn(f"{namespace} provider is not registered")


def region(arm: Arm, location: str) -> None:
    """Refuse a region that has no connected clusters."""
    step("Checking Connect RP is available in the Location passed in.")
    kinds = provider(arm, "Microsoft.Kubernetes")["resourceTypes"]
    names: list[str] = next(
        (kind["locations"] for kind in kinds if kind["resourceType"].lower() == "connectedclusters"), []
    )
    supported = [name.replace(" ", "").lower() for name in names]
    if location.lower() not in supported:
        raise AzError(
            f"Connected cluster resource creation is supported only in the following locations: {', '.join(supported)}",
            "Use the --location flag to specify one of these locations.",
        )


def private_link_scope(arm: Arm, scope: str, location: str) -> None:
    """Refuse a private link scope of another region, or none."""
    try:
        found = arm.get(scope, _SCOPES)
    except HttpError as problem:
        if problem.status != 404:
            raise
        raise AzError(
            f"The private link scope resource '{scope}' does not exist. Please ensure that you pass a valid ARM "
            "Resource Id."
        ) from problem
    if found["location"].lower() != location.lower():
        raise AzError(
            "The location of the private link scope resource does not match the location of connected cluster "
            "resource. "
            "Please ensure that both the resources are in the same azure location."
        )


def custom_locations(context: Context, given: str | None) -> dict[str, Any]:
    """The chart's values for custom locations: on where the provider is registered and its app is known."""
    off: dict[str, Any] = {}
    wanted = quote(f"appId eq '{_CUSTOM_LOCATIONS_APP}'")
    try:
        if provider(context.arm, "Microsoft.ExtendedLocation")["registrationState"] not in _REGISTERED:
            return off
        found = context.arm.graph(f"/v1.0/servicePrincipals?$filter={wanted}")["value"]
    except AzError as problem:
        context.warn(
            f"Unable to fetch registration state of 'Microsoft.ExtendedLocation' or its app: {problem.message}"
        )
        found = []
    # What the tenant says goes before what the caller says.
    oid = found[0]["id"] if found else given or ""
    if not oid:
        context.warn("Unable to fetch oid of 'custom-locations' app. Proceeding without enabling the feature.")
        return off
    return {"systemDefaultValues.customLocations.enabled": True, "systemDefaultValues.customLocations.oid": oid}


def issuer(args: Namespace, distribution: str) -> None:
    """Refuse an OIDC issuer for a cluster of a public cloud that has one of its own, unless that is named."""
    if args.enable_oidc_issuer and not args.self_hosted_issuer and distribution in _PUBLIC_CLOUDS:
        raise AzError(f"Self hosted issuer is required for {distribution} cluster when OIDC issuer is being enabled.")


def connectivity(cluster: Cluster) -> str:
    """The API server's version, to know that it answers."""
    step("Checking Connectivity to Cluster")
    return str(cluster.get("/version")["gitVersion"])


def nodes(context: Context, cluster: Cluster) -> list[Any]:
    """The cluster's nodes; a cluster without a Linux one is warned about."""
    step("Do node validations")
    try:
        found: list[Any] = cluster.get("/api/v1/nodes")["items"]
    except ApiError:
        return []
    if not any((node["metadata"].get("labels") or {}).get("kubernetes.io/os") == "linux" for node in found):
        context.warn(
            "Please ensure that this Kubernetes cluster has any nodes with OS 'linux', for scheduling the Arc-Agents "
            "onto and "
            "connecting to Azure. Learn more at https://aka.ms/ArcK8sSupportedOSArchitecture"
        )
    return found


def may_bind_roles(cluster: Cluster) -> None:
    """Refuse credentials that may not install the agents."""
    step("Checking if user can create ClusterRoleBindings")
    attributes = {"verb": "create", "resource": "clusterrolebindings", "group": "rbac.authorization.k8s.io"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = cluster.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    if not answer["status"]["allowed"]:
        raise AzError(
            "Your credentials doesn't have permission to create clusterrolebindings on this kubernetes cluster. "
            "Please check your permissions."
        )


def kind_of_cluster(found: list[Any], distribution: str, infrastructure: str) -> tuple[str, str]:
    """Distribution and infrastructure: as given, else as the nodes look."""
    step("Determining Cluster Distribution and Infrastructure")
    providers_of_nodes = [str((node.get("spec") or {}).get("providerID", "")).split(":")[0] for node in found]
    if distribution == "generic":
        distribution = next(
            (
                name
                for node in found
                for field, mark, name in _DISTRIBUTIONS
                if any(key.startswith(mark) for key in node["metadata"].get(field) or {})
            ),
            next((name for name in providers_of_nodes if name in ("kind", "k3s")), "generic"),
        )
    if infrastructure == "generic":
        infrastructure = next(
            (_INFRASTRUCTURES[name] for name in providers_of_nodes if name in _INFRASTRUCTURES), "generic"
        )
    return distribution, infrastructure
