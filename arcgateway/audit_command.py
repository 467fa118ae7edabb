"""`arcgateway audit`: its options, and where it reads from."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from arcgateway import endpoints
from arcgateway.audit_output import show_csv, show_json, show_text, tell, watched
from arcgateway.errors import Failure
from arcgateway.options import EDITION, JSON, SCENARIO, VAULT
from arcgateway.times import seconds

if TYPE_CHECKING:
    from arcgateway.audit import Lists, Report
    from arcgateway.kube import Cluster
    from arcgateway.logforms import Vantage
    from arcgateway.traffic import Reader, Tally

F = TypeVar("F", bound=Callable[..., Any])

#: What the command exits with where `--check` found something, and where something could not be read.
FOUND, INCOMPLETE = 2, 3

#: Stands for the gateway's name until a log tells it: what a gateway makes superfluous is the same for each.
_ANY_GATEWAY = "any.gw.arc.azure.com"

#: Clusters that are asked for their region at once.
_SIDE_BY_SIDE = 8


def _duration(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """Seconds."""
    if value is None:
        return None
    found = seconds(value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no duration: give one like 90s, 10m, 2h or 3d")
    return found


def _time(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """Seconds since the epoch, of a time or of so long ago."""
    from arcgateway.logforms import moment

    if value is None:
        return None
    ago = seconds(value)
    found = time.time() - ago if ago is not None else moment(value) if value[4:5] == "-" else None
    if found is None:
        raise click.BadParameter(f"{value!r} is no time: give one like 2026-11-24T10:00:00Z, or 2h for two hours ago")
    return found


def command() -> click.Command:
    """The command `arcgateway audit`."""
    whole = _command
    for option in (JSON, VAULT, EDITION, SCENARIO):
        whole = option(whole)
    return click.command("audit")(whole)


@click.argument("more", nargs=-1, metavar="[LOG]...")
@click.option(
    "--file",
    "files",
    multiple=True,
    metavar="LOG",
    help="Read logs from files instead of clusters, - for standard input; packed ones too; may be repeated.",
)
@click.option("--context", "contexts", multiple=True, metavar="C", help="A context of the kubeconfig; may be repeated.")
@click.option("--all-contexts", is_flag=True, help="All contexts of the kubeconfig, not the current one alone.")
@click.option("--since", callback=_time, metavar="T", help="Only what is younger: 10m, 2h, 3d, or a time.")
@click.option("--follow", is_flag=True, help="Go on as connections come, until Ctrl-C or --duration.")
@click.option("--duration", callback=_duration, metavar="D", help="How long to follow: 90s, 10m, 2h.")
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="R",
    help="The clusters' Azure region, for the lists; may be repeated.  [default: what the clusters' agents say]",
)
@click.option("--gateway", metavar="HOST", help="The gateway's endpoint.  [default: the one that the logs name]")
@click.option(
    "--gateway-upstream",
    "upstreams",
    multiple=True,
    metavar="NAME",
    help="An upstream (address, host or Envoy cluster) that is the gateway in logs that show no host names; may be "
    "repeated. Every other upstream then counts as direct.",
)
@click.option(
    "--log-of",
    type=click.Choice(["arc-proxy", "enterprise-proxy"]),
    help="Whose logs they are.  [default: by their form: squid's and common ones are the enterprise proxy's]",
)
@click.option(
    "--format",
    "expression",
    metavar="REGEX",
    help="A form of your own, by named groups: target (or host, port), time, status, up, down, upstream, ...",
)
@click.option(
    "--client",
    "clients",
    multiple=True,
    metavar="ADDRESS",
    help="Only connections of this address or network, in logs that name clients: the clusters' nodes in the "
    "enterprise proxy's log; may be repeated.",
)
@click.option(
    "--associated-at",
    callback=_time,
    metavar="T",
    help="When the last cluster was associated (the stack's output associatedAt): only later use keeps a name open.",
)
@click.option(
    "--at-least",
    callback=_duration,
    default="1h",
    show_default=True,
    metavar="D",
    help="How long the logs must cover before a name counts as unused.",
)
@click.option("--removable", is_flag=True, help="Show only what the gateway makes superfluous, with the evidence.")
@click.option("--check", is_flag=True, help="Status 2 where traffic is on no list, or goes past the gateway.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
def _command(
    more: Sequence[str],
    files: Sequence[str],
    contexts: Sequence[str],
    all_contexts: bool,
    since: float | None,
    follow: bool,
    duration: float | None,
    regions: Sequence[str],
    gateway: str | None,
    upstreams: Sequence[str],
    log_of: Vantage | None,
    expression: str | None,
    clients: Sequence[str],
    associated_at: float | None,
    at_least: float,
    removable: bool,
    check: bool,
    as_csv: bool,
    scenarios: Sequence[str],
    edition: endpoints.Edition,
    vault: str | None,
    as_json: bool,
) -> None:
    """Show where clusters' traffic goes, by the Arc Proxy's logs: through the gateway, past it, to names on no list.

    Reads the logs of the pods arc-proxy-* of the current context's cluster, of other contexts, or of files. Status 0:
    all was read; 1: nothing could be read, or wrong usage; 2: --check found something; 3: something could not be read.
    """
    from arcgateway import logforms, traffic

    files = (*files, *more)
    if files and (contexts or all_contexts or follow):
        raise click.UsageError("logs come from files or from clusters: give --file alone, or --context and --follow")
    if duration is not None and not follow:
        raise click.UsageError("--duration says how long to follow: give --follow too")
    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two outputs: give one of them")
    if files.count("-") > 1:
        raise click.UsageError("standard input can be read once: give one -")
    forms = logforms.FORMS
    if expression:
        forms = (_valid(lambda: logforms.custom(expression)), *forms)
    _valid(lambda: _lists(regions or ("eastus",), gateway, scenarios, edition, vault))

    admits = _valid(lambda: logforms.clients(clients)) if clients else None

    reached = [] if files else _clusters(contexts, all_contexts)
    regions = regions or _regions_of(reached)
    index = _lists(regions, gateway or _ANY_GATEWAY, scenarios, edition, vault).index()
    gateways = {endpoints.host_of(gateway)} if gateway else set()
    tally = traffic.Tally(gateways, index.pattern, upstreams=upstreams)
    work = _Work(tally, forms=forms, vantage=log_of, since=since, clients=admits)

    def report() -> Report:
        from arcgateway.audit import assess

        named = gateway or next(iter(sorted(tally.gateways_seen)), None)
        # Only a cluster with a gateway has an Arc Proxy, also when nothing goes through it.
        proxied = any("arc-proxy" in lines.vantages for lines in work.sources)
        return assess(
            tally,
            work.sources,
            _lists(regions, named or (_ANY_GATEWAY if proxied else None), scenarios, edition, vault),
            gateway=endpoints.host_of(named) if named else None,
            regions=regions,
            problems=work.problems,
            associated=associated_at,
            at_least=at_least,
            now=time.time(),
        )

    live = sys.stdout.isatty() and not (as_json or as_csv)
    with watched(report, lambda: work.sources, live) as tick:
        if files:
            work.read_files(files, tick)
        else:
            work.read_clusters(reached, since, follow, duration, tick)
    made = report()
    for problem in work.problems:
        tell(str(problem))
    if work.problems and not made.lines.all:
        sys.exit(1)
    for source in made.sources:
        for note in source.notes:
            tell(f"{source.name}: {note}")
    show = show_json if as_json else show_csv if as_csv else show_text
    show(made, removable)
    sys.exit(_status(made, check))


def _status(report: Report, check: bool) -> int:
    if check and report.strays:
        return FOUND
    return 0 if report.complete else INCOMPLETE


def _lists(
    regions: Sequence[str], gateway: str | None, scenarios: Sequence[str], edition: endpoints.Edition, vault: str | None
) -> Lists:
    from arcgateway.audit import Lists

    return Lists.of(regions, gateway, scenarios, edition, vault=vault)


def _valid(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ValueError as error:
        raise click.UsageError(str(error)) from None


# --- where it reads from ---


def _clusters(contexts: Sequence[str], all_contexts: bool) -> list[Cluster]:
    from arcgateway import kubeconfig
    from arcgateway.kube import Cluster

    names: list[str | None] = list(dict.fromkeys(contexts)) or [None]
    if all_contexts:
        names = list(kubeconfig.contexts(os.environ))
    return [Cluster(kubeconfig.read(name, os.environ), os.environ) for name in names]


def _regions_of(clusters: Sequence[Cluster]) -> tuple[str, ...]:
    """What the clusters' agents say; nothing where they cannot be asked, which reading the logs will tell as well."""
    from concurrent.futures import ThreadPoolExecutor

    def region(cluster: Cluster) -> str | None:
        try:
            found = cluster.region()
            return endpoints.region_name(found) if found else None
        except (Failure, ValueError):
            return None

    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        return tuple(sorted({found for found in pool.map(region, clusters) if found}))


