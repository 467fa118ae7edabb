"""Whether a text that a policy is given is a secret of Pulumi's.

The engine says so, but the SDK (1.21.0) drops it where it validates: there secrets arrive as plain text. So its reading
of the engine's message is led through here, which marks each text that may hold a URL with credentials. Where that has
not happened a text is unmarked, and nobody can tell: a rule must then take neither for granted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
        if not proxy_secrets:
            _mark(props, secret=False)
        return read(props, proxy_secrets)

    return reading


def _mark(message: dict[str, Any] | list[Any], *, secret: bool) -> None:
    # In place, and by exact types: every input of every resource comes by, for every policy.
    if type(message) is dict:
        secret = secret or message.get(deserialize.SPECIAL_SIG_KEY) == deserialize.SPECIAL_SECRET_SIG
        items: Iterable[tuple[Any, Any]] = message.items()
    else:
        items = enumerate(message)
    for key, item in items:
        kind = type(item)
        if kind is str:
            if "@" in item and "://" in item:
                message[key] = Marked(item, secret)
        elif kind is dict or kind is list:
            _mark(item, secret=secret)


def mark_secrets() -> None:
    """Have the SDK mark texts from now on, once."""
    # Not exported, as far as types go; a module's attribute nevertheless.
    current: _Reading = vars(sdk)["deserialize_properties"]
    if not hasattr(current, "__wrapped__"):
        vars(sdk)["deserialize_properties"] = marking(current)
