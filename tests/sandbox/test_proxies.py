from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from edge_world import World, pattern, running, world
from waiting import until

from sandbox import gateway, proxies
from sandbox.forward_proxy import READINESS_HOST
from sandbox.home import PROJECT, Home
from sandbox.service import Service

pytestmark = pytest.mark.timeout(90)

SQUID = proxies.find_squid()
needs_squid = pytest.mark.skipif(SQUID is None, reason="no squid on this machine: `make toolchain` gets one")


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("edge")) as made:
        yield made


def service_of(kind: str, home: Home) -> Service:
    if kind == "stand-in":
        return proxies.stand_in_service(home)
    assert SQUID is not None
    return proxies.squid_service(home, SQUID)


@pytest.fixture(scope="module", params=["stand-in", pytest.param("squid", marks=needs_squid)])
def proxy(edge: World, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of each kind of proxy."""
    with running(edge.home, service_of(request.param, edge.home)):
        yield edge.proxy_url("proxy")
    assert "Traceback" not in (edge.home.root / "logs/proxy.log").read_text()


@pytest.fixture(scope="module")
def squid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, subprocess.Popen[bytes]]]:
    """A world whose proxy is squid, and squid's process."""
    with world(tmp_path_factory.mktemp("squid")) as made, running(made.home, service_of("squid", made.home)) as process:
        yield made, process


def ask(connection: socket.socket, target: str) -> int:
    connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    return int(connection.recv(64).split()[1])


def connect_status(port: int, target: str) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        return ask(connection, target)


def access_log(home: Home) -> str:
    return (home.root / "squid/access.log").read_text()


# --- what both kinds do ---


def test_curl_reaches_azure(edge: World, proxy: str) -> None:
    done = edge.curl(proxy, "https://management.azure.com/hello")
    assert done.stdout == b"hello from management.azure.com\n", done.stderr


def test_a_large_download_and_upload_are_exact(edge: World, proxy: str) -> None:
    size = 24 * 2**20
    with requests.Session() as session:
        session.trust_env, session.verify = False, edge.roots
        session.proxies = {"https": proxy}
        body = session.get(f"https://management.azure.com/big?size={size}", timeout=30).content
        assert body == pattern(size)
        told = session.post("https://management.azure.com/digest", data=body, timeout=30).text
    assert told == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("localhost:443", 403),
        ("127.0.0.1:443", 403),
        ("management.azure.com:22", 403),
        ("example.com:443", 502),
        ("eastus.obo.arc.azure.com:8084", 200),
    ],
)
def test_other_targets_are_refused(edge: World, proxy: str, target: str, status: int) -> None:
    assert connect_status(edge.home.port("proxy"), target) == status


def test_refusals_do_not_make_the_way_out_look_dead(edge: World, proxy: str) -> None:
    port = edge.home.port("proxy")
    assert {connect_status(port, "nobody.example:443") for _ in range(30)} == {502}
    assert connect_status(port, "management.azure.com:443") == 200


def test_fifty_connections_at_once(edge: World, proxy: str) -> None:
    def one(index: int) -> bytes:
        return edge.curl(proxy, f"https://r{index}.his.arc.azure.com/hello").stdout

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(one, range(50)))
    assert answers == [f"hello from r{index}.his.arc.azure.com\n".encode() for index in range(50)]


def test_plain_http_gets_a_reason(edge: World, proxy: str) -> None:
    done = edge.curl(proxy, "-w", "%{http_code}", "http://management.azure.com/")
    assert done.stdout.endswith(b"502")
    assert b"CONNECT alone" in done.stdout


