"""Adoption: the configuration of a stack that takes over what is associated already, and nothing is written to Azure.

`pulumi import` cannot reach a command. It need not: a command that finds the declared association in place writes
nothing and says so. So all that adopting clusters takes is a configuration that says what is there. A gateway is used
by its id, or taken into the state as well, by `pulumi import` and a file that this module makes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from arcgateway import arm, kubeconfig
from arcgateway.errors import Failure
from arcgateway.fleet.positions import last_line
from arcgateway.ids import ConnectedClusterId, GatewayId, cluster_of_entry, same
from arcgateway.kube import Cluster
from arcgateway.progress import Tell
from arcgateway.status import Association, Reader, Status, side_by_side

GATEWAY_KEY = "arc-gateway:gateway"
CLUSTERS_KEY = "arc-gateway:clusters"

#: How many clusters are asked at once who they are: each is two processes.
CONTEXTS_SIDE_BY_SIDE = 8

_GATEWAY_TYPE = "azure-native:hybridcompute:Gateway"
_GATEWAY_COMPONENT = "arc-gateway:index:ArcGateway"


@dataclass(frozen=True)
class LeftOut:
    """A cluster that is not adopted, and why."""

    id: ConnectedClusterId
    why: str


@dataclass(frozen=True)
class Adoption:
    """What a stack is to take over.

    Attributes:
        gateway: the gateway that its clusters use.
        owned: the gateway's resource where the stack is to own it, None where it only uses it.
        clusters: those that are associated with it, half or whole.
        left_out: the clusters that were found besides.
        contexts: kubeconfig contexts by cluster, as far as they were found.
    """

    gateway: GatewayId
    owned: Mapping[str, Any] | None
    clusters: tuple[Status, ...]
    left_out: tuple[LeftOut, ...] = ()
    contexts: Mapping[ConnectedClusterId, str] = field(default_factory=dict)

    @property
    def configuration(self) -> dict[str, Any]:
        """Keys and values below `config` in the stack's file."""
        made: dict[str, Any] = {GATEWAY_KEY: self._owned() if self.owned is not None else {"id": str(self.gateway)}}
        if self.clusters:
            made[CLUSTERS_KEY] = {key: self._cluster(key, one) for key, one in self._keys().items()}
        return made

    @property
    def comments(self) -> dict[str, list[str]]:
        """What a reader has to know of single clusters, by their keys."""
        found = {}
        for key, one in self._keys().items():
            said = []
            if one.id not in self.contexts:
                said.append("kubeContext: no context of this machine's kubeconfig reaches it; name the one that does")
            if one.association.half:
                said.append(f"half of its association is missing ({one.association.value}): `pulumi up` completes it")
            found[key] = said
        return found

    def import_file(self) -> str:
        """What `pulumi import --file` reads to take the gateway into the state below its component, as JSON."""
        name = self.gateway.name
        resources = [
            {"type": _GATEWAY_COMPONENT, "name": "parent", "logicalName": name, "component": True},
            {"type": _GATEWAY_TYPE, "name": name, "id": str(self.gateway), "parent": "parent"},
        ]
        return json.dumps({"resources": resources}, indent=2) + "\n"

    def notes(self, stack: str | None, import_file: Path | None) -> Iterable[str]:
        """What a person does next, and what was left out, a line each."""
        yield f"clusters of the gateway {self.gateway.name}: {len(self.clusters)}; left out: {len(self.left_out)}"
        yield from (f"  {one.id.resource_group}/{one.id.name}: {one.why}" for one in self.left_out)
        options = f" --stack {stack}" if stack else ""
        if import_file:
            yield f"take the gateway into the state: pulumi import --file {import_file} --generate-code=false{options}"
            yield f"(azure-native has to work in the gateway's subscription, {self.gateway.subscription})"
        yield f"then see that nothing changes in Azure: pulumi preview --diff{options}"

    def _keys(self) -> dict[str, Status]:
        """The clusters by a key for each: its name, with its group where two have the same."""
        names = Counter(one.id.name.lower() for one in self.clusters)

        def key(one: Status) -> str:
            return one.id.name if names[one.id.name.lower()] == 1 else f"{one.id.name}-{one.id.resource_group}"

        return {key(one): one for one in self.clusters}

    def _cluster(self, key: str, one: Status) -> dict[str, Any]:
        elsewhere = one.id.subscription.lower() != self.gateway.subscription.lower()
        entry = {
            "name": one.id.name if key != one.id.name else None,
            "existing": True,
            "subscriptionId": one.id.subscription if elsewhere else None,
            "resourceGroup": one.id.resource_group,
            "location": (one.seen.cluster or {}).get("location"),
            "kubeContext": self.contexts.get(one.id),
        }
        return {name: value for name, value in entry.items() if value is not None}

    def _owned(self) -> dict[str, Any]:
        resource = self.owned or {}
        features = (resource.get("properties") or {}).get("allowedFeatures") or ["*"]
        tags = resource.get("tags") or {}
        return {
            "name": self.gateway.name,
            "resourceGroup": self.gateway.resource_group,
            "location": resource.get("location"),
            **({"allowedFeatures": features} if features != ["*"] else {}),
            **({"tags": tags} if tags else {}),
            # It was there before the stack: nobody should lose it by a `pulumi destroy`.
            "protect": True,
        }


