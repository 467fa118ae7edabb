"""The matrix's real parts: squids with all their habits, and TLS servers under Azure's names. All on loopback."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psutil
import trustme
from network_world import Network, network
from waiting import until

from sandbox import proxies
from sandbox.home import PROJECT, Home, MissingTool
from sandbox.service import die_with, listening

USER, PASSWORD = "us er", "p@ss:w/rd%canary"

#: The name of each kind of endpoint.
HOSTS: Mapping[str, str] = {
    "open": "management.azure.com",
    "slow": "login.microsoftonline.com",
    "denied": "dl.k8s.io",
    "closed port": "eastus.obo.arc.azure.com",
    "unresolved": "gbl.his.arc.azure.invalid",
    "unresolved pattern": "*.data.mcr.microsoft.invalid",
    "nobody there": "mcr.microsoft.com",
    "wrong name": "sts.windows.net",
    "expired": "graph.microsoft.com",
    "not yet valid": "login.windows.net",
    "re-signed": "eus.his.arc.azure.com",
    "no TLS": "k8connecthelm.azureedge.net",
    "silent": "eastus.dp.kubernetesconfiguration.azure.com",
    "cut": "guestnotificationservice.azure.com",
    "gateway": "open.gw.arc.azure.com",
    "gateway of others": "others.gw.arc.azure.com",
    "gateway cut inside": "cut.gw.arc.azure.com",
    "gateway re-signed inside": "resigned.gw.arc.azure.com",
    "websocket": "azgnrelay-eastus-l1.servicebus.windows.net",
    "websocket not granted": "ungranted.servicebus.windows.net",
    "websocket cut": "cut.servicebus.windows.net",
}

#: Kinds whose name squid's hosts file lacks.
UNKNOWN = ("unresolved", "unresolved pattern")


#: Names besides, all of them open.
FLEET = tuple(f"n{number}.his.arc.azure.com" for number in range(40))


@dataclass(frozen=True)
class Server:
    """A kind of proxy as its clients have it.

    Attributes:
        url: its URL; None for no proxy.
        certificate: PEM of the root of its own certificate, where it is given.
        vouched: PEM texts of roots that count as genuine besides that of the endpoints.
        environment: variables under which the probe runs.
    """

    url: str | None
    certificate: str | None = None
    vouched: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Matrix:
    """The world of one run.

    Attributes:
        net: its servers and authorities.
        ports: the port of each kind of endpoint.
        servers: each kind of proxy.
        folder: where it keeps files.
    """

    net: Network
    ports: Mapping[str, int]
    servers: Mapping[str, Server]
    folder: Path

    @property
    def genuine(self) -> str:
        """PEM of the root that the endpoints' own certificates rest on."""
        return pem(self.net.genuine)

    @property
    def inspector(self) -> str:
        """PEM of the root of whoever signs what is intercepted, and of the proxy's own certificate."""
        return pem(self.net.inspector)


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


def squid_openssl() -> Path | None:
    """The tool chain's squid that can open TLS."""
    try:
        return Home.tool("squid-openssl")
    except MissingTool:
        return None


@contextmanager
def matrix(folder: Path) -> Iterator[Matrix]:
    """All servers and proxies, until the end."""
    with network() as net, ExitStack() as stack:
        ports = _endpoints(net, stack)
        servers = {"direct": Server(None), **_without_squid(net, stack)}
        plain, openssl = proxies.find_squid(), squid_openssl()
        if plain is not None:
            servers |= _plain(net, ports, folder / "plain", plain.program, stack)
        if openssl is not None:
            servers |= _opening(net, ports, folder, openssl, stack)
        yield Matrix(net, ports, servers, folder)


