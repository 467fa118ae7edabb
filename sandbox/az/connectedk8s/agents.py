"""The agents in the cluster: where their chart comes from, what is there already, and how they go."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from sandbox.az.arm import Arm, Resource
from sandbox.az.connectedk8s.resources import CLUSTERS, cluster_path
from sandbox.az.connectedk8s.settings import Settings
from sandbox.az.errors import AzError
from sandbox.az.helm import NAMESPACE, RELEASE, Helm
from sandbox.az.kube import ApiError, Cluster

ARC_NAMESPACE = "azure-arc"
KEY_SECRET = "azure-arc-connect-privatekey"  # noqa: S105 - a name

#: How long the end of a namespace is waited for, as in the real client, which then only warns.
NAMESPACE_SECONDS = 180.0
NAMESPACE_POLL = 0.5

#: The chart's value for cluster connect, which does not go together with private link.
CLUSTER_CONNECT = "systemDefaultValues.clusterconnect-agent.enabled"

AGENT_STATE_SECONDS = 15 * 60.0
AGENT_STATE_POLL = 5.0
NOT_SETTLED = "Timed out waiting for Agent State to reach terminal state."

_DATA_PLANE = "2024-07-01-preview"
_ATTEMPTS = 5
_PAUSE = 3.0

_CRDS = (
    "arccertificates.clusterconfig.azure.com", "azureclusteridentityrequests.clusterconfig.azure.com",
    "azureextensionidentities.clusterconfig.azure.com", "connectedclusters.arc.azure.com",
    "customlocationsettings.clusterconfig.azure.com", "extensionconfigs.clusterconfig.azure.com",
    "gitconfigs.clusterconfig.azure.com",
)  # fmt: skip


def step(text: str) -> None:
    """Progress. On standard output, ahead of the result, because that is where the real client prints it."""
    print(f"Step: {time.strftime('%Y-%m-%dT%H-%M-%SZ', time.gmtime())}: {text}", flush=True)


def data_plane(arm: Arm, location: str) -> str:
    """The configuration service's URL for a region, from the cloud's metadata where that names one."""
    endpoints = arm.metadata().get("dataplaneEndpoints") or {}
    return str(endpoints.get("arcConfigEndpoint") or f"https://{location}.dp.kubernetesconfiguration.azure.com").rstrip(
        "/"
    )


def helm_settings(arm: Arm, endpoint: str, cluster: Resource, settings: Settings) -> tuple[str, dict[str, Any]]:
    """Ask the data plane, once it is well, which chart to install and with which values."""
    _post(arm, f"{endpoint}/azure-arc-k8sagents/healthCheck?api-version={_DATA_PLANE}", None)
    told = {"arcAgentryConfigurations": settings.configurations(marked=True)}
    body = {**cluster, "properties": {**cluster["properties"], **told}}
    train = os.environ.get("RELEASETRAIN") or "stable"
    answer = _post(
        arm, f"{endpoint}/azure-arc-k8sagents/GetHelmSettings?api-version={_DATA_PLANE}&releaseTrain={train}", body
    )
    return os.environ.get("HELMREGISTRY") or str(answer["repositoryPath"]), dict(answer["helmValuesContent"])


def _post(arm: Arm, url: str, body: Any) -> Any:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return json.loads(arm.post(url, body).body or b"null")
        except AzError as problem:
            if attempt == _ATTEMPTS:
                raise AzError(f"Error while fetching helm chart registry path: {problem.message}") from problem
            time.sleep(_PAUSE)
    raise AssertionError("the last try returns or raises")


def chart(helm: Helm, repository: str) -> Path:
    """The agents' chart: pulled from the registry, or the local one that HELMCHART names."""
    local = os.environ.get("HELMCHART")
    if local:
        return Path(local)
    step("Determine Helmchart Export Path")
    path, _, version = repository.rpartition(":")
    # Charts of the newer kind lie one folder deeper than the data plane says.
    parent, _, name = path.rpartition("/")
    step(f"Pulling HelmChart: {parent}/v2/{name}, Version: {version}")
    return helm.pull(f"{parent}/v2/{name}:{version}")


