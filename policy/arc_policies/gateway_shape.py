"""Rule `gateway-shape`: an Arc gateway as Azure takes it, guarded against deletion and tagged as configured."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

from arcgateway.ids import GatewayId

from .commands import GATEWAY
from .reading import Node
from .rule import OPEN, Check, Finding, Grade, Level, Remedy, Rule
from .settings import Settings, texts
from .shell import OPEN as OPEN_WORD
from .tokens import Subject, normalise

REQUIRED_TAGS = texts("requiredTags", "names of tags that every Arc gateway must have, with a value of any kind")
EPHEMERAL_STACKS = texts(
    "ephemeralStacks",
    "names of stacks (`dev`, `pr-*`) whose gateways come and go, so that `protect` is not asked for",
)

_COMPONENT = "arc-gateway:index:arcgateway"

#: Azure's spelling of the one type that there is.
_TYPE = "Public"
#: The one feature that is published, which stands for all.
_ALL = "*"
_NAME = re.compile(GatewayId.name_pattern, re.ASCII)
#: In a script's loop, such as `xargs -I{}`, or open in part: what stands there is not the name.
_PLACEHOLDER = re.compile(rf"[{{}}$%]|{re.escape(OPEN_WORD)}")
_FEATURE = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)
_HOST = re.compile(r"(?=.{1,253}\Z)(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.I | re.ASCII)

_TYPE_MEND = f'Set gatewayType to "{_TYPE}", or leave it out.'
_FEATURES_MEND = f'Set allowedFeatures to ["{_ALL}"], which stands for all features, or leave it out.'
_NAME_MEND = "Take a name of at most 63 letters, digits, hyphens, underscores and full stops."
_BYPASS_MEND = "Give bare host names, such as contoso.com, without a scheme, a port or a path."
_TAGS_MEND = "Add the tags to the gateway, or take them off the policy's option requiredTags."
_PROTECT_MEND = (
    "Set the resource option protect to true (`protect: true` in the configuration of this project's own stacks), "
    "or name the stack in the policy's option ephemeralStacks."
)


def _type(node: Node) -> Iterator[Finding]:
    kind = node.field("gatewayType")
    if kind.open:
        yield Finding(
            OPEN, kind.path, "may ask for another type of gateway than Public, which is not known yet", _TYPE_MEND
        )
    elif kind.value is not None and not (isinstance(kind.value, str) and kind.value.lower() == _TYPE.lower()):
        yield Finding("type", kind.path, "asks for another type of gateway than Public, the only one", _TYPE_MEND)


def _features(node: Node) -> Iterator[Finding]:
    features = node.field("allowedFeatures")
    items = features.each()
    if features.value is None or any(item.value == _ALL for item in items):
        return
    wrong = next((item for item in items if not item.open and not _is_feature(item)), None)
    still_open = next((item for item in items if item.open), None)
    if not items:
        yield Finding("features", features.path, "enables no feature, so that nothing may use it", _FEATURES_MEND)
    elif wrong is not None:
        yield Finding("features", wrong.path, "holds what cannot be the name of a feature", _FEATURES_MEND)
    elif still_open is not None:
        yield Finding(OPEN, still_open.path, "enables features that are not known yet", _FEATURES_MEND)
    else:
        yield Finding(
            "unpublished",
            features.path,
            "enables features by names that Azure has not published, so that others may find the gateway closed",
            _FEATURES_MEND,
        )


def _is_feature(item: Node) -> bool:
    return isinstance(item.value, str) and _FEATURE.fullmatch(item.value) is not None


def _bypass(node: Node) -> Iterator[Finding]:
    for item in node.field("gatewayBypass").each():
        if not item.open and not (isinstance(item.value, str) and _HOST.fullmatch(item.value)):
            yield Finding(
                "bypass", item.path, "holds what is no host name, so that Azure refuses the gateway", _BYPASS_MEND
            )


def _name(node: Node) -> Iterator[Finding]:
    name = node.field("gatewayName", "resourceName", "name")
    if name.text and not _PLACEHOLDER.search(name.text) and not _NAME.fullmatch(str(name.value)):
        yield Finding("name", name.path, "gives the gateway a name that Azure does not take", _NAME_MEND)


def _tags(node: Node, settings: Settings) -> Iterator[Finding]:
    tags = node.field("tags")
    wanted = settings.get(REQUIRED_TAGS)
    if wanted and tags.open:
        yield Finding(
            OPEN, tags.path, "may lack tags that the configuration requires, as they are not known", _TAGS_MEND
        )
        return
    given = tags.value if isinstance(tags.value, dict) else {}
    # Azure compares the names of tags without regard to case.
    present = {name.lower() for name, value in given.items() if value is not None and value != ""}
    if lacking := [name for name in wanted if name.lower() not in present]:
        noun = "tag" if len(lacking) == 1 else "tags"
        yield Finding("tags", tags.path, f"lacks the {noun} {', '.join(lacking)}, as configured", _TAGS_MEND)


def _shape(subject: Subject, _: Settings) -> Iterator[Finding]:
    if (properties := subject.node.get("properties")).open:
        yield Finding(
            OPEN, properties.path, "describes a gateway that is not known yet", f"{_TYPE_MEND} {_FEATURES_MEND}"
        )
    elif _owned(subject):
        yield from _type(subject.node)
        yield from _features(subject.node)
        yield from _bypass(subject.node)
        yield from _name(subject.node)


def _tagged(subject: Subject, settings: Settings) -> Iterator[Finding]:
    # A change leaves what it does not say as it is.
    if _owned(subject) and subject.node.get("existing").value is not True:
        yield from _tags(subject.node, settings)


def _owned(subject: Subject) -> bool:
    """Not a component that only refers to a gateway of somebody else's."""
    return subject.token != _COMPONENT or subject.node.get("existingId").value is None


