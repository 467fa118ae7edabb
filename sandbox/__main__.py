"""`python -m sandbox`, with whichever Python it is called."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

if __name__ == "__main__":
    own = Path(__file__).resolve().parent.parent / ".venv/bin/python"
    if find_spec("trustme") is None and Path(sys.executable) != own:
        if not own.exists():
            sys.exit("Error: the project has no Python environment yet: run `make toolchain`, which makes it")
        os.execv(own, [str(own), "-m", "sandbox", *sys.argv[1:]])
    from sandbox.cli import run_command

    run_command()
