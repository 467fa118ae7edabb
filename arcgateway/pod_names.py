"""How pods are described in words of a command line or a setting: read, and refused with the mend."""

from __future__ import annotations

import re

_OWN_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_IMAGE = re.compile(r"[A-Za-z0-9][-\w.]*(:\d+)?(/[-\w.]+)*(:[\w][-\w.]{0,127})?(@sha256:[0-9a-f]{64})?", re.ASCII)
_LABEL = re.compile(r"([-\w./]{1,317})=([-\w.]{0,63})")
_TOLERATION = re.compile(r"([-\w./]{1,317})?(?:=([-\w.]{0,63}))?(?::(NoSchedule|PreferNoSchedule|NoExecute))?")


def name(text: str) -> str:
    """A name that Kubernetes objects can have.

    Raises:
        ValueError: it is none.
    """
    if not _OWN_NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name of an object in Kubernetes: small letters, digits, - and .")
    return text


def image(text: str) -> str:
    """A reference to an image.

    Raises:
        ValueError: it is none.
    """
    if not _IMAGE.fullmatch(text):
        raise ValueError(f"{text!r} is no reference to an image: give REGISTRY/NAME:TAG")
    return text


def label(text: str) -> tuple[str, str]:
    """A node's label, from `KEY=VALUE`.

    Raises:
        ValueError: it is none.
    """
    found = _LABEL.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no label of nodes: give KEY=VALUE")
    return found[1], found[2]


def toleration(text: str) -> dict[str, str]:
    """A toleration, from `KEY[=VALUE][:EFFECT]`; without a key and value it tolerates all of that effect.

    Raises:
        ValueError: it is none.
    """
    found = _TOLERATION.fullmatch(text)
    if found is None or not text or (found[2] is not None and not found[1]):
        raise ValueError(
            f"{text!r} is no toleration: give KEY, KEY=VALUE or KEY=VALUE:EFFECT, where EFFECT is NoSchedule, "
            "PreferNoSchedule or NoExecute"
        )
    key, value, effect = found.groups()
    made = {"key": key} if key else {}
    made |= {"operator": "Exists"} if value is None else {"operator": "Equal", "value": value}
    return made | ({"effect": effect} if effect else {})
