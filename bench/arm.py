"""What both benchmarks say to a local Azure: a session with a token, and how a group with a gateway is made."""

from __future__ import annotations

from typing import Any

import requests

from sandbox.certificates import certificates
from sandbox.home import Home

GROUPS, CLUSTERS, SETTINGS, GATEWAYS = "2022-09-01", "2025-08-01-preview", "2025-02-19-preview", "2024-07-31-preview"


class Arm:
    """A client of one local Azure, and the ids of what the benchmarks keep in it.

    Args:
        home: of a sandbox whose local Azure runs.
    """

    def __init__(self, home: Home) -> None:
        identity = home.identity
        self.url = f"https://localhost:{home.port('azure')}"
        self.roots = certificates(home).root
        self.subscription = f"/subscriptions/{identity.subscription_id}"
        self.group = f"{self.subscription}/resourceGroups/arc-bench"
        self.gateway = f"{self.group}/providers/Microsoft.HybridCompute/gateways/gw-bench"
        #: Where a token is had, and for what form.
        self.login = f"/{identity.tenant_id}/oauth2/v2.0/token"
        self.form = {
            "grant_type": "client_credentials",
            "client_id": identity.client_id,
            "client_secret": identity.client_secret,
            "scope": "https://management.azure.com/.default",
        }
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(self.roots)
        answer = self._session.post(f"{self.url}{self.login}", data=self.form)
        answer.raise_for_status()
        self.token = str(answer.json()["access_token"])
        self._session.headers["Authorization"] = f"Bearer {self.token}"

    def cluster(self, name: str) -> str:
        """A connected cluster's id."""
        return f"{self.group}/providers/Microsoft.Kubernetes/connectedClusters/{name}"

    @staticmethod
    def settings(cluster: str) -> str:
        """The id of what associates a cluster with a gateway."""
        return f"{cluster}/providers/Microsoft.HybridCompute/settings/default"

    @property
    def association(self) -> dict[str, Any]:
        """The settings of a cluster that uses the gateway."""
        return {"properties": {"gatewayProperties": {"gatewayResourceId": self.gateway}}}

    def durations(self, **seconds: float) -> None:
        """Set how long the creation of a `gateway` and of a `cluster` takes."""
        kinds = {"gateway": "Microsoft.HybridCompute/gateways", "cluster": "Microsoft.Kubernetes/connectedClusters"}
        self._ask(
            "POST", "/sandbox/durations", json={f"{kinds[name]}:create": value for name, value in seconds.items()}
        )

    def get(self, path: str) -> Any:
        """What is read at a path with its query."""
        return self._ask("GET", path).json()

    def put(self, identifier: str, version: str, body: dict[str, Any]) -> requests.Response:
        """Create or replace a resource."""
        return self._ask("PUT", identifier, params={"api-version": version}, json=body)

    def prepare(self) -> None:
        """Make the group and the gateway; nothing that is created from now on takes its time."""
        self.durations(gateway=0, cluster=0)
        self.put(self.group, GROUPS, {"location": "eastus"})
        self.put(self.gateway, GATEWAYS, {"location": "eastus", "properties": {"allowedFeatures": ["*"]}})

    def _ask(self, method: str, path: str, **more: Any) -> requests.Response:
        answer = self._session.request(method, f"{self.url}{path}", **more)
        answer.raise_for_status()
        return answer
