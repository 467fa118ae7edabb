"""JSON as it is kept and sent: by orjson, and where that cannot hold a value, by the standard library."""

from __future__ import annotations

import json
from typing import Any

import orjson


def encode(value: Any) -> bytes | str:
    """A value as JSON: bytes, or text in ASCII.

    It is text where the value holds a whole number of more than 64 bits, a half of a character (as an address or a
    header may), or more levels than orjson goes.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":"))


def decode(encoded: bytes | str) -> Any:
    """The value that was encoded."""
    return orjson.loads(encoded) if isinstance(encoded, bytes) else json.loads(encoded)
