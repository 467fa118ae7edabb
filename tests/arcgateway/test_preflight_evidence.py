"""What a preflight tells besides the cause: who signed, the clock, the hops, silence, and the proxy for http."""

from __future__ import annotations

import datetime
import email.utils
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from network_world import Network, network

from arcgateway import resolver
from arcgateway.preflight import TIMEOUT, WHOLE, Report, endpoint, run
from arcgateway.proxy import ProxySettings, ProxyUrl

MANAGEMENT, REGISTRY = endpoint("management.azure.com"), endpoint("mcr.microsoft.com")
PAST = datetime.datetime(2020, 6, 1, tzinfo=datetime.UTC)


@pytest.fixture
def net() -> Iterator[Network]:
    with network() as world:
        yield world


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


def proxied(port: int, scheme: str = "http", **more: object) -> ProxySettings:
    return ProxySettings(https=ProxyUrl.parse(f"{scheme}://127.0.0.1:{port}"), **more)  # type: ignore[arg-type]


def probe(net: Network, proxy: ProxySettings, *endpoints: object, **more: object) -> Report:
    return run(endpoints or (MANAGEMENT,), proxy, [pem(net.genuine)], **{"timeout": 3, **more})  # type: ignore[arg-type]


def dated(date: datetime.datetime) -> bytes:
    return f"HTTP/1.1 200 OK\r\nDate: {email.utils.format_datetime(date, usegmt=True)}\r\n\r\n".encode()


def test_an_interceptor_that_the_machine_trusts_is_said_to_be_hidden(
    net: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(pem(net.inspector))
    other = net.azure(net.context(net.inspector))
    proxy = proxied(net.proxy(lambda *_: other))
    [unknown] = probe(net, proxy).results
    assert unknown.cause == "tls-intercepted" and "this machine trusts" not in unknown.evidence
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        with monkeypatch.context() as patch:
            patch.setenv(name, str(bundle))
            [found] = probe(net, proxy).results
        assert f"this machine trusts its root ({name}={bundle}), which hides it" in found.evidence
        assert found.certificate and set(found.certificate) == {"subject", "issuer", "fingerprint"}
        assert "Inspector" in found.certificate["issuer"] and len(found.certificate["fingerprint"]) == 64


def test_a_chain_that_ends_in_the_proxys_own_certificate_is_told(net: Network) -> None:
    other = net.azure(net.context(net.inspector))
    tls = net.proxy(lambda *_: other, tls=net.context(net.inspector))
    for proxy in (
        proxied(net.proxy(lambda *_: other), certificate=pem(net.inspector)),
        proxied(tls, "https", certificate=pem(net.inspector)),
    ):
        [found] = probe(net, proxy).results
        assert found.cause == "tls-intercepted" and "ends in the proxy's own certificate" in found.evidence


def test_one_certificate_for_proxy_and_endpoints_is_told_without_a_root(net: Network) -> None:
    both = net.context(net.inspector)
    other = net.azure(both)
    proxy = proxied(net.proxy(lambda *_: other, tls=both), "https", certificate=pem(net.inspector))
    assert "ends in the proxy's own certificate" in probe(net, proxy).results[0].evidence


def test_an_intermediate_that_is_given_as_a_root_is_one(net: Network) -> None:
    between = net.genuine.create_child_ca()
    azure = net.azure(net.context(between))
    report = run((MANAGEMENT,), proxied(net.proxy(lambda *_: azure)), [pem(between)], timeout=3)
    assert report.verdict == "pass" and report.results[0].genuine_root


def test_the_hops_are_measured(net: Network) -> None:
    azure = net.azure()
    gateway = net.gateway(azure)
    port = net.proxy(lambda host, _: gateway if ".gw." in host else azure, delay=0.2)
    plain, inner = probe(net, proxied(port), MANAGEMENT, endpoint("abc.gw.arc.azure.com")).results
    assert list(plain.hops) == ["resolve", "connect", "tunnel", "tls"] and plain.hops["tunnel"] >= 200
    assert list(inner.hops) == [*plain.hops, "innerTunnel", "innerTls"]
    assert plain.milliseconds >= 200 and json.loads(json.dumps(plain.as_json()))["hops"] == plain.hops
    tls = net.proxy(lambda *_: azure, tls=net.context(net.inspector))
    [found] = probe(net, proxied(tls, "https", certificate=pem(net.inspector))).results
    assert list(found.hops) == ["resolve", "connect", "proxyTls", "tunnel", "tls"]


@pytest.mark.parametrize(("minutes", "verdict"), [(0, "pass"), (4, "pass"), (-4, "pass"), (7, "warn"), (-7, "warn")])
def test_a_clock_more_than_five_minutes_off_is_a_warning(net: Network, minutes: int, verdict: str) -> None:
    site = net.site(lambda _: dated(datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)))
    report = probe(net, proxied(net.proxy(lambda *_: site)), MANAGEMENT, REGISTRY)
    assert report.verdict == verdict and all(found.verdict == "pass" for found in report.results)
    if verdict == "warn":
        [finding] = report.findings
        assert finding.cause == "clock-skew" and ("behind" if minutes > 0 else "ahead") in finding.evidence


def test_a_wrong_clock_is_told_where_a_certificate_seems_to_have_expired(net: Network) -> None:
    expired = net.context(not_after=PAST)
    for date, told in ((datetime.datetime(2019, 1, 1, tzinfo=datetime.UTC), True), (None, False)):
        shown = date or datetime.datetime.now(datetime.UTC)
        site = net.site(lambda _, shown=shown: dated(shown), expired)
        [found] = probe(net, proxied(net.proxy(lambda *_, site=site: site))).results
        assert found.cause == "certificate-invalid" and "2020-06-01" in found.evidence
        assert ("the clock here is wrong" in found.evidence) is told is ("NTP" in found.mend)


