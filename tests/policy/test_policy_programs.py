"""The corpora as programs in Python and YAML, run by the real engine with the pack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from arc_policies.pack import POLICIES, STACK_ADVICE
from case_programs import LANGUAGES, Language, Placed, grouped, previewed, program, promised, providers
from engine_runs import PREVIEW, UP, Project, Run
from policy_cases import BY_NAME, RULE_BY_NAME, StackCase, advice_of, ask, corpora, stack_policy_of
from pulumi_policy import StackValidationPolicy

from sandbox.plugins.anything import AnyProvider, serving

CORPORA = corpora()
#: Judge cases together that have nothing to do with each other; they have runs of their own.
STACK_POLICIES_OFF = {policy.name: "disabled" for policy in POLICIES if isinstance(policy, StackValidationPolicy)}


#: Cases that no program can be: texts of which nobody has said whether they are secret. The engine always does.
UNTOLD = {
    ("proxy-urls", "component, nobody says"),
    ("proxy-urls", "password, nobody says"),
    ("proxy-urls", "password in a chart, nobody says"),
}


def placed(kind: str, *rules: str) -> list[Placed]:
    """The cases of a kind, of these rules or of all; their names begin with their rules'."""
    return [
        Placed(f"{rule}-{kind.lower()}-{number}", case)
        for rule in rules or CORPORA
        for number, case in enumerate(getattr(CORPORA[rule], kind, []))
        if (rule, case.name) not in UNTOLD
    ]


def rule_of(one: Placed) -> str:
    return next(rule for rule in sorted(CORPORA, key=len, reverse=True) if one.name.startswith(rule))


@contextmanager
def project(folder: Path, language: Language, cases: Sequence[Placed]) -> Iterator[tuple[Project, list[AnyProvider]]]:
    doubles = providers(cases)
    with serving(doubles) as addresses:
        yield Project.made(folder, program(language, cases), PULUMI_DEBUG_PROVIDERS=addresses), doubles


def assert_said(run: Run, policy: str, one: Placed, *, mandatory: bool) -> None:
    """The policy reports the property at its level, on the terminal too.

    It may report more than in its corpus: only the engine tells which texts are secrets.
    """
    place = f", property {one.case.path}," if one.case.path else ""
    start = f"{one.name} ({one.case.type}){place} "
    heard = run.of.get((policy, one.name), [])
    assert any(start in said.message and said.mandatory is mandatory for said in heard), (
        f"{policy} about {one.case.name}: {[said.message for said in heard] or run.text}"
    )
    assert start in run.text


def assert_silent(run: Run, cases: Sequence[Placed]) -> None:
    """Nothing is said but of the providers that cases ask for, which are no part of them."""
    providers = {one.provider.name for one in cases if one.provider is not None}
    assert [f"{said.policy}: {said.message}" for said in run.said if said.name not in providers] == []
    assert run.code == 0, run.text


def assert_stack_refused(folder: Path, language: Language, rule: str, case: StackCase) -> None:
    """The preview and the update fail. An update makes all before it does: so it is the preview that protects.

    Where the preview does not know all, the update judges other values.
    """
    members = [Placed(one.name, one) for one in case.resources]
    commands = (PREVIEW, UP) if all(one.is_known for one in members) else (PREVIEW,)
    with project(folder, language, members) as (here, _):
        for command in commands:
            run = here.run(command, case.config)
            assert run.code != 0, run.text
            (said,) = run.of[stack_policy_of(rule), case.about]
            assert said.mandatory and case.says in said.message


def made_by(doubles: Sequence[AnyProvider]) -> set[str]:
    """The names of the resources that exist."""
    return set().union(*(double.created for double in doubles))


