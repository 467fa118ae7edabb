"""Reads the definition of a fault, and refuses a bad one with what is wrong and what is allowed."""

from __future__ import annotations

import random
import re
import time
from datetime import UTC, datetime
from typing import Any, NoReturn

from sandbox.azure.core import stamp
from sandbox.azure.errors import ArmError
from sandbox.azure.fault_kinds import KINDS, Setting, takes
from sandbox.azure.store import NEVER, Json

_NAMES = {str: "a string", int: "a whole number", float: "a number", bool: "true or false", list: "a list of strings"}


def read(definition: Json, now: float) -> tuple[str, Json]:
    """The kind and the settings of a definition.

    Raises:
        ArmError: 400, with what is wrong and what is allowed.
    """
    name = definition.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None or not isinstance(name, str):
        _refuse(f"'kind' must be one of {', '.join(KINDS)}, not {_shown(name)}")
    known = takes(kind)
    for given in definition:
        if given not in known and given != "kind":
            _refuse(f"{name} takes no '{given[:40]}'; it takes {', '.join(known)}")
    settings = {
        setting.name: _checked(setting, definition[setting.name])
        if definition.get(setting.name) is not None
        else setting.default
        for setting in known.values()
    }
    if kind.act:
        for setting in kind.settings:
            if settings[setting.name] is None:
                _refuse(f"{name} needs '{setting.name}': {setting.words}")
        return name, settings
    wrong = [method for method in settings["methods"] or () if method not in kind.methods]
    if wrong:
        _refuse(f"{name} strikes {', '.join(kind.methods)} only, not {', '.join(wrong)}")
    _set_end(settings, now)
    if settings["probability"] is None and settings["seed"] is not None:
        _refuse("'seed' is of no use without 'probability'")
    if settings["probability"] is not None and settings["seed"] is None:
        settings["seed"] = random.randrange(10**6)  # noqa: S311
    if settings.get("tokens") == "older":
        settings["since"] = time.time()  # tokens follow the machine's clock
    return name, settings


def _set_end(settings: Json, now: float) -> None:
    """Make one time of `for` and `until`."""
    seconds, text = settings.pop("for"), settings["until"]
    if seconds is not None and text is not None:
        _refuse("give one of 'for' and 'until', not both")
    if seconds is not None:
        settings["until"] = now + seconds
    if text is not None:
        try:
            at = datetime.fromisoformat(text)
            settings["until"] = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            _refuse(f"'until' must be a time as 2026-01-01T12:00:00Z, not {_shown(text)}")
        if not now < settings["until"] < NEVER:
            _refuse(f"'until' is over, or no time that will come: the sandbox's clock says {stamp(now)}")


def _checked(setting: Setting, value: Any) -> Any:
    name, kind = setting.name, setting.kind
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is list:
        good = isinstance(value, list) and value and all(isinstance(one, str) for one in value)
    else:
        good = (number and (kind is float or isinstance(value, int))) if kind in (int, float) else type(value) is kind
    if not good:
        _refuse(f"'{name}' must be {_NAMES[kind]}, not {_shown(value)}")
    if kind is list:
        value = [one.upper() for one in value]
    for one in value if kind is list else [value]:
        if setting.choices and one not in setting.choices:
            _refuse(f"'{name}' must be one of {', '.join(map(str, setting.choices))}, not {_shown(one)}")
    if number and not setting.least <= value <= setting.most:
        _refuse(f"'{name}' must be from {setting.least:.12g} to {setting.most:.12g}, not {_shown(value)}")
    if kind is str and not (value.strip() and re.fullmatch(setting.pattern or r".{1,1000}", value)):
        _refuse(f"'{name}' cannot be {_shown(value)}; it is the {setting.words}")
    return value


def _shown(value: object) -> str:
    return repr(value)[:80]


def _refuse(why: str) -> NoReturn:
    raise ArmError(400, "InvalidFault", f"{why}.")
