"""Whether a sandbox runs on the real azure-native and command plugins or on its doubles of them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Literal, cast

from sandbox.home import PROJECT, Home

Choice = Literal["auto", "real", "double"]

#: Those that have doubles; the kubernetes plugin is always the real one.
DOUBLED = ("azure-native", "command")
DOUBLES = PROJECT / "sandbox/plugins/bin"

_FILE = "plugins.json"


class NoRealPlugins(Exception):
    """The real plugins were asked for and are not installed."""


def choose(home: Home, choice: Choice) -> None:
    """Decide for this sandbox, until decided anew.

    Raises:
        NoRealPlugins: `real` was asked for, and one of them is neither on PATH nor among pulumi's plugins.
    """
    missing = [name for name in DOUBLED if _installed(name) is None]
    if choice == "real" and missing:
        raise NoRealPlugins(
            f"the real plugin of {' and '.join(missing)} is not installed: "
            f"`pulumi plugin install resource {missing[0]}`, or use `--plugins double`"
        )
    real = choice == "real" or (choice == "auto" and not missing)
    home.write(_FILE, json.dumps({"kind": "real" if real else "double"}))


def folder(home: Home) -> Path | None:
    """The folder of the doubles, to go on PATH, or None where the real plugins are used."""
    return DOUBLES if kind(home) == "double" else None


def kind(home: Home) -> Literal["real", "double"]:
    """What was decided; `double` before any decision."""
    try:
        return cast(Literal["real", "double"], json.loads((home.root / _FILE).read_text())["kind"])
    except FileNotFoundError:
        return "double"


def describe(home: Home) -> str:
    """For `sandbox status`."""
    return f"{', '.join(DOUBLED)}: {kind(home)}; kubernetes: real"


def _installed(name: str) -> str | None:
    """Where a real plugin is: on PATH (the doubles do not count), or in pulumi's own folder."""
    program = f"pulumi-resource-{name}"
    path = os.pathsep.join(
        entry for entry in os.environ.get("PATH", "").split(os.pathsep) if entry and Path(entry) != DOUBLES
    )
    if found := shutil.which(program, path=path):
        return found
    own = Path(os.environ.get("PULUMI_HOME", Path.home() / ".pulumi")) / "plugins"
    return next((str(plugin) for plugin in own.glob(f"resource-{name}-v*/{program}")), None)
