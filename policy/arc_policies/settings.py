"""What a user may set: the profile, the rules' options, and exemptions of single resources."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

PACK_FILE = Path(__file__).parent.parent / "pack.toml"
PROFILES = ("preview", "ga")

T = TypeVar("T")


@dataclass(frozen=True)
class Option(Generic[T]):
    """One thing to set, in pack.toml for the whole pack or in a policy's own configuration.

    Attributes:
        name: its key, unique in the pack.
        meaning: a sentence for the documentation.
        schema: JSON schema, by which the engine refuses what does not fit.
        default: where neither place sets it.
        read: the value as checks want it; numbers arrive as floats, and lists may be proxies.
    """

    name: str
    meaning: str
    schema: Mapping[str, Any]
    default: T
    read: Callable[[Any], T]


def choice(name: str, meaning: str, *values: str) -> Option[str]:
    """One of these words, the first by default."""
    return Option(name, meaning, {"type": "string", "enum": list(values)}, values[0], str)


def texts(name: str, meaning: str, *default: str) -> Option[tuple[str, ...]]:
    """A list of texts."""
    schema = {"type": "array", "items": {"type": "string"}}
    return Option(name, meaning, schema, default, lambda value: tuple(str(item) for item in value))


def counts(name: str, meaning: str) -> Option[Mapping[str, int]]:
    """Whole numbers by name, none by default; names are compared in lower case."""
    schema = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}
    return Option(
        name, meaning, schema, {}, lambda value: {str(key).lower(): int(number) for key, number in value.items()}
    )


@dataclass(frozen=True)
class Exemption:
    """A resource that a rule is to leave alone for a time.

    Attributes:
        resource: its name, or its URN where this begins with `urn:`; `*` stands for anything, but not for a whole name.
        reason: why, for whoever reads the report.
        expires: the last day (UTC) on which it holds, as an ISO date.
    """

    resource: str
    reason: str
    expires: str

    def covers(self, name: str, urn: str) -> bool:
        # A name's pattern is not held against URNs, which carry words of every resource: `*dev*` is the stack's too.
        subject = urn if self.resource.startswith("urn:") else name
        return _pattern(self.resource).fullmatch(subject) is not None

    def holds(self, today: date) -> bool:
        """Whether it still counts; a date that no calendar has never does."""
        last = self.last_day
        return last is not None and today <= last

    @property
    def last_day(self) -> date | None:
        try:
            return date.fromisoformat(self.expires)
        except ValueError:
            return None

    def over(self) -> str:
        """Why it counts no longer."""
        if self.last_day is None:
            return f"Its exemption does not count: {self.expires!r} is no day."
        return f"Its exemption expired: {self.expires} was the last day."


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"(?:\\\*)+", ".*", re.escape(text)), re.DOTALL)


_EXEMPTION_SCHEMA = {
    "type": "object",
    "properties": {
        # A URN, or a name; either with more than `*` for the name.
        "resource": {"type": "string", "pattern": r"^(?:urn:.*::)?[^:]*[^*:\s][^:]*$"},
        "reason": {"type": "string", "pattern": r"\S"},
        "expires": {"type": "string", "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
    },
    "required": ["resource", "reason", "expires"],
    "additionalProperties": False,
}

PROFILE = choice(
    "profile",
    "which published limits apply: `preview` (as first published, all refused) or `ga` (as published since 2026-02-17)",
    *PROFILES,
)
EXEMPTIONS: Option[tuple[Exemption, ...]] = Option(
    "exemptions",
    "resources that the policy leaves alone, each with `resource` (name or URN, with `*` for anything), `reason` and "
    "`expires` (the last day, UTC); each one that counted is reported",
    {"type": "array", "items": _EXEMPTION_SCHEMA},
    (),
    lambda value: tuple(Exemption(str(i["resource"]), str(i["reason"]), str(i["expires"])) for i in value),
)
COMMON: tuple[Option[Any], ...] = (PROFILE, EXEMPTIONS)


@dataclass(frozen=True)
class Settings:
    """What is set for one policy: its own configuration over the pack's over the options' defaults."""

    values: Mapping[str, Any] = field(default_factory=dict)
    today: date = field(default_factory=lambda: datetime.now(UTC).date())

    def get(self, option: Option[T]) -> T:
        """An option's value."""
        value = self.values.get(option.name)
        return option.default if value is None else option.read(value)

    @property
    def profile(self) -> str:
        return self.get(PROFILE)

    def exemption(self, name: str, urn: str) -> Exemption | None:
        """The exemption of a resource: one that holds before one that has expired."""
        fitting = [one for one in self.get(EXEMPTIONS) if one.covers(name, urn)]
        return min(fitting, key=lambda one: not one.holds(self.today), default=None)


def schema_of(options: Iterable[Option[Any]], pack: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a policy's configuration; the defaults are the pack's."""
    return {
        option.name: {**option.schema, "description": option.meaning, "default": _json(pack, option)}
        for option in options
    }


def _json(pack: Mapping[str, Any], option: Option[Any]) -> Any:
    value = pack.get(option.name, option.default)
    return list(value) if isinstance(value, tuple) else value


class PackSettingsError(ValueError):
    """pack.toml cannot be used; says why."""


@lru_cache(maxsize=1)
def pack_settings() -> Mapping[str, Any]:
    """What pack.toml says: the defaults of every policy.

    Raises:
        PackSettingsError: it is no TOML.
    """
    try:
        return cast(Mapping[str, Any], _with_dates_as_text(tomllib.loads(PACK_FILE.read_text("utf-8"))))
    except ValueError as error:
        raise PackSettingsError(f"{PACK_FILE.name}: {error}") from error


def _with_dates_as_text(value: Any) -> Any:
    """TOML has dates of its own, written without quotes; JSON, in which the engine hands settings on, has none."""
    if isinstance(value, dict):
        return {key: _with_dates_as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_dates_as_text(item) for item in value]
    return value.isoformat() if isinstance(value, date | time) else value


def check_pack_settings(options: Iterable[Option[Any]]) -> None:
    """Refuse keys of pack.toml that set nothing; values are checked by the engine, as defaults of each policy.

    Raises:
        PackSettingsError: naming the key and those that there are.
    """
    known = {option.name for option in options}
    for key in pack_settings():
        if key not in known:
            raise PackSettingsError(f"{PACK_FILE.name}: {key!r} sets nothing; the keys are {', '.join(sorted(known))}")
