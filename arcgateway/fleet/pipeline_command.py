"""`arcgateway fleet pipeline` and `arcgateway fleet comment`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from arcgateway.errors import Failure
from arcgateway.options import FAILED, tell

if TYPE_CHECKING:
    from arcgateway.fleet.pipelines import Subject

#: The engines, named here too so that `--help` costs no import; a test holds the two together.
ENGINES = ("github", "azure", "gitlab", "operator", "deployments")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--engine", type=click.Choice(ENGINES), required=True, help="What is to deploy the fleet.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="DIR",
    help="Write below this folder.  [default: this one, the repository's root]",
)
@click.option("--check", is_flag=True, help="Write nothing; status 2 where a file would change.")
@click.option("--branch", default="main", show_default=True, metavar="B", help="The branch that is deployed.")
@click.option("--image", default="", metavar="REF", help="The runners' image (docs/container.md).")
@click.option("--runner", default="", metavar="LABEL", help="Which runners take the jobs (GitHub, Azure Pipelines).")
@click.option(
    "--repository",
    default="",
    metavar="R",
    help="Whence the engine fetches the program: an https address (operator), or OWNER/NAME on GitHub (Deployments).",
)
@click.option("--connection", default="azure", show_default=True, metavar="N", help="Service connection (Azure).")
@click.option("--namespace", default="arc-fleet", show_default=True, metavar="N", help="Of the operator's objects.")
@click.option("--client-id", default="", metavar="ID", help="The application that deploys (Deployments).")
@click.option("--tenant-id", default="", metavar="ID", help="Its tenant (Deployments).")
@click.option("--subscription-id", default="", metavar="ID", help="The subscription by default (Deployments).")
def pipeline(file: Path, engine: str, output: Path, check: bool, **chosen: str) -> None:
    """Write what an engine needs to deploy the fleet: a preview of each change, ring by ring on merge, drift by day."""
    from arcgateway.fleet import pipelines

    made = pipelines.files(engine, _subject(file, chosen))
    stale = [path for path, text in made.items() if _text(output / path) != text]
    if check:
        for path in stale:
            tell(f"{output / path} is not what this fleet's {engine} files are now: run again without --check")
        sys.exit(FAILED if stale else 0)
    for path in stale:
        _write(output / path, made[path])
    tell(f"{len(stale)} of {len(made)} files are new or changed in {output}: {', '.join(stale) or 'none'}")


@click.command()
@click.argument("files", type=click.Path(path_type=Path, dir_okay=False), nargs=-1, required=True)
def comment(files: Sequence[Path]) -> None:
    """Show what plans said as the one comment of this change, on GitHub, GitLab or Azure Pipelines.

    Where the job is for no change, or has no token to comment with, it says so and changes nothing.
    """
    from arcgateway.fleet import comments

    texts = {path.name: text for path in files if (text := _text(path)) is not None}
    if not texts:
        raise Failure(f"there is no file {' or '.join(map(str, files))}", "have the plan write it first")
    tell(comments.post(texts, os.environ))


COMMANDS = (pipeline, comment)


def _subject(file: Path, chosen: Mapping[str, str]) -> Subject:
    from arcgateway.fleet.description import Fleet
    from arcgateway.fleet.partition import stacks
    from arcgateway.fleet.pipelines import Subject

    if file.is_absolute() or not re.fullmatch(r"(?!\.\.)[\w./-]+", file.as_posix()) or ".." in file.parts:
        raise click.UsageError(f"{file} has to be a path from the repository's root, of letters, digits, . _ - and /")
    fleet = Fleet.load(file, env=None)
    rings = tuple(ring.name for ring in fleet.rings)
    made = stacks(fleet)
    return Subject(file.as_posix(), fleet.name, fleet.organization, fleet.project, rings, made, **chosen)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{path} cannot be written ({error.strerror})", "choose another --output") from None
