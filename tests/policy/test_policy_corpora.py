"""Each rule against its corpus: what it refuses, what it only advises against, what it lets pass."""

from __future__ import annotations

from typing import Any

import private_endpoint_cases
import pytest
import tls_proxy_cases
from policy_cases import ADVICE, Case, ask

CORPORA = {"no-private-endpoints": private_endpoint_cases, "no-tls-terminating-proxies": tls_proxy_cases}


def cases(kind: str) -> pytest.MarkDecorator:
    rows: list[Any] = [
        pytest.param(rule, case, id=f"{rule}: {case.name}")
        for rule, corpus in CORPORA.items()
        for case in getattr(corpus, kind)
    ]
    return pytest.mark.parametrize(("rule", "case"), rows)


@cases("REFUSED")
def test_refused(rule: str, case: Case) -> None:
    messages = ask(rule, case)
    assert len(messages) == 1, messages
    assert messages[0].startswith(f"thing ({case.type}){place(case)}"), messages[0]
    assert f"[rule {rule}, profile {case.config.get('profile', 'preview')}]" in messages[0]
    assert ". Why: " in messages[0]
    assert " Mend: " in messages[0]
    assert messages[0].endswith(f"See docs/policies.md#{rule}.")


@cases("ADVISED")
def test_advised_against(rule: str, case: Case) -> None:
    assert ask(rule, case) == []
    messages = ask(ADVICE, case)
    assert len(messages) == 1, messages
    assert messages[0].startswith(f"thing ({case.type}){place(case)}"), messages[0]


@cases("PASSED")
def test_passed(rule: str, case: Case) -> None:
    assert [message for policy in (*CORPORA, ADVICE) for message in ask(policy, case)] == []


@pytest.mark.parametrize("kind", ["REFUSED", "PASSED"])
def test_corpora_are_large_enough(kind: str) -> None:
    assert all(len(getattr(corpus, kind)) >= 10 for corpus in CORPORA.values())


@pytest.mark.parametrize("rule", CORPORA)
def test_every_form_is_named_once(rule: str) -> None:
    corpus = CORPORA[rule]
    names = [case.name for kind in ("REFUSED", "ADVISED", "PASSED") for case in getattr(corpus, kind)]
    assert [name for name in names if names.count(name) > 1] == []


def place(case: Case) -> str:
    return f", property {case.path}," if case.path else " "
