"""The `arcgateway` command."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from arcgateway import (
    __version__,
    audit_command,
    endpoints,
    endpoints_command,
    files,
    identity_command,
    in_cluster_options,
)
from arcgateway.errors import Failure
from arcgateway.fleet import command as fleet_command
from arcgateway.options import EDITION, FAILED, GATEWAY, JSON, SCENARIO, VAULT, checked, tell
from arcgateway.tables import print_table

if TYPE_CHECKING:
    from arcgateway.arm import Arm
    from arcgateway.azure_cli import AzureCli
    from arcgateway.in_cluster import Place
    from arcgateway.kube import Cluster
    from arcgateway.results import Report


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def _group() -> None:
    """Networks and clusters behind an Azure Arc gateway."""


@_group.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


_group.add_command(endpoints_command.command(lambda: _arm()))


@_group.command()
@click.option("--proxy", metavar="URL", help="The enterprise proxy, http://[USER:PASSWORD@]HOST:PORT.")
@click.option("--proxy-http", metavar="URL", help="Another proxy for http addresses.")
@click.option("--proxy-cert", type=click.Path(path_type=Path), metavar="FILE", help="Root of the proxy's TLS (PEM).")
@click.option(
    "--skip-range",
    "--no-proxy",
    "skip_range",
    metavar="LIST",
    help="What goes round the proxy, as in NO_PROXY; single HOST:PORT entries are probed directly besides.",
)
@click.option(
    "--genuine-root",
    "genuine",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A root that counts as the endpoints' own (PEM); for sandboxes and private tests.",
)
@click.option("--endpoint", "names", multiple=True, metavar="HOST[:PORT]", help="Probe these instead of the allowlist.")
@click.option("--region", default="eastus", show_default=True, metavar="R", help="The clusters' Azure region.")
@GATEWAY
@SCENARIO
@EDITION
@VAULT
@click.option(
    "--except",
    "exceptions",
    multiple=True,
    metavar="HOST[=REASON]",
    help="Only warn where this endpoint fails; a name, or a pattern with *.; may be repeated.",
)
@click.option("--timeout", type=click.FloatRange(min=0.1, max=600), metavar="S", help="Seconds for each endpoint.")
@click.option(
    "--idle",
    type=click.FloatRange(min=0, max=600),
    default=0,
    metavar="S",
    help="Seconds of silence that each connection has to outlast; it takes as much longer.",
)
@in_cluster_options.options
@JSON
def preflight(
    proxy: str | None,
    proxy_http: str | None,
    proxy_cert: Path | None,
    skip_range: str | None,
    genuine: Sequence[Path],
    names: Sequence[str],
    region: str,
    gateway: str | None,
    scenarios: Sequence[str],
    edition: endpoints.Edition,
    vault: str | None,
    exceptions: Sequence[str],
    timeout: float | None,
    idle: float,
    as_json: bool,
    place: Place | None,
    kube_context: str | None,
) -> None:
    """Probe every endpoint through a proxy: status 0 for pass and warn, 2 for fail, 1 for a usage error.

    With --in-cluster a pod probes, where the agents will run; without --proxy it goes directly.
    """
    from arcgateway import preflight_command

    if proxy is None and place is None:
        raise click.UsageError("Missing option '--proxy'.")
    asked = checked(
        lambda: preflight_command.wanted(
            proxy=proxy,
            proxy_http=proxy_http,
            proxy_cert=proxy_cert,
            skip_range=skip_range,
            genuine=genuine,
            names=names,
            listed=lambda: endpoints.required(gateway, region, scenarios, edition, vault=vault),
            exceptions=exceptions,
            timeout=timeout,
            idle=idle,
            inside=place is not None,
        )
    )
    if place is None:
        report = preflight_command.carry_out(asked)
        shown, where = report.as_json(), ""
    else:
        from arcgateway import in_cluster

        cluster = _cluster(kube_context)
        with _removed_when_ended():
            found = in_cluster.run(
                asked.rows,
                asked.proxy,
                asked.genuine,
                place,
                cluster,
                tell,
                timeout=asked.timeout,
                idle=asked.idle,
            )
        report = asked.judged(found)
        shown = in_cluster.as_json(report, cluster.kubeconfig.context)
        where = f", from cluster {cluster.kubeconfig.context}"
    if as_json:
        click.echo(json.dumps(shown, indent=2))
    else:
        _show(report)
        way = f"through {report.proxy}" if report.proxy else "directly"
        click.echo(f"{report.verdict}: {len(report.results)} endpoints {way}{where}")
    sys.exit(FAILED if report.verdict == "fail" else 0)


@_group.command()
@click.option(
    "--subscription",
    "subscriptions",
    multiple=True,
    metavar="S",
    help="A subscription's id; may be repeated.  [default: ARM_SUBSCRIPTION_ID, else that of `az`]",
)
@click.option("--resource-group", metavar="RG", help="Only the clusters of this resource group.")
@click.option("--stack", "stacks", multiple=True, metavar="S", help="A stack that may hold clusters; may be repeated.")
@click.option("--all-stacks", is_flag=True, help="All stacks of the backend, not only those of this folder's project.")
@click.option(
    "--stack-state",
    "state_files",
    multiple=True,
    metavar="FILE",
    help="What `pulumi stack export` has printed, - for standard input, instead of asking pulumi; may be repeated.",
)
@click.option("--orphans", is_flag=True, help="Only clusters that a stack has connected and no state holds; status 2.")
@JSON
def status(
    subscriptions: Sequence[str],
    resource_group: str | None,
    stacks: Sequence[str],
    all_stacks: bool,
    state_files: Sequence[str],
    orphans: bool,
    as_json: bool,
) -> None:
    """List connected clusters, how each is associated with a gateway, and which stack holds it."""
    from arcgateway import status as fleet

    if state_files and (stacks or all_stacks):
        raise click.UsageError("--stack-state stands for --stack and --all-stacks: give one of them")
    chosen = [_subscription(one) for one in subscriptions] or [_own_subscription()]
    states: dict[str, str] | None
    try:
        if state_files:
            states = {name: _state_text(name) for name in state_files}
        else:
            states = fleet.export_states(stacks, all_stacks, os.environ, tell)
    except Failure as failure:
        if orphans or stacks or all_stacks or state_files:
            raise
        states = None
        tell(f"no states were read, so nothing is said of who holds what: {failure}")
    held = [holding for name, text in (states or {}).items() for holding in fleet.read_state(text, name)]
    looked = fleet.with_holders(fleet.clusters(_arm(), chosen, resource_group, tell), held, chosen, resource_group)
    shown = [one for one in looked if one.orphan] if orphans else looked
    if as_json:
        rows = [one.as_json(states_read=states is not None) for one in shown]
        click.echo(json.dumps({"states": None if states is None else list(states), "clusters": rows}, indent=2))
    elif shown:
        print_table(*fleet.table(shown, states_read=states is not None))
    if not shown:
        tell(f"no {'orphans' if orphans else 'connected clusters'} in {', '.join(chosen)}")
    if orphans and shown:
        tell(f"\nconnected by a stack and held by none of the states {', '.join(states or ())}; for each:")
        for one in shown:
            tell(f"{one.id.name}: {one.mend}")
        sys.exit(FAILED)


@_group.command("import")
@click.argument("subscription")
@click.option("--resource-group", metavar="RG", help="Only the clusters of this resource group.")
@click.option("--gateway", metavar="NAME", help="Which gateway, by name or id.  [default: the only one in use]")
@click.option("--write", "stack", metavar="STACK", help="Merge into this stack's file instead of printing.")
@click.option(
    "--own-gateway",
    "import_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Have the stack own the gateway: its settings instead of its id, and in FILE what `pulumi import` needs.",
)
@click.option("--contexts/--no-contexts", default=True, help="Ask the kubeconfig's contexts which clusters they reach.")
def import_command(
    subscription: str,
    resource_group: str | None,
    gateway: str | None,
    stack: str | None,
    import_file: Path | None,
    contexts: bool,
) -> None:
    """Write the configuration of a stack that takes over the clusters of a gateway; nothing in Azure is changed."""
    from arcgateway import adoption, arm
    from arcgateway import status as fleet

    path = adoption.stack_file(stack, Path.cwd()) if stack else None
    reader = _arm()
    looked = fleet.clusters(reader, [_subscription(subscription)], resource_group, tell)
    chosen = adoption.chosen_gateway(gateway, looked, adoption.gateways(reader, subscription))
    resource = reader.get(str(chosen), arm.GATEWAYS)
    if resource is None:
        raise Failure(f"there is no gateway {chosen}, though clusters name it", "associate them with another one first")
    made = adoption.adopt(looked, chosen, resource if import_file else None)
    if contexts:
        made = adoption.with_contexts(made, os.environ, tell)
    if path is None:
        click.echo(adoption.merged("", made), nl=False)
    else:
        before = files.read(path) if path.exists() else ""
        after = adoption.merged(before, made)
        if after != before:
            files.replace(path, after)
        tell(f"{path.name} {'is changed' if after != before else 'says so already'}")
    if import_file:
        files.replace(import_file, made.import_file())
    for line in made.notes(stack, import_file):
        tell(line)


_group.add_command(audit_command.command())
_group.add_command(fleet_command.fleet)
_group.add_command(identity_command.command(lambda env: _az(env)))


@_group.command(hidden=True)
@click.argument("verb")
def driver(verb: str) -> None:
    """What the launcher falls back to: the stack's commands."""
    from arcgateway.driver import main as drive

    sys.exit(drive([verb], os.environ))


