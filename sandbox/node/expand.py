"""From a pod's specification to words for a process: variables, paths of mounts, fields of the pod. Pure functions."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from sandbox.node.settings import Json

#: What may stand before and after a path in an argument or a value, for it to be taken as that path.
_BEFORE = r"(?<![^\s=:,;\"'(\[<>|&@])"
_AFTER = r"(?![^\s/:,;\"')\]<>|&])"


class NotSupported(Exception):
    """The pod asks for something that the sandbox's node does not do."""


class Missing(Exception):
    """The pod names a ConfigMap, a Secret or a key that is not there (yet)."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` as Kubernetes does: unknown names stay, `$$` is a dollar."""

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return variables.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([^()]*)\)", value, text)


def rewrite(text: str, mounts: Mapping[str, str]) -> str:
    """Replace paths inside a container by the folders where they were made.

    Args:
        text: an argument or a value of a variable.
        mounts: from mount path to folder.
    """
    paths = sorted((path for path in mounts if path.strip("/")), key=len, reverse=True)
    if not paths:
        return text
    choice = "|".join(re.escape(path.rstrip("/")) for path in paths)
    folders = {path.rstrip("/"): folder for path, folder in mounts.items()}
    return re.sub(f"{_BEFORE}({choice}){_AFTER}", lambda found: folders[found[1]], text)


def field(pod: Json, path: str) -> str:
    """A field of a pod as `fieldRef` names it.

    Raises:
        NotSupported: the node does not know the field.
    """
    keyed = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if keyed:
        return str(pod["metadata"].get(keyed[1], {}).get(keyed[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        entries = pod["metadata"].get(path.removeprefix("metadata."), {})
        return "\n".join(f"{key}={json.dumps(value)}" for key, value in sorted(entries.items()))
    known = {
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.podIP",
        "status.hostIP",
        "status.podIPs",
        "status.hostIPs",
    }
    if path not in known:
        raise NotSupported(f"the sandbox's node does not know the pod's field {path}")
    part, name = path.split(".")
    value: Any = pod.get(part, {}).get(name, "")
    return ",".join(entry["ip"] for entry in value) if isinstance(value, list) else str(value)


def environment(pod: Json, container: Json, sources: Mapping[tuple[str, str], Json | None]) -> dict[str, str]:
    """The variables that a container's `envFrom` and `env` define, in their order.

    Args:
        pod: with the addresses in its status.
        container: one of its containers.
        sources: the objects that `references` names, None for those that are not there.

    Raises:
        Missing, NotSupported: with a sentence for the pod's status.
    """
    found: dict[str, str] = {}
    for entry in container.get("envFrom", []):
        for kind in ("configMapRef", "secretRef"):
            if kind in entry:
                data = data_of(sources, kind.removesuffix("Ref"), entry[kind])
                found |= {entry.get("prefix", "") + key: value.decode(errors="replace") for key, value in data.items()}
    for entry in container.get("env", []):
        value = _value(pod, entry, sources, found)
        if value is not None:
            found[entry["name"]] = value
    return found


def _value(
    pod: Json, entry: Json, sources: Mapping[tuple[str, str], Json | None], found: Mapping[str, str]
) -> str | None:
    origin = entry.get("valueFrom")
    if not origin:
        return expand(entry.get("value", ""), found)
    if "fieldRef" in origin:
        return field(pod, origin["fieldRef"]["fieldPath"])
    for kind in ("configMapKeyRef", "secretKeyRef"):
        if kind in origin:
            wanted = origin[kind]
            data = data_of(sources, kind.removesuffix("KeyRef"), wanted)
            if wanted["key"] in data:
                return data[wanted["key"]].decode(errors="replace")
            if wanted.get("optional"):
                return None
            raise Missing(f"couldn't find key {wanted['key']} in {_words(kind)} {wanted['name']}")
    raise NotSupported(f"the sandbox's node does not set variables from {', '.join(origin)}")


def references(container: Json) -> set[tuple[str, str]]:
    """The ConfigMaps and Secrets that a container's variables come from: pairs of kind and name."""
    origins = [*container.get("envFrom", []), *(entry.get("valueFrom", {}) for entry in container.get("env", []))]
    return {
        (re.sub(r"(Key)?Ref$", "", kind), origin[kind]["name"])
        for origin in origins
        for kind in origin
        if re.fullmatch(r"(configMap|secret)(Key)?Ref", kind)
    }


def data_of(sources: Mapping[tuple[str, str], Json | None], kind: str, wanted: Json) -> dict[str, bytes]:
    """The keys and contents of a ConfigMap or Secret; nothing where it is optional and not there.

    Raises:
        Missing: it is not there and not optional.
    """
    name = wanted.get("name") or wanted["secretName"]
    source = sources.get((kind, name))
    if source is None:
        if wanted.get("optional"):
            return {}
        raise Missing(f'{_words(kind)} "{name}" not found')
    plain = {} if kind == "secret" else {key: value.encode() for key, value in source.get("data", {}).items()}
    encoded = source.get("data" if kind == "secret" else "binaryData", {})
    return plain | {key: base64.b64decode(value) for key, value in encoded.items()}


def _words(kind: str) -> str:
    return "secret" if kind.startswith("secret") else "configmap"
