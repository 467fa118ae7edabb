"""The flags of `az connectedk8s connect` that take a plain value: how each is told, seen and changed.

From the sources of the extension connectedk8s 1.11.2 (AzureArcForKubernetes/connectedk8s at cb8ef84: `_params.py`,
`_validators.py`, `custom.py`), read on 2026-11-24. docs/connect-flags.md has the whole list, with what is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

#: Values by the variable that the driver is told each by. What is not there stays as it is in Azure.
Values = Mapping[str, str]

#: Azure's properties of a connected cluster.
Properties = Mapping[str, Any]

#: How `az` spells whether the Azure Hybrid Benefit applies.
HYBRID_BENEFIT = ("True", "False", "NotApplicable")

#: The setting that `--container-log-path` writes.
CONTAINER_LOG_SETTING = "logging.container_log_path"

_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_SCOPE = re.compile(
    rf"/subscriptions/{_GUID}/resourceGroups/[^/]+/providers/Microsoft\.HybridCompute/privateLinkScopes/[^/]+",
    re.IGNORECASE,
)


class Way(Enum):
    """How a value that is set already is changed."""

    UPDATE = "`az connectedk8s update` takes it"
    CONNECT_AGAIN = "`az connectedk8s connect`, run once more, puts the cluster's resource anew"
    ONCE = "it counts while connecting alone"
    ONE_WAY = "`az connectedk8s update` turns it on, and nothing turns it off"


@dataclass(frozen=True)
class Flag:
    """One flag.

    Attributes:
        variable: the driver's variable for it.
        words: what a person calls it.
        read: the text of the variable in canonical form; raises ValueError.
        seen: what Azure has, in the same form; empty where it has nothing.
        connect: the arguments of `connect` for a value.
        way: how a change is made.
        update: the arguments of `update` for a value, where the way is one by `update`.
    """

    variable: str
    words: str
    read: Callable[[str], str]
    seen: Callable[[Properties], str]
    connect: Callable[[str], Sequence[str]]
    way: Way
    update: Callable[[str], Sequence[str]]


def _valued(flag: str) -> Callable[[str], Sequence[str]]:
    return lambda value: (flag, value)


def _when(wanted: str, *arguments: str) -> Callable[[str], Sequence[str]]:
    return lambda value: arguments if value == wanted else ()


def _nothing(_: str) -> Sequence[str]:
    return ()


def _property(*path: str) -> Callable[[Properties], str]:
    def seen(properties: Properties) -> str:
        value: Any = properties
        for name in path:
            value = (value or {}).get(name)
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    return seen


def _untold(_: Properties) -> str:
    """Azure does not show it."""
    return ""


def _means(path: str, true: str, false: str) -> Callable[[Properties], str]:
    """A property that stands for a boolean by one of two words."""
    meanings = {true.lower(): "true", false.lower(): "false"}
    return lambda properties: meanings.get(_property(*path.split("."))(properties).lower(), "")


def _configured(name: str) -> Callable[[Properties], str]:
    return lambda properties: configuration(properties).get(name, "")


def _text(text: str) -> str:
    return text


def boolean(text: str) -> str:
    """`true` or `false`.

    Raises:
        ValueError: it is neither.
    """
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower()


def _one_of(*words: str) -> Callable[[str], str]:
    by_case = {word.lower(): word for word in words}

    def read(text: str) -> str:
        if text.lower() not in by_case:
            raise ValueError(f"{text!r} is none of {', '.join(words)}")
        return by_case[text.lower()]

    return read


def _matching(pattern: str | re.Pattern[str], form: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def read(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(f"{text!r} is not {form}")
        return text

    return read


DISTRIBUTION = Flag(
    "ARC_DISTRIBUTION", "distribution", _text, _property("distribution"),
    _valued("--distribution"), Way.UPDATE, _valued("--distribution"),
)  # fmt: skip
DISTRIBUTION_VERSION = Flag(
    "ARC_DISTRIBUTION_VERSION", "distribution version", _text, _property("distributionVersion"),
    _valued("--distribution-version"), Way.UPDATE, _valued("--distribution-version"),
)  # fmt: skip
INFRASTRUCTURE = Flag(
    "ARC_INFRASTRUCTURE", "infrastructure", _text, _property("infrastructure"),
    _valued("--infrastructure"), Way.CONNECT_AGAIN, _nothing,
)  # fmt: skip
AZURE_HYBRID_BENEFIT = Flag(
    "ARC_AZURE_HYBRID_BENEFIT", "Azure Hybrid Benefit", _one_of(*HYBRID_BENEFIT), _property("azureHybridBenefit"),
    _valued("--azure-hybrid-benefit"), Way.UPDATE, _valued("--azure-hybrid-benefit"),
)  # fmt: skip
#: `connect` and `update` name the same thing the other way round.
DISABLE_AUTO_UPGRADE = Flag(
    "ARC_DISABLE_AUTO_UPGRADE", "automatic upgrade", boolean,
    _means("arcAgentProfile.agentAutoUpgrade", "Disabled", "Enabled"),
    _when("true", "--disable-auto-upgrade"), Way.UPDATE,
    lambda disabled: ("--auto-upgrade", "false" if disabled == "true" else "true"),
)  # fmt: skip
#: The client takes the id that it finds in the tenant before the one that it is given.
CUSTOM_LOCATIONS_OID = Flag(
    "ARC_CUSTOM_LOCATIONS_OID", "object id of custom locations", _matching(_GUID, "an object id (a GUID)"),
    _untold, _valued("--custom-locations-oid"), Way.ONCE, _nothing,
)  # fmt: skip
ONBOARDING_TIMEOUT = Flag(
    "ARC_ONBOARDING_TIMEOUT", "onboarding timeout", _matching(r"[1-9]\d{0,5}", "a number of seconds above 0"),
    _untold, _valued("--onboarding-timeout"), Way.ONCE, _nothing,
)  # fmt: skip
CONTAINER_LOG_PATH = Flag(
    "ARC_CONTAINER_LOG_PATH", "container log path", _text, _configured(CONTAINER_LOG_SETTING),
    _valued("--container-log-path"), Way.UPDATE, _valued("--container-log-path"),
)  # fmt: skip
ENABLE_OIDC_ISSUER = Flag(
    "ARC_ENABLE_OIDC_ISSUER", "OIDC issuer", boolean, _property("oidcIssuerProfile", "enabled"),
    _when("true", "--enable-oidc-issuer", "true"), Way.ONE_WAY, _when("true", "--enable-oidc-issuer", "true"),
)  # fmt: skip
SELF_HOSTED_ISSUER = Flag(
    "ARC_SELF_HOSTED_ISSUER", "self-hosted issuer", _matching(r"https://[^\s/]+(/\S*)?", "an https:// URL"),
    _property("oidcIssuerProfile", "selfHostedIssuerUrl"),
    _valued("--self-hosted-issuer"), Way.UPDATE, _valued("--self-hosted-issuer"),
)  # fmt: skip
ENABLE_WORKLOAD_IDENTITY = Flag(
    "ARC_ENABLE_WORKLOAD_IDENTITY", "workload identity", boolean,
    _property("securityProfile", "workloadIdentity", "enabled"),
    _when("true", "--enable-workload-identity", "true"), Way.UPDATE,
    lambda on: ("--enable-workload-identity" if on == "true" else "--disable-workload-identity", "true"),
)  # fmt: skip
ENABLE_PRIVATE_LINK = Flag(
    "ARC_ENABLE_PRIVATE_LINK", "private link", boolean, _means("privateLinkState", "Enabled", "Disabled"),
    _valued("--enable-private-link"), Way.CONNECT_AGAIN, _nothing,
)  # fmt: skip
PRIVATE_LINK_SCOPE_ID = Flag(
    "ARC_PRIVATE_LINK_SCOPE_ID", "private link scope",
    _matching(_SCOPE, "the id of a private link scope (Microsoft.HybridCompute/privateLinkScopes)"),
    _property("privateLinkScopeResourceId"),
    _valued("--private-link-scope-resource-id"), Way.CONNECT_AGAIN, _nothing,
)  # fmt: skip

FLAGS = (
    DISTRIBUTION,
    DISTRIBUTION_VERSION,
    INFRASTRUCTURE,
    AZURE_HYBRID_BENEFIT,
    DISABLE_AUTO_UPGRADE,
    CUSTOM_LOCATIONS_OID,
    ONBOARDING_TIMEOUT,
    CONTAINER_LOG_PATH,
    ENABLE_OIDC_ISSUER,
    SELF_HOSTED_ISSUER,
    ENABLE_WORKLOAD_IDENTITY,
    ENABLE_PRIVATE_LINK,
    PRIVATE_LINK_SCOPE_ID,
)
BY_VARIABLE = {flag.variable: flag for flag in FLAGS}

#: The ways that go by `az connectedk8s update`.
IN_PLACE = (Way.UPDATE, Way.ONE_WAY)


def seen(properties: Properties) -> Values:
    """What Azure has of each flag that leaves a trace there."""
    found = {flag.variable: flag.seen(properties) for flag in FLAGS}
    return {variable: value for variable, value in found.items() if value}


def kept(properties: Properties) -> Values:
    """What a `connect` on a connected cluster has to repeat, as it would be lost: all but what it finds out anew.

    What it finds out is often none of the words that it takes.
    """
    found_out = (DISTRIBUTION.variable, INFRASTRUCTURE.variable)
    return {variable: value for variable, value in seen(properties).items() if variable not in found_out}


def differing(wanted: Values, properties: Properties, ways: Sequence[Way]) -> Values:
    """What is wanted and not there, of the flags that are changed in one of these ways.

    What Azure says nothing about counts as off: so the wish to have something off is fulfilled then.
    """
    there = seen(properties)
    return {
        variable: value
        for variable, value in wanted.items()
        if BY_VARIABLE[variable].way in ways
        and value.lower() != there.get(variable, "false" if BY_VARIABLE[variable].read is boolean else "").lower()
    }


def contradictions(wanted: Values, *, gateway: bool) -> list[str]:
    """What does not go together, each with its variable; the client refuses most of it too, though later."""
    on = {variable for variable, value in wanted.items() if value == "true"}
    rules = (
        (
            SELF_HOSTED_ISSUER.variable in wanted and ENABLE_OIDC_ISSUER.variable not in on,
            f"{SELF_HOSTED_ISSUER.variable}: is of use with an OIDC issuer alone: set {ENABLE_OIDC_ISSUER.variable}",
        ),
        (
            PRIVATE_LINK_SCOPE_ID.variable in wanted and ENABLE_PRIVATE_LINK.variable not in on,
            f"{PRIVATE_LINK_SCOPE_ID.variable}: is of use with private link alone: set {ENABLE_PRIVATE_LINK.variable}",
        ),
        (
            ENABLE_PRIVATE_LINK.variable in on and PRIVATE_LINK_SCOPE_ID.variable not in wanted,
            f"{ENABLE_PRIVATE_LINK.variable}: private link needs a scope: set {PRIVATE_LINK_SCOPE_ID.variable}",
        ),
        (
            ENABLE_PRIVATE_LINK.variable in on and gateway,
            f"{ENABLE_PRIVATE_LINK.variable}: private link does not go together with a gateway: leave one of them out",
        ),
    )
    return [message for broken, message in rules if broken]


def configuration(properties: Properties) -> dict[str, str]:
    """The plain configuration settings that Azure has, by `FEATURE.SETTING`; protected ones are never shown."""
    return {
        f"{one.get('feature')}.{setting}": str(value)
        for one in properties.get("arcAgentryConfigurations") or ()
        for setting, value in (one.get("settings") or {}).items()
    }
