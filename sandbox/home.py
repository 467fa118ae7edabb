"""The folder in which one sandbox keeps its state, and what is decided once for each: ports and identity."""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import socket
import uuid
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

PROJECT = Path(__file__).resolve().parent.parent

#: Below the range that Linux and macOS take ports of outgoing connections from, so that a port kept in the state
#: is rarely found taken by somebody's connection.
PORT_RANGE = range(20_000, 32_000)

PATH_PREFIX = (PROJECT / "sandbox/bin", PROJECT / ".local/toolchain/bin")


class MissingTool(Exception):
    """A program that the sandbox runs is neither in the project's tool chain nor on PATH."""


@dataclass(frozen=True)
class Identity:
    """The service principal that the sandbox's Azure knows."""

    subscription_id: str
    tenant_id: str
    client_id: str
    client_secret: str


class Home:
    """One sandbox's state.

    Args:
        root: the folder; made when missing, readable by its owner alone.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)

    @classmethod
    def default(cls) -> Home:
        """`$SANDBOX_HOME`, or `.local/sandbox` in the project."""
        return cls(Path(os.environ.get("SANDBOX_HOME") or PROJECT / ".local/sandbox"))

    def folder(self, name: str) -> Path:
        """A folder of the state by its name, made when missing."""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig for people: contexts named after the clusters."""
        return self.root / "kubeconfig"

    def port(self, name: str) -> int:
        """The loopback port of a service: chosen free on first use, the same ever after."""
        ports = self._read("ports.json")
        if name not in ports:
            ports[name] = _free_port(taken=set(ports.values()))
            self.write("ports.json", json.dumps(ports, indent=2))
        return int(ports[name])

    def forget_port(self, name: str) -> None:
        """Let the next `port(name)` choose anew, because somebody else has taken it."""
        ports = self._read("ports.json")
        ports.pop(name, None)
        self.write("ports.json", json.dumps(ports, indent=2))

    @cached_property
    def identity(self) -> Identity:
        """Ids that a person recognises as made up, and a secret of this sandbox's own."""
        stored = self._read("identity.json")
        if not stored:
            stored = asdict(
                Identity(
                    subscription_id=str(uuid.uuid5(uuid.NAMESPACE_DNS, "subscription.sandbox")),
                    tenant_id=str(uuid.uuid5(uuid.NAMESPACE_DNS, "tenant.sandbox")),
                    client_id=str(uuid.uuid5(uuid.NAMESPACE_DNS, "client.sandbox")),
                    client_secret=secrets.token_hex(24),  # no leading dash, which `az` would take for an option
                )
            )
            self.write("identity.json", json.dumps(stored, indent=2))
        return Identity(**stored)

    @staticmethod
    def tool(name: str) -> Path:
        """A program of the tool chain, else of PATH.

        Raises:
            MissingTool: it is in neither.
        """
        search = os.pathsep.join([*map(str, PATH_PREFIX), os.environ.get("PATH", "")])
        found = shutil.which(name, path=search)
        if found is None:
            raise MissingTool(f"{name} is not there: run `make toolchain`, which finds, fetches or builds it")
        return Path(found)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the state whole or not at all, readable by its owner alone."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        aside.touch(mode=0o600)
        aside.write_text(text)
        aside.replace(path)
        return path

    def _read(self, name: str) -> dict[str, Any]:
        try:
            return cast(dict[str, Any], json.loads((self.root / name).read_text()))
        except FileNotFoundError:
            return {}


def _free_port(taken: set[object]) -> int:
    for port in random.sample(PORT_RANGE, len(PORT_RANGE)):
        if port not in taken and port_is_free(port):
            return port
    raise OSError("no free loopback port between 20000 and 31999")


def port_is_free(port: int) -> bool:
    """Whether nothing listens on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
