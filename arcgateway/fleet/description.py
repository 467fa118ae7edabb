"""The fleet's file: what it may say, and all that is wrong with it at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        lines = "".join(f"\n  {path}:{one.line}: {one.key}{': ' if one.key else ''}{one.text}" for one in problems)
        count = f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
        super().__init__(f"{path} has {count}, and nothing was started", f"mend the file{lines}")


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
class Fleet:
    """A fleet's file that is right.

    Attributes:
        name: the fleet's name, with which the names of its stacks begin.
        organization, project: where its stacks are in the backend.
        rings: in their order.
    """

    name: str
    organization: str
    project: str
    rings: tuple[Ring, ...]

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
        """
        raise NotImplementedError
