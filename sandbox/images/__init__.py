"""The images that the sandbox's nodes can run: each a program of this machine instead of a container."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.home import PROJECT


@dataclass(frozen=True)
class Image:
    """A program that stands for an image.

    Attributes:
        entrypoint: what a pod's `command` replaces.
        arguments: what a pod's `args` (or `command`) replaces.
    """

    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...] = ()


_AGENTS = "mcr.microsoft.com/azurearck8s"

#: By repository, without tag and digest. A pod's image runs the entry of the longest name that is it or a parent of it.
IMAGES: Mapping[str, Image] = {
    f"{_AGENTS}/agent": Image(("/bin/sh", str(PROJECT / "sandbox/images/agent.sh"), sys.executable)),
    f"{_AGENTS}/arc-proxy": Image((sys.executable, "-m", "sandbox.images.arc_proxy")),
    f"{_AGENTS}/clusterdiagnosticchecks": Image((sys.executable, "-m", "sandbox.images.diagnostics")),
    "mcr.microsoft.com/azurelinux/distroless/python": Image(("python3",)),
}


def find(reference: str, images: Mapping[str, Image] = IMAGES) -> Image | None:
    """The program for an image reference such as `mcr.microsoft.com/azurearck8s/agent:1.36.1`, if there is one."""
    parts = repository(reference).split("/")
    names = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((images[name] for name in names if name in images), None)


def repository(reference: str) -> str:
    """An image reference without tag and digest; a port of the registry stays."""
    name, _, _ = reference.partition("@")
    path, slash, last = name.rpartition("/")
    return path + slash + last.partition(":")[0]
