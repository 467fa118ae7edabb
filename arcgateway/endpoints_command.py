"""`arcgateway endpoints` and `arcgateway endpoints diff`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from arcgateway import endpoints
from arcgateway.errors import Failure
from arcgateway.options import EDITION, FAILED, GATEWAY, JSON, SCENARIO, VAULT, checked, tell

if TYPE_CHECKING:
    from arcgateway.allowlist import Allowlist, Cluster
    from arcgateway.allowlist_diff import Difference, Shape
    from arcgateway.proxy import ProxyUrl
    from arcgateway.status import Reader

#: Names of the forms in `allowlist_formats.FORMS`, which is not imported for them: a test holds the two together.
FORMATS = ("table", "json", "csv", "plain", "squid", "azure-firewall", "edl", "networkpolicy", "cilium")
SHAPES = ("squid", "csv", "plain")

#: More than any list that people keep.
_LONGEST_LIST = 32 * 2**20

_REGION = click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="R",
    help="The clusters' Azure region, for example eastus; may be repeated. Not needed with --subscription.",
)
_SUBSCRIPTION = click.option(
    "--subscription",
    "subscriptions",
    multiple=True,
    metavar="S",
    help="Ask Azure when the clusters of this subscription were associated, for the time to close; may be repeated.",
)
_ASSOCIATED_AT = click.option(
    "--associated-at",
    "times",
    multiple=True,
    metavar="TIME",
    help="When a cluster was associated with the gateway (2026-01-31T10:20:00Z); may be repeated, the last one counts.",
)
_HOP = click.option(
    "--hop",
    "hops",
    type=click.Choice(["workstation", "nodes", "agents"]),
    multiple=True,
    help="Whose traffic; the clusters' (nodes, agents) by default.",
)


def command(arm: Callable[[], Reader]) -> click.Group:
    """The command `endpoints`.

    Args:
        arm: makes what Azure is asked with; called only where `--subscription` is given.
    """

    @click.group("endpoints", invoke_without_command=True)
    @_REGION
    @GATEWAY
    @SCENARIO
    @EDITION
    @VAULT
    @_HOP
    @click.option("--removable", is_flag=True, help="What the gateway makes superfluous, instead of what is needed.")
    @click.option(
        "--all", "everything", is_flag=True, help="What is needed, what may be closed and when, and what stays."
    )
    @_SUBSCRIPTION
    @_ASSOCIATED_AT
    @click.option("--format", "form", type=click.Choice(FORMATS), help="What to print.  [default: table]")
    @JSON
    @click.option("--plain", is_flag=True, help="Print HOST:PORT alone, one a line.")
    @click.option(
        "--proxy", metavar="URL", help="The enterprise proxy, for networkpolicy and cilium: pods reach it alone."
    )
    @click.pass_context
    def group(context: click.Context, /, **given: Any) -> None:
        """List the host names that must be open, with a gateway or without one; what may be closed, and from when."""
        if context.invoked_subcommand is None:
            _list(given, arm)
            return
        odd = [name for name in ("form", "as_json", "plain", "removable", "everything", "proxy") if given[name]]
        if odd:
            raise click.UsageError(f"give the options of {context.invoked_subcommand} after its name")
        context.obj = given

    @group.command("diff")
    @click.option("--file", "path", required=True, metavar="FILE", help="The list of the proxy; - for standard input.")
    @click.option("--form", "shape", type=click.Choice(SHAPES), help="What it is.  [default: told by its content]")
    @_REGION
    @GATEWAY
    @SCENARIO
    @EDITION
    @VAULT
    @_HOP
    @_SUBSCRIPTION
    @_ASSOCIATED_AT
    @JSON
    @click.pass_context
    def diff(context: click.Context, /, path: str, shape: Shape | None, as_json: bool, **given: Any) -> None:
        """Compare a proxy's list with what must be open: status 2 where something is missing."""
        before = context.obj or {}
        untold = {
            name for name in given if context.get_parameter_source(name) is click.core.ParameterSource.DEFAULT
        } & before.keys()
        _diff(path, shape, as_json, {**given, **{name: before[name] for name in untold}}, arm)

    return group


