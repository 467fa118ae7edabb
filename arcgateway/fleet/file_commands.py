"""The commands of `arcgateway fleet` that read and write a fleet's file and reach nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import click

from arcgateway.options import JSON, tell
from arcgateway.tables import few, print_table

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("stacks")
@click.argument("file", type=_FILE)
@click.option(
    "--only-file",
    is_flag=True,
    help="Check the file alone, not whether this machine has the kubeconfig's contexts and the secrets' variables.",
)
@JSON
def stacks(file: Path, only_file: bool, as_json: bool) -> None:
    """Check a fleet's file, and list its stacks in the order in which they are deployed."""
    from arcgateway.fleet.description import Fleet
    from arcgateway.fleet.partition import stacks as of

    found = of(Fleet.load(file, None if only_file else os.environ))
    if as_json:
        rows = [
            {
                "name": one.name,
                "kind": one.kind,
                "ring": one.ring or None,
                "region": one.region,
                "clusters": one.clusters,
                "needs": one.needs,
                "config": one.config,
                "secrets": one.secrets,
            }
            for one in found
        ]
        click.echo(json.dumps({"stacks": rows}, indent=2))
        return
    rings = [
        (one.name, one.ring or "before all", one.region, str(len(one.clusters)), ", ".join(one.needs)) for one in found
    ]
    print_table(("STACK", "RING", "REGION", "CLUSTERS", "NEEDS"), rings, left={"STACK", "RING", "REGION", "NEEDS"})


@click.command("assign")
@click.argument("file", type=_FILE)
@click.option("--new", multiple=True, metavar="KEY", help="A cluster or gateway that is not deployed; may be repeated.")
@click.option("--all-new", is_flag=True, help="Nothing of the fleet is deployed yet.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
def assign(file: Path, new: Sequence[str], all_new: bool, dry_run: bool) -> None:
    """Write into a fleet's file which stack each new cluster is in, where one stack cannot hold all; none moves.

    New are those that are named, and those without a place of their own among others that have one. Gateways get
    subscriptions in the same way.
    """
    from arcgateway import files
    from arcgateway.fleet import assignment

    text = files.read(file)
    made = assignment.assign(text, file, new, all_new=all_new)
    alike: dict[str, list[str]] = {}
    for (section, key), values in made.changes.items():
        alike.setdefault(", ".join(f"{name}: {value}" for name, value in values.items()), []).append(f"{section}.{key}")
    for written, keys in alike.items():
        tell(f"{written} for {few(keys)}")
    if made.text != text and not dry_run:
        files.replace(file, made.text)
    tell(f"{file} {'says so already' if made.text == text else 'would be changed' if dry_run else 'is changed'}")


@click.command("import")
@click.argument("table", metavar="CSV", type=_FILE)
@click.option(
    "--into", type=_FILE, metavar="FILE", help="Add the clusters to this fleet's file instead of printing one."
)
def import_table(table: Path, into: Path | None) -> None:
    """Make a fleet's file of a table of clusters, or add them to one, each with its place.

    The first row names the columns: key (or name), ring, location (or region), resourceGroup (or group),
    subscriptionId, proxy, kubeContext (or context), and any other setting of a cluster, as in `tags.site`.
    """
    from arcgateway import files
    from arcgateway.fleet import spreadsheet

    rows = files.read(table)
    if into is None:
        made = spreadsheet.imported(table, rows, Path("fleet.yaml"), spreadsheet.starter(rows))
        click.echo(made.text, nl=False)
        tell("change the name, the gateways and the proxies' addresses in it before anything is deployed")
        return
    before = files.read(into)
    made = spreadsheet.imported(table, rows, into, before)
    if made.text != before:
        files.replace(into, made.text)
    tell(f"{into} {'is changed' if made.text != before else 'has them already'}")


COMMANDS = (stacks, assign, import_table)
