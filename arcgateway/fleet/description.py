"""The fleet's file: what it may say, and all that is wrong with it at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arcgateway.errors import Failure


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a fleet's file.

    Attributes:
        line: where, counted from 1.
        key: what it is about, as a path of keys (`clusters.shop-17.ring`); empty for the file as a whole.
        text: what is wrong and how to mend it; holds no value that may be secret.
    """

    line: int
    key: str
    text: str


class FleetError(Failure):
    """All that is wrong with a fleet's file, in the order of its lines.

    Attributes:
        path: the file.
        problems: what is wrong.
    """

    def __init__(self, path: Path, problems: Sequence[Problem], mend: str = "mend the file") -> None:
        self.path = path
        self.problems = tuple(sorted(problems, key=lambda one: one.line))
        lines = "".join(f"\n  {path}:{one.line}: {one.key}{': ' if one.key else ''}{one.text}" for one in self.problems)
        count = f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
        super().__init__(f"{path} has {count}, and nothing was started", f"{mend}{lines}")


@dataclass(frozen=True)
class Gate:
    """What a ring has to show before the next one begins.

    Attributes:
        preflight: whether every preflight of the ring's clusters has to pass.
        connected: the least share of the ring's clusters that Azure shows as connected, 0 to 1.
        pause: seconds to wait after that.
    """

    preflight: bool = True
    connected: float = 1.0
    pause: int = 0


@dataclass(frozen=True)
class Ring:
    """One ring: its clusters are deployed together, before those of the next."""

    name: str
    gate: Gate


@dataclass(frozen=True)
class Gateway:
    """A gateway that clusters of the fleet use.

    Attributes:
        key: its name in the file.
        config: what a stack's setting `gateway` says: of the stack that owns it, or of those that use it.
        own: whether it is the fleet's, so that it has a stack of its own.
        subscription: its subscription; empty where it is another stack's.
        region: where the fleet's own is made; empty otherwise.
        regions: those whose clusters use it where they name none; empty for any.
    """

    key: str
    config: Mapping[str, Any]
    own: bool
    subscription: str
    region: str
    regions: tuple[str, ...]


@dataclass(frozen=True)
class Cluster:
    """A cluster and its place in the fleet, which its own entry in the file decides, and no other cluster's.

    Attributes:
        key: its name in the file and in the stack's settings.
        ring: its ring.
        region: its Azure region.
        number: which of the stacks of its ring and region it is in, from 1.
        gateway: key of the gateway that its stack has.
        config: its settings in the stack, secrets left out.
        secrets: for each path of keys below its settings, the environment variable that holds the value.
    """

    key: str
    ring: str
    region: str
    number: int
    gateway: str
    config: Mapping[str, Any]
    secrets: Mapping[tuple[str, ...], str] = field(default_factory=dict)

    @property
    def proxy(self) -> str | None:
        """Key of its proxy, if it has one."""
        return self.config.get("proxy")


@dataclass(frozen=True)
class Proxy:
    """An enterprise proxy: its settings without its secrets, and the variables that hold those by their keys."""

    config: Mapping[str, Any]
    secrets: Mapping[tuple[str, ...], str]


@dataclass(frozen=True)
class Fleet:
    """A fleet's file that is right.

    Attributes:
        name: the fleet's name, with which the names of its stacks begin.
        organization, project: where its stacks are in the backend.
        clusters_per_stack: how many clusters a stack takes.
        rings: in their order.
        gateways, proxies, clusters: by their keys, in the file's order.
        settings: what every stack is configured with besides (`allowlist`, `preflight`, `drift`), where the file says
            something of it.
    """

    name: str
    organization: str
    project: str
    clusters_per_stack: int
    rings: tuple[Ring, ...]
    gateways: Mapping[str, Gateway]
    proxies: Mapping[str, Proxy]
    clusters: Mapping[str, Cluster]
    settings: Mapping[str, Any]

    @classmethod
    def load(cls, path: Path, env: Mapping[str, str] | None = os.environ) -> Fleet:
        """Read and check a fleet's file.

        Args:
            path: the YAML file.
            env: the environment of the machine that deploys: its kubeconfig has to know the clusters' contexts, and
                it has to hold the variables that secrets come from. None leaves both unchecked, where only the
                description counts (a pipeline that is generated).

        Raises:
            FleetError: everything that is wrong, with line numbers.
            Failure: the file cannot be read.
        """
        from arcgateway import files
        from arcgateway.fleet.checks import checked
        from arcgateway.fleet.positions import Document, YamlProblem

        try:
            document = Document(files.read(path))
        except YamlProblem as problem:
            raise FleetError(path, [Problem(problem.line, "", f"is no YAML: {problem}")]) from None
        found, problems = checked(document, path.parent, env)
        if found is None or problems:
            raise FleetError(path, problems)
        return found
