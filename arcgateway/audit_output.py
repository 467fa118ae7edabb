"""What `arcgateway audit` shows: a live table while it reads, then a table, JSON or CSV of what it found."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from arcgateway.tables import print_table

if TYPE_CHECKING:
    from rich.console import ConsoleDimensions

    from arcgateway.audit import Report
    from arcgateway.traffic import Lines

#: Seconds between two refreshes of the live table, and between two lines of progress where there is no terminal.
_REFRESH, _PROGRESS = 0.5, 10.0

_LEFT = ("DESTINATION", "LIST", "FAILED", "FIRST", "LAST")

#: What is left out where lines are narrow.
_WIDE = ("REQUESTS", "UP", "FIRST")


def tell(line: str) -> None:
    """Say something beside the output."""
    click.echo(line, err=True)


@contextmanager
def watched(
    report: Callable[[], Report], sources: Callable[[], Sequence[Lines]], live: bool
) -> Iterator[Callable[[], None]]:
    """What to call often while reading: it shows the table on a terminal, and elsewhere says how far it is.

    Args:
        report: what has been found so far.
        sources: the logs that have been read so far.
        live: whether there is a terminal for a table.
    """
    if not live:
        due = time.monotonic() + _PROGRESS

        def say() -> None:
            nonlocal due
            if time.monotonic() >= due:
                due = time.monotonic() + _PROGRESS
                logs = sources()
                tell(f"{sum(lines.all for lines in logs):,} lines of {_logs(len(logs))} so far")

        yield say
        return
    from rich.console import Console
    from rich.live import Live

    console, due = Console(), 0.0
    with Live(console=console, auto_refresh=False, transient=True) as screen:

        def refresh() -> None:
            nonlocal due
            begun = time.monotonic()
            if begun >= due:
                screen.update(_live_table(report(), console.size), refresh=True)
                # With many destinations it takes its time, and reading must not wait for it.
                due = time.monotonic() + max(_REFRESH, 10 * (time.monotonic() - begun))

        yield refresh


def _live_table(report: Report, size: ConsoleDimensions) -> Any:
    from rich.table import Table

    head, rows = _columns(report, narrow=True)
    said = [str(problem) for problem in report.problems][:2]
    room = max(1, size.height - 6 - 2 * len(said))
    more = f"; the {room} busiest of {len(rows)} destinations" if len(rows) > room else ""
    caption = "\n".join((*said, f"Ctrl-C ends{more}"))
    table = Table(
        title=_summary(report), title_justify="left", caption=caption, caption_justify="left", box=None, pad_edge=False
    )
    widths = [max(len(row[number]) for row in (head, *rows[:room])) for number in range(len(head))]
    # The destination alone gives way where the terminal is narrow.
    widths[0] = min(widths[0], max(16, size.width - sum(widths[1:]) - 2 * len(widths)))
    for title, width in zip(head, widths, strict=True):
        table.add_column(title, justify="left" if title in _LEFT else "right", no_wrap=True, width=width)
    for row in rows[:room]:
        table.add_row(*row)
    return table


def _columns(report: Report, *, narrow: bool = False) -> tuple[list[str], list[list[str]]]:
    from arcgateway.audit import WAYS, rfc3339
    from arcgateway.traffic import OTHERS

    ways = [way for way in WAYS if way != "unknown" or any(row.by(way).requests for row in report.rows)]
    head = ["DESTINATION", "LIST", "REQUESTS", *(way.upper() for way in ways), "FAILED", "UP", "DOWN", "FIRST", "LAST"]
    rows = []
    for row in report.rows:
        every = row.all
        name = "(all others)" if row.place == OTHERS else f"{_bracketed(row.place.host)}:{row.place.port}"
        why = f" ({next(iter(row.causes))})" if row.causes else ""
        rows.append(
            [
                name,
                row.listed or "-",
                str(every.requests),
                *(str(row.by(way).requests or "-") for way in ways),
                f"{row.failures}{why}" if row.failures else "-",
                _size(every.up),
                _size(every.down),
                rfc3339(every.first) or "-",
                (rfc3339(every.last) or "-")[11 if narrow else 0 :] or "-",
            ]
        )
    kept = [number for number, title in enumerate(head) if not narrow or title not in _WIDE]
    return [head[number] for number in kept], [[row[number] for number in kept] for row in rows]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _size(count: int) -> str:
    size, unit = float(count), "B"
    for bigger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, bigger
    return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"


def _logs(count: int) -> str:
    return f"{count} {'log' if count == 1 else 'logs'}"


def _summary(report: Report) -> str:
    from arcgateway.audit import rfc3339

    lines = report.lines
    period = f", {rfc3339(lines.period.first)} to {rfc3339(lines.period.last)}" if lines.period.last > 0 else ""
    forms = ", ".join(f"{name} {count:,}" for name, count in sorted(lines.forms.items(), key=lambda one: -one[1]))
    return (
        f"{lines.unread + lines.nowhere:,} of {lines.all:,} lines not read ({lines.unread_share:.1%}) in "
        f"{_logs(len(report.sources))}{period}; read: {forms or 'none'}"
    )


def show_text(report: Report, removable: bool) -> None:
    """Print for people: what was read and what was not, where traffic goes, and what may be closed."""
    click.echo(_summary(report))
    lines = report.lines
    told = (
        (lines.unread, "of no known form (--format takes a form of your own)"),
        (lines.nowhere, "without a destination"),
        (lines.remarks, "about no connection (the proxy's own messages)"),
        (lines.older, "from before --since"),
        (lines.elsewhere, "of other clients than --client"),
        (lines.again, "that told a second time what others told"),
    )
    for count, what in told:
        if count:
            click.echo(f"  {count:,} {what}")
    for sample in lines.samples:
        click.echo(f"    not read: {sample}")
    if not removable and report.rows:
        click.echo()
        print_table(*_columns(report), left=_LEFT)
    if report.closable:
        click.echo(f"\nWhat the gateway {report.gateway or '(which no line names)'} makes superfluous:")
        print_table(
            ("HOST", "PORT", "VERDICT", "EVIDENCE"),
            [[one.endpoint.host, str(one.endpoint.port), one.verdict, one.evidence] for one in report.closable],
        )
    for line in _missing(report):
        tell(line)


def _missing(report: Report) -> Iterator[str]:
    if not report.regions:
        yield "no region is known, so the lists are left out: give --region"
    elif not report.closable and report.lines.read:
        yield "the logs name no gateway, so nothing is said of what may be closed: give --gateway"
    everybodys = "enterprise-proxy" in report.lines.vantages and not report.lines.elsewhere
    if everybodys and any(one.verdict == "used" for one in report.closable):
        yield "the enterprise proxy's log holds everybody's connections: --client keeps to the clusters' nodes"
    if any(kind.way == "unknown" and not kind.cause for row in report.rows for kind in row.kinds):
        yield (
            "where the way is unknown the log does not name the upstream as the gateway or the destination: "
            "--gateway-upstream and --log-of tell it"
        )


def show_json(report: Report, removable: bool) -> None:
    """Print all that was found; with `removable` without the destinations."""
    whole = report.as_json()
    if removable:
        del whole["destinations"]
    click.echo(json.dumps(whole, indent=2))


def show_csv(report: Report, removable: bool) -> None:
    """Print the destinations, or with `removable` what may be closed, a line each."""
    from arcgateway.audit import WAYS, rfc3339
    from arcgateway.traffic import OTHERS

    writer = csv.writer(sys.stdout, lineterminator="\n")
    if removable:
        writer.writerow(("host", "port", "verdict", "evidence", "direct", "last_direct", "through_gateway", "unknown"))
        for one in report.closable:
            counts = (one.direct.requests, rfc3339(one.direct.last), one.through.requests, one.unknown.requests)
            writer.writerow((one.endpoint.host, one.endpoint.port, one.verdict, one.evidence, *counts))
        return
    figures = ("failures", "bytes_up", "bytes_down", "first", "last", "causes", "clusters")
    writer.writerow(("host", "port", "list", "requests", *WAYS, *figures))
    for row in report.rows:
        every = row.all
        name = ("(all others)", "") if row.place == OTHERS else row.place
        causes = " ".join(f"{cause.replace(' ', '_')}={count}" for cause, count in row.causes.items())
        times = (rfc3339(every.first), rfc3339(every.last))
        ways = (row.by(way).requests for way in WAYS)
        clusters = " ".join(filter(None, row.clusters))
        writer.writerow(
            (*name, row.listed, every.requests, *ways, row.failures, every.up, every.down, *times, causes, clusters)
        )
