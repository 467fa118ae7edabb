"""The preflight against real TLS servers, and proxies with every bad habit."""

from __future__ import annotations

import asyncio
import datetime
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from network_world import Network, network

from arcgateway.preflight import Report, endpoint, run
from arcgateway.proxy import ProxySettings, ProxyUrl

MANAGEMENT = endpoint("management.azure.com")
GATEWAY = endpoint("abc.gw.arc.azure.com")


@pytest.fixture
def net() -> Iterator[Network]:
    with network() as world:
        yield world


def pem(authority: object) -> str:
    return authority.cert_pem.bytes().decode()  # type: ignore[attr-defined,no-any-return]


def probe(net: Network, port: int, *endpoints: object, url: str = "http://127.0.0.1:{}", **more: object) -> Report:
    certificate = more.pop("certificate", None)
    settings = ProxySettings(https=ProxyUrl.parse(url.format(port)), certificate=certificate)  # type: ignore[arg-type]
    roots = more.pop("roots", [pem(net.genuine)])
    return run(endpoints or (MANAGEMENT,), settings, roots, **{"timeout": 5, **more})  # type: ignore[arg-type]


def test_an_open_endpoint_passes_and_says_that_a_genuine_root_counted(net: Network) -> None:
    azure = net.azure()
    report = probe(net, net.proxy(lambda *_: azure))
    [found] = report.results
    assert (report.verdict, found.cause, found.mend, found.genuine_root) == ("pass", "ok", "", True)
    assert "TLSv1.3" in found.evidence and "Genuine" in found.evidence
    assert net.asked == [("management.azure.com:443", "")]


def test_an_intercepting_proxy_is_found_with_the_evidence(net: Network) -> None:
    other = net.azure(net.context(net.inspector))
    report = probe(net, net.proxy(lambda *_: other), MANAGEMENT, endpoint("mcr.microsoft.com"))
    assert report.verdict == "fail" and {found.cause for found in report.results} == {"tls-intercepted"}
    [first, _] = report.results
    assert "Inspector" in first.evidence and "SHA-256" in first.evidence
    assert "the same issuer signed 2 of 2 names" in first.evidence
    assert "exempt" in first.mend


def test_interception_is_found_though_the_machine_trusts_the_inspector(
    net: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(pem(net.inspector))
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(bundle))
    other = net.azure(net.context(net.inspector))
    report = probe(net, net.proxy(lambda *_: other), roots=[])
    assert report.results[0].cause == "tls-intercepted"


def test_a_proxy_certificate_does_not_make_interception_pass(net: Network) -> None:
    other = net.azure(net.context(net.inspector))
    report = probe(net, net.proxy(lambda *_: other), certificate=pem(net.inspector))
    assert report.results[0].cause == "tls-intercepted"


def test_a_wrong_name_and_a_passed_date_are_no_interception(net: Network) -> None:
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    for context in (net.context(net.genuine, "other.azure.com"), net.context(not_after=past)):
        port = net.azure(context)
        report = probe(net, net.proxy(lambda *_, port=port: port))
        assert report.results[0].cause == "certificate-invalid"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\n\r\n", "denied-by-proxy"),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "proxy-auth-required"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "unreachable"),
        (b"HTTP/1.1 503 Service Unavailable\r\nX-Squid-Error: ERR_DNS_FAIL 0\r\n\r\n", "name-not-resolved"),
        (b"HTTP/1.1 503 Service Unavailable\r\nX-Squid-Error: ERR_CONNECT_FAIL 111\r\n\r\n", "unreachable"),
        (b"HTTP/1.1 504 Gateway Timeout\r\n\r\n", "timed-out"),
        (b"HTTP/1.1 405 Method Not Allowed\r\n\r\n", "proxy-refused"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "not-http"),
        (b"", "connection-reset"),
    ],
)
def test_what_the_proxy_answers_is_told_apart(net: Network, answer: bytes, cause: str) -> None:
    [found] = probe(net, net.proxy(lambda *_: answer)).results
    assert (found.cause, found.verdict) == (cause, "fail")
    assert found.mend


