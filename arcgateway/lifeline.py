"""Die with the parents, and take the process groups of what was started along.

A cancelled update kills the command plugin's direct child alone, with SIGKILL, and a killed engine takes its plugins
with it: either way nobody asks this process to stop. So the launcher stays as its parent (it does not `exec`), hands
over the ids of itself and of its own parent, and a thread here waits for either of them to end.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable

from arcgateway import workspace

#: Set by the launcher: process ids, parted by blanks, whose end is ours.
ANCESTORS = "ARCGATEWAY_ANCESTORS"

#: What a started process gets between the request to stop and the kill: helm marks its release as failed in it, which
#: the next run goes on from; a helm that is killed outright leaves a release that blocks the next one.
GRACE_SECONDS = 5.0

_POLL_SECONDS = 0.5


class Lifeline:
    """What this process has started, and what must happen to it when the parents are gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: dict[int, subprocess.Popen[bytes]] = {}

    def watch(self, ancestors: Iterable[int] | None = None) -> None:
        """Start to watch the given processes, by default the direct parent and what the launcher handed over."""
        pids = list(ancestors) if ancestors is not None else [os.getppid(), *_handed_over()]
        wait = _wait_by_handle if hasattr(os, "pidfd_open") else _wait_by_polling

        def until_gone() -> None:
            wait(pids)
            self.end(status=130)

        threading.Thread(target=until_gone, name="lifeline", daemon=True).start()

    def started(self, process: subprocess.Popen[bytes]) -> None:
        """Take along this process and its group."""
        with self._lock:
            self._started[process.pid] = process

    def finished(self, process: subprocess.Popen[bytes]) -> None:
        """The process has ended by itself."""
        with self._lock:
            self._started.pop(process.pid, None)

    def end(self, status: int) -> None:
        """Stop all that was started, then this process, at once and without a word: nobody is left to read it."""
        with self._lock:
            for process in self._started.values():
                stop_group(process, GRACE_SECONDS)
            workspace.remove_all()
            os._exit(status)


def in_own_group() -> dict[str, int]:
    """Arguments for Popen that put the child at the head of a process group, so that its children can be reached."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"process_group": 0}


def stop_group(process: subprocess.Popen[bytes], grace: float) -> None:
    """Ask a process and its group to stop, and kill after `grace` seconds what has not."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False)
        return
    if not _signal_group(process.pid, signal.SIGTERM):
        return
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline:
        process.poll()
        if not _signal_group(process.pid, 0):
            return
        time.sleep(0.05)
    _signal_group(process.pid, signal.SIGKILL)


def _signal_group(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _handed_over() -> list[int]:
    return [int(pid) for pid in os.environ.get(ANCESTORS, "").split() if pid.isdigit() and int(pid) > 1]


def _wait_by_handle(pids: Iterable[int]) -> None:
    """Linux: sleep until one of the processes ends. A handle is neither fooled by a reused id nor by a zombie."""
    waiter = select.poll()
    for pid in pids:
        if pid <= 1:
            return
        try:
            waiter.register(os.pidfd_open(pid), select.POLLIN)
        except ProcessLookupError:
            return
        except OSError:
            _wait_by_polling(pids)
            return
    waiter.poll()


def _wait_by_polling(pids: Iterable[int]) -> None:
    parent = os.getppid()
    others = [pid for pid in pids if pid != parent]
    while os.getppid() == parent and all(map(workspace.process_exists, others)):
        time.sleep(_POLL_SECONDS)
