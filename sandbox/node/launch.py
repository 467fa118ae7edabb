"""What a container becomes on this machine: program, arguments, variables and working folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.home import PROJECT
from sandbox.images import Image
from sandbox.node import volumes
from sandbox.node.expand import expand, rewrite
from sandbox.node.settings import Json, Settings

TERMINATION_LOG = "/dev/termination-log"


@dataclass(frozen=True)
class Launch:
    """A program to start.

    Attributes:
        argv: program and arguments.
        env: its whole environment.
        folder: its working folder.
        mounts: paths as the pod names them, and where they really are.
        termination_log: where the container may leave a message about its end.
    """

    argv: list[str]
    env: dict[str, str]
    folder: Path
    mounts: Mapping[str, str]
    termination_log: Path


def launch(settings: Settings, pod: Json, spec: Json, image: Image, variables: dict[str, str], folder: Path) -> Launch:
    """Plan a container's start, and make its folder.

    Args:
        settings: the node's.
        pod: with the addresses in its status.
        spec: the container's specification.
        image: the program that stands for its image.
        variables: what its `env` and `envFrom` define.
        folder: the pod's.
    """
    own = folder / "containers" / spec["name"]
    own.mkdir(parents=True, exist_ok=True)
    termination = own / "termination-log"
    termination.write_bytes(b"")
    mounts = volumes.mounts(pod, spec, folder / "volumes", variables)
    mounts[spec.get("terminationMessagePath") or TERMINATION_LOG] = str(termination)
    command = tuple(expand(word, variables) for word in spec.get("command", []))
    arguments = tuple(expand(word, variables) for word in spec.get("args", []))
    argv = (command or image.entrypoint) + (arguments or (() if command else image.arguments))
    asked = spec.get("workingDir") or ""
    place = rewrite(asked, mounts)
    return Launch(
        argv=[rewrite(word, mounts) for word in argv],
        env=_surroundings(settings, pod, own) | {name: rewrite(value, mounts) for name, value in variables.items()},
        folder=own if place == asked else Path(place),  # a folder of an image is nowhere on this machine
        mounts=mounts,
        termination_log=termination,
    )


def _surroundings(settings: Settings, pod: Json, folder: Path) -> dict[str, str]:
    """Variables that a container finds without asking. Of the node's own only where programs are."""
    host, _, port = settings.server.removeprefix("https://").partition(":")
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": str(PROJECT),
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "HOSTNAME": pod["metadata"]["name"],
        "POD_IP": pod["status"]["podIP"],
        "SSL_CERT_FILE": settings.bundle,
        "REQUESTS_CA_BUNDLE": settings.bundle,
        "SANDBOX_HOSTS": str(settings.hosts_file),
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": port,
    }
