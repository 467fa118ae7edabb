"""A running sandbox, as tests of every part use it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.home import PROJECT, Home


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
