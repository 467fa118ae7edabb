"""What a rule is: dated limits, a table of checks, and the message that a finding becomes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from functools import cached_property, lru_cache
from typing import Any

from .reading import Path, show
from .settings import Option, Settings
from .subjects import expands, subjects
from .tokens import Resource, Subject, normalise

DOCS = "docs/policies.md"


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
OPEN_GRADE = Grade(
    meaning="what only the update will tell, or what cannot be read here",
    preview=Level.ADVISORY,
    ga=Level.ADVISORY,
    source="unknown values of a preview",
    checked=date(2026, 8, 20),
)


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


class _Seeing:
    """What looks at some types of resources."""

    tokens: frozenset[str]
    matches: Callable[[str], bool] | None

    def sees(self, token: str) -> bool:
        return token in self.tokens or (self.matches is not None and self.matches(token))


@dataclass(frozen=True)
class Check(_Seeing):
    """One row of a rule's table.

    Attributes:
        name: unique within the rule.
        covers: the forms it sees, for the documentation.
        run: the check itself.
        tokens: the normalised types it looks at.
        matches: for types that a name part tells, in addition.
        grades: the keys of all grades that it may give, for the documentation.
    """

    name: str
    covers: str
    run: Callable[[Subject, Settings], Iterable[Finding]]
    tokens: frozenset[str] = frozenset()
    matches: Callable[[str], bool] | None = None
    grades: tuple[str, ...] = ()


@dataclass(frozen=True)
class StackCheck(_Seeing):
    """A row that looks at several resources of a stack together; its attributes are those of `Check`.

    `run` gets every subject of the tokens that it names, with the resource that declares each, and yields its findings
    with the subject that each is about.
    """

    name: str
    covers: str
    run: Callable[[Sequence[Subject], Settings], Iterable[tuple[Subject, Finding]]]
    tokens: frozenset[str] = frozenset()
    matches: Callable[[str], bool] | None = None
    grades: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remedy:
    """A mend that is safe to make unasked.

    Attributes:
        does: what it changes, for the documentation.
        run: changes the inputs that it is given in place, and says whether it did. They take `inputs[key] = value` and
            nothing else, and keep a secret secret where it is replaced so; a copy of a map or list that holds one shows
            it. Unknown values arrive as sentinel texts here, which `reading.plain` tells apart.
        tokens: the normalised types that it mends.
    """

    does: str
    run: Callable[[str, MutableMapping[str, Any], Settings], bool]
    tokens: frozenset[str]


@dataclass(frozen=True)
class Rule:
    """One published limit of the Arc gateway, and the checks that see it broken.

    Attributes:
        name: the policy's name.
        description: a sentence, which heads every message.
        why: what happens otherwise, for someone who has never read the Arc documents.
        grades: how grave each kind of finding is.
        checks: of one resource at a time; what must stop a resource before it is made belongs here.
        stack_checks: of the whole stack; in an update they speak when all is made, so they protect through the preview.
        remedies: mends that the engine makes where the policy's level is `remediate`.
        options: what can be set for this rule, besides what is common to all.
    """

    name: str
    description: str
    why: str
    grades: Mapping[str, Grade]
    checks: tuple[Check, ...] = ()
    stack_checks: tuple[StackCheck, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    options: tuple[Option[Any], ...] = ()

    def grade(self, name: str) -> Grade:
        return OPEN_GRADE if name == OPEN else self.grades[name]

    @property
    def advisory(self) -> bool:
        """Whether it only ever advises."""
        return all(Level.MANDATORY not in (grade.preview, grade.ga) for grade in self.grades.values())

    @cached_property
    def checks_of(self) -> Callable[[str], tuple[Check, ...]]:
        """The rows of the table that look at a normalised type."""
        return lru_cache(maxsize=4096)(lambda token: tuple(check for check in self.checks if check.sees(token)))

    def judge(self, subject: Subject, settings: Settings) -> Iterator[tuple[Level, Finding]]:
        """What this rule has to say about one subject."""
        for check in self.checks_of(subject.token):
            for finding in check.run(subject, settings):
                yield self.grade(finding.grade).level(settings.profile), _placed(finding, subject)

    def judge_stack(self, subjects: Sequence[Subject], settings: Settings) -> Iterator[tuple[Level, Resource, Finding]]:
        """What this rule has to say about a stack, by all that its resources declare."""
        for check in self.stack_checks:
            for subject, finding in check.run([one for one in subjects if check.sees(one.token)], settings):
                if subject.resource is not None:
                    level = self.grade(finding.grade).level(settings.profile)
                    yield level, subject.resource, _placed(finding, subject)

    def message(self, resource: Resource, settings: Settings, finding: Finding) -> str:
        """What a person reads: resource, property, problem, rule and profile, why, mend."""
        place = f", property {show(finding.path)}," if finding.path else ""
        return (
            f"{resource.name} ({resource.type}){place} {finding.problem} "
            f"[rule {self.name}, profile {settings.profile}]. "
            f"Why: {self.why} Mend: {finding.mend} See {DOCS}#{self.name}."
        )


def findings(rules: tuple[Rule, ...], resource: Resource, settings: Settings) -> list[tuple[Rule, Level, Finding]]:
    """What rules have to say about a resource, each thing once.

    Args:
        rules: those to ask; two that say the same of the same property are heard once.
        resource: its inputs as policies get them (proxies), or plain.
        settings: the policy's configuration.
    """
    token = normalise(resource.type)
    if not expands(token) and not any(rule.checks_of(token) for rule in rules):
        return []
    found: dict[tuple[Path, str, Level], tuple[Rule, Level, Finding]] = {}
    for rule in rules:
        for level, finding in _LAST.of(rule, token, resource, settings):
            found.setdefault((finding.path, finding.problem, level), (rule, level, finding))
    return list(found.values())


class _Last(threading.local):
    """What rules said of the resource that this thread was asked about last: the advice asks all of them once more."""

    about: Resource | None = None

    def of(self, rule: Rule, token: str, resource: Resource, settings: Settings) -> list[tuple[Level, Finding]]:
        """What the rule says."""
        if not _same(resource, self.about):
            self.about = resource
            self.said: dict[str, tuple[list[Any], list[tuple[Level, Finding]]]] = {}
        options = [settings.profile, *(settings.values.get(option.name) for option in rule.options)]
        before = self.said.get(rule.name)
        if before is not None and before[0] == options:
            return before[1]
        found = [heard for subject in subjects(token, resource) for heard in rule.judge(subject, settings)]
        self.said[rule.name] = (options, found)
        return found


_LAST = _Last()


def _same(one: Resource, other: Resource | None) -> bool:
    """Whether both stand for one request of the engine: their inputs are the same objects."""
    return (
        other is not None
        and one.props is other.props
        and one.provider is other.provider
        and (one.type, one.urn, one.protect) == (other.type, other.urn, other.protect)
    )


def stack_findings(
    rules: tuple[Rule, ...], resources: Iterable[Resource], settings: Settings
) -> list[tuple[Rule, Level, Resource, Finding]]:
    """What rules have to say about the resources of a stack together."""
    checks = [check for rule in rules for check in rule.stack_checks]
    declared: list[Subject] = []
    # The engine tells them in the order in which they were registered, which differs from run to run.
    for resource in sorted(resources, key=lambda one: one.urn):
        token = normalise(resource.type)
        if expands(token) or any(check.sees(token) for check in checks):
            declared += subjects(token, resource)
    return [
        (rule, level, resource, finding)
        for rule in rules
        for level, resource, finding in rule.judge_stack(declared, settings)
    ]


def _placed(finding: Finding, subject: Subject) -> Finding:
    path = finding.path if subject.at is None else subject.at
    problem = f"{subject.form} {finding.problem}" if subject.form else finding.problem
    return replace(finding, path=path, problem=problem)
