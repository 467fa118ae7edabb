"""Looking at processes that end in their own time, and so perhaps while they are looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil


def ended(pid: int) -> bool:
    """Whether a process is gone, or waits only for its parent to ask how it ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill(processes: Iterable[psutil.Process]) -> None:
    """Kill what has not ended by itself."""
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.kill()


def descendants(pid: int, which: Callable[[psutil.Process], bool] = lambda _: True) -> list[psutil.Process]:
    """The processes below one that run and are of a kind; one that ends meanwhile is none of them."""

    def running(one: psutil.Process) -> bool:
        try:
            return which(one)
        except psutil.NoSuchProcess:
            return False

    try:
        return [one for one in psutil.Process(pid).children(recursive=True) if not ended(one.pid) and running(one)]
    except psutil.NoSuchProcess:
        return []
