"""`python -m bench components`, `azure`, `policy`, `audit`, `fleet`, `backends`, `association`: what the parts cost."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from statistics import median

import click
from rich.console import Console
from rich.table import Table

from bench import association, audit, azure, backends, fleet, policy
from bench.components import MEASURE, PHASES, TARGET, TYPICAL, Figures, measure
from sandbox.home import Home

_json = click.option("--json", "as_json", is_flag=True, help="Print figures for programs to read.")


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@click.option("--clusters", type=click.IntRange(1), default=100, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@_json
def components(clusters: int, rounds: int, as_json: bool) -> None:
    """What `preview` and `up` of many clusters cost with our components, and without."""
    with tempfile.TemporaryDirectory(prefix="arcgateway-bench-") as folder:
        figures = measure(Home(Path(folder)), clusters, rounds, _say)
    if as_json:
        click.echo(json.dumps({"clusters": clusters, "rounds": rounds, "target": TARGET, "phases": _plain(figures)}))
    else:
        Console().print(_table(figures, clusters, rounds))


@main.command("azure")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--requests", type=click.IntRange(2), default=1000, show_default=True, help="In each round and case.")
@click.option("--case", "cases", multiple=True, type=click.Choice(tuple(azure.CASES)), help="Only these.")
@_json
def of_azure(rounds: int, requests: int, cases: tuple[str, ...], as_json: bool) -> None:
    """What requests cost the local Azure when it holds few clusters and when it holds many."""
    with tempfile.TemporaryDirectory(prefix="arcgateway-bench-") as folder:
        figures = azure.measure(Path(folder), rounds, dict.fromkeys(cases or azure.CASES, requests), _say)
    if as_json:
        click.echo(json.dumps({"rounds": rounds, "requests": requests, "targets": azure.TARGETS, **figures.plain()}))
    else:
        Console().print(_azure_table(figures))


@main.command("fleet")
@click.option("--clusters", type=click.IntRange(20), default=1000, show_default=True)
@click.option("--per-stack", type=click.IntRange(2), default=50, show_default=True)
@click.option("--parallel", type=click.IntRange(1), default=2, show_default=True, help="Stacks side by side.")
@click.option("--latency", type=float, help="Measure how well the time is used, with so many seconds for each.")
@click.option("--at-once", type=click.IntRange(1), default=40, show_default=True, help="Of these, with a latency.")
@_json
def of_fleet(clusters: int, per_stack: int, parallel: int, latency: float | None, at_once: int, as_json: bool) -> None:
    """What a fleet costs beside one stack of the same size."""
    with tempfile.TemporaryDirectory(prefix="arcgateway-bench-") as folder:
        if latency:
            found = fleet.efficiency(Path(folder), clusters, clusters // per_stack, at_once, latency, _say)
        else:
            found = fleet.measure(Path(folder), clusters, per_stack, parallel, _say)
    if as_json:
        click.echo(json.dumps({"targets": fleet.TARGETS, **found}))
        return
    table = Table(*("", *next(iter(found.values()))), box=None)
    for name, figures in found.items():
        table.add_row(name, *(f"{value:g}" for value in figures.values()))
    Console().print(table)


@main.command("policy")
@click.option("--resources", type=click.IntRange(1), default=500, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--checkpoints/--no-checkpoints", default=True, help="Let the engine prepare its state, as it does.")
@_json
def of_policy(resources: int, rounds: int, checkpoints: bool, as_json: bool) -> None:
    """What `preview` of a stack costs with the policy pack, with as many idle policies, and without any."""
    with tempfile.TemporaryDirectory(prefix="arcgateway-bench-") as folder:
        figures = policy.measure(Path(folder), resources, rounds, _say, checkpoints=checkpoints)
    if as_json:
        click.echo(json.dumps({"resources": resources, "rounds": rounds, "targets": policy.TARGETS, **figures.plain()}))
    else:
        for table in _policy_tables(figures, resources, rounds):
            Console().print(table)


@main.command("audit")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--form", "forms", multiple=True, type=click.Choice(tuple(audit.FORMS)), help="Only these.")
@_json
def of_audit(rounds: int, forms: tuple[str, ...], as_json: bool) -> None:
    """What the audit costs for a line, and its memory for a short log and a long one."""
    with tempfile.TemporaryDirectory(prefix="arcgateway-bench-") as folder:
        figures = audit.measure(Path(folder), rounds, forms or tuple(audit.FORMS), _say)
    if as_json:
        click.echo(json.dumps({"rounds": rounds, "targets": audit.TARGETS, "forms": figures.plain()}))
    else:
        Console().print(_audit_table(figures))


@main.command("backends")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--size", "sizes", multiple=True, type=click.IntRange(1), default=backends.SIZES, show_default=True)
@click.option("--latency", type=click.IntRange(0), default=0, show_default=True, help="Milliseconds there and back.")
@_json
def of_backends(rounds: int, sizes: tuple[int, ...], latency: int, as_json: bool) -> None:
    """What a stack costs in Azure Blob and in S3, in what it costs in a folder; and stacks side by side."""
    with tempfile.TemporaryDirectory(prefix="arcgateway-bench-") as folder:
        figures = backends.measure(Path(folder), rounds, _say, sizes=sizes, latency=latency / 1000)
    if as_json:
        click.echo(json.dumps({"rounds": rounds, "latency": latency, "backends": figures.plain()}))
    else:
        for table in _backend_tables(figures, rounds, latency):
            Console().print(table)


@main.command("association")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@_json
def of_association(rounds: int, as_json: bool) -> None:
    """What one association and one onboarding cost in CPU time, by who uses it."""
    with tempfile.TemporaryDirectory(prefix="arcgateway-bench-") as folder:
        figures = association.measure(Home(Path(folder)), rounds, _say)
    if as_json:
        click.echo(json.dumps({"rounds": rounds, "target": association.TARGET, "verbs": figures.plain()}))
    else:
        Console().print(_association_table(figures, rounds))


def _say(line: str) -> None:
    click.echo(line, err=True)


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


def _azure_table(figures: azure.Figures) -> Table:
    few, many, memory = azure.FEW, azure.MANY, figures.memory
    table = Table(
        title=f"the local Azure with {many:,} clusters, {azure.CONNECTIONS} connections",
        caption=f"CPU: of the server; ratio: of that, to {few} clusters; asking: CPU ms of the client\n"
        f"memory with {few} clusters {memory[few] / 1e6:.0f} MB, with {many:,} {memory[many] / 1e6:.0f} MB",
    )
    for title in ("case", "CPU ms", "/CPU s", "/s", "p50 ms", "p99 ms", "ratio", "asking"):
        table.add_column(title, justify="left" if title == "case" else "right")
    for case in figures.cases:
        cost = figures.cost(case, many)
        table.add_row(
            case,
            f"{1000 * cost:.3f}",
            f"{1 / cost:,.0f}",
            f"{figures.rate(case, many):,.0f}",
            *(f"{1000 * figures.percentile(case, many, hundredth):.1f}" for hundredth in (50, 99)),
            f"{figures.ratio(case):.2f}",
            f"{1000 * figures.own_cost(case, many):.3f}",
        )
    return table


def _policy_tables(figures: policy.Figures, resources: int, rounds: int) -> tuple[Table, Table]:
    targets = ", ".join(f"at most {target:.2f} times {case}" for case, target in policy.TARGETS.items())
    previews = Table(
        title=f"preview of {resources} resources, median of {rounds}, interleaved",
        caption=f"ratios: the pack's to each; target: {targets}",
    )
    for title in ("with", "seconds", "ratio", "CPU seconds", "CPU ratio"):
        previews.add_column(title, justify="left" if title == "with" else "right")
    for case in policy.WITH:
        previews.add_row(
            case,
            f"{figures.seconds(case):.2f}",
            f"{figures.ratio(case):.2f}",
            f"{figures.cpu_seconds(case):.2f}",
            f"{figures.cpu_ratio(case):.2f}",
        )
    growth = Table(
        title=f"each rule alone: CPU for a resource of {policy.FEW:,} and of {policy.MANY:,}",
        caption=f"of all types that the corpora have; ratio at most {policy.GROWTH:.2f}",
    )
    for title in ("rule", "few µs", "many µs", "ratio"):
        growth.add_column(title, justify="left" if title == "rule" else "right")
    for rule, (few, many) in figures.growth.items():
        growth.add_row(
            rule,
            f"{1e6 * few / policy.FEW:.1f}",
            f"{1e6 * many / policy.MANY:.1f}",
            f"{figures.growth_of(rule):.2f}",
        )
    return previews, growth


def _audit_table(figures: audit.Figures) -> Table:
    short, long = audit.SHORT, audit.LONG
    table = Table(
        title=f"arcgateway audit on logs of {short / 1e6:.0f} MB and {long / 1e6:.0f} MB",
        caption=f"targets: {audit.TARGETS['rate']:,} lines a CPU second in {audit.TARGETS['memory'] / 1e6:.0f} MB",
    )
    for title in ("form", "lines/CPU s", f"MB at {short / 1e6:.0f}", f"MB at {long / 1e6:.0f}", "ratio"):
        table.add_column(title, justify="left" if title == "form" else "right")
    for form in figures.forms:
        sizes = (f"{figures.memory(form, size) / 1e6:.0f}" for size in (short, long))
        table.add_row(form, f"{figures.rate(form):,.0f}", *sizes, f"{figures.ratio(form):.2f}")
    return table


def _backend_tables(figures: backends.Figures, rounds: int, latency: int) -> tuple[Table, Table]:
    way = f", {latency} ms to the server and back" if latency else ""
    phases = Table(title=f"stacks of {', '.join(map(str, figures.sizes))}, median of {rounds}, interleaved{way}")
    for title in ("phase", "resources", "state in", "seconds", "ratio", "CPU seconds", "requests"):
        phases.add_column(title, justify="left" if title in ("phase", "state in") else "right")
    for phase in backends.PHASES:
        for size in figures.sizes:
            for row, backend in enumerate(figures.backends):
                phases.add_row(
                    *(("", "") if row else (phase, str(size))),
                    backend,
                    f"{figures.seconds(backend, size, phase):.2f}",
                    f"{figures.ratio(backend, size, phase):.2f}",
                    f"{figures.cpu_seconds(backend, size, phase):.2f}",
                    str(figures.requests[backend, size, phase]),
                )
        phases.add_section()
    beside = Table(title=f"{backends.STACKS} stacks of {backends.SIZE}, up, all new{way}")
    for title in ("state in", "one after the other", "side by side", "times as fast"):
        beside.add_column(title, justify="left" if title == "state in" else "right")
    for backend in figures.backends:
        alone, together = map(median, figures.stacks[backend])
        beside.add_row(backend, f"{alone:.2f}", f"{together:.2f}", f"{figures.gain(backend):.2f}")
    return phases, beside


def _association_table(figures: association.Figures, rounds: int) -> Table:
    table = Table(
        title=f"CPU seconds in the sandbox, median of {rounds}",
        caption=f"target for associate: at most {association.TARGET:.1f}\n"
        "together: measured without the counting; first: with the preflight, which an update makes once",
    )
    names = (association.DRIVER, *association.PROGRAMS)
    for title in ("verb", *names, "together", "first"):
        table.add_column(title, justify="left" if title == "verb" else "right")
    for verb in association.VERBS:
        figured = (*(figures.part(verb, name) for name in names), figures.total(verb))
        table.add_row(verb, *(f"{one:.2f}" for one in (*figured, figures.first[verb])))
    return table


if __name__ == "__main__":
    sys.exit(main())
