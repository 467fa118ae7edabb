"""The processes of the language host: programs, plugins and installers, none of which outlives it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

EXEC = Path(__file__).with_name("language_exec.py")

#: Between the polite signal to a child and the last one, in seconds. The engine itself gives a plugin 5.
GRACE = 2.0


class Children:
    """The processes that this host has started, so that none outlives it."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a process in a group of its own, so that a signal reaches its own children too."""
        with self._lock:
            if self._closed:
                raise OSError("the language host is stopping")
            options.setdefault("stdin", subprocess.DEVNULL)
            child: subprocess.Popen[bytes] = subprocess.Popen(command, process_group=0, **options)
            self._running.add(child)
        return child

    def forget(self, child: subprocess.Popen[bytes]) -> None:
        """The process has ended and been waited for."""
        with self._lock:
            self._running.discard(child)

    def interrupt(self) -> None:
        """Pass an interruption on to all."""
        with self._lock:
            for child in self._running:
                _signal(child, signal.SIGINT)

    def close(self) -> None:
        """End all, politely and then not, and start no more."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for child in running:
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        for child in running:
            end(child, deadline - time.monotonic())


class Standby:
    """A Python that imports the SDK, a second's work, while the engine still loads plugins and policy packs.

    It waits for the order to run a program: then one process has done both, and the program starts at once.
    """

    def __init__(self, children: Children) -> None:
        self._children = children
        self._waiting: tuple[str, subprocess.Popen[bytes]] | None = None

    def prepare(self, python: str, env: Mapping[str, str], cwd: str) -> None:
        """Start one with this Python, unless one waits already."""
        if self._waiting is None:
            command = [python, "-u", str(EXEC), "--stand-by", str(os.getpid())]
            child = self._children.start(command, env=env, cwd=cwd, stdin=subprocess.PIPE)
            self._waiting = python, child

    def run(self, python: str, arguments: list[str], env: Mapping[str, str], cwd: str) -> subprocess.Popen[bytes]:
        """Run a program by the one that waits, or by a new one where none does."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting[0] == python and waiting[1].poll() is None:
            child = waiting[1]
            assert child.stdin is not None
            with contextlib.suppress(BrokenPipeError), child.stdin as order:
                order.write(json.dumps({"arguments": arguments, "environment": dict(env), "folder": cwd}).encode())
            return child
        return self._children.start([python, "-u", str(EXEC), *arguments], env=env, cwd=cwd)


def end(child: subprocess.Popen[bytes], grace: float = GRACE) -> None:
    """Ask a process group to end, and kill it when it has not within `grace` seconds."""
    if child.poll() is not None:
        return
    _signal(child, signal.SIGTERM)
    try:
        child.wait(max(grace, 0))
    except subprocess.TimeoutExpired:
        _signal(child, signal.SIGKILL)
        child.wait()


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def bound(command: list[str]) -> list[str]:
    """A command that dies with this host, even when the host is killed."""
    return [sys.executable, "-I", "-S", str(EXEC), "--become", str(os.getpid()), *command]