def _list(given: dict[str, Any], arm: Callable[[], Reader]) -> None:
    from arcgateway import allowlist_formats
    from arcgateway.proxy import ProxyUrl

    form = _form(given)
    proxy: ProxyUrl | None = checked(lambda: ProxyUrl.parse(given["proxy"])) if given["proxy"] else None
    removable, everything = given["removable"], given["everything"]
    if removable and everything:
        raise click.UsageError("--all holds what --removable lists: give one of them")
    if removable and not given["gateway"] and not given["subscriptions"]:
        raise click.UsageError("what a gateway makes superfluous is known only for a gateway: give its --gateway")
    made = _allowlist(given, arm)
    chosen = made.entries if everything else made.of("removable" if removable else "required")
    sheet = allowlist_formats.Sheet(chosen, made.heading, proxy)
    click.echo(allowlist_formats.render(form, sheet), nl=False)
    limits = allowlist_formats.FORMS[form].limits
    if limits:
        tell(f"{form} {limits.format(ports=' and '.join(map(str, sheet.ports)))}")
    for note in _notes(made, given, shown_removable=removable or everything, shown_kept=everything):
        tell(note)


def _form(given: dict[str, Any]) -> str:
    named = [given["form"]] if given["form"] else []
    named += [name for name, flag in (("json", "as_json"), ("plain", "plain")) if given[flag]]
    if len(set(named)) > 1:
        raise click.UsageError(f"{' and '.join(named)} cannot be printed at once: choose one format")
    return str(named[0]) if named else "table"


def _diff(path: str, shape: Shape | None, as_json: bool, given: dict[str, Any], arm: Callable[[], Reader]) -> None:
    from arcgateway import allowlist_diff

    text = _read(path)
    made = _allowlist(given, arm)
    folder = None if path == "-" else Path(path).resolve().parent
    try:
        found = allowlist_diff.compare(text, shape or allowlist_diff.shape_of(text, path), made, folder)
    except ValueError as error:
        raise Failure(f"{path} is no list of hosts", str(error)) from None
    if as_json:
        click.echo(json.dumps({"file": path, **found.as_json()}, indent=2))
    else:
        _show(found, path, made)
    sys.exit(FAILED if found.missing else 0)


