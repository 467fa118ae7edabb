"""Starts a plugin: `launch.py azure-native|command ENGINE_ADDRESS`. The executables in bin/ run this file.

It runs in the program's folder and with its environment, which the commands of `command` inherit: so the project is
put on this process's own path only, never into PYTHONPATH. And it loads Pulumi's message types without the SDK around
them, which takes a second that every preview would pay for.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

MODULES = {"azure-native": "sandbox.plugins.azure_native", "command": "sandbox.plugins.command"}


def skip_the_sdk() -> None:
    """Register the packages above `pulumi.runtime.proto` as empty ones, so that importing it runs none of them."""
    spec = importlib.util.find_spec("pulumi")
    if spec is None or spec.origin is None:
        raise SystemExit("the project's Python environment has no pulumi: install requirements.lock into .venv")
    folder = Path(spec.origin).parent
    for name in ("pulumi", "pulumi.runtime", "pulumi.runtime.proto"):
        package = ModuleType(name)
        package.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package


def main() -> None:
    """Load the plugin and serve it."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    module = MODULES[sys.argv.pop(1)]
    skip_the_sdk()
    import_module(module).main()


if __name__ == "__main__":
    main()