def test_credentials_are_sent_and_missing_ones_told_apart_from_a_refusal(net: Network) -> None:
    azure = net.azure()
    port = net.proxy(lambda *_: azure, credentials="us er:p@ss:w/rd")
    without = probe(net, port)
    assert without.results[0].cause == "proxy-auth-required" and "Basic" in without.results[0].evidence
    given = probe(net, port, url="http://us%20er:p%40ss%3Aw%2Frd@127.0.0.1:{}")
    assert given.verdict == "pass"
    assert "p@ss" not in json.dumps(given.as_json()) and given.proxy == f"http://127.0.0.1:{port}"


def test_a_silent_proxy_costs_its_own_limit_and_no_more(net: Network) -> None:
    azure = net.azure()
    port = net.proxy(lambda host, _: azure if host.startswith("management") else None)
    started = time.monotonic()
    report = probe(net, port, MANAGEMENT, *(endpoint(f"h{n}.his.arc.azure.com") for n in range(20)), timeout=0.7)
    assert time.monotonic() - started < 20 * 0.7 / 2, "side by side"
    assert [found.cause for found in report.results] == ["ok"] + ["timed-out"] * 20
    assert all(found.milliseconds >= 600 for found in report.results[1:])
    assert "before the tunnel was open" in report.results[1].evidence


def test_silence_in_the_handshake_is_told_as_such(net: Network) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(10)

    port = net.serve(silent)
    [found] = probe(net, net.proxy(lambda *_: port), timeout=0.5).results
    assert found.cause == "timed-out" and "TLS" in found.evidence


def test_forty_endpoints_are_probed_thirty_at_a_time(net: Network) -> None:
    azure = net.azure()
    port = net.proxy(lambda *_: azure, delay=0.2)
    started = time.monotonic()
    report = probe(net, port, *(endpoint(f"h{n}.his.arc.azure.com") for n in range(40)))
    assert report.verdict == "pass" and time.monotonic() - started < 40 * 0.2 / 2
    assert 20 < net.busiest <= 30


def test_a_proxy_that_is_not_there_and_one_whose_name_is_unknown() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        [refused] = run((MANAGEMENT,), ProxySettings(https=ProxyUrl.parse(url)), timeout=5).results
    nowhere = ProxySettings(https=ProxyUrl.parse("http://nowhere.invalid:3128"))
    [unknown] = run((MANAGEMENT,), nowhere, timeout=5).results
    assert refused.cause == unknown.cause == "proxy-unreachable"
    assert "nowhere.invalid does not resolve" in unknown.evidence


def test_a_proxy_that_speaks_tls_and_both_the_wrong_ways_round(net: Network) -> None:
    azure = net.azure()
    tls = net.proxy(lambda *_: azure, tls=net.context(net.inspector))
    plain = net.proxy(lambda *_: azure)
    assert probe(net, tls, url="https://127.0.0.1:{}", certificate=pem(net.inspector)).verdict == "pass"
    assert probe(net, tls, url="https://127.0.0.1:{}").results[0].cause == "proxy-certificate-invalid"
    assert probe(net, plain, url="https://127.0.0.1:{}").results[0].cause == "proxy-speaks-no-tls"
    assert probe(net, tls).results[0].cause == "proxy-speaks-tls"


def test_the_gateway_is_probed_for_a_connect_inside_its_tls(net: Network) -> None:
    azure = net.azure()
    gateway = net.gateway(azure)
    report = probe(net, net.proxy(lambda host, _: gateway if host.endswith(".gw.arc.azure.com") else azure), GATEWAY)
    assert report.verdict == "pass"
    assert "inside it a CONNECT and TLS to management.azure.com" in report.results[0].evidence


def test_a_gateway_that_refuses_us_is_open_and_one_that_breaks_is_not(net: Network) -> None:
    for answer, verdict in (
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "pass"),
        (b"HTTP/1.1 502 Bad\r\n\r\n", "fail"),
        (b"<html>inspected</html>\r\n\r\n", "fail"),
        (b"", "fail"),
    ):
        port = net.gateway(net.azure(), refuse=answer)
        report = probe(net, net.proxy(lambda *_, port=port: port), GATEWAY)
        assert report.verdict == verdict, answer
        assert report.results[0].cause == ("ok" if verdict == "pass" else "gateway-refused")


def test_interception_inside_the_gateway_is_found(net: Network) -> None:
    gateway = net.gateway(net.azure(net.context(net.inspector)))
    [found] = probe(net, net.proxy(lambda *_: gateway), GATEWAY).results
    assert found.cause == "tls-intercepted"


