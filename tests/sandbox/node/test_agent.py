"""The agents' program: its heartbeats arrive through a proxy, and its log says what happened."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from sandbox.certificates import certificates
from sandbox.home import Home
from sandbox.images import IMAGES

AGENT = IMAGES["mcr.microsoft.com/azurearck8s/agent"].entrypoint
HOST = "eastus.dp.kubernetesconfiguration.azure.com"
RESOURCE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/east"


class Azure(http.server.ThreadingHTTPServer):
    """A TLS server that takes heartbeats, and tells Kubernetes' version."""

    def __init__(self, home: Home) -> None:
        self.beats: list[dict[str, Any]] = []
        self.status = 503
        super().__init__(("127.0.0.1", 0), Azure.Handler)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificates(home).chain, certificates(home).key)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    class Handler(http.server.BaseHTTPRequestHandler):
        server: Azure

        def do_GET(self) -> None:
            self._answer(200, {"gitVersion": "v1.33.4"})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.server.status == 200:
                self.server.beats.append({"host": self.headers["Host"], "path": self.path, **body})
            self._answer(self.server.status, {})

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""


class Proxy:
    """Takes a CONNECT for anything and leads it to one port."""

    def __init__(self, target: int) -> None:
        self.asked: list[str] = []
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        self.asked.append(head.decode())
        server = socket.create_connection(("127.0.0.1", self._target))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=self._copy, args=(server, client), daemon=True).start()
        self._copy(client, server)

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def azure(home: Home) -> Iterator[Azure]:
    with Azure(home) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def proxy(azure: Azure) -> Iterator[Proxy]:
    made = Proxy(azure.server_address[1])
    yield made
    made.close()


@contextmanager
def running(log: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(AGENT, stdout=out, stderr=out, env={"PATH": os.environ["PATH"], **env})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_heartbeat_retries_and_arrives_by_the_arc_proxy(home: Home, azure: Azure, proxy: Proxy, tmp_path: Path) -> None:
    hosts, log = tmp_path / "hosts.json", tmp_path / "log"
    hosts.write_text("{}")
    settings = {
        "AGENT_ROLE": "cluster-metadata-operator",
        "HOSTNAME": "cluster-metadata-operator-1",
        "CLUSTER_RESOURCE_ID": RESOURCE,
        "AGENT_VERSION": "1.36.1",
        "REGION": "eastus",
        "AGENT_PROXY": f"http://arc-proxy.azure-arc.svc.cluster.local:{proxy.port}",
        "HTTPS_PROXY": "http://nobody:secret@127.0.0.1:9",
        "SANDBOX_HOSTS": str(hosts),
        "SSL_CERT_FILE": str(certificates(home).bundle),
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(azure.server_address[1]),
    }
    with running(log, **settings) as agent:
        until(lambda: "no ready pod behind arc-proxy.azure-arc" in log.read_text())
        hosts.write_text(json.dumps({"arc-proxy.azure-arc.svc.cluster.local": "127.0.0.1"}))
        until(lambda: "answered 503" in log.read_text())
        azure.status = 200
        until(lambda: azure.beats and "took it through" in log.read_text())
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(5) == 0
    assert azure.beats == [
        {
            "host": HOST,
            "path": "/azure-arc-k8sagents/heartbeat",
            "resourceId": RESOURCE,
            "agentVersion": "1.36.1",
            "kubernetesVersion": "1.33.4",
            "totalNodeCount": 1,
        }
    ]
    assert all(asked.startswith(f"CONNECT {HOST}:443 ") for asked in proxy.asked)
    text = log.read_text()
    assert f"{HOST} took it through http://arc-proxy" in text and text.endswith("SIGTERM: stopping\n")
    assert "secret" not in text


def test_heartbeat_without_arc_proxy_signs_in_at_the_enterprise_proxy(
    home: Home, azure: Azure, proxy: Proxy, tmp_path: Path
) -> None:
    azure.status = 200
    settings = {
        "AGENT_ROLE": "cluster-metadata-operator",
        "CLUSTER_RESOURCE_ID": RESOURCE,
        "AGENT_VERSION": "1.36.1",
        "REGION": "eastus",
        "AGENT_PROXY": "",
        "HTTPS_PROXY": f"http://user:p%40ss@127.0.0.1:{proxy.port}",
        "SSL_CERT_FILE": str(certificates(home).bundle),
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(azure.server_address[1]),
    }
    with running(tmp_path / "log", **settings):
        until(lambda: azure.beats)
    assert "Proxy-Authorization: Basic dXNlcjpwQHNz" in proxy.asked[0]  # user:p@ss
    assert "p@ss" not in (tmp_path / "log").read_text()


def test_other_agents_wait_and_end_politely(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(log, HOSTNAME="config-agent-1", HTTPS_PROXY="http://user:secret@proxy:3128") as agent:
        until(lambda: "config-agent-1 started" in log.read_text())
        assert "outbound: through HTTPS_PROXY" in log.read_text()
        assert "secret" not in log.read_text()
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(5) == 0
    assert "SIGTERM: stopping" in log.read_text()
