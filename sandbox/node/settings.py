"""What one node is told: its cluster, its files, its manners."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.home import Home
from sandbox.world import CLUSTERS

Json = dict[str, Any]

#: Second byte of the pods' loopback addresses. Clusters that are not named here share the last one.
NETWORKS = {cluster: 10 * number for number, cluster in enumerate(CLUSTERS, start=1)}
OTHER_NETWORK = 250


@dataclass(frozen=True)
class Settings:
    """One node's settings.

    Attributes:
        cluster: its cluster's name.
        folder: its state: pods' folders, the file of Service names.
        port: where it serves logs.
        server: URL of the API server, which `token` signs in to.
        root: PEM file of the root that signed both sides' certificates; `bundle` has the public roots too.
        chain: its own certificate, with `key`.
        client: the common name by which the API server shows itself.
        back_off: seconds before the second restart of a container; doubles up to thirty times that.
    """

    cluster: str
    folder: Path
    port: int
    server: str
    token: str
    root: str
    bundle: str
    chain: str
    key: str
    client: str
    back_off: float = 10.0

    @property
    def node(self) -> str:
        """The Node's name."""
        return f"node-{self.cluster}"

    @property
    def network(self) -> int:
        """Second byte of the pods' addresses."""
        return NETWORKS.get(self.cluster, OTHER_NETWORK)

    @property
    def hosts_file(self) -> Path:
        """The file that stands for cluster DNS (SANDBOX_HOSTS)."""
        return self.folder / "hosts.json"


def read_settings(home: Home, cluster: str, back_off: float) -> Settings:
    """The settings that the service's preparation wrote.

    Raises:
        FileNotFoundError: the sandbox was never started there.
    """
    folder = home.folder(f"node-{cluster}")
    stored: dict[str, str] = json.loads((folder / "settings.json").read_text())
    return Settings(cluster, folder, home.port(f"node-{cluster}"), back_off=back_off, **stored)
