"""The JSON Schema of a fleet's file: `python -m components.fleet_schema` writes it.

Editors that speak YAML complete and check the file by it where its first line is
`# yaml-language-server: $schema=fleet.schema.json`.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from arcgateway import stack_settings
from arcgateway.fleet import document, regions

from .cluster import ConnectedClusterArgs, GatewayAssociationArgs
from .gateway import ArcGatewayArgs
from .stack_schema import SAME_FIELDS, describe

FILE = "fleet.schema.json"

#: Whose descriptions the fields of a fleet's models take where they have none of their own.
_SAME_FIELDS: dict[str, Any] = {
    **SAME_FIELDS,
    "FleetOwnGateway": ArcGatewayArgs,
    "FleetOnboardedCluster": ConnectedClusterArgs,
    "FleetExistingCluster": GatewayAssociationArgs,
    "FleetExistingClusterById": GatewayAssociationArgs,
    "FleetFile": ConnectedClusterArgs,
}

_FROM_ENV = {
    "type": "object",
    "properties": {"fromEnv": {"type": "string"}},
    "required": ["fromEnv"],
    "additionalProperties": False,
}

#: What tells the forms of a cluster apart; everything else may come from the defaults.
_TELLING = {"existing", "clusterId"}


def schema() -> dict[str, Any]:
    """The schema of the whole file."""
    made = document.FleetFile.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = made["$defs"]
    for name, definition in {**definitions, "FleetFile": made}.items():
        describe(definition, getattr(document, name, None) or getattr(stack_settings, name), _SAME_FIELDS.get(name))
    forms = [definitions[form.__name__] for form in document.CLUSTER_FORMS.values()]
    for form in forms:
        form["required"] = [name for name in form["required"] if name in _TELLING]
    shared = {name: shown for form in forms for name, shown in form["properties"].items()}
    made["properties"]["defaults"] |= {
        "properties": {name: shown for name, shown in shared.items() if name not in document.OF_ONE_CLUSTER},
        "additionalProperties": False,
    }
    for properties, name in _places_of_regions(made, forms):
        properties[name] = properties[name] | {"examples": sorted(regions.public())}
    allowlist = definitions["Allowlist"]["properties"]
    for name in [one for one in allowlist if one.startswith("firewall")]:
        del allowlist[name]
    for definition in definitions.values():
        for shown in definition["properties"].values():
            if shown.get("default") == "":  # what stands for a value that is found out
                del shown["default"]
    _from_environment(made)
    definitions["Proxy"]["properties"]["password"] |= _FROM_ENV
    definitions["Proxy"]["properties"]["password"].pop("anyOf")
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "A fleet behind Azure Arc gateways", **made}


def _places_of_regions(made: dict[str, Any], forms: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str]]:
    for form in [*forms, made["$defs"]["FleetOwnGateway"], made["properties"]["defaults"]]:
        yield form["properties"], "location"


def _from_environment(at: Any) -> None:
    """Secrets come from variables here, where a stack's file has them encrypted."""
    if isinstance(at, dict):
        for name, value in at.items():
            if isinstance(value, dict) and "secure" in value.get("properties", {}):
                at[name] = _FROM_ENV
            else:
                _from_environment(value)
    elif isinstance(at, list):
        for index, value in enumerate(at):
            if isinstance(value, dict) and "secure" in value.get("properties", {}):
                at[index] = _FROM_ENV
            else:
                _from_environment(value)


def text() -> str:
    """The schema as it stands in the file."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    Path(FILE).write_text(text())
    print(f"written: {FILE}", file=sys.stderr)
