"""What a person sees of a run: a line a step with how long it took, and signs of life in long ones."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

#: Seconds after which a step gives its first sign of life where there is no terminal, and those between the next ones.
FIRST_SIGN, NEXT_SIGNS = 10.0, 30.0


def duration(seconds: float) -> str:
    """`0.4s`, `37s` or `2m27s`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


class Reporter:
    """Writes the lines; steps may run side by side."""

    def __init__(self, stream: TextIO, *, first_sign: float = FIRST_SIGN, next_signs: float = NEXT_SIGNS) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._first, self._next = first_sign, next_signs
        self._lock = threading.Lock()
        self._running: dict[str, tuple[float, float]] = {}
        self._ticker: threading.Thread | None = None

    def line(self, text: str) -> None:
        """One line of its own."""
        with self._lock:
            self._write(f"toolchain  {text}")

    @contextmanager
    def step(self, subject: str, what: str) -> Iterator[None]:
        """A step that takes its time: its line is written when it has ended well."""
        label = f"{subject}  {what}"
        start = time.monotonic()
        with self._lock:
            self._running[label] = (start, start + self._first)
            if self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, daemon=True)
                self._ticker.start()
        try:
            yield
        except BaseException:
            with self._lock:
                del self._running[label]
                self._clear()
            raise
        with self._lock:
            del self._running[label]
            self._write(f"toolchain  {label} ... {duration(time.monotonic() - start)}")

    def _tick(self) -> None:
        while True:
            time.sleep(0.2)
            now = time.monotonic()
            with self._lock:
                if self._terminal and self._running:
                    shown = ", ".join(f"{label} ... {duration(now - s)}" for label, (s, _) in self._running.items())
                    self._clear()
                    self._stream.write(f"toolchain  {shown}"[:118])
                    self._stream.flush()
                elif not self._terminal:
                    for label, (start, sign) in self._running.items():
                        if now >= sign:
                            self._write(f"toolchain  {label} ... {duration(now - start)} so far")
                            self._running[label] = (start, now + self._next)

    def _clear(self) -> None:
        if self._terminal:
            self._stream.write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._clear()
        self._stream.write(f"{text}\n")
        self._stream.flush()


def to(stream: TextIO | None = None) -> Reporter:
    """A reporter on standard output, or another stream."""
    return Reporter(stream or sys.stdout)
