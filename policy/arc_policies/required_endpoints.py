"""Rule `required-endpoints`: what clusters still need behind a gateway stays open, and the rest until an hour after."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import partial

from .closing_forms import ALLOWLIST, NEVER, ROWS, WHY_NEEDED, Row
from .closings import CLOSES, MAY_CLOSE
from .required_settings import OPTIONS, needed, removable_at, replaced
from .required_stack import SETTLES, STACK_CHECKS, WHEN_UNKNOWN
from .rule import Check, Finding, Grade, Level, Rule
from .settings import Settings
from .tokens import Subject


def _judge(row: Row, subject: Subject, settings: Settings) -> Iterator[Finding]:
    """What a resource closes of what is always needed, and until an hour after the association that is configured."""
    for closing in row.read(subject, needed(settings), settings):
        yield row.finding(closing, WHY_NEEDED, NEVER)
    until = removable_at(settings)
    if until is not None and until > datetime.now(UTC):
        when = f"this may close from {until:%Y-%m-%d %H:%M} UTC on, an hour after the last association."
        for closing in row.read(subject, replaced(settings), settings):
            if closing.grade == CLOSES and closing.named:
                yield row.finding(closing, "clusters need until an hour after they all use a gateway", when, SETTLES)


def _grades(row: Row) -> tuple[str, ...]:
    """What a form may give: only what closes names as such can do so too early."""
    return (*row.grades, SETTLES) if CLOSES in row.grades and ALLOWLIST not in row.tokens else row.grades


_PUBLISHED = "MicrosoftDocs/azure-management-docs, articles/azure-arc/kubernetes/arc-gateway-simplify-networking.md"
_CHECKED = date(2026, 8, 20)

RULE = Rule(
    name="required-endpoints",
    description="Endpoints that clusters need behind an Arc gateway stay open.",
    why=(
        "An Arc gateway carries most of the traffic to Azure and not all of it: without the names that stay in use, "
        "agents get no tokens, no images or no gateway, and the cluster disconnects, often hours later."
    ),
    grades={
        CLOSES: Grade(
            "a name is closed that clusters need as long as they use a gateway",
            Level.MANDATORY,
            Level.MANDATORY,
            _PUBLISHED,
            _CHECKED,
        ),
        SETTLES: Grade(
            "a name that the gateway makes superfluous is closed before an hour has passed since the last association",
            Level.MANDATORY,
            Level.MANDATORY,
            _PUBLISHED,
            _CHECKED,
        ),
        MAY_CLOSE: Grade(
            "a needed name may be closed: for some sources or addresses, or unless another rule opens it before",
            Level.ADVISORY,
            Level.ADVISORY,
            "our judgement",
            _CHECKED,
        ),
        WHEN_UNKNOWN: Grade(
            "a name that the gateway makes superfluous is closed, and nothing tells of the last association",
            Level.ADVISORY,
            Level.ADVISORY,
            "our judgement",
            _CHECKED,
        ),
    },
    checks=tuple(Check(row.name, row.covers, partial(_judge, row), row.tokens, grades=_grades(row)) for row in ROWS),
    stack_checks=STACK_CHECKS,
    options=OPTIONS,
)
