"""The processes that a run starts: their output goes to a log, and none is left when the run is interrupted."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from toolchain.errors import Stopped, ToolchainError

#: Seconds that interrupted processes have to clean up after themselves.
GRACE = 5.0

#: What the output of a failed tool means, where that is the same for all of them.
_CAUSES = (
    (r"no space left on device|disk quota exceeded", "the disk is full: free some 6 GB and run it again"),
    (
        r"dial tcp|no such host|connection refused|i/o timeout|TLS handshake|network is unreachable"
        r"|dns error|failed to resolve|Temporary failure|NewConnectionError|[Cc]ould not connect",
        "the package registry cannot be reached: see to the network or the proxy settings, and run it again",
    ),
    (r"checksum mismatch|[Hh]ash mismatch|DO NOT MATCH THE HASHES", "what was fetched is not what is pinned"),
)


class Children:
    """Runs processes; from any thread.

    Args:
        logs: the folder of the logs.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(
        self, subject: str, command: list[str], *, cwd: Path, env: Mapping[str, str], optional: bool = False
    ) -> bool:
        """Run a command to its end.

        Args:
            subject: what it is for; names the log.
            optional: whether a failure is none of the caller's.

        Returns:
            Whether it succeeded.

        Raises:
            ToolchainError: it failed; the sentence names the cause where it is a known one, and the log.
            Stopped: the run has ended meanwhile.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{subject.lstrip('.')}.log"
        with log.open("ab") as output:
            output.write(f"$ {' '.join(command)}\n".encode())
            output.flush()
            with self._lock:
                if self._stopped:
                    raise Stopped
                child = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env=dict(env),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    process_group=0,
                )
                self._running.add(child)
            start = output.tell()
            code = child.wait()
        with self._lock:
            self._running.discard(child)
            if self._stopped:
                raise Stopped
        if code == 0:
            return True
        if optional:
            return False
        raise ToolchainError(f"{subject} failed: {_cause(log, start)} (all of it is in {log})")

    def stop(self) -> None:
        """End all that runs, and start nothing more."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for child in running:
            _signal(child, signal.SIGINT)
        deadline = time.monotonic() + GRACE
        for child in running:
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(child, signal.SIGKILL)
                child.wait()


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def _cause(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        text = file.read().decode(errors="replace").strip()
    for pattern, meaning in _CAUSES:
        if re.search(pattern, text):
            if "disk" in meaning:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return meaning
    return text.splitlines()[-1].strip() if text else "it said nothing"
