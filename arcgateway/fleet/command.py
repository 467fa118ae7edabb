"""`arcgateway fleet`: a fleet's file, its stacks, and what is done with them."""

from __future__ import annotations

import click

from arcgateway.fleet import file_commands, pipeline_command, verbs


@click.group("fleet")
def fleet() -> None:
    """Many clusters in stacks of modest size, described in one file."""


for _one in (*file_commands.COMMANDS, *verbs.VERBS, *pipeline_command.COMMANDS):
    fleet.add_command(_one)
