"""The agents of one virtual cluster: what helm would have installed, and when it becomes ready."""

from __future__ import annotations

import base64
import gzip
import json
import time
from dataclasses import dataclass
from typing import Any

import yaml

from sandbox.home import PROJECT
from sandbox.world import AGENT_VERSION

NAMESPACE, RELEASE_NAMESPACE, RELEASE = "azure-arc", "azure-arc-release", "azure-arc"

#: Seconds that a real installation takes here, from the first image to the last ready pod, and until the first
#: sign of life (seen with two clusters on two idle cores).
INSTALL_SECONDS = 4.0

_CHART = PROJECT / "sandbox/charts/azure-arc-k8sagents"
_NAMES: list[str] = yaml.safe_load((_CHART / "values.yaml").read_text())["agents"]

Object = dict[str, Any]


@dataclass(frozen=True)
class Release:
    """The helm release of the agents.

    Attributes:
        values: what it was installed with.
        begun: when, in seconds since the epoch.
        revision: how often it was written.
        failed: whether somebody has marked it so.
    """

    values: Object
    begun: float
    revision: int = 1
    failed: bool = False

    @property
    def ready(self) -> bool:
        """Whether its pods are."""
        return time.time() >= self.begun + INSTALL_SECONDS

    @property
    def status(self) -> str:
        """As helm has it."""
        if self.failed:
            return "failed"
        return "deployed" if self.ready else "pending-install" if self.revision == 1 else "pending-upgrade"

    @property
    def identity(self) -> dict[str, str]:
        """The connected cluster that the agents are: `subscriptionId`, `resourceGroupName`, `resourceName`."""
        return dict(self.values["global"])

    @property
    def resource_id(self) -> str:
        """Its ARM id."""
        named = self.identity
        group = f"/subscriptions/{named['subscriptionId']}/resourceGroups/{named['resourceGroupName']}"
        return f"{group}/providers/Microsoft.Kubernetes/connectedClusters/{named['resourceName']}"

    def record(self) -> Object:
        """The Secret in which helm keeps it."""
        body = {
            "name": RELEASE,
            "info": {
                "status": self.status,
                "last_deployed": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.begun)),
            },
            "config": self.values,
            "version": self.revision,
            "namespace": RELEASE_NAMESPACE,
        }
        packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(body).encode()))).decode()
        labels = {"name": RELEASE, "owner": "helm", "status": self.status, "version": str(self.revision)}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": f"sh.helm.release.v1.{RELEASE}.v{self.revision}",
                "namespace": RELEASE_NAMESPACE,
                "labels": labels,
                "resourceVersion": str(self.revision),
            },
            "type": "helm.sh/release.v1",
            "data": {"release": packed},
        }

    def config_map(self) -> Object:
        """What the agents know of themselves."""
        named = self.identity
        data = {
            "AZURE_ARC_AGENT_VERSION": AGENT_VERSION,
            "AZURE_REGION": named["location"],
            "AZURE_RESOURCE_GROUP": named["resourceGroupName"],
            "AZURE_RESOURCE_NAME": named["resourceName"],
            "AZURE_SUBSCRIPTION_ID": named["subscriptionId"],
            "AZURE_TENANT_ID": named["tenantId"],
        }
        metadata = {"name": "azure-clusterconfig", "namespace": NAMESPACE, "resourceVersion": "1"}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    def deployments(self) -> list[Object]:
        """The agents, and the Arc Proxy where there is a gateway."""
        proxy = ["arc-proxy"] if str(self.values["global"].get("gatewayEnabled")).lower() == "true" else []
        count = 1 if self.ready else 0
        return [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {
                    "name": name,
                    "namespace": NAMESPACE,
                    "generation": self.revision,
                    "resourceVersion": str(self.revision),
                },
                "spec": {"replicas": 1},
                "status": {"observedGeneration": self.revision, "readyReplicas": count, "updatedReplicas": count},
            }
            for name in [*_NAMES, *proxy]
        ]
