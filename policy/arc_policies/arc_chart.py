"""Arc's own Helm chart: which agents it installs and for which cloud, by a release or by a `helm` command."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .reading import UNKNOWN, Node, Path, Value
from .shell import OPEN
from .tokens import Subject

#: Agents that something pins or keeps from upgrading: `version`, `autoUpgrade`.
AGENTS = "text:agents"
#: A cloud that something chooses; the keys are those that rule `azure-public-cloud` reads.
CLOUD = "text:cloud"

#: The ConfigMap in which the agents have what they were told.
AGENTS_CONFIG = "azure-clusterconfig"

_CHART = "azure-arc-k8sagents"
_TAG = re.compile(r"azure-arc-k8sagents(?::|-)v?(\d[\w.+-]*?)(?:\.tgz)?$", re.IGNORECASE)


def is_arc_chart(reference: str) -> bool:
    """Whether a chart's name, path or address is that of Arc's agents."""
    return _CHART in reference.lower()


def version_in(reference: str) -> str:
    """The version that a chart's reference ends in, as a tag or in an archive's name; "" where there is none."""
    found = _TAG.search(reference.partition("@")[0].strip())
    return found[1] if found else ""


def release_subjects(node: Node) -> Iterator[Subject]:
    """What a release of the chart says of agents and cloud, each by the property that says it."""
    chart, version, values = node.get("chart"), node.get("version"), node.get("values")
    if not is_arc_chart(chart.text):
        return
    if version.value is None and version_in(chart.text):
        version = Node(version_in(chart.text), chart.path)
    yield from _subjects(version, values)


def helm_subjects(words: tuple[str, ...], at: Path) -> Iterator[Subject]:
    """The same of a `helm install` or `helm upgrade`, by its words."""
    chart = next((word for word in words if is_arc_chart(word) and not word.startswith("-")), "")
    if not chart:
        return
    version = _option(words, "--version") or version_in(chart) or None
    for subject in _subjects(Node(version), Node(_set_values(words))):
        node = Node({child.key: UNKNOWN if OPEN in child.text else child.value for child in subject.node.children()})
        yield Subject(subject.token, node, at, "runs `helm`, which")


def _subjects(version: Node, values: Node) -> Iterator[Subject]:
    upgrade = values.get("systemDefaultValues", "azureArcAgents", "autoUpdate")
    environment, location = values.get("global", "azureEnvironment"), values.get("global", "location")
    for token, key, node in (
        (AGENTS, "version", version),
        (AGENTS, "autoUpgrade", upgrade),
        (CLOUD, "environment", environment),
        (CLOUD, "location", location),
    ):
        if node.value is not None:
            yield Subject(token, Node({key: node.value}), node.path)


def _option(words: tuple[str, ...], name: str) -> str:
    for index, word in enumerate(words):
        if word == name and index + 1 < len(words):
            return words[index + 1]
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return ""


def _set_values(words: tuple[str, ...]) -> Value:
    """What `--set` and its kin say, as the values that they make."""
    made: dict[str, Value] = {}
    for index, word in enumerate(words):
        name, equals, given = word.partition("=")
        if name in {"--set", "--set-string", "--set-literal"}:
            text = given if equals else words[index + 1] if index + 1 < len(words) else ""
            for pair in re.split(r"(?<!\\),", text):
                key, _, value = pair.partition("=")
                put(made, key.split("."), value)
    return made


def put(made: dict[str, Value], keys: Iterable[str], value: Value) -> None:
    """Set a value below nested keys, in place."""
    *outer, last = keys
    for key in outer:
        inner = made.get(key)
        if not isinstance(inner, dict):
            inner = made[key] = {}
        made = inner
    made[last] = value
