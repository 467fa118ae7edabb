"""The real `az`, driven as a person drives it: one login, then calls."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from local_azure import LocalAzure

from sandbox.home import Home, MissingTool

LIMIT = 120  # seconds for one call


@dataclass(frozen=True)
class Az:
    """One person's Azure CLI.

    Attributes:
        program: the real `az`.
        folder: its configuration, logins included.
        bundle: the roots that it trusts.
        variables: further ones of its environment.
    """

    program: Path
    folder: Path
    bundle: str
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it; how it ends is the caller's to judge."""
        inherited = ("PATH", "HOME", "LANG", "TMPDIR")
        environment = {
            **{name: os.environ[name] for name in inherited if name in os.environ},
            "AZURE_CONFIG_DIR": str(self.folder),
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_CORE_ONLY_SHOW_ERRORS": "yes",
            "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
            "REQUESTS_CA_BUNDLE": self.bundle,
            **self.variables,
        }
        return subprocess.run(
            [self.program, *arguments, "--output", "json"],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )

    def __call__(self, *arguments: str) -> Any:
        """What it prints, which must be JSON or nothing."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"az {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, *arguments: str) -> str:
        """What it says when it fails, which it must."""
        done = self.run(*arguments)
        assert done.returncode != 0, f"az {' '.join(arguments)}\n{done.stdout}"
        return done.stderr

    def login(self, azure: LocalAzure, client: str = "", secret: str = "") -> Any:
        """Log in as a service principal, the sandbox's own unless another is given."""
        identity = azure.identity
        who = ("--username", client or identity.client_id, "--password", secret or identity.client_secret)
        return self("login", "--service-principal", *who, "--tenant", identity.tenant_id)


def real_az() -> Path:
    """The program; the test is skipped where it is not there."""
    try:
        return Home.tool("azure-cli")
    except MissingTool:
        pytest.skip("there is no real `az` here: `python3 -m toolchain --only azure-cli` gets it")
