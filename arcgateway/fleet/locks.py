"""Who holds a stack's lock, as far as the backend says: another run, or one that is gone."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from arcgateway.platforms import HERE

#: As backends without a service (files, Azure Blob, S3) tell of a lock.
_OWNER = re.compile(r"created by (?P<user>[^@\s]+)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock.

    Attributes:
        user, host, pid: whose it is.
        since: from when (RFC 3339).
    """

    user: str
    host: str
    pid: int
    since: str

    @property
    def gone(self) -> bool:
        """Whether it ran on this machine and does no more. Of other machines nothing is known."""
        return self.host == socket.gethostname() and not HERE.exists(self.pid)

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (process {self.pid}, since {self.since[:19]}Z)"


def owners(said: str) -> tuple[Owner, ...]:
    """The owners that an engine's refusal names; none where the backend keeps them to itself."""
    return tuple(
        Owner(found["user"], found["host"], int(found["pid"]), found["since"]) for found in _OWNER.finditer(said)
    )


def explained(stack: str, said: str) -> str:
    """What a refusal comes to: who holds the lock, and what to do."""
    found = owners(said)
    if not found:
        return f"another update of {stack} is in progress, so it was skipped: run again when that has ended"
    names = ", ".join(map(str, found))
    if all(owner.gone for owner in found):
        return (
            f"{stack} is locked by {names}, which crashed: run again with --release-dead-locks, or release it with "
            f"`pulumi cancel --stack {stack}`"
        )
    return (
        f"{stack} is locked by {names}, so it was skipped: run again when that has ended; if it "
        f"crashed on its machine, release the lock with `pulumi cancel --stack {stack}`"
    )
