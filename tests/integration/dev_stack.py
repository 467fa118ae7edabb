"""The dev stack of a running sandbox, as tests change, preview and deploy it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from running_sandbox import Sandbox
from waiting import until

PACK = ("--policy-pack", "policy")
QUIET = ("--stack", "dev", "--non-interactive", "--color", "never")


def up(sandbox: Sandbox, *arguments: str, **options: Any) -> str:
    return sandbox.run("pulumi", "up", "--yes", *QUIET, *arguments, **options).stdout


def preview(sandbox: Sandbox, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return sandbox.run("pulumi", "preview", *QUIET, *arguments, check=False, **options)


def no_changes(sandbox: Sandbox, **options: Any) -> None:
    seen = preview(sandbox, "--expect-no-changes", "--diff", **options)
    assert seen.returncode == 0, seen.stdout + seen.stderr


def outputs(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.json("pulumi", "stack", "output", "--json", "--stack", "dev")


def configured(sandbox: Sandbox, path: Path, change: Any) -> str:
    """A copy of the stack's configuration with a change made to it; returns its path."""
    configuration = yaml.safe_load((sandbox.home.root / "Pulumi.dev.yaml").read_text())
    change(configuration["config"])
    target = path / "Pulumi.dev.yaml"
    target.write_text(yaml.safe_dump(configuration))
    return str(target)


@contextmanager
def closed(sandbox: Sandbox, host: str) -> Iterator[None]:
    """The sandbox's squid denies a name meanwhile, by its configuration."""
    file = sandbox.home.root / "squid/squid.conf"
    open_to_all = file.read_text()
    rules = f"acl closed dstdomain -n {host}\nhttp_access deny closed\n"
    try:
        _reconfigure(sandbox, open_to_all.replace("http_access allow all", f"{rules}http_access allow all"))
        until(lambda: _connect_status(sandbox, host) == 403)
        yield
    finally:
        _reconfigure(sandbox, open_to_all)
        until(lambda: _connect_status(sandbox, host) == 200)


def _reconfigure(sandbox: Sandbox, text: str) -> None:
    (sandbox.home.root / "squid/squid.conf").write_text(text)
    os.kill(int((sandbox.home.root / "squid/squid.pid").read_text()), signal.SIGHUP)


def _connect_status(sandbox: Sandbox, host: str) -> int:
    try:
        with socket.create_connection(("127.0.0.1", sandbox.home.port("proxy")), timeout=5) as connection:
            connection.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
            return int(connection.recv(64).split()[1])
    except (OSError, IndexError):
        return 0
