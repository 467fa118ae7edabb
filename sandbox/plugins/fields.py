"""Typed properties as data: their check against what a program gives, and their form in a package's schema."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.plugins.values import UNKNOWN, Properties, Secret, Value, is_asset

Kind = Literal["string", "integer", "number", "boolean", "array", "map", "object", "any"]


@dataclass(frozen=True)
class Field:
    """One property.

    Attributes:
        kind: its type; `object` has `members` (none: whatever is given), `map` and `array` have `items`.
        at: where an ARM body has it, dotted and relative to what holds it; empty when under its own name.
        required: a resource without it is refused.
        immutable: a change of it makes a new resource.
        readonly: the service sets it; no input.
        choices: the values of an enumeration, where others are refused.
    """

    kind: Kind = "string"
    at: str = ""
    required: bool = False
    immutable: bool = False
    readonly: bool = False
    items: Field | None = None
    members: Mapping[str, Field] = field(default_factory=dict)
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """Why a property is refused.

    Attributes:
        path: its property path.
        reason: what is wrong with it, and what to do.
    """

    path: str
    reason: str


def check(fields: Mapping[str, Field], values: Properties, at: str = "") -> Iterator[Failure]:
    """What is wrong with the values: missing, unknown or of another type. Unknown values pass."""
    inputs = {name: known for name, known in fields.items() if not known.readonly}
    for name, known in inputs.items():
        path = f"{at}.{name}" if at else name
        if name in values:
            yield from _check_value(known, values[name], path)
        elif known.required:
            yield Failure(path, f"missing required property '{path}'")
    for name in values:
        if name not in inputs and not name.startswith("__"):
            path = f"{at}.{name}" if at else name
            near = difflib.get_close_matches(name, inputs, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(sorted(inputs))}"
            yield Failure(path, f"there is no property '{path}': {hint}")


def schema(fields: Mapping[str, Field]) -> dict[str, Any]:
    """The properties as the schema of a Pulumi package has them."""
    return {name: _schema_type(known) for name, known in fields.items()}


def _check_value(known: Field, value: Value, path: str) -> Iterator[Failure]:
    if isinstance(value, Secret):
        value = value.value
    if value is UNKNOWN or known.kind == "any":
        return
    if not _TYPE_TESTS[known.kind](value) or is_asset(value):
        yield Failure(path, f"'{path}' should be of type '{known.kind}' but is {_describe(value)}")
    elif known.choices and value not in known.choices:
        yield Failure(path, f"'{path}' should be one of {', '.join(known.choices)} but is '{value}'")
    elif known.kind == "array" and known.items:
        for index, item in enumerate(value):
            yield from _check_value(known.items, item, f"{path}[{index}]")
    elif known.kind == "map" and known.items:
        for key, item in value.items():
            yield from _check_value(known.items, item, f"{path}.{key}")
    elif known.kind == "object" and known.members:
        yield from check(known.members, value, path)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPE_TESTS: Mapping[str, Callable[[Value], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: _is_number(value) and float(value).is_integer(),
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "map": lambda value: isinstance(value, dict),
    "object": lambda value: isinstance(value, dict),
}


def _describe(value: Value) -> str:
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return f"the number {value:g}"
        case str():
            return "a string"
        case list():
            return "an array"
        case dict() if is_asset(value):
            return "an asset"
        case dict():
            return "an object"
        case _:
            return "null"


def _schema_type(known: Field) -> dict[str, Any]:
    match known.kind:
        case "any":
            return {"$ref": "pulumi.json#/Any"}
        case "array":
            return {"type": "array", "items": _schema_type(known.items or Field("any"))}
        case "map":
            return {"type": "object", "additionalProperties": _schema_type(known.items or Field("any"))}
        case "object":
            return {"type": "object", "additionalProperties": {"$ref": "pulumi.json#/Any"}}
        case kind:
            return {"type": kind}
