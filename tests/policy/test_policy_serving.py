"""The pack's analyzer gives the answers that the SDK's own gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from arc_policies.pack import RULES, policies_of
from arc_policies.rule import Rule
from arc_policies.serving import Analyzer
from google.protobuf import struct_pb2
from policy_cases import UNKNOWN, Case, StackCase, corpora, urn_of
from pulumi.runtime.proto import analyzer_pb2 as wire
from pulumi_policy import EnforcementLevel
from pulumi_policy.policy import _PolicyAnalyzerServicer
from pulumi_policy.proxy import UnknownValueError

CORPORA = corpora()


def serving(kind: type[Any], config: Mapping[str, Any], level: str = "") -> Any:
    """An analyzer with every policy at its own level, or at this one."""
    policies = policies_of(RULES)
    served = kind("arc-gateway", "0.0.1", policies, EnforcementLevel.ADVISORY)
    request = wire.ConfigureAnalyzerRequest()
    for policy in policies:
        assert policy.enforcement_level is not None
        set_up = request.policyConfig[policy.name]
        set_up.enforcementLevel = wire.EnforcementLevel.Value((level or policy.enforcement_level.value).upper())
        set_up.properties.update(config)
    served.Configure(request, None)
    return served


def filled(request: Any, case: Case, name: str = "thing") -> Any:
    request.type, request.name, request.urn = case.type, name, urn_of(case, name)
    request.properties.update(case.props)
    request.options.protect = case.protect
    if case.provider is not None:
        request.provider.type = "pulumi:providers:azure-native"
        request.provider.properties.update(case.provider)
    return request


@pytest.mark.parametrize("rule", CORPORA)
def test_a_resource_gets_the_same_answer(rule: str) -> None:
    for kind in ("REFUSED", "ADVISED", "PASSED"):
        for case in getattr(CORPORA[rule], kind, []):
            for level in ("", "remediate"):
                ours, theirs = (serving(made, case.config, level) for made in (Analyzer, _PolicyAnalyzerServicer))
                request = filled(wire.AnalyzeRequest(), case)
                assert ours.Analyze(request, None) == theirs.Analyze(request, None), case.name
                assert ours.Remediate(request, None) == theirs.Remediate(request, None), case.name


@pytest.mark.parametrize("rule", CORPORA)
def test_a_stack_gets_the_same_answer(rule: str) -> None:
    every = [case for kind in ("REFUSED", "ADVISED", "PASSED") for case in getattr(CORPORA[rule], kind, [])]
    stacks: list[StackCase] = [
        stack
        for kind in ("STACKS_REFUSED", "STACKS_ADVISED", "STACKS_PASSED")
        for stack in getattr(CORPORA[rule], kind, [])
    ]
    for stack in (*stacks, StackCase("all", every)):
        request = wire.AnalyzeStackRequest()
        for number, case in enumerate(stack.resources):
            filled(request.resources.add(), case, f"{case.name} {number}")
        ours, theirs = (serving(made, stack.config) for made in (Analyzer, _PolicyAnalyzerServicer))
        assert ours.AnalyzeStack(request, None) == theirs.AnalyzeStack(request, None), stack.name


def test_a_policy_that_reads_an_unknown_value_leaves_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(*_: object) -> None:
        raise UnknownValueError(UNKNOWN, ["some"])

    monkeypatch.setattr(Rule, "judge", careless)
    request = filled(wire.AnalyzeRequest(), Case("any", "azure-native:network:PrivateEndpoint", {}))
    noted = serving(Analyzer, {}).Analyze(request, None)
    assert {"can't run policy" in one.message for one in noted.diagnostics} == {True}
    assert noted == serving(_PolicyAnalyzerServicer, {}).Analyze(request, None)


def test_a_type_that_no_rule_looks_at_is_not_decoded() -> None:
    request = wire.AnalyzeRequest(type="azure-native:storage:StorageAccount", properties=struct_pb2.Struct())
    assert serving(Analyzer, {}).Analyze(request, None) == wire.AnalyzeResponse()
