"""Fleets' files for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from arcgateway.fleet.description import Fleet, FleetError, Problem

SUBSCRIPTIONS = [f"{number}" * 8 + f"-{number * 4}" * 3 + "-" + f"{number}" * 12 for number in "123"]


def fleet(clusters: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """What a fleet's file says, with everything but clusters given."""
    return {
        "name": "retail",
        "clustersPerStack": 3,
        "subscriptions": SUBSCRIPTIONS[:1],
        "rings": [{"name": "canary"}, {"name": "broad"}],
        "gateways": {"main": {"resourceGroup": "gateways", "location": "eastus"}},
        "defaults": {
            "subscriptionId": SUBSCRIPTIONS[0],
            "resourceGroup": "shops",
            "location": "eastus",
            "ring": "canary",
        },
        "clusters": dict(clusters),
        **changes,
    }


def written(folder: Path, content: str | Mapping[str, Any]) -> Path:
    """A file with a text, or with what a mapping says."""
    path = folder / "fleet.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(dict(content), sort_keys=False))
    return path


def loaded(folder: Path, content: str | Mapping[str, Any], env: Mapping[str, str] | None = None) -> Fleet:
    return Fleet.load(written(folder, content), env)


def problems(folder: Path, content: str | Mapping[str, Any], env: Mapping[str, str] | None = None) -> list[Problem]:
    """What is wrong with a file; nothing where it is right."""
    try:
        loaded(folder, content, env)
    except FleetError as error:
        return list(error.problems)
    return []
