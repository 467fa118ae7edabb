"""What is the same in every sandbox: the names of its place, its clusters and its software."""

from __future__ import annotations

#: Region of everything in the sandbox.
LOCATION = "eastus"
RESOURCE_GROUP = "arc-dev"
SUBSCRIPTION_NAME = "Arc gateway sandbox"
TENANT_NAME = "Sandbox"
TENANT_DOMAIN = "sandbox.onmicrosoft.com"

#: The cluster that the dev stack onboards.
EAST = "east"
#: The cluster that `sandbox up` connects without a gateway, for the dev stack to associate.
WEST = "west"
CLUSTERS = (EAST, WEST)

AGENT_VERSION = "1.36.1"
#: Where the service tells a client to take the agents' chart from; helm is sent to the same with `/v2` before the name.
AGENT_CHART = f"mcr.microsoft.com/azurearck8s/batch1/stable/azure-arc-k8sagents:{AGENT_VERSION}"
#: Repositories of the registry and the folder of `sandbox/charts` that each one serves.
CHART_REPOSITORIES = {
    "azurearck8s/batch1/stable/v2/azure-arc-k8sagents": "azure-arc-k8sagents",
    "azurearck8s/helmchart/stable/clusterdiagnosticchecks": "clusterdiagnosticchecks",
}
