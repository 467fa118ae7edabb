"""The file that stands for cluster DNS: names of Services, and the address of a ready pod behind each."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from sandbox.node.settings import Json


def hosts(services: Iterable[Json], pods: Iterable[Json]) -> dict[str, str]:
    """Address by name.

    Args:
        services: all Services of the cluster; those without selector have no address here.
        pods: all its pods. Of several ready ones the first by name is taken, so that nothing flaps.
    """
    ready = sorted((pod for pod in pods if _ready(pod)), key=lambda pod: str(pod["metadata"]["name"]))
    found = {}
    for service in services:
        name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
        selector = service["spec"].get("selector")
        match = next((pod for pod in ready if selector and _selects(selector, namespace, pod)), None)
        if match is not None:
            found[f"{name}.{namespace}.svc.cluster.local"] = str(match["status"]["podIP"])
    return dict(sorted(found.items()))


def write(path: Path, found: dict[str, str]) -> None:
    """Write the file whole, if it says something new."""
    text = json.dumps(found, indent=2) + "\n"
    if path.exists() and path.read_text() == text:
        return
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text)
    aside.replace(path)


def _ready(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return "deletionTimestamp" not in pod["metadata"] and any(
        condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions
    )


def _selects(selector: dict[str, str], namespace: str, pod: Json) -> bool:
    labels: dict[str, str] = pod["metadata"].get("labels", {})
    return bool(pod["metadata"]["namespace"] == namespace) and selector.items() <= labels.items()
