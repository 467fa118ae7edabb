"""Lists, tags and JSON as `az` takes them among its words."""

from __future__ import annotations

import json

from .reading import UNKNOWN, Value, plain
from .shell import OPEN


def items(words: list[str] | None) -> Value:
    """A list as `az` takes it (words, JSON, or `[one,other]`) or PowerShell (`@('one')`)."""
    if words is None:
        return None
    found: list[Value] = []
    for word in words:
        enclosed = word.startswith(("[", "@"))
        parts = word.strip("[]@").split(",") if enclosed or word.endswith(",") else [word]
        found += [UNKNOWN if OPEN in part else part.strip(" '\"") for part in parts if part or not enclosed]
    return found


def pairs(words: list[str] | None) -> Value:
    """Tags as `az` takes them: `NAME=VALUE` words, or JSON."""
    if words is None:
        return None
    if words and words[0].startswith("{"):
        return stated(" ".join(words))
    found: dict[str, Value] = {}
    for word in words:
        name, _, value = word.partition("=")
        if OPEN in name:
            return UNKNOWN
        found[name] = UNKNOWN if OPEN in value else value
    return found


def stated(text: str) -> Value:
    """The value of JSON text in which parts may be open; UNKNOWN where it is none."""

    def read(value: Value) -> Value:
        if isinstance(value, dict):
            return {key: read(item) for key, item in value.items()}
        if isinstance(value, list):
            return [read(item) for item in value]
        return UNKNOWN if isinstance(value, str) and OPEN in value else value

    try:
        return read(plain(json.loads(text, strict=False)))
    except (ValueError, RecursionError):
        return UNKNOWN


def elsewhere(given: Value) -> bool:
    """Whether a text is the name of a file, which is not read, or is open in part."""
    return isinstance(given, str) and (given.startswith("@") or OPEN in given)
