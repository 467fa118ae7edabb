"""From a resource to all that it declares: itself, and what templates, commands and generic resources stand for."""

from __future__ import annotations

import re
import threading
from dataclasses import replace

from .arc_chart import is_arc_chart, release_subjects
from .commands import CHART_PROXY, COMMANDS, command_subjects
from .reading import Node, Value, from_json, plain
from .templates import DEPLOYMENT, OPEN_TEMPLATE, deployment_subjects
from .tokens import Resource, Subject, from_arm, normalise, operated

GENERIC = frozenset({"azure-native:resources:resource"})
HELM = frozenset({"kubernetes:helm.sh:release", "kubernetes:helm.sh:chart"})

#: A resource of a provider that no rule knows by its types.
FOREIGN = "text:foreign"

#: Providers whose types the rules know, and some large ones that have nothing to do with Azure.
_KNOWN_PROVIDERS = frozenset(
    (
        *("azure-native", "azure-nextgen", "azure", "azuread", "kubernetes", "command", "arc-gateway", "pulumi"),
        *("aws", "aws-native", "awsx", "eks", "gcp", "google-native", "docker", "docker-build", "github", "gitlab"),
        *("random", "tls", "time", "null", "std", "archive", "pulumi-nodejs", "pulumi-python"),
    )
)
_ARM_TYPE = re.compile(r"[A-Za-z]+\.[\w.]+(?:/\w+)+(?:@[\w-]+)?")


def expands(token: str) -> bool:
    """Whether a resource of this type may declare more than itself."""
    provider = token.partition(":")[0]
    known = token in COMMANDS or token in GENERIC or token == DEPLOYMENT or token in HELM
    return known or bool(operated(token)) or _foreign(provider)


def is_component(token: str) -> bool:
    """Whether this is one of this project's own components."""
    return token.startswith("arc-gateway:")


def _foreign(provider: str) -> bool:
    return provider not in _KNOWN_PROVIDERS and not provider.startswith("azure-native_")


class _Last(threading.local):
    """What the resource that this thread was asked about last declares: one policy after the other asks."""

    token: str = ""
    props: object = None
    declared: tuple[Subject, ...] = ()


_LAST = _Last()


def subjects(token: str, resource: Resource) -> list[Subject]:
    """All that a resource of this normalised type declares, itself first."""
    if resource.props is not _LAST.props or token != _LAST.token:
        _LAST.declared = tuple(_subjects(token, Node(plain(resource.props))))
        _LAST.token, _LAST.props = token, resource.props
    return [replace(subject, resource=resource) for subject in _LAST.declared]


def _subjects(token: str, node: Node) -> list[Subject]:
    own = [Subject(token, node)]
    if token in COMMANDS:
        return own + command_subjects(node)
    if token in GENERIC:
        return own + _generic(node)
    if token == DEPLOYMENT:
        return own + deployment_subjects(node)
    if token in HELM:
        return own + _arc_chart(node) + list(release_subjects(node))
    if token.startswith("kubernetes:"):
        items = node.get("items").each()
        return [one for item in items for one in _kubernetes(_kind(item, token), item)] or _kubernetes(token, node)
    if _foreign(token.partition(":")[0]):
        return _bridged(node, token.rpartition(":")[2])
    return own


def _kubernetes(token: str, node: Node) -> list[Subject]:
    """A Kubernetes object, and the Azure resource that an operator in the cluster makes of it."""
    spec = node.get("spec")
    given = spec.get("forProvider")
    kind = operated(token)
    form = "is, by way of a Kubernetes operator, an Azure resource that"
    made = [Subject(kind, spec if given.value is None else given, form=form)] if kind else []
    return [Subject(token, node), *made]


def _kind(item: Node, token: str) -> str:
    kind, version = item.get("kind").text, item.get("apiVersion").text
    return normalise(f"kubernetes:{version if '/' in version else 'core/v1'}:{kind}") if kind else token


def _generic(node: Node) -> list[Subject]:
    """`azure-native:resources:Resource`: the ARM type is spread over three inputs."""
    kind = node.get("resourceType").text.strip("/")
    namespace = node.get("resourceProviderNamespace").text.strip("/")
    parents = [part for part in node.get("parentResourcePath").text.split("/") if part]
    lowered = [part.lower() for part in parents]
    if "providers" in lowered:
        start = len(lowered) - lowered[::-1].index("providers")
        namespace, parents = (parents[start] if start < len(parents) else namespace), parents[start + 1 :]
    arm_type = "/".join([namespace, *parents[0::2], kind]) if namespace and "." not in kind else kind
    return [Subject(from_arm(arm_type), node, form="is a generic Azure resource that")] if kind else []


#: Types of azapi that change or ask what exists.
_CHANGES = frozenset({"updateresource", "resourceaction"})


def _bridged(node: Node, kind_of_resource: str) -> list[Subject]:
    """A provider of its own names, such as azapi, whose `type` is ARM's and whose `body` is the resource."""
    kind, body = node.get("type"), node.get("body")
    if body.text:
        body = Node(from_json(body.text), body.path)
    if kind.open and body.value is not None:
        return [Subject(OPEN_TEMPLATE, kind)]
    if not _ARM_TYPE.fullmatch(kind.text):
        return [Subject(FOREIGN, node)]
    value: Value = {
        **{key: node.get(key).value for key in ("name", "parentId", "location", "tags")},
        **({key: item.value for key in ("location", "tags") if (item := body.get(key)).value is not None}),
        "existing": kind_of_resource in _CHANGES,
        "properties": body.get("properties").value,
    }
    return [Subject(from_arm(kind.text), Node(value), kind.path, "is an Azure resource that")]


def _arc_chart(node: Node) -> list[Subject]:
    """The proxy settings among the values of Arc's own chart."""
    if not is_arc_chart(node.get("chart").text):
        return []
    return [Subject(CHART_PROXY, node.get("values", "global"))]
