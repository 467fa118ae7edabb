"""What is done with a fleet's stacks: `plan`, `up`, `refresh`, `drift`, `destroy` and `status`."""

from __future__ import annotations

import getpass
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from arcgateway.options import FAILED, JSON, tell
from arcgateway.tables import print_table
from arcgateway.times import rfc3339

if TYPE_CHECKING:
    from arcgateway.arm import Arm
    from arcgateway.fleet.board import Board
    from arcgateway.fleet.description import Fleet
    from arcgateway.fleet.partition import FleetStack
    from arcgateway.fleet.rollout import Rollout, Stage
    from arcgateway.fleet.workshop import Workshop

#: What a run exits with that was interrupted.
INTERRUPTED = 130

GATEWAYS = "gateways"


@dataclass(frozen=True)
class Options:
    """What all verbs take; see their help."""

    file: Path
    program: Path
    policy_pack: Path | None
    no_policy: bool
    rings: tuple[str, ...]
    stacks: tuple[str, ...]
    parallel: int
    parallel_clusters: int | None
    max_failures: int
    continue_on_error: bool
    connected_within: float
    release_dead_locks: bool
    secrets_provider: str | None
    work_dir: Path | None
    as_json: bool


_FILE = click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
_PROGRAM = click.option(
    "--program",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="DIR",
    help="The program's folder.  [default: this one]",
)
_WORK_DIR = click.option(
    "--work-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="For configurations, logs and the journal.  [default: .arc-gateway/fleet/NAME beside the program]",
)
_COMMON = (
    _FILE,
    _PROGRAM,
    click.option(
        "--policy-pack",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        metavar="DIR",
        help="Another policy pack.  [default: policy or dist/policy beside the program]",
    ),
    click.option("--no-policy", is_flag=True, help="Go without the policy pack; the stacks' histories will say so."),
    click.option("--ring", "rings", multiple=True, metavar="R", help="Only this ring, and its gateways; repeatable."),
    click.option("--stack", "stacks", multiple=True, metavar="S", help="Only this stack, and its gateway; repeatable."),
    click.option(
        "--parallel",
        type=click.IntRange(1, 256),
        default=4,
        show_default=True,
        metavar="N",
        help="Stacks side by side.",
    ),
    _WORK_DIR,
    JSON,
)
_WRITING = (
    click.option(
        "--parallel-clusters",
        type=click.IntRange(1, 1024),
        metavar="N",
        help="Operations side by side in each stack.  [default: the engine's own, 4 for each processor]",
    ),
    click.option(
        "--max-failures",
        type=click.IntRange(1),
        default=10,
        show_default=True,
        metavar="N",
        help="Begin no further stack once so many clusters have failed.",
    ),
    click.option(
        "--release-dead-locks",
        is_flag=True,
        help="Release locks of runs that crashed on this machine, as `pulumi cancel` does.",
    ),
)
_CONNECTED = click.option(
    "--connected-within",
    type=click.FloatRange(0, 86400),
    default=600.0,
    metavar="S",
    help="Seconds for a ring's clusters to be connected before the next ring.  [default: 600]",
)
_CONTINUE = click.option(
    "--continue-on-error/--no-continue-on-error",
    default=True,
    show_default=True,
    help="Whether a cluster that fails holds back no other of its stack.",
)
_SECRETS = click.option(
    "--secrets-provider",
    metavar="URL",
    help="What encrypts the secrets of stacks that are made, as for `pulumi stack init`.",
)

#: What an option is where a verb does not take it.
_DEFAULTS: Mapping[str, Any] = {
    "parallel_clusters": None,
    "max_failures": sys.maxsize,
    "continue_on_error": True,
    "connected_within": 0.0,
    "release_dead_locks": False,
    "secrets_provider": None,
}