def gateways(reader: Reader, subscription: str) -> list[GatewayId]:
    """The gateways of a subscription.

    Raises:
        Failure: they cannot be read.
    """
    path = f"/subscriptions/{subscription}/providers/{GatewayId.provider_type}"
    return [GatewayId.parse(str(item.get("id"))) for item in reader.list(path, arm.GATEWAYS)]


def chosen_gateway(wanted: str | None, looked: Iterable[Status], there: Iterable[GatewayId]) -> GatewayId:
    """The gateway to adopt: the one that is wanted, by name or id, else the only one in question.

    Args:
        wanted: a name or an id; None for the one that the clusters use, or else the only one in the subscription.
        looked: the clusters; the gateways that they use may be of other subscriptions.
        there: the gateways of the subscription.

    Raises:
        Failure: there is none, or more than one.
    """
    used = list(dict.fromkeys(GatewayId.parse(one.seen.gateway_id) for one in looked if one.seen.gateway_id))
    known = list(dict.fromkeys([*used, *there]))
    if wanted is not None:
        found = [one for one in known if wanted.lower() == one.name.lower() or same(wanted, str(one))]
        missing = f"there is no gateway {wanted}, neither in the subscription nor among those that its clusters use"
    else:
        found = used or known
        missing = "there is no gateway in the subscription, and none that its clusters use: there is nothing to adopt"
    if len(found) == 1:
        return found[0]
    if not found:
        raise Failure(missing, f"known are {_listed(known)}" if known else "create one with a stack of its own")
    raise Failure(
        f"there are {len(found)} gateways to choose from ({_listed(found)})",
        "name one with --gateway, by its id where two have the same name: a stack has one",
    )


def adopt(looked: Iterable[Status], gateway: GatewayId, owned: Mapping[str, Any] | None) -> Adoption:
    """What a stack with this gateway takes over of the clusters that were found."""
    taken, left = [], []
    for one in looked:
        if same(one.seen.gateway_id, str(gateway)):
            taken.append(one)
        else:
            left.append(LeftOut(one.id, _why_not(one)))
    return Adoption(gateway, owned, tuple(taken), tuple(left))


def with_contexts(adoption: Adoption, env: Mapping[str, str], tell: Tell) -> Adoption:
    """The same with the kubeconfig contexts that reach the clusters: each context's cluster is asked who it is.

    A context that cannot be asked is told of and is no failure; nor is it that there is no kubeconfig.
    """
    return replace(adoption, contexts=_found_contexts({one.id for one in adoption.clusters}, env, tell))


