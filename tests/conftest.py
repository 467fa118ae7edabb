"""What tests of every part may use: a sandbox of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from running_sandbox import Sandbox

from sandbox.environment import environment
from sandbox.home import PROJECT, Home
from sandbox.service import die_with

STOP_LIMIT = 30  # seconds


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox in a temporary folder, started and seeded as `make up` does, gone at the end whatever happens."""
    home = Home(tmp_path_factory.mktemp("sandbox"))
    command = [sys.executable, "-m", "sandbox", "--home", str(home.root)]
    with (home.folder("logs") / "supervisor.log").open("wb") as log:
        running = subprocess.Popen(
            [*command, "run"], cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            preexec_fn=die_with(os.getpid(), signal.SIGTERM),
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
