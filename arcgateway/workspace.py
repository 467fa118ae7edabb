"""Temporary folders for what one call must not share: readable by their owner alone, and gone however a run ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arcgateway.platforms import HERE

_PREFIX = "arcgateway-run-"
_open: set[Path] = set()


@contextmanager
def folder() -> Iterator[Path]:
    """A new folder, removed at the end. Its name tells which process made it."""
    path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    _open.add(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        _open.discard(path)


def remove_all() -> None:
    """Remove this process's folders: for an end that runs no `finally`."""
    for path in tuple(_open):
        shutil.rmtree(path, ignore_errors=True)


def sweep() -> None:
    """Remove what processes that were killed have left. Folders of other users cannot be removed, and are not."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        pid = path.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and not HERE.exists(int(pid)):
            shutil.rmtree(path, ignore_errors=True)
