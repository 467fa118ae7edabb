"""`python -m sandbox`: bring the local Azure, its clusters and its proxy up, look at them, and take them down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import click
import psutil

from sandbox import pipeline_tokens, plugin_choice, seed
from sandbox.controls import NotRunning, Refused, ask
from sandbox.environment import STACK, environment, exports, follow_stack_file, stack_file
from sandbox.fault_command import fault
from sandbox.home import PROJECT, Home, MissingTool
from sandbox.supervisor import STATUS, AlreadyRunning, SandboxFailed, Supervisor, held, holder
from sandbox.world import CLUSTERS

UP_LIMIT = 60.0 * len(CLUSTERS)  # seconds until `up` stops waiting
DOWN_LIMIT = 30.0


@click.group(help=__doc__)
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="State folder [.local/sandbox].")
@click.pass_context
def main(context: click.Context, home: Path | None) -> None:
    context.obj = Home(home) if home else Home.default()


main.add_command(fault)


@main.command()
@click.option(
    "--plugins",
    "choice",
    type=click.Choice(["auto", "real", "double"]),
    default="auto",
    help="azure-native and command: the real plugins where they are installed, or the sandbox's doubles.",
)
@click.argument("argv", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def up(home: Home, choice: plugin_choice.Choice, argv: tuple[str, ...]) -> None:
    """Start what does not run, and make what a first start needs. Safe to repeat.

    With a command behind `--`, go on with that in the sandbox's environment.
    """
    plugin_choice.choose(home, choice)
    if holder(home) is None:
        _spawn(home)
    with _step("services"):
        _wait_ready(home)
    for name, step in seed.steps(home):
        with _step(name) as say:
            step(say)
    if argv:
        _become(home, argv)


@main.command()
@click.pass_obj
def run(home: Home) -> None:
    """Run the services in the foreground until Ctrl-C; `up` does this in the background."""
    from sandbox.services import release_taken_ports, services  # every part's modules: for this command alone

    with held(home):
        for note in release_taken_ports(home):
            click.echo(note, err=True)
        runner = Supervisor(home, services(home))
        threading.Thread(target=follow_stack_file, args=(home,), name="stack file", daemon=True).start()
        runner.run()


@main.command()
@click.option("--destroy", is_flag=True, help="Destroy the stack first.")
@click.pass_obj
def down(home: Home, destroy: bool) -> None:
    """Stop everything. The state stays, and the next `up` goes on from it."""
    pid = holder(home)
    if pid is None:
        click.echo("sandbox  not running", err=True)
        return
    if destroy and seed.stack_exists(home):
        stack_file(home)
        for note in seed.settle(home):
            click.echo(f"sandbox  {note}", err=True)
        argv = ["pulumi", "destroy", "--yes", "--stack", STACK]
        done = subprocess.run(argv, cwd=PROJECT, env={**os.environ, **environment(home)}, check=False)
        if done.returncode != 0:
            raise click.ClickException(
                "the stack could not be destroyed, so the sandbox runs on: mend what is said above and repeat, "
                "or stop it all the same with `python -m sandbox down`"
            )
    with _step("stopping"):
        os.kill(pid, signal.SIGTERM)
        _until(lambda: _ended(pid), DOWN_LIMIT, f"process {pid} does not end; end it with `kill -9 {pid}`")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_obj
def status(home: Home, as_json: bool) -> None:
    """What runs, where, and on which parts."""
    found = _status(home)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("service", "state", "pid", "ready after", "restarts", box=None)
    for name, service in found["services"].items():
        seconds = service["seconds"]
        table.add_row(
            name,
            service["state"],
            str(service["pid"] or ""),
            f"{seconds} s" if seconds is not None else "",
            str(service["restarts"]),
        )
    console = Console(highlight=False)
    console.print(table)
    for name in ("running", "arm", "proxy", "plugins"):
        console.print(f"{name:8} {found[name]}")
    if found["faults"]:
        console.print(f"{'faults':8} {', '.join(found['faults'])}: `python -m sandbox fault list` shows more")


@main.command()
@click.pass_obj
def env(home: Home) -> None:
    """Print `export NAME=value` lines: `. <(python -m sandbox env)`."""
    stack_file(home)
    click.echo(exports(environment(home)), nl=False)


@main.command("pipeline-token")
@click.option("--subject", default="project_path:platform/fleet:ref_type:branch:ref:main", show_default=True)
@click.option("--seconds", default=3600, show_default=True, help="For how long it is valid.")
@click.pass_obj
def pipeline_token(home: Home, subject: str, seconds: int) -> None:
    """Print a token of a pipeline's own identity, for ARM_OIDC_TOKEN: logins then need no secret."""
    click.echo(pipeline_tokens.issue(home.identity.client_secret, subject, seconds))


