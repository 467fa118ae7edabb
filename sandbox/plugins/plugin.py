"""What a plugin is to the rest: operations on resources in plain Python, whose errors are one sentence each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.plugins.changes import Change
from sandbox.plugins.fields import Failure
from sandbox.plugins.values import Properties

#: Shows a line beside a resource while an operation on it runs: the line, the resource's URN.
Log = Callable[[str, str], None]


class PluginError(Exception):
    """An operation failed; the message is for the person who runs the update."""


class Refused(PluginError):
    """A function does not take its arguments.

    Attributes:
        failures: what is wrong with them.
    """

    def __init__(self, failures: list[Failure]) -> None:
        super().__init__("; ".join(bad.reason for bad in failures))
        self.failures = failures


class HalfMade(PluginError):
    """A resource exists, but its creation or update did not finish: the state keeps it, and the update fails.

    Attributes:
        id: the resource's id.
        inputs: what it was to become.
        outputs: what it is now.
    """

    def __init__(self, message: str, id: str, inputs: Properties, outputs: Properties) -> None:
        super().__init__(message)
        self.id = id
        self.inputs = inputs
        self.outputs = outputs


@dataclass(frozen=True)
class Resource:
    """Which resource an operation is about."""

    urn: str

    @property
    def type(self) -> str:
        """Its type token; of a child, without the types of its parents."""
        return self.urn.split("::")[2].rpartition("$")[2]

    @property
    def name(self) -> str:
        """Its logical name."""
        return self.urn.split("::", 3)[3]


@dataclass(frozen=True)
class Naming:
    """How to name a resource that has no name.

    Attributes:
        seed: the engine's random bytes for this resource; the same in preview and update.
        proposed: a name from the stack's own configuration of names, or "".
        refused: the stack wants every name given.
    """

    seed: bytes = b""
    proposed: str = ""
    refused: bool = False


@dataclass(frozen=True)
class Checked:
    """Inputs with defaults, and what is wrong with them."""

    inputs: Properties
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class Difference:
    """What an update would change.

    Attributes:
        changes: by property path.
        delete_first: a replacement can exist only after the old one is gone.
        of_inputs: the changes are against the old inputs, not the old outputs.
    """

    changes: dict[str, Change] = field(default_factory=dict)
    delete_first: bool = False
    of_inputs: bool = False


@dataclass(frozen=True)
class State:
    """A resource as the state has it."""

    id: str
    inputs: Properties
    outputs: Properties


class Plugin(ABC):
    """One plugin in one process: configured once, then asked by many threads at a time."""

    name: str
    version: str

    @abstractmethod
    def configure(self, settings: Properties) -> None:
        """Take the provider's configuration.

        Raises:
            PluginError: it cannot work with it.
        """

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """The package's schema: its resources and functions, without documentation."""

    @abstractmethod
    def check(self, resource: Resource, old: Properties, new: Properties, naming: Naming) -> Checked:
        """Inputs completed with defaults; `old` are those of the state, empty for a new resource."""

    @abstractmethod
    def diff(self, resource: Resource, old: State, inputs: Properties) -> Difference:
        """What changes when the resource gets these inputs."""

    @abstractmethod
    def preview(self, resource: Resource, old: State | None, inputs: Properties) -> State:
        """What creating it (without `old`) or updating it would give, as far as known."""

    @abstractmethod
    def create(self, resource: Resource, inputs: Properties, timeout: float) -> State:
        """Make it. `timeout` is in seconds, 0 for none given."""

    @abstractmethod
    def update(self, resource: Resource, old: State, inputs: Properties, timeout: float) -> Properties:
        """Change it; its outputs."""

    @abstractmethod
    def read(self, resource: Resource, old: State) -> State | None:
        """It as it is now, or None when it is gone. An import has an id alone."""

    @abstractmethod
    def delete(self, resource: Resource, old: State, timeout: float) -> None:
        """Remove it; no error when it is gone already."""

    @abstractmethod
    def invoke(self, token: str, arguments: Properties) -> Properties:
        """The result of a function of the package.

        Raises:
            Refused: it does not take these arguments.
        """

    @abstractmethod
    def cancel(self) -> None:
        """Let all operations under way end soon, with an error."""