def test_silent_endpoints_are_asked_for_the_time_at_no_cost_to_the_verdict(net: Network) -> None:
    site = net.site(lambda _: b"")
    started = time.monotonic()
    report = probe(net, proxied(net.proxy(lambda *_: site)))
    assert report.verdict == "pass" and time.monotonic() - started < TIMEOUT


def test_a_tunnel_that_is_cut_when_it_is_quiet_is_a_warning_on_request(net: Network) -> None:
    site = net.site(lambda _: dated(datetime.datetime.now(datetime.UTC)))
    cutting = proxied(net.proxy(lambda *_: site, idle=0.4))
    assert probe(net, cutting).verdict == "pass"
    [found] = probe(net, cutting, idle=1).results
    assert (found.verdict, found.cause) == ("warn", "idle-cut") and "of silence" in found.evidence
    assert probe(net, proxied(net.proxy(lambda *_: site)), idle=0.5).verdict == "pass"


def test_the_proxy_for_http_is_looked_at_too(net: Network) -> None:
    azure = net.azure()
    https = ProxyUrl.parse(f"http://127.0.0.1:{net.proxy(lambda *_: azure)}")

    def finding(url: str) -> tuple[str, str]:
        [found] = probe(net, ProxySettings(https=https, http=ProxyUrl.parse(url))).findings
        assert "canary" not in json.dumps(found.as_json())
        return found.verdict, found.cause

    refusing = net.proxy(lambda *_: b"HTTP/1.1 403 Forbidden\r\n\r\n")
    asking = net.proxy(lambda *_: azure, credentials="u:p")
    tls = net.proxy(lambda *_: azure, tls=net.context(net.inspector))
    assert finding(f"http://127.0.0.1:{refusing}") == ("pass", "ok")
    assert finding(f"http://u:canary@127.0.0.1:{asking}") == ("fail", "proxy-auth-required")
    assert finding(f"http://127.0.0.1:{tls}") == ("fail", "proxy-speaks-tls")
    assert finding("http://nowhere.invalid:1") == ("fail", "proxy-unreachable")
    assert not probe(net, ProxySettings(https=https, http=https)).findings


def test_which_credentials_a_proxy_wants_is_told(net: Network) -> None:
    negotiate = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n"
    [found] = probe(net, proxied(net.proxy(lambda *_: negotiate))).results
    assert "Negotiate, NTLM" in found.evidence and "Basic" in found.mend
    port = net.proxy(lambda *_: b"", credentials="u:right")
    url = ProxyUrl.parse(f"http://u:canary@127.0.0.1:{port}")
    [wrong] = probe(net, ProxySettings(https=url)).results
    assert wrong.cause == "proxy-auth-required" and "does not take" in wrong.mend
    assert "canary" not in json.dumps(wrong.as_json())


def test_a_proxy_that_echoes_credentials_does_not_get_them_shown(net: Network) -> None:
    url = ProxyUrl.parse("http://user:canary-secret@127.0.0.1:1")
    echo = f"HTTP/1.1 400 you said {url.authorization} canary-secret\r\n\r\n".encode()
    port = net.proxy(lambda *_: echo)
    shown = json.dumps(
        probe(net, ProxySettings(https=ProxyUrl.parse(f"http://user:canary-secret@127.0.0.1:{port}"))).as_json()
    )
    assert "canary" not in shown and (url.authorization or "").split()[1] not in shown


def test_a_silent_name_server_outlasts_no_limit(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = threading.Event()
    asked: list[str] = []

    def silent(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        waiting.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "no name server")

    monkeypatch.setattr(resolver.socket, "getaddrinfo", silent)
    names = [endpoint(f"h{number}.his.arc.azure.com") for number in range(40)]
    started = time.monotonic()
    report = run(names, ProxySettings(https=ProxyUrl.parse("http://slow.corp:3128")), timeout=0.5)
    waiting.set()
    assert time.monotonic() - started < 40 * 0.5 / 2 and asked == ["slow.corp"]
    assert {(found.cause, "looked up" in found.evidence) for found in report.results} == {("proxy-unreachable", True)}


def test_the_next_address_of_a_name_is_tried_when_the_first_is_dead(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure = net.azure()
    port = net.proxy(lambda *_: azure)
    family = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    both = [(*family, (address, port)) for address in ("127.0.0.2", "127.0.0.1")]
    monkeypatch.setattr(resolver.socket, "getaddrinfo", lambda *_, **__: both)
    assert probe(net, ProxySettings(https=ProxyUrl.parse(f"http://two.corp:{port}"))).verdict == "pass"


def test_many_silent_endpoints_together_stay_within_the_whole(monkeypatch: pytest.MonkeyPatch, net: Network) -> None:
    monkeypatch.setattr("arcgateway.preflight.WHOLE", WHOLE / 10)
    port = net.proxy(lambda *_: None)
    started = time.monotonic()
    names = [endpoint(f"h{number}.his.arc.azure.com") for number in range(100)]
    report = run(names, proxied(port), [pem(net.genuine)])
    assert {found.cause for found in report.results} == {"timed-out"} and time.monotonic() - started < 7


def test_a_root_that_has_expired_is_told(net: Network) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Old root")])
    old = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, PAST - datetime.timedelta(days=9), PAST)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = old.public_bytes(serialization.Encoding.PEM).decode()
    azure = net.azure()
    report = run((MANAGEMENT,), proxied(net.proxy(lambda *_: azure)), [pem(net.genuine), text], timeout=3)
    [finding] = report.findings
    assert (report.verdict, finding.cause) == ("warn", "root-outdated") and "Old root" in finding.evidence
