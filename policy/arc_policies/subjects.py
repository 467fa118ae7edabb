"""From a resource to all that it declares: itself, and what templates, commands and generic resources stand for."""

from __future__ import annotations

import re
import threading
from collections import deque
from dataclasses import replace

from .arc_chart import is_arc_chart, release_subjects
from .commands import CHART_PROXY, COMMANDS, CONFIGURATION, INTERCEPTORS, OPEN_TEXT
from .machines import MACHINES, scripts
from .reading import Node, Value, from_json, plain
from .scripts import command_subjects, script_subjects, words_subjects
from .shell import OPEN
from .templates import DEPLOYMENT, OPEN_TEMPLATE, deployment_subjects
from .tokens import Resource, Subject, arm_type_of_parts, from_arm, kubernetes_token, operated

GENERIC = frozenset({"azure-native:resources:resource"})
HELM = frozenset({"kubernetes:helm.sh:release", "kubernetes:helm.sh:chart"})

_SCRIPTS = frozenset({"azure-native:resources:deploymentscript"})
_COPIES = frozenset({"command:remote:copytoremote", "command:remote:copyfile"})
_POLICIES = frozenset({"azure-native:authorization:policydefinition", "azure:policy:definition"})

#: Kubernetes kinds that run pods, and others that hold containers.
WORKLOADS = frozenset(
    (
        *(
            f"kubernetes:{group}:{kind}"
            for group in ("apps", "extensions")
            for kind in ("deployment", "daemonset", "replicaset", "statefulset")
        ),
        *(f"kubernetes:core:{kind}" for kind in ("pod", "podtemplate", "replicationcontroller")),
        *(f"kubernetes:batch:{kind}" for kind in ("job", "cronjob")),
    )
)
_LIST = "kubernetes:core:"
_CUSTOM = re.compile(r"kubernetes:(?!.*\bk8s\.io:)[\w-]+(?:\.[\w-]+)+:\w+")
_CONTAINERS = frozenset(
    {"containers", "initcontainers", "ephemeralcontainers", "container", "containerspec", "sidecars", "steps"}
)
_DOCKER = "docker:index:container"
#: Resources that run containers and are none of Kubernetes.
CONTAINER_RESOURCES = frozenset(
    {
        _DOCKER,
        "docker:index:service",
        "azure-native:containerinstance:containergroup",
        "azure-native:app:containerapp",
        "azure-native:app:job",
        "azure:containerservice:group",
        "azure:containerapp:app",
        "azure:containerapp:job",
    }
)
_DEEPEST = 6


#: A resource of a provider that no rule knows by its types.
FOREIGN = "text:foreign"

#: Providers whose types the rules know, and some large ones that have nothing to do with Azure.
_KNOWN_PROVIDERS = frozenset(
    (
        *(
            "azure-native",
            "azure-nextgen",
            "azure",
            "azuread",
            "kubernetes",
            "command",
            "arc-gateway",
            "pulumi",
        ),
        *("aws", "aws-native", "awsx", "eks", "gcp", "google-native", "docker", "docker-build", "github", "gitlab"),
        *("random", "tls", "time", "null", "std", "archive", "pulumi-nodejs", "pulumi-python"),
    )
)
_ARM_TYPE = re.compile(r"[A-Za-z]+\.[\w.]+(?:/\w+)+(?:@[\w-]+)?")


def expands(token: str) -> bool:
    """Whether a resource of this type may declare more than itself."""
    return (
        token in _HOLDING
        or token == _LIST
        or is_custom(token)
        or token.startswith("azure-native:authorization:policydefinition")
        or _foreign(token.partition(":")[0])
    )


_HOLDING = (
    COMMANDS
    | GENERIC
    | HELM
    | MACHINES
    | WORKLOADS
    | CONTAINER_RESOURCES
    | _SCRIPTS
    | _COPIES
    | _POLICIES
    | {DEPLOYMENT}
)


def is_custom(token: str) -> bool:
    """Whether this is a Kubernetes custom resource, by its group; Helm's pseudo group is none."""
    return bool(_CUSTOM.fullmatch(token)) and token not in HELM


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


def containers(token: str, node: Node) -> list[Node]:
    """The containers in whatever holds pods, init containers and a custom resource's among them."""
    own = [node] if token == _DOCKER else []
    return own + [
        container
        for place in node.walk()
        if place.key in _CONTAINERS
        for container in place.each()
        if isinstance(container.value, dict)
    ]


def _subjects(token: str, node: Node) -> list[Subject]:
    found: list[Subject] = []
    waiting = deque((subject, 0) for subject in _itself(token, node))
    while waiting:
        subject, depth = waiting.popleft()
        found.append(subject)
        for held in _held(subject) if depth < _DEEPEST else ():
            # Whatever is found in a command's text lies where that text is.
            waiting.append((held if subject.at is None else replace(held, at=subject.at), depth + 1))
    return found


def _itself(token: str, node: Node) -> list[Subject]:
    if token.startswith("kubernetes:"):
        items = node.get("items").each()
        if items and isinstance(node.get("items").value, list):
            return [Subject(_kind(item, token), item) for item in items]
        if is_custom(token):
            return [Subject(token, node), *_nested_manifests(node)]
    provider, _, kind = token.partition(":")
    return _bridged(node, kind.rpartition(":")[2]) if _foreign(provider) else [Subject(token, node)]


