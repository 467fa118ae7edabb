"""The `arcgateway` command."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from arcgateway import __version__, audit_command, endpoints
from arcgateway.errors import Failure
from arcgateway.tables import print_table

if TYPE_CHECKING:
    from arcgateway.arm import Arm
    from arcgateway.azure_cli import AzureCli

T = TypeVar("T")

#: What `preflight` exits with when an endpoint failed, and `status --orphans` when there are some. Errors are 1.
FAILED = 2

_SCENARIO = click.option(
    "--scenario", "scenarios", multiple=True, metavar="S", help="An Arc feature in use; may be repeated."
)
_GATEWAY = click.option("--gateway", metavar="HOST", help="The gateway's endpoint, PREFIX.gw.arc.azure.com.")
_EDITION = click.option(
    "--edition",
    type=click.Choice(endpoints.EDITIONS),
    default="both",
    show_default=True,
    help="The list as published for the preview, at general availability, or both together.",
)
_VAULT = click.option("--vault", metavar="NAME", help="The Key Vault that the scenario key-vault uses.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def _group() -> None:
    """Networks and clusters behind an Azure Arc gateway."""


@_group.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


@_group.command("endpoints")
@click.option("--region", required=True, metavar="R", help="The clusters' Azure region, for example eastus.")
@_GATEWAY
@_SCENARIO
@_EDITION
@_VAULT
@click.option(
    "--hop",
    "hops",
    type=click.Choice(["workstation", "nodes", "agents"]),
    multiple=True,
    help="Whose traffic; the clusters' (nodes, agents) by default.",
)
@click.option("--removable", is_flag=True, help="What the gateway makes superfluous, instead of what is needed.")
@_JSON
@click.option("--plain", is_flag=True, help="Print HOST:PORT alone, one a line.")
def endpoints_command(
    region: str,
    gateway: str | None,
    scenarios: Sequence[str],
    edition: endpoints.Edition,
    vault: str | None,
    hops: Sequence[endpoints.Hop],
    removable: bool,
    as_json: bool,
    plain: bool,
) -> None:
    """List the host names that must be open, with a gateway or without one."""
    if removable:
        rows = _checked(lambda: endpoints.removable(gateway or "", region, scenarios, edition, vault=vault))
    else:
        rows = _checked(
            lambda: endpoints.required(
                gateway, region, scenarios, edition, vault=vault, hops=hops or endpoints.CLUSTER_HOPS
            )
        )
    if as_json:
        click.echo(json.dumps([_as_json(row) for row in rows], indent=2))
    elif plain:
        click.echo("".join(f"{row.host}:{row.port}\n" for row in rows), nl=False)
    else:
        print_table(
            ("HOST", "PORT", "PROTOCOL", "HOP", "SCENARIO", "PURPOSE"),
            [(row.host, str(row.port), row.protocol, row.hop, row.scenario, row.purpose) for row in rows],
        )
    if endpoints.region_code(region) is None:
        click.echo(f"no confirmed short name of {region}: *.his.arc.azure.com stands for it", err=True)
    if removable:
        click.echo(
            "close them an hour after the last association, and not for the deployment machine: it still needs "
            "what `arcgateway endpoints --hop workstation` lists",
            err=True,
        )


@_group.command()
@click.option("--proxy", required=True, metavar="URL", help="The enterprise proxy, http://[USER:PASSWORD@]HOST:PORT.")
@click.option("--proxy-http", metavar="URL", help="Another proxy for http addresses.")
@click.option("--proxy-cert", type=click.Path(path_type=Path), metavar="FILE", help="Root of the proxy's TLS (PEM).")
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
@_GATEWAY
@_SCENARIO
@_EDITION
@_VAULT
@click.option("--timeout", type=click.FloatRange(min=0.1, max=600), metavar="S", help="Seconds for each endpoint.")
@_JSON
def preflight(
    proxy: str,
    proxy_http: str | None,
    proxy_cert: Path | None,
    genuine: Sequence[Path],
    names: Sequence[str],
    region: str,
    gateway: str | None,
    scenarios: Sequence[str],
    edition: endpoints.Edition,
    vault: str | None,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Probe every endpoint through a proxy: status 0 for pass and warn, 2 for fail, 1 for a usage error."""
    from arcgateway import preflight as probes
    from arcgateway import trust
    from arcgateway.proxy import ProxySettings, ProxyUrl

    settings = _checked(
        lambda: ProxySettings(
            https=ProxyUrl.parse(proxy),
            http=ProxyUrl.parse(proxy_http) if proxy_http else None,
            certificate=trust.read_certificate_file(proxy_cert) if proxy_cert else None,
        )
    )
    roots = _checked(lambda: [trust.read_certificate_file(path) for path in genuine])
    rows = _checked(
        lambda: (
            [_named(name) for name in names]
            or list(endpoints.required(gateway, region, scenarios, edition, vault=vault))
        )
    )
    done = 0

    def progress(result: probes.Result) -> None:
        nonlocal done
        done += 1
        if sys.stderr.isatty():
            click.echo(f"\r{done} of {len(rows)}  {result.host:<60.60}", err=True, nl=False)

    report = probes.run(rows, settings, roots, timeout=timeout or probes.TIMEOUT, progress=progress)
    if sys.stderr.isatty():
        click.echo("\r" + " " * 80 + "\r", err=True, nl=False)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        _show(report.results)
        click.echo(f"{report.verdict}: {len(rows)} endpoints through {report.proxy}")
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
@_JSON
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
            states = fleet.export_states(stacks, all_stacks, os.environ, _tell)
    except Failure as failure:
        if orphans or stacks or all_stacks or state_files:
            raise
        states = None
        _tell(f"no states were read, so nothing is said of who holds what: {failure}")
    held = [holding for name, text in (states or {}).items() for holding in fleet.read_state(text, name)]
    looked = fleet.with_holders(fleet.clusters(_arm(), chosen, resource_group, _tell), held, chosen, resource_group)
    shown = [one for one in looked if one.orphan] if orphans else looked
    if as_json:
        rows = [one.as_json(states_read=states is not None) for one in shown]
        click.echo(json.dumps({"states": None if states is None else list(states), "clusters": rows}, indent=2))
    elif shown:
        print_table(*fleet.table(shown, states_read=states is not None))
    if not shown:
        _tell(f"no {'orphans' if orphans else 'connected clusters'} in {', '.join(chosen)}")
    if orphans and shown:
        _tell(f"\nconnected by a stack and held by none of the states {', '.join(states or ())}; for each:")
        for one in shown:
            _tell(f"{one.id.name}: {one.mend}")
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
    looked = fleet.clusters(reader, [_subscription(subscription)], resource_group, _tell)
    chosen = adoption.chosen_gateway(gateway, looked, adoption.gateways(reader, subscription))
    resource = reader.get(str(chosen), arm.GATEWAYS)
    if resource is None:
        raise Failure(f"there is no gateway {chosen}, though clusters name it", "associate them with another one first")
    made = adoption.adopt(looked, chosen, resource if import_file else None)
    if contexts:
        made = adoption.with_contexts(made, os.environ, _tell)
    if path is None:
        click.echo(adoption.merged("", made), nl=False)
    else:
        before = _text(path) if path.exists() else ""
        after = adoption.merged(before, made)
        if after != before:
            _replace(path, after)
        _tell(f"{path.name} {'is changed' if after != before else 'says so already'}")
    if import_file:
        _replace(import_file, made.import_file())
    for line in made.notes(stack, import_file):
        _tell(line)


