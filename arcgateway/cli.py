"""The `arcgateway` command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from arcgateway import __version__, endpoints

T = TypeVar("T")

#: What `preflight` exits with when an endpoint failed. Usage errors are 1.
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
        _table(
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
    _table(
        ("HOST", "PORT", "VERDICT", "CAUSE", "MS"),
        [(item.host, str(item.port), item.verdict, item.cause, str(item.milliseconds)) for item in found],
    )
    for item in found:
        if item.verdict != "pass":
            click.echo(f"\n{item.host}:{item.port}  {item.cause}\n  seen: {item.evidence}\n  mend: {item.mend}")
    click.echo()


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
