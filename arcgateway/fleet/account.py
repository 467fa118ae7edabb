"""What a run came to: for a person, by cause of failure, and for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from arcgateway.fleet.tally import by_cause
from arcgateway.tables import few, print_table

if TYPE_CHECKING:
    from arcgateway.fleet.runner import Outcome

#: Where names are that are not shown.
_ALL = " (--json has all)"

#: States that are told, and are no failures.
_TOLD = ("waiting", "left over")

_OPERATIONS = ("create", "update", "replace", "delete")


def as_json(
    fleet: str, verb: str, pack: str | None, outcomes: Sequence[Outcome], stopped: str, seconds: float
) -> dict[str, Any]:
    """All of it."""
    return {
        "fleet": fleet,
        "verb": verb,
        "policyPack": pack,
        "ok": well(outcomes, stopped),
        "stopped": stopped or None,
        "seconds": round(seconds, 1),
        "changes": totals(outcomes),
        "stacks": [_stack(one) for one in outcomes],
        "causes": [{"cause": cause, "struck": names} for cause, names in causes(outcomes)],
    }


def well(outcomes: Sequence[Outcome], stopped: str) -> bool:
    """Whether everything came to a good end."""
    return not stopped and all(one.well or one.state in _TOLD for one in outcomes)


def totals(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Resources over all stacks, by what is done to them."""
    summed = Counter[str]()
    for one in outcomes:
        summed.update(one.tally.changes)
    return {operation: count for operation, count in sorted(summed.items()) if count}


def causes(outcomes: Sequence[Outcome]) -> list[tuple[str, list[str]]]:
    """What went wrong, each cause once with whom it struck, the most frequent first."""
    bad = [one for one in outcomes if not one.well and one.state != "skipped"]
    return by_cause([(one.stack.name, trouble) for one in bad for trouble in one.troubles])


def show(verb: str, outcomes: Sequence[Outcome], stopped: str, seconds: float) -> None:
    """Tables and sums on standard output."""
    print_table(
        ("STACK", "RING", "STATE", "CLUSTERS", "FAILED", *(name.upper() for name in _OPERATIONS), "SECONDS"),
        [_row(one) for one in outcomes],
        left=("STACK", "RING", "STATE"),
    )
    summed = totals(outcomes)
    states = Counter(one.state for one in outcomes)
    click.echo(
        f"\n{len(outcomes)} stacks: {', '.join(f'{count} {state}' for state, count in states.items())}; resources: "
        f"{', '.join(f'{count} {operation}' for operation, count in summed.items()) or 'none'}; {seconds:.0f} s"
    )
    advice = Counter(
        violation.policy for one in outcomes for violation in one.tally.violations if violation.level != "mandatory"
    )
    if advice:
        told = ", ".join(f"{count} x {policy}" for policy, count in sorted(advice.items()))
        click.echo(f"the policy pack advises: {told} (--json has the texts)")
    for cause, names in causes(outcomes):
        click.echo(f"\n{len(names)} x {cause}\n    {few(names, _ALL)}")
    logs = [str(one.log) for one in outcomes if one.log and not one.well]
    if logs:
        click.echo(f"\nwhat the engine said: {few(logs, _ALL)}")
    if stopped:
        click.echo(f"\n{verb} stopped: {stopped}")


def show_differences(outcomes: Sequence[Outcome]) -> None:
    """What is not as declared, a line for each."""
    for one in outcomes:
        for name, how in sorted(one.tally.differing.items()):
            click.echo(f"{one.stack.name}: {name}: {how}")


def _stack(one: Outcome) -> Mapping[str, Any]:
    return {
        "name": one.stack.name,
        "kind": one.stack.kind,
        "ring": one.stack.ring or None,
        "region": one.stack.region,
        "state": one.state,
        "clusters": {"total": len(one.stack.clusters), "done": one.tally.done, "failed": list(one.tally.failed)},
        "changes": one.tally.changes,
        "differing": one.tally.differing,
        "violations": [violation.as_json() for violation in one.tally.violations],
        "troubles": [trouble.as_json() for trouble in one.troubles],
        "seconds": round(one.seconds, 1),
        "log": str(one.log) if one.log else None,
    }


def _row(one: Outcome) -> tuple[str, ...]:
    changes = one.tally.changes
    return (
        one.stack.name,
        one.stack.ring or "-",
        one.state,
        str(len(one.stack.clusters)),
        str(len(one.tally.failed)),
        *(str(changes.get(operation, 0)) for operation in _OPERATIONS),
        f"{one.seconds:.0f}",
    )
