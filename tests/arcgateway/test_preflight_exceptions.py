"""Exceptions, the skip range and the certificates that the command is given."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from network_world import Network, network

from arcgateway import driver_settings, proof
from arcgateway.errors import Failure
from arcgateway.results import MENDS, Exemption, Report, Result, exemptions


@pytest.fixture
def net() -> Iterator[Network]:
    with network() as world:
        yield world


@pytest.fixture
def root(net: Network, tmp_path: Path) -> Path:
    path = tmp_path / "root.pem"
    path.write_bytes("Wurzel für Gäste\n".encode("latin-1") + net.genuine.cert_pem.bytes())
    return path


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "arcgateway", "preflight", "--timeout", "3", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_excepted_endpoint_only_warns_and_is_still_told(net: Network, root: Path) -> None:
    azure = net.azure()
    port = net.proxy(lambda host, _: b"HTTP/1.1 403 No\r\n\r\n" if host.startswith("mcr") else azure)
    names = ("--endpoint", "management.azure.com", "--endpoint", "mcr.microsoft.com")
    common = ("--proxy", f"http://127.0.0.1:{port}", "--genuine-root", root, *names)
    assert command(*common).returncode == 2
    done = command(*common, "--except", "*.microsoft.com=mirrored here", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["verdict"] == "warn"
    assert [(one["verdict"], one["cause"], one["exception"]) for one in report["endpoints"]] == [
        ("pass", "ok", None),
        ("warn", "denied-by-proxy", "mirrored here"),
    ]
    told = command(*common, "--except", "mcr.microsoft.com=mirrored here")
    assert "denied-by-proxy" in told.stdout and "mirrored here" in told.stdout
    wrong = command(*common, "--except", "mcr.microsoft.co")
    assert wrong.returncode == 1 and "mcr.microsoft.co'" in wrong.stderr


def test_the_skip_range_goes_direct_and_may_have_roots_of_its_own(net: Network, root: Path) -> None:
    cluster = net.azure(net.context(trustme.CA(organization_name="Cluster"), "127.0.0.5", "localhost"))
    refusing = net.proxy(lambda *_: b"HTTP/1.1 403 No\r\n\r\n")
    proxy = ("--proxy", f"http://127.0.0.1:{refusing}", "--genuine-root", root, "--endpoint", f"localhost:{cluster}")
    skip = f"localhost,127.0.0.1:{cluster},127.0.0.1:1"
    done = command(*proxy, "--skip-range", skip, "--json")
    report = json.loads(done.stdout)
    seen = {(one["host"], one["port"]): (one["verdict"], one["cause"], one["direct"]) for one in report["endpoints"]}
    assert seen[("localhost", cluster)] == ("pass", "ok", True)
    assert seen[("127.0.0.1", cluster)] == ("pass", "ok", True)
    assert seen[("127.0.0.1", 1)] == ("warn", "unreachable", True)
    assert done.returncode == 0
    assert any("give the address alone besides" in one["evidence"] for one in report["findings"])
    assert net.asked == []


def test_azures_own_names_are_judged_in_the_skip_range_too(net: Network, root: Path) -> None:
    done = command("--proxy", "http://127.0.0.1:1", "--no-proxy", "*", "--endpoint", "nowhere.invalid", "--json")
    report = json.loads(done.stdout)
    assert report["endpoints"][0]["cause"] == "name-not-resolved" and report["endpoints"][0]["direct"]
    assert "everything round the proxy" in report["findings"][0]["evidence"]


def test_certificates_as_files_come(net: Network, root: Path, tmp_path: Path) -> None:
    azure = net.azure()
    common = ("--proxy", f"http://127.0.0.1:{net.proxy(lambda *_: azure)}", "--endpoint", "management.azure.com")
    assert command(*common, "--genuine-root", root).returncode == 0, "junk of another encoding round a certificate"
    key, der = tmp_path / "key.pem", tmp_path / "root.der"
    key.write_bytes(net.genuine.cert_pem.bytes() + net.genuine.private_key_pem.bytes())
    import ssl

    der.write_bytes(ssl.PEM_cert_to_DER_cert(net.genuine.cert_pem.bytes().decode()))
    for path, said in ((key, "private key"), (der, "openssl x509 -inform der")):
        done = command(*common, "--genuine-root", path)
        assert done.returncode == 1 and said in done.stderr and len(done.stderr.splitlines()) == 1
        assert "BEGIN" not in done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "map of hosts"),
        ({"a.corp": "why"}, "counts (warn or ignore) and reason"),
        ({"a.corp": {"counts": "warn"}}, "counts (warn or ignore) and reason"),
        ({"a.corp": {"counts": "no", "reason": "x"}}, "give warn or ignore"),
        ({"a.corp": {"reason": " "}}, "no reason"),
        ({"a.corp": {"reason": "x", "until": "y"}}, "nothing else"),
        ({"a corp": {"reason": "x"}}, "no host name"),
    ],
    ids=["list", "text", "no-reason", "unknown-counts", "blank-reason", "more", "no-host"],
)
def test_exceptions_that_are_refused(given: object, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(").replace(")", r"\)")):
        exemptions(given)


def result(host: str, cause: str) -> Result:
    return Result(host, 443, "pass" if cause == "ok" else "fail", cause, "seen", "mend", 1, host)


def test_what_exceptions_make_of_a_report() -> None:
    report = Report("p", (result("a.x.corp", "denied-by-proxy"), result("b.corp", "timed-out"), result("c.corp", "ok")))
    assert report.verdict == "fail"
    only = report.excepting((Exemption("*.x.corp", "ignore", "why"), Exemption("c.corp", "warn", "never")))
    assert [(one.verdict, one.exception) for one in only.results] == [("pass", "why"), ("fail", None), ("pass", None)]
    both = report.excepting((Exemption("*.x.corp", "ignore", "why"), Exemption("b.corp", "warn", "b")))
    assert both.verdict == "warn"


def test_the_driver_goes_by_exceptions_and_says_so(
    net: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    azure = net.azure()
    port = net.proxy(lambda host, _: b"HTTP/1.1 403 No\r\n\r\n" if host.startswith("mcr") else azure)
    env = {
        "ARC_PROXY_HTTPS": f"http://127.0.0.1:{port}",
        "ARC_LOCATION": "eastus",
        "ARC_GENUINE_ROOTS": net.genuine.cert_pem.bytes().decode(),
    }
    said: list[str] = []

    def prove(**more: str) -> str:
        settings = driver_settings.read({**env, **more}, cluster_needed=False)
        return str(proof.prove(settings, said.append, whole=False)["verdict"])

    with pytest.raises(Failure, match=r"mcr\.microsoft\.com:443 \(denied-by-proxy\)"):
        prove()
    exceptions = json.dumps({"mcr.microsoft.com": {"counts": "ignore", "reason": "a mirror serves it"}})
    assert prove(ARC_PREFLIGHT_EXCEPTIONS=exceptions) == "pass"
    with pytest.raises(Failure, match=r"ARC_PREFLIGHT_EXCEPTIONS: .* no reason"):
        prove(ARC_PREFLIGHT_EXCEPTIONS='{"mcr.microsoft.com": {"reason": ""}}')
    assert any("denied-by-proxy" in line for line in said)


def test_every_cause_has_a_row_in_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs/preflight.md").read_text()
    causes = page.partition("## Causes")[2].partition("##")[0]
    assert [cause for cause in MENDS if f"`{cause}`" not in causes] == []


def test_a_terminal_gets_a_table_that_fills_and_the_json_stays_clean(net: Network, root: Path) -> None:
    azure = net.azure()
    proxy = f"http://127.0.0.1:{net.proxy(lambda *_: azure)}"
    arguments = ["--proxy", proxy, "--genuine-root", str(root), "--endpoint", "management.azure.com", "--json"]
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "arcgateway", "preflight", *arguments],
        stdout=subprocess.PIPE,
        stderr=theirs,
        timeout=60,
        check=False,
    )
    os.close(theirs)
    said = os.read(ours, 100_000).decode()
    os.close(ours)
    assert json.loads(done.stdout)["verdict"] == "pass"
    assert "0 of 1 endpoints" in said and "1 of 1 endpoints" in said
