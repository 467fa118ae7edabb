"""What tests of every part may use: a sandbox of their own, and commands run in its environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.environment import environment
from sandbox.home import PROJECT, Home
from sandbox.supervisor import die_with

STOP_LIMIT = 30  # seconds


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox and the way into it."""

    home: Home
    variables: Mapping[str, str]

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


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox in a temporary folder, started and seeded as `make up` does, gone at the end whatever happens."""
    home = Home(tmp_path_factory.mktemp("sandbox"))
    command = [sys.executable, "-m", "sandbox", "--home", str(home.root)]
    with (home.folder("logs") / "supervisor.log").open("wb") as log:
        running = subprocess.Popen(
            [*command, "run"], cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            preexec_fn=die_with(os.getpid()),
        )  # fmt: skip
    try:
        started = subprocess.run([*command, "up"], cwd=PROJECT, capture_output=True, text=True, timeout=300)
        if started.returncode != 0:
            pytest.fail(f"the sandbox does not start:\n{started.stderr}", pytrace=False)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "VIRTUAL_ENV"))}
        yield Sandbox(home, {**clean, **environment(home)})
    finally:
        running.terminate()
        try:
            running.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
