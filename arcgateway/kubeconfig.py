"""One context of the machine's kubeconfig, as a file of our own that nobody else writes to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from arcgateway.errors import Failure

_FILE_KEYS = {"cluster": ("certificate-authority",), "user": ("client-certificate", "client-key", "tokenFile")}


@dataclass(frozen=True)
class Kubeconfig:
    """A kubeconfig that holds one context, with every path in it absolute.

    Attributes:
        context: the context's name.
        api_server: host name or address of the API server.
        text: the file's content (JSON, which is YAML): holds secrets.
    """

    context: str
    api_server: str
    text: str

    @property
    def prefix(self) -> str:
        """What every path begins with at a server that serves many clusters, as Rancher's does; "" at others."""
        server: str = json.loads(self.text)["clusters"][0]["cluster"]["server"]
        return urlsplit(server).path.rstrip("/")

    def write(self, folder: Path) -> Path:
        """Write it into a folder, readable by its owner alone."""
        path = folder / "kubeconfig"
        path.touch(mode=0o600)
        path.write_text(self.text)
        return path


def read(context: str | None, env: Mapping[str, str]) -> Kubeconfig:
    """The given context, or the current one, of the files that KUBECONFIG names (by default ~/.kube/config).

    Raises:
        Failure: no file, a file that is no kubeconfig, or no such context.
    """
    merged, current = _merged(env)
    name = context or current
    if not name or name not in merged["contexts"]:
        known = ", ".join(sorted(merged["contexts"])) or "none"
        raise Failure(
            f"the kubeconfig has no context {name!r}" if name else "the kubeconfig has no current context",
            f"name one of its contexts ({known}) in the cluster's kubeContext, or set KUBECONFIG to another file",
        )
    return _pruned(name, merged)


def contexts(env: Mapping[str, str]) -> list[str]:
    """The names of all contexts, the current one first.

    Raises:
        Failure: no file, or a file that is no kubeconfig.
    """
    merged, current = _merged(env)
    return sorted(merged["contexts"], key=lambda name: (name != current, name))


def _merged(env: Mapping[str, str]) -> tuple[dict[str, dict[str, Any]], str | None]:
    """What all the files hold, by kind and name, and the current context; the first file that has a name wins."""
    paths = [Path(part) for part in env.get("KUBECONFIG", "").split(os.pathsep) if part]
    paths = paths or [Path(env.get("HOME") or env.get("USERPROFILE") or Path.home()) / ".kube" / "config"]
    merged: dict[str, dict[str, Any]] = {"clusters": {}, "users": {}, "contexts": {}}
    current = None
    found = [path for path in paths if path.is_file()]
    for path in found:
        document = _load(path)
        current = current or document.get("current-context")
        for kind, entries in merged.items():
            for entry in document.get(kind) or ():
                entries.setdefault(entry["name"], _absolute(entry, path.resolve().parent))
    if not found:
        raise Failure(f"no kubeconfig at {', '.join(map(str, paths))}", "set KUBECONFIG to the file of the cluster")
    return merged, current


def _load(path: Path) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Failure(
            f"the kubeconfig {path} cannot be read ({type(error).__name__})",
            "mend the file, or set KUBECONFIG to another",
        ) from None
    if not isinstance(document, dict):
        raise Failure(f"the kubeconfig {path} is empty or no mapping", "set KUBECONFIG to the file of the cluster")
    return document


def _absolute(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    for kind, keys in _FILE_KEYS.items():
        body = entry.get(kind)
        if not isinstance(body, dict):
            continue
        for key in keys:
            if body.get(key):
                body[key] = str(folder / body[key])
        command = (body.get("exec") or {}).get("command", "")
        if os.sep in command:
            body["exec"]["command"] = str(folder / command)
    return entry


def _pruned(name: str, merged: dict[str, dict[str, Any]]) -> Kubeconfig:
    context = merged["contexts"][name]
    try:
        cluster = merged["clusters"][context["context"]["cluster"]]
        user = merged["users"].get(context["context"].get("user"))
        server = urlsplit(cluster["cluster"]["server"]).hostname or ""
    except (KeyError, TypeError):
        raise Failure(
            f"the kubeconfig's context {name!r} names no cluster with a server",
            "mend the kubeconfig, or name another context",
        ) from None
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [cluster],
        "users": [user] if user else [],
        "contexts": [context],
    }
    return Kubeconfig(name, server, json.dumps(document, default=str))
