"""Volumes of pods as folders, and where a container sees them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from sandbox.node.expand import Missing, NotSupported, data_of, expand, field
from sandbox.node.settings import Json

Sources = Mapping[tuple[str, str], Json | None]

DEFAULT_MODE = 0o644
SUPPORTED = "configMap, secret, emptyDir, projected, downwardAPI and hostPath"


def references(pod: Json) -> set[tuple[str, str]]:
    """The ConfigMaps and Secrets that a pod's volumes come from: pairs of kind and name."""
    return {
        (kind, source[kind].get("name") or source[kind]["secretName"])
        for volume in pod["spec"].get("volumes", [])
        for source in (volume, *volume.get("projected", {}).get("sources", []))
        for kind in ("configMap", "secret")
        if kind in source
    }


def token_audiences(pod: Json) -> set[str]:
    """The audiences of the service account's tokens that a pod mounts; "" is the API server."""
    return {
        source["serviceAccountToken"].get("audience", "")
        for volume in pod["spec"].get("volumes", [])
        for source in volume.get("projected", {}).get("sources", [])
        if "serviceAccountToken" in source
    }


def materialise(pod: Json, folder: Path, host: Path, sources: Sources, tokens: Mapping[str, str]) -> None:
    """Make each volume of a pod a folder `folder/NAME`, filled with what belongs in it.

    Args:
        pod: with the addresses in its status.
        folder: for the pod's volumes.
        host: what pods see as the node's own file system (hostPath); not this machine's.
        sources: the objects that `references` names, None for those that are not there.
        tokens: the tokens that `token_audiences` names.

    Raises:
        Missing, NotSupported: with a sentence for the pod's events.
    """
    for volume in pod["spec"].get("volumes", []):
        place = folder / volume["name"]
        if "hostPath" in volume:
            shown = host / volume["hostPath"]["path"].strip("/")
            shown.mkdir(parents=True, exist_ok=True)
            if not place.is_symlink():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(shown)
            continue
        files = _files(pod, volume, sources, tokens)
        if files is not None:
            shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True, exist_ok=True)
        for name, (content, mode) in (files or {}).items():
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            file.chmod(mode)


def mounts(pod: Json, container: Json, folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Where a container's mounts really are: from mount path to file or folder."""
    found = {}
    for mount in container.get("volumeMounts", []):
        inside = mount.get("subPath") or expand(mount.get("subPathExpr", ""), variables)
        place = folder / mount["name"] / inside if inside else folder / mount["name"]
        if inside and not place.exists():
            place.mkdir(parents=True, exist_ok=True)
        found[mount["mountPath"]] = str(place)
    return found


def _files(pod: Json, volume: Json, sources: Sources, tokens: Mapping[str, str]) -> dict[str, tuple[bytes, int]] | None:
    """Path and content with mode; None for a volume that keeps what its pod writes."""
    if "emptyDir" in volume:
        return None
    for kind in ("configMap", "secret", "downwardAPI"):
        if kind in volume:
            return _source(pod, kind, volume[kind], volume[kind].get("defaultMode", DEFAULT_MODE), sources, tokens)
    if "projected" in volume:
        mode = volume["projected"].get("defaultMode", DEFAULT_MODE)
        found: dict[str, tuple[bytes, int]] = {}
        for source in volume["projected"].get("sources", []):
            for kind, wanted in source.items():
                found |= _source(pod, kind, wanted, mode, sources, tokens)
        return found
    kinds = ", ".join(key for key in volume if key != "name")
    raise NotSupported(f"volume {volume['name']} is a {kinds}: the sandbox's node knows {SUPPORTED}")


def _source(
    pod: Json, kind: str, wanted: Json, mode: int, sources: Sources, tokens: Mapping[str, str]
) -> dict[str, tuple[bytes, int]]:
    if kind == "downwardAPI":
        entries = wanted.get("items", [])
        if any("fieldRef" not in entry for entry in entries):
            raise NotSupported("the sandbox's node shows no resource limits in volumes (resourceFieldRef)")
        return {
            entry["path"]: (field(pod, entry["fieldRef"]["fieldPath"]).encode(), entry.get("mode", mode))
            for entry in entries
        }
    if kind == "serviceAccountToken":
        return {wanted["path"]: (tokens[wanted.get("audience", "")].encode(), mode)}
    if kind not in ("configMap", "secret"):
        raise NotSupported(f"the sandbox's node does not project {kind}: it knows {SUPPORTED}")
    data = data_of(sources, kind, wanted)
    if "items" not in wanted:
        return {key: (content, mode) for key, content in data.items()}
    missing = [entry["key"] for entry in wanted["items"] if entry["key"] not in data]
    if missing and not wanted.get("optional"):
        raise Missing(f"references non-existent {kind} key: {missing[0]}")
    return {
        entry["path"]: (data[entry["key"]], entry.get("mode", mode))
        for entry in wanted["items"]
        if entry["key"] in data
    }
