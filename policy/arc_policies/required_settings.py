"""What can be set about the endpoints that clusters need: features, region, addresses, the last association."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from arcgateway import endpoints

from .names import Need, needs, superfluous
from .settings import Option, Settings, texts

SCENARIO_NAMES = endpoints.scenarios()


def known_scenarios(given: Iterable[object]) -> tuple[str, ...]:
    """Those of these that are Arc features with endpoints of their own."""
    return tuple(sorted({str(name).strip() for name in given} & set(SCENARIO_NAMES)))


def known_regions(given: Iterable[str]) -> tuple[str, ...]:
    """Regions as host names have them; what cannot be one is left out."""
    names = {name.replace(" ", "").lower() for name in given}
    return tuple(sorted(name for name in names if name.isascii() and name.isalnum()))


SCENARIOS: Option[tuple[str, ...]] = Option(
    "scenarios",
    "Arc features that clusters use, whose endpoints must stay open too, beside those that this project's clusters in "
    f"the stack name: any of {', '.join(f'`{name}`' for name in SCENARIO_NAMES)}",
    {"type": "array", "items": {"type": "string", "enum": list(SCENARIO_NAMES)}},
    (),
    known_scenarios,
)
REGION: Option[str] = Option(
    "region",
    "the clusters' Azure region, such as `eastus`; without it the regional names of every region count as needed",
    {"type": "string"},
    "",
    str,
)
RANGES = texts(
    "clusterRanges",
    'address ranges of the clusters, such as `"10.20.0.0/16"`: rules for other sources are left alone, and rules for '
    "these count as rules for all",
)
LAST_ASSOCIATION: Option[str] = Option(
    "lastAssociation",
    "when the last cluster was associated with a gateway (RFC 3339, such as `2026-08-20T12:00:00Z`), where the stack "
    "does not tell: names that the gateway makes superfluous stay open until an hour later",
    {"type": "string"},
    "",
    str,
)
OPTIONS = (SCENARIOS, REGION, RANGES, LAST_ASSOCIATION)


def regions(settings: Settings) -> tuple[str, ...]:
    """The region that is configured, if any."""
    return known_regions([settings.get(REGION)])


def needed(settings: Settings, scenarios: tuple[str, ...] = ()) -> tuple[Need, ...]:
    """What must stay open: as configured, and for these features besides."""
    return needs(regions(settings), _all(settings, scenarios))


def replaced(settings: Settings, scenarios: tuple[str, ...] = ()) -> tuple[Need, ...]:
    """What may be closed an hour after the last association."""
    return superfluous(regions(settings), _all(settings, scenarios))


def _all(settings: Settings, scenarios: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*settings.get(SCENARIOS), *scenarios}))


def removable_at(settings: Settings) -> datetime | None:
    """From when the superfluous names may be closed, as far as that is configured."""
    last = time_of(settings.get(LAST_ASSOCIATION))
    try:
        return None if last is None else last + endpoints.SETTLING
    except OverflowError:
        return None


def time_of(text: str) -> datetime | None:
    """A time that is written as RFC 3339 has it; None where it is none."""
    try:
        when = datetime.fromisoformat(text)
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
