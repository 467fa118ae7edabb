"""Whether a text that a policy is given is a secret of Pulumi's.

The engine says so, but the SDK (1.21.0) drops it where it validates: there secrets arrive as plain text. So its reading
of the engine's message is led through here, which marks each text that may hold a URL with credentials. Where that has
not happened a text is unmarked, and nobody can tell: a rule must then take neither for granted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from pulumi_policy import deserialize
from pulumi_policy import policy as sdk

from .reading import Value

_Reading = Callable[..., dict[str, Any]]


class Marked(str):
    """A text of which the engine has said whether it is secret."""

    secret: bool

    def __new__(cls, text: str, secret: bool) -> Marked:
        marked = super().__new__(cls, text)
        marked.secret = secret
        return marked


def is_secret(value: Value) -> bool | None:
    """Whether a text is secret; None where it cannot be told."""
    return value.secret if isinstance(value, Marked) else None


def marking(read: _Reading) -> _Reading:
    """The SDK's reading of a message's properties, with marks where it does not keep the secrets as objects."""

    @wraps(read)
    def reading(props: dict[str, Any], proxy_secrets: bool = False) -> dict[str, Any]:
        return read(props if proxy_secrets else _marked(props, False), proxy_secrets)

    return reading


def _marked(value: Any, secret: bool) -> Any:
    if isinstance(value, str):
        return Marked(value, secret) if "@" in value and "://" in value else value
    if isinstance(value, Mapping):
        if value.get(deserialize.SPECIAL_SIG_KEY) == deserialize.SPECIAL_SECRET_SIG:
            secret = True
        return {key: _marked(item, secret) for key, item in value.items()}
    return [_marked(item, secret) for item in value] if isinstance(value, list) else value


def mark_secrets() -> None:
    """Have the SDK mark texts from now on, once."""
    # Not exported, as far as types go; a module's attribute nevertheless.
    current: _Reading = vars(sdk)["deserialize_properties"]
    if not hasattr(current, "__wrapped__"):
        vars(sdk)["deserialize_properties"] = marking(current)