def merged(text: str, adoption: Adoption) -> str:
    """A stack's file with the configuration in it; every other line stays as it is, comments too.

    An entry that is there already may say more than ours, but nothing else.

    Raises:
        Failure: the file says something else, or cannot be changed line by line. Nothing is written then.
    """
    document = _document(text)
    config = document.get("config") or {}
    _check(config, adoption)
    missing = _missing(config, adoption)
    if not missing:
        return text
    newline = "\r\n" if "\r\n" in text else "\n"
    made = newline.join(_inserted(text.splitlines(), text, missing, adoption.comments)) + newline
    expected = {**document, "config": {**config, **missing}}
    if CLUSTERS_KEY in missing:
        expected["config"][CLUSTERS_KEY] = {**(config.get(CLUSTERS_KEY) or {}), **missing[CLUSTERS_KEY]}
    if not _says(made, expected):
        raise Failure(
            "the stack's file is laid out in a way that lines cannot be added to",
            "run without --write, and put in what it prints by hand",
        )
    return made


def stack_file(stack: str, folder: Path) -> Path:
    """The file of a stack's configuration, whether it is there or not.

    Args:
        stack: the stack's name, with or without organization and project.
        folder: where the project or a folder of it is.

    Raises:
        Failure: there is no project.
    """
    for place in (folder, *folder.parents):
        project = next((path for name in ("Pulumi.yaml", "Pulumi.yml") if (path := place / name).is_file()), None)
        if project is not None:
            elsewhere = _document(project.read_text(encoding="utf-8")).get("stackConfigDir") or "."
            return place / str(elsewhere) / f"Pulumi.{stack.rpartition('/')[2]}.yaml"
    raise Failure(f"there is no Pulumi.yaml in {folder} or above", "run it in the folder of the project")


def _says(text: str, expected: Mapping[str, Any]) -> bool:
    try:
        return bool(yaml.safe_load(text) == expected)
    except yaml.YAMLError:
        return False


def _check(config: Mapping[str, Any], adoption: Adoption) -> None:
    """Raise a Failure where what stands in the file already contradicts."""
    wanted, problems = adoption.configuration, []
    there = config.get(GATEWAY_KEY)
    if there is not None:
        problems += _differences(GATEWAY_KEY, there, wanted[GATEWAY_KEY])
    entries = config.get(CLUSTERS_KEY) or {}
    if not isinstance(entries, Mapping) or "secure" in entries:
        problems.append(f"{CLUSTERS_KEY} is no readable map of clusters")
        entries = {}
    by_identity = {_cluster(name, entry, adoption): (name, entry) for name, entry in entries.items()}
    for name, one in wanted.get(CLUSTERS_KEY, {}).items():
        key, entry = by_identity.get(_cluster(name, one, adoption), (name, entries.get(name)))
        if entry is not None:
            asked = {part: value for part, value in one.items() if part not in ("name", "kubeContext")}
            if one.get("kubeContext") and isinstance(entry, Mapping) and "kubeContext" in entry:
                asked["kubeContext"] = one["kubeContext"]
            problems += _differences(f"{CLUSTERS_KEY}.{key}", entry, asked)
    if problems:
        raise Failure(
            "the stack's file says otherwise, and is left as it is: " + "; ".join(problems),
            "mend these keys by hand, or write to another stack",
        )


def _missing(config: Mapping[str, Any], adoption: Adoption) -> dict[str, Any]:
    """The keys that the file lacks; of the clusters those that it lacks."""
    missing = {key: value for key, value in adoption.configuration.items() if not config.get(key)}
    there = config.get(CLUSTERS_KEY)
    if there:
        known = {_cluster(name, entry, adoption) for name, entry in there.items()}
        wanted = adoption.configuration.get(CLUSTERS_KEY, {})
        new = {name: one for name, one in wanted.items() if _cluster(name, one, adoption) not in known}
        missing |= {CLUSTERS_KEY: new} if new else {}
    return missing


def _differences(path: str, there: object, wanted: Mapping[str, Any]) -> list[str]:
    if not isinstance(there, Mapping) or "secure" in there:
        return [f"{path} is no readable map"]
    return [
        f"{path}.{key} is {json.dumps(there.get(key), default=str)} and not {json.dumps(value)}"
        for key, value in wanted.items()
        if not _agree(there.get(key), value)
    ]


def _agree(one: object, other: object) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return same(one, other) if other.startswith("/") else one.lower() == other.lower()
    return one == other


