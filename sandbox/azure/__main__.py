"""`python -m sandbox.azure`: the local Azure, for the sandbox whose state is in $SANDBOX_HOME."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
from pathlib import Path

from sandbox.azure.app import DEFAULT_CHARTS, serve
from sandbox.azure.transport import PATIENCE
from sandbox.home import Home


def main() -> int:
    """Serve until told to stop; 1 when the port is taken or the state cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.azure", description=__doc__)
    parser.add_argument(
        "--charts", type=Path, default=DEFAULT_CHARTS, help="the folder whose charts the registry serves"
    )
    parser.add_argument(
        "--patience", type=float, default=PATIENCE, help="seconds within which the rest of a request must have come"
    )
    arguments = parser.parse_args()
    gc.freeze()  # what was imported is no garbage: a full collection would look through it for 17 ms
    home = Home.default()
    try:
        asyncio.run(serve(home, arguments.charts, arguments.patience))
    except OSError as problem:
        print(f"azure: cannot serve on 127.0.0.1:{home.port('azure')} from {home.root}: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
