"""Runs of `pulumi`, and what each cost."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

QUIET = ("--non-interactive", "--color", "never", "--suppress-progress")


@dataclass(frozen=True)
class Run:
    """One command: seconds until it ended, and CPU seconds of it and all its children."""

    seconds: float
    cpu_seconds: float


def clean_environment() -> dict[str, str]:
    """The caller's environment without what would lead Pulumi elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "VIRTUAL_ENV"))}


def pulumi(folder: Path, variables: Mapping[str, str], *arguments: str) -> Run:
    """Run a command in a project's folder; what it printed is shown when it fails.

    Raises:
        RuntimeError: it failed.
    """
    began = time.monotonic()
    with subprocess.Popen(
        ["pulumi", *arguments],
        cwd=folder,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        # Plugins and programs are children that the engine waits for, so their use is in its own.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"pulumi {' '.join(arguments)} ended with {process.returncode}:\n{said}")
    return Run(time.monotonic() - began, used.ru_utime + used.ru_stime)
