"""Times as outputs, options and files have them: RFC 3339 in UTC, to the second."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_UNITS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


def rfc3339(when: datetime | None) -> str | None:
    """A time in UTC, to the second, as the outputs have it."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if when else None


def moment(text: str) -> datetime:
    """The time that a text names; one without an offset is in UTC.

    Raises:
        ValueError: it is no time.
    """
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is no time: give it as 2026-01-31T10:20:00Z") from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def seconds(text: str) -> float | None:
    """A span of time in seconds, from `90s`, `10m`, `2h` or `1d12h`; None where the text is none."""
    parts = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip().lower())
    if parts is None or not any(parts.groups()):
        return None
    return sum(int(number or 0) * unit for number, unit in zip(parts.groups(), _UNITS.values(), strict=True))