@pytest.mark.parametrize("kind", ["stand-in", pytest.param("squid", marks=needs_squid)])
def test_it_is_ready_when_its_way_out_is_there_and_says_503_when_that_is_gone(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = Home(tmp_path_factory.mktemp("router"))
    (edge,) = gateway.services(home)
    service = service_of(kind, home)
    port = home.port("proxy")
    with contextlib.ExitStack() as stack:
        with running(home, edge):
            stack.enter_context(running(home, service))
            assert connect_status(port, "nobody.example:443") == 502
        assert not service.ready()
        assert connect_status(port, "nobody.example:443") == 503
        with running(home, edge):
            until(service.ready)
            assert connect_status(port, "nobody.example:443") == 502


def test_it_is_not_ready_where_something_else_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert not proxies.leads_to_router(other.getsockname()[1])


@pytest.mark.parametrize("kind", ["stand-in", pytest.param("squid", marks=needs_squid)])
def test_it_stops_quickly_with_a_tunnel_open_and_is_small(kind: str, edge: World, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    (own_edge,) = gateway.services(home)
    with running(home, own_edge), socket.socket() as client:
        with running(home, service_of(kind, home)) as process:
            client.connect(("127.0.0.1", home.port("proxy")))
            assert ask(client, "contoso.gw.arc.azure.com:443") == 200
            assert psutil.Process(process.pid).memory_info().rss < 64 * 2**20
            assert all(child.name() != "squid" for child in psutil.Process(process.pid).children())
            begun = time.monotonic()
        assert process.returncode is not None and time.monotonic() - begun < 4.5
    assert not [log for log in (home.root / "logs").iterdir() if "Traceback" in log.read_text()]


# --- squid alone ---


@needs_squid
def test_status_names_squid_and_its_version(edge: World) -> None:
    assert SQUID is not None
    assert proxies.proxy_kind(edge.home) == f"squid {SQUID.version}"
    assert proxies.services(edge.home)[0].argv[-1] == str(SQUID.program)


def test_without_a_squid_the_stand_in_takes_over(edge: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "find_squid", lambda: None)
    assert proxies.proxy_kind(edge.home) == "stand-in"
    (service,) = proxies.services(edge.home)
    assert (service.name, service.ports, service.after) == ("proxy", ("proxy",), ("edge",))


def test_a_squid_that_does_not_run_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "squid"
    broken.write_text("#!/bin/sh\necho 'error while loading shared libraries' >&2\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setattr(Home, "tool", staticmethod(lambda name: broken))
    monkeypatch.setattr(proxies, "SYSTEM_SQUIDS", ())
    proxies.find_squid.cache_clear()
    try:
        assert proxies.find_squid() is None
    finally:
        proxies.find_squid.cache_clear()


@needs_squid
def test_squid_logs_what_clients_ask_and_not_the_looks_at_its_readiness(squid: tuple[World, object]) -> None:
    own, _ = squid
    own.curl(own.proxy_url("proxy").replace("//", "//user:canary@"), "https://login.microsoftonline.com/hello")
    until(lambda: "login.microsoftonline.com:443" in access_log(own.home))
    log = access_log(own.home)
    assert READINESS_HOST not in log
    assert "canary" not in log
    assert "transaction-end-before-headers" not in log


@needs_squid
def test_squid_shows_its_own_error_page(squid: tuple[World, object]) -> None:
    own, _ = squid
    done = own.curl(own.proxy_url("proxy"), "-w", "%{http_code}", "http://localhost/")
    assert done.stdout.endswith(b"403")
    assert b"ERR_ACCESS_DENIED" in done.stdout
    assert b"Missing Template" not in done.stdout


@needs_squid
def test_two_squids_do_not_meet(squid: tuple[World, subprocess.Popen[bytes]], tmp_path: Path) -> None:
    own, process = squid
    other = Home(tmp_path / "other")
    assert proxies.instance_name(own.home) != proxies.instance_name(other)
    with running(other, gateway.services(other)[0]), running(other, service_of("squid", other)) as second:
        assert second.pid != process.pid
        assert connect_status(other.port("proxy"), "nobody.example:443") == 502
        assert connect_status(own.home.port("proxy"), "management.azure.com:443") == 200
    assert connect_status(own.home.port("proxy"), "management.azure.com:443") == 200


@needs_squid
@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its user")
def test_root_does_not_run_squid_as_root(squid: tuple[object, subprocess.Popen[bytes]]) -> None:
    _, process = squid
    assert psutil.Process(process.pid).username() in proxies.UNPRIVILEGED


@needs_squid
def test_what_a_killed_squid_left_does_not_hinder_the_next(edge: World) -> None:
    service = service_of("squid", edge.home)
    shared = f"{proxies.instance_name(edge.home)}-*"
    with running(edge.home, service) as process:
        process.kill()
        process.wait(5)
    pid_file = edge.home.root / "squid/squid.pid"
    assert pid_file.exists()
    pid_file.write_text(str(os.getpid()))  # as if the number had come to another program since
    with running(edge.home, service) as process:
        assert int(pid_file.read_text()) == process.pid
        service.prepare()  # type: ignore[misc]  # a restart finds one that still runs
        assert not psutil.pid_exists(process.pid)
        assert not list(proxies.SHARED_MEMORY.glob(shared))


PARENT = """
import ctypes, signal, subprocess, sys
child = subprocess.Popen(sys.argv[1:], preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGTERM))
print(child.pid, flush=True)
signal.pause()
"""


@needs_squid
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_squid_ends_with_a_supervisor_that_is_killed(edge: World) -> None:
    service = service_of("squid", edge.home)
    assert service.prepare is not None
    service.prepare()
    env = {**os.environ, "SANDBOX_HOME": str(edge.home.root), "PYTHONPATH": str(PROJECT)}
    argv = [sys.executable, "-c", PARENT, *service.argv]
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        squid = psutil.Process(int(parent.stdout.readline()))
        until(service.ready)
        parent.kill()
        parent.wait(5)
    squid.wait(5)
