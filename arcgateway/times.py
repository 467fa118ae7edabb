"""Times as outputs, options and files have them: RFC 3339 in UTC, to the second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

#: How long the documentation asks to wait before the names that the gateway replaces are closed.
SETTLING = timedelta(hours=1)


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
