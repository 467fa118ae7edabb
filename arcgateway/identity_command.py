"""`arcgateway identity`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from arcgateway.options import FAILED, JSON, tell
from arcgateway.tables import print_table

if TYPE_CHECKING:
    from arcgateway.azure_cli import AzureCli


def command(az: Callable[[Mapping[str, str]], AzureCli]) -> click.Command:
    """The command.

    Args:
        az: gives the client for an environment.
    """

    @click.command("identity")
    @click.option(
        "--hours",
        type=click.FloatRange(0.1, 24),
        default=1,
        show_default=True,
        metavar="H",
        help="How long the run may take.",
    )
    @JSON
    @click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
    def identity(hours: float, as_json: bool, words: Sequence[str]) -> None:
        """See that azure-native, the driver and `az` write to Azure as one identity, and for long enough.

        Status 2 where they do not. With a COMMAND behind `--`, run it then; on Azure Pipelines with a token that is
        kept fresh for as long as it runs.
        """
        from arcgateway import identity as who

        with who.kept_fresh(os.environ, tell) as env:
            # Where a file is kept fresh, nothing ends with a token that stood in the environment before.
            found = who.parties(env, lambda audience: az(who.without_credential(env)).access_token(audience))
            wrong = who.findings(found, env, hours * 3600)
            if as_json:
                rows = [one.as_json() for one in found]
                said = [{"cause": one.cause, "mend": one.mend} for one in wrong]
                click.echo(json.dumps({"ok": not wrong, "parties": rows, "findings": said}, indent=2))
            elif not words or wrong:
                rows_shown = [(one.name, one.way, one.client or "-", one.tenant or "-") for one in found]
                print_table(("WHO", "BY", "CLIENT", "TENANT"), rows_shown)
            else:
                ways = "; ".join(f"{one.name} by {one.way}" for one in found)
                tell(f"all write to Azure as {found[0].client or 'the login of az'}: {ways}")
            for one in wrong:
                tell(str(one))
            if wrong:
                sys.exit(FAILED)
            if words:
                sys.exit(who.run(words, env))

    return identity
