"""`python -m arcgateway` is the `arcgateway` command."""

from __future__ import annotations

from arcgateway.cli import main

if __name__ == "__main__":
    main(prog_name="arcgateway")
