"""Lines of proxies' logs, as their makers document them, and what they are taken to mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arcgateway import logforms
from arcgateway.redaction import Redactor, foreign
from arcgateway.traffic import Count, Kind, Lines, Place, Reader, Tally, sample, total

GATEWAY = "11111111-2222-3333-4444-555555555555.gw.arc.azure.com"
AT = datetime(2026, 11, 24, 10, 0, 0, tzinfo=UTC).timestamp()

ENVOY = (
    f'[2026-11-24T10:00:00.000Z] "CONNECT a.azure.com:443 HTTP/1.1" 200 - 100 2000 5 - "-" "agent" "id" '
    f'"a.azure.com:443" "{GATEWAY}:443"'
)
ISTIO = (
    '[2026-11-24T10:00:00.000Z] "CONNECT - HTTP/1.1" 200 - via_upstream - "-" 100 2000 5 - "-" "agent" "id" '
    f'"a.azure.com:443" "{GATEWAY}:443" outbound|443||gw 10.0.0.1:1 10.0.0.2:2 10.0.0.3:3 a.azure.com -'
)
SQUID = "1795514400.000    120 10.0.0.4 TCP_TUNNEL/200 2000 CONNECT a.azure.com:443 - HIER_DIRECT/20.1.2.3 -"
COMBINED = (
    '10.0.0.4 - user [24/Nov/2026:11:00:00 +0100] "CONNECT a.azure.com:443 HTTP/1.1" 200 2000 "-" "agent" '
    "TCP_TUNNEL:HIER_DIRECT"
)
LOGRUS = (
    'time="2026-11-24T10:00:00Z" level=info msg=CANONICAL-PROXY-CN-CLOSE allow=true bytes_in=2000 bytes_out=100 '
    'requested_host="a.azure.com:443" error= duration=0.5'
)


def read(*lines: str | bytes, **options: object) -> tuple[Tally, Lines]:
    tally, kept = Tally(), Lines("test")
    reader = Reader(tally, kept, **options)  # type: ignore[arg-type]
    reader.feed([line.encode() if isinstance(line, str) else line for line in lines])
    return tally, kept


def only(line: str, **options: object) -> tuple[Place, Kind, Count]:
    tally, lines = read(line, **options)
    assert (lines.unread, lines.nowhere) == (0, 0), lines
    ((place, kinds),) = tally.places.items()
    ((kind, count),) = kinds.items()
    return place, kind, count


def as_json(**changed: object) -> str:
    fields: dict[str, object] = {
        "start_time": "2026-11-24T10:00:00.000Z",
        "method": "CONNECT",
        "path": None,
        "response_code": 200,
        "response_flags": "-",
        "bytes_received": 100,
        "bytes_sent": 2000,
        ":authority": "a.azure.com:443",
        "upstream_host": f"{GATEWAY}:443",
    }
    return json.dumps({**fields, **changed})


@pytest.mark.parametrize(
    ("line", "way", "up"),
    [
        (ENVOY, "gateway", 100),
        (ISTIO, "gateway", 100),
        (as_json(), "gateway", 100),
        (SQUID, "direct", 0),
        (COMBINED, "direct", 0),
        (LOGRUS, "unknown", 100),
    ],
    ids=["envoy", "istio", "json", "squid", "combined", "logfmt"],
)
@pytest.mark.parametrize(
    "carrier",
    [
        "{}",
        "2026-11-24T10:00:09.123456789Z {}",
        "2026-11-24T10:00:09.123456789Z stdout F {}",
        "[pod/arc-proxy-a/arc-proxy] {}",
        "[pod/arc-proxy-a/arc-proxy] 2026-11-24T10:00:09Z {}",
        "Nov 24 10:00:09 host squid[12]: {}",
        "<134>1 2026-11-24T10:00:09Z host squid 12 - - {}",
    ],
    ids=["plain", "timestamps", "cri", "prefix", "prefix and timestamps", "syslog", "syslog 5424"],
)
def test_every_form_in_every_envelope(line: str, way: str, up: int, carrier: str) -> None:
    place, kind, count = only(carrier.format(line))
    assert place == Place("a.azure.com", 443)
    assert (kind.way, kind.cause) == (way, "")
    assert (count.requests, count.up, count.down) == (1, up, 2000)
    assert count.first == count.last == AT


def test_docker_wraps_lines_in_json() -> None:
    wrapped = json.dumps({"log": ENVOY + "\n", "stream": "stdout", "time": "2026-11-24T10:00:09Z"})
    assert only(wrapped)[0] == Place("a.azure.com", 443)


@pytest.mark.parametrize(
    ("status", "flags", "cause"),
    [
        ("200", "-", ""),
        ("200", "DC", ""),
        ("200", "SI", ""),
        ("0", "DC", ""),
        ("403", "-", "403"),
        ("503", "UF,URX", "503 UF"),
        ("200", "UC", "200 UC"),
        ("0", "UH", "0 UH"),
    ],
)
def test_what_counts_as_a_failure(status: str, flags: str, cause: str) -> None:
    assert only(ENVOY.replace("200 -", f"{status} {flags}"))[1].cause == cause
    assert only(as_json(response_code=int(status), response_flags=flags))[1].cause == cause


def test_failures_of_other_proxies() -> None:
    assert only(SQUID.replace("TCP_TUNNEL/200", "TCP_DENIED/407"))[1].cause == "407 TCP_DENIED"
    assert only(SQUID.replace("TCP_TUNNEL/200", "TCP_MISS_ABORTED/000"))[1].cause == ""
    denied = LOGRUS.replace("CN-CLOSE", "DECISION").replace("allow=true", "allow=false")
    assert only(denied)[1].cause == "denied"
    assert only('method=CONNECT host=a.azure.com:443 err="dial tcp: password=canary"')[1].cause == "error"


def test_what_is_said_twice_counts_once() -> None:
    tally, lines = read(LOGRUS.replace("CN-CLOSE", "DECISION"), LOGRUS)
    assert total(count for kinds in tally.places.values() for count in kinds.values()).requests == 1
    assert lines.again == 1 and lines.all == 2


@pytest.mark.parametrize(
    ("method", "target", "place"),
    [
        ("CONNECT", "A.Azure.COM.:8443", Place("a.azure.com", 8443)),
        ("CONNECT", "[2001:DB8::1]:443", Place("2001:db8::1", 443)),
        ("CONNECT", "a.azure.com", Place("a.azure.com", 443)),
        ("GET", "http://user:canary@a.azure.com/x", Place("a.azure.com", 80)),
        ("GET", "https://a.azure.com/x?token=canary", Place("a.azure.com", 443)),
        ("GET", "http://a.azure.com:8080", Place("a.azure.com", 8080)),
    ],
)
def test_destinations(method: str, target: str, place: Place) -> None:
    assert only(SQUID.replace("CONNECT a.azure.com:443", f"{method} {target}"))[0] == place


@pytest.mark.parametrize("target", ["-", "user:canary@host:443", "error:invalid-request", "a.azure.com:0", "a:99999"])
def test_what_is_no_destination_is_counted_apart(target: str) -> None:
    tally, lines = read(SQUID.replace("a.azure.com:443", target))
    assert not tally.places and (lines.nowhere, lines.read, lines.all) == (1, 0, 1)
    assert "canary" not in lines.samples[0]


def test_a_user_agent_cannot_pretend_another_destination() -> None:
    forged = ENVOY.replace('"agent"', '"x" "id" "evil.example:443" "evil.example:443""')
    assert only(forged)[0] == Place("a.azure.com", 443)


@pytest.mark.parametrize(
    ("upstream", "way"),
    [("a.azure.com:443", "direct"), ("20.1.2.3:443", "unknown"), ("-", "unknown"), (f"{GATEWAY}:443", "gateway")],
)
def test_the_way_is_known_by_the_upstream(upstream: str, way: str) -> None:
    assert only(ENVOY.replace(f"{GATEWAY}:443", upstream))[1].way == way


def test_an_upstream_may_be_told_to_be_the_gateway() -> None:
    by_address = Tally(upstreams=["20.1.2.3"])
    lines = [ENVOY.replace(f"{GATEWAY}:443", f"{address}:443").encode() for address in ("20.1.2.3", "20.9.9.9")]
    Reader(by_address, Lines("x")).feed(lines)
    assert {kind.way for kinds in by_address.places.values() for kind in kinds} == {"gateway", "direct"}
    by_cluster = Tally(upstreams=["outbound|443||gw"])
    Reader(by_cluster, Lines("x")).feed([ISTIO.replace(GATEWAY, "20.1.2.3").encode()])
    assert [kind.way for kinds in by_cluster.places.values() for kind in kinds] == ["gateway"]


def test_the_enterprise_proxy_sees_the_gateway_as_a_destination() -> None:
    assert only(SQUID.replace("a.azure.com", GATEWAY))[1].way == "gateway"


def test_the_proxys_own_messages_are_not_taken_for_unread_traffic() -> None:
    own = (
        "[2026-11-24 10:00:00.123][1][info][main] [source/server/server.cc:249] initializing",
        "I1124 10:00:00.123456       1 main.go:12] starting",
        "2026/11/24 10:00:00 kid1| Starting Squid Cache",
    )
    _, lines = read(*own, ENVOY, "", "  ")
    assert (lines.remarks, lines.read, lines.unread, lines.all) == (3, 1, 0, 4)
    assert lines.unread_share == 0


def test_other_lines_are_not_read_and_shown_without_secrets_and_controls() -> None:
    secrets = (
        "proxy http://user:canary@proxy:3128/ used",
        "Proxy-Authorization: Basic Y2FuYXJ5OmNhbmFyeQ==",
        'auth {"password": "canary", "sig": "canary"}',
        "SharedKey canary1:AccountKey=canary; token=canary",
        "CONNECT user:canary@host:443 failed",
        "got eyJhbGciOiJIUzI1NiJ9.canaryCANARYcanary.canary back",
        "key " + "cAnAry1" * 8,
        "Cookie: a=canary; b=canary",
    )
    for text in secrets:
        shown = sample(text.encode())
        assert "canary" not in shown and "Y2Fu" not in shown and "cAnAry" not in shown, shown
    assert sample(b"\x1b]0;owned\x07 red \x1b[31m") == "\ufffd]0;owned\ufffd red \ufffd[31m"
    assert len(sample(b"x y " * 1000)) <= 160
    assert foreign(Redactor()("GET a.azure.com 200 in 5 ms")) == "GET a.azure.com 200 in 5 ms"


def test_a_form_of_ones_own() -> None:
    form = logforms.custom(
        r"to (?P<host>\S+) port (?P<port>\d+) sent (?P<up>\d+) got (?P<down>\d+) via (?P<upstream>\S+)"
    )
    place, kind, count = only(f"x: to A.example port 8443 sent 5 got 7 via {GATEWAY}", forms=(form, *logforms.FORMS))
    assert place == Place("a.example", 8443)
    assert (kind.way, count.up, count.down) == ("gateway", 5, 7)
    target = logforms.custom(r"(?P<time>\S+) -> (?P<target>\S+) (?P<status>\d+)")
    _, kind, count = only("2026-11-24T10:00:00Z -> b.example:443 502", forms=(target,))
    assert kind.cause == "502" and count.first == AT


@pytest.mark.parametrize(
    ("expression", "said"),
    [("(", "no regular expression"), ("(?P<target>x)(?P<colour>y)", "'colour'"), ("(?P<time>x)", "no destination")],
)
def test_a_wrong_form_of_ones_own_says_what_is_wrong(expression: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        logforms.custom(expression)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24T10:00:00Z",
        "2026-11-24T10:00:00.000000000Z",
        "2026-11-24T11:00:00+01:00",
        "2026-11-24 10:00:00",
        "1795514400",
        "1795514400.000",
        "1795514400000",
        "1795514400000000",
        "24/Nov/2026:10:00:00 +0000",
    ],
)
def test_times(text: str) -> None:
    assert logforms.moment(text) == logforms.moment(text.encode()) == AT


@pytest.mark.parametrize("text", ["", "-", "yesterday", "2026-13-45T99:00:00Z", "99/Foo/2026:10:00:00 +0000", None])
def test_what_is_no_time(text: str | None) -> None:
    assert logforms.moment(text) is None


def test_where_a_line_has_no_time_the_carriers_counts() -> None:
    line = "2026-11-24T10:00:00Z method=CONNECT host=a.azure.com:443 status=200"
    assert only(line, stamped=True)[2].first == AT


def test_the_number_of_destinations_is_bounded_and_listed_ones_stay_in_sight() -> None:
    tally = Tally(listed=lambda host, port: "*.listed.example" if host.endswith(".listed.example") else None, limit=10)
    names = [f"n{number}.{kind}.example" for number in range(1000) for kind in ("listed", "foreign")]
    Reader(tally, Lines("x")).feed([ENVOY.replace("a.azure.com", name).encode() for name in names])
    assert len(tally.places) == 12
    counted = {place: total(kinds.values()).requests for place, kinds in tally.places.items()}
    assert counted[Place("*.listed.example", 443)] == counted[Place("", 0)] == 995
    assert sum(counted.values()) == 2000


def test_the_number_of_causes_is_bounded() -> None:
    tally, _ = read(*(ENVOY.replace("200 -", f"{status} -") for status in range(400, 600)))
    (kinds,) = tally.places.values()
    assert len(kinds) <= 13 and total(kinds.values()).requests == 200


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=20))
def test_no_line_is_lost_and_none_breaks_it(lines: list[bytes]) -> None:
    tally, kept = read(*lines)
    assert kept.all == sum(1 for line in lines if line.strip())
    assert total(count for kinds in tally.places.values() for count in kinds.values()).requests == kept.read


@settings(deadline=None)
@given(st.text(alphabet='[]{}"=: -/.@\\\x00aé1', max_size=200))
def test_mangled_lines_are_counted_all_the_same(noise: str) -> None:
    for line in (ENVOY, ISTIO, SQUID, COMBINED, LOGRUS, as_json()):
        for mangled in (noise + line, line + noise, line.replace("a.azure.com:443", noise, 1)):
            _, kept = read(mangled.replace("\n", ""))
            assert kept.all == 1


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "line",
    [
        b"a" * 60_000 + b"==",
        b"a=b " * 16_000,
        b'[x] "CONNECT a:1 HTTP/1.1" 200 - 1 2 3 - ' + b'"" ' * 20_000,
        b'[x] "CONNECT a:1 HTTP/1.1" 200 - 1 2 3 - "' + b'" "' * 20_000,
        b"1 2 " + b"[" * 60_000,
        b"1 2 [" + b" " * 60_000,
        b'{"a":' * 12_000,
        b"x" * 60_000,
        b" " * 60_000 + b"x",
        b"user:" * 12_000 + b"@",
        b"token" * 12_000,
    ],
    ids=[
        "word",
        "pairs",
        "quotes",
        "odd quotes",
        "brackets",
        "blanks",
        "json",
        "letters",
        "indented",
        "colons",
        "keys",
    ],
)
def test_no_line_takes_long(line: bytes) -> None:
    """Patterns that look back over a long line again and again would take minutes."""
    _, lines = read(*([line] * 30))
    assert lines.all == 30
