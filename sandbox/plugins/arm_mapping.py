"""Between the properties of a Pulumi resource and ARM: ids, request bodies, outputs and inputs read back."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sandbox.plugins.azure_types import ArmType
from sandbox.plugins.fields import Field
from sandbox.plugins.values import Properties, Value, as_json

_PARAMETER = re.compile(r"\{(\+?)(\w+)\}")


class NoSuchId(Exception):
    """An id is not one of the type."""


def resource_id(arm: ArmType, inputs: Properties, subscription: str) -> str:
    """The id that the resource has, or will have."""
    known = {**inputs, "subscriptionId": subscription}
    path = _PARAMETER.sub(lambda match: str(known[match.group(2)]).strip("/"), arm.path)
    return re.sub("/+", "/", path)


def id_parameters(arm: ArmType, id: str) -> Properties:
    """The path's parameters in an id, but for the subscription.

    Raises:
        NoSuchId: see there.
    """
    pattern = ""
    for literal, many, name in re.findall(r"([^{]+)(?:\{(\+?)(\w+)\})?", arm.path):
        pattern += re.escape(literal) + (f"(?P<{name}>{'.*' if many else '[^/]+'})" if name else "")
    match = re.fullmatch(pattern, id, re.IGNORECASE)
    if match is None:
        form = _PARAMETER.sub(lambda part: "{" + part.group(2) + "}", arm.path)
        raise NoSuchId(f"'{id}' is no id of the form {form}")
    found = {name: value for name, value in match.groupdict().items() if name != "subscriptionId"}
    return found | ({"scope": f"/{found['scope']}"} if "scope" in found else {})


def body(fields: Mapping[str, Field], inputs: Properties) -> Properties:
    """The body of a PUT for plain inputs."""
    result: Properties = {}
    for name, field in fields.items():
        if not field.readonly and name in inputs:
            _put(result, field.at or name, _outwards(field, as_json(inputs[name])))
    return result


def outputs(fields: Mapping[str, Field], answer: Properties) -> Properties:
    """What ARM answers, as the SDK names it; what it does not know of is left out."""
    found = {name: _get(answer, field.at or name) for name, field in fields.items()}
    return {name: _inwards(fields[name], value) for name, value in found.items() if value is not None}


def inputs(arm: ArmType, outputs: Properties) -> Properties:
    """Those of the outputs that a program could have given."""
    return _writable(arm.fields, outputs)


def _writable(fields: Mapping[str, Field], values: Properties) -> Properties:
    return {
        name: _writable(field.members, values[name])
        if field.members and isinstance(values[name], dict)
        else values[name]
        for name, field in fields.items()
        if not field.readonly and name in values
    }


def _outwards(field: Field, value: Value) -> Value:
    if field.members and isinstance(value, dict):
        return body(field.members, value)
    if field.items and isinstance(value, list):
        return [_outwards(field.items, item) for item in value]
    return value


def _inwards(field: Field, value: Value) -> Value:
    if field.members and isinstance(value, dict):
        return outputs(field.members, value)
    if field.items and isinstance(value, list):
        return [_inwards(field.items, item) for item in value]
    return value


def _put(into: Properties, path: str, value: Value) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        into = into.setdefault(parent, {})
    into[last] = value


def _get(value: Value, path: str) -> Value:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