def _cluster(key: str, entry: object, adoption: Adoption) -> str | None:
    return cluster_of_entry(key, entry if isinstance(entry, Mapping) else {}, adoption.gateway.subscription)


def _document(text: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise Failure(f"the stack's file is no YAML ({' '.join(str(error).split())[:200]})", "mend it first") from None
    if not isinstance(document, dict) or not isinstance(document.get("config") or {}, dict):
        raise Failure("the stack's file is no map with a map `config`", "mend it first")
    return document


def _inserted(
    lines: Sequence[str], text: str, missing: Mapping[str, Any], comments: Mapping[str, Sequence[str]]
) -> list[str]:
    """The file's lines with what is missing in their places."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    place = _place(root, "config", len(lines))
    if not place.keys:
        block = [line for key, value in missing.items() for line in _block(key, value, comments, 2)]
        edits = [(place.first, place.end, ["config:", *block])]
    else:
        edits = []
        for key, value in missing.items():
            inner = _place(_child(root, "config"), key, place.end)
            if inner.keys:
                entries = [line for name in value for line in _block(name, value[name], comments, inner.indent)]
                edits.append((inner.end, inner.end, entries))
            else:
                edits.append((inner.first, inner.end, _block(key, value, comments, place.indent)))
    made = list(lines)
    for first, end, block in sorted(edits, key=lambda edit: edit[0], reverse=True):
        made[first:end] = block
    return made


@dataclass(frozen=True)
class _Place:
    """Where a key stands in a file's lines, or would.

    Attributes:
        first: the line of the key.
        end: the line after its value.
        keys: whether the value is a map that holds something.
        indent: blanks before the keys in it.
    """

    first: int
    end: int
    keys: bool
    indent: int


def _place(node: yaml.Node | None, key: str, end: int) -> _Place:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    for name, value in pairs:
        if name.value == key:
            keys = isinstance(value, yaml.MappingNode) and bool(value.value)
            indent = value.value[0][0].start_mark.column if keys else 0
            return _Place(name.start_mark.line, last_line(value) + 1, keys, indent)
    return _Place(end, end, False, 0)


def _block(key: str, value: object, comments: Mapping[str, Sequence[str]], indent: int) -> list[str]:
    """A key and its value as indented lines, with the comments on clusters among them."""
    pad = " " * indent
    if key == CLUSTERS_KEY and isinstance(value, Mapping):
        return [f"{pad}{key}:", *(line for name in value for line in _block(name, value[name], comments, indent + 2))]
    dumped = yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True, width=1000).splitlines()
    notes = [f"{pad}  # {note}" for note in comments.get(key, ())]
    return [*(pad + line for line in dumped), *notes]


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _found_contexts(
    wanted: Collection[ConnectedClusterId], env: Mapping[str, str], tell: Tell
) -> dict[ConnectedClusterId, str]:
    if not wanted:
        return {}
    try:
        names = kubeconfig.contexts(env)
    except Failure as failure:
        tell(f"no context was asked: {failure}")
        return {}

    def ask(name: str) -> ConnectedClusterId | None:
        try:
            return Cluster(kubeconfig.read(name, env), env).agents().identity
        except Failure as failure:
            tell(f"context {name} is passed over: {failure.cause}")
            return None

    words = "asked {done} of {all} contexts which cluster they reach"
    reached = side_by_side(ask, names, tell, words, CONTEXTS_SIDE_BY_SIDE)
    found = list(zip(reached, names, strict=True))
    # The first context wins, which is the current one where that reaches the cluster.
    return {id_: name for id_, name in reversed(found) if id_ is not None and id_ in wanted}


def _why_not(one: Status) -> str:
    if one.association is Association.NONE:
        return "it uses no gateway: add it with `existing: true` to associate it"
    if one.association is Association.FLAG_ONLY:
        return "it says that it uses a gateway, and no setting names one: add it with `existing: true` to associate it"
    return f"it uses {one.seen.gateway_id}"


def _listed(known: Iterable[GatewayId]) -> str:
    return ", ".join(map(str, known))
