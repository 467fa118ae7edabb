"""The forms of proxies' logs: which line tells of a connection, to where, by which way and with what outcome.

The Arc Proxy's own form is not published. So the forms are a table: each is tried until one fits, and what none fits is
counted as not read. A form gives a line's fields as they stand there; what they mean is told once for each distinct
set of them, not once for each line.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

#: Whose log it is: in the Arc Proxy's the upstream tells the way; what the enterprise proxy sees of other names than
#: the gateway's has gone past the gateway.
Vantage = Literal["arc-proxy", "enterprise-proxy"]

Text = bytes | str | int | float | None


class Fields(NamedTuple):
    """A line's fields that tell one kind of connection from another, as they stand in the line.

    Attributes:
        method: the HTTP method.
        target: what was asked for: HOST:PORT, or a URL.
        authority: the Host, where the form has one.
        upstream: where the proxy connected to.
        route: the proxy's own name for that: Envoy's cluster.
        status: the HTTP status.
        flags: the proxy's own word about the outcome.
    """

    method: Text = None
    target: Text = None
    authority: Text = None
    upstream: Text = None
    route: Text = None
    status: Text = None
    flags: Text = None


#: Time, bytes from the client, bytes to the client, and which client.
Figures = tuple[Text, Text, Text, Text]
Found = tuple[tuple[Text, ...], Figures]


class Known(NamedTuple):
    """A connection, understood.

    Attributes:
        host: name or address in lower case; "" where the line names no destination.
        port: TCP port.
        upstreams: names and addresses of what the proxy connected to; none where the line does not tell.
        cause: "" for a connection that came about, else the status and the proxy's word.
    """

    host: str
    port: int
    upstreams: tuple[str, ...]
    cause: str


@dataclass(frozen=True)
class Form:
    """One form of log lines.

    Attributes:
        name: for people.
        vantage: whose log it is, as a rule.
        read: a line's fields; None where the line has another form.
        seen: where the form is known from.
    """

    name: str
    vantage: Vantage
    read: Callable[[bytes], Found | None]
    seen: str


_FIGURES = ("time", "up", "down", "client")


def _by_pattern(pattern: bytes) -> Callable[[bytes], Found | None]:
    """Reads fields by a verbose pattern's groups, in two steps of the engine's own, as this runs once a line."""
    compiled = re.compile(pattern + rb"|(?P<absent>(?!))", re.DOTALL | re.VERBOSE)

    def place(name: str) -> int:
        return compiled.groupindex.get(name, compiled.groupindex["absent"])

    fields, figures = [place(name) for name in Fields._fields], [place(name) for name in _FIGURES]
    match = compiled.match

    def read(line: bytes) -> Found | None:
        found = match(line)
        return (found.group(*fields), found.group(*figures)) if found else None  # type: ignore[return-value]

    return read


# --- lines of keys and values ---

#: Names under which JSON lines and key=value lines tell a field, the first one that is there counts. Smokescreen counts
#: at its outbound connection, so what comes in there goes to the client; Envoy counts at the client's.
KEYS: dict[str, tuple[str, ...]] = {
    "time": ("start_time", "startTime", "time", "timestamp", "@timestamp", "ts"),
    "up": ("bytes_received", "bytes_out", "bytesUp", "bytes_up", "uploaded"),
    "down": ("bytes_sent", "bytes_in", "bytesDown", "bytes_down", "downloaded", "bytes", "size"),
    "method": ("method", ":method", "request_method", "verb"),
    "target": ("requested_host", "req_host", "target", "destination", "dest", "dst", "url", "uri", "path", ":path"),
    "authority": (":authority", "authority", "host", "requested_server_name", "sni"),
    "upstream": ("upstream_host", "upstream", "upstream_addr", "via"),
    "route": ("upstream_cluster", "cluster", "route_name"),
    "status": ("response_code", "status", "status_code", "statusCode", "code"),
    "client": ("inbound_remote_addr", "src_addr", "client", "client_ip", "remote_addr", "downstream_remote_address"),
    "flags": ("response_flags", "flags", "allow", "error", "err"),
}

#: Lines that say a second time what another line says of the same connection: at least these keys and values.
SAID_AGAIN: tuple[dict[str, str], ...] = ({"msg": "CANONICAL-PROXY-DECISION", "allow": "true"},)

#: A line of keys and values tells of a connection when it has one of each: many programs name their own host.
_DESTINATION, _DEED = ("target", "authority"), ("method", "status", "flags", "up", "down")
_ORDER = (*Fields._fields, *_FIGURES)
_PAIR = re.compile(r'(?:^|\s)([^\s="]+)=("[^"\\]*(?:\\.[^"\\]*)*"|\S*)')
_KEPT_SHAPES = 64


class _Keyed:
    """Reads fields by their keys; lines of one shape have the keys in the same places, which are looked up once."""

    def __init__(self, parse: Callable[[bytes], dict[str, Text] | None]) -> None:
        self._parse = parse
        self._shapes: dict[tuple[str, ...], tuple[str | None, ...] | None] = {}

    def __call__(self, line: bytes) -> Found | None:
        found = self._parse(line)
        if found is None:
            return None
        keys = tuple(found)
        if keys not in self._shapes:
            if len(self._shapes) >= _KEPT_SHAPES:
                self._shapes.clear()
            self._shapes[keys] = _shape(found)
        shape = self._shapes[keys]
        if shape is None:
            return None
        if "msg" in found and any(_holds(found, said) for said in SAID_AGAIN):
            return _NOTHING
        values = [_plain(found[key]) if key else None for key in shape]
        return tuple(values[:-4]), (values[-4], values[-3], values[-2], values[-1])


#: The found of a line that counts for nothing by itself.
_NOTHING: Found = ((), (None, None, None, None))


def says_again(found: Found) -> bool:
    """Whether a line tells once more what another line tells."""
    return found is _NOTHING


def _shape(found: dict[str, Text]) -> tuple[str | None, ...] | None:
    named = {field: next((key for key in keys if key in found), None) for field, keys in KEYS.items()}
    if not any(named[field] for field in _DESTINATION) or not any(named[field] for field in _DEED):
        return None
    return tuple(named[field] for field in _ORDER)


def _holds(found: dict[str, Text], said: dict[str, str]) -> bool:
    return all(str(found.get(key)).lower() == value.lower() for key, value in said.items())


def _plain(value: Text) -> Text:
    if isinstance(value, str):
        return value[1:-1] if value[:1] == '"' else value
    return value if isinstance(value, (int, float)) else None


def _json(line: bytes) -> dict[str, Text] | None:
    if line[:1] != b"{":
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _pairs(line: bytes) -> dict[str, Text] | None:
    if line.count(b"=") < 2:
        return None
    return dict(_PAIR.findall(line.decode("utf-8", "replace"))) or None


# --- the table ---

_ENVOY = rb"""
    \[(?P<time>[^\]\s]+)\]\ "(?P<method>\S+)\ (?P<target>\S+)\ [^"]*"\ (?P<status>\d{1,3})\ (?P<flags>[^\s"]+)
    (?:(?:\ [^\s"]+){0,2}\ "[^"]*")?           # what Istio adds: details of the answer and of the failure
    \ (?P<up>\d+)\ (?P<down>\d+)\ \d+\ \S+\ ".*"\ "(?P<authority>[^"]*)"\ "(?P<upstream>[^"]*)"
    (?:\ (?P<route>[^\s"]+)[^"]*)?\Z
"""
_SQUID = rb"""
    \s*(?P<time>\d{9,11}\.\d{3})\s+-?\d+\ (?P<client>\S+)\ (?P<flags>[A-Z][A-Z_]*)/(?P<status>\d{3})\ (?P<down>\d+)
    \ (?P<method>\S+)\ (?P<target>\S+)\ \S+\ [A-Z][A-Z_]*/\S+(?:\ .*)?\Z
"""
_COMMON = rb"""
    (?P<client>\S+)\ \S+\ [^\[]*\[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\ [+-]\d{4})\]
    \ "(?P<method>[A-Z]+)\ (?P<target>\S+)(?:\ [^"]*)?"\ (?P<status>\d{3})\ (?:(?P<down>\d+)|-)(?:\ .*)?\Z
"""


FORMS: tuple[Form, ...] = (
    Form("envoy", "arc-proxy", _by_pattern(_ENVOY), "Envoy's documented default format, and Istio's, which adds to it"),
    Form("json", "arc-proxy", _Keyed(_json), "Envoy's, Istio's and Envoy Gateway's JSON lines; Smokescreen's"),
    Form("squid", "enterprise-proxy", _by_pattern(_SQUID), "squid's native access.log"),
    Form("common", "enterprise-proxy", _by_pattern(_COMMON), "the common and the combined log format"),
    Form("key=value", "arc-proxy", _Keyed(_pairs), "logfmt of Go programs: logrus, slog, Smokescreen"),
)

#: What a proxy writes beside its access log: known, and about no connection.
REMARKS: tuple[re.Pattern[bytes], ...] = (
    re.compile(rb"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\]\[\d+\]\[\w+\]"),  # Envoy
    re.compile(rb"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ "),  # klog
    re.compile(rb"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?: kid\d+)?\| "),  # squid's cache.log
)

_ISO = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)"

#: What carriers put before a line: kubectl with --prefix and --timestamps, container runtimes, syslog (RFC 5424, 3164).
_CARRIERS: tuple[re.Pattern[bytes], ...] = (
    re.compile(rb"(?:\[pod/\S+\] )?(?P<time>" + _ISO + rb") (?:std(?:out|err) [FP] )?(?P<line>.*)", re.DOTALL),
    re.compile(rb"\[pod/\S+\] (?P<line>.*)", re.DOTALL),
    re.compile(rb"<\d+>1 (?P<time>" + _ISO + rb") \S+ \S+ \S+ \S+ (?:-|\[[^\]]*\]) (?:\xef\xbb\xbf)?(?P<line>.*)"),
    re.compile(rb"(?:<\d+>)?(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8}|" + _ISO + rb") \S+ [^\s:]+: (?P<line>.*)", re.DOTALL),
)


#: Takes away what carried a line: the time that the carrier put to it, where it did, and the line.
Envelope = Callable[[bytes], tuple[bytes | None, bytes] | None]


def stamped(line: bytes) -> tuple[bytes | None, bytes] | None:
    """The envelope of `kubectl logs --timestamps`, where it is known to be there."""
    stamp, _, rest = line.partition(b" ")
    return stamp, rest


def _by_carrier(pattern: re.Pattern[bytes]) -> Envelope:
    timed = "time" in pattern.groupindex

    def open_envelope(line: bytes) -> tuple[bytes | None, bytes] | None:
        found = pattern.match(line)
        return (found["time"] if timed else None, found["line"]) if found else None

    return open_envelope


def _docker(line: bytes) -> tuple[bytes | None, bytes] | None:
    whole = _json(line)
    text, time = (whole.get("log"), whole.get("time")) if whole else (None, None)
    if not isinstance(text, str):
        return None
    return (time.encode() if isinstance(time, str) else None), text.rstrip("\r\n").encode()


ENVELOPES: tuple[Envelope, ...] = (*map(_by_carrier, _CARRIERS), _docker)


def custom(expression: str) -> Form:
    """A form of the user's own, looked for anywhere in a line.

    Args:
        expression: a regular expression with named groups, of which `target`, `authority` or `host` must be one.

    Raises:
        ValueError: it is none, or its groups are others; the message says what is valid.
    """
    valid = (*Fields._fields, *_FIGURES, "host", "port")
    try:
        compiled = re.compile(expression.encode())
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"the format is no regular expression: {error}") from None
    names = compiled.groupindex
    unknown = sorted(set(names) - set(valid))
    if unknown:
        raise ValueError(f"the format has a group {unknown[0]!r}: name any of {', '.join(valid)}")
    if not {"target", "authority", "host"} & set(names):
        raise ValueError("the format names no destination: give it a group (?P<target>...), or (?P<host>...)")

    def read(line: bytes) -> Found | None:
        found = compiled.search(line)
        if found is None:
            return None
        whole: dict[str, bytes | None] = found.groupdict()
        if whole.get("host"):
            whole["target"] = b":".join(part for part in (whole["host"], whole.get("port")) if part)
        return tuple(map(whole.get, Fields._fields)), (
            whole.get("time"),
            whole.get("up"),
            whole.get("down"),
            whole.get("client"),
        )

    return Form("format", "arc-proxy", read, "given with --format")


# --- what the fields mean ---

_HOST = r"(?:\[(?P<v6>[0-9A-Fa-f:.%]{2,64})\]|(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})))"
_AUTHORITY = re.compile(_HOST + r"(?::(?P<port>\d{1,5}))?")
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,15})://(?:[^/@\s]*@)?" + _HOST + r"(?::(?P<port>\d{1,5}))?(?=[/?#]|\Z)"
)

_SCHEME_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}

#: Envoy's flags that mean a connection did not come about, or was not the client's to end.
# fmt: off
FAILING = frozenset((
    "UH", "UF", "UO", "NR", "UC", "UR", "URX", "UT", "LR", "NC", "DPE", "UPE", "RL", "RLSE", "UAEX", "IH", "DI", "FI",
    "OM", "DF", "DO", "NFCF", "UMSDR", "DT", "RFCF", "DR",
))
# fmt: on

_WORDS = re.compile(r"[A-Z][A-Z_]{1,31}(?:,[A-Z]{2,8})*|-")

#: What stands where an error would, or where a proxy says that it allowed something.
_WELL = frozenset({"", "true", "none", "null", "<nil>"})


def understood(fields: tuple[Text, ...]) -> Known:
    """What a line's fields mean."""
    method, target, authority, upstream, route, status, flags = map(_text, fields)
    place = _place(method.upper(), target, authority)
    host, port = place or ("", 0)
    upstreams = tuple(name for name in (_upstream(upstream), _upstream(route)) if name)
    return Known(host, port, upstreams, _cause(status, flags))


def _text(field: Text) -> str:
    if field is None:
        return ""
    return field.decode("utf-8", "replace") if isinstance(field, bytes) else str(field)


def _place(method: str, target: str, authority: str) -> tuple[str, int] | None:
    """Host and port; what has no port is 443 for CONNECT and where no method is told, else 80."""
    implied = 443 if method in ("CONNECT", "", "-") else 80
    for text in (target, authority):
        url = _URL.match(text)
        found = url or _AUTHORITY.fullmatch(text)
        if found is None or (found["port"] and not 0 < int(found["port"]) < 65_536):
            continue
        default = _SCHEME_PORTS.get(url["scheme"].lower(), implied) if url else implied
        host = _host(found["v6"], found["host"])
        if host:
            return host, int(found["port"] or default)
    return None


def _host(v6: str | None, name: str | None) -> str:
    if v6 is not None:
        try:
            return str(ipaddress.ip_address(v6.partition("%")[0]))
        except ValueError:
            return ""
    return (name or "").lower().rstrip(".")


def _upstream(text: str) -> str:
    found = _URL.match(text) or _AUTHORITY.fullmatch(text)
    if found:
        return _host(found["v6"], found["host"])
    # Clusters of Envoy have names with other characters: they are compared whole.
    return "" if text in ("", "-") else text.lower()


def _cause(status: str, flags: str) -> str:
    number = int(status[:3]) if status[:3].isdigit() else 0
    is_word = bool(_WORDS.fullmatch(flags))
    if number >= 400:
        return f"{number} {flags.partition(',')[0]}".rstrip(" -") if is_word else str(number)
    failing = next((word for word in flags.split(",") if word in FAILING), None)
    if failing:
        return f"{number} {failing}"
    if is_word or flags.lower() in _WELL:
        return ""
    # An error's text may hold anything, so it is not shown.
    return "denied" if flags.lower() == "false" else "error"


def clients(networks: Sequence[str]) -> Callable[[Text], bool]:
    """Whether a line's client is one of these addresses and networks; a line that names none counts as one.

    Raises:
        ValueError: one of them is neither; the message says which.
    """
    try:
        wanted = [ipaddress.ip_network(text, strict=False) for text in networks]
    except ValueError as error:
        raise ValueError(f"{error}: give an address, or a network like 10.0.0.0/16") from None

    @lru_cache(maxsize=4096)
    def admits(client: Text) -> bool:
        text = _text(client)
        found = _AUTHORITY.fullmatch(text)
        host = (found["v6"] or found["host"]) if found else text
        if host in ("", "-"):
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in wanted)

    return admits


# --- times ---

_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}
_COMMON_TIME = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})")
_NUMBER = re.compile(r"\d{9,19}(?:\.\d{1,9})?")
_FAR = 32_503_680_000  # the year 3000 in seconds: larger numbers count smaller units


def moment(field: Text) -> float | None:
    """Seconds since the epoch of a time as logs have it (ISO 8601, common log format, epoch in s, ms, us or ns).

    A time without a zone counts as UTC. None where it is no time.
    """
    text = _text(field).strip()
    if text[4:5] != "-":
        return _other_moment(text)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None


def _other_moment(text: str) -> float | None:
    if _NUMBER.fullmatch(text):
        seconds = float(text)
        while seconds > _FAR:
            seconds /= 1000
        return seconds
    found = _COMMON_TIME.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        return None
    try:
        return datetime.fromisoformat(f"{found[3]}-{_MONTHS[found[2]]:02}-{found[1]}T{found[4]}{found[5]}").timestamp()
    except ValueError:
        return None
