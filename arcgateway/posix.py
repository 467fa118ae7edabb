"""Linux and macOS: process groups and signals."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

_POLL_SECONDS = 0.5


class Posix:
    """See `arcgateway.platforms.Platform`."""

    def command(self, program: str, arguments: Iterable[str]) -> list[str]:
        return [program, *arguments]

    def in_own_group(self) -> dict[str, int]:
        return {"process_group": 0}

    def adopt(self, process: subprocess.Popen[bytes]) -> None:
        """Its group is known by its id."""

    def release(self, process: subprocess.Popen[bytes]) -> None:
        """Nothing is held."""

    def stop(self, process: subprocess.Popen[bytes], grace: float) -> None:
        if not _signal_group(process.pid, signal.SIGTERM):
            return
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline:
            process.poll()
            if not _signal_group(process.pid, 0):
                return
            time.sleep(0.05)
        _signal_group(process.pid, signal.SIGKILL)

    def interrupt(self, process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGINT)

    def exists(self, pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def ancestors(self, handed_over: Sequence[int]) -> list[int]:
        return [os.getppid(), *handed_over]

    def until_one_ends(self, pids: Sequence[int]) -> None:
        if not hasattr(os, "pidfd_open") or not _wait_by_handle(pids):
            self._wait_by_polling(pids)

    def command_line(self, pid: int) -> list[str]:
        if sys.platform == "linux":
            try:
                return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").rstrip("\0").split("\0")
            except OSError:
                return []
        shown = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return shown.stdout.split()

    def lock(self, file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _wait_by_polling(self, pids: Iterable[int]) -> None:
        parent = os.getppid()
        others = [pid for pid in pids if pid != parent]
        while os.getppid() == parent and all(map(self.exists, others)):
            time.sleep(_POLL_SECONDS)


def _signal_group(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _wait_by_handle(pids: Iterable[int]) -> bool:
    """Linux: sleep until one of the processes ends. A handle is neither fooled by a reused id nor by a zombie.

    Returns:
        False where the kernel has no such handles.
    """
    waiter = select.poll()
    for pid in pids:
        if pid <= 1:
            return True
        try:
            waiter.register(os.pidfd_open(pid), select.POLLIN)
        except ProcessLookupError:
            return True
        except OSError:
            return False
    waiter.poll()
    return True