def _nested_manifests(node: Node) -> list[Subject]:
    """The resources that a custom resource makes of manifests within, as a composition does."""
    return [
        Subject(_kind(inner, ""), inner)
        for inner in node.get("spec").walk()
        if isinstance(inner.value, dict) and inner.get("kind").text and inner.get("apiVersion").text
    ]


def _held(subject: Subject) -> list[Subject]:
    """What one subject holds in turn."""
    token, node = subject.token, subject.node
    if token in COMMANDS:
        return command_subjects(node, powershell="powershell" in token)
    if token in _SCRIPTS:
        return command_subjects(node, powershell="powershell" in node.get("kind").text.lower())
    if token in _COPIES:
        return _copied(node)
    if token in GENERIC:
        return _generic(node)
    if token == DEPLOYMENT:
        return deployment_subjects(node)
    if token in _POLICIES:
        return _policy(node)
    if token in HELM:
        return [*_arc_chart(node), *release_subjects(node)]
    if token in MACHINES:
        return _machine(node)
    if token in WORKLOADS | CONTAINER_RESOURCES or is_custom(token):
        return [*_operator(token, node), *_container_commands(token, node)]
    return []


def _copied(node: Node) -> list[Subject]:
    """A text that is copied to a machine: configuration, or a script."""
    text = node.get("source").text
    if not text:
        return []
    found = [Subject(CONFIGURATION, node.get("source"), form="copies configuration that")]
    runs = text.startswith("#!") or node.get("remotePath").text.endswith(".sh")
    return [*found, *script_subjects(text, node.get("source"))] if runs else found


def _kind(item: Node, token: str) -> str:
    kind, version = item.get("kind").text, item.get("apiVersion").text
    return kubernetes_token(version, kind) if kind else token


def _generic(node: Node) -> list[Subject]:
    """`azure-native:resources:Resource`: the ARM type is spread over three inputs."""
    kind, parent = node.get("resourceType").text.strip("/"), node.get("parentResourcePath").text
    arm_type = arm_type_of_parts(node.get("resourceProviderNamespace").text.strip("/"), parent, kind)
    return [Subject(from_arm(arm_type), node, form="is a generic Azure resource that")] if kind else []


def _policy(node: Node) -> list[Subject]:
    """What an Azure Policy of the effect deployIfNotExists deploys."""
    rule = node.field("policyRule")
    if rule.text:
        rule = Node(from_json(rule.text), rule.path)
    deployment = rule.get("then", "details", "deployment")
    return deployment_subjects(deployment) if isinstance(deployment.value, dict) else []


def _machine(node: Node) -> list[Subject]:
    found: list[Subject] = []
    for script in scripts(node):
        if script.place.open:
            found.append(Subject(OPEN_TEXT, script.place))
        elif script.runs:
            found += script_subjects(script.text, script.place, powershell=script.powershell)
        else:
            form = "gives a machine configuration that"
            found.append(Subject(CONFIGURATION, Node(script.text, script.place.path), script.place.path, form))
    return found


_OPERATED = "is, by way of a Kubernetes operator, an Azure resource that"


def _operator(token: str, node: Node) -> list[Subject]:
    """The Azure resource that a custom resource of an operator stands for."""
    azure = operated(token)
    if not azure:
        return []
    spec = node.get("spec")
    given = spec if spec.get("forProvider").value is None else spec.get("forProvider")
    if not isinstance(given.value, dict):
        return [Subject(azure, given, form=_OPERATED)]
    names = (
        given.get("zoneName"),
        given.get("privateDnsZoneName"),
        spec.get("azureName"),
        spec.get("owner", "name"),
        node.get("metadata", "annotations", "crossplane.io/external-name"),
        node.get("metadata", "name"),
    )
    name = next((one for one in names if one.value is not None), given.get("name"))
    body: Value = {"name": name.value, **given.value}
    return [Subject(azure, Node(body, given.path), form=_OPERATED)]


def _container_commands(token: str, node: Node) -> list[Subject]:
    found: list[Subject] = []
    for container in containers(token, node):
        if container.get("image").text.rpartition("/")[2].partition(":")[0].lower() in INTERCEPTORS:
            continue
        given = [container.get(name) for name in ("entrypoints", "command", "args")]
        words = [OPEN if word.open else word.text for place in given for word in place.each()]
        variables = {
            one.get("name").text: OPEN
            if one.get("value").value is None or one.get("value").open
            else one.get("value").text
            for one in container.get("env").each()
        }
        if words and words[0]:
            place = next(one for one in given if one.value)
            found += words_subjects(words, place, variables)
        for one in (*container.get("source").each(), *container.get("script").each()):
            # Argo's script templates, and Tekton's steps.
            if one.text:
                found += words_subjects([*words, "-c", one.text] if words else ["sh", "-c", one.text], one, variables)
    return found


#: Types of azapi that change or ask what exists.
_CHANGES = frozenset({"updateresource", "resourceaction"})
_ASKS = frozenset({"get", "head", "delete", "options"})


def _bridged(node: Node, kind_of_resource: str) -> list[Subject]:
    """A provider of its own names, such as azapi, whose `type` is ARM's and whose `body` is the resource."""
    kind, body = node.get("type"), node.get("body")
    if body.text:
        body = Node(from_json(body.text), body.path)
    if kind.open and body.value is not None:
        return [Subject(OPEN_TEMPLATE, kind)]
    if not _ARM_TYPE.fullmatch(kind.text):
        return [Subject(FOREIGN, node)]
    if node.get("method").text.lower() in _ASKS:
        return []
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
