"""The remedy of a skip range: what is missing is added in place, in the form that is there, and secrets stay secret."""

from __future__ import annotations

from typing import Any

import pytest
from arc_policies.pack import POLICIES
from google.protobuf import json_format, struct_pb2
from policy_cases import UNKNOWN
from pulumi.runtime.proto import analyzer_pb2 as wire
from test_policy_wire import secret, served

LOCAL, RELEASE = "command:local:Command", "kubernetes:helm.sh/v3:Release"
URL = "http://proxy.corp:3128"
NATIVE = "azure-native:kubernetes:ConnectedCluster"
WHOLE = "10.96.0.0/12,.corp,.svc,.svc.cluster.local,kubernetes.default.svc"


def remedied(resource_type: str, props: dict[str, Any], **config: Any) -> dict[str, Any] | None:
    """What the engine is told to make of a resource's inputs; None for nothing."""
    server = served()
    request = wire.ConfigureAnalyzerRequest()
    for policy in POLICIES:
        level = wire.REMEDIATE if policy.name == "skip-range" else wire.DISABLED
        request.policyConfig[policy.name].enforcementLevel = level
    request.policyConfig["skip-range"].properties.update(config)
    server.Configure(request, None)
    properties = struct_pb2.Struct()
    properties.update(props)
    asked = wire.AnalyzeRequest(type=resource_type, urn="urn:pulumi:dev::p::t::n", name="n", properties=properties)
    made = server.Remediate(asked, None).remediations
    assert all(not one.diagnostic for one in made)
    return json_format.MessageToDict(made[0].properties) if made else None


def driver(skip: object = None, **rest: object) -> dict[str, Any]:
    variables = {"ARC_PROXY_HTTPS": secret(URL), "ARC_GATEWAY_ID": UNKNOWN, **rest}
    return {"create": "connect", "environment": variables | ({} if skip is None else {"ARC_PROXY_SKIP_RANGE": skip})}


def agents(kind: str, skip: object) -> dict[str, Any]:
    other = {"feature": "monitoring", "settings": {"no_proxy": ".corp"}}
    return {"arcAgentryConfigurations": [other, {"feature": "proxy", kind: {"https_proxy": URL, "no_proxy": skip}}]}


def chart(skip: object, **rest: object) -> dict[str, Any]:
    return {
        "chart": "azure-arc-k8sagents",
        "values": {"global": {"httpsProxy": secret(URL), "noProxy": skip, **rest}},
        "version": UNKNOWN,
    }


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ("10.96.0.0/12,.corp", WHOLE),
        (".corp 10.96.0.1/12,*.svc", WHOLE),
        (secret("10.96.0.0/12,.corp"), secret(WHOLE)),
        (None, ".svc,.svc.cluster.local,kubernetes.default.svc"),
    ],
)
def test_completed_for_the_driver(given: object, whole: object) -> None:
    assert remedied(LOCAL, driver(given)) == driver(whole)


def test_a_secret_environment_stays_secret() -> None:
    given, whole = driver("10.96.0.0/12,.corp"), driver(WHOLE)
    made = remedied(LOCAL, {**given, "environment": secret(given["environment"])})
    assert made == {**whole, "environment": secret(whole["environment"])}


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ("10.96.0.0/12,.corp", WHOLE),
        ("10.96.0.0/12\\,.corp", WHOLE.replace(",", "\\,")),
        (["10.96.0.0/12", secret(".corp")], [secret(e) if e == ".corp" else e for e in WHOLE.split(",")]),
    ],
)
def test_completed_in_a_chart(given: object, whole: object) -> None:
    assert remedied(RELEASE, chart(given)) == chart(whole)


@pytest.mark.parametrize("kind", ["settings", "protectedSettings"])
def test_completed_for_the_agents(kind: str) -> None:
    assert remedied(NATIVE, agents(kind, "10.96.0.0/12,.corp")) == agents(kind, WHOLE)
    assert remedied(NATIVE, agents(kind, secret("10.96.0.0/12,.corp"))) == agents(kind, secret(WHOLE))


def test_completed_by_the_configured_service_ranges() -> None:
    assert remedied(RELEASE, chart(".corp"), serviceRanges=["10.96.0.0/12"]) == chart(WHOLE)


@pytest.mark.parametrize(
    ("resource_type", "props"),
    [
        (LOCAL, driver(WHOLE)),
        (LOCAL, driver(".svc.cluster.local,.svc")),
        (LOCAL, driver(UNKNOWN)),
        (LOCAL, driver(secret(UNKNOWN))),
        (LOCAL, driver("*")),
        (LOCAL, driver("10.5.*")),
        (LOCAL, {"create": "connect", "environment": {"ARC_GATEWAY_ID": "x"}}),
        (LOCAL, {"create": "connect", "environment": UNKNOWN}),
        (LOCAL, {"create": UNKNOWN}),
        (NATIVE, agents("settings", WHOLE)),
        (NATIVE, agents("settings", UNKNOWN)),
        (NATIVE, {"arcAgentryConfigurations": [{"feature": "proxy", "settings": {}}, UNKNOWN]}),
        (NATIVE, {"arcAgentryConfigurations": UNKNOWN}),
        (RELEASE, chart(WHOLE)),
        (RELEASE, chart([".corp", UNKNOWN])),
        (RELEASE, {**chart(".corp"), "chart": "other"}),
        (RELEASE, {"chart": "azure-arc-k8sagents", "values": UNKNOWN}),
        (RELEASE, {"chart": "azure-arc-k8sagents", "values": {"global": {"noProxy": ".corp"}}}),
    ],
)
def test_nothing_is_made_of_what_is_whole_open_or_beyond_mending(resource_type: str, props: dict[str, Any]) -> None:
    assert remedied(resource_type, props) is None
