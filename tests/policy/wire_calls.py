"""The engine's calls to policies, as they come over the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from arc_policies.pack import POLICIES
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2 as wire
from pulumi_policy import EnforcementLevel, Policy
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY
from pulumi_policy.policy import _PolicyAnalyzerServicer

LEVELS = {
    EnforcementLevel.ADVISORY: wire.ADVISORY,
    EnforcementLevel.MANDATORY: wire.MANDATORY,
    EnforcementLevel.REMEDIATE: wire.REMEDIATE,
    EnforcementLevel.DISABLED: wire.DISABLED,
}


def served(
    policies: Sequence[Policy] = POLICIES,
    config: Mapping[str, Mapping[str, Any]] | None = None,
    levels: Mapping[str, EnforcementLevel] | None = None,
) -> Any:
    """The pack's server, configured as the engine does: defaults of the schema, what is set over them, a level each."""
    server = _PolicyAnalyzerServicer("arc-gateway", "0.0.1", list(policies), EnforcementLevel.ADVISORY)
    request = wire.ConfigureAnalyzerRequest()
    for policy in policies:
        assert policy.config_schema is not None and policy.enforcement_level is not None
        given = {name: one["default"] for name, one in policy.config_schema.properties.items()}
        level = (levels or {}).get(policy.name, policy.enforcement_level)
        request.policyConfig[policy.name].enforcementLevel = LEVELS[level]
        request.policyConfig[policy.name].properties.update({**given, **(config or {}).get(policy.name, {})})
    server.Configure(request, None)
    return server


def urn(resource_type: str, name: str = "north") -> str:
    return f"urn:pulumi:dev::p::{resource_type}::{name}"


def struct(props: Mapping[str, Any]) -> struct_pb2.Struct:
    properties = struct_pb2.Struct()
    properties.update(props)
    return properties


def analyze(resource_type: str, props: Mapping[str, Any], server: Any = None, name: str = "north") -> list[Any]:
    """What policies say of a resource."""
    request = wire.AnalyzeRequest(type=resource_type, urn=urn(resource_type, name), name=name, properties=struct(props))
    return list((server or served()).Analyze(request, None).diagnostics)


def analyze_stack(resources: Iterable[tuple[str, str, Mapping[str, Any]]], server: Any) -> list[Any]:
    """What policies say of a stack: of type, name and properties of each resource."""
    request = wire.AnalyzeStackRequest(
        resources=[
            wire.AnalyzerResource(type=kind, urn=urn(kind, name), name=name, properties=struct(props))
            for kind, name, props in resources
        ]
    )
    return list(server.AnalyzeStack(request, None).diagnostics)


def remediate(resource_type: str, props: Mapping[str, Any], server: Any) -> list[Mapping[str, Any]]:
    """The inputs after each remedy that was made."""
    request = wire.AnalyzeRequest(type=resource_type, urn=urn(resource_type), name="north", properties=struct(props))
    response = server.Remediate(request, None)
    assert [one.diagnostic for one in response.remediations if one.diagnostic] == []
    return [json_format.MessageToDict(one.properties) for one in response.remediations]


def secret(value: object) -> dict[str, object]:
    """A secret as the engine marks it."""
    return {SPECIAL_SIG_KEY: SPECIAL_SECRET_SIG, "value": value}
