"""What is the same in every sandbox: the names of its place, its clusters and its software."""

from __future__ import annotations

import os

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


def clusters(asked: str) -> tuple[str, ...]:
    """The names of as many clusters as are asked for: those two, and empty ones, each of which takes half a GB.

    Raises:
        SystemExit: it is no number from 2 to 24, which is how many networks of pods there are.
    """
    if asked not in map(str, range(2, 25)):
        raise SystemExit(f"SANDBOX_CLUSTERS is {asked!r}: give a number from 2 to 24, or unset it")
    return (EAST, WEST, *(f"site-{number:02}" for number in range(3, 1 + int(asked))))


CLUSTERS = clusters(os.environ.get("SANDBOX_CLUSTERS") or "2")


def virtual(asked: str) -> tuple[str, ...]:
    """The names of as many virtual clusters as are asked for.

    Raises:
        SystemExit: it is no number from 0 to 5000.
    """
    if not (asked.isdigit() and int(asked) <= 5000):
        raise SystemExit(f"SANDBOX_VIRTUAL is {asked!r}: give a number from 0 to 5000, or unset it")
    return tuple(f"virtual-{number:03}" for number in range(1, 1 + int(asked)))


#: Clusters whose agents are simulated, for fleets.
VIRTUAL = virtual(os.environ.get("SANDBOX_VIRTUAL") or "0")

AGENT_VERSION = "1.36.1"
#: Where the service tells a client to take the agents' chart from; helm is sent to the same with `/v2` before the name.
AGENT_CHART = f"mcr.microsoft.com/azurearck8s/batch1/stable/azure-arc-k8sagents:{AGENT_VERSION}"
#: Repositories of the registry and the folder of `sandbox/charts` that each one serves.
CHART_REPOSITORIES = {
    "azurearck8s/batch1/stable/v2/azure-arc-k8sagents": "azure-arc-k8sagents",
    "azurearck8s/helmchart/stable/clusterdiagnosticchecks": "clusterdiagnosticchecks",
}
#: Of these each version of the client names another one.
CHARTS_OF_ANY_VERSION = ("clusterdiagnosticchecks",)