GROUPS: dict[str, list[Any]] = {
    kind: [
        pytest.param(language, config, cases, id=f"{language}-{number}")
        for language in LANGUAGES
        for number, (config, cases) in enumerate(grouped(placed(kind)))
    ]
    for kind in ("REFUSED", "ADVISED", "PASSED")
}
REFUSING = [rule for rule in CORPORA if placed("REFUSED", rule)]
ADVISING = [rule for rule in CORPORA if RULE_BY_NAME[rule].advisory]
#: The rules that judge stacks, each with the first one that it refuses.
OF_STACKS = [
    pytest.param(rule, stacks[0], id=rule)
    for rule in CORPORA
    if (stacks := getattr(CORPORA[rule], "STACKS_REFUSED", []))
]


def groups_of(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("language", "config", "cases"), GROUPS[kind])


def stacks_of(kind: str) -> pytest.MarkDecorator:
    """Each has a run of its own; so they take turns between the languages."""
    rows = [(rule, case) for rule, corpus in CORPORA.items() for case in getattr(corpus, kind, [])]
    return pytest.mark.parametrize(
        ("language", "rule", "case"),
        [
            pytest.param(language, rule, case, id=f"{language}, {rule}: {case.name}")
            for (rule, case), language in zip(rows, cycle(LANGUAGES), strict=False)
        ],
    )


def first(kind: str, rule: str) -> Placed:
    """A case of a rule under the pack's own configuration, in which all is known."""
    return next(one for one in placed(kind, rule) if not one.case.config and one.is_known)


# What each run of the tests shows: every rule in a preview and in an update.


def test_a_preview_refuses_by_every_rule(tmp_path: Path) -> None:
    cases = [first("REFUSED", rule) for rule in REFUSING]
    with project(tmp_path, "python", cases) as (here, doubles):
        run = here.run(PREVIEW)
    assert run.code != 0
    for one in cases:
        assert_said(run, rule_of(one), one, mandatory=True)
    assert made_by(doubles) == set()


def test_a_sound_program_is_deployed_without_a_word(tmp_path: Path) -> None:
    cases = [first("PASSED", rule) for rule in CORPORA if placed("PASSED", rule)]
    with project(tmp_path, "yaml", cases) as (here, doubles):
        for command in (PREVIEW, UP):
            run = here.run(command, levels=STACK_POLICIES_OFF)
            assert_silent(run, cases)
    assert made_by(doubles) == {one.name for one in cases if one.asks_a_provider("yaml")}


@pytest.mark.parametrize("rule", REFUSING)
def test_an_update_stops_before_what_is_refused_is_made(rule: str, tmp_path: Path) -> None:
    """Where it can be, what decides is the output of another resource, so that only the update knows it."""
    one = next(filter(None, map(promised, placed("REFUSED", rule))), None) or first("REFUSED", rule)
    with project(tmp_path, "yaml", [one]) as (here, doubles):
        run = here.run(UP, one.case.config)
    assert run.code != 0
    assert_said(run, rule, one, mandatory=True)
    assert one.name not in made_by(doubles)
    assert len(made_by(doubles)) == len(one.promises), "what it depends on was made"


@pytest.mark.parametrize("rule", ADVISING)
def test_an_advisory_rule_speaks_and_lets_the_update_go_on(rule: str, tmp_path: Path) -> None:
    one = first("ADVISED", rule)
    with project(tmp_path, "yaml", [one]) as (here, doubles):
        for command in (PREVIEW, UP):
            run = here.run(command, levels=STACK_POLICIES_OFF)
            assert run.code == 0, run.text
            assert_said(run, rule, one, mandatory=False)
    assert made_by(doubles) == {one.name}


@pytest.mark.parametrize(("rule", "case"), OF_STACKS)
def test_a_stack_is_refused(rule: str, case: StackCase, tmp_path: Path) -> None:
    assert_stack_refused(tmp_path, "yaml", rule, case)


# The whole of the corpora.


