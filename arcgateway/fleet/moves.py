"""Clusters that the file has in another stack than the one whose state holds them.

To an engine such a cluster is one to create and one to delete. The create would find it connected, and the delete would
disconnect it after that. So its state goes along instead, and nothing happens to the cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from arcgateway.fleet.partition import FleetStack

if TYPE_CHECKING:
    from arcgateway.fleet.runner import Outcome


@dataclass(frozen=True, order=True)
class Move:
    """A cluster that changes its stack.

    Attributes:
        source: the stack whose state holds it.
        target: the stack in which the file has it.
        cluster: its key.
    """

    source: str
    target: str
    cluster: str

    def as_json(self) -> dict[str, str]:
        """For machines."""
        return {"cluster": self.cluster, "from": self.source, "to": self.target}


def moves(
    looked: Iterable[Outcome], homes: Mapping[str, FleetStack], holders: Callable[[], Mapping[str, str]]
) -> list[Move]:
    """The moves that previews show, sorted.

    Args:
        looked: what previews came to.
        homes: the stack of each cluster in the file.
        holders: the stack whose state holds a cluster; asked only where one is to be created.
    """

    def seen() -> Iterator[Move]:
        for one in looked:
            for cluster, how in one.tally.differing.items():
                source, target = one.stack.name, homes.get(cluster)
                if how == "create":
                    source = holders().get(cluster, "")
                if how in ("create", "delete") and target is not None and source not in ("", target.name):
                    yield Move(source, target.name, cluster)

    return sorted(set(seen()))


def by_stacks(found: Sequence[Move]) -> list[tuple[str, str, list[str]]]:
    """Moves between the same two stacks together: from which, to which, and the clusters."""
    groups = groupby(found, key=lambda move: (move.source, move.target))
    return [(source, target, [move.cluster for move in group]) for (source, target), group in groups]
