"""What a killed `pulumi` leaves in the sandbox's backend: its lock, and creates whose outcome it did not record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.home import Home

Run = Callable[..., bool]

GATEWAY = "azure-native:hybridcompute:Gateway"


def state_file(home: Home, stack: str) -> Path | None:
    """The file that holds the stack's state, or None before there is one."""
    return next((home.root / "backend").glob(f".pulumi/stacks/*/{stack}.json"), None)


def release_lock(home: Home, stack: str) -> list[str]:
    """Remove locks whose owner is gone, as `pulumi cancel` would; returns a note for each."""
    notes = []
    for lock in (home.root / "backend").glob(f".pulumi/locks/**/{stack}/*.json"):
        import psutil  # rarely needed

        owner = json.loads(lock.read_text()).get("pid")
        if owner and not psutil.pid_exists(owner):
            lock.unlink()
            notes.append(f"lock of process {owner}, which was killed, removed")
    return notes


def settle_creates(home: Home, stack: str, run: Run) -> list[str]:
    """Take what an interrupted update has created into the state, and forget what it has not.

    A create of the driver's finds what is there by itself; azure-native refuses a gateway that exists already.

    Args:
        run: runs a command in the sandbox's environment; false where it fails.

    Returns:
        A note of what was done.
    """
    pending = _pending(home, stack)
    if not pending:
        return []
    refresh = ("pulumi", "refresh", "--yes", "--skip-preview", "--non-interactive", "--stack", stack)
    found: list[str] = []
    for resource in pending:
        if resource["type"] == GATEWAY:
            group, name = resource["inputs"]["resourceGroupName"], resource["inputs"]["gatewayName"]
            if run("az", "arcgateway", "show", "--resource-group", group, "--name", name):
                found += [resource["urn"], _gateway_id(home, group, name)]
    if found:
        run(*refresh, *(part for text in found for part in ("--import-pending-creates", text)))
    if _pending(home, stack):
        run(*refresh, "--clear-pending-creates")
    return [f"{len(pending)} interrupted creates settled"]


def _pending(home: Home, stack: str) -> list[dict[str, Any]]:
    file = state_file(home, stack)
    if file is None:
        return []
    latest = json.loads(file.read_text())["checkpoint"].get("latest") or {}
    operations = latest.get("pending_operations") or []
    return [operation["resource"] for operation in operations if operation["type"] == "creating"]


def _gateway_id(home: Home, group: str, name: str) -> str:
    scope = f"/subscriptions/{home.identity.subscription_id}/resourceGroups/{group}"
    return f"{scope}/providers/Microsoft.HybridCompute/gateways/{name}"
