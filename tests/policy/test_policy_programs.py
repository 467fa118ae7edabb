"""The corpora as programs in Python and YAML, run by the real engine with the pack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from arc_policies.pack import POLICIES, STACK_ADVICE
from case_programs import LANGUAGES, Language, Placed, grouped, program, promised, providers
from engine_runs import PREVIEW, UP, Project, Run
from policy_cases import StackCase, advice_of, corpora, stack_policy_of
from pulumi_policy import StackValidationPolicy

from sandbox.plugins.anything import AnyProvider, serving

CORPORA = corpora()
#: Judge cases together that have nothing to do with each other; they have runs of their own.
STACK_POLICIES_OFF = {policy.name: "disabled" for policy in POLICIES if isinstance(policy, StackValidationPolicy)}


def placed(kind: str, *rules: str) -> list[Placed]:
    """The cases of a kind, of these rules or of all; their names begin with their rules'."""
    return [
        Placed(f"{rule}-{kind.lower()}-{number}", case)
        for rule in rules or CORPORA
        for number, case in enumerate(getattr(CORPORA[rule], kind, []))
    ]


def rule_of(one: Placed) -> str:
    return next(rule for rule in sorted(CORPORA, key=len, reverse=True) if one.name.startswith(rule))


@contextmanager
def project(folder: Path, language: Language, cases: Sequence[Placed]) -> Iterator[tuple[Project, list[AnyProvider]]]:
    doubles = providers(cases)
    with serving(doubles) as addresses:
        yield Project.made(folder, program(language, cases), PULUMI_DEBUG_PROVIDERS=addresses), doubles


def assert_said(run: Run, policy: str, one: Placed, *, mandatory: bool) -> None:
    """The policy says one thing about the resource, on the terminal too, and names its property."""
    (said,) = run.of.get((policy, one.name), [None])
    assert said is not None, f"{policy} is silent about {one.name} ({one.case.name})"
    assert said.mandatory is mandatory
    place = f", property {one.case.path}," if one.case.path else ""
    start = f"{one.name} ({one.case.type}){place} "
    assert start in said.message, said.message
    assert start in run.text


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


def groups_of(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("language", "config", "cases"), GROUPS[kind])


def stacks_of(kind: str) -> pytest.MarkDecorator:
    rows = [
        pytest.param(rule, case, id=f"{rule}: {case.name}")
        for rule, corpus in CORPORA.items()
        for case in getattr(corpus, kind, [])
    ]
    return pytest.mark.parametrize(("rule", "case"), rows)


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
            assert (run.code, run.said) == (0, []), run.text
        # The engine makes providers itself.
        made = {one.name for one in cases if not one.case.type.startswith("pulumi:providers:")}
        assert made_by(doubles) == made


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
        assert (run.code, run.said) == (0, []), run.text
    known = [one for one in cases if one.is_known]
    with project(tmp_path / "up", language, known) as (here, doubles):
        run = here.run(UP, config, levels=STACK_POLICIES_OFF)
        assert (run.code, run.said) == (0, []), run.text
    made = {one.name for one in known if language == "yaml" or not one.is_component}
    assert made_by(doubles) == made, "all but what a Python program makes itself"


#: Charts' values and pods' commands are often unknown and seldom tell of a proxy: nothing is said until they are known.
UNHEARD = {
    ("no-tls-terminating-proxies", "mitmdump by command"),
    ("no-tls-terminating-proxies", "squid in a chart"),
}


@pytest.mark.long
@groups_of("REFUSED")
def test_a_preview_is_not_silent_where_only_the_update_will_tell(
    tmp_path: Path, language: Language, config: Mapping[str, Any], cases: list[Placed]
) -> None:
    """What decides of each refused resource is made unknown: something is said about it, at whichever level."""
    later = [one for one in map(promised, cases) if one is not None]
    if not later:
        pytest.skip("nothing that decides here can be unknown")
    with project(tmp_path, language, later) as (here, _):
        run = here.run(PREVIEW, config, levels=STACK_POLICIES_OFF)
    heard = {said.name for said in run.said}
    assert {(rule_of(one), one.case.name) for one in later if one.name not in heard} <= UNHEARD
    assert "can't run policy" not in run.text, "an unknown value ended a policy"


@pytest.mark.long
@pytest.mark.parametrize("language", LANGUAGES)
@stacks_of("STACKS_REFUSED")
def test_a_preview_of_a_stack_is_refused(tmp_path: Path, language: Language, rule: str, case: StackCase) -> None:
    """An update makes all before it is: so it is the preview that protects."""
    members = [Placed(one.name, one) for one in case.resources]
    with project(tmp_path, language, members) as (here, _):
        for command in (PREVIEW, UP):
            run = here.run(command, case.config)
            assert run.code != 0, run.text
            (said,) = run.of[stack_policy_of(rule), case.about]
            assert said.mandatory and case.says in said.message


@pytest.mark.long
@pytest.mark.parametrize("language", LANGUAGES)
@stacks_of("STACKS_ADVISED")
def test_a_stack_is_advised_against(tmp_path: Path, language: Language, rule: str, case: StackCase) -> None:
    members = [Placed(one.name, one) for one in case.resources]
    with project(tmp_path, language, members) as (here, _):
        run = here.run(PREVIEW, case.config)
    (said,) = run.of[STACK_ADVICE, case.about]
    assert not said.mandatory and case.says in said.message


@pytest.mark.long
@pytest.mark.parametrize("language", LANGUAGES)
@stacks_of("STACKS_PASSED")
def test_a_stack_passes_without_a_word(tmp_path: Path, language: Language, rule: str, case: StackCase) -> None:
    members = [Placed(one.name, one) for one in case.resources]
    with project(tmp_path, language, members) as (here, _):
        run = here.run(PREVIEW, case.config)
        assert [said for said in run.said if said.policy in (stack_policy_of(rule), STACK_ADVICE)] == [], run.text
