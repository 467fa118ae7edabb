"""What the traffic in proxies' logs says of the allowlist: what is needed, what is on no list, what may be closed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from arcgateway import endpoints
from arcgateway.endpoints import Edition, Endpoint
from arcgateway.errors import Failure
from arcgateway.traffic import OTHERS, Count, Kind, Lines, Place, Tally, Way, total

WAYS: tuple[Way, ...] = ("gateway", "direct", "unknown")

#: The share of lines that may be unread in logs that are to prove something.
UNREAD_LIMIT = 0.01

#: Seconds that logs must cover after the association, at least: agents change over within an hour.
AT_LEAST = 3600.0

Verdict = Literal["unused", "used", "unproven"]

_INSIDE = (".svc", ".cluster.local", ".local", ".internal")


@dataclass(frozen=True)
class Lists:
    """The published lists, for some regions and scenarios.

    Attributes:
        required: must be open for the clusters, with the gateway where there is one.
        removable: what the gateway makes superfluous in all the regions.
        others: names of scenarios that were not chosen, and of the deployment machine.
    """

    required: tuple[Endpoint, ...] = ()
    removable: tuple[Endpoint, ...] = ()
    others: tuple[Endpoint, ...] = ()

    @classmethod
    def of(
        cls,
        regions: Sequence[str],
        gateway: str | None,
        scenarios: Iterable[str] = (),
        edition: Edition = "both",
        *,
        vault: str | None = None,
    ) -> Lists:
        """The lists for regions; without any region they are empty. Takes the arguments of `endpoints.required`.

        Raises:
            ValueError: as `endpoints.required`.
        """
        chosen = tuple(scenarios)
        required: list[Endpoint] = []
        removable: list[Endpoint] = []
        others: list[Endpoint] = []
        for region in regions:
            required += endpoints.required(gateway, region, chosen, edition, vault=vault)
            if gateway:
                removable += endpoints.removable(gateway, region, chosen, edition, vault=vault)
            for with_gateway in (gateway, None):
                others += endpoints.required(
                    with_gateway, region, endpoints.scenarios(), vault=vault, hops=("agents", "nodes", "workstation")
                )
        kept = [row for row in removable if not any(_admits(row, needed) for needed in required)]
        return cls(_once(required), _once(kept), _once(others))

    def index(self) -> Index:
        """For looking names up, in the order of what counts."""
        return Index((*self.required, *self.removable, *self.others))


def _admits(row: Endpoint, needed: Endpoint) -> bool:
    return row.port == needed.port and endpoints.covers(row.host, needed.host)


def _once(rows: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    return tuple({(row.host, row.port): row for row in reversed(tuple(rows))}.values())[::-1]


class Index:
    """Which listed name or pattern admits a host; the first one that does, and a name before a pattern."""

    def __init__(self, rows: Iterable[Endpoint]) -> None:
        self._rows: dict[tuple[str, int], Endpoint] = {}
        for row in rows:
            self._rows.setdefault((row.host, row.port), row)

    def find(self, host: str, port: int) -> Endpoint | None:
        """The row, or None."""
        found = self._rows.get((host, port))
        rest = host
        while found is None and "." in rest:
            rest = rest.partition(".")[2]
            found = self._rows.get((f"*.{rest}", port))
        return found

    def pattern(self, host: str, port: int) -> str | None:
        """The row's name or pattern, or None."""
        found = self.find(host, port)
        return found.host if found else None


@dataclass(frozen=True)
class Row:
    """One destination, with all that was seen of it.

    Attributes:
        place: host and port; `OTHERS` for all that were not told apart.
        listed: on which list it is: gateway, required, removable, `scenario NAME`, workstation, listed, in-cluster,
            unlisted; "" where no lists were asked for.
        carried: whether the gateway carries it, as published; None for what is on no list.
        kinds: the counts.
    """

    place: Place
    listed: str
    carried: bool | None
    kinds: Mapping[Kind, Count]

    @property
    def all(self) -> Count:
        """Everything together."""
        return total(self.kinds.values())

    @property
    def failures(self) -> int:
        """Connections that did not come about."""
        return sum(count.requests for kind, count in self.kinds.items() if kind.cause)

    def by(self, way: Way, cluster: str | None = None) -> Count:
        """What went one way, in all clusters or in one."""
        return total(count for kind, count in self.kinds.items() if kind.way == way and cluster in (None, kind.cluster))

    def failures_by(self, way: Way) -> int:
        """Failures of one way."""
        return sum(count.requests for kind, count in self.kinds.items() if kind.cause and kind.way == way)

    @property
    def causes(self) -> dict[str, int]:
        """Why connections did not come about, the most frequent first."""
        found: dict[str, int] = {}
        for kind, count in self.kinds.items():
            if kind.cause:
                found[kind.cause] = found.get(kind.cause, 0) + count.requests
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    @property
    def clusters(self) -> tuple[str, ...]:
        """Where it was seen."""
        return tuple(sorted({kind.cluster for kind in self.kinds}))

    @property
    def stray(self) -> bool:
        """Whether it is on no list, or went past the gateway that carries it."""
        bypassed = self.listed == "removable" and self.by("direct").requests > 0
        return self.listed in ("unlisted", "in-cluster") or bypassed or self.place == OTHERS


