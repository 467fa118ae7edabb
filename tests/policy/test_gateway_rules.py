"""What the corpora cannot hold: versions as versions, the process's own variables, and the gateway's remedy."""

from __future__ import annotations

from typing import Any, cast

import pytest
from arc_policies.agent_version import too_old
from arc_policies.gateway_shape import RULE as SHAPE
from arc_policies.pack import POLICIES
from arc_policies.settings import Settings
from policy_cases import UNKNOWN, Case, ask
from pulumi_policy import ResourceValidationPolicy

GATEWAY = "azure-native:hybridcompute:Gateway"
PROVIDER = "pulumi:providers:azure-native"


@pytest.mark.parametrize(
    ("version", "old"),
    [
        ("1.21.10", False),
        ("v1.21.10-preview", False),
        ("1.21.9", True),
        ("1.21", True),
        ("1", True),
        ("1.9", True),
        ("1.100", False),
        ("2", False),
        ("1.21.9.99", True),
        ("<1.21.10", True),
        ("<=1.21.10", False),
        ("<1.21.11", False),
        (">=1.0", False),
        (">=1.0 <1.21.0", True),
        (">=1.0,<2", False),
        ("1.0 - 1.20.9", True),
        ("1.0 - 1.22", False),
        ("^1.0", False),
        ("~1.21.3", False),
        ("~1.20", True),
        ("1.x", False),
        ("1.20.*", True),
        ("*", False),
        ("1.20 || 1.30", False),
        ("1.19 || 1.20", True),
        ("latest", None),
        ("1.20 and more", None),
        ("1." * 10_000, None),
    ],
)
def test_versions_are_compared_as_versions(version: str, old: bool | None) -> None:
    assert too_old(version) is old


@pytest.mark.parametrize(
    ("variable", "value", "refused"),
    [
        ("ARM_ENVIRONMENT", "usgovernment", True),
        ("ARM_METADATA_HOSTNAME", "management.chinacloudapi.cn", True),
        ("ARM_ENVIRONMENT", "public", False),
        ("ARM_ENVIRONMENT", "sandbox", False),
        ("ARM_METADATA_HOSTNAME", "localhost:41233", False),
    ],
)
def test_a_provider_takes_its_cloud_from_the_process(
    variable: str, value: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    messages = ask("azure-public-cloud", Case("provider", PROVIDER, {"subscriptionId": "s"}))
    assert [variable in message for message in messages] == [True] * refused
    assert not any(value in message for message in messages)
    said = {"environment": "public", "metadataHost": "management.azure.com"}
    assert ask("azure-public-cloud", Case("provider that says it", PROVIDER, said)) == []


@pytest.mark.parametrize(
    ("given", "mended"),
    [("public", "Public"), (" PUBLIC", "Public"), ("Public", None), ("Private", None), (UNKNOWN, None), (None, None)],
)
def test_the_type_is_spelt_as_azure_does(given: str | None, mended: str | None) -> None:
    inputs: dict[str, Any] = {"gatewayName": "g", **({} if given is None else {"gatewayType": given})}
    before = dict(inputs)
    (remedy,) = SHAPE.remedies
    assert remedy.run("azure-native:hybridcompute:gateway", inputs, Settings()) is (mended is not None)
    assert inputs == (before if mended is None else before | {"gatewayType": mended})


def test_the_policy_of_the_shape_offers_its_remedy() -> None:
    policy = next(policy for policy in POLICIES if policy.name == "gateway-shape")
    assert cast(ResourceValidationPolicy, policy).remediate is not None


def test_protection_is_asked_for_by_the_name_of_the_stack() -> None:
    gateway = Case("gateway", GATEWAY, {"gatewayType": "Public"})

    def advice(*stacks: str) -> list[str]:
        config = {"ephemeralStacks": list(stacks)}
        return ask("arc-gateway-advice", Case(gateway.name, gateway.type, gateway.props, config=config))

    assert len(advice()) == len(advice("pr-*", "de")) == 1
    assert advice("pr-*", "dev") == advice("d*") == []