def _options(*more: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a function the options of all verbs and some more, as one `Options`; what is left over as arguments."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        def with_options(**given: Any) -> None:
            names = Options.__dataclass_fields__
            chosen = {name: given.pop(name) for name in names if name in given}
            function(Options(**{**_DEFAULTS, **chosen}), **given)

        with_options.__doc__, with_options.__name__ = function.__doc__, function.__name__
        for option in reversed((*_COMMON, *more)):
            with_options = option(with_options)
        return with_options

    return decorate


@click.command()
@_options()
def plan(options: Options) -> None:
    """Show what each stack would change, and the sum; nothing is changed. Status 2 where the pack refuses one."""
    _run(options, "plan", lambda rollout, stages: rollout.plan(stages))


@click.command()
@_options(
    *_WRITING,
    _CONTINUE,
    _CONNECTED,
    _SECRETS,
    click.option("--prune", is_flag=True, help="Take down stacks that the file has nothing for any more."),
)
def up(options: Options, prune: bool) -> None:
    """Deploy the gateways, then ring by ring what differs; run again, it goes on where it stopped.

    A ring is looked at as a whole, with the policy pack, before anything of it is written. Status 2 where something
    failed or a gate did not open, 130 where it was interrupted.
    """
    _run(options, "up", lambda rollout, stages: rollout.up(stages, prune=prune))


@click.command()
@_options(*_WRITING)
def refresh(options: Options) -> None:
    """Bring the states in line with what is there, and show what differs from the file after."""
    _run(options, "refresh", lambda rollout, stages: rollout.refresh(stages))


@click.command()
@_options()
def drift(options: Options) -> None:
    """Show what is not as declared; nothing is changed. Status 2 where there is something."""
    _run(options, "drift", lambda rollout, stages: rollout.plan(stages, refresh=True), unchanged=True)


@click.command()
@_options(
    *_WRITING,
    _CONTINUE,
    click.option("--yes", is_flag=True, help="Do not ask."),
    click.option("--remove", is_flag=True, help="Remove the empty stacks too, with their histories."),
)
def destroy(options: Options, yes: bool, remove: bool) -> None:
    """Disconnect all clusters, ring by ring from the last, then delete the gateways."""
    fleet, stages = _described(options)
    count = sum(len(stack.clusters) for stage in stages for stack in stage.stacks)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("nobody can be asked here: give --yes")
        click.confirm(f"Disconnect {count} clusters of {fleet.name}?", abort=True, err=True)
    _run(options, "destroy", lambda rollout, stages: rollout.destroy(stages, remove=remove))


@click.command()
@_FILE
@_PROGRAM
@_WORK_DIR
@JSON
def status(file: Path, program: Path, work_dir: Path | None, as_json: bool) -> None:
    """Show each stack's last update and how many of its clusters Azure shows as connected. Status 2 if not all are."""
    from arcgateway.fleet import gate
    from arcgateway.fleet.description import Fleet
    from arcgateway.fleet.engines import Engines
    from arcgateway.fleet.partition import stacks
    from arcgateway.fleet.runner import Runner
    from arcgateway.fleet.workshop import Program, Workshop

    fleet = Fleet.load(file)
    made = stacks(fleet)
    engines = Engines()
    try:
        workshop = Workshop.of(Program.find(program), fleet.name, fleet.project, work_dir)
        there = Runner(workshop, engines, fleet.name, None).existing()
    finally:
        engines.close()
    wanted = gate.clusters(made, os.environ.get("ARM_SUBSCRIPTION_ID", ""))
    seen = gate.connectivity(_arm(), wanted)
    rows: list[dict[str, Any]] = []
    for stack in made:
        ours = {one: seen[one] for one in gate.clusters([stack], os.environ.get("ARM_SUBSCRIPTION_ID", ""))}
        summary = there.get(stack.name)
        updated = summary.last_update.replace(tzinfo=UTC) if summary and summary.last_update else None
        rows.append(
            {
                "name": stack.name,
                "kind": stack.kind,
                "ring": stack.ring or None,
                "exists": summary is not None,
                "updating": bool(summary and summary.update_in_progress),
                "resources": (summary.resource_count or 0) if summary else 0,
                "lastUpdate": rfc3339(updated),
                "clusters": len(ours),
                "connected": sum(word == "Connected" for word in ours.values()),
                "others": {wanted[one]: word for one, word in ours.items() if word != "Connected"},
            }
        )
    whole = all(row["exists"] and not row["others"] for row in rows)
    if as_json:
        click.echo(json.dumps({"fleet": fleet.name, "ok": whole, "stacks": rows}, indent=2))
    else:
        print_table(
            ("STACK", "RING", "LAST UPDATE", "RESOURCES", "CLUSTERS", "CONNECTED"),
            [
                (
                    str(row["name"]),
                    str(row["ring"] or "-"),
                    str(row["lastUpdate"] or ("never" if row["exists"] else "not there")),
                    *(str(row[key]) for key in ("resources", "clusters", "connected")),
                )
                for row in rows
            ],
            left=("STACK", "RING", "LAST UPDATE"),
        )
        for row in rows:
            for name, word in sorted(row["others"].items()):
                click.echo(f"{row['name']}: {name}: {word}")
    sys.exit(0 if whole else FAILED)


VERBS = (plan, up, refresh, drift, destroy, status)


def _described(options: Options) -> tuple[Fleet, list[Stage]]:
    """The fleet's file, and those of its stages that are asked for."""
    from arcgateway.fleet.description import Fleet
    from arcgateway.fleet.partition import stacks
    from arcgateway.fleet.rollout import Stage

    fleet = Fleet.load(options.file)
    made = stacks(fleet)
    _known("ring", options.rings, [ring.name for ring in fleet.rings])
    _known("stack", options.stacks, [stack.name for stack in made])

    def asked(stack: FleetStack) -> bool:
        in_ring = not options.rings or stack.ring in options.rings
        return in_ring and (not options.stacks or stack.name in options.stacks)

    chosen = [stack for stack in made if asked(stack)]
    needed = {name for stack in chosen for name in stack.needs}
    gateways = tuple(stack for stack in made if stack.kind == "gateway" and (stack in chosen or stack.name in needed))
    stages = [Stage(GATEWAYS, gateways)] if gateways else []
    for ring in fleet.rings:
        if of_ring := tuple(stack for stack in chosen if stack.kind != "gateway" and stack.ring == ring.name):
            stages.append(Stage(ring.name, of_ring, ring.gate))
    return fleet, stages


def _known(what: str, given: Sequence[str], known: Sequence[str]) -> None:
    if unknown := sorted(set(given) - set(known)):
        raise click.UsageError(f"there is no {what} {', '.join(unknown)}: there are {', '.join(known)}")


def _run(options: Options, verb: str, work: Callable[[Rollout, list[Stage]], None], *, unchanged: bool = False) -> None:
    """Do a verb on a fleet, show how it goes and what it came to, and end with its status."""
    if options.no_policy and options.policy_pack:
        raise click.UsageError("--no-policy and --policy-pack exclude one another")
    fleet, stages = _described(options)

    from arcgateway.fleet import account, partition
    from arcgateway.fleet.board import Board
    from arcgateway.fleet.engines import Engines, interrupting
    from arcgateway.fleet.rollout import Rollout
    from arcgateway.fleet.runner import Runner
    from arcgateway.fleet.workshop import Program, Workshop

    program = Program.find(options.program)
    pack = None if options.no_policy else program.pack(options.policy_pack)
    stacks = [stack for stage in stages for stack in stage.stacks]
    board = Board(stacks)
    begun = time.monotonic()
    with ExitStack() as until_end:
        engines = Engines()
        until_end.callback(engines.close)
        workshop = Workshop.of(program, fleet.name, fleet.project, options.work_dir)
        if pack is None:
            tell("without the policy pack, as --no-policy says: nothing holds these changes against its rules")
        runner = Runner(
            workshop,
            engines,
            fleet.name,
            pack,
            clusters_at_once=options.parallel_clusters,
            continue_on_error=options.continue_on_error,
            release_dead_locks=options.release_dead_locks,
            secrets_provider=options.secrets_provider,
            tell=board.tell,
            found=_found,
        )
        rollout = Rollout(
            runner,
            board,
            _Azure(workshop, board),
            options.parallel,
            options.max_failures,
            options.connected_within,
            partial(partition.is_of, fleet),
            {cluster: stack for stack in partition.stacks(fleet) for cluster in stack.clusters},
            not (options.rings or options.stacks),
        )
        until_end.callback(interrupting(engines, board.tell))
        with board.shown():
            work(rollout, stages)
    seconds = time.monotonic() - begun
    order = {stack.name: number for number, stack in enumerate(stacks)}
    outcomes = sorted(rollout.outcomes.values(), key=lambda one: order.get(one.stack.name, len(order)))
    well = account.well(outcomes, rollout.stopped)
    if unchanged:
        well = well and all(one.state == "unchanged" for one in outcomes)
    made = account.as_json(fleet.name, verb, str(pack) if pack else None, outcomes, rollout.stopped, seconds)
    made["ok"] = well
    made["moves"] = [move.as_json() for move in rollout.moves]
    _journal(workshop, verb, made)
    if options.as_json:
        click.echo(json.dumps(made, indent=2))
    else:
        account.show(verb, outcomes, rollout.stopped, seconds)
        if unchanged:
            account.show_differences(outcomes)
    sys.exit(INTERRUPTED if engines.interrupted else 0 if well else FAILED)


def _journal(workshop: Workshop, verb: str, made: Mapping[str, Any]) -> None:
    """A line of the run's own journal: who did what, with which pack."""
    states: dict[str, int] = {}
    for stack in made["stacks"]:
        states[stack["state"]] = states.get(stack["state"], 0) + 1
    workshop.note(
        {
            "at": rfc3339(datetime.now(UTC)),
            "user": getpass.getuser(),
            "verb": verb,
            "policyPack": made["policyPack"] or "none: --no-policy",
            "ok": made["ok"],
            "states": states,
        }
    )


class _Azure:
    """What a rollout asks of the world; see `rollout.World`."""

    def __init__(self, workshop: Workshop, board: Board) -> None:
        self._workshop = workshop
        self._board = board

    def preflight(self, stacks: Sequence[FleetStack]) -> None:
        from arcgateway.fleet import gate

        gate.preflight(stacks, self._workshop.program.folder, os.environ, self._board.tell)

    def connectivity(self, stacks: Sequence[FleetStack]) -> Mapping[str, str]:
        from arcgateway.fleet import gate

        return gate.connectivity(_arm(), gate.clusters(stacks, os.environ.get("ARM_SUBSCRIPTION_ID", "")))


def _found(resource_id: str) -> bool:
    from arcgateway.arm import GATEWAYS, GROUPS

    return _arm().get(resource_id, GATEWAYS if "/providers/" in resource_id else GROUPS) is not None


def _arm() -> Arm:
    from arcgateway import cli

    return cli._arm()
