"""How far a fleet's run has come: live on a terminal, else in plain lines."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from arcgateway.fleet.partition import FleetStack
from arcgateway.fleet.tally import Tally

if TYPE_CHECKING:
    from rich.table import Table

#: Seconds between two lines where no terminal is.
EVERY = 15.0

#: So many clusters have to be done before their speed says anything of the others.
ENOUGH = 5


@dataclass
class Row:
    """One stack on the board.

    Attributes:
        stack: which.
        tally: what its engine says; None before its turn.
        verb: what is done with it.
        word: how that ended; empty before.
    """

    stack: FleetStack
    tally: Tally | None = None
    verb: str = ""
    word: str = ""


class Board:
    """Shows stacks, their clusters done and failed, and the time left.

    Args:
        stacks: all of the run.
    """

    def __init__(self, stacks: Sequence[FleetStack]) -> None:
        self._rows = {stack.name: Row(stack) for stack in stacks}
        self._total = sum(len(stack.clusters) for stack in stacks)
        self._begun = time.monotonic()
        self._updating: float | None = None
        self._before = 0
        self._lock = threading.RLock()
        self._live: Any = None
        self._ended = threading.Event()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show it while inside."""
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            with Live(
                get_renderable=self._table, console=Console(stderr=True), refresh_per_second=4, transient=True
            ) as live:
                self._live = live
                try:
                    yield
                finally:
                    self._live = None
            return
        watcher = threading.Thread(target=self._lines, name="board", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            self._ended.set()
            watcher.join()

    def tell(self, line: str) -> None:
        """Say something beside the board."""
        if self._live is not None:
            self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(line, err=True)

    def begin(self, stack: FleetStack, verb: str) -> Tally:
        """A stack's turn comes; its events go to what is returned."""
        tally = Tally(stack.clusters)
        with self._lock:
            row = self._row(stack)
            row.tally, row.verb, row.word = tally, verb, ""
            if verb != "preview" and self._updating is None:
                self._updating, self._before = time.monotonic(), self._settled()
        if self._live is None and verb != "preview":
            self.tell(f"{stack.name}: {verb} of {_clusters(len(stack.clusters))}")
        return tally

    def end(self, stack: FleetStack, word: str) -> None:
        """A stack's turn is over."""
        with self._lock:
            row = self._row(stack)
            row.word = word
            verb, tally = row.verb, row.tally
        if self._live is None and not (verb == "preview" and word == "unchanged"):
            counts = f", {tally.done} done, {len(tally.failed)} failed" if tally and verb != "preview" else ""
            self.tell(f"{stack.name}: {f'{verb} ' if verb else ''}{word}{counts}")

    def _row(self, stack: FleetStack) -> Row:
        """A stack's row; one that the file no longer has gets one when its turn comes."""
        return self._rows.setdefault(stack.name, Row(stack))

    def _settled(self) -> int:
        return sum(
            len(row.stack.clusters) if row.word == "unchanged" else row.tally.done + len(row.tally.failed)
            for row in self._rows.values()
            if row.tally and (row.verb != "preview" or row.word == "unchanged")
        )

    def headline(self) -> str:
        """How much is done, how much failed, and how long the rest will take at the speed so far."""
        with self._lock:
            settled = self._settled()
            failed = sum(len(row.tally.failed) for row in self._rows.values() if row.tally)
            words = f"{settled - failed} of {_clusters(self._total)} done, {failed} failed"
            words += f", {_duration(time.monotonic() - self._begun)}"
            made = settled - self._before
            if self._updating is not None and made >= ENOUGH and settled < self._total:
                left = (time.monotonic() - self._updating) / made * (self._total - settled)
                words += f", about {_duration(left)} left"
        return words

    def _lines(self) -> None:
        while not self._ended.wait(EVERY):
            self.tell(self.headline())

    def _table(self) -> Table:
        from rich.table import Table

        table = Table(title=self.headline(), title_justify="left", box=None)
        for name, justify in (("STACK", "left"), ("RING", "left"), ("STATE", "left"), ("CLUSTERS", "right")):
            table.add_column(name, justify="left" if justify == "left" else "right", no_wrap=True)
        table.add_column("DONE", justify="right")
        table.add_column("FAILED", justify="right")
        with self._lock:
            rows = sorted(self._rows.values(), key=lambda row: (bool(row.word) or row.tally is None, row.tally is None))
            for row in rows[: max(4, self._height() - 4)]:
                state = row.word or row.verb or "..."
                done, failed = (str(row.tally.done), str(len(row.tally.failed))) if row.tally else ("", "")
                size = str(len(row.stack.clusters))
                table.add_row(row.stack.name, row.stack.ring or "gateways", state, size, done, failed)
        return table

    def _height(self) -> int:
        return int(self._live.console.height) if self._live is not None else 40


def _clusters(count: int) -> str:
    return f"{count} cluster{'' if count == 1 else 's'}"


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60:02} s" if whole < 3600 else f"{whole // 3600} h {whole // 60 % 60:02} min"