class _Work:
    """Feeds logs to readers, and keeps what is to be said of each.

    Args:
        tally: where connections are counted.
        options: for each `traffic.Reader`.
    """

    def __init__(self, tally: Tally, **options: Any) -> None:
        self._tally = tally
        self._options = options
        self._readers: dict[tuple[str, str], Reader] = {}
        self._failures: dict[tuple[str, str], Failure] = {}

    @property
    def sources(self) -> list[Any]:
        """How each log was read."""
        return [reader.lines for reader in self._readers.values()]

    @property
    def problems(self) -> list[Any]:
        """What could not be read."""
        from arcgateway.audit import problem

        return [problem(" ".join(filter(None, where)), failure) for where, failure in self._failures.items()]

    def read_files(self, names: Sequence[str], tick: Callable[[], None]) -> None:
        """Read files, one after the other."""
        from arcgateway import logfiles

        for name in names:
            reader = self._reader("", "standard input" if name == logfiles.STDIN else name, stamped=False)
            try:
                with logfiles.opened(name) as stream:
                    for block in logfiles.blocks(stream, name):
                        reader.feed(block)
                        tick()
            except Failure as failure:
                self._failures["", name] = failure

    def read_clusters(
        self,
        clusters: Sequence[Cluster],
        since: float | None,
        follow: bool,
        duration: float | None,
        tick: Callable[[], None],
    ) -> None:
        """Read or follow the logs of clusters' pods. Following ends by Ctrl-C, by SIGTERM or in time."""
        from arcgateway.podlogs import PodLogs

        deadline = time.monotonic() + duration if duration is not None else None
        try:
            with _stoppable(), closing(PodLogs(clusters, since=since, follow=follow).events()) as events:
                for event in events:
                    self._take(event)
                    tick()
                    if deadline is not None and time.monotonic() >= deadline:
                        return
        except KeyboardInterrupt:
            if not follow:
                raise

    def _take(self, event: Any) -> None:
        from arcgateway.podlogs import Block

        if event is None:
            return
        where = (event.cluster, event.log)
        if isinstance(event, Block):
            self._failures.pop(where, None)
            self._reader(*where, stamped=True).feed(event.lines)
        elif event.failure is not None:
            self._failures[where] = event.failure
        elif event.text:
            lines = self._reader(*where, stamped=True).lines
            if event.text not in lines.notes:
                lines.notes.append(event.text)
            if event.lost:
                lines.lose()
        else:
            self._failures.pop(where, None)

    def _reader(self, cluster: str, log: str, *, stamped: bool) -> Reader:
        from arcgateway.traffic import Lines, Reader

        if (cluster, log) not in self._readers:
            lines = Lines(f"{cluster} {log}".strip(), cluster)
            # kubectl has left out the lines from before --since; what ends after it may have begun before.
            options = self._options | ({"since": None} if stamped else {})
            self._readers[cluster, log] = Reader(self._tally, lines, stamped=stamped, **options)
        return self._readers[cluster, log]


@contextmanager
def _stoppable() -> Iterator[None]:
    """Have SIGTERM end the work as Ctrl-C does, so that what was started is taken along."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
