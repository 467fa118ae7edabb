"""What Azure holds of a connected cluster: its resource and its setting, read by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Held:
    """One look at Azure.

    Attributes:
        cluster: the connected cluster as the Resource Manager has it, None where there is none.
        setting: its HybridCompute setting, None where there is none.
    """

    cluster: Mapping[str, Any] | None
    setting: Mapping[str, Any] | None

    @property
    def properties(self) -> Mapping[str, Any]:
        """The cluster's properties, empty without a cluster."""
        return (self.cluster or {}).get("properties") or {}

    @property
    def status(self) -> str:
        """Connecting, Connected, Offline, ... or empty."""
        return str(self.properties.get("connectivityStatus") or "")

    @property
    def agent_version(self) -> str:
        """As the agents last told; empty before they did."""
        return str(self.properties.get("agentVersion") or "")

    @property
    def gateway_enabled(self) -> bool:
        """Whether the cluster's own half of the association is there."""
        return bool((self.properties.get("gateway") or {}).get("enabled"))

    @property
    def gateway_id(self) -> str:
        """Which gateway the setting names; empty for none."""
        properties = (self.setting or {}).get("properties") or {}
        return str((properties.get("gatewayProperties") or {}).get("gatewayResourceId") or "")

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags of the cluster's resource."""
        return (self.cluster or {}).get("tags") or {}
