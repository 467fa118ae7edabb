"""Die with the parents, and take the process groups of what was started along.

A cancelled update kills the command plugin's direct child alone, with SIGKILL, and a killed engine takes its plugins
with it: either way nobody asks this process to stop. So the launcher stays as its parent (it does not `exec`), hands
over the ids of itself and of its own parent, and a thread here waits for either of them to end.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from arcgateway import workspace
from arcgateway.platforms import HERE

#: Set by the launcher: process ids, parted by blanks, whose end is ours.
ANCESTORS = "ARCGATEWAY_ANCESTORS"

#: What a started process gets between the request to stop and the kill: helm marks its release as failed in it, which
#: the next run goes on from; a helm that is killed outright leaves a release that blocks the next one.
GRACE_SECONDS = 5.0


class Lifeline:
    """What this process has started, and what must happen to it when the parents are gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: dict[int, subprocess.Popen[bytes]] = {}
        self._to_do: list[Callable[[], None]] = []

    def watch(self, pids: Iterable[int] | None = None) -> None:
        """Start to watch the given processes, by default the ancestors."""
        watched = ancestors() if pids is None else list(pids)

        def until_gone() -> None:
            HERE.until_one_ends(watched)
            self.end(status=130)

        threading.Thread(target=until_gone, name="lifeline", daemon=True).start()

    def started(self, process: subprocess.Popen[bytes]) -> None:
        """Take along this process and its group."""
        with self._lock:
            HERE.adopt(process)
            self._started[process.pid] = process

    def finished(self, process: subprocess.Popen[bytes]) -> None:
        """The process has ended by itself."""
        with self._lock:
            if self._started.pop(process.pid, None) is not None:
                HERE.release(process)

    @contextmanager
    def owing(self, work: Callable[[], None]) -> Iterator[None]:
        """While inside, an end does this too; whoever is inside does it for himself where he comes to his own end."""
        self._to_do.append(work)
        try:
            yield
        finally:
            self._to_do.remove(work)

    def end(self, status: int) -> None:
        """Stop all that was started, then this process, at once and without a word: nobody is left to read it."""
        with self._lock:
            for process in self._started.values():
                stop_group(process, GRACE_SECONDS)
            for work in tuple(self._to_do):
                with suppress(Exception):
                    work()
            workspace.remove_all()
            os._exit(status)


def ancestors() -> list[int]:
    """The processes whose end is ours, nearest first; the last one is the plugin where there is a launcher."""
    return HERE.ancestors([int(pid) for pid in os.environ.get(ANCESTORS, "").split() if pid.isdigit() and int(pid) > 1])


def in_own_group() -> dict[str, int]:
    """Arguments for Popen that put the child at the head of a process group, so that its children can be reached."""
    return HERE.in_own_group()


def stop_group(process: subprocess.Popen[bytes], grace: float) -> None:
    """Ask a process and its group to stop, and kill after `grace` seconds what has not."""
    HERE.stop(process, grace)
