"""Counts of connections by destination, in memory that does not grow with the logs.

A line costs two look-ups and a few additions: what its fields mean is asked once for each distinct set of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from arcgateway import logforms
from arcgateway.logforms import Envelope, Form, Vantage
from arcgateway.redaction import Redactor, foreign

#: By which way a connection went; `unknown` where the log does not tell.
Way = Literal["gateway", "direct", "unknown"]

#: Distinct destinations that are told apart; the rest is counted together.
DESTINATIONS = 10_000

#: Causes of failures that are told apart for one destination.
CAUSES = 12
OTHER_CAUSE = "other"

#: Sets of fields whose meaning is kept at hand by one reader.
_KEPT = 512

#: Lines that are shown of those that were not read, and their length.
SAMPLES, SAMPLE_LENGTH = 3, 160

GATEWAY_SUFFIX = ".gw.arc.azure.com"

_NEVER = float("inf")
_redact = Redactor()


class Place(NamedTuple):
    """A destination: host name or address in lower case, and port. Port 0 stands for all that are not told apart."""

    host: str
    port: int


OTHERS = Place("", 0)


class Kind(NamedTuple):
    """What is told apart within a destination.

    Attributes:
        cluster: where the log is from; "" for files.
        way: by which way.
        cause: "" for connections that came about, else why not.
    """

    cluster: str
    way: Way
    cause: str


@dataclass(slots=True)
class Count:
    """Connections of one kind to one destination.

    Attributes:
        requests: how many.
        up: bytes from the client.
        down: bytes to the client.
        first: seconds since the epoch; infinite where no line told a time.
        last: the same of the last; minus infinite where none did.
    """

    requests: int = 0
    up: int = 0
    down: int = 0
    first: float = _NEVER
    last: float = -_NEVER

    def add(self, other: Count) -> None:
        """Take another count in."""
        self.requests += other.requests
        self.up += other.up
        self.down += other.down
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)


def total(counts: Iterable[Count]) -> Count:
    """All of them together."""
    whole = Count()
    for count in counts:
        whole.add(count)
    return whole


@dataclass
class Lines:
    """How the lines of one log were read.

    Attributes:
        name: the log, for people.
        cluster: the context it is from; "" for files.
        forms: lines read, by form.
        unread: lines of no known form.
        nowhere: lines of a known form that name no destination.
        remarks: lines that are about no connection.
        older: lines of connections before the time asked for.
        again: lines that told a second time what others told.
        elsewhere: lines of clients that were not asked for.
        samples: some that were not read, without credentials.
        period: first and last time of connections; from the last gap on, where lines are known to be missing.
        notes: what else a person must know of this log.
    """

    name: str
    cluster: str = ""
    forms: dict[str, int] = field(default_factory=dict)
    unread: int = 0
    nowhere: int = 0
    remarks: int = 0
    older: int = 0
    again: int = 0
    elsewhere: int = 0
    samples: list[str] = field(default_factory=list)
    period: Count = field(default_factory=Count)
    vantages: set[Vantage] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    @property
    def read(self) -> int:
        """Lines that tell of a connection."""
        return sum(self.forms.values())

    @property
    def all(self) -> int:
        """All lines but empty ones."""
        return self.read + self.unread + self.nowhere + self.remarks + self.older + self.again + self.elsewhere

    @property
    def unread_share(self) -> float:
        """Of the lines that may tell of a connection, the share that was not read."""
        return (self.unread + self.nowhere) / max(1, self.all - self.remarks)

    def add(self, other: Lines) -> None:
        """Take another log's figures in, but for its name and notes."""
        for name, count in other.forms.items():
            self.forms[name] = self.forms.get(name, 0) + count
        for name in ("unread", "nowhere", "remarks", "older", "again", "elsewhere"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.samples += other.samples[: SAMPLES - len(self.samples)]
        self.period.add(other.period)
        self.vantages |= other.vantages

    def lose(self) -> None:
        """Lines are missing after those read so far: what the log covers begins anew."""
        self.period.first = _NEVER

    def show(self, line: bytes) -> None:
        """Keep a line to be shown, if there is room."""
        if len(self.samples) < SAMPLES:
            self.samples.append(sample(line))


def sample(line: bytes) -> str:
    """A line as it may be shown: cut, without credentials, and with nothing that a terminal would obey."""
    # Cut with room first, as a secret must not be halved out of its pattern's sight.
    text = foreign(_redact(line[: 8 * SAMPLE_LENGTH].decode("utf-8", "replace")))
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text.strip())
    return text if len(text) <= SAMPLE_LENGTH else text[: SAMPLE_LENGTH - 1] + "\N{HORIZONTAL ELLIPSIS}"


