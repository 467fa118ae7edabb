"""The pipelines of the example's fleet, and what they are held to."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from arcgateway.fleet import pipelines
from arcgateway.fleet.description import Fleet
from arcgateway.fleet.partition import stacks

PROJECT = Path(__file__).resolve().parents[2]
PUBLISHED = Path(__file__).with_name("published")
EXAMPLES = PROJECT / "pipelines"
FLEET = "examples/fleet/fleet.yaml"

#: How the examples are made, by engine; `pipelines/README.md` has the same in words.
OPTIONS: dict[str, dict[str, str]] = {
    "github": {},
    "azure": {},
    "gitlab": {"image": "registry.example/arc-gateway:0.1.0"},
    "operator": {
        "image": "registry.example/arc-gateway:0.1.0",
        "repository": "https://git.example/platform/fleet.git",
    },
    "deployments": {
        "image": "registry.example/arc-gateway:0.1.0",
        "repository": "example/fleet",
        "client_id": "33333333-3333-3333-3333-333333333333",
        "tenant_id": "44444444-4444-4444-4444-444444444444",
        "subscription_id": "11111111-1111-1111-1111-111111111111",
    },
}


def subject(path: Path = PROJECT / FLEET, name: str = FLEET, **options: str) -> pipelines.Subject:
    """What pipelines of a fleet's file are made for."""
    fleet = Fleet.load(path, env=None)
    return pipelines.Subject(
        file=name,
        name=fleet.name,
        organization=fleet.organization,
        project=fleet.project,
        rings=tuple(ring.name for ring in fleet.rings),
        stacks=stacks(fleet),
        **options,
    )


@cache
def example(engine: str) -> dict[str, str]:
    """An engine's files for the example's fleet."""
    return pipelines.files(engine, subject(**OPTIONS[engine]))


def write_examples() -> None:
    """Bring the examples that are checked in up to date."""
    for engine in OPTIONS:
        shutil.rmtree(EXAMPLES / engine, ignore_errors=True)
        for path, text in example(engine).items():
            file = EXAMPLES / engine / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)


def documents(text: str) -> list[Any]:
    return [one for one in yaml.safe_load_all(text) if one is not None]


def published(name: str) -> Any:
    return json.loads((PUBLISHED / name).read_text())


if __name__ == "__main__":
    write_examples()