def _endpoints(net: Network, stack: ExitStack) -> dict[str, int]:
    def tls(kind: str, authority: trustme.CA | None = None, **dates: datetime.datetime) -> ssl.SSLContext:
        return net.context(authority, HOSTS[kind].replace("*", "any"), "localhost", **dates)

    nobody = stack.enter_context(socket.socket())
    nobody.bind(("127.0.0.1", 0))
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    management = net.web(net.context())
    cut = net.serve(_cut)
    gateways = {
        "gateway": net.gateway(management),
        "gateway of others": net.gateway(management, refuse=b"HTTP/1.1 403 Forbidden\r\n\r\n"),
        "gateway cut inside": net.gateway(management, refuse=b""),
        "gateway re-signed inside": net.gateway(net.web(net.context(net.inspector))),
    }
    return gateways | {
        "open": management,
        "slow": net.delayed(net.web(tls("slow")), 0.8),
        "denied": net.web(tls("denied")),
        "closed port": net.web(tls("closed port")),
        "unresolved": management,
        "unresolved pattern": management,
        "nobody there": int(nobody.getsockname()[1]),
        "wrong name": net.web(net.context(None, "other.azure.com")),
        "expired": net.web(tls("expired", not_after=now - day)),
        "not yet valid": net.web(tls("not yet valid", not_before=now + day)),
        "re-signed": net.web(tls("re-signed", net.inspector)),
        "no TLS": net.serve(_no_tls),
        "silent": net.serve(_silent),
        "cut": cut,
        "websocket": net.web(tls("websocket")),
        "websocket not granted": net.web(tls("websocket not granted"), upgrades=404),
        "websocket cut": net.web(tls("websocket cut"), upgrades=200),
    }


