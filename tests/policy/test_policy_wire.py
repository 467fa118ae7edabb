"""The policies behind the engine's protocol: levels, unknowns, secrets and configuration as they arrive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tls_proxy_cases
from arc_policies.documentation import page
from arc_policies.pack import POLICIES, RULES
from google.protobuf import struct_pb2
from policy_cases import UNKNOWN
from pulumi.runtime.proto import analyzer_pb2 as wire
from pulumi_policy import EnforcementLevel
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY
from pulumi_policy.policy import _PolicyAnalyzerServicer

PROXY, CLUSTER = "arc-gateway:index:ProxySettings", "arc-gateway:index:ConnectedCluster"
ENDPOINT = "azure-native:network:PrivateEndpoint"


def served() -> Any:
    return _PolicyAnalyzerServicer("arc-gateway", "0.0.1", POLICIES, EnforcementLevel.ADVISORY)


def analyze(resource_type: str, props: dict[str, Any], server: Any = None) -> list[Any]:
    properties = struct_pb2.Struct()
    properties.update(props)
    request = wire.AnalyzeRequest(
        type=resource_type, urn=f"urn:pulumi:dev::p::{resource_type}::north", name="north", properties=properties
    )
    return list((server or served()).Analyze(request, None).diagnostics)


def secret(value: object) -> dict[str, object]:
    return {SPECIAL_SIG_KEY: SPECIAL_SECRET_SIG, "value": value}


@pytest.mark.parametrize(
    ("resource_type", "props", "policy"),
    [
        (ENDPOINT, {"privateEndpointName": "pe"}, "no-private-endpoints"),
        (CLUSTER, {"clusterName": UNKNOWN, "enablePrivateLink": True}, "no-private-endpoints"),
        (PROXY, {"httpsUrl": UNKNOWN, "terminatesTls": True}, "no-tls-terminating-proxies"),
        (
            PROXY,
            {"httpsUrl": secret("http://u:hunter2@proxy:3128"), "certificate": secret(tls_proxy_cases.PEM)},
            "no-tls-terminating-proxies",
        ),
        (
            tls_proxy_cases.RULES,
            {"name": UNKNOWN, **tls_proxy_cases.groups(tls_proxy_cases.group(tls_proxy_cases.rule("*")))},
            "no-tls-terminating-proxies",
        ),
    ],
)
def test_a_violation_is_mandatory(resource_type: str, props: dict[str, Any], policy: str) -> None:
    (found,) = analyze(resource_type, props)
    assert found.policyName == policy
    assert found.enforcementLevel == wire.MANDATORY
    assert found.severity == wire.POLICY_SEVERITY_HIGH
    assert found.urn.endswith("::north")
    assert f"north ({resource_type})" in found.message
    assert "hunter2" not in found.message


def test_an_open_value_is_advice_and_never_a_rule_that_could_not_run() -> None:
    (found,) = analyze(PROXY, {"httpsUrl": "http://proxy:3128", "certificate": secret(UNKNOWN)})
    assert found.policyName == "arc-gateway-advice"
    assert found.enforcementLevel == wire.ADVISORY
    assert "not known yet" in found.message
    assert "can't run policy" not in found.message


def test_a_sound_resource_gets_no_word() -> None:
    assert analyze(PROXY, {"httpsUrl": "http://proxy:3128", "terminatesTls": False, "skipRange": [".svc"]}) == []
    assert analyze("random:index:RandomPet", {"length": 2.0, "prefix": UNKNOWN}) == []


def test_the_profile_comes_with_the_policies_configuration() -> None:
    server = served()
    request = wire.ConfigureAnalyzerRequest()
    for policy in POLICIES:
        assert policy.enforcement_level is not None
        level = wire.MANDATORY if policy.enforcement_level is EnforcementLevel.MANDATORY else wire.ADVISORY
        request.policyConfig[policy.name].enforcementLevel = level
        request.policyConfig[policy.name].properties.update({"profile": "ga", "exemptHosts": []})
    server.Configure(request, None)
    (found,) = analyze(ENDPOINT, {}, server)
    assert found.enforcementLevel == wire.ADVISORY
    assert "profile ga" in found.message


def test_what_the_pack_says_of_itself() -> None:
    info = served().GetAnalyzerInfo(None, None)
    policies = {policy.name: policy for policy in info.policies}
    assert len(policies) == len(POLICIES), "two policies of one name"
    for rule in RULES:
        assert policies[rule.name].enforcementLevel == wire.MANDATORY
    for policy in policies.values():
        assert policy.configSchema.properties["profile"]["default"] == "preview"
    checks = [(rule.name, check.name) for rule in RULES for check in rule.checks]
    assert len(checks) == len(set(checks)), "two checks of one name in a rule"


def test_every_link_in_a_message_leads_somewhere() -> None:
    page = (Path(__file__).parents[2] / "docs/policies.md").read_text("utf-8")
    for policy in POLICIES:
        assert f"\n## {(policy.url or '').rpartition('#')[2]}\n" in page


def test_the_page_is_written_from_the_rules() -> None:
    assert (Path(__file__).parents[2] / "docs/policies.md").read_text("utf-8") == page(), "run `make policy-docs`"
