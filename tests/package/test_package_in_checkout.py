"""The package in the checkout, where it runs on the project's own environment."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sandbox.home import PROJECT

pytestmark = pytest.mark.long


def pulumi(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "VIRTUAL_ENV"))}
    own = {
        "PATH": f"{PROJECT}/.local/toolchain/bin:{os.environ['PATH']}",
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    return subprocess.run(["pulumi", *arguments], cwd=folder, env=clean | own, capture_output=True, text=True)


def described(properties: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {name: (field["type"], field["description"]) for name, field in properties.items()}


def test_the_engine_reads_the_schema_that_is_checked_in(tmp_path: Path) -> None:
    got = pulumi(tmp_path, "package", "get-schema", str(PROJECT / "components"))
    assert got.returncode == 0, got.stderr
    schema, checked_in = json.loads(got.stdout), json.loads((PROJECT / "components/schema.json").read_text())
    for token, resource in checked_in["resources"].items():
        for kind in ("inputProperties", "properties"):
            assert described(schema["resources"][token][kind]) == described(resource[kind])
    assert not (tmp_path / ".arc-gateway").exists(), "a schema is asked for in folders that are no project"


def test_the_schema_has_no_fault_that_the_engine_knows(tmp_path: Path) -> None:
    checked = pulumi(tmp_path, "schema", "check", str(PROJECT / "components/schema.json"))
    assert (checked.returncode, checked.stdout.strip()) == (0, ""), checked.stdout + checked.stderr