async def _no_tls(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def _silent(reader: StreamReader, writer: StreamWriter) -> None:
    while await reader.read(65_536):
        pass


async def _cut(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.read(1)
    writer.transport.abort()


def _without_squid(net: Network, stack: ExitStack) -> dict[str, Server]:
    absent = stack.enter_context(socket.socket())
    absent.bind(("127.0.0.1", 0))
    return {
        "absent": Server(f"http://127.0.0.1:{absent.getsockname()[1]}"),
        "unknown name": Server("http://nowhere.invalid:3128"),
        "no proxy": Server(f"http://127.0.0.1:{net.serve(_ssh)}"),
    }


async def _ssh(reader: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await reader.read(1)


#: Common to all: which names there are, and what is denied. Nothing of theirs leaves this machine, whatever resolver
#: it has.
RULES = """\
visible_hostname proxy.example
hosts_file hosts
dns_timeout 400 milliseconds
dns_retransmit_interval 200 milliseconds
connect_timeout 20 seconds
tcp_outgoing_address 127.0.0.1
access_log stdio:access.log
acl denied dstdomain -n {denied}
acl closed port {closed}
http_access deny denied
http_access deny closed
"""

PLAIN = """\
http_port 127.0.0.1:{plain} name=plain
http_port 127.0.0.1:{basic} name=basic
https_port 127.0.0.1:{tls} name=tls tls-cert=proxy.pem
auth_param basic program ./basic_ncsa_auth passwords
auth_param basic children 2 startup=1
acl to_basic myportname basic
acl known proxy_auth REQUIRED
http_access deny to_basic !known
{rules}
http_access allow all
"""

OPENING = """\
http_port 127.0.0.1:{opens} name=opens {bump}
http_port 127.0.0.1:{spares} name=spares {bump}
http_port 127.0.0.1:{upgrades} name=upgrades {bump}
sslcrtd_program ./security_file_certgen -s certificates -M 4MB
sslcrtd_children 2 startup=1
tls_outgoing_options cafile=genuine.pem default-ca=off
sslproxy_session_cache_size 0
acl to_spares myportname spares
acl to_upgrades myportname upgrades
acl spared ssl::server_name .gw.arc.azure.com .servicebus.windows.net
acl beginning at_step SslBump1
ssl_bump splice to_spares spared
ssl_bump stare beginning
ssl_bump bump all
http_upgrade_request_protocols websocket allow to_upgrades
{rules}
http_access allow all
"""

STALLED = """\
http_port 127.0.0.1:{port}
visible_hostname proxy.example
access_log none
"""

BUMP = "ssl-bump tls-cert=inspector.pem generate-host-certificates=on dynamic_cert_mem_cache_size=4MB"


def _rules(ports: Mapping[str, int]) -> str:
    return RULES.format(denied=HOSTS["denied"], closed=ports["closed port"])


def _plain(net: Network, ports: Mapping[str, int], folder: Path, program: Path, stack: ExitStack) -> dict[str, Server]:
    home = Home(folder)
    place = home.folder("squid")
    certificate = net.inspector.issue_cert("127.0.0.1")
    (place / "proxy.pem").write_bytes(b"".join(blob.bytes() for blob in _whole(certificate)))
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", "-stdin"], input=PASSWORD, capture_output=True, text=True, check=True
    ).stdout
    (place / "passwords").write_text(f"{USER}:{hashed}")
    _helper(program, "basic_ncsa_auth", place)
    port = {name: home.port(name) for name in ("plain", "basic", "tls")}
    _run(home, program, PLAIN.format(**port, rules=_rules(ports)), port["plain"], stack)

    stalled = Home(folder.parent / "stalled")
    stall = stalled.port("plain")
    process = _run(stalled, program, STALLED.format(port=stall), stall, stack)
    process.suspend()

    login = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}"
    root = pem(net.inspector)
    return {
        "squid": Server(f"http://127.0.0.1:{port['plain']}"),
        "squid over TLS": Server(f"https://127.0.0.1:{port['tls']}", root),
        "squid over TLS, root unknown": Server(f"https://127.0.0.1:{port['tls']}"),
        "squid over TLS, as http": Server(f"http://127.0.0.1:{port['tls']}"),
        "squid, as https": Server(f"https://127.0.0.1:{port['plain']}", root),
        "squid with login": Server(f"http://{login}@127.0.0.1:{port['basic']}"),
        "squid with login, none given": Server(f"http://127.0.0.1:{port['basic']}"),
        "squid with login, a wrong one": Server(f"http://someone:canary@127.0.0.1:{port['basic']}"),
        "squid stalled": Server(f"http://127.0.0.1:{stall}"),
    }


def _opening(
    net: Network, ports: Mapping[str, int], folder: Path, program: Path, stack: ExitStack
) -> dict[str, Server]:
    home = Home(folder / "opening")
    place = home.folder("squid")
    key = net.inspector.private_key_pem.bytes()
    (place / "inspector.pem").write_bytes(key + net.inspector.cert_pem.bytes())
    (place / "genuine.pem").write_text(pem(net.genuine))
    helper = _helper(program, "security_file_certgen", place)
    subprocess.run([helper, "-c", "-s", place / "certificates", "-M", "4MB"], capture_output=True, check=True)
    port = {name: home.port(name) for name in ("opens", "spares", "upgrades")}
    _run(home, program, OPENING.format(**port, bump=BUMP, rules=_rules(ports)), port["opens"], stack)

    root = pem(net.inspector)
    installed = folder / "machine.pem"
    installed.write_text(root)
    trusted = {name: str(installed) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")}
    url = f"http://127.0.0.1:{port['opens']}"
    return {
        "opening": Server(url),
        "opening, root installed": Server(url, environment=trusted),
        "opening, root given as the proxy's": Server(url, root),
        "opening, root vouched for": Server(url, vouched=(root,)),
        "opening but for exceptions": Server(f"http://127.0.0.1:{port['spares']}"),
        "opening with upgrades, root vouched for": Server(f"http://127.0.0.1:{port['upgrades']}", vouched=(root,)),
    }


def _whole(certificate: trustme.LeafCert) -> list[trustme.Blob]:
    return [certificate.private_key_pem, *certificate.cert_chain_pems]


def _helper(program: Path, name: str, place: Path) -> Path:
    """A copy of one of squid's helpers, where squid's user reaches it."""
    bases = program.resolve().parents
    found = next(
        path for base in bases for lib in ("lib", "usr/lib", "libexec", "usr/libexec", "usr/lib64")
        if (path := base / lib / "squid" / name).is_file()
    )  # fmt: skip
    return Path(shutil.copy(found, place / name))


def _run(home: Home, program: Path, roads: str, port: int, stack: ExitStack) -> psutil.Process:
    """Start a squid, which ends with this process at the latest."""
    names = [*(HOSTS[kind] for kind in HOSTS if kind not in UNKNOWN), *FLEET]
    (home.folder("squid") / "hosts").write_text("".join(f"127.0.0.1 {name}\n" for name in names))
    proxies.write_squid(home, program, roads)
    output = home.root / "output"
    said = stack.enter_context(output.open("wb"))
    running = subprocess.Popen(
        [sys.executable, "-m", "sandbox.proxies", str(program)],
        cwd=PROJECT,
        env={**os.environ, "SANDBOX_HOME": str(home.root)},
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=said,
        preexec_fn=die_with(os.getpid(), signal.SIGTERM),
    )
    stack.callback(_end, running, home)

    def ready() -> bool:
        assert running.poll() is None, f"squid has ended: {output.read_text()}"
        return listening(port)()

    until(ready, 60)
    return psutil.Process(running.pid)


def _end(running: subprocess.Popen[bytes], home: Home) -> None:
    with contextlib.suppress(ProcessLookupError):
        running.kill()
    running.wait()
    # One that is killed leaves its shared memory, and each run has a name of its own.
    for left in proxies.SHARED_MEMORY.glob(f"{proxies.instance_name(home)}-*"):
        left.unlink()
