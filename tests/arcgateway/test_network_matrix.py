"""Every kind of proxy by every kind of endpoint: the preflight raises no false alarm and misses nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from unittest import mock

import pytest
from matrix_table import CELLS, page
from matrix_world import FLEET, HOSTS, PASSWORD, Matrix, Server, matrix, squid_openssl

from arcgateway.endpoints import Endpoint, required
from arcgateway.preflight import Report, endpoint, run
from arcgateway.proxy import ProxySettings, ProxyUrl
from sandbox.home import PROJECT
from sandbox.proxies import find_squid

pytestmark = pytest.mark.timeout(180)

TIMEOUT = 7.0

MISSING = {
    "squid": "" if find_squid() else "no squid on this machine: `make toolchain` gets one",
    "opening": ""
    if squid_openssl()
    else "no squid that opens TLS: `python3 -m toolchain --only squid-openssl` gets one",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    with matrix(tmp_path_factory.mktemp("matrix")) as made:
        yield made


def endpoints(world: Matrix, server: Server) -> list[Endpoint]:
    """All kinds in their order. Directly they are asked for by the one name that leads to loopback."""
    given = [endpoint(host, world.ports[kind]) for kind, host in HOSTS.items()]
    return given if server.url else [replace(item, host="localhost", probe="localhost") for item in given]


def probe(world: Matrix, server: Server, items: list[Endpoint]) -> Report:
    proxy = ProxySettings(https=ProxyUrl.parse(server.url) if server.url else None, certificate=server.certificate)
    return run(items, proxy, [world.genuine, *server.vouched], timeout=TIMEOUT)


@pytest.fixture(scope="module")
def reports(world: Matrix) -> dict[str, Report]:
    """A report on all endpoints for each kind of proxy."""

    def one(kind: str) -> tuple[str, Report]:
        return kind, probe(world, world.servers[kind], endpoints(world, world.servers[kind]))

    # The environment is the whole process's.
    alone = [kind for kind, server in world.servers.items() if server.environment]
    with ThreadPoolExecutor(6) as pool:
        found = dict(pool.map(one, [kind for kind in world.servers if kind not in alone]))
    for kind in alone:
        with mock.patch.dict(os.environ, world.servers[kind].environment):
            found |= [one(kind)]
    return found


def _there(kind: str) -> None:
    for part, reason in MISSING.items():
        if kind.startswith(part) and reason:
            pytest.skip(reason)


@pytest.mark.parametrize(
    ("proxy", "kind", "cell"),
    [(proxy, kind, cell) for proxy, row in CELLS.items() for kind, cell in row.items()],
)
def test_the_cell(reports: dict[str, Report], proxy: str, kind: str, cell: str) -> None:
    _there(proxy)
    result = reports[proxy].results[list(HOSTS).index(kind)]
    word, _, cause = cell.rpartition(" ")
    verdict = word or ("pass" if cause == "ok" else "fail")
    assert (result.verdict, result.cause) == (verdict, cause), result.evidence
    assert bool(result.mend) == (cause != "ok")


def test_every_kind_of_proxy_and_of_endpoint_is_in_the_table(world: Matrix) -> None:
    assert set(world.servers) <= set(CELLS)
    assert {kind for row in CELLS.values() for kind in row} == set(HOSTS)


def test_the_page_shows_the_matrix_and_the_names() -> None:
    text = (PROJECT / "docs/network.md").read_text()
    lines = text.lower()
    assert page() in text
    for edition in ("preview", "ga"):
        names = {item.host for item in required("PREFIX.gw.arc.azure.com", "eastus", edition=edition)}
        assert len(names) == 9 and all(f"`{name}`" in lines for name in names)
    assert f"let {len(required(None, 'eastus'))} names through" in text


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("opening", "issuer OU=Testing CA"),
        ("opening, root installed", "this machine trusts its root (SSL_CERT_FILE="),
        ("opening, root given as the proxy's", "the chain ends in the proxy's own certificate"),
        ("squid with login, a wrong one", "to the user and password in its URL"),
        ("squid stalled", "CONNECT is not answered"),
        ("squid over TLS, root unknown", "unable to get local issuer certificate"),
    ],
)
def test_the_evidence_says_how_it_was_found(reports: dict[str, Report], proxy: str, words: str) -> None:
    _there(proxy)
    assert words in reports[proxy].results[0].evidence


def test_whoever_signs_all_names_is_told_once(reports: dict[str, Report]) -> None:
    _there("opening")
    [(names, seen, mend, _), *rest] = reports["opening"].told()
    assert len(names) == len(HOSTS) - 1 and [len(others) for others, *_ in rest] == [1]
    assert seen.startswith("management.azure.com: ") and "exempt" in mend


def test_no_credentials_are_in_any_report(reports: dict[str, Report]) -> None:
    text = json.dumps([report.as_json() for report in reports.values()])
    assert "canary" not in text and PASSWORD not in text


@pytest.mark.parametrize("proxy", ["squid with login", "opening, root installed"])
def test_the_command_finds_the_same(world: Matrix, reports: dict[str, Report], proxy: str) -> None:
    _there(proxy)
    server = world.servers[proxy]
    assert server.url is not None
    root = world.folder / "genuine.pem"
    root.write_text(world.genuine)
    given = [word for kind, host in HOSTS.items() for word in ("--endpoint", f"{host}:{world.ports[kind]}")]
    options = ("--proxy", server.url, "--genuine-root", str(root), "--timeout", str(TIMEOUT), "--json", *given)
    done = subprocess.run(
        [sys.executable, "-m", "arcgateway", "preflight", *options],
        env={**os.environ, **server.environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    answer = json.loads(done.stdout)
    found = [(one["verdict"], one["cause"]) for one in answer["endpoints"]]
    assert found == [(one.verdict, one.cause) for one in reports[proxy].results]
    assert answer["verdict"] == "fail" and "canary" not in done.stdout + done.stderr


def test_forty_endpoints_through_a_real_squid_are_probed_side_by_side(world: Matrix) -> None:
    _there("squid")
    items = [endpoint(name, world.ports["open"]) for name in FLEET]
    started = time.monotonic()
    report = probe(world, world.servers["squid"], items)
    one_by_one = sum(found.milliseconds for found in report.results) / 1000
    assert time.monotonic() - started < one_by_one / 4
    assert report.verdict == "pass" and len(report.results) == 40
