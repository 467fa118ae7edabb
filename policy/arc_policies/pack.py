"""The rules as Pulumi policies: a mandatory one for each, and one that advises for all of them.

A Pulumi policy reports at one level, and inputs are decoded anew for each policy: so the weak signs of all rules
share one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
)

from . import private_endpoints, tls_proxies
from .rule import DOCS, Level, Rule, Settings, findings, pack_settings

RULES = (private_endpoints.RULE, tls_proxies.RULE)

_Validate = Callable[[ResourceValidationArgs, ReportViolation], None]


def _validate(rules: tuple[Rule, ...], level: Level) -> _Validate:
    def validate(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        settings = Settings.read(args.get_config())
        for rule, found, finding in findings(rules, args.resource_type, args.props, settings):
            if found is level:
                report_violation(rule.message(args.resource_type, args.name, settings, finding), args.urn)

    return validate


def _schema() -> PolicyConfigSchema:
    pack = pack_settings()
    properties: dict[str, dict[str, Any]] = {
        "profile": {"type": "string", "enum": ["preview", "ga"], "default": pack["profile"]},
        "scope": {"type": "string", "enum": ["all", "arc"], "default": pack["scope"]},
        "exemptHosts": {"type": "array", "items": {"type": "string"}, "default": pack["exemptHosts"]},
    }
    return PolicyConfigSchema(properties)


POLICIES: list[Policy] = [
    *(
        ResourceValidationPolicy(
            name=rule.name,
            description=rule.description,
            validate=_validate((rule,), Level.MANDATORY),
            enforcement_level=EnforcementLevel.MANDATORY,
            config_schema=_schema(),
            severity=Severity.HIGH,
            url=f"{DOCS}#{rule.name}",
        )
        for rule in RULES
    ),
    ResourceValidationPolicy(
        name="arc-gateway-advice",
        description="Worth a look beside an Arc gateway: signs that prove nothing alone, and what is not known yet.",
        validate=_validate(RULES, Level.ADVISORY),
        enforcement_level=EnforcementLevel.ADVISORY,
        config_schema=_schema(),
        severity=Severity.LOW,
        url=f"{DOCS}#arc-gateway-advice",
    ),
]
