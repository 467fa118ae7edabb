"""What programs in other languages see: the schema that is checked in, whole and described."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from components.package import COMPONENTS, Package, field_descriptions
from sandbox.home import PROJECT

SCHEMA = PROJECT / "components/schema.json"

#: A name that is gone breaks every program and every state that has it.
TOKENS = {
    "arc-gateway:index:ArcGateway",
    "arc-gateway:index:ConnectedCluster",
    "arc-gateway:index:EndpointAllowlist",
    "arc-gateway:index:GatewayAssociation",
    "arc-gateway:index:GatewayOperatorRole",
    "arc-gateway:index:ProxySettings",
}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Package().schema or "")
    return found


def test_what_is_checked_in_is_current(schema: dict[str, Any]) -> None:
    assert json.loads(SCHEMA.read_text()) == schema, "run `make schema` and look at what it changes"


def test_type_tokens_stay(schema: dict[str, Any]) -> None:
    assert set(schema["resources"]) == TOKENS
    assert {component.__name__ for component in COMPONENTS} == {token.rsplit(":", 1)[1] for token in TOKENS}
    assert all(resource["isComponent"] for resource in schema["resources"].values())


def test_everything_is_described(schema: dict[str, Any]) -> None:
    properties = {
        f"{token}.{kind}.{name}": field
        for token, owner in (schema["resources"] | schema.get("types", {})).items()
        for kind in ("inputProperties", "properties")
        for name, field in owner.get(kind, {}).items()
    }
    described = schema["resources"] | properties
    assert [name for name, field in described.items() if not field.get("description")] == []
    assert [name for name, field in described.items() if "\n " in field["description"]] == []


def test_an_inherited_field_keeps_its_description() -> None:
    for component in ("ConnectedCluster", "GatewayAssociation"):
        (found,) = [each for each in COMPONENTS if each.__name__ == component]
        arguments = found.__init__.__annotations__["args"]
        assert field_descriptions(arguments)["kube_context"].startswith("Context of the kubeconfig")
        assert field_descriptions(found)["agent_version"].startswith("Version of the agents")


def test_the_folder_asks_for_the_distribution_of_its_own_version(schema: dict[str, Any]) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    required = (PROJECT / "components/requirements.txt").read_text().split()
    assert required == [f"{project['name']}=={project['version']}"]
    assert schema["version"] == project["version"]
