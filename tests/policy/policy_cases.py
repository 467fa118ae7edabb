"""What a case of a corpus is, and how a policy is asked about it as the engine would ask.

A corpus is a module `*_cases.py` beside this one: `RULE` names the policy; `REFUSED`, `ADVISED` and `PASSED` hold its
cases, and `STACKS_REFUSED`, `STACKS_ADVISED` and `STACKS_PASSED` where a rule looks at several resources together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from arc_policies.pack import ADVICE, POLICIES, RULES, names_of, policies_of
from pulumi_policy import (
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.policy import PolicyCustomTimeouts, PolicyProviderResource
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

#: A value that the preview does not know.
UNKNOWN = UNKNOWN_STRING_VALUE

BY_NAME = {policy.name: policy for policy in POLICIES}
RULE_BY_NAME = {rule.name: rule for rule in RULES}


@dataclass(frozen=True)
class Case:
    """A resource, and the property that its finding must name (None where there must be none, or the resource itself).

    Attributes:
        name: unique in its corpus.
        type, props, protect: the resource.
        path: the property.
        config: the policy's configuration.
        provider: the inputs of its provider.
        says: words that the message must hold.
    """

    name: str
    type: str
    props: Mapping[str, Any]
    path: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    protect: bool = False
    provider: Mapping[str, Any] | None = None
    says: str = ""


@dataclass(frozen=True)
class StackCase:
    """Resources that are one stack; exactly one finding is expected, about the resource of this name."""

    name: str
    resources: Sequence[Case]
    about: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    says: str = ""


def corpora() -> dict[str, ModuleType]:
    """Each rule's corpus by the rule's name."""
    files = sorted(Path(__file__).parent.glob("*_cases.py"))
    modules = [import_module(file.stem) for file in files if file.stem != __name__]
    return {module.RULE: module for module in modules}


def advice_of(rule: str) -> str:
    """The policy that speaks of a rule's advisory findings."""
    return rule if RULE_BY_NAME[rule].advisory else ADVICE


def urn_of(case: Case, name: str = "thing") -> str:
    return f"urn:pulumi:dev::test::{case.type}::{name}"


def _options(case: Case) -> PolicyResourceOptions:
    return PolicyResourceOptions(case.protect, [], None, [], PolicyCustomTimeouts(0, 0, 0), [], None)


def _provider(case: Case) -> PolicyProviderResource | None:
    if case.provider is None:
        return None
    kind = "pulumi:providers:azure-native"
    props = unknown_checking_proxy(dict(case.provider))
    return PolicyProviderResource(kind, props, f"urn:pulumi:dev::test::{kind}::default", "default")


def ask(policy: str, case: Case) -> list[str]:
    """The messages of one policy about a case."""
    asked = BY_NAME[policy]
    if not isinstance(asked, ResourceValidationPolicy):
        return []
    messages: list[str] = []
    args = ResourceValidationArgs(
        case.type,
        unknown_checking_proxy(dict(case.props)),
        urn_of(case),
        "thing",
        _options(case),
        _provider(case),
        dict(case.config),
        {},
    )

    def report(message: str, urn: str | None = None) -> None:
        messages.append(message)

    asked.validate(args, report)
    return messages


def ask_stack(policy: str, case: StackCase) -> list[tuple[str, str]]:
    """The messages of one policy about a stack, each with the resource's URN."""
    # Fresh ones: the stack's advice tells what the others have noted, and that is other cases' here.
    asked = next(one for one in policies_of(RULES) if one.name == policy)
    assert isinstance(asked, StackValidationPolicy)
    messages: list[tuple[str, str]] = []
    resources = [
        PolicyResource(
            one.type,
            unknown_checking_proxy(dict(one.props)),
            urn_of(one, one.name),
            one.name,
            _options(one),
            _provider(one),
            None,
            [],
            {},
        )
        for one in case.resources
    ]

    def report(message: str, urn: str | None = None) -> None:
        messages.append((message, urn or ""))

    asked.validate(StackValidationArgs(resources, dict(case.config), {}), report)
    return messages


def stack_policy_of(rule: str) -> str:
    """The policy that judges a rule's stacks."""
    return names_of(RULE_BY_NAME[rule])[-1]
