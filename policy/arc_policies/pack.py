"""The rules as Pulumi policies: one for each rule, and one that advises for all of them.

A Pulumi policy reports at one level, and inputs are decoded anew for each policy: so the weak signs of all mandatory
rules share one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

from . import (
    agent_version,
    connections,
    gateway_quota,
    gateway_shape,
    least_privilege,
    private_endpoints,
    proxy_urls,
    public_cloud,
    required_endpoints,
    skip_ranges,
    tls_proxies,
)
from .exemptions import Ledger
from .rule import DOCS, Finding, Level, Rule, findings, stack_findings
from .secrecy import mark_secrets
from .settings import COMMON, Option, Settings, check_pack_settings, pack_settings, schema_of
from .tokens import Resource, normalise

RULES: tuple[Rule, ...] = (
    private_endpoints.RULE,
    tls_proxies.RULE,
    connections.RULE,
    gateway_quota.RULE,
    public_cloud.RULE,
    skip_ranges.RULE,
    proxy_urls.RULE,
    required_endpoints.RULE,
    agent_version.RULE,
    gateway_shape.RULE,
    least_privilege.RULE,
)

ADVICE = "arc-gateway-advice"
STACK_ADVICE = "arc-gateway-stack-advice"


def policies_of(rules: tuple[Rule, ...]) -> list[Policy]:
    """The policies that stand for these rules, the stack's advice last: it tells what the others have noted."""
    ledger = Ledger()
    return [
        *(policy for rule in rules for policy in _own_policies(rule, ledger)),
        *_advice(tuple(rule for rule in rules if not rule.advisory), ledger),
    ]


def names_of(rule: Rule) -> tuple[str, ...]:
    """The names of the policies that speak for a rule alone: of single resources, and of the stack."""
    return tuple(
        name
        for name, checks in (
            (rule.name, rule.checks),
            (f"{rule.name}-in-stack" if rule.checks else rule.name, rule.stack_checks),
        )
        if checks
    )


def options_of(rules: Iterable[Rule]) -> tuple[Option[Any], ...]:
    """All that can be set for these rules, each option once."""
    options = (*COMMON, *(option for rule in rules for option in rule.options))
    return tuple({option.name: option for option in options}.values())


@dataclass(frozen=True)
class _Speaker:
    """What a policy says of rules' findings at its one level."""

    policy: str
    rules: tuple[Rule, ...]
    level: Level
    ledger: Ledger

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(option.name for option in options_of(self.rules))

    def settings(self, config: Mapping[str, Any]) -> Settings:
        """A policy's configuration over the pack's; keys that set nothing are noted, for the engine lets them pass."""
        for key in config:
            if key not in self._keys:
                self.ledger.note_idle(self.policy, key)
        return Settings({**pack_settings(), **config})

    def of_resource(self, args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        settings, resource = self.settings(args.get_config()), _resource(args)
        for rule, level, finding in findings(self.rules, resource, settings):
            if level is self.level:
                self._say(rule, resource, finding, settings, report_violation)

    def of_stack(self, args: StackValidationArgs, report_violation: ReportViolation) -> None:
        settings = self.settings(args.get_config())
        resources = [_resource(one) for one in args.resources]
        for rule, level, resource, finding in stack_findings(self.rules, resources, settings):
            if level is self.level:
                self._say(rule, resource, finding, settings, report_violation)

    def of_stack_with_notes(self, args: StackValidationArgs, report_violation: ReportViolation) -> None:
        self.of_stack(args, report_violation)
        for message, urn in self.ledger.told():
            report_violation(message, urn or None)

    def _say(
        self, rule: Rule, resource: Resource, finding: Finding, settings: Settings, report_violation: ReportViolation
    ) -> None:
        exemption = settings.exemption(resource.name, resource.urn)
        message = rule.message(resource, settings, finding)
        if exemption is None:
            report_violation(message, resource.urn)
        elif exemption.holds(settings.today):
            self.ledger.note(rule.name, resource, exemption)
        else:
            report_violation(f"{message} {exemption.over()}", resource.urn)

    def remediate(self, args: ResourceValidationArgs) -> Any:
        """The rules' remedies, made in the very inputs that came: a copy would lose which of them are secret."""
        settings = self.settings(args.get_config())
        exemption = settings.exemption(args.name, args.urn)
        if exemption is not None and exemption.holds(settings.today):
            return None
        token = normalise(args.resource_type)
        changed = [
            remedy.run(token, cast(MutableMapping[str, Any], args.props), settings)
            for rule in self.rules
            for remedy in rule.remedies
            if token in remedy.tokens
        ]
        return args.props if any(changed) else None


def _resource(given: ResourceValidationArgs | PolicyResource) -> Resource:
    return Resource(
        given.resource_type,
        given.name,
        given.urn,
        given.props,
        protect=given.opts.protect,
        provider=None if given.provider is None else given.provider.props,
    )


def _schema(rules: Iterable[Rule]) -> PolicyConfigSchema:
    return PolicyConfigSchema(schema_of(options_of(rules), pack_settings()))


def _own_policies(rule: Rule, ledger: Ledger) -> Iterable[Policy]:
    level = Level.ADVISORY if rule.advisory else Level.MANDATORY
    common: dict[str, Any] = {
        "description": rule.description,
        "enforcement_level": EnforcementLevel.ADVISORY if rule.advisory else EnforcementLevel.MANDATORY,
        "config_schema": _schema([rule]),
        "severity": Severity.LOW if rule.advisory else Severity.HIGH,
        "url": f"{DOCS}#{rule.name}",
    }
    for name in names_of(rule):
        speaker = _Speaker(name, (rule,), level, ledger)
        if rule.checks and name == rule.name:
            remediate = speaker.remediate if rule.remedies else None
            yield ResourceValidationPolicy(name=name, validate=speaker.of_resource, remediate=remediate, **common)
        else:
            yield StackValidationPolicy(name=name, validate=speaker.of_stack, **common)


def _advice(rules: tuple[Rule, ...], ledger: Ledger) -> Iterable[Policy]:
    common: dict[str, Any] = {
        "enforcement_level": EnforcementLevel.ADVISORY,
        "config_schema": _schema(rules),
        "severity": Severity.LOW,
    }
    yield ResourceValidationPolicy(
        name=ADVICE,
        description="Worth a look beside an Arc gateway: signs that prove nothing alone, and what is not known yet.",
        validate=_Speaker(ADVICE, rules, Level.ADVISORY, ledger).of_resource,
        url=f"{DOCS}#{ADVICE}",
        **common,
    )
    yield StackValidationPolicy(
        name=STACK_ADVICE,
        description="Worth a look in a stack beside an Arc gateway, and the exemptions that counted.",
        validate=_Speaker(STACK_ADVICE, rules, Level.ADVISORY, ledger).of_stack_with_notes,
        url=f"{DOCS}#{STACK_ADVICE}",
        **common,
    )


check_pack_settings(options_of(RULES))
mark_secrets()

POLICIES: list[Policy] = policies_of(RULES)
