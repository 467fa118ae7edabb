"""Words for a person who waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Tell = Callable[[str], None]

#: Seconds of silence that nobody wonders about, and seconds between two lines after that.
SILENCE = 2.0
EVERY = 5.0


@contextmanager
def told(tell: Tell, words: Callable[[], str], silence: float = SILENCE, every: float = EVERY) -> Iterator[None]:
    """Tell how far the work inside has come, once it takes longer than `silence` seconds, and every few after that.

    Args:
        tell: takes one line at a time; called from a thread.
        words: what to tell, asked for anew each time.
        silence: seconds until the first line.
        every: seconds until each further one.
    """
    done = threading.Event()

    def watch() -> None:
        pause = silence
        while not done.wait(pause):
            tell(words())
            pause = every

    watcher = threading.Thread(target=watch, name="progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
