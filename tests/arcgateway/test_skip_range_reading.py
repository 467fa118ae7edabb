"""A skip range is read as curl, Go and Python read it, and what they read differently is told.

What is said of Python's programs and of curl is held against those that are here.
"""

from __future__ import annotations

import shutil
import subprocess
import urllib.request

import pytest
import requests.utils

from arcgateway import no_proxy
from arcgateway.proxy import bypasses, of_environment

# entry, host, port, urllib, requests, curl: who goes round the proxy.
SEEN = [
    (".svc", "foo.svc", 443, True, True, True),
    (".svc", "svc", 443, True, True, True),
    ("svc", "foo.svc", 443, True, True, True),
    ("svc", "foosvc", 443, False, False, False),
    ("SVC", "foo.svc", 443, True, True, True),
    ("*.svc", "foo.svc", 443, False, False, False),
    ("10.5.0.0/16", "10.5.0.9", 443, False, True, True),
    ("10.5.0.9", "10.5.0.9", 443, True, True, True),
    ("10.5.0.9:6443", "10.5.0.9", 6443, True, False, False),
    ("*", "any.corp", 443, True, True, True),
    ("a.corp,*", "any.corp", 443, False, False, False),
]


@pytest.mark.parametrize(("entry", "host", "port", "by_urllib", "by_requests", "by_curl"), SEEN)
def test_what_is_said_of_other_programs_is_what_they_do(
    entry: str,
    host: str,
    port: int,
    by_urllib: bool,
    by_requests: bool,
    by_curl: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", entry)
    assert bool(urllib.request.proxy_bypass_environment(f"{host}:{port}")) is by_urllib
    assert bool(requests.utils.should_bypass_proxies(f"https://{host}:{port}/", None)) is by_requests
    if shutil.which("curl"):
        command = ["curl", "-sv", "-m", "2", "-x", "http://127.0.0.1:1", "--noproxy", entry]
        # The target is nowhere: what counts is which of the two curl tries to reach.
        to = ["--resolve", f"{host}:{port}:127.0.0.1"]
        said = subprocess.run(
            [*command, *to, f"https://{host}:{port}/"], capture_output=True, text=True, timeout=20, check=False
        ).stderr
        assert ("127.0.0.1:1" not in said and "port 1 " not in said) is by_curl, said
    one_reading = len({by_urllib, by_requests, by_curl}) == 1
    read = no_proxy.read(entry)
    assert one_reading or read.findings, "a difference that is not told"
    if one_reading and not read.findings:
        assert bypasses(host, port, read.entries) is by_curl


@pytest.mark.parametrize(
    ("text", "verdict", "said"),
    [
        ("10.0.0.0/8", "pass", "urllib and httpx know no ranges"),
        ("fd00::/8", "pass", "httpx fails on it"),
        (".svc", "pass", "without its dot"),
        ("10.5.0.9:6443", "pass", "give the address alone besides"),
        ("[fd00::5]:6443", "pass", "give the address alone besides"),
        ("foo.svc:8080", "pass", "but for curl"),
        ("*.svc", "warn", "a suffix for Go alone"),
        ("a.corp b.corp", "warn", "blanks"),
        ("*", "warn", "everything"),
        ("a.corp,*", "warn", "for Go and httpx"),
    ],
)
def test_differences_are_told(text: str, verdict: str, said: str) -> None:
    [finding] = no_proxy.read(text).findings
    assert finding.verdict == verdict and said in finding.evidence
    assert bool(finding.mend) is (verdict == "warn")


@pytest.mark.parametrize("text", ["a.corp", "A.CORP", "10.5.0.9", "fd00::5", "a.corp, b.corp"])
def test_what_all_read_alike_is_not_told(text: str) -> None:
    assert no_proxy.read(text).findings == ()


@pytest.mark.parametrize("text", ["10.5.*", "10.5.", "http://a.corp", "10.0.0.0/33"])
def test_what_none_understands_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="skip range"):
        no_proxy.read(text)


def test_single_hosts_and_the_star() -> None:
    read = no_proxy.read("*,10.5.0.9:6443,[fd00::5]:443,.svc,10.0.0.0/8,a.corp")
    assert read.single_hosts() == (("10.5.0.9", 6443), ("fd00::5", 443))
    assert bypasses("management.azure.com", 443, read.entries)


def test_the_environment_in_lower_case_counts_as_for_curl_and_python() -> None:
    assert of_environment({"no_proxy": "a.corp", "NO_PROXY": "b.corp"}).skip == ("a.corp",)
    assert of_environment({"NO_PROXY": "b.corp"}).skip == ("b.corp",)
