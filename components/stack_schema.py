"""The JSON Schema of a stack's file, `Pulumi.STACK.yaml`: `python -m components.stack_schema` writes it.

Editors that speak YAML complete and check the file by it where its first line is
`# yaml-language-server: $schema=stack.schema.json`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from arcgateway import stack_settings as settings

from .allowlist import EndpointAllowlistArgs
from .cluster import ConnectedClusterArgs, GatewayAssociationArgs
from .gateway import ArcGatewayArgs
from .package import field_descriptions
from .proxy import ProxySettingsArgs

FILE = "stack.schema.json"

#: Whose descriptions a model's fields take where they have none of their own: the argument's of the same name.
SAME_FIELDS: dict[str, Any] = {
    "Allowlist": EndpointAllowlistArgs,
    "OwnGateway": ArcGatewayArgs,
    "Proxy": ProxySettingsArgs,
    "OnboardedCluster": ConnectedClusterArgs,
    "ExistingCluster": GatewayAssociationArgs,
    "ExistingClusterById": GatewayAssociationArgs,
    "Settings": ConnectedClusterArgs,
}


def schema() -> dict[str, Any]:
    """The schema of the whole file. What is not this program's is Pulumi's, and free."""
    made = settings.Settings.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = made.pop("$defs")
    for name, definition in {**definitions, "Settings": made}.items():
        describe(definition, getattr(settings, name), SAME_FIELDS.get(name))
    namespace = settings.NAMESPACE
    keys = {f"{namespace}:{key}": shown for key, shown in made["properties"].items()}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A stack of the Azure Arc gateway program",
        "type": "object",
        "properties": {
            "config": {
                "description": made["description"],
                "type": "object",
                "properties": keys,
                "patternProperties": {f"^{namespace}:(?!({'|'.join(settings.KEYS)})$)": False},
                "required": [f"{namespace}:{key}" for key in made["required"]],
            }
        },
        "$defs": definitions,
    }


def describe(definition: dict[str, Any], model: Any, arguments: Any) -> None:
    """Complete a model's schema: descriptions of it and its fields, and no title and no null."""
    descriptions = (field_descriptions(arguments) if arguments else {}) | field_descriptions(model)
    definition["description"] = " ".join(model.__doc__.split())
    definition.pop("title", None)
    for name, field in model.model_fields.items():
        shown = definition["properties"][field.alias]
        shown.pop("title", None)
        if shown.get("default", ...) is None:  # null is no value that one would write
            del shown["default"]
        options = [option for option in shown.get("anyOf", ()) if option != {"type": "null"}]
        if len(options) == 1:
            del shown["anyOf"]
            shown.update(options[0])
        elif options:
            shown["anyOf"] = options
        shown["description"] = " ".join(descriptions[name].split())


def text() -> str:
    """The schema as it stands in the file."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    Path(FILE).write_text(text())
    print(f"written: {FILE}", file=sys.stderr)
