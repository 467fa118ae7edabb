"""`python -m sandbox fault`: have the running local Azure fail in a chosen way, see what is set, and end it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import click

from sandbox.azure.fault_kinds import KINDS, MATCHERS, Setting
from sandbox.controls import ask
from sandbox.home import Home

_PATH = "/sandbox/faults"
_COUNTS = ("id", "kind", "seen", "struck", "active")

_as_json = click.option("--json", "as_json", is_flag=True, help="For machines.")


@click.group(help=__doc__)
def fault() -> None:
    pass


def _with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each setting of any kind; which kind takes which is for the local Azure to say."""
    kinds: dict[str, list[str]] = {}
    settings: dict[str, Setting] = {setting.name: setting for setting in MATCHERS}
    for name, kind in KINDS.items():
        for setting in kind.settings:
            settings.setdefault(setting.name, setting)
            kinds.setdefault(setting.name, []).append(name)
    for name, setting in reversed(settings.items()):
        of = f" [{', '.join(kinds[name])}]" if name in kinds else ""
        many = setting.kind is list
        option = click.option(
            "--method" if many else setting.option,
            name,
            type=str if many else setting.kind,
            is_flag=setting.kind is bool,
            multiple=many,
            default=None,
            help=f"{setting.words}{of}; may be repeated." if many else f"{setting.words}{of}.",
        )
        command = option(command)
    return command


_ADD_HELP = """Set a fault.

The first that matches a request strikes it, in the order in which they were added. Without --host and --path it
strikes requests to the Resource Manager alone (login-outage: requests for a token).

\b
Kinds:
""" + "\n".join(f"  {name:20} {kind.words}" for name, kind in KINDS.items())


@fault.command(help=_ADD_HELP)
@click.argument("kind", type=click.Choice(list(KINDS)), metavar="KIND")
@_with_settings
@_as_json
@click.pass_obj
def add(home: Home, /, kind: str, as_json: bool, **given: Any) -> None:
    settings = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if value not in (None, ())
    }
    made = ask(home, "POST", _PATH, {"kind": kind, **settings})
    click.echo(json.dumps(made, indent=2) if as_json else f"fault {made['id']}  {kind}  {_words(made)}".rstrip())


@fault.command("list")
@_as_json
@click.pass_obj
def list_(home: Home, as_json: bool) -> None:
    """Show what is set, and how often each has struck."""
    found = ask(home, "GET", _PATH)["value"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found:
        click.echo("no faults are set")
        return
    from rich.console import Console
    from rich.table import Column, Table

    table = Table("fault", "kind", Column("settings", overflow="fold"), "matched", "struck", "state", box=None)
    for one in found:
        state = "active" if one["active"] else "over"
        table.add_row(str(one["id"]), one["kind"], _words(one), str(one["seen"]), str(one["struck"]), state)
    Console(highlight=False).print(table)


@fault.command()
@click.argument("numbers", nargs=-1, type=int, metavar="[FAULT]...")
@click.pass_obj
def clear(home: Home, numbers: tuple[int, ...]) -> None:
    """End some faults, or all."""
    for path in [f"{_PATH}/{number}" for number in numbers] or [_PATH]:
        ask(home, "DELETE", path)


def _words(view: Mapping[str, Any]) -> str:
    """The settings of a fault in one line."""
    shown = {name: value for name, value in view.items() if name not in _COUNTS}
    return ", ".join(
        f"{name} {' '.join(value) if isinstance(value, list) else json.dumps(value).strip(chr(34))}"
        for name, value in shown.items()
    )
