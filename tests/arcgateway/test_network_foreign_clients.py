"""What curl and openssl say of the same proxies and endpoints agrees with what the preflight has to find."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
from matrix_table import ANSWERS, CELLS, CURL
from matrix_world import HOSTS, Matrix, Server, matrix

from arcgateway.preflight import endpoint, run
from arcgateway.proxy import ProxySettings, ProxyUrl

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not shutil.which("curl"), reason="no curl on this machine"),
]

SECONDS = 4

#: curl asks the gateway for no CONNECT inside its TLS, and for no websocket unless told to.
PLAIN = [kind for kind in HOSTS if not kind.startswith(("gateway", "websocket"))]
CASES = [(proxy, kind) for proxy, row in CELLS.items() for kind in row if kind in PLAIN]
SOCKETS = [(proxy, "websocket") for proxy, row in CELLS.items() if row["websocket"] in ("ok", "websocket-blocked")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    with matrix(tmp_path_factory.mktemp("foreign")) as made:
        yield made


def kept(world: Matrix, text: str) -> Path:
    """A file with this text. Clients that run side by side read the same one, so it is never half written."""
    path = world.folder / f"{hashlib.sha256(text.encode()).hexdigest()}.pem"
    if not path.exists():
        with NamedTemporaryFile("w", dir=world.folder, delete=False) as aside:
            aside.write(text)
        Path(aside.name).replace(path)
    return path


def curl(world: Matrix, server: Server, kind: str, *arguments: str) -> tuple[int, str]:
    """curl's exit status, and the last answer it got to CONNECT or to its request; with the preflight's roots alone."""
    roots = kept(world, "".join((world.genuine, *server.vouched)))
    host = HOSTS[kind].replace("*", "any") if server.url else "localhost"
    # From standard input, as arguments can be read by all.
    lines = [f'url = "https://{host}:{world.ports[kind]}/"', f'cacert = "{roots}"', 'noproxy = ""']
    if server.url:
        lines.append(f'proxy = "{server.url}"')
    if server.certificate:
        lines.append(f'proxy-cacert = "{kept(world, server.certificate)}"')
    quiet = (
        "-q",
        "-sS",
        "--http1.1",
        "--max-time",
        str(SECONDS),
        "-o",
        os.devnull,
        "-w",
        "%{http_connect} %{http_code}",
        "-K",
        "-",
    )
    done = subprocess.run(
        ["curl", *quiet, *arguments],
        input="\n".join(lines),
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=SECONDS + 20,
    )
    connect, answer = done.stdout.split()
    return done.returncode, answer if answer != "000" else connect


@pytest.fixture(scope="module")
def answers(world: Matrix) -> dict[tuple[str, str], tuple[int, str]]:
    """curl's answer for each case."""
    upgrade = ("-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13")
    key = ("-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")

    def one(case: tuple[str, str]) -> tuple[int, str]:
        proxy, kind = case
        extra = (*upgrade, *key, "--max-time", "2") if kind == "websocket" else ("--fail",)
        return curl(world, world.servers[proxy], kind, *extra)

    there = [case for case in (*CASES, *SOCKETS) if case[0] in world.servers]
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(there, pool.map(one, there), strict=True))


@pytest.mark.parametrize(("proxy", "kind"), CASES)
def test_curl_ends_as_the_preflight_says(
    answers: dict[tuple[str, str], tuple[int, str]], proxy: str, kind: str
) -> None:
    if (proxy, kind) not in answers:
        pytest.skip("the proxy cannot be had on this machine")
    status, said = answers[proxy, kind]
    cause = CELLS[proxy][kind].split()[-1]
    assert status in CURL[cause], f"curl ended with {status}, answered {said}"
    assert said in ANSWERS.get(cause, {said})


@pytest.mark.parametrize(("proxy", "kind"), SOCKETS)
def test_curl_gets_a_websocket_where_the_preflight_does(
    answers: dict[tuple[str, str], tuple[int, str]], proxy: str, kind: str
) -> None:
    if (proxy, kind) not in answers:
        pytest.skip("the proxy cannot be had on this machine")
    _, said = answers[proxy, kind]
    assert (said == "101") == (CELLS[proxy][kind] == "ok"), said


def test_curl_is_fooled_where_the_machine_trusts_the_interceptor(world: Matrix) -> None:
    server = world.servers.get("opening, root installed")
    if server is None:
        pytest.skip("the proxy cannot be had on this machine")
    status, said = curl(world, Server(server.url, vouched=(world.inspector,)), "open", "--fail")
    assert (status, said) == (0, "200")


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl on this machine")
@pytest.mark.parametrize(("proxy", "kind"), [("squid", "re-signed"), ("squid", "expired"), ("opening", "open")])
def test_openssl_is_shown_the_certificate_that_the_preflight_shows(world: Matrix, proxy: str, kind: str) -> None:
    server = world.servers.get(proxy)
    if server is None or server.url is None:
        pytest.skip("the proxy cannot be had on this machine")
    host, port = HOSTS[kind], world.ports[kind]
    way = ("-proxy", server.url.removeprefix("http://"), "-connect", f"{host}:{port}", "-servername", host)
    done = subprocess.run(
        ["openssl", "s_client", *way, "-showcerts"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", done.stdout, re.DOTALL)
    assert pem is not None, done.stderr
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-subject", "-issuer", "-nameopt", "RFC2253"],
        input=pem[0], capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    proxied = ProxySettings(https=ProxyUrl.parse(server.url))
    [found] = run([endpoint(host, port)], proxied, [world.genuine], timeout=10).results
    assert found.certificate is not None
    assert f"issuer={found.certificate['issuer']}\n" in shown
    if proxy == "squid":
        # A proxy that opens TLS may sign anew each time; what an endpoint shows itself stays the same.
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem[0])).hexdigest()
        assert found.certificate["fingerprint"] == digest