def _show(found: Difference, path: str, made: Allowlist) -> None:
    from arcgateway.allowlist_formats import aligned

    def section(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        if rows:
            click.echo(f"{title}: {len(rows)}\n{aligned(head, rows)}")

    section(
        "missing",
        ("HOST", "PORT", "WHY", "PURPOSE"),
        [(one.endpoint.host, str(one.endpoint.port), one.reason, one.endpoint.purpose) for one in found.missing],
    )
    section(
        "too wide",
        ("LINE", "ENTRY", "MEND"),
        [(_number(one.line.number), one.line.text, one.mend) for one in found.too_wide],
    )
    section(
        "superfluous",
        ("LINE", "ENTRY", "WHY"),
        [(_number(one.line.number), one.line.text, one.reason) for one in found.superfluous],
    )
    section(
        "cannot be judged",
        ("LINE", "ENTRY", "WHY"),
        [(_number(one.number), one.text, one.reason) for one in found.unjudged],
    )
    for note in found.notes:
        tell(f"note: {note}")
    needed = len(made.of("required"))
    click.echo(
        f"{path} ({found.shape}): {needed - len(found.missing)} of {needed} needed names are open, "
        f"too wide: {len(found.too_wide)}, superfluous: {len(found.superfluous)}"
    )


def _number(number: int) -> str:
    return str(number or "-")


def _allowlist(given: dict[str, Any], arm: Callable[[], Reader]) -> Allowlist:
    from arcgateway import allowlist
    from arcgateway.times import SETTLING, moment

    regions = [region for text in given["regions"] for region in text.split(",") if region.strip()]
    gateway: str | None = given["gateway"]
    clusters: list[Cluster] = []
    if given["subscriptions"]:
        gateway, clusters = _asked(arm, given["subscriptions"], regions, gateway)
        if not regions and not clusters:
            raise Failure(
                f"there is no connected cluster in {', '.join(given['subscriptions'])}", "give their --region yourself"
            )
    elif not regions:
        raise click.UsageError("Missing option '--region': give the clusters' Azure region, for example eastus")
    times = [checked(lambda text=text: moment(text)) for text in given["times"]]  # type: ignore[misc]
    if times:
        places = regions or sorted({one.region for one in clusters})
        clusters += [allowlist.Cluster("the cluster given", place, max(times) + SETTLING) for place in places]
    return checked(
        lambda: allowlist.build(
            gateway,
            regions,
            given["scenarios"],
            given["edition"],
            vault=given["vault"],
            hops=given["hops"] or endpoints.CLUSTER_HOPS,
            clusters=clusters,
        )
    )


def _asked(
    arm: Callable[[], Reader], subscriptions: Iterable[str], regions: Sequence[str], gateway: str | None
) -> tuple[str | None, list[Cluster]]:
    """The gateway's endpoint and the clusters, as Azure has them."""
    from arcgateway import migration, status
    from arcgateway.ids import is_subscription

    for one in subscriptions:
        if not is_subscription(one):
            raise click.UsageError(f"{one!r} is no subscription's id: `az account list --output table` shows them")
    places = {checked(lambda region=region: endpoints.region_name(region)) for region in regions}  # type: ignore[misc]
    reader = arm()
    looked = status.clusters(reader, subscriptions, None, tell)
    endpoint = gateway or migration.endpoint_in_use(reader, looked)
    clusters = migration.clusters(looked)
    return endpoint, [one for one in clusters if not places or one.region in places]


def _notes(made: Allowlist, given: dict[str, Any], *, shown_removable: bool, shown_kept: bool) -> Iterable[str]:
    for region in made.regions:
        if endpoints.region_code(region) is None:
            yield f"no confirmed short name of {region}: *.his.arc.azure.com stands for it"
    counts = endpoints.published_counts(made.edition)
    if made.gateway and counts and counts[0] != counts[1]:
        yield f"the page of this edition counts {counts[0]} names with a gateway, and names {counts[1]}"
    needed = [entry.endpoint.host for entry in made.of("required")]
    # A pattern around names that are listed anyway is no news.
    kept = [
        f"{row.host}:{row.port}"
        for row in (entry.endpoint for entry in made.of("kept"))
        if not (row.host.startswith("*.") and any(endpoints.covers(row.host, host) for host in needed))
    ]
    if kept and not shown_kept:
        yield f"needed before, and best left open though no list of what stays names it (see --all): {', '.join(kept)}"
    removable = made.of("removable")
    waiting = sorted({name for entry in removable for name in entry.waiting})
    if waiting:
        yield (
            f"without a gateway yet, so that all of the list without one stays needed: {', '.join(waiting)} "
            "(`arcgateway endpoints` without --gateway prints it)"
        )
    if shown_removable and removable:
        yield (
            "close them an hour after the last association, and not for the deployment machine: it still needs "
            "what `arcgateway endpoints --hop workstation` lists"
        )


def _read(path: str) -> str:
    try:
        content = sys.stdin.buffer.read(_LONGEST_LIST + 1) if path == "-" else _bytes(Path(path))
    except OSError as error:
        raise Failure(f"{path} cannot be read ({error.strerror})", "name a file that can") from None
    if len(content) > _LONGEST_LIST:
        raise Failure(f"{path} is longer than {_LONGEST_LIST // 2**20} MiB", "give the part that lists host names")
    # What spreadsheets write, by its byte order mark.
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise Failure(f"{path} cannot be read (it is no UTF-8 text)", "save it as UTF-8") from None


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LONGEST_LIST + 1)
