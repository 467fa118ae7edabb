"""Plain tables on standard output: never cut, so that what reads them through a pipe gets all."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import click

#: How many names of a long list are shown.
SHOWN = 8


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[str] | None = None) -> None:
    """Print columns under their titles.

    Args:
        head: the titles.
        rows: the cells.
        left: titles of the columns that begin on the left, the others end on the right; None for all.
    """
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = (
            cell.ljust(width) if left is None or title in left else cell.rjust(width)
            for title, cell, width in zip(head, row, widths, strict=True)
        )
        click.echo("  ".join(cells).rstrip())


def few(names: Sequence[str], where: str = "") -> str:
    """The first of many names, and how many more there are.

    Args:
        names: all of them.
        where: what a person is told of where the others are.
    """
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more{where}" if more > 0 else "")
