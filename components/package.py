"""The components as a Pulumi package: what `pulumi package get-schema` shows and what serves other languages."""

import ast
import inspect
import json
import sys
import textwrap
from typing import Any, Optional

from pulumi import ComponentResource, Inputs, ResourceOptions
from pulumi.errors import InputPropertyError
from pulumi.provider import ConstructResult
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError

import arcgateway

from . import __all__ as public
from .component import PACKAGE, ArgumentError, in_camel_case

#: Every public component is in the package.
COMPONENTS: list[type[ComponentResource]] = [
    found
    for name in public
    if isinstance(found := getattr(sys.modules[__package__], name), type) and issubclass(found, ComponentResource)
]


class Package(ComponentProvider):
    """Serves the components. Its schema is the SDK's, which is inferred from their annotations, with all descriptions.

    The SDK reads descriptions from the source of a class alone, so that inherited fields would have none.
    """

    def __init__(self) -> None:
        super().__init__(COMPONENTS, PACKAGE, version=arcgateway.__version__)
        schema = json.loads(self.schema or "{}")
        schema["displayName"] = "Azure Arc gateway"
        schema["description"] = inspect.cleandoc(sys.modules[__package__].__doc__ or "")
        for component in COMPONENTS:
            resource = schema["resources"][f"{PACKAGE}:index:{component.__name__}"]
            resource["description"] = inspect.cleandoc(component.__doc__ or "")
            defined = self._component_defs[component.__name__]
            arguments = inspect.get_annotations(component.__init__)["args"]
            _describe(resource["inputProperties"], arguments, defined.inputs_mapping)
            _describe(resource["properties"], component, defined.outputs_mapping)
        for name, definition in self._type_defs.items():
            shown = schema["types"][f"{PACKAGE}:index:{name}"]
            _describe(shown.get("properties", {}), definition.python_type, definition.properties_mapping)
        self.schema = json.dumps(schema, indent=2, sort_keys=True)

    def construct(
        self, name: str, resource_type: str, inputs: Inputs, options: Optional[ResourceOptions] = None
    ) -> ConstructResult:
        """Declare a component. An argument that cannot be used is told as the program names it, and without a trace."""
        try:
            return super().construct(name, resource_type, inputs, options)
        except ComponentInitError as failed:
            if not isinstance(failed.inner, ArgumentError):
                raise
            raise InputPropertyError(in_camel_case(failed.inner.argument), failed.inner.reason) from None


def _describe(properties: dict[str, Any], owner: type, names: dict[str, str]) -> None:
    descriptions = field_descriptions(owner)
    for shown, field in properties.items():
        if names[shown] in descriptions:
            field["description"] = descriptions[names[shown]]


def field_descriptions(owner: type) -> dict[str, str]:
    """The text below each field of a class, inherited ones included.

    Bases are looked up by their names in the source, because a TypedDict forgets them.
    """
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    except (OSError, TypeError):  # a class without a source of its own, such as a builtin
        return {}
    assert isinstance(definition, ast.ClassDef)
    module = sys.modules[owner.__module__]
    found: dict[str, str] = {}
    for base in definition.bases:
        if isinstance(base, ast.Name) and isinstance(known := getattr(module, base.id, None), type):
            found |= field_descriptions(known)
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(description))):
                found[name] = inspect.cleandoc(description)
    return found


if __name__ == "__main__":  # `make schema`
    print(Package().schema)
