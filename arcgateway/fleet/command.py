"""`arcgateway fleet`: a fleet's file, its stacks, and what is done with them."""

from __future__ import annotations

import click

from arcgateway.fleet import pipeline_command, verbs


@click.group("fleet")
def fleet() -> None:
    """Many clusters in stacks of modest size, described in one file."""


for _command in (*verbs.VERBS, *pipeline_command.COMMANDS):
    fleet.add_command(_command)
