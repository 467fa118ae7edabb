"""The resources of an ARM template: nested templates, children, and values that parameters and variables give."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .reading import UNKNOWN, Node, Path, Value, fold, from_json
from .tokens import Count, Subject, from_arm

DEPLOYMENT = "azure-native:resources:deployment"

#: The token of a template that lies elsewhere, or is not known yet.
OPEN_TEMPLATE = "open:template"

_DEEPEST = 12
#: Azure Resource Manager makes no more of a loop.
_MOST_COPIES = 800
_REFERENCE = re.compile(r"\[\s*(parameters|variables)\(\s*'([^']+)'\s*\)\s*\]", re.IGNORECASE)
_LENGTH = re.compile(r"\[\s*length\(\s*(parameters|variables)\(\s*'([^']+)'\s*\)\s*\)\s*\]", re.IGNORECASE)
_OWN_SUBSCRIPTION = re.compile(r"\[\s*subscription\(\)\.subscriptionId\s*\]", re.IGNORECASE)
_TELLS_A_TYPE = re.compile(r"microsoft\.\w+/|privatelink\.", re.IGNORECASE)
_TEMPLATES = ("template", "templateContent", "templateBody", "mainTemplate")
_LINKS = ("templateLink", "templateSpecVersionId")

Names = Mapping[tuple[str, str], Value]


class _Made(NamedTuple):
    """How often, and in which subscription, the deployments around a resource make it."""

    often: Count = Count()
    subscription: Value = None


def deployment_subjects(node: Node) -> list[Subject]:
    """What a deployment (azure-native's or the classic provider's) would make, by its template."""
    return list(_deployment(node, {}, None, 0, _Made()))


def _deployment(node: Node, outer: Names, at: Path | None, depth: int, made: _Made) -> Iterator[Subject]:
    template = node.field(*_TEMPLATES)
    if template.open or (template.value is None and node.field(*_LINKS).value is not None):
        place = template if template.open else node.field(*_LINKS)
        yield Subject(OPEN_TEMPLATE, place, at)
        return
    if template.text:
        at = template.path if at is None else at
        template = Node(from_json(template.text), template.path)
        if template.open:
            yield Subject(OPEN_TEMPLATE, template, at)
            return
    given = node.field("parameters", "parametersContent", "parametersBody")
    if given.text:
        given = Node(from_json(given.text), given.path)
    names = {**outer, **_names(template, given, outer)}
    yield from _resources(template.get("resources"), names, at, "", depth, made)


def _names(template: Node, given: Node, outer: Names) -> Names:
    names: dict[tuple[str, str], Value] = {}
    for variable in template.get("variables").children():
        names["variables", variable.key] = variable.value
    for parameter in template.get("parameters").children():
        default = parameter.get("defaultValue").value
        names["parameters", parameter.key] = UNKNOWN if default is None else default
    for argument in given.children():
        value = argument.get("value").value if isinstance(argument.value, dict) else argument.value
        names["parameters", argument.key] = UNKNOWN if value is None else _resolved(value, outer, 0)
    return names


def _resources(place: Node, names: Names, at: Path | None, parent: str, depth: int, made: _Made) -> Iterator[Subject]:
    if depth > _DEEPEST:
        yield Subject(OPEN_TEMPLATE, place, at)
        return
    if place.open:
        yield Subject(OPEN_TEMPLATE, place, at)
    for written in place.children():
        if written.open:
            yield Subject(OPEN_TEMPLATE, written, at)
            continue
        resource = Node(_resolved(written.value, names, 0), written.path)
        if resource.get("condition").value is False or resource.get("existing").value is True:
            continue
        kind = resource.get("type").text.partition("@")[0]
        if parent and "." not in kind.partition("/")[0]:
            kind = f"{parent}/{kind}"
        count = made.often.times(_count(resource))
        if kind.lower() == "microsoft.resources/deployments":
            target = resource.get("subscriptionId").value
            own = target is None or _OWN_SUBSCRIPTION.fullmatch(written.get("subscriptionId").text)
            inner = _Made(count, made.subscription if own else target)
            yield from _deployment(Node(written.value, written.path), names, at, depth + 1, inner)
        elif kind:
            form = "holds an ARM template, which"
            yield Subject(from_arm(kind), resource, at, form, count=count, subscription=made.subscription)
        yield from _resources(written.get("resources"), names, at, kind, depth + 1, _Made(count, made.subscription))


def _count(resource: Node) -> Count:
    """How many of a resource its template makes, by its copy loop and its condition."""
    loop, number = resource.get("copy"), Count()
    if loop.value is not None:
        copies = loop.get("count").value
        number = Count(0, None)
        if isinstance(copies, int | float) and 0 <= copies <= _MOST_COPIES:
            number = Count(int(copies), int(copies))
    return Count(0, number.most) if resource.get("condition").open else number


def _resolved(value: Value, names: Names, depth: int) -> Value:
    """A value with its expressions in place: a parameter's or variable's value, else UNKNOWN.

    An expression that spells out a resource type or a private link zone is kept as it is: its text tells enough.
    """
    if depth > 60:
        return UNKNOWN
    if isinstance(value, dict):
        return {key: _resolved(item, names, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, names, depth + 1) for item in value]
    if not isinstance(value, str) or not _is_expression(value):
        return value
    reference = _REFERENCE.fullmatch(value)
    if reference:
        found = names.get((reference[1].lower(), fold(reference[2])), UNKNOWN)
        return _resolved(found, names, depth + 20)
    length = _LENGTH.fullmatch(value)
    if length:
        counted = names.get((length[1].lower(), fold(length[2])), UNKNOWN)
        return len(counted) if isinstance(counted, list | dict | str) and not _is_expression(counted) else UNKNOWN
    return value if _TELLS_A_TYPE.search(value) else UNKNOWN


def _is_expression(value: Value) -> bool:
    return isinstance(value, str) and value.startswith("[") and not value.startswith("[[") and value.endswith("]")
