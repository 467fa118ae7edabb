"""YAML text as plain values: manifests for Kubernetes, and cloud-init's configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from .reading import Value, plain

_LONGEST = 1_000_000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: An alias lets a short text stand for a huge value: such text is not read.
_ALIAS = re.compile(r"(?:^|[\s\[{,:-])\*[\w-]+", re.MULTILINE)


def documents(text: str) -> list[Value]:
    """The mappings of a YAML (or JSON) text, one for each document; none where it is no such text."""
    if len(text) > _LONGEST or ("&" in text and _ALIAS.search(text)):
        return []
    try:
        read = [plain(document) for document in yaml.load_all(text, _LOADER) if isinstance(document, Mapping)]
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    return read


def manifests(text: str) -> list[Value]:
    """The Kubernetes resources among these documents."""
    if "kind" not in text or "apiVersion" not in text:
        return []
    return [one for one in documents(text) if isinstance(one, dict) and one.get("kind") and one.get("apiVersion")]
