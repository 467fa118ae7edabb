"""Passwords only as secrets, judged by what the engine says of each value."""

from __future__ import annotations

from typing import Any

import pytest
from arc_policies.secrecy import is_secret, mark_secrets, marking
from policy_cases import UNKNOWN
from pulumi.runtime.proto import analyzer_pb2 as wire
from pulumi_policy import policy as sdk
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.secret import Secret
from test_policy_wire import PROXY, analyze, secret

URL = "http://agent:hunter2@proxy.corp:3128"
LOCAL = "command:local:Command"
CONNECT = f"az connectedk8s update --proxy-https {URL}"


def chart(url: object) -> dict[str, Any]:
    return {"chart": "azure-arc-k8sagents", "values": {"global": {"httpsProxy": url, "noProxy": SKIP}}}


SKIP = "10.96.0.0/12,.svc,.svc.cluster.local"
RELEASE = "kubernetes:helm.sh/v3:Release"


@pytest.mark.parametrize(
    ("resource_type", "props"),
    [
        (PROXY, {"httpsUrl": URL, "skipRange": UNKNOWN}),
        (LOCAL, {"create": CONNECT, "stdin": secret("x")}),
        (LOCAL, {"create": "connect", "environment": {"ARC_PROXY_HTTPS": URL, "ARC_TAGS": secret("{}")}}),
        (LOCAL, {"create": "az connectedk8s update --proxy-https $P", "environment": {"P": URL}}),
        (RELEASE, chart(URL)),
    ],
)
def test_a_password_in_plain_text_is_refused(resource_type: str, props: dict[str, Any]) -> None:
    refused = [found for found in analyze(resource_type, props) if found.enforcementLevel == wire.MANDATORY]
    assert [found.policyName for found in refused] == ["proxy-urls"]
    assert "readable in Pulumi's state" in refused[0].message
    assert "hunter2" not in refused[0].message


@pytest.mark.parametrize(
    ("resource_type", "props"),
    [
        (PROXY, {"httpsUrl": secret(URL)}),
        (LOCAL, {"create": secret(CONNECT)}),
        (LOCAL, {"create": "connect", "environment": secret({"ARC_PROXY_HTTPS": URL})}),
        (LOCAL, {"create": "az connectedk8s update --proxy-https $P", "environment": {"P": secret(URL)}}),
        (RELEASE, {**chart(""), "values": secret(chart(URL)["values"])}),
    ],
)
def test_a_secret_password_gets_no_word(resource_type: str, props: dict[str, Any]) -> None:
    assert analyze(resource_type, props) == []


def test_marks_change_nothing_else() -> None:
    raw = {"plain": URL, "list": [URL, secret([URL, 1.0])], "other": {"a": None, "b": True}, "unknown": secret(UNKNOWN)}
    read = marking(deserialize_properties)
    assert read(raw) == deserialize_properties(raw)
    assert is_secret(read(raw)["plain"]) is False
    assert is_secret(read(raw)["list"][1][0]) is True
    assert is_secret(read(raw)["unknown"]) is None, "what cannot hold a URL with credentials is not marked"
    kept = read({"a": secret(URL)}, True)["__target"]["a"]
    assert isinstance(kept, Secret), "remediations get the SDK's own objects"


def test_marking_twice_is_marking_once() -> None:
    once = vars(sdk)["deserialize_properties"]
    mark_secrets()
    assert vars(sdk)["deserialize_properties"] is once
