"""What a rule is: dated limits, a table of checks, and the message that a finding becomes."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from functools import cached_property, lru_cache
from pathlib import Path as File

from .reading import Path, show
from .subjects import expands, subjects
from .tokens import Subject, normalise

DOCS = "docs/policies.md"
_PACK_SETTINGS = File(__file__).parent.parent / "pack.toml"


class Level(Enum):
    """What becomes of a finding."""

    MANDATORY = "mandatory"
    ADVISORY = "advisory"


@dataclass(frozen=True)
class Grade:
    """How grave a kind of finding is under each profile, and who says so.

    Attributes:
        meaning: what falls under it, for the documentation.
        preview, ga: the level under each profile.
        source: where the limit is published, or what the judgement rests on.
        checked: when the source was last read.
    """

    meaning: str
    preview: Level
    ga: Level
    source: str
    checked: date

    def level(self, profile: str) -> Level:
        return self.ga if profile == "ga" else self.preview


OPEN = "open"
_OPEN_GRADE = Grade(
    meaning="what only the update will tell, or what cannot be read here",
    preview=Level.ADVISORY,
    ga=Level.ADVISORY,
    source="unknown values of a preview",
    checked=date(2026, 8, 20),
)


@dataclass(frozen=True)
class Settings:
    """A policy's configuration.

    Attributes:
        profile: `preview` or `ga`.
        scope: `all`, or `arc` to leave private endpoints of other services alone.
        exempt_hosts: host name patterns that intercepting proxies on the path leave untouched.
    """

    profile: str = "preview"
    scope: str = "all"
    exempt_hosts: tuple[str, ...] = ()

    @classmethod
    def read(cls, config: Mapping[str, object]) -> Settings:
        """From configuration that the engine has checked by the schema; what is absent or odd is the pack's own."""
        merged = {**pack_settings(), **config}
        hosts = merged.get("exemptHosts")
        return cls(
            profile="ga" if merged.get("profile") == "ga" else "preview",
            scope="arc" if merged.get("scope") == "arc" else "all",
            exempt_hosts=tuple(host for host in hosts if isinstance(host, str))
            if isinstance(hosts, list | tuple)
            else (),
        )


@lru_cache(maxsize=1)
def pack_settings() -> Mapping[str, object]:
    """What pack.toml says: the defaults of every policy."""
    return tomllib.loads(_PACK_SETTINGS.read_text("utf-8"))


@dataclass(frozen=True)
class Finding:
    """Something to say about a resource.

    Attributes:
        grade: a key of the rule's grades.
        path: the property.
        problem: a clause about that property. Never a value: values may be secret, and messages are printed in clear.
        mend: a sentence.
    """

    grade: str
    path: Path
    problem: str
    mend: str


@dataclass(frozen=True)
class Check:
    """One row of a rule's table.

    Attributes:
        name: unique within the rule.
        covers: the forms it sees, for the documentation.
        run: the check itself.
        tokens: the normalised types it looks at.
        matches: for types that a name part tells, in addition.
    """

    name: str
    covers: str
    run: Callable[[Subject, Settings], Iterable[Finding]]
    tokens: frozenset[str] = frozenset()
    matches: Callable[[str], bool] | None = None


@dataclass(frozen=True)
class Rule:
    """One published limit of the Arc gateway, and the checks that see it broken."""

    name: str
    description: str
    why: str
    grades: Mapping[str, Grade]
    checks: tuple[Check, ...]

    def grade(self, name: str) -> Grade:
        return _OPEN_GRADE if name == OPEN else self.grades[name]

    @cached_property
    def checks_of(self) -> Callable[[str], tuple[Check, ...]]:
        """The rows of the table that look at a normalised type."""

        @lru_cache(maxsize=4096)
        def look_up(token: str) -> tuple[Check, ...]:
            return tuple(c for c in self.checks if token in c.tokens or (c.matches is not None and c.matches(token)))

        return look_up

    def judge(self, subject: Subject, settings: Settings) -> Iterator[tuple[Level, Finding]]:
        """What this rule has to say about one subject."""
        for check in self.checks_of(subject.token):
            for finding in check.run(subject, settings):
                yield self.grade(finding.grade).level(settings.profile), _placed(finding, subject)

    def message(self, resource_type: str, name: str, settings: Settings, finding: Finding) -> str:
        """What a person reads: resource, property, problem, rule and profile, why, mend."""
        place = f", property {show(finding.path)}," if finding.path else ""
        return (
            f"{name} ({resource_type}){place} {finding.problem} [rule {self.name}, profile {settings.profile}]. "
            f"Why: {self.why} Mend: {finding.mend} See {DOCS}#{self.name}."
        )


def findings(
    rules: tuple[Rule, ...], resource_type: str, props: object, settings: Settings
) -> list[tuple[Rule, Level, Finding]]:
    """What rules have to say about a resource, each thing once.

    Args:
        rules: those to ask; two that say the same of the same property are heard once.
        resource_type: Pulumi's type token.
        props: inputs as policies get them (proxies), or plain.
        settings: the policy's configuration.
    """
    token = normalise(resource_type)
    if not expands(token) and not any(rule.checks_of(token) for rule in rules):
        return []
    found: dict[tuple[Path, str, Level], tuple[Rule, Level, Finding]] = {}
    for subject in subjects(token, props):
        for rule in rules:
            for level, finding in rule.judge(subject, settings):
                found.setdefault((finding.path, finding.problem, level), (rule, level, finding))
    return list(found.values())


def _placed(finding: Finding, subject: Subject) -> Finding:
    path = finding.path if subject.at is None else subject.at
    problem = f"{subject.form} {finding.problem}" if subject.form else finding.problem
    return replace(finding, path=path, problem=problem)
