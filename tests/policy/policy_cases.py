"""What a case of a corpus is, and how a policy is asked about it as the engine would ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from arc_policies.pack import POLICIES
from pulumi_policy import PolicyResourceOptions, ResourceValidationArgs, ResourceValidationPolicy
from pulumi_policy.policy import PolicyCustomTimeouts
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

#: A value that the preview does not know.
UNKNOWN = UNKNOWN_STRING_VALUE

BY_NAME = {policy.name: policy for policy in POLICIES}
ADVICE = "arc-gateway-advice"


@dataclass(frozen=True)
class Case:
    """A resource, and the property that its finding must name (None where there must be none)."""

    name: str
    type: str
    props: Mapping[str, Any]
    path: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)


def ask(policy: str, case: Case) -> list[str]:
    """The messages of one policy about a case."""
    messages: list[str] = []
    urn = f"urn:pulumi:dev::test::{case.type}::thing"
    options = PolicyResourceOptions(False, [], None, [], PolicyCustomTimeouts(0, 0, 0), [], None)
    args = ResourceValidationArgs(
        case.type, unknown_checking_proxy(dict(case.props)), urn, "thing", options, None, dict(case.config), {}
    )
    asked = BY_NAME[policy]
    assert isinstance(asked, ResourceValidationPolicy)

    def report(message: str, urn: str | None = None) -> None:
        messages.append(message)

    asked.validate(args, report)
    return messages
