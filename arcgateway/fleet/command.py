"""`arcgateway fleet`: a fleet's file, its stacks, and what is done with them."""

from __future__ import annotations

import click

from arcgateway.fleet import verbs


@click.group("fleet")
def fleet() -> None:
    """Many clusters in stacks of modest size, described in one file."""


for _verb in verbs.VERBS:
    fleet.add_command(_verb)
