"""The policies behind the engine's protocol: levels, unknowns, secrets and configuration as they arrive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tls_proxy_cases
from arc_policies.documentation import page
from arc_policies.pack import ADVICE, POLICIES, RULES, STACK_ADVICE, names_of, options_of
from arc_policies.settings import COMMON, Option
from policy_cases import UNKNOWN
from pulumi.runtime.proto import analyzer_pb2 as wire
from wire_calls import analyze, secret, served

PROXY, CLUSTER = "arc-gateway:index:ProxySettings", "arc-gateway:index:ConnectedCluster"
ENDPOINT = "azure-native:network:PrivateEndpoint"


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
    server = served(config={policy.name: {"profile": "ga", "exemptHosts": []} for policy in POLICIES})
    (found,) = analyze(ENDPOINT, {}, server)
    assert found.enforcementLevel == wire.ADVISORY
    assert "profile ga" in found.message


def options_of_rules(name: str) -> list[Option[Any]]:
    return [option for rule in RULES for option in (*COMMON, *rule.options) if option.name == name]


def test_what_the_pack_says_of_itself() -> None:
    info = served().GetAnalyzerInfo(None, None)
    policies = {policy.name: policy for policy in info.policies}
    assert len(policies) == len(POLICIES), "two policies of one name"
    for rule in RULES:
        for name in names_of(rule):
            assert policies[name].enforcementLevel == (wire.ADVISORY if rule.advisory else wire.MANDATORY)
            low, high = wire.POLICY_SEVERITY_LOW, wire.POLICY_SEVERITY_HIGH
            assert policies[name].severity == (low if rule.advisory else high)
    assert set(policies) == {ADVICE, STACK_ADVICE}.union(*map(names_of, RULES))
    for policy in policies.values():
        assert policy.configSchema.properties["profile"]["default"] == "preview"
    for option in options_of(RULES):
        assert {id(one) for one in options_of_rules(option.name)} == {id(option)}, "two options of one name"
    checks = [(rule.name, check.name) for rule in RULES for check in rule.checks]
    assert len(checks) == len(set(checks)), "two checks of one name in a rule"


def test_every_link_in_a_message_leads_somewhere() -> None:
    page = (Path(__file__).parents[2] / "docs/policies.md").read_text("utf-8")
    for policy in POLICIES:
        assert policy.url is not None
        assert f"\n## {policy.url.removeprefix('docs/policies.md#')}\n" in page
        assert f"`{policy.name}`" in page


def test_the_page_is_written_from_the_rules() -> None:
    assert (Path(__file__).parents[2] / "docs/policies.md").read_text("utf-8") == page(), "run `make policy-docs`"
