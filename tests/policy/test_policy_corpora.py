"""Each rule against its corpus: what it refuses, what it only advises against, what it lets pass."""

from __future__ import annotations

from typing import Any

import pytest
from arc_policies.pack import STACK_ADVICE
from arc_policies.rule import OPEN, findings
from arc_policies.settings import Settings
from arc_policies.tokens import Resource
from policy_cases import (
    BY_NAME,
    RULE_BY_NAME,
    Case,
    StackCase,
    advice_of,
    ask,
    ask_stack,
    corpora,
    stack_policy_of,
    urn_of,
)

CORPORA = corpora()


def cases(kind: str) -> pytest.MarkDecorator:
    rows: list[Any] = [
        pytest.param(rule, case, id=f"{rule}: {case.name}")
        for rule, corpus in CORPORA.items()
        for case in getattr(corpus, kind, [])
    ]
    return pytest.mark.parametrize(("rule", "case"), rows)


def assert_form(message: str, rule: str, place: str, case: Case | StackCase) -> None:
    """The message names resource, property, rule and profile, and says why and what to do."""
    assert message.startswith(place), message
    assert f"[rule {rule}, profile {case.config.get('profile', 'preview')}]" in message
    assert ". Why: " in message
    assert " Mend: " in message
    assert message.endswith(f"See docs/policies.md#{rule}.")
    assert case.says in message


@cases("REFUSED")
def test_refused(rule: str, case: Case) -> None:
    assert not RULE_BY_NAME[rule].advisory
    messages = ask(rule, case)
    assert len(messages) == 1, messages
    assert_form(messages[0], rule, place(case), case)


@cases("ADVISED")
def test_advised_against(rule: str, case: Case) -> None:
    advice = advice_of(rule)
    assert advice == rule or ask(rule, case) == []
    messages = ask(advice, case)
    assert len(messages) == 1, messages
    assert_form(messages[0], rule, place(case), case)


@cases("PASSED")
def test_passed(rule: str, case: Case) -> None:
    assert [message for policy in BY_NAME for message in ask(policy, case)] == []


@cases("STACKS_REFUSED")
def test_stack_refused(rule: str, case: StackCase) -> None:
    ((message, urn),) = ask_stack(stack_policy_of(rule), case)
    about = next(one for one in case.resources if one.name == case.about)
    assert urn == urn_of(about, about.name)
    assert_form(message, rule, f"{about.name} ({about.type})", case)


@cases("STACKS_ADVISED")
def test_stack_advised_against(rule: str, case: StackCase) -> None:
    assert ask_stack(stack_policy_of(rule), case) == []
    ((message, urn),) = ask_stack(STACK_ADVICE, case)
    about = next(one for one in case.resources if one.name == case.about)
    assert urn == urn_of(about, about.name)
    assert_form(message, rule, f"{about.name} ({about.type})", case)


@cases("STACKS_PASSED")
def test_stack_passed(rule: str, case: StackCase) -> None:
    assert ask_stack(stack_policy_of(rule), case) == []
    assert ask_stack(STACK_ADVICE, case) == []


def test_every_rule_has_a_corpus() -> None:
    assert set(CORPORA) == set(RULE_BY_NAME)


@pytest.mark.parametrize("rule", CORPORA)
def test_corpora_are_large_enough(rule: str) -> None:
    corpus = CORPORA[rule]

    def count(*kinds: str) -> int:
        return sum(len(getattr(corpus, kind, [])) for kind in kinds)

    assert count("REFUSED", "STACKS_REFUSED", *(["ADVISED"] if RULE_BY_NAME[rule].advisory else [])) >= 10
    assert count("PASSED", "STACKS_PASSED") >= 10


@pytest.mark.parametrize("rule", CORPORA)
def test_every_form_is_named_once(rule: str) -> None:
    corpus = CORPORA[rule]
    kinds = ("REFUSED", "ADVISED", "PASSED", "STACKS_REFUSED", "STACKS_ADVISED", "STACKS_PASSED")
    names = [case.name for kind in kinds for case in getattr(corpus, kind, [])]
    assert [name for name in names if names.count(name) > 1] == []


@pytest.mark.parametrize("rule", RULE_BY_NAME)
def test_a_check_gives_the_grades_that_the_page_says(rule: str) -> None:
    """Every grade that a check gives is declared, and every grade is some check's."""
    asked = RULE_BY_NAME[rule]
    checks = (*asked.checks, *asked.stack_checks)
    assert {grade for check in checks for grade in check.grades} - {OPEN} == set(asked.grades)
    cases = [case for kind in ("REFUSED", "ADVISED") for case in getattr(CORPORA[rule], kind, [])]
    for case in cases:
        resource = Resource(case.type, "thing", urn_of(case), case.props, case.protect, case.provider)
        for judged, _, finding in findings((asked,), resource, Settings(case.config)):
            given = [check.name for check in judged.checks if finding.grade in check.grades]
            assert finding.grade == OPEN or given, finding


def place(case: Case) -> str:
    return f"thing ({case.type}), property {case.path}, " if case.path else f"thing ({case.type}) "