audit_command.register(_group, _SCENARIO, _EDITION, _VAULT, _JSON)


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


def _checked(make: Callable[[], T]) -> T:
    try:
        return make()
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _arm() -> Arm:
    """Azure for the login of the environment, or else that of `az`."""
    from arcgateway.arm import Arm
    from arcgateway.proxy import ProxySettings

    return Arm(ProxySettings(), os.environ, lambda audience: _az().access_token(audience))


def _az() -> AzureCli:
    from arcgateway.azure_cli import AzureCli
    from arcgateway.lifeline import Lifeline
    from arcgateway.proxy import ProxySettings
    from arcgateway.redaction import Redactor

    return AzureCli(os.environ, ProxySettings(), None, Lifeline(), Redactor(), lambda _line: None)


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
    return sys.stdin.read() if name == "-" else _text(Path(name))


def _text(path: Path) -> str:
    try:
        # As bytes, so that a file's own line ends stay.
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise Failure(f"{path} cannot be read ({reason})", "name a file that can") from None


def _replace(path: Path, text: str) -> None:
    """Write a file aside and put it in place, so that no half of it is ever read."""
    aside = path.with_name(f".{path.name}.aside")
    try:
        aside.write_bytes(text.encode())
        if path.exists():
            shutil.copymode(path, aside)
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise Failure(f"{path} cannot be written ({error.strerror})", "choose another place") from None


def _named(text: str) -> endpoints.Endpoint:
    from arcgateway.preflight import endpoint

    host, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        host, port = text, "443"
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is no endpoint: give HOST or HOST:PORT")
    name = host.removeprefix("*.") if host.startswith("*.") else host
    endpoints.host_of(name)
    return endpoint(host.lower(), int(port))


def _as_json(row: endpoints.Endpoint) -> dict[str, Any]:
    shown = ("host", "port", "protocol", "purpose", "scenario", "edition", "hop", "carried", "source", "checked")
    return {name: getattr(row, name) for name in shown}


def _show(results: Iterable[Any]) -> None:
    found = list(results)
    print_table(
        ("HOST", "PORT", "VERDICT", "CAUSE", "MS"),
        [(item.host, str(item.port), item.verdict, item.cause, str(item.milliseconds)) for item in found],
    )
    for item in found:
        if item.verdict != "pass":
            click.echo(f"\n{item.host}:{item.port}  {item.cause}\n  seen: {item.evidence}\n  mend: {item.mend}")
    click.echo()
