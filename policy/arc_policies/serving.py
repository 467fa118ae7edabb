"""The SDK's analyzer, but a resource is decoded once for all policies, and not at all where none looks at its type.

The SDK decodes anew for each policy, which is most of what a pack of many policies costs. The answers are the same.
What is overridden here is private to the SDK: its version is pinned, and a test compares the answers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from google.protobuf import json_format
from pulumi.runtime.proto import analyzer_pb2 as wire
from pulumi_policy import EnforcementLevel, Policy, ResourceValidationArgs, ResourceValidationPolicy, policy
from pulumi_policy.proxy import UnknownValueError, unknown_checking_proxy

from .pack import RULES
from .subjects import expands
from .tokens import normalise

_SDKS: Any = policy._PolicyAnalyzerServicer
_SDK: Any = policy


class Analyzer(_SDKS):  # type: ignore[misc]
    """Answers the engine for the pack's policies."""

    def __init__(self, name: str, version: str, policies: list[Policy], *settings: Any) -> None:
        super().__init__(name, version, policies, *settings)
        self._judges = [one for one in policies if isinstance(one, ResourceValidationPolicy)]

    def Remediate(self, request: wire.AnalyzeRequest, context: Any) -> wire.RemediateResponse:
        if EnforcementLevel.REMEDIATE not in map(self._get_enforcement_level, self._judges):
            return wire.RemediateResponse()
        remedied: wire.RemediateResponse = super().Remediate(request, context)
        return remedied

    def Analyze(self, request: wire.AnalyzeRequest, context: Any) -> wire.AnalyzeResponse:
        if not _seen(request.type):
            return wire.AnalyzeResponse()
        try:
            return self._analyze(request)
        except UnknownValueError:  # a value was read without care: one policy's note instead of the end of all
            noted: wire.AnalyzeResponse = super().Analyze(request, context)
            return noted

    def AnalyzeStack(self, request: wire.AnalyzeStackRequest, context: Any) -> wire.AnalyzeResponse:
        seen = [resource for resource in request.resources if _seen_in_stack(resource.type)]
        judged: wire.AnalyzeResponse = super().AnalyzeStack(wire.AnalyzeStackRequest(resources=seen), context)
        return judged

    def _analyze(self, request: wire.AnalyzeRequest) -> wire.AnalyzeResponse:
        response = wire.AnalyzeResponse()
        # Looked up at each call, as the SDK does it: whoever replaces it there is heard here.
        props = unknown_checking_proxy(_SDK.deserialize_properties(json_format.MessageToDict(request.properties)))
        options, provider = self._get_resource_options(request), self._get_provider_resource(request)
        for one in self._judges:
            level = self._get_enforcement_level(one)
            if level is EnforcementLevel.DISABLED:
                continue
            if level is EnforcementLevel.REMEDIATE:
                level = EnforcementLevel.MANDATORY
            report = self._create_report_violation(response, one.name, one.description, level, one.severity)
            config = self._get_policy_config(one.name)
            one.validate(
                ResourceValidationArgs(request.type, props, request.urn, request.name, options, provider, config, {}),
                report,
            )
        return response


def install() -> None:
    """Have the SDK serve packs with this analyzer."""
    setattr(policy, _SDKS.__name__, Analyzer)


@lru_cache(maxsize=4096)
def _seen(resource_type: str) -> bool:
    token = normalise(resource_type)
    return expands(token) or any(rule.checks_of(token) for rule in RULES)


@lru_cache(maxsize=4096)
def _seen_in_stack(resource_type: str) -> bool:
    token = normalise(resource_type)
    return expands(token) or any(check.sees(token) for rule in RULES for check in rule.stack_checks)