def main(prog_name: str | None = None) -> NoReturn:
    """Run the command and exit; wrong usage is status 1 and one line."""
    try:
        status = _group.main(prog_name=prog_name, standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"{prog_name or 'arcgateway'}: {error.format_message()} (--help lists what is valid)", err=True)
        sys.exit(1)
    except Failure as failure:
        click.echo(f"{prog_name or 'arcgateway'}: {failure}", err=True)
        sys.exit(1)
    except click.Abort:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    sys.exit(status if isinstance(status, int) else 0)


def _arm() -> Arm:
    """Azure for the login of the environment, or else that of `az`."""
    from arcgateway.arm import Arm
    from arcgateway.proxy import ProxySettings

    return Arm(ProxySettings(), os.environ, lambda audience: _az().access_token(audience))


def _az(env: Mapping[str, str] = os.environ) -> AzureCli:
    from arcgateway.azure_cli import AzureCli
    from arcgateway.lifeline import Lifeline
    from arcgateway.proxy import ProxySettings
    from arcgateway.redaction import Redactor

    return AzureCli(env, ProxySettings(), None, Lifeline(), Redactor(), lambda _line: None)


def _cluster(context: str | None) -> Cluster:
    from arcgateway import kubeconfig, workspace
    from arcgateway.kube import Cluster

    workspace.sweep()
    return Cluster(kubeconfig.read(context, os.environ), os.environ)


