"""The rules as Pulumi policies: one for each rule, and one that advises for all of them.

A Pulumi policy reports at one level, and inputs are decoded anew for each policy: so the weak signs of all mandatory
rules share one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, cast

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

from . import private_endpoints, required_endpoints, tls_proxies
from .exemptions import Ledger
from .rule import DOCS, Finding, Level, Rule, findings, stack_findings
from .settings import COMMON, Option, Settings, check_pack_settings, pack_settings, schema_of
from .tokens import Resource, normalise

RULES: tuple[Rule, ...] = (private_endpoints.RULE, tls_proxies.RULE, required_endpoints.RULE)

ADVICE = "arc-gateway-advice"
STACK_ADVICE = "arc-gateway-stack-advice"

#: What exemptions were used; the stack's advice tells them at the end.
_LEDGER = Ledger()


def _report(
    rule: Rule, resource: Resource, finding: Finding, settings: Settings, level: Level, say: ReportViolation
) -> None:
    exemption = settings.exemption(resource.name, resource.urn)
    message = rule.message(resource, settings, finding)
    if exemption is None:
        say(message, resource.urn)
    elif exemption.holds(settings.today):
        _LEDGER.note(rule.name, resource, exemption)
    else:
        say(f"{message} Its exemption expired: {exemption.expires} was the last day.", resource.urn)


def _validate(rules: tuple[Rule, ...], level: Level) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        settings = Settings(args.get_config())
        resource = Resource(
            args.resource_type,
            args.name,
            args.urn,
            args.props,
            protect=args.opts.protect,
            provider=None if args.provider is None else args.provider.props,
        )
        for rule, found, finding in findings(rules, resource, settings):
            if found is level:
                _report(rule, resource, finding, settings, level, report_violation)

    return validate


def _validate_stack(
    rules: tuple[Rule, ...], level: Level, *, exemptions: bool = False
) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report_violation: ReportViolation) -> None:
        settings = Settings(args.get_config())
        resources = [
            Resource(
                one.resource_type,
                one.name,
                one.urn,
                one.props,
                protect=one.opts.protect,
                provider=None if one.provider is None else one.provider.props,
            )
            for one in args.resources
        ]
        for rule, found, resource, finding in stack_findings(rules, resources, settings):
            if found is level:
                _report(rule, resource, finding, settings, level, report_violation)
        if exemptions:
            for message, urn in _LEDGER.entries():
                report_violation(message, urn)

    return validate


def _remediate(rule: Rule) -> Callable[[ResourceValidationArgs], Any]:
    def remediate(args: ResourceValidationArgs) -> Any:
        token = normalise(args.resource_type)
        settings = Settings(args.get_config())
        exemption = settings.exemption(args.name, args.urn)
        if exemption is not None and exemption.holds(settings.today):
            return None
        changed = [
            remedy.run(token, cast(MutableMapping[str, Any], args.props), settings)
            for remedy in rule.remedies
            if token in remedy.tokens
        ]
        # The very inputs that came: a copy would lose which of them are secret.
        return args.props if any(changed) else None

    return remediate


def _schema(options: Iterable[Option[Any]]) -> PolicyConfigSchema:
    return PolicyConfigSchema(schema_of(options, pack_settings()))


def options_of(rules: Iterable[Rule]) -> tuple[Option[Any], ...]:
    """All that can be set for these rules, each option once."""
    options = (*COMMON, *(option for rule in rules for option in rule.options))
    return tuple({option.name: option for option in options}.values())


def _policies_of(rule: Rule) -> Iterable[Policy]:
    level = Level.ADVISORY if rule.advisory else Level.MANDATORY
    common: dict[str, Any] = {
        "description": rule.description,
        "enforcement_level": EnforcementLevel.ADVISORY if rule.advisory else EnforcementLevel.MANDATORY,
        "config_schema": _schema(options_of([rule])),
        "severity": Severity.LOW if rule.advisory else Severity.HIGH,
        "url": f"{DOCS}#{rule.name}",
    }
    if rule.checks:
        yield ResourceValidationPolicy(
            name=rule.name,
            validate=_validate((rule,), level),
            remediate=_remediate(rule) if rule.remedies else None,
            **common,
        )
    if rule.stack_checks:
        name = f"{rule.name}-in-stack" if rule.checks else rule.name
        yield StackValidationPolicy(name=name, validate=_validate_stack((rule,), level), **common)


def _advice(rules: tuple[Rule, ...]) -> Iterable[Policy]:
    common: dict[str, Any] = {
        "enforcement_level": EnforcementLevel.ADVISORY,
        "config_schema": _schema(options_of(rules)),
        "severity": Severity.LOW,
        "url": f"{DOCS}#{ADVICE}",
    }
    yield ResourceValidationPolicy(
        name=ADVICE,
        description="Worth a look beside an Arc gateway: signs that prove nothing alone, and what is not known yet.",
        validate=_validate(rules, Level.ADVISORY),
        **common,
    )
    yield StackValidationPolicy(
        name=STACK_ADVICE,
        description="Worth a look in a stack beside an Arc gateway, and the exemptions that counted.",
        validate=_validate_stack(rules, Level.ADVISORY, exemptions=True),
        **common,
    )


check_pack_settings(options_of(RULES))

POLICIES: list[Policy] = [
    *(policy for rule in RULES for policy in _policies_of(rule)),
    *_advice(tuple(rule for rule in RULES if not rule.advisory)),
]
