"""Finds, fetches or builds every tool that the project runs: `python3 -m toolchain`. Needs nothing but Python."""
