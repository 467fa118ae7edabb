from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import hashlib
import io
import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator

import psutil
import pytest
import requests
from edge_world import GATEWAY, PREFIX, World, pattern, running, serving, world
from waiting import until

from sandbox import forward_proxy, gateway
from sandbox.forward_proxy import Exchange, Refused, Stream, Upstream
from sandbox.home import Home
from sandbox.outbound import Proxy, bypasses, connect

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("edge")) as made:
        yield made
    log = (made.home.root / "logs/edge.log").read_text()
    assert "Traceback" not in log and "raised exception" not in log, log


def raw(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while data := connection.recv(65_536):
            answer += data
        return answer


# --- where names lead ---


@pytest.mark.parametrize(
    ("host", "port", "where"),
    [
        ("management.azure.com", 443, "azure"),
        ("eastus.login.microsoft.com", 443, "azure"),
        ("eastus.obo.arc.azure.com", 443, "azure"),
        ("eastus.obo.arc.azure.com", 8084, "azure"),
        (GATEWAY, 443, "gateway"),
    ],
)
def test_a_public_azure_name_has_a_place(host: str, port: int, where: str) -> None:
    assert gateway.place(host, port) == where


@pytest.mark.parametrize(
    ("host", "port", "status"),
    [
        ("localhost", 443, 403),
        ("127.0.0.1", 22, 403),
        ("127.99.1.2", 443, 403),
        ("::1", 443, 403),
        ("0.0.0.0", 443, 403),
        ("management.azure.com", 8084, 403),
        ("management.azure.com", 80, 403),
        ("example.com", 443, 502),
        ("gw.arc.azure.com", 443, 502),
        ("a.b.gw.arc.azure.com", 443, 502),
        ("evilmanagement.azure.com", 443, 502),
        ("management.azure.com.example.com", 443, 502),
    ],
)
def test_any_other_name_is_refused(host: str, port: int, status: int) -> None:
    with pytest.raises(Refused) as refused:
        gateway.place(host, port)
    assert refused.value.status == status
    assert host in refused.value.reason


@pytest.mark.parametrize(
    "target", ["host", "host:", "host:0", "host:65536", "user:secret@host:443", "a b:1", "[::1:443"]
)
def test_a_target_that_is_no_authority_is_a_bad_request(target: str) -> None:
    with pytest.raises(Refused) as refused:
        forward_proxy.authority(target)
    assert refused.value.status == 400
    assert "secret" not in refused.value.reason


def test_hosts_are_compared_without_case_and_last_dot() -> None:
    assert forward_proxy.authority("Management.Azure.COM.:443") == ("management.azure.com", 443)
    assert forward_proxy.authority("[2001:DB8::1]:8084") == ("2001:db8::1", 8084)


# --- NO_PROXY and proxy URLs ---


@pytest.mark.parametrize(
    ("no_proxy", "host", "bypassed"),
    [
        (".svc", "foo.svc", True),
        (".svc", "svc", False),
        ("svc", "foo.svc", True),
        ("svc", "foosvc", False),
        ("*.svc", "foo.svc", True),
        ("10.5.0.0/16", "10.5.0.9", True),
        ("10.5.0.1/16", "10.5.0.9", True),
        ("10.5.0.0/16", "10.6.0.9", False),
        ("10.5.0.9:443", "10.5.0.9", True),
        ("10.5.0.9:6443", "10.5.0.9", False),
        ("foo.svc:8080", "foo.svc", False),
        ("a.com, .svc", "foo.svc", True),
        ("*", "anything", True),
        ("a.com,*", "anything", True),
        ("fd00::/8", "fd00::5", True),
        ("[fd00::5]:443", "fd00::5", True),
        ("10.5.", "10.5.0.9", False),
        ("not/a/range", "10.5.0.9", False),
        ("", "foo.svc", False),
        (" , ,", "foo.svc", False),
    ],
)
def test_no_proxy_is_read_as_go_reads_it(no_proxy: str, host: str, bypassed: bool) -> None:
    assert bypasses(no_proxy, host, 443) is bypassed


def test_a_proxy_url_is_read_whole_and_shows_no_password() -> None:
    proxy = Proxy.of("https://u%40x:p%40ss@proxy.example:8443")
    assert (proxy.host, proxy.port, proxy.tls) == ("proxy.example", 8443, True)
    assert proxy.authorization == "Basic dUB4OnBAc3M="
    assert "dUB4" not in repr(proxy)
    assert Proxy.of("proxy.example:3128").port == 3128


@pytest.mark.parametrize("url", ["socks5://secret@h:1", "http://", "http://secret@h:99999", "http://:80"])
def test_an_unusable_proxy_url_is_told_without_its_text(url: str) -> None:
    with pytest.raises(ValueError, match="proxy's URL") as error:
        Proxy.of(url)
    assert "secret" not in str(error.value)


# --- the router ---


def test_curl_reaches_azure_through_the_router(edge: World) -> None:
    done = edge.curl(edge.proxy_url("router"), "https://management.azure.com/hello")
    assert done.stdout == b"hello from management.azure.com\n", done.stderr


def test_requests_reaches_azure_through_the_router(edge: World) -> None:
    answer = requests.get(
        "https://eastus.obo.arc.azure.com:8084/hello",
        proxies={"https": edge.proxy_url("router")},
        verify=edge.roots,
        timeout=10,
    )
    assert answer.text == "hello from eastus.obo.arc.azure.com:8084\n"


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"CONNECT example.com:443 HTTP/1.1", 502),
        (b"CONNECT localhost:443 HTTP/1.1", 403),
        (b"CONNECT management.azure.com HTTP/1.1", 400),
        (b"GET http://management.azure.com/ HTTP/1.1", 502),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"CONNECT a:1 HTTP/2.0", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nX: " + b"x" * 200_000, 431),
    ],
)
def test_the_router_says_what_it_does_not_do(edge: World, request_line: bytes, status: int) -> None:
    answer = raw(edge.home.port("router"), request_line + b"\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert body.endswith(b".\n") and f"Content-Length: {len(body)}".encode() in head


def test_a_large_download_and_upload_are_exact(edge: World) -> None:
    size = 32 * 2**20
    with requests.Session() as session:
        session.proxies = {"https": edge.proxy_url("router")}
        session.trust_env, session.verify = False, edge.roots
        body = session.get(f"https://management.azure.com/big?size={size}", timeout=30).content
        assert body == pattern(size)
        told = session.post("https://management.azure.com/digest", data=body, timeout=30).text
    assert told == hashlib.sha256(body).hexdigest()


def test_fifty_connections_at_once(edge: World) -> None:
    def one(index: int) -> bytes:
        url = f"https://r{index}.his.arc.azure.com/hello"
        return edge.curl(edge.proxy_url("router"), url).stdout

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(one, range(50)))
    assert answers == [f"hello from r{index}.his.arc.azure.com\n".encode() for index in range(50)]


