"""A running sandbox, as tests of every part use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sandbox.environment import environment
from sandbox.home import PROJECT, Home
from sandbox.service import die_with

STOP_LIMIT = 30  # seconds


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox and the way into it."""

    home: Home
    variables: Mapping[str, str] = field(repr=False)  # some are secrets

    def run(
        self, *argv: str, cwd: Path = PROJECT, check: bool = True, timeout: float = 180, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the sandbox's environment; a failure shows all it printed."""
        done = subprocess.run(
            argv,
            cwd=cwd,
            env={**self.variables, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode != 0:
            pytest.fail(f"{' '.join(argv)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}", pytrace=False)
        return done

    def json(self, *argv: str, **options: Any) -> Any:
        """What a command prints, as JSON."""
        return json.loads(self.run(*argv, **options).stdout)


@contextmanager
def started(folder: Path, *, limit: float = 300, **variables: str) -> Iterator[Sandbox]:
    """A sandbox in a folder, started and seeded as `make up` does, gone at the end whatever happens.

    Args:
        folder: for its state.
        limit: seconds that the start may take.
        variables: added to the environment in which it is started.
    """
    home = Home(folder)
    command = [sys.executable, "-m", "sandbox", "--home", str(home.root)]
    env = {**os.environ, **variables}
    with (home.folder("logs") / "supervisor.log").open("wb") as log:
        running = subprocess.Popen(
            [*command, "run"], cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
            preexec_fn=die_with(os.getpid(), signal.SIGTERM),
        )  # fmt: skip
    try:
        up = subprocess.run([*command, "up"], cwd=PROJECT, capture_output=True, text=True, timeout=limit, env=env)
        if up.returncode != 0:
            pytest.fail(f"the sandbox does not start:\n{up.stderr}", pytrace=False)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "VIRTUAL_ENV"))}
        yield Sandbox(home, {**clean, **environment(home)})
    finally:
        running.terminate()
        try:
            running.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