def _protected(subject: Subject, settings: Settings) -> Iterator[Finding]:
    resource = subject.resource
    # A template's or a command's gateway is not Pulumi's to guard.
    if resource is None or resource.protect or subject.form or normalise(resource.type) != GATEWAY:
        return
    stack = resource.urn.partition("::")[0].rpartition(":")[2]
    if not any(fnmatchcase(stack, pattern) for pattern in settings.get(EPHEMERAL_STACKS)):
        yield Finding(
            "protect",
            (),
            "can be deleted with the stack, which takes the way to Azure from every cluster behind it",
            _PROTECT_MEND,
        )


def _spell_type(_: str, props: MutableMapping[str, Any], __: Settings) -> bool:
    given = props.get("gatewayType")
    if not isinstance(given, str) or given == _TYPE or given.strip().lower() != _TYPE.lower():
        return False
    props["gatewayType"] = _TYPE
    return True


_AZ = "Azure/azure-cli-extensions, src/arcgateway/azext_arcgateway/aaz/latest/arcgateway/_create.py"
_CHECKED = date(2026, 11, 26)


def _refused(meaning: str, source: str) -> Grade:
    return Grade(meaning, Level.MANDATORY, Level.MANDATORY, source, _CHECKED)


def _advised(meaning: str, source: str) -> Grade:
    return Grade(meaning, Level.ADVISORY, Level.ADVISORY, source, _CHECKED)


RULE = Rule(
    name="gateway-shape",
    description="An Arc gateway has the shape that Azure takes, is guarded against deletion and carries its tags.",
    why=(
        "Every cluster behind a gateway reaches Azure through it alone: a gateway of another shape is refused by Azure "
        "or lets nothing through, and one that is deleted by mistake comes back under another host name."
    ),
    grades={
        "type": _refused("another type than Public", _AZ),
        "features": _refused("no allowed feature, or what cannot be a feature's name", _AZ),
        "bypass": _refused(
            "`gatewayBypass` entries that are no host names",
            "learn.microsoft.com/javascript/api/@azure/arm-hybridcompute/gateway: each entry is a host name",
        ),
        "name": _refused("a name that Azure does not take", _AZ),
        "tags": _refused("a tag missing that the option requiredTags names", "the policy's configuration"),
        "unpublished": _advised(
            'features by name: only `"*"` is published',
            "Azure/bicep-registry-modules, avm/res/hybrid-compute/gateway/main.bicep: allowed values are ['*']",
        ),
        "protect": _advised("a gateway without Pulumi's `protect`", "our judgement"),
    },
    checks=(
        Check(
            "shape",
            "type, features, bypass and name of gateways: azure-native (every version and package), generic, in "
            "templates, azapi; `az arcgateway create`, `az connectedmachine gateway create`, `az resource`, `az rest`; "
            "`New-AzArcGateway`; our component",
            _shape,
            frozenset({GATEWAY, _COMPONENT}),
            grades=("type", "features", "bypass", "name", "unpublished"),
        ),
        Check(
            "tags",
            "tags of new gateways in all these forms",
            _tagged,
            frozenset({GATEWAY, _COMPONENT}),
            grades=("tags",),
        ),
        Check(
            "protect",
            "the resource option `protect` of azure-native gateways",
            _protected,
            frozenset({GATEWAY}),
            grades=("protect",),
        ),
    ),
    remedies=(Remedy('spells gatewayType "Public" as Azure does', _spell_type, frozenset({GATEWAY})),),
    options=(REQUIRED_TAGS, EPHEMERAL_STACKS),
)