@pytest.mark.long
@groups_of("REFUSED")
def test_a_preview_names_all_that_is_refused(
    tmp_path: Path, language: Language, config: Mapping[str, Any], cases: list[Placed]
) -> None:
    with project(tmp_path, language, cases) as (here, _):
        run = here.run(PREVIEW, config, levels=STACK_POLICIES_OFF)
    assert run.code != 0
    for one in cases:
        assert_said(run, rule_of(one), one, mandatory=True)


@pytest.mark.long
@groups_of("ADVISED")
def test_a_preview_goes_on_where_a_rule_only_advises(
    tmp_path: Path, language: Language, config: Mapping[str, Any], cases: list[Placed]
) -> None:
    with project(tmp_path, language, cases) as (here, _):
        run = here.run(PREVIEW, config, levels=STACK_POLICIES_OFF)
    assert run.code == 0, run.text
    for one in cases:
        assert_said(run, advice_of(rule_of(one)), one, mandatory=False)


@pytest.mark.long
@groups_of("PASSED")
def test_what_is_harmless_is_previewed_and_deployed_without_a_word(
    tmp_path: Path, language: Language, config: Mapping[str, Any], cases: list[Placed]
) -> None:
    with project(tmp_path / "preview", language, cases) as (here, _):
        run = here.run(PREVIEW, config, levels=STACK_POLICIES_OFF)
        assert_silent(run, cases)
    known = [one for one in cases if one.is_known]
    with project(tmp_path / "up", language, known) as (here, doubles):
        run = here.run(UP, config, levels=STACK_POLICIES_OFF)
        assert_silent(run, known)
    assert made_by(doubles) == {one.name for one in known if one.asks_a_provider(language)}


@pytest.mark.long
@groups_of("REFUSED")
def test_what_only_the_update_will_tell_ends_no_policy(
    tmp_path: Path, language: Language, config: Mapping[str, Any], cases: list[Placed]
) -> None:
    """What decides of each refused resource is made unknown."""
    later = [one for one in map(promised, cases) if one is not None]
    if not later:
        pytest.skip("nothing that decides here can be unknown")
    with project(tmp_path, language, later) as (here, _):
        run = here.run(PREVIEW, config, levels=STACK_POLICIES_OFF)
    assert {one.name for one in later} <= run.registered, run.text
    assert "can't run policy" not in run.text
    assert "failed to run policy" not in run.text


@pytest.mark.parametrize("rule", REFUSING)
def test_a_preview_says_what_only_the_update_will_tell(rule: str) -> None:
    """Not always: of what is often unknown and seldom decides, such as a chart's values, nothing is said."""
    later = [one.case for one in map(promised, placed("REFUSED", rule)) if one is not None]
    heard = [case for case in later if any(ask(policy, previewed(case)) for policy in BY_NAME)]
    assert len(heard) >= len(later) / 2, [case.name for case in later if case not in heard]


@pytest.mark.long
@stacks_of("STACKS_REFUSED")
def test_a_preview_of_a_stack_is_refused(tmp_path: Path, language: Language, rule: str, case: StackCase) -> None:
    assert_stack_refused(tmp_path, language, rule, case)


@pytest.mark.long
@stacks_of("STACKS_ADVISED")
def test_a_stack_is_advised_against(tmp_path: Path, language: Language, rule: str, case: StackCase) -> None:
    members = [Placed(one.name, one) for one in case.resources]
    with project(tmp_path, language, members) as (here, _):
        run = here.run(PREVIEW, case.config)
    (said,) = run.of[STACK_ADVICE, case.about]
    assert not said.mandatory and case.says in said.message


@pytest.mark.long
@stacks_of("STACKS_PASSED")
def test_a_stack_passes_without_a_word(tmp_path: Path, language: Language, rule: str, case: StackCase) -> None:
    members = [Placed(one.name, one) for one in case.resources]
    with project(tmp_path, language, members) as (here, _):
        run = here.run(PREVIEW, case.config)
        assert [said for said in run.said if said.policy in (stack_policy_of(rule), STACK_ADVICE)] == [], run.text
