"""Options that several commands of `arcgateway` take, and how they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from arcgateway import endpoints

T = TypeVar("T")

#: What a command exits with when what it was to look for is wanting. Errors are 1.
FAILED = 2

SCENARIO = click.option(
    "--scenario", "scenarios", multiple=True, metavar="S", help="An Arc feature in use; may be repeated."
)
GATEWAY = click.option("--gateway", metavar="HOST", help="The gateway's endpoint, PREFIX.gw.arc.azure.com.")
EDITION = click.option(
    "--edition",
    type=click.Choice(endpoints.EDITIONS),
    default="both",
    show_default=True,
    help="The list as published for the preview, at general availability, or both together.",
)
VAULT = click.option("--vault", metavar="NAME", help="The Key Vault that the scenario key-vault uses.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def checked(make: Callable[[], T]) -> T:
    """What a function makes of options; its ValueError is a usage error."""
    try:
        return make()
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def tell(line: str) -> None:
    """Say something beside the output."""
    click.echo(line, err=True)
