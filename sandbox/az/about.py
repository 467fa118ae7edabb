"""`az version`, `az --version`, `az extension ...`."""

from __future__ import annotations

import platform
import sys
from argparse import Namespace
from typing import Any

from sandbox.az import EXTENSIONS, VERSION
from sandbox.az.command import Context
from sandbox.az.errors import AzError


def version(context: Context, args: Namespace) -> Any:
    """What is installed."""
    return {"azure-cli": VERSION, "azure-cli-core": VERSION, "azure-cli-telemetry": "1.1.0", "extensions": EXTENSIONS}


def version_text(context: Context) -> str:
    """The page that `az --version` prints."""
    parts = [("azure-cli", VERSION), ("", ""), ("core", VERSION), ("telemetry", "1.1.0")]
    lines = [f"{name:25}{number:>15}".rstrip() for name, number in parts]
    lines += ["", "Extensions:", *(f"{name:20}{number:>20}" for name, number in EXTENSIONS.items()), ""]
    lines += [f"Python location '{sys.executable}'", f"Config directory '{context.profile.folder}'", ""]
    lines += [
        f"Python ({platform.system()}) {sys.version}",
        "",
        "A stand-in of the sandbox, not the Azure CLI itself.",
        "",
    ]
    return "\n".join(lines)


def _extension(name: str) -> dict[str, Any]:
    return {
        "experimental": False,
        "extensionType": "whl",
        "name": name,
        "path": f"{__package__}/{name}",
        "preview": name == "arcgateway",
        "version": EXTENSIONS[name],
    }


def extension_list(context: Context, args: Namespace) -> Any:
    """The two that are built in."""
    return [_extension(name) for name in EXTENSIONS]


def extension_show(context: Context, args: Namespace) -> Any:
    """One of them."""
    if args.name not in EXTENSIONS:
        raise AzError(f"The extension {args.name} is not installed.")
    return _extension(args.name)


def extension_add(context: Context, args: Namespace) -> None:
    """Nothing to do for those that are built in."""
    if args.name not in EXTENSIONS:
        raise AzError(f"No matching extensions for '{args.name}'. Use --debug for more information.")
    if not args.upgrade:
        context.warn(f"Extension '{args.name}' {EXTENSIONS[args.name]} is already installed.")
