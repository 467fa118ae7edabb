"""Proxy URLs and skip ranges."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcgateway.proxy import (
    DOCUMENTED_MINIMUM,
    Fault,
    ProxySettings,
    ProxyUrl,
    ProxyUrlError,
    bypasses,
    canonical,
    complete,
    no_proxy,
    of_environment,
)

NAMES = st.from_regex(r"\.?[a-z][a-z0-9]{0,8}(\.[a-z][a-z0-9]{0,8}){0,2}", fullmatch=True)
NETWORKS = st.builds(
    lambda address, bits: f"{ipaddress.IPv4Address(address)}/{bits}", st.integers(0, 2**32 - 1), st.integers(1, 32)
)
ENTRIES = st.lists(NAMES | NETWORKS | st.ip_addresses(v=6).map(str), max_size=8)


@pytest.mark.parametrize(
    ("text", "host", "port", "user", "password"),
    [
        ("http://proxy.corp:3128", "proxy.corp", 3128, None, None),
        ("https://10.0.0.1:443/", "10.0.0.1", 443, None, None),
        ("http://[fd00::5]:8080", "fd00::5", 8080, None, None),
        ("HTTP://Proxy:3128", "proxy", 3128, None, None),
        ("http://u:p%40ss@proxy:1", "proxy", 1, "u", "p@ss"),
        ("http://u:p@ss@proxy:1", "proxy", 1, "u", "p@ss"),
        ("http://dom%5Cu:a%3Ab%2Fc@proxy:1", "proxy", 1, "dom\\u", "a:b/c"),
        ("http://u@proxy:1", "proxy", 1, "u", None),
    ],
)
def test_urls_that_are_read(text: str, host: str, port: int, user: str | None, password: str | None) -> None:
    url = ProxyUrl.parse(text)
    assert (url.host, url.port, url.username, url.password) == (host, port, user, password)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("http://pro xy:1", Fault.BLANKS),
        ("proxy:3128", Fault.NO_SCHEME),
        ("socks5://proxy:1080", Fault.SCHEME),
        ("http://proxy:99999", Fault.UNREADABLE),
        ("http://proxy:1/x", Fault.TAIL),
        ("http://proxy", Fault.NO_PORT),
        ("http://10.0.1:1", Fault.HOST),
        ("http://u:50%@proxy:1", Fault.CREDENTIALS),
    ],
)
def test_what_is_wrong_with_a_url(text: str, fault: Fault) -> None:
    with pytest.raises(ProxyUrlError) as caught:
        ProxyUrl.parse(text)
    assert caught.value.fault is fault


@pytest.mark.parametrize(
    "text",
    [
        "",
        "proxy:3128",
        "proxy",
        "//proxy:3128",
        "http://proxy",
        "http://proxy:0",
        "http://proxy:99999",
        "http://proxy:x",
        "socks5://proxy:1080",
        "http://:3128",
        "http://pro xy:1",
        "http://proxy:1/path",
        "http://proxy:1?x",
        "http://-x:1",
        "http://[fd00::5:8080",
        "http://1.2.3:80",
        "http://u:canary/x@proxy:1",
        "http://u:canary#@proxy:1",
        "http://u:canary%zz@proxy:1",
        "http://u:canary@proxy",
        "http://u:can\nary@proxy:1",
        "u:canary@proxy:3128",
    ],
)
def test_urls_that_are_refused_with_a_mend_and_no_password(text: str) -> None:
    with pytest.raises(ValueError, match=r"write|give|remove|percent-encode") as caught:
        ProxyUrl.parse(text)
    assert "canary" not in str(caught.value) and "ary" not in str(caught.value)


@given(st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_credentials_survive_the_round_and_are_never_shown(user: str, password: str) -> None:
    try:
        url = ProxyUrl("http", "proxy", 3128, user, password)
        again = ProxyUrl.parse(url.url)
    except UnicodeEncodeError:
        return
    assert (again.username, again.password) == (user, password)
    assert url.redacted() == "http://proxy:3128" and repr(url) == "ProxyUrl('http://proxy:3128')"


@given(ENTRIES, st.randoms())
def test_a_skip_range_has_one_form(entries: list[str], random: object) -> None:
    try:
        one = canonical(entries)
    except ValueError:
        return
    shuffled = [*entries, *entries]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert canonical(", ".join(shuffled)) == one == canonical(one)
    assert len(set(one)) == len(one)


@given(ENTRIES)
def test_completion_only_adds_and_adds_once(entries: list[str]) -> None:
    try:
        before = set(canonical(entries))
    except ValueError:
        return
    once = complete(entries, service_ranges=["10.96.0.0/12"], api_server="203.0.113.9")
    assert before <= set(once) and set(DOCUMENTED_MINIMUM) <= set(once)
    assert complete(once, service_ranges=["10.96.0.0/12"], api_server="203.0.113.9") == once
    assert bypasses("10.96.0.1", 443, once) and bypasses("203.0.113.9", 6443, once)
    assert bypasses("kubernetes.default.svc", 443, once)


def test_canonical_forms() -> None:
    assert canonical("*.Corp.Local, 10.5.0.1/16 .svc,10.0.0.0/8,Arc,fd00::5,b:8080,.svc") == (
        "10.0.0.0/8",
        "10.5.0.0/16",
        "fd00::5",
        ".corp.local",
        ".svc",
        "Arc",
        "b:8080",
    )
    assert no_proxy(complete("", service_ranges=["10.0.0.0/16"])) == (
        "10.0.0.0/16,.svc,.svc.cluster.local,kubernetes.default.svc"
    )


def test_a_service_range_inside_another_is_not_added() -> None:
    assert "10.96.0.0/12" not in complete("10.0.0.0/8", service_ranges=["10.96.0.0/12"])
    assert "10.96.0.0/12" in complete("10.96.0.0/16", service_ranges=["10.96.0.0/12"])


@pytest.mark.parametrize(
    "entry", ["*", "http://x", "10.0.0.0/33", "0.0.0.0/0", "::/0", "a b/8", "x_*", "a:b:c", "10.5.*"]
)
def test_entries_that_are_refused_with_a_mend(entry: str) -> None:
    with pytest.raises(ValueError, match="skip range"):
        canonical([entry])


@pytest.mark.parametrize(
    ("entry", "host", "port", "round_it"),
    [
        (".svc", "foo.svc", 443, True),
        ("svc", "foo.svc", 443, True),
        ("svc", "foosvc", 443, False),
        ("10.5.0.0/16", "10.5.0.9", 443, True),
        ("10.5.0.0/16", "ten.five", 443, False),
        ("10.5.0.9:6443", "10.5.0.9", 6443, True),
        ("10.5.0.9:6443", "10.5.0.9", 443, False),
        ("fd00::/8", "fd00::5", 443, True),
        ("[fd00::5]:443", "fd00::5", 443, True),
        ("fd00::5", "fd00::5", 443, True),
        ("foo.svc:8080", "foo.svc", 8080, True),
        ("example.org", "EXAMPLE.org.", 443, True),
    ],
)
def test_what_goes_round_the_proxy(entry: str, host: str, port: int, round_it: bool) -> None:
    assert bypasses(host, port, canonical([entry])) is round_it


def test_the_environment_of_a_command() -> None:
    https = ProxyUrl.parse("http://u:p%40@proxy:3128")
    env = ProxySettings(https=https, skip=(".svc",)).environment({"PATH": "/bin", "no_proxy": "intranet"})
    assert (
        env["HTTPS_PROXY"] == env["HTTP_PROXY"] == env["https_proxy"] == env["http_proxy"] == "http://u:p%40@proxy:3128"
    )
    assert env["NO_PROXY"] == env["no_proxy"] == ".svc,intranet,127.0.0.1,::1,localhost" and env["PATH"] == "/bin"
    assert ProxySettings().environment({"HTTPS_PROXY": "x"}) == {"HTTPS_PROXY": "x"}
    assert of_environment({"https_proxy": "http://p:1", "HTTP_PROXY": "junk"}) == ProxySettings(
        https=ProxyUrl.parse("http://p:1")
    )
