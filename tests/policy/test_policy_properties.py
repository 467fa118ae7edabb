"""Whatever a resource holds, no rule crashes, none prints a value, and none is slow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import tls_proxy_cases
from arc_policies import shell
from arc_policies.pack import RULES
from arc_policies.reading import UNKNOWN as OPEN
from arc_policies.reading import Node, plain
from arc_policies.rule import findings
from arc_policies.settings import Settings
from arc_policies.tokens import Resource
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_cases import BY_NAME, UNKNOWN, Case, ask, corpora
from pulumi_policy.proxy import unknown_checking_proxy

CASES: list[Case] = [
    case
    for corpus in corpora().values()
    for kind in ("REFUSED", "ADVISED", "PASSED")
    for case in getattr(corpus, kind, [])
]
TYPES = sorted({case.type for case in CASES})
CANARY = "hunter2-canary"


def keys_of(value: Any) -> set[str]:
    """All keys in a value."""
    if isinstance(value, Mapping):
        return set(value).union(*map(keys_of, value.values()))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


def spread(value: Any, leaf: Any) -> Any:
    """The same shape with every text passed through `leaf`."""
    if isinstance(value, Mapping):
        return {key: spread(item, leaf) for key, item in value.items()}
    if isinstance(value, list):
        return [spread(item, leaf) for item in value]
    return leaf(value) if isinstance(value, str) and value != UNKNOWN else value


KNOWN_KEYS = sorted(set().union(*(keys_of(case.props) for case in CASES)))
KNOWN_TEXTS: list[str] = []
for one in CASES:
    spread(one.props, KNOWN_TEXTS.append)

texts = st.one_of(
    st.text(max_size=40),
    st.sampled_from(KNOWN_TEXTS),
    st.just(UNKNOWN),
    st.text(alphabet="az \"'`$(){}<>|&;\\\n#=-[]*", max_size=40),
)
leaves = st.none() | st.booleans() | st.floats() | texts
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KNOWN_KEYS) | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=25,
)
inputs = st.dictionaries(st.sampled_from(KNOWN_KEYS), values, max_size=6)
configs = st.sampled_from(
    [
        {},
        {"profile": "ga"},
        {"scope": "arc"},
        {"requiredTags": ["owner"]},
        {"profile": "ga", "exemptHosts": ["*"]},
        {"gatewaysElsewhere": {"default": 5.0}},
    ]
)


@given(st.sampled_from(TYPES) | st.text(max_size=30), inputs, configs)
@settings(max_examples=150, deadline=None)
def test_no_input_crashes_a_rule(resource_type: str, props: dict[str, Any], config: dict[str, Any]) -> None:
    for policy in BY_NAME:
        ask(policy, Case("any", resource_type, props, config=config))


@given(st.sampled_from(CASES), st.data())
@settings(max_examples=150, deadline=None)
def test_no_change_to_a_known_input_crashes_a_rule(case: Case, data: st.DataObject) -> None:
    changed = spread(case.props, lambda text: data.draw(st.just(text) | values))
    for policy in BY_NAME:
        ask(policy, Case("changed", case.type, changed, config=case.config))


@given(st.sampled_from(CASES))
@settings(max_examples=len(CASES), deadline=None)
def test_no_message_prints_a_value(case: Case) -> None:
    for carry in (lambda text: f"{text} {CANARY}", lambda text: f"{CANARY}{text}", lambda text: f"{text}/{CANARY}"):
        for policy in BY_NAME:
            for message in ask(policy, Case("canary", case.type, spread(case.props, carry), config=case.config)):
                assert CANARY not in message


def test_the_canaries_are_not_all_silent() -> None:
    def carry(text: str) -> str:
        return f"{text} {CANARY}"

    spoken = [case for case in CASES if any(ask(p, Case("c", case.type, spread(case.props, carry))) for p in BY_NAME)]
    assert len(spoken) > len(CASES) / 3


@given(st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)))
@settings(max_examples=100, deadline=None)
def test_reading_never_raises_and_keeps_what_is_known(value: Any) -> None:
    read = plain(unknown_checking_proxy({"value": value}))
    assert isinstance(read, dict)
    if not keys_of(value) and not isinstance(value, list):
        expected = OPEN if value == UNKNOWN else value
        assert read["value"] is expected or read["value"] == expected or value != value
    assert all(isinstance(node.path, tuple) for node in Node(read).walk())


@given(texts)
@settings(max_examples=150, deadline=None)
def test_shell_text_is_read_or_refused(text: str) -> None:
    try:
        made = shell.calls(text, {"X": "az network"})
    except shell.UnreadableError:
        return
    assert all(isinstance(word, str) for call in made for word in (call.program, *call.arguments))


def test_large_inputs_are_judged_in_time() -> None:
    large = {
        "kubernetes:core/v1:ConfigMap": {"data": {"a": "ssl_bum" * 140_000, "b": "\n" * 1_000_000, "c": " " * 50_000}},
        "azure-native:network:FirewallPolicyRuleCollectionGroup": tls_proxy_cases.groups(
            *(tls_proxy_cases.group(*(tls_proxy_cases.rule(f"h{n}.example") for n in range(60))) for _ in range(10))
        ),
        "command:local:Command": {"create": "echo 'x' \"$(date)\";\n" * 10_000},
    }
    started = time.process_time()
    for resource_type, props in large.items():
        findings(RULES, Resource(resource_type, "large", "urn", props), Settings())
    assert time.process_time() - started < 10