class Tally:
    """All destinations.

    Args:
        gateways: host names of the gateway, beside PREFIX.gw.arc.azure.com.
        listed: gives the listed pattern that admits a host, or None; past the limit, connections are counted under it.
        limit: how many destinations are told apart.
        upstreams: addresses and names of upstreams that are the gateway; where there are some, every other one is not.
    """

    def __init__(
        self,
        gateways: Iterable[str] = (),
        listed: Callable[[str, int], str | None] = lambda host, port: None,
        limit: int = DESTINATIONS,
        upstreams: Iterable[str] = (),
    ) -> None:
        self._gateways = frozenset(name.lower() for name in gateways)
        self._upstreams = frozenset(name.lower() for name in upstreams)
        self._listed = listed
        self._limit = limit
        self.places: dict[Place, dict[Kind, Count]] = {}
        #: Names of the gateway that were met.
        self.gateways_seen: set[str] = set()

    def is_gateway(self, name: str) -> bool:
        """Whether an upstream or a destination is the gateway."""
        return name.endswith(GATEWAY_SUFFIX) or name in self._gateways

    def open(self, known: logforms.Known, cluster: str, vantage: Vantage) -> Count:
        """The count that a kind of connection belongs to."""
        place = Place(known.host, known.port)
        if place not in self.places and len(self.places) >= self._limit:
            pattern = self._listed(known.host, known.port)
            place = Place(pattern, known.port) if pattern else OTHERS
        kinds = self.places.setdefault(place, {})
        way = self._way(known, vantage)
        kind = Kind(cluster, way, known.cause)
        if kind not in kinds and known.cause and self._causes(kinds) >= CAUSES:
            kind = kind._replace(cause=OTHER_CAUSE)
        return kinds.setdefault(kind, Count())

    @staticmethod
    def _causes(kinds: Iterable[Kind]) -> int:
        return len({kind.cause for kind in kinds if kind.cause})

    def _way(self, known: logforms.Known, vantage: Vantage) -> Way:
        for name in (*known.upstreams, known.host):
            if self.is_gateway(name):
                self.gateways_seen.add(name)
                return "gateway"
        if not self._upstreams.isdisjoint(known.upstreams):
            return "gateway"
        told = vantage == "enterprise-proxy" or known.host in known.upstreams or (self._upstreams and known.upstreams)
        return "direct" if told else "unknown"


class Reader:
    """Reads the lines of one log into a tally.

    Args:
        tally: where connections are counted.
        lines: where it is counted how the lines were read.
        forms: the forms to try.
        vantage: whose log it is; None to go by the form.
        since: seconds since the epoch; connections before are not counted.
        clients: whose connections are counted; None for all.
        stamped: every line begins with a time and a blank, as `kubectl logs --timestamps` puts them.
    """

    def __init__(
        self,
        tally: Tally,
        lines: Lines,
        forms: Sequence[Form] = logforms.FORMS,
        *,
        vantage: Vantage | None = None,
        since: float | None = None,
        clients: Callable[[logforms.Text], bool] | None = None,
        stamped: bool = False,
    ) -> None:
        self.lines = lines
        self._tally = tally
        self._forms = forms
        self._vantage = vantage
        self._since = -_NEVER if since is None else since
        self._clients = clients
        self._envelopes: Sequence[Envelope | None] = [logforms.stamped] if stamped else [None, *logforms.ENVELOPES]
        # What fitted last is tried first.
        self._envelope = self._envelopes[0]
        self._form = forms[0]
        self._kept: dict[tuple[logforms.Text, ...], Count] = {}

    def feed(self, block: Iterable[bytes]) -> None:
        """Count some lines, each without its end."""
        envelope, form, kept = self._envelope, self._form, self._kept
        read, since, clients, period = form.read, self._since, self._clients, self.lines.period
        first, last = period.first, period.last
        counted, last_time, moment = 0, None, None
        for raw in block:
            stamp, line = (None, raw) if envelope is None else envelope(raw) or (None, raw)
            found = read(line)
            if found is None:
                if not line.strip():
                    continue
                other = self._another(raw)
                if other is None:
                    self._strange(line)
                    continue
                self._credit(form, counted)
                counted = 0
                envelope, form, stamp, found = other
                read = form.read
                kept.clear()  # the same fields may mean something else in another form
            fields, (time, up, down, client) = found
            if clients is not None and not clients(client):
                self.lines.elsewhere += 1
                continue
            if time is None or time != last_time:
                last_time, moment = time, logforms.moment(time)
                if moment is None and stamp is not None:
                    last_time, moment = None, logforms.moment(stamp)
            if moment is not None:
                if moment < since:
                    self.lines.older += 1
                    continue
                if moment < first:
                    first = moment
                if moment > last:
                    last = moment
            count = kept.get(fields) or self._open(form, found, line)
            if count is None:
                continue
            counted += 1
            count.requests += 1
            if up:
                count.up += _whole(up)
            if down:
                count.down += _whole(down)
            if moment is not None:
                if moment > count.last:
                    count.last = moment
                if moment < count.first:
                    count.first = moment
        self._credit(form, counted)
        self._envelope, self._form = envelope, form
        period.first, period.last = first, last

    def _another(self, raw: bytes) -> tuple[Envelope | None, Form, bytes | None, logforms.Found] | None:
        """What else a line may be."""
        for envelope in self._envelopes:
            opened = (None, raw) if envelope is None else envelope(raw)
            if opened is None:
                continue
            for form in self._forms:
                found = form.read(opened[1])
                if found is not None:
                    return envelope, form, opened[0], found
        return None

    def _open(self, form: Form, found: logforms.Found, line: bytes) -> Count | None:
        """The count of what is met for the first time; None where the line tells of no connection."""
        if logforms.says_again(found):
            self.lines.again += 1
            return None
        known = logforms.understood(found[0])
        if not known.host:
            self.lines.nowhere += 1
            self.lines.show(line)
            return None
        vantage = self._vantage or form.vantage
        self.lines.vantages.add(vantage)
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        count = self._kept[found[0]] = self._tally.open(known, self.lines.cluster, vantage)
        return count

    def _strange(self, line: bytes) -> None:
        if any(remark.match(line) for remark in logforms.REMARKS):
            self.lines.remarks += 1
        else:
            self.lines.unread += 1
            self.lines.show(line)

    def _credit(self, form: Form, count: int) -> None:
        if count:
            self.lines.forms[form.name] = self.lines.forms.get(form.name, 0) + count


def _whole(number: logforms.Text) -> int:
    try:
        return int(number)  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return 0
