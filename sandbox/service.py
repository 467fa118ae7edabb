"""What the sandbox runs: long-lived local processes, each with a sign of readiness."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Service:
    """One process of the sandbox.

    Attributes:
        name: unique; also the name of its log.
        argv: the program, absolute, and its arguments. No argument is a secret.
        ready: looked at every few milliseconds until true; must not block for more than a second.
        env: environment variables besides those of the supervisor.
        after: names of services that must be ready before it starts.
        prepare: called just before each start, for its folders and configuration files.
        ports: names of the `Home.port`s that it listens on, to tell an occupied port from a broken service.
    """

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    prepare: Callable[[], None] | None = None
    ports: tuple[str, ...] = ()


def listening(port: int) -> Callable[[], bool]:
    """Ready when the loopback port accepts a connection."""

    def ready() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
        except OSError:
            return False
        return True

    return ready


def direct(roots: Path) -> urllib.request.OpenerDirector:
    """What opens HTTPS addresses of this machine: by no proxy, certificates checked against `roots`."""
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(roots))),
    )


def answering(url: str, roots: Path, headers: Mapping[str, str] | None = None) -> Callable[[], bool]:
    """Ready when an HTTPS address answers 200, its certificate checked against `roots`."""

    def ready() -> bool:
        request = urllib.request.Request(url, headers=dict(headers or {}))
        try:
            with direct(roots).open(request, timeout=1) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    return ready


def die_with(parent: int, signum: signal.Signals) -> Callable[[], None] | None:
    """What a child does before it becomes its program: on Linux, ask the kernel for a signal at its parent's death.

    Args:
        parent: the process id that starts the child; gone by then, the child ends at once.
        signum: the signal.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signum)
        if os.getppid() != parent:
            os._exit(1)

    return ask
