"""Resource ids of Azure Resource Manager: the kinds that associations are made of, and a firewall's policy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

SETTINGS = "providers/Microsoft.HybridCompute/settings/default"

_SUBSCRIPTION = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_GROUP = r"[-\w.()]{0,89}[-\w()]"


def same(one: str | None, other: str | None) -> bool:
    """Whether two ids name the same resource: Azure compares them without regard to case."""
    return (one or "").rstrip("/").lower() == (other or "").rstrip("/").lower()


def is_subscription(text: str) -> bool:
    """Whether a text has the form of a subscription's id."""
    return re.fullmatch(_SUBSCRIPTION, text) is not None


@dataclass(frozen=True)
class _ResourceId:
    subscription: str
    resource_group: str
    name: str

    provider_type: ClassVar[str]
    name_pattern: ClassVar[str]
    noun: ClassVar[str]

    def __str__(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/{self.provider_type}/{self.name}"
        )

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and same(str(self), str(other))

    def __hash__(self) -> int:
        return hash(str(self).lower())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an id.

        Raises:
            ValueError: it is not the id of such a resource; the message says what one looks like.
        """
        pattern = (
            f"/subscriptions/({_SUBSCRIPTION})/resourceGroups/({_GROUP})"
            f"/providers/{re.escape(cls.provider_type)}/({cls.name_pattern})/?"
        )
        match = re.fullmatch(pattern, text.strip(), re.IGNORECASE)
        if match is None:
            example = f"/subscriptions/GUID/resourceGroups/GROUP/providers/{cls.provider_type}/NAME"
            raise ValueError(f"{text!r} is not the id of {cls.noun}: give one of the form {example}")
        return cls(*match.groups())


@dataclass(frozen=True, eq=False)
class ConnectedClusterId(_ResourceId):
    """The id of a connected cluster (Microsoft.Kubernetes/connectedClusters)."""

    provider_type: ClassVar[str] = "Microsoft.Kubernetes/connectedClusters"
    name_pattern: ClassVar[str] = r"[A-Za-z0-9][-\w.]{0,62}"
    noun: ClassVar[str] = "a connected cluster"

    @property
    def setting(self) -> str:
        """The id of the extension resource that holds the cluster's association with a gateway."""
        return f"{self}/{SETTINGS}"


@dataclass(frozen=True, eq=False)
class GatewayId(_ResourceId):
    """The id of an Arc gateway (Microsoft.HybridCompute/gateways)."""

    provider_type: ClassVar[str] = "Microsoft.HybridCompute/gateways"
    name_pattern: ClassVar[str] = r"[-\w.]{1,63}"
    noun: ClassVar[str] = "an Arc gateway"


@dataclass(frozen=True, eq=False)
class FirewallPolicyId(_ResourceId):
    """The id of an Azure Firewall policy (Microsoft.Network/firewallPolicies)."""

    provider_type: ClassVar[str] = "Microsoft.Network/firewallPolicies"
    name_pattern: ClassVar[str] = r"[A-Za-z0-9][-\w.]{0,79}"
    noun: ClassVar[str] = "an Azure Firewall policy"


def subscription_in(resource_id: str) -> str:
    """The subscription of a gateway's id; empty where the text is none."""
    try:
        return GatewayId.parse(resource_id).subscription
    except ValueError:
        return ""


def cluster_of_entry(key: str, entry: Mapping[str, Any], subscription: str) -> str | None:
    """Which cluster an entry of a stack's `clusters` is, in a form to compare; None where it does not say.

    Args:
        key: the entry's key, which is the cluster's name where the entry has none.
        entry: its settings, checked or not.
        subscription: that of entries without one; empty where it is not known yet.
    """
    if "clusterId" in entry:
        try:
            return str(ConnectedClusterId.parse(str(entry["clusterId"]))).lower()
        except ValueError:
            return None
    if "resourceGroup" not in entry:
        return None
    named = str(entry.get("subscriptionId") or subscription), str(entry["resourceGroup"]), str(entry.get("name") or key)
    return str(ConnectedClusterId(*named)).lower()
