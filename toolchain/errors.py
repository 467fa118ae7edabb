"""What can go wrong, as one sentence for a person each."""

from __future__ import annotations

import errno


class ToolchainError(Exception):
    """A tool cannot be had: what went wrong, where, and what to do."""


class Unavailable(Exception):
    """A vendor's file cannot be had from the network now; the next way of getting the tool is tried.

    Args:
        reason: what a person is told.
        known: whether they have been told it already in this run.
    """

    def __init__(self, reason: str, *, known: bool = False) -> None:
        super().__init__(reason)
        self.known = known


class Stopped(Exception):
    """Another part of the run has failed, or the run was interrupted: this part ends without a message of its own."""


def sentence(problem: OSError) -> str:
    """An operating system's error, as what it means to the person who reads it."""
    where = f" ({problem.filename})" if problem.filename else ""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full{where}: free some 6 GB where the project and the Go cache are, and run it again"
    if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"the project's folder cannot be written{where}: make it writable for this user, and run it again"
    return f"{problem}: mend that, and run it again"