@contextmanager
def _removed_when_ended() -> Iterator[None]:
    """Let a request to end (SIGTERM, a closed terminal) run what removes things, as Ctrl-C does."""

    def end(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # What the caller has had ignored, as nohup does, stays so.
    before = {number: signal.signal(number, end) for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _own_subscription() -> str:
    """The subscription of the environment, or else the one that is chosen in `az`."""
    given = os.environ.get("ARM_SUBSCRIPTION_ID") or os.environ.get("AZURE_SUBSCRIPTION_ID")
    if given:
        return _subscription(given)
    return str(json.loads(_az().run(["account", "show", "--output", "json"], 120))["id"])


def _subscription(text: str) -> str:
    from arcgateway.ids import is_subscription

    if not is_subscription(text):
        raise click.UsageError(f"{text!r} is no subscription's id: `az account list --output table` shows them")
    return text


def _state_text(name: str) -> str:
    return sys.stdin.read() if name == "-" else files.read(Path(name))


def _show(report: Report) -> None:
    print_table(
        ("HOST", "PORT", "VERDICT", "CAUSE", "MS"),
        [(one.host, str(one.port), one.verdict, one.cause, str(one.milliseconds)) for one in report.results],
    )
    for names, seen, mend, why in report.told():
        click.echo(f"\n{', '.join(names)}\n  seen: {seen}" + (f"\n  mend: {mend}" if mend else ""))
        if why:
            click.echo(f"  why it does not count as a failure: {why}")
    click.echo()
