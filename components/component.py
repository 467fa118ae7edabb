"""What all components share: their type tokens, and inputs and outputs that policies and the state can see."""

import re
from collections.abc import Mapping
from typing import Any, Optional

import pulumi

PACKAGE = "arc-gateway"


class Component(pulumi.ComponentResource):
    """A component whose arguments are handed on as properties, under the names that other languages use."""

    def __init__(self, name: str, args: Mapping[str, Any], opts: Optional[pulumi.ResourceOptions]) -> None:
        super().__init__(f"{PACKAGE}:index:{type(self).__name__}", name, camel_case(args), opts)

    def child(self, **options: Any) -> pulumi.ResourceOptions:
        """Options for a resource inside this component."""
        return pulumi.ResourceOptions(parent=self, **options)

    def register(self, **outputs: Any) -> None:
        """Set outputs as attributes and register them."""
        for name, value in outputs.items():
            setattr(self, name, value)
        self.register_outputs(camel_case(outputs))


def camel_case(names: Mapping[str, Any]) -> dict[str, Any]:
    """The same values under camelCase names; nested keys are data and stay as they are."""
    return {re.sub(r"_([a-z])", lambda m: m[1].upper(), name): value for name, value in names.items()}