def test_azure_down_is_a_503_and_the_router_lives_on(edge: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = Home(tmp_path_factory.mktemp("alone"))
    (service,) = gateway.services(home)
    with running(home, service):
        for _ in range(2):
            answer = raw(home.port("router"), b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"refused" in answer.lower()


def test_the_edge_is_small_and_quiet(edge: World) -> None:
    edge_process = next(
        child for child in psutil.Process().children() if "sandbox.gateway" in " ".join(child.cmdline())
    )
    before = sum(edge_process.cpu_times()[:2])
    time.sleep(1)
    assert sum(edge_process.cpu_times()[:2]) - before <= 0.02
    assert edge_process.memory_info().rss < 150 * 2**20


# --- relaying, in one process ---


def _proxy(
    target: int, records: list[Exchange], idle: float = 30
) -> contextlib.AbstractAsyncContextManager[asyncio.Server]:
    async def open_upstream(_: Exchange, host: str, port: int) -> Upstream:
        return Upstream(await connect("127.0.0.1", target), f"{host}:{port}")

    async def handle(client: Stream) -> None:
        await forward_proxy.serve(client, open_upstream, records.append, idle)

    return forward_proxy.listen("127.0.0.1", 0, handle)


async def _tunnel(port: int, early: bytes = b"") -> Stream:
    stream = Stream(*await asyncio.open_connection("127.0.0.1", port))
    stream.writer.write(b"CONNECT host.example:443 HTTP/1.1\r\nUser-Agent: t\r\n\r\n" + early)
    assert b" 200 " in await stream.reader.readuntil(b"\r\n\r\n")
    return stream


async def _half_close() -> None:
    """The target answers only once it has seen the end of what was sent."""

    async def target(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(-1)
        writer.write(b"got %d" % len(data))
        writer.close()

    records: list[Exchange] = []
    async with (
        serving(await asyncio.start_server(target, "127.0.0.1", 0)) as there,
        serving(_proxy(there, records)) as port,
    ):
        stream = await _tunnel(port, b"early ")
        stream.writer.write(b"x" * 100_000)
        stream.writer.write_eof()
        assert await stream.reader.read(-1) == b"got 100006"
        stream.writer.close()
        await asyncio.sleep(0.05)
    (record,) = records
    assert (record.status, record.flags, record.up, record.down) == (200, "-", 100_006, 10)
    assert record.target == "host.example:443"


async def _client_abort() -> None:
    """A client that breaks off takes the connection to the target along, at once."""
    gone = asyncio.Event()

    async def target(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(1000):
                pass
        except ConnectionError:
            pass
        gone.set()
        writer.close()

    records: list[Exchange] = []
    async with (
        serving(await asyncio.start_server(target, "127.0.0.1", 0)) as there,
        serving(_proxy(there, records)) as port,
    ):
        stream = await _tunnel(port)
        connection = stream.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        stream.writer.transport.abort()
        await asyncio.wait_for(gone.wait(), 3)
        await asyncio.sleep(0.05)
    assert [record.flags for record in records] == ["DC"]


async def _silence() -> None:
    async def target(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    records: list[Exchange] = []
    async with (
        serving(await asyncio.start_server(target, "127.0.0.1", 0)) as there,
        serving(_proxy(there, records, idle=0.2)) as port,
    ):
        stream = await _tunnel(port)
        for _ in range(4):  # as long as something moves, it stays
            stream.writer.write(b"x")
            await asyncio.sleep(0.1)
        assert not records
        assert await asyncio.wait_for(stream.reader.read(1), 3) == b""
        stream.writer.close()
        await asyncio.sleep(0.05)
    assert [(record.flags, record.up) for record in records] == [("SI", 4)]


async def _stalled_client() -> None:
    """A client that does not read holds back the target, and not the proxy's memory."""
    sent = 0

    async def target(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        try:
            while sent < 256 * 2**20:
                writer.write(b"x" * 2**16)
                await writer.drain()
                sent += 2**16
        except ConnectionError:
            pass

    async with (
        serving(await asyncio.start_server(target, "127.0.0.1", 0)) as there,
        serving(_proxy(there, [])) as port,
    ):
        stream = await _tunnel(port)
        await asyncio.sleep(0.5)
        stuck = sent
        await asyncio.sleep(0.3)
        assert sent == stuck < 32 * 2**20
        stream.writer.transport.abort()
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("body", [_half_close, _client_abort, _silence, _stalled_client])
def test_relaying(body: object) -> None:
    asyncio.run(asyncio.wait_for(body(), 20))  # type: ignore[operator]


# --- the gateway ---


def gateway_tls(edge: World, name: str = GATEWAY) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=edge.roots)
    plain = socket.create_connection(("127.0.0.1", edge.home.port("gateway")), timeout=10)
    return context.wrap_socket(plain, server_hostname=name)


def ask_gateway(edge: World, request: bytes) -> bytes:
    with gateway_tls(edge) as connection:
        connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer and (data := connection.recv(65_536)):
            answer += data
        return answer


@pytest.mark.parametrize("name", ["management.azure.com", "localhost", "eastus.obo.arc.azure.com"])
def test_the_gateway_answers_to_gateways_names_only(edge: World, name: str) -> None:
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        gateway_tls(edge, name)


def test_a_client_without_a_server_name_is_turned_away(edge: World) -> None:
    context = ssl.create_default_context(cafile=edge.roots)
    context.check_hostname = False
    plain = socket.create_connection(("127.0.0.1", edge.home.port("gateway")), timeout=10)
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        context.wrap_socket(plain)


def test_an_unknown_prefix_can_be_turned_away() -> None:
    hooked = gateway.Gateway(1, io.StringIO(), known=lambda prefix: prefix == "known")
    choose = hooked._choose
    context = ssl.create_default_context()

    class Connection:
        pass

    assert choose(Connection(), "known.gw.arc.azure.com", context) is None
    assert choose(Connection(), "other.gw.arc.azure.com", context) == ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME


def test_openssl_and_curl_agree_with_the_gateway(edge: World) -> None:
    """curl speaks TLS to the gateway as to an https proxy, and the target's TLS inside: the nested path, not ours."""
    port = edge.home.port("gateway")
    done = edge.curl(
        f"https://{GATEWAY}:{port}",
        "--proxy-cacert", edge.roots,
        "--connect-to", f"{GATEWAY}:{port}:127.0.0.1:{port}",
        "--resolve", f"{GATEWAY}:{port}:127.0.0.1",
        "https://eastus.dp.kubernetesconfiguration.azure.com/hello",
    )  # fmt: skip
    assert done.stdout == b"hello from eastus.dp.kubernetesconfiguration.azure.com\n", done.stderr
    target = "eastus.dp.kubernetesconfiguration.azure.com:443"
    line = until(lambda: edge.gateway_log(target))[-1]
    assert line["prefix"] == PREFIX
    assert line["status"] == 200
    assert isinstance(line["bytesUp"], int) and line["bytesUp"] > 300
    assert isinstance(line["bytesDown"], int) and line["bytesDown"] > 1000
    assert set(line) == {"time", "prefix", "target", "status", "bytesUp", "bytesDown", "duration", "client"}


@pytest.mark.parametrize(
    "target", ["example.com:443", "localhost:443", "127.0.0.1:22", f"{GATEWAY}:443", "management.azure.com:80"]
)
def test_the_gateway_carries_azure_only(edge: World, target: str) -> None:
    answer = ask_gateway(edge, f"CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")
    until(lambda: 403 in {line["status"] for line in edge.gateway_log(target)})


def test_the_gateway_keeps_what_is_no_authority_out_of_its_log(edge: World) -> None:
    before = len(edge.gateway_log())
    ask_gateway(edge, b"GET http://user:canary@host/ HTTP/1.1\r\n\r\n")
    until(lambda: len(edge.gateway_log()) > before)
    assert "canary" not in json.dumps(edge.gateway_log())


def test_a_plain_client_and_a_silent_one_do_no_harm(edge: World) -> None:
    port = edge.home.port("gateway")
    assert b"200" not in raw(port, b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")
    socket.create_connection(("127.0.0.1", port)).close()
    assert ask_gateway(edge, b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl program here")
def test_a_foreign_tls_client_sees_the_certificate(edge: World) -> None:
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.home.port('gateway')}", "-servername", GATEWAY]
    argv += ["-CAfile", edge.roots, "-verify_hostname", GATEWAY, "-verify_return_error"]
    done = subprocess.run(argv, input=b"", capture_output=True, timeout=15)
    assert b"Verify return code: 0 (ok)" in done.stdout, done.stderr


def test_the_edge_stops_quickly_with_tunnels_open(tmp_path_factory: pytest.TempPathFactory) -> None:
    with world(tmp_path_factory.mktemp("stop")) as edge:
        open_tunnels = [gateway_tls(edge) for _ in range(5)]
        for connection in open_tunnels:
            connection.sendall(b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")
            assert b" 200 " in connection.recv(1000)
        begun = time.monotonic()
    assert time.monotonic() - begun < 4
    for connection in open_tunnels:
        connection.close()