@dataclass(frozen=True)
class Closable:
    """Whether a name that the gateway makes superfluous may be closed.

    Attributes:
        endpoint: the listed name.
        verdict: unused, used, or unproven where the logs cannot tell.
        evidence: why, in a sentence.
        direct: connections past the gateway; without those before the association, where its time is known.
        through: connections through the gateway.
        unknown: connections whose way the logs do not tell.
    """

    endpoint: Endpoint
    verdict: Verdict
    evidence: str
    direct: Count
    through: Count
    unknown: Count


@dataclass(frozen=True)
class Problem:
    """A log or a cluster that could not be read, or not wholly."""

    where: str
    cause: str
    mend: str

    def __str__(self) -> str:
        prefix = "" if self.where in self.cause else f"{self.where}: "
        return f"{prefix}{self.cause}: {self.mend}"


@dataclass
class Report:
    """The whole result.

    Attributes:
        rows: destinations, the busiest first.
        lines: how the lines were read, all together.
        sources: the same for each log.
        closable: a verdict for each name that the gateway makes superfluous.
        gateway: the gateway's name that the lists are for; None without one.
        regions: the regions that the lists are for.
        problems: what could not be read.
    """

    rows: list[Row]
    lines: Lines
    sources: Sequence[Lines]
    closable: list[Closable]
    gateway: str | None
    regions: Sequence[str]
    problems: Sequence[Problem] = field(default_factory=list)

    @property
    def strays(self) -> list[Row]:
        """What `--check` is about."""
        return [row for row in self.rows if row.stray]

    @property
    def complete(self) -> bool:
        """Whether every log was read, and every line but a few understood."""
        return not self.problems and self.lines.unread_share <= UNREAD_LIMIT

    def as_json(self) -> dict[str, Any]:
        """All of it, under camelCase names."""
        return {
            "complete": self.complete,
            "lines": _lines_json(self.lines),
            "gateway": self.gateway,
            "regions": list(self.regions),
            "destinations": [_row_json(row) for row in self.rows],
            "removable": [_closable_json(one) for one in self.closable],
            "sources": [
                {"name": one.name, "cluster": one.cluster or None, "notes": one.notes, **_lines_json(one)}
                for one in self.sources
            ],
            "problems": [vars(problem) for problem in self.problems],
        }


def assess(
    tally: Tally,
    sources: Sequence[Lines],
    lists: Lists,
    *,
    gateway: str | None = None,
    regions: Sequence[str] = (),
    problems: Sequence[Problem] = (),
    associated: float | None = None,
    at_least: float = AT_LEAST,
    now: float | None = None,
) -> Report:
    """Judge what was counted.

    Args:
        tally: the counts.
        sources: how each log was read.
        lists: the published lists; empty ones for none.
        gateway: the gateway that these are for.
        regions: the regions that these are for.
        problems: what could not be read: then nothing counts as unused.
        associated: when the last cluster was associated (seconds since the epoch): only what comes after counts.
        at_least: seconds that the logs must cover from then on, for a name to count as unused.
        now: until when logs of running pods reach (seconds since the epoch).
    """
    index = lists.index()
    required, removable = (
        frozenset((row.host, row.port) for row in rows) for rows in (lists.required, lists.removable)
    )

    def listed(place: Place) -> tuple[str, bool | None]:
        if place == OTHERS or not lists.required:
            return "", None
        if tally.is_gateway(place.host):
            return "gateway", False
        row = index.find(*place)
        if row is None:
            return ("in-cluster" if _inside(place.host) else "unlisted"), None
        key = (row.host, row.port)
        if key in required or key in removable:
            return ("required" if key in required else "removable"), row.carried
        if row.hop == "workstation":
            return "workstation", row.carried
        return (f"scenario {row.scenario}" if row.scenario != endpoints.ALWAYS else "listed"), row.carried

    rows = [Row(place, *listed(place), kinds) for place, kinds in tally.places.items()]
    rows.sort(key=lambda row: (row.place == OTHERS, -row.all.requests, row.place))
    lines = Lines("all")
    for source in sources:
        lines.add(source)
    report = Report(rows, lines, sources, [], gateway, regions, problems)
    judge = _Judge(report, associated, at_least, now)
    report.closable += [judge.verdict(row, index) for row in lists.removable]
    return report


