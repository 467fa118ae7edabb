from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import hashlib
import http.client
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import requests
import trustme
from edge_world import GATEWAY, World, free_port, image, in_thread, pattern, running, serving, world
from waiting import until

from sandbox import forward_proxy, proxies
from sandbox.certificates import certificates, issue
from sandbox.forward_proxy import Exchange, Head, Refused, Stream, Upstream
from sandbox.home import PROJECT
from sandbox.images import arc_proxy
from sandbox.outbound import Proxy, connect, dial, secure

pytestmark = pytest.mark.timeout(90)

MODULE = "sandbox.images.arc_proxy"

#: Envoy's default access log, as its documentation gives it.
ENVOY = re.compile(
    r'\[(?P<start>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\] "(?P<method>\S+) (?P<path>\S+) (?P<protocol>\S+)" '
    r"(?P<code>\d+) (?P<flags>\S+) (?P<received>\d+) (?P<sent>\d+) (?P<duration>\d+) (?P<service>\S+) "
    r'"(?P<forwarded>[^"]*)" "(?P<agent>[^"]*)" "(?P<id>[^"]*)" "(?P<authority>[^"]*)" "(?P<upstream>[^"]*)"'
)


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Azure, the gateway, and the enterprise proxy: squid where there is one."""
    with world(tmp_path_factory.mktemp("edge")) as made, running(made.home, proxies.services(made.home)[0]):
        yield made


@dataclass(frozen=True)
class Pod:
    """An Arc Proxy that runs."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def lines(self, path: str = "") -> list[dict[str, str]]:
        """Its access log, of one path where one is given; every line must have Envoy's form."""
        matched = [ENVOY.fullmatch(line) for line in self.log.read_text().splitlines()]
        assert all(matched), self.log.read_text()
        lines = [match.groupdict() for match in matched if match]
        return [line for line in lines if not path or line["path"] == path]


@contextlib.contextmanager
def pod(edge: World, **env: str) -> Iterator[Pod]:
    port = free_port()
    settings = {
        "GATEWAY_ENDPOINT": GATEWAY,
        "HTTPS_PROXY": edge.proxy_url("proxy"),
        "LISTEN_PORT": str(port),
        "SSL_CERT_FILE": edge.roots,
        **env,
    }
    log = edge.home.root / "logs" / f"{MODULE}-{port}.log"
    with image(edge.home, MODULE, port, settings) as process:
        yield Pod(f"http://127.0.0.1:{port}", port, process, log)


@pytest.fixture(scope="module")
def shared(edge: World) -> Iterator[Pod]:
    with pod(edge) as made:
        yield made


@dataclass
class Enterprise:
    """An enterprise proxy under the test's control, in front of the router."""

    router: int
    authorization: str = ""
    also: dict[str, int] = field(default_factory=dict)  # hosts of its own, and their local ports
    asked: list[str] = field(default_factory=list)

    async def handle(self, client: Stream) -> None:
        await forward_proxy.serve(client, self.open, lambda exchange: None)

    async def open(self, exchange: Exchange, host: str, port: int) -> Upstream:
        assert exchange.head is not None
        self.asked.append(f"{host}:{port}")
        if self.authorization and exchange.head.headers.get("proxy-authorization") != self.authorization:
            raise Refused(407, "Who are you?")
        if host in self.also:
            return Upstream(await connect("127.0.0.1", self.also[host]), host)
        return Upstream(await dial(host, port, Proxy("127.0.0.1", self.router)), host)


@contextlib.contextmanager
def enterprise(edge: World, tls: ssl.SSLContext | None = None, **settings: object) -> Iterator[tuple[Enterprise, str]]:
    proxy = Enterprise(edge.home.port("router"), **settings)  # type: ignore[arg-type]
    port = free_port()

    async def main(ready: threading.Event, stop: asyncio.Event) -> None:
        async with forward_proxy.listen("127.0.0.1", port, proxy.handle, tls):
            ready.set()
            await stop.wait()

    with in_thread(main):
        yield proxy, f"127.0.0.1:{port}"