@main.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def execute(home: Home, argv: tuple[str, ...]) -> None:
    """Run a command in the sandbox's environment: `python -m sandbox exec -- pulumi preview`."""
    stack_file(home)
    _become(home, argv)


def _become(home: Home, argv: tuple[str, ...]) -> None:
    os.environ.update(environment(home))
    try:
        os.execvp(argv[0], argv)
    except FileNotFoundError:
        raise click.ClickException(f"{argv[0]} is not on PATH: `make toolchain` brings the tool chain") from None


def _status(home: Home) -> dict[str, Any]:
    from sandbox import proxies

    pid = holder(home)
    try:
        services_now = json.loads((home.root / STATUS).read_text())["services"]
    except FileNotFoundError:
        services_now = {}
    if pid is None:
        services_now = {name: {**service, "state": "stopped", "pid": None} for name, service in services_now.items()}
    variables = environment(home)
    return {
        "running": pid is not None,
        "pid": pid,
        "home": str(home.root),
        "stack": STACK,
        "arm": variables["SANDBOX_ARM_URL"],
        "proxy": f"{variables['SANDBOX_PROXY_URL']} ({proxies.proxy_kind(home)})",
        "plugins": plugin_choice.describe(home),
        "faults": _faults(home),
        "services": services_now,
    }


def _faults(home: Home) -> list[str]:
    """The faults that can still strike, so that nobody hunts for their causes."""
    try:
        return [f"{one['id']} {one['kind']}" for one in ask(home, "GET", "/sandbox/faults")["value"] if one["active"]]
    except NotRunning:
        return []


def _spawn(home: Home) -> None:
    (home.root / STATUS).unlink(missing_ok=True)
    with (home.folder("logs") / "supervisor.log").open("wb") as log:
        subprocess.Popen(
            [sys.executable, "-m", "sandbox", "--home", str(home.root), "run"],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _until(lambda: holder(home) is not None or _ended_early(home), 10, "the supervisor does not start")


def _ended_early(home: Home) -> bool:
    text = (home.root / "logs/supervisor.log").read_text(errors="replace").strip()
    if text and holder(home) is None:
        raise click.ClickException(text.splitlines()[-1].removeprefix("Error: "))
    return False


def _wait_ready(home: Home) -> None:
    def ready() -> bool:
        try:
            found = json.loads((home.root / STATUS).read_text())
        except FileNotFoundError:
            return False
        if found["failure"]:
            raise click.ClickException(found["failure"])
        if holder(home) is None:
            raise click.ClickException(f"the supervisor ended; its log is {home.root / 'logs/supervisor.log'}")
        return all(service["state"] == "ready" for service in found["services"].values())

    _until(ready, UP_LIMIT, "not all services became ready: `python -m sandbox status` shows which, logs/ says why")


def _ended(pid: int) -> bool:
    """Whether a process is gone, or waits only for its parent to ask how it ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _until(done: Callable[[], bool], limit: float, otherwise: str) -> None:
    deadline = time.monotonic() + limit
    while not done():
        if time.monotonic() > deadline:
            raise click.ClickException(otherwise)
        time.sleep(0.05)


@contextmanager
def _step(name: str) -> Iterator[Callable[[str], None]]:
    """One line per step with how long it took, and what it said of itself."""
    said: list[str] = []
    started = time.monotonic()
    with _spinner(f"sandbox  {name} ..."):
        yield said.append
    seconds = time.monotonic() - started
    click.echo(f"sandbox  {name:28} {seconds:5.1f} s  {'; '.join(said)}".rstrip(), err=True)


def _spinner(text: str) -> AbstractContextManager[object]:
    """Something that moves, where a person looks on."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console  # not for pipelines: it takes as long to import as all else here

    return Console(stderr=True, highlight=False).status(text)


_TOLD = (
    SandboxFailed,
    AlreadyRunning,
    MissingTool,
    seed.SeedFailed,
    plugin_choice.NoRealPlugins,
    NotRunning,
    Refused,
)


def run_command() -> None:
    """The command, with what a person can meet told in one sentence."""
    try:
        main(prog_name="python -m sandbox")
    except _TOLD as error:
        sys.exit(f"Error: {error}")
    except OSError as error:
        sys.exit(f"Error: {error.strerror or error}{f' ({error.filename})' if error.filename else ''}")
