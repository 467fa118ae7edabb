"""What a killed `pulumi` leaves behind, and what becomes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.home import Home
from sandbox.recovery import GATEWAY, release_lock, settle_creates

URN = f"urn:pulumi:dev::arc-gateway::arc-gateway:index:ArcGateway${GATEWAY}::gw"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def state(home: Home, *pending: dict[str, object]) -> None:
    operations = [{"type": "creating", "resource": resource} for resource in pending]
    text = json.dumps({"version": 3, "checkpoint": {"stack": "dev", "latest": {"pending_operations": operations}}})
    home.write("backend/.pulumi/stacks/arc-gateway/dev.json", text)


def gateway() -> dict[str, object]:
    return {"urn": URN, "type": GATEWAY, "inputs": {"resourceGroupName": "arc-dev", "gatewayName": "gw"}}


def test_a_lock_goes_with_its_owner(home: Home) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for pid in (ended.pid, os.getpid()):
        home.write(f"backend/.pulumi/locks/organization/arc-gateway/dev/{pid}.json", json.dumps({"pid": pid}))
    (note,) = release_lock(home, "dev")
    assert str(ended.pid) in note
    assert [lock.stem for lock in (home.root / "backend").rglob("locks/**/*.json")] == [str(os.getpid())]


def test_nothing_is_run_where_nothing_is_pending(home: Home) -> None:
    def run(*argv: str) -> bool:
        raise AssertionError(argv)

    assert settle_creates(home, "dev", run) == []
    state(home)
    assert settle_creates(home, "dev", run) == []


def test_a_gateway_that_was_created_is_imported_and_the_rest_forgotten(home: Home) -> None:
    calls = list[tuple[str, ...]]()

    def run(*argv: str) -> bool:
        calls.append(argv)
        if "--clear-pending-creates" in argv:
            state(home)
        return True

    state(home, gateway(), {"urn": "urn:x", "type": "command:local:Command", "inputs": {}})
    assert settle_creates(home, "dev", run) == ["2 interrupted creates settled"]
    look, imported, cleared = calls
    assert look[:3] == ("az", "arcgateway", "show")
    first, second = (imported[i + 1] for i, part in enumerate(imported) if part == "--import-pending-creates")
    assert first == URN
    assert second.endswith("/resourceGroups/arc-dev/providers/Microsoft.HybridCompute/gateways/gw")
    assert "--clear-pending-creates" in cleared


def test_a_gateway_that_was_not_created_is_forgotten(home: Home) -> None:
    calls = list[tuple[str, ...]]()

    def run(*argv: str) -> bool:
        calls.append(argv)
        return argv[0] != "az"

    state(home, gateway())
    settle_creates(home, "dev", run)
    assert [argv[0] for argv in calls] == ["az", "pulumi"]
    assert "--clear-pending-creates" in calls[1]