# --- the whole way ---


def test_curl_arrives_by_way_of_proxy_and_gateway_and_both_logs_agree(edge: World) -> None:
    seen = len(edge.gateway_log())
    targets = ["management.azure.com", "eastus.his.arc.azure.com", "management.azure.com"]
    with pod(edge) as arc:
        for target in targets:
            done = edge.curl(arc.url, "-A", "agent/1.0", "-H", "x: y", f"https://{target}/hello")
            assert done.stdout == f"hello from {target}\n".encode(), done.stderr
        until(lambda: len(arc.lines()) == 3 and len(edge.gateway_log()) == seen + 3)
        lines = arc.lines()
    assert sorted(line["path"] for line in lines) == sorted(f"{target}:443" for target in targets)
    assert {(line["method"], line["protocol"], line["code"]) for line in lines} == {("CONNECT", "HTTP/1.1", "200")}
    assert {line["flags"] for line in lines} <= {"-", "DC"}  # a curl that has its answer may reset what it leaves
    assert {line["upstream"] for line in lines} == {f"{GATEWAY}:443"}
    assert {line["authority"] for line in lines} == {f"{target}:443" for target in targets}
    # Each writes a line when it sees the end of a connection, in its own time: the order may differ.
    ours = sorted((line["path"], int(line["received"]), int(line["sent"])) for line in lines)
    assert ours == sorted((line["target"], line["bytesUp"], line["bytesDown"]) for line in edge.gateway_log()[seen:])
    assert all(up > 300 and down > 1000 for _, up, down in ours)
    assert all(int(line["duration"]) < 10_000 for line in lines)


def test_requests_arrives(edge: World, shared: Pod) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"https": shared.url}
        answer = session.get("https://management.azure.com/hello", verify=edge.roots, timeout=10)
        assert answer.text == "hello from management.azure.com\n"


def test_a_client_that_closes_without_a_goodbye_is_logged_soon_after(edge: World, shared: Pod) -> None:
    """Its end cannot be passed on to the gateway, and the target waits for another request."""
    client = http.client.HTTPSConnection(
        "127.0.0.1", shared.port, timeout=10, context=ssl.create_default_context(cafile=edge.roots)
    )
    client.set_tunnel("unclosed.his.arc.azure.com", 443)
    client.request("GET", "/hello")
    assert client.getresponse().read() == b"hello from unclosed.his.arc.azure.com\n"
    time.sleep(1.2)
    assert not shared.lines("unclosed.his.arc.azure.com:443")
    client.close()
    lines = until(lambda: shared.lines("unclosed.his.arc.azure.com:443"), 3)
    assert lines[0]["flags"] == "-"


def test_a_large_download_and_upload_are_exact_and_counted(edge: World, shared: Pod) -> None:
    size = 24 * 2**20
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"https": shared.url}
        body = session.get(f"https://management.azure.com/big?size={size}", verify=edge.roots, timeout=40).content
        assert body == pattern(size)
        told = session.post("https://management.azure.com/digest", data=body, verify=edge.roots, timeout=40).text
    assert told == hashlib.sha256(body).hexdigest()
    [line] = until(lambda: [line for line in shared.lines() if int(line["received"]) > size])
    assert int(line["received"]) < size * 1.02
    assert size < int(line["sent"]) < size * 1.02


def test_fifty_connections_at_once(edge: World, shared: Pod) -> None:
    def one(index: int) -> bytes:
        return edge.curl(shared.url, f"https://r{index}.his.arc.azure.com/hello").stdout

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(one, range(50)))
    assert answers == [f"hello from r{index}.his.arc.azure.com\n".encode() for index in range(50)]
    paths = sorted(f"r{index}.his.arc.azure.com:443" for index in range(50))
    until(lambda: sorted(line["path"] for line in shared.lines() if line["path"] in paths) == paths)
    assert len({line["id"] for line in shared.lines()}) == len(shared.lines())


