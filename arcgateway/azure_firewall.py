"""An allowlist as rules of an Azure Firewall policy: application rules, which name hosts and end no TLS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from arcgateway.allowlist import Entry
from arcgateway.endpoints import ALWAYS

API_VERSION = "2024-05-01"

#: Azure takes 100 to 65000 for a group and a collection; lower is evaluated first.
PRIORITIES = (100, 65000)
DEFAULT_PRIORITY = 300
COLLECTION = "azure-arc"


def rule_collection_group(
    entries: Sequence[Entry], priority: int = DEFAULT_PRIORITY, sources: Sequence[Any] = ("*",)
) -> dict[str, Any]:
    """The properties of a rule collection group (Microsoft.Network/firewallPolicies/ruleCollectionGroups).

    Application rules look at the TLS handshake's server name alone, so a name on a port besides 443 is one too.

    Args:
        entries: the names to let through.
        priority: of the group and its one collection.
        sources: addresses and ranges whose traffic it is; may hold template expressions.

    Raises:
        ValueError: a priority that Azure does not take.
    """
    low, high = PRIORITIES
    if not low <= priority <= high:
        raise ValueError(f"{priority} is no priority of a rule collection: give {low} to {high}")
    hosts: dict[tuple[str, int], list[str]] = {}
    for entry in entries:
        hosts.setdefault((entry.endpoint.scenario, entry.endpoint.port), []).append(entry.endpoint.host)
    rules = [
        {
            "ruleType": "ApplicationRule",
            "name": f"{'arc' if scenario == ALWAYS else scenario}-{port}",
            "description": "Azure Arc: what every cluster needs" if scenario == ALWAYS else f"Azure Arc: {scenario}",
            "sourceAddresses": list(sources),
            "protocols": [{"protocolType": "Https", "port": port}],
            "targetFqdns": sorted(names),
            "terminateTLS": False,
        }
        for (scenario, port), names in hosts.items()
    ]
    return {
        "priority": priority,
        "ruleCollections": [
            {
                "ruleCollectionType": "FirewallPolicyFilterRuleCollection",
                "name": COLLECTION,
                "priority": priority,
                "action": {"type": "Allow"},
                "rules": rules,
            }
        ],
    }


def template(entries: Sequence[Entry], heading: str) -> dict[str, Any]:
    """A template for `az deployment group create`, which makes the rule collection group in a firewall policy."""
    properties = rule_collection_group(entries, sources=())
    properties["priority"] = "[parameters('priority')]"
    for collection in properties["ruleCollections"]:
        collection["priority"] = "[parameters('priority')]"
        for rule in collection["rules"]:
            rule["sourceAddresses"] = "[parameters('sourceAddresses')]"
    return {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "metadata": {"description": heading},
        "parameters": {
            "firewallPolicyName": {"type": "string"},
            "ruleCollectionGroupName": {"type": "string", "defaultValue": COLLECTION},
            "priority": {
                "type": "int",
                "defaultValue": DEFAULT_PRIORITY,
                "minValue": PRIORITIES[0],
                "maxValue": PRIORITIES[1],
            },
            "sourceAddresses": {"type": "array", "defaultValue": ["*"]},
        },
        "resources": [
            {
                "type": "Microsoft.Network/firewallPolicies/ruleCollectionGroups",
                "apiVersion": API_VERSION,
                "name": "[format('{0}/{1}', parameters('firewallPolicyName'), parameters('ruleCollectionGroupName'))]",
                "properties": properties,
            }
        ],
    }