def test_what_is_in_the_skip_range_goes_direct(net: Network) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        item = endpoint("localhost", net.azure())
        proxy = ProxySettings(https=ProxyUrl.parse(f"http://127.0.0.1:{taken.getsockname()[1]}"), skip=("localhost",))
        assert run((item,), proxy, [pem(net.genuine)], timeout=5).verdict == "pass"


def test_an_unknown_name_for_a_pattern_is_a_warning(net: Network) -> None:
    answer = b"HTTP/1.1 503 Service Unavailable\r\nX-Squid-Error: ERR_DNS_FAIL 0\r\n\r\n"
    report = probe(net, net.proxy(lambda *_: answer), endpoint("*.his.arc.azure.com"))
    assert report.verdict == "warn" and report.results[0].host == "*.his.arc.azure.com"
    assert net.asked[0][0] == "arcgateway-preflight.his.arc.azure.com:443"


@pytest.mark.parametrize(
    ("answer", "made_up", "real"),
    [
        ("500 Unable to connect", "warn", "fail"),
        ("502 Proxy Error", "warn", "fail"),
        ("503 Service Unavailable", "warn", "fail"),
        ("403 Filtered", "fail", "fail"),
        ("407 Proxy Authentication Required", "fail", "fail"),
    ],
)
def test_a_made_up_name_that_a_proxy_does_not_reach_is_no_closed_pattern(
    net: Network, answer: str, made_up: str, real: str
) -> None:
    """As tinyproxy and Apache answer for a name that does not resolve."""
    port = net.proxy(lambda *_: f"HTTP/1.1 {answer}\r\n\r\n".encode())
    pattern, listed = endpoint("*.ods.opinsights.azure.com"), endpoint("mcr.microsoft.com")
    known = replace(listed, host="*.microsoft.com")
    found = probe(net, port, pattern, listed, known).results
    assert [result.verdict for result in found] == [made_up, real, real]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "arcgateway", "preflight", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_commands_json_and_statuses_are_stable(net: Network, tmp_path: Path) -> None:
    azure, intercepted = net.azure(), net.azure(net.context(net.inspector))
    port = net.proxy(lambda host, _: intercepted if host.startswith("mcr") else azure)
    root = tmp_path / "root.pem"
    root.write_text("junk before\n" + pem(net.genuine) + "junk after\n")
    common = ("--proxy", f"http://user:canary@127.0.0.1:{port}", "--genuine-root", str(root), "--timeout", "5")

    passed = command(*common, "--endpoint", "management.azure.com:443", "--json")
    assert passed.returncode == 0, passed.stderr
    answer = json.loads(passed.stdout)
    assert answer["verdict"] == "pass" and answer["proxy"] == f"http://127.0.0.1:{port}"
    assert {"host", "port", "verdict", "cause", "evidence", "mend", "milliseconds"} <= set(answer["endpoints"][0])
    assert isinstance(answer["endpoints"][0]["milliseconds"], int)

    failed = command(*common, "--endpoint", "management.azure.com", "--endpoint", "mcr.microsoft.com")
    assert failed.returncode == 2 and "tls-intercepted" in failed.stdout and "Inspector" in failed.stdout
    assert "canary" not in passed.stdout + passed.stderr + failed.stdout + failed.stderr


def test_wrong_usage_is_status_1_and_one_line(tmp_path: Path) -> None:
    root = tmp_path / "root.der"
    root.write_bytes(b"\x30\x82\x01\x00\xff")
    for arguments in (
        (),
        ("--proxy", "proxy:3128"),
        ("--proxy", "http://user:canary@proxy"),
        ("--proxy", "http://p:1", "--genuine-root", str(root)),
        ("--proxy", "http://p:1", "--genuine-root", str(tmp_path / "none")),
        ("--proxy", "http://p:1", "--endpoint", "host:port"),
        ("--proxy", "http://p:1", "--endpoint", "münchen.example"),
        ("--proxy", "http://p:1", "--endpoint", "a" * 64 + ".example"),
        ("--proxy", "http://p:1", "--timeout", "0"),
        ("--proxy", "http://p:1", "--scenario", "nothing"),
        ("--proxy", "http://p:1", "--nothing"),
    ):
        done = command(*arguments)
        assert done.returncode == 1, arguments
        assert done.stdout == "" and len(done.stderr.splitlines()) == 1, done.stderr
        assert "canary" not in done.stderr