class _Judge:
    """Says of a removable name whether the logs prove that nobody needs it."""

    def __init__(self, report: Report, associated: float | None, at_least: float, now: float | None) -> None:
        self._report = report
        self._associated = associated
        self._reasons = tuple(self._doubts(at_least, now))

    def verdict(self, endpoint: Endpoint, index: Index) -> Closable:
        """The verdict on one name."""
        seen = [row for row in self._report.rows if self._is(row.place, endpoint, index)]
        through, direct, unknown = (self._after(seen, way) for way in WAYS)
        word: Verdict
        if direct.requests:
            users = sorted({kind.cluster for row in seen for kind in row.kinds if kind.way == "direct"} - {""})
            by = f" from {', '.join(users)}" if users else ""
            word, why = "used", f"past the gateway{by}, the last time {_at(direct.last)} ({_times(direct.requests)})"
        elif unknown.requests:
            word = "unproven"
            why = f"the logs do not tell by which way it was asked for {_times(unknown.requests)}"
        elif reason := next(iter(self._reasons), ""):
            word, why = "unproven", reason
        else:
            word, why = "unused", f"never past the gateway in {self._covered()}"
        if through.requests and word != "used":
            why += f"; through the gateway {_times(through.requests)}, the last {_at(through.last)}"
        return Closable(endpoint, word, why, direct, through, unknown)

    @staticmethod
    def _is(place: Place, endpoint: Endpoint, index: Index) -> bool:
        if place.port != endpoint.port or not endpoints.covers(endpoint.host, place.host):
            return False
        row = index.find(*place)
        return place.host == endpoint.host or (row is not None and row.host == endpoint.host)

    def _after(self, rows: Iterable[Row], way: Way) -> Count:
        """What went a way, but for kinds of connections that were not met after the association."""
        return total(
            count
            for row in rows
            for kind, count in row.kinds.items()
            if kind.way == way and not (self._associated is not None and -float("inf") < count.last < self._associated)
        )

    def _doubts(self, at_least: float, now: float | None) -> Iterable[str]:
        report = self._report
        if not report.lines.read:
            yield "no line of the logs tells of a connection"
        if report.problems:
            yield f"{', '.join(sorted({problem.where for problem in report.problems}))} could not be read"
        if report.lines.unread_share > UNREAD_LIMIT:
            yield f"{report.lines.unread_share:.1%} of the lines could not be read"
        covered = self._span(now)
        if covered is not None and covered < at_least:
            yield f"the logs cover {_long(covered)}{self._since()}, and {_long(at_least)} are asked for"

    def _span(self, now: float | None) -> float | None:
        """Seconds that the logs of every cluster cover; None where no line told a time."""
        spans = []
        for cluster in {source.cluster for source in self._report.sources}:
            periods = [one.period for one in self._report.sources if one.cluster == cluster and one.period.last > 0]
            firsts = [period.first for period in periods]
            # A pod that is younger than another may have taken the place of one whose log is gone; files follow one
            # another.
            begin = (max if cluster else min)(firsts, default=0.0)
            end = now if cluster and now is not None else total(periods).last
            spans.append(max(0.0, end - max(begin, self._associated or 0)) if periods else 0.0)
        return min(spans, default=None)

    def _since(self) -> str:
        return " since the association" if self._associated is not None else ""

    def _covered(self) -> str:
        period = self._report.lines.period
        begin = max(period.first, self._associated or 0)
        return f"{self._report.lines.all:,} lines from {_at(begin)} to {_at(period.last)}"


def _inside(host: str) -> bool:
    """Whether a destination lies in the cluster or beside it: it belongs into the skip range."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith(_INSIDE)


def rfc3339(moment: float) -> str | None:
    """A time for programs, None for one that nobody told."""
    if not -62_135_596_800 < moment < 253_402_300_799:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _at(moment: float) -> str:
    return rfc3339(moment) or "at an unknown time"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _long(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"


def _count_json(count: Count) -> dict[str, Any]:
    return {
        "requests": count.requests,
        "bytesUp": count.up,
        "bytesDown": count.down,
        "first": rfc3339(count.first),
        "last": rfc3339(count.last),
    }


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "host": row.place.host or None,
        "port": row.place.port or None,
        "list": row.listed or None,
        "carried": row.carried,
        **_count_json(row.all),
        "failures": row.failures,
        "causes": row.causes,
        "ways": {
            way: {**_count_json(row.by(way)), "failures": row.failures_by(way)} for way in WAYS if row.by(way).requests
        },
        "clusters": {
            cluster: {way: row.by(way, cluster).requests for way in WAYS} for cluster in row.clusters if cluster
        },
    }


def _closable_json(one: Closable) -> dict[str, Any]:
    return {
        "host": one.endpoint.host,
        "port": one.endpoint.port,
        "purpose": one.endpoint.purpose,
        "hop": one.endpoint.hop,
        "scenario": one.endpoint.scenario,
        "verdict": one.verdict,
        "evidence": one.evidence,
        "direct": _count_json(one.direct),
        "throughGateway": _count_json(one.through),
        "unknown": _count_json(one.unknown),
    }


def _lines_json(lines: Lines) -> dict[str, Any]:
    return {
        "total": lines.all,
        "read": lines.read,
        "unread": lines.unread,
        "withoutDestination": lines.nowhere,
        "remarks": lines.remarks,
        "beforeSince": lines.older,
        "repeated": lines.again,
        "ofOtherClients": lines.elsewhere,
        "unreadShare": round(lines.unread_share, 6),
        "forms": lines.forms,
        "samples": lines.samples,
        "from": rfc3339(lines.period.first),
        "to": rfc3339(lines.period.last),
    }


def problem(where: str, failure: Failure) -> Problem:
    """A failure as one log's or one cluster's problem."""
    return Problem(where, failure.cause, failure.mend)