def test_a_client_that_breaks_off_leaves_nothing_open(edge: World, shared: Pod) -> None:
    had = len(psutil.Process(shared.process.pid).net_connections())
    clients = []
    for _ in range(10):
        client = socket.create_connection(("127.0.0.1", shared.port), timeout=10)
        client.sendall(b"CONNECT broken.his.arc.azure.com:443 HTTP/1.1\r\n\r\n")
        assert b" 200 " in client.recv(1000)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        clients.append(client)
    for client in clients:
        client.close()
    until(lambda: len(shared.lines("broken.his.arc.azure.com:443")) == 10)
    assert {line["flags"] for line in shared.lines("broken.his.arc.azure.com:443")} == {"DC"}
    open_ones = psutil.Process(shared.process.pid).net_connections
    until(lambda: len(open_ones()) <= had)


def test_looks_at_the_port_are_not_logged(edge: World) -> None:
    with pod(edge) as arc:
        for _ in range(3):
            socket.create_connection(("127.0.0.1", arc.port)).close()
        time.sleep(0.3)
        assert not arc.lines()


def test_it_is_small_and_quiet_and_ends_when_told(edge: World) -> None:
    with pod(edge) as arc:
        process = psutil.Process(arc.process.pid)
        edge.curl(arc.url, "https://management.azure.com/hello")
        before = sum(process.cpu_times()[:2])
        time.sleep(1)
        assert sum(process.cpu_times()[:2]) - before <= 0.02
        assert process.memory_info().rss < 64 * 2**20
        begun = time.monotonic()
    assert arc.process.returncode == 0
    assert time.monotonic() - begun < 5  # a kill comes after 5 s


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 from the start")
def test_it_listens_on_the_pods_address_alone(edge: World) -> None:
    port = free_port()
    env = {"GATEWAY_ENDPOINT": GATEWAY, "POD_IP": "127.10.77.1", "LISTEN_PORT": str(port), "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen([sys.executable, "-m", MODULE], env=env) as process:
        try:
            until(lambda: _accepts("127.10.77.1", port))
            assert not _accepts("127.0.0.1", port)
        finally:
            process.terminate()


def _accepts(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


# --- other ways ---


def test_what_the_gateway_does_not_carry_goes_directly(edge: World) -> None:
    with (
        enterprise(edge, also={"packages.example": edge.home.port("azure")}) as (proxy, address),
        pod(edge, HTTPS_PROXY=f"http://{address}") as arc,
    ):
        done = edge.curl(arc.url, "-k", "https://packages.example/hello")
        assert done.stdout == b"hello from packages.example\n", done.stderr
        until(lambda: len(arc.lines()) == 2)
        lines = arc.lines()
    assert proxy.asked == [f"{GATEWAY}:443", "packages.example:443"]
    assert [(line["path"], line["code"], line["upstream"]) for line in lines] == [
        ("packages.example:443", "403", f"{GATEWAY}:443"),
        ("packages.example:443", "200", "packages.example:443"),
    ]
    assert [line["status"] for line in edge.gateway_log("packages.example:443")] == [403]


def test_what_nobody_carries_is_refused_with_the_proxys_word(edge: World, shared: Pod) -> None:
    done = edge.curl(shared.url, "-o", "/dev/null", "-w", "%{http_connect}", "https://example.com/")
    assert done.stdout == b"502"
    until(lambda: "502" in {line["code"] for line in shared.lines("example.com:443")})


def test_no_proxy_goes_past_proxy_and_gateway(edge: World, tmp_path: Path) -> None:
    name = "metrics.azure-arc.svc"
    hosts = tmp_path / "hosts.json"
    hosts.write_text(json.dumps({name: "127.0.0.1"}))
    target = f"{name}:{edge.home.port('azure')}"
    with (
        enterprise(edge) as (proxy, address),
        pod(edge, HTTPS_PROXY=f"http://{address}", NO_PROXY="10.0.0.0/8,.svc", SANDBOX_HOSTS=str(hosts)) as arc,
    ):
        done = edge.curl(arc.url, "-k", f"https://{target}/hello")
        assert done.stdout == f"hello from {target}\n".encode(), done.stderr
        until(lambda: len(arc.lines()) == 1)
        assert arc.lines()[0]["upstream"] == target
    assert proxy.asked == []
    assert not edge.gateway_log(target)


def test_a_proxy_that_wants_credentials_gets_them_and_no_log_does(edge: World) -> None:
    basic = "Basic dXNlcjpjYW5hcnktcEBzcw=="
    with enterprise(edge, authorization=basic) as (_, address):
        with pod(edge, HTTPS_PROXY=f"http://user:canary-p%40ss@{address}") as arc:
            done = edge.curl(arc.url, "https://management.azure.com/hello")
            assert done.stdout == b"hello from management.azure.com\n", done.stderr
            until(lambda: len(arc.lines()) == 1)
            assert "canary" not in arc.log.read_text() and "dXNlc" not in arc.log.read_text()
        with pod(edge, HTTPS_PROXY=f"http://user:canary-wrong@{address}") as arc:
            done = edge.curl(arc.url, "-v", "https://management.azure.com/hello")
            assert b"HTTP/1.1 502" in done.stderr
            assert b"407" not in done.stderr.partition(b"HTTP/1.1 502")[2].partition(b"\n")[0]
            until(lambda: len(arc.lines()) == 1)
            assert (arc.lines()[0]["code"], arc.lines()[0]["flags"]) == ("502", "UF")
            assert "canary" not in arc.log.read_text()
        assert b"canary" not in done.stdout + done.stderr


def test_credentials_of_a_client_stay_out_of_the_log(edge: World, shared: Pod) -> None:
    edge.curl(shared.url.replace("//", "//agent:canary@"), "https://management.azure.com/hello")
    edge.curl(shared.url, "http://user:canary@management.azure.com/")
    with socket.create_connection(("127.0.0.1", shared.port), timeout=10) as client:
        client.sendall(b"CONNECT user:canary@management.azure.com:443 HTTP/1.1\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 400 ")
    until(lambda: "400" in {line["code"] for line in shared.lines()})
    assert "canary" not in shared.log.read_text()


def test_a_proxy_that_speaks_tls(edge: World) -> None:
    chain, key = issue(edge.home, "enterprise", "localhost")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(chain, key)
    with enterprise(edge, tls) as (proxy, address):
        port = address.rpartition(":")[2]
        with pod(edge, HTTPS_PROXY=f"https://localhost:{port}") as arc:
            size = 3 * 2**20
            done = edge.curl(arc.url, f"https://management.azure.com/big?size={size}")
            assert done.stdout == pattern(size), done.stderr
    assert proxy.asked == [f"{GATEWAY}:443"]


def test_without_a_proxy_the_gateway_is_asked_directly(edge: World, tmp_path: Path) -> None:
    """Nothing listens for the gateway's public name here: the refusal must say so, and quickly."""
    hosts = tmp_path / "hosts.json"
    hosts.write_text(json.dumps({GATEWAY: "127.83.1.1"}))
    with pod(edge, HTTPS_PROXY="", SANDBOX_HOSTS=str(hosts)) as arc:
        done = edge.curl(arc.url, "-v", "https://management.azure.com/hello")
    assert b"HTTP/1.1 503" in done.stderr


# --- what goes wrong ---


def test_a_dead_proxy_is_a_503_with_its_reason(edge: World) -> None:
    with pod(edge, HTTPS_PROXY=f"http://user:canary@127.0.0.1:{free_port()}") as arc:
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", arc.port), timeout=10) as client:
            client.sendall(b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")
            answer = b"".join(iter(functools.partial(client.recv, 4096), b""))
        assert time.monotonic() - begun < 10
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Connection refused" in answer and b"canary" not in answer
        until(lambda: len(arc.lines()) == 1)
        assert (arc.lines()[0]["flags"], arc.lines()[0]["upstream"]) == ("UF", f"{GATEWAY}:443")


def test_a_gateway_with_a_foreign_certificate_is_not_trusted(edge: World, tmp_path: Path) -> None:
    roots = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(roots))
    with pod(edge, SSL_CERT_FILE=str(roots)) as arc:
        done = edge.curl(arc.url, "-v", "https://management.azure.com/hello")
        assert b"HTTP/1.1 503" in done.stderr
        until(lambda: len(arc.lines()) == 1)
        assert arc.lines()[0]["flags"] == "UF"


def test_plain_http_gets_a_reason(edge: World, shared: Pod) -> None:
    done = edge.curl(shared.url, "-w", "%{http_code}", "http://management.azure.com/")
    assert done.stdout.endswith(b"502") and b"CONNECT alone" in done.stdout


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "GATEWAY_ENDPOINT"),
        ({"GATEWAY_ENDPOINT": "https://x.gw.arc.azure.com"}, "GATEWAY_ENDPOINT"),
        ({"GATEWAY_ENDPOINT": GATEWAY, "HTTPS_PROXY": "ftp://user:canary@h:1"}, "proxy's URL"),
        ({"GATEWAY_ENDPOINT": GATEWAY, "LISTEN_PORT": "http"}, "LISTEN_PORT"),
        ({"GATEWAY_ENDPOINT": GATEWAY, "SSL_CERT_FILE": "/nowhere.pem"}, "cannot start"),
    ],
)
def test_an_environment_that_means_nothing_is_told(env: dict[str, str], said: str) -> None:
    argv = [sys.executable, "-m", MODULE]
    done = subprocess.run(argv, env={"PYTHONPATH": str(PROJECT), **env}, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert said in done.stderr and "canary" not in done.stderr and "Traceback" not in done.stderr


def test_a_line_takes_no_quotes_and_no_line_breaks_from_a_client() -> None:
    headers = {"user-agent": 'a"\r\n\x1b[31m é' + "x" * 1000, "x-request-id": "1"}
    exchange = Exchange("127.0.0.1:1", Head("CONNECT", "h:1", "HTTP/1.1", headers), 200, "-", "gw:443", 5, 7)
    line = ENVOY.fullmatch(arc_proxy.access_line(exchange))
    assert line is not None
    assert len(line["agent"]) == arc_proxy.FIELD_LIMIT
    assert (line["id"], line["received"], line["sent"]) == ("1", "5", "7")


async def _half_close_over_tls(edge: World) -> None:
    """What cannot be passed on through TLS must not cost the answer that is under way."""
    files = certificates(edge.home)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(files.chain, files.key)
    trusting = ssl.create_default_context(cafile=files.root)

    async def target(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.readexactly(6)
        await asyncio.sleep(0.3)
        writer.write(data * 100_000)
        await writer.drain()
        await reader.read()
        writer.close()

    records: list[Exchange] = []
    async with serving(await asyncio.start_server(target, "127.0.0.1", 0, ssl=tls)) as there:

        async def open_upstream(_: Exchange, host: str, port: int) -> Upstream:
            return Upstream(await secure(await connect("127.0.0.1", there), "localhost", trusting), host)

        async def handle(client: Stream) -> None:
            await forward_proxy.serve(client, open_upstream, records.append)

        async with serving(forward_proxy.listen("127.0.0.1", 0, handle)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"CONNECT h:1 HTTP/1.1\r\n\r\nabcdef")
            writer.write_eof()
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.read(-1) == b"abcdef" * 100_000
            writer.close()
            await asyncio.sleep(0.05)
    assert [(record.up, record.down, record.flags) for record in records] == [(6, 600_000, "-")]


def test_half_close_over_tls(edge: World) -> None:
    asyncio.run(asyncio.wait_for(_half_close_over_tls(edge), 20))
