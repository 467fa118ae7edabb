"""Property values as the engine sends them, in plain Python: unknowns, secrets, and the rest as JSON has it.

A map entry that is null is the same as none, as in the plugins of Go; a null in a list stays, to keep positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, cast

from google.protobuf import struct_pb2

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the signature of secrets, none itself
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
RESOURCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"

#: What stands for an unknown string on the wire, and what stands for one of any type.
UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWN_MARKS: Final = frozenset(
    (
        UNKNOWN_STRING,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    )
)

#: A property value: None, bool, float, str, list, dict, Secret or UNKNOWN. Assets stay the maps that they are sent as.
Value = Any
Properties = dict[str, Value]


class Unknown(Enum):
    """The type of UNKNOWN: a value that only an update will know."""

    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True)
class Secret:
    """A value that the state keeps encrypted."""

    value: Value

    def __repr__(self) -> str:
        return "Secret(...)"


def decode(struct: struct_pb2.Struct) -> Properties:
    """The properties in a message. A resource reference becomes its id, as for plugins that take none."""
    return {key: value for key, field in struct.fields.items() if (value := _decode(field)) is not None}


def encode(properties: Mapping[str, Value]) -> struct_pb2.Struct:
    """The message for properties; secrets and unknowns travel as such."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        if value is not None:
            _encode(value, struct.fields[key])
    return struct


def plain(value: Value) -> Value:
    """The value without its secret wrappings, at any depth."""
    match value:
        case Secret(inner):
            return plain(inner)
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case _:
            return value


def has_secrets(value: Value) -> bool:
    """Whether the value, or anything in it, is secret."""
    match value:
        case Secret():
            return True
        case dict():
            return any(map(has_secrets, value.values()))
        case list():
            return any(map(has_secrets, value))
        case _:
            return False


def has_unknowns(value: Value) -> bool:
    """Whether the value, or anything in it, is unknown."""
    match value:
        case Unknown.UNKNOWN:
            return True
        case Secret(inner):
            return has_unknowns(inner)
        case dict():
            return any(map(has_unknowns, value.values()))
        case list():
            return any(map(has_unknowns, value))
        case _:
            return False


def is_asset(value: Value) -> bool:
    """Whether the value is an asset or an archive."""
    return isinstance(value, dict) and value.get(SIGNATURE) in (ASSET, ARCHIVE)


def like(outputs: Properties, inputs: Properties) -> Properties:
    """The outputs, with those made secret whose input of the same name holds a secret."""
    return {
        key: Secret(value) if has_secrets(inputs.get(key)) and not isinstance(value, Secret) else value
        for key, value in outputs.items()
    }


def as_json(value: Value) -> Value:
    """A plain value with whole numbers as integers, which is how a JSON body of a REST API has them."""
    match value:
        case dict():
            return {key: as_json(item) for key, item in value.items()}
        case list():
            return [as_json(item) for item in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def _decode(value: struct_pb2.Value) -> Value:
    match value.WhichOneof("kind"):
        case "string_value":
            return UNKNOWN if value.string_value in UNKNOWN_MARKS else value.string_value
        case "number_value":
            return value.number_value
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_decode(item) for item in value.list_value.values]
        case "struct_value":
            return _decode_map(decode(value.struct_value))
        case _:
            return None


def _decode_map(fields: Properties) -> Value:
    match fields.get(SIGNATURE):
        case str(signature) if signature == SECRET:
            return Secret(fields.get("value"))
        case str(signature) if signature == OUTPUT:
            known = fields.get("value", UNKNOWN)
            return Secret(known) if fields.get("secret") and not isinstance(known, Secret) else known
        case str(signature) if signature == RESOURCE:
            return fields.get("id") or fields.get("urn")
        case _:
            return fields


def _encode(value: Value, into: struct_pb2.Value) -> None:
    match value:
        case None:
            into.null_value = cast("struct_pb2.NullValue.ValueType", 0)
        case Unknown.UNKNOWN:
            into.string_value = UNKNOWN_STRING
        case Secret(inner):
            fields = into.struct_value.fields
            fields[SIGNATURE].string_value = SECRET
            _encode(inner, fields["value"])
        case bool():
            into.bool_value = value
        case int() | float():
            into.number_value = value
        case str():
            into.string_value = value
        case dict():
            into.struct_value.CopyFrom(encode(value))
        case list():
            into.list_value.SetInParent()
            for item in value:
                _encode(item, into.list_value.values.add())
        case _:
            raise TypeError(f"a {type(value).__name__} is no property value")