def onboarded_as(cluster: Cluster, namespace: str) -> dict[str, str]:
    """What the ConfigMap of installed agents says they are.

    Raises:
        AzError: it is not there.
    """
    try:
        found: dict[str, str] = cluster.get(f"/api/v1/namespaces/{ARC_NAMESPACE}/configmaps/azure-clusterconfig")[
            "data"
        ]
        return found
    except ApiError as problem:
        if problem.status != 404:
            raise
        raise AzError(
            "The helm release 'azure-arc' is present but the azure-arc namespace/configmap is missing. "
            f"Please run 'helm delete azure-arc --namespace {namespace} --no-hooks' to cleanup the release before "
            "onboarding the cluster again."
        ) from problem


def same(one: str, other: str) -> bool:
    """Whether two names are the same to ARM."""
    return one.lower() == other.lower()


def exists(arm: Arm, group: str, name: str) -> bool:
    """Whether ARM knows the cluster; one whose agents were never installed does not count."""
    found = arm.find(cluster_path(arm, group, name), CLUSTERS)
    return found is not None and found["properties"].get("connectivityStatus") != "AgentNotInstalled"


def state(arm: Arm, path: str) -> tuple[bool, Resource]:
    """Wait until the agents have taken a change over. Whether they did, and the cluster as it is then."""
    step(f"Wait for Agent State to reach terminal state, with timeout of {AGENT_STATE_SECONDS / 60:.0f}")
    limit = time.monotonic() + AGENT_STATE_SECONDS
    while True:
        connected = arm.get(path, CLUSTERS)
        state = (connected["properties"].get("arcAgentProfile") or {}).get("agentState")
        settled = state in (None, "Succeeded", "Failed")
        if settled or time.monotonic() >= limit:
            step(f"Agent state {'has' if settled else 'has not'} reached terminal state.")
            return settled, connected
        time.sleep(AGENT_STATE_POLL)


def delete_crds(cluster: Cluster) -> None:
    """Definitions that an earlier life of the agents may have left."""
    step("Deleting Arc CRDs")
    for name in _CRDS:
        cluster.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")


def store_private_key(cluster: Cluster, pem: str) -> None:
    """Make the agents' namespace, as helm's own, and the onboarding key in it before the chart comes."""
    cluster.put_or_create(
        "/api/v1/namespaces",
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": ARC_NAMESPACE,
                "labels": {"app.kubernetes.io/managed-by": "Helm"},
                "annotations": {"meta.helm.sh/release-name": RELEASE, "meta.helm.sh/release-namespace": NAMESPACE},
            },
        },
    )
    cluster.put_or_create(
        f"/api/v1/namespaces/{ARC_NAMESPACE}/secrets",
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": KEY_SECRET,
                "namespace": ARC_NAMESPACE,
                "labels": {"app.kubernetes.io/managed-by": "azure-cli"},
            },
            "stringData": {"privateKey": pem},
        },
    )


def uninstall(cluster: Cluster, helm: Helm, namespace: str, hooks: bool = True) -> str:
    """Delete the release and wait for both namespaces to go. Returns a warning where they are still going."""
    step("Deleting Arc Agents")
    helm.uninstall(RELEASE, namespace, hooks)
    cluster.delete(f"/api/v1/namespaces/{namespace}")
    step(f"Confirming '{ARC_NAMESPACE}' namespace got deleted.")
    limit = time.monotonic() + NAMESPACE_SECONDS
    while time.monotonic() < limit:
        # The real client does not wait for the release's namespace; here a new `connect` may come within the second.
        if not any(cluster.find(f"/api/v1/namespaces/{name}") for name in (ARC_NAMESPACE, namespace)):
            return ""
        time.sleep(NAMESPACE_POLL)
    return (
        f"Namespace 'azure-arc' still in terminating state after {NAMESPACE_SECONDS:.0f} s. "
        "Please ensure that you delete the 'azure-arc' namespace before onboarding the cluster again."
    )
