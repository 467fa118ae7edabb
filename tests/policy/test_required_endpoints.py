"""What required-endpoints rests on: which names are needed when, and that no stack crashes it or takes it long."""

from __future__ import annotations

import time
from typing import Any

import pytest
import required_endpoint_cases as corpus
from arc_policies.names import below, covers, families, meets, needs, related, superfluous
from arc_policies.required_endpoints import RULE
from arc_policies.required_settings import SCENARIO_NAMES, time_of
from arc_policies.rule import findings, stack_findings
from arc_policies.settings import Settings
from arc_policies.tokens import Resource
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_cases import UNKNOWN, Case, StackCase, ask_stack, stack_policy_of

from arcgateway import endpoints

CASES = [*corpus.REFUSED, *corpus.ADVISED, *corpus.PASSED]
STACKS = [*corpus.STACKS_REFUSED, *corpus.STACKS_ADVISED, *corpus.STACKS_PASSED]
TIMES = ("2026-08-20T12:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "soon", "")


@pytest.mark.parametrize("scenario", ["", *SCENARIO_NAMES])
def test_what_is_needed_is_never_superfluous(scenario: str) -> None:
    scenarios = (scenario,) if scenario else ()
    for regions in ((), ("eastus",), ("eastus", "francecentral")):
        kept = [need.name for need in needs(regions, scenarios)]
        for need in superfluous(regions, scenarios):
            assert not any(covers(need.name, name) for name in kept), need


def test_the_needed_names_are_the_products_own() -> None:
    rows = endpoints.required("prefix.gw.arc.azure.com", "eastus", ("key-vault",))
    names = {need.name for need in needs(("eastus",), ("key-vault",))}
    assert names - {"*.gw.arc.azure.com"} == {row.host for row in rows if not row.gateway}


@pytest.mark.parametrize(
    ("zone", "name", "held"),
    [
        ("azure.com", "*.gw.arc.azure.com", True),
        ("Login.MicrosoftOnline.com.", "login.microsoftonline.com", True),
        ("eastus.obo.arc.azure.com", "*.obo.arc.azure.com", True),
        ("contoso.azure.com", "management.azure.com", False),
        ("ure.com", "management.azure.com", False),
        ("", "management.azure.com", False),
    ],
)
def test_zones(zone: str, name: str, held: bool) -> None:
    assert below(zone, name) is held


@given(st.text(alphabet="am.*rczure", max_size=30) | st.sampled_from([need.name for need in needs()]))
@settings(max_examples=300, deadline=None)
def test_only_related_names_meet(pattern: str) -> None:
    among = families(needs())
    if any(meets(pattern, need.name) or covers(pattern, need.name) for need in needs()):
        assert related(pattern, among)


@pytest.mark.parametrize("text", TIMES)
def test_a_time_that_is_none_sets_nothing(text: str) -> None:
    assert (time_of(text) is None) == (text in {"soon", "", "0001-01-01T00:00:00+14:00"})
    for case in CASES[:5]:
        resource = Resource(case.type, "x", "urn", case.props)
        assert findings((RULE,), resource, Settings({"lastAssociation": text}))


@st.composite
def stacks(draw: st.DrawFn) -> StackCase:
    """Parts of stacks of the corpus, with some of their texts unknown or others."""
    drawn = draw(st.lists(st.sampled_from(STACKS), min_size=1, max_size=3))
    leaf = st.sampled_from([UNKNOWN, "", "x", "443", "*", None, True, 7.0, [], {}])

    def changed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: changed(item) for key, item in value.items()}
        if isinstance(value, list):
            return [changed(item) for item in value]
        return draw(leaf) if draw(st.integers(0, 9)) == 0 else value

    resources = [one for stack in drawn for one in stack.resources]
    return StackCase(
        "any",
        [Case(f"r{index}", one.type, changed(dict(one.props)) or {}) for index, one in enumerate(resources)],
        config={"lastAssociation": draw(st.sampled_from(TIMES)), "region": draw(st.sampled_from(["eastus", "", "?"]))},
    )


@given(stacks())
@settings(max_examples=150, deadline=None)
def test_no_stack_crashes_the_rule(case: StackCase) -> None:
    ask_stack(stack_policy_of(corpus.RULE), case)


HARD = {
    "conditions that refer to themselves": "acl a any-of a a a a a a a a\nhttp_access deny a\n",
    "conditions that refer to each other": "".join(f"acl a{n} any-of a{n + 1} a{n + 2}\n" for n in range(2000))
    + "http_access deny a0\n",
    "long lists": "".join(f"acl a dstdomain .h{n}.example\nhttp_access deny a\n" for n in range(5000)),
    "blocks that do not end": "azure http_access" + "a.b {\n" * 50_000,
    "blocks": "azure\n" + "a.b {\nhosts\n}\n" * 20_000,
    "blanks": "azure\n" + " " * 200_000 + "\n" * 200_000,
    "expressions": "acl a dstdom_regex (a+)+$ (.*)*x ^(((m*)*)*)*!\nhttp_access deny a\n",
    "stars": "acl a dstdomain " + "*m*c*r*." * 40 + "com\nhttp_access deny a\n",
}


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_hard_texts_are_judged_in_time(text: str) -> None:
    started = time.process_time()
    for name in ("squid.conf", "Corefile"):
        findings((RULE,), Resource(corpus.CONFIG_MAP, "x", "urn", corpus.configuration(name, text)), Settings())
    assert time.process_time() - started < 10


def test_the_cost_grows_linearly_with_the_stack() -> None:
    rules = [corpus.app(*(f"h{n}-{m}.example" for m in range(10))) for n in range(20)]
    large = corpus.group(*(corpus.allow(*rules, priority=100.0 + n) for n in range(5)), corpus.deny(corpus.app("*")))

    def seconds(groups: int) -> float:
        stack = [Resource(corpus.GROUP, f"g{n}", f"urn{n}", large) for n in range(groups)]
        started = time.process_time()
        stack_findings((RULE,), stack, Settings())
        return time.process_time() - started

    assert min(seconds(16) for _ in range(2)) < 2 * 8 * min(seconds(2) for _ in range(3))
