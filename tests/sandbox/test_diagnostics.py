from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from edge_world import World, free_port, in_thread, world

from sandbox import forward_proxy
from sandbox.forward_proxy import Exchange, Refused, Stream, Upstream
from sandbox.home import PROJECT
from sandbox.images.diagnostics import Result, report
from sandbox.outbound import Proxy, dial

pytestmark = pytest.mark.timeout(60)

OUTBOUND = "Outbound Network Connectivity Check"
ENTRA = "Entra Authentication Endpoint Connectivity Check Result"
CONNECT = ["https://eastus.obo.arc.azure.com:8084/", "https://eastus.obo.arc.azure.com/"]


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("edge")) as made:
        yield made


def look(edge: World, **env: str) -> subprocess.CompletedProcess[str]:
    settings = {"REGION": "eastus", "SSL_CERT_FILE": edge.roots, "HTTPS_PROXY": edge.proxy_url("router"), **env}
    return subprocess.run(
        [sys.executable, "-m", "sandbox.images.diagnostics"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), **settings},
        capture_output=True,
        text=True,
        timeout=40,
    )


def verdict(log: str) -> tuple[str, str, str, str]:
    """What the client makes of a log: DNS, Entra's code, and the URL and the codes that it judges by.

    It joins the outbound lines with two blanks, splits the first one's fields at ` : `, and takes the last three
    characters of the whole as the code of onboarding.
    """
    lines = log.split("\n")[:-1]
    dns = "".join(line for line in lines if "DNS Result:" in line)
    outbound = "  ".join(line for line in lines if OUTBOUND in line)
    entra = next(line for line in lines if ENTRA in line)
    _, url, code = outbound.split("  ")[0].split(" : ")
    assert url == CONNECT[0]
    return ("failed" if not dns or "NXDOMAIN" in dns else "passed"), entra.split(" : ")[-1], code, outbound[-3:]


def test_everything_open(edge: World) -> None:
    done = look(edge)
    assert done.returncode == 0, done.stderr
    assert verdict(done.stdout) == ("passed", "404", "404", "404")  # the test's Azure has nothing under /
    assert [line.split(" : ")[1] for line in done.stdout.splitlines() if OUTBOUND in line] == [
        *CONNECT,
        "https://gbl.his.arc.azure.com/",
        "https://mcr.microsoft.com/",
    ]
    assert "did not answer" not in done.stdout


def test_no_way_out(edge: World) -> None:
    done = look(edge, HTTPS_PROXY=f"http://user:canary@127.0.0.1:{free_port()}")
    assert done.returncode == 0
    assert verdict(done.stdout) == ("passed", "000", "000", "000")
    assert "Connection refused" in done.stdout
    assert "canary" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("closed", "expected"),
    [
        ("eastus.obo.arc.azure.com", ("passed", "404", "000", "404")),
        ("gbl.his.arc.azure.com", ("passed", "404", "404", "000")),
        ("mcr.microsoft.com", ("passed", "404", "404", "000")),
        ("login.microsoftonline.com", ("passed", "000", "404", "404")),
    ],
)
def test_one_name_closed_at_the_proxy(edge: World, closed: str, expected: tuple[str, ...]) -> None:
    port = free_port()

    async def open_upstream(_: Exchange, host: str, target_port: int) -> Upstream:
        if host == closed:
            raise Refused(403, "closed")
        return Upstream(await dial(host, target_port, Proxy("127.0.0.1", edge.home.port("router"))), host)

    async def handle(client: Stream) -> None:
        await forward_proxy.serve(client, open_upstream, lambda exchange: None)

    async def main(ready: threading.Event, stop: asyncio.Event) -> None:
        async with forward_proxy.listen("127.0.0.1", port, handle):
            ready.set()
            await stop.wait()

    with in_thread(main):
        done = look(edge, HTTPS_PROXY=f"http://127.0.0.1:{port}")
    assert done.returncode == 0
    assert verdict(done.stdout) == expected
    assert closed in next(line for line in done.stdout.splitlines() if "did not answer" in line)


def test_a_certificate_that_nobody_here_trusts(edge: World) -> None:
    done = look(edge, SSL_CERT_FILE="")
    assert done.returncode == 0
    assert verdict(done.stdout)[1:] == ("000", "000", "000")
    assert "certificate" in done.stdout


def test_names_of_services(edge: World, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.json"
    hosts.write_text(json.dumps({"a.b.svc.cluster.local": "127.10.0.1"}))
    assert "DNS Result: the node resolves the names of 1 Services" in look(edge, SANDBOX_HOSTS=str(hosts)).stdout
    assert verdict(look(edge, SANDBOX_HOSTS=str(tmp_path / "missing.json")).stdout)[0] == "failed"


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"REGION": ""}, "REGION"),
        ({"HTTPS_PROXY": "socks://canary"}, "proxy's URL"),
        ({"SSL_CERT_FILE": "/no"}, "look"),
    ],
)
def test_it_fails_only_where_it_cannot_look(edge: World, env: dict[str, str], said: str) -> None:
    done = look(edge, **env)
    assert done.returncode == 1
    assert said in done.stderr and "canary" not in done.stderr and "Traceback" not in done.stderr


def test_a_failing_endpoint_that_onboarding_needs_comes_last() -> None:
    good, bad = Result("https://good/", "200", ""), Result("https://bad/", "000", "closed")
    lines = report(good, [good], [bad, good])
    assert lines[-1].endswith("https://bad/ : 000")
    assert lines[-2] == "https://bad/ did not answer. closed"
