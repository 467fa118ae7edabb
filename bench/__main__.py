"""`python -m bench`: what `preview` and `up` of many clusters cost with our components, and without."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bench.components import MEASURE, PHASES, TARGET, TYPICAL, Figures, measure
from sandbox.home import Home


@click.command(help=__doc__)
@click.option("--clusters", type=click.IntRange(1), default=100, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print figures for programs to read.")
def main(clusters: int, rounds: int, as_json: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="arcgateway-bench-") as folder:
        figures = measure(Home(Path(folder)), clusters, rounds, lambda line: click.echo(line, err=True))
    if as_json:
        click.echo(json.dumps({"clusters": clusters, "rounds": rounds, "target": TARGET, "phases": _plain(figures)}))
    else:
        Console().print(_table(figures, clusters, rounds))


def _plain(figures: Figures) -> dict[str, dict[str, dict[str, object]]]:
    return {
        phase: {
            program: {
                "seconds": figures.seconds(phase, program),
                "cpuSeconds": figures.cpu_seconds(phase, program),
                "ratio": figures.ratio(phase, program),
                "ratioToTypical": figures.ratio(phase, program, TYPICAL),
                "cpuRatio": figures.cpu_ratio(phase, program),
                "runs": [run.seconds for run in figures.runs(phase, program)],
            }
            for program in figures.programs
        }
        for phase in PHASES
    }


def _table(figures: Figures, clusters: int, rounds: int) -> Table:
    table = Table(
        title=f"{clusters} clusters, median of {rounds}, interleaved",
        caption=f"ratios to {MEASURE}, and to {TYPICAL}; target for components: at most {TARGET:.2f}",
    )
    for title in ("phase", "program", "seconds", "ratio", "to typical", "CPU seconds", "CPU ratio"):
        table.add_column(title, justify="left" if title in ("phase", "program") else "right")
    for phase in PHASES:
        for row, program in enumerate(figures.programs):
            table.add_row(
                "" if row else phase,
                program,
                f"{figures.seconds(phase, program):.2f}",
                f"{figures.ratio(phase, program):.2f}",
                f"{figures.ratio(phase, program, TYPICAL):.2f}",
                f"{figures.cpu_seconds(phase, program):.2f}",
                f"{figures.cpu_ratio(phase, program):.2f}",
            )
        table.add_section()
    return table


if __name__ == "__main__":
    sys.exit(main())
