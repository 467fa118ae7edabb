"""What `arcgateway preflight` does with what it is given."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from arcgateway import endpoints, no_proxy, preflight, trust
from arcgateway.proxy import ProxySettings, ProxyUrl
from arcgateway.results import Exemption, Report, Result

if TYPE_CHECKING:
    from rich.table import Table

_ELSEWHERE = "it is in the skip range, for the cluster to reach; this machine may be elsewhere"


@dataclass(frozen=True)
class Wanted:
    """What is to be probed, and how; checked.

    Attributes:
        rows: the endpoints.
        proxy: the way to them.
        genuine: PEM texts of roots that count as the endpoints' own.
        exceptions: failures that count for less.
        skip: the skip range as it was given; None for none.
        timeout: seconds for each endpoint; None for the default.
        idle: seconds of silence that each connection has to outlast.
    """

    rows: Sequence[endpoints.Endpoint]
    proxy: ProxySettings
    genuine: Sequence[str]
    exceptions: tuple[Exemption, ...]
    skip: no_proxy.SkipRange | None
    timeout: float | None
    idle: float

    def judged(self, report: Report) -> Report:
        """What was found, with what is to be said of the skip range, and with the exceptions."""
        findings = (*report.findings, *(self.skip.findings if self.skip else ()))
        return replace(report, findings=findings).excepting(self.exceptions)


def wanted(
    *,
    proxy: str | None,
    proxy_http: str | None,
    proxy_cert: Path | None,
    skip_range: str | None,
    genuine: Sequence[Path],
    names: Sequence[str],
    listed: Callable[[], Sequence[endpoints.Endpoint]],
    exceptions: Sequence[str],
    timeout: float | None,
    idle: float,
    inside: bool = False,
) -> Wanted:
    """Check what the command is given.

    Args:
        proxy, proxy_http, proxy_cert, skip_range: the way.
        genuine: PEM files.
        names: `HOST[:PORT]` of endpoints to probe instead of the listed ones.
        listed: the allowlist.
        exceptions: `HOST[=REASON]`.
        timeout, idle: as in `Wanted`.
        inside: the probe is made in the cluster, which is to reach what is in the skip range.

    Raises:
        ValueError: something of it is wrong; the message says what, and the mend.
    """
    skip = no_proxy.read(skip_range) if skip_range else None
    settings = ProxySettings(
        https=ProxyUrl.parse(proxy) if proxy is not None else None,
        http=ProxyUrl.parse(proxy_http) if proxy_http else None,
        skip=skip.entries if skip else (),
        certificate=trust.read_certificate_file(proxy_cert) if proxy_cert else None,
    )
    roots = [trust.read_certificate_file(path) for path in genuine]
    rows = [named(name) for name in names] or list(listed())
    excepted = [_exemption(text, rows) for text in exceptions]
    for host, port in skip.single_hosts() if skip else ():
        if not any((row.host, row.port) == (host, port) for row in rows):
            rows.append(replace(preflight.endpoint(host, port), purpose="in the skip range"))
            excepted += [] if inside else [Exemption(host, "warn", _ELSEWHERE)]
    return Wanted(rows, settings, roots, tuple(excepted), skip, timeout, idle)


def named(text: str) -> endpoints.Endpoint:
    """An endpoint that is given as `HOST` or `HOST:PORT`, an IPv6 address in brackets.

    Raises:
        ValueError: it is neither.
    """
    host, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        host, port = text, "443"
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is no endpoint: give HOST or HOST:PORT")
    if host.startswith("[") and host.endswith("]"):
        return preflight.endpoint(_address(host[1:-1], text), int(port))
    endpoints.host_name(host.removeprefix("*."))
    return preflight.endpoint(host.lower(), int(port))


def _address(host: str, text: str) -> str:
    import ipaddress

    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError:
        raise ValueError(f"{text!r} holds no IPv6 address in its brackets: give HOST or HOST:PORT") from None


def _exemption(text: str, rows: Sequence[endpoints.Endpoint]) -> Exemption:
    host, _, reason = text.partition("=")
    host = host.strip().lower()
    if not any(endpoints.covers(host, row.host) or endpoints.covers(host, row.probe) for row in rows):
        raise ValueError(f"no endpoint {host!r} is probed, so that it cannot be excepted: `--json` lists their names")
    return Exemption(host, "warn", reason.strip() or "excepted on the command line")


def carry_out(asked: Wanted) -> Report:
    """Probe, with a live table where somebody watches."""
    with _live(asked.rows) as progress:
        report = preflight.run(
            asked.rows, asked.proxy, asked.genuine, timeout=asked.timeout, idle=asked.idle, progress=progress
        )
    return asked.judged(report)


@contextmanager
def _live(rows: Sequence[endpoints.Endpoint]) -> Iterator[Callable[[Result], None] | None]:
    """A table on standard error that fills while the probes run, where that is a terminal; it is gone at the end."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.live import Live

    done: list[Result] = []
    console = Console(stderr=True)
    with Live(console=console, transient=True, auto_refresh=False) as live:
        live.update(_board(rows, done, console.height), refresh=True)

        def progress(result: Result) -> None:
            done.append(result)
            live.update(_board(rows, done, console.height), refresh=True)

        yield progress


def _board(rows: Sequence[endpoints.Endpoint], done: Sequence[Result], height: int) -> Table:
    """What is not right, what is waited for, and what is open, as far as it fits."""
    from rich.table import Table

    table = Table(title=f"{len(done)} of {len(rows)} endpoints", title_justify="left", box=None)
    for name in ("HOST", "PORT", "VERDICT", "CAUSE", "MS"):
        table.add_column(name, justify="right" if name == "MS" else "left", no_wrap=True)
    known = {(result.host, result.port) for result in done}
    lines = [
        (result.host, str(result.port), result.verdict, result.cause, str(result.milliseconds))
        for result in sorted(done, key=lambda result: result.verdict == "pass")
    ]
    waiting = [(row.host, str(row.port), "", "...", "") for row in rows if (row.host, row.port) not in known]
    bad = sum(result.verdict != "pass" for result in done)
    for line in [*lines[:bad], *waiting, *lines[bad:]][: max(1, height - 4)]:
        table.add_row(*line)
    return table
