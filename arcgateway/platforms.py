"""The one place that knows on which system this runs: processes that belong together, and locks between them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import IO, Protocol


class Platform(Protocol):
    """What the systems do each in their own way."""

    def command(self, program: str, arguments: Iterable[str]) -> list[str]:
        """The argument list that runs a program with these arguments, each of which arrives as it is.

        Raises:
            Failure: there is no such list.
        """

    def in_own_group(self) -> dict[str, int]:
        """Arguments for Popen that put the child at the head of a group, so that its children can be reached."""

    def adopt(self, process: subprocess.Popen[bytes]) -> None:
        """Take a child that was started in a group of its own into our care, and whatever it starts."""

    def release(self, process: subprocess.Popen[bytes]) -> None:
        """The child has ended."""

    def stop(self, process: subprocess.Popen[bytes], grace: float) -> None:
        """Ask a child and its group to stop, and kill after `grace` seconds what has not."""

    def interrupt(self, process: subprocess.Popen[str]) -> None:
        """Do to a child at the head of a group what a terminal's Ctrl-C would, and to the child alone."""

    def exists(self, pid: int) -> bool:
        """Whether a process of this id is there, whoever owns it."""

    def ancestors(self, handed_over: Sequence[int]) -> list[int]:
        """The processes above whose end is ours, nearest first.

        Args:
            handed_over: ids that the launcher knows and that cannot be found out otherwise.
        """

    def until_one_ends(self, pids: Sequence[int]) -> None:
        """Return when one of the processes has ended."""

    def command_line(self, pid: int) -> list[str]:
        """The words that a process was started with; none where they cannot be read."""

    def lock(self, file: IO[bytes]) -> None:
        """Wait until no other process holds the file, then hold it until it is closed."""


def _here() -> Platform:
    if sys.platform == "win32":
        from arcgateway.windows import Kernel32, Windows

        return Windows(Kernel32())
    from arcgateway.posix import Posix

    return Posix()


#: The system that this runs on.
HERE = _here()
