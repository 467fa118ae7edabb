"""A local Azure of the test's own: a real process, real TLS, a temporary home."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any, Self

import requests
from roads import Road

from sandbox.azure import services
from sandbox.certificates import certificates
from sandbox.home import PROJECT, Home

GATEWAYS = "2024-07-31-preview"
CLUSTERS = "2025-08-01-preview"
SETTINGS = "2025-02-19-preview"
GROUPS = "2022-09-01"


class LocalAzure:
    """One running process and a client of the test's own, for what no SDK says."""

    def __init__(self, root: Path, charts: Path | None = None, patience: float | None = None) -> None:
        self.home = Home(root)
        self.bundle = str(certificates(self.home).bundle)
        self.port = self.home.port("azure")
        self.url = f"https://localhost:{self.port}"
        self.identity = self.home.identity
        self.subscription = f"/subscriptions/{self.identity.subscription_id}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = self.bundle
        self._options = [
            *(["--charts", str(charts)] if charts else []),
            *(["--patience", str(patience)] if patience else []),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        (service,) = services(self.home)
        argv = [*service.argv, *self._options]
        log = self.home.folder("logs") / "azure.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                argv, env={**os.environ, **service.env}, cwd=PROJECT, stdout=output, stderr=output
            )
        deadline = time.monotonic() + 20
        while not service.ready():
            assert self._process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        token = self.session.post(
            f"{self.url}/{self.identity.tenant_id}/oauth2/v2.0/token", data=self.credentials(), timeout=10
        )
        self.session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"

    def credentials(self, **other: str) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": self.identity.client_id,
            "client_secret": self.identity.client_secret,
            "scope": "https://management.azure.com/.default",
        } | other

    def kill(self, sign: signal.Signals = signal.SIGKILL) -> int:
        assert self._process is not None
        self._process.send_signal(sign)
        return self._process.wait(timeout=10)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill(signal.SIGTERM)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def call(self, method: str, path: str, version: str = "", body: Any = None, **more: Any) -> requests.Response:
        url = path if path.startswith("https://") else self.url + path
        params = {**({"api-version": version} if version else {}), **more.pop("params", {})}
        return self.session.request(method, url, params=params, json=body, timeout=20, **more)

    def group(self) -> str:
        """A new resource group's id."""
        identifier = f"{self.subscription}/resourceGroups/g-{uuid.uuid4().hex[:8]}"
        assert self.call("PUT", identifier, GROUPS, {"location": "eastus"}).status_code == 201
        return identifier

    def cluster(self, group: str, name: str, **properties: Any) -> str:
        """A new connected cluster's id."""
        identifier = f"{group}/providers/Microsoft.Kubernetes/connectedClusters/{name}"
        answer = self.call("PUT", identifier, CLUSTERS, cluster_body(**properties))
        assert answer.status_code == 201, answer.text
        return identifier

    def gateway(self, group: str, name: str) -> str:
        """A new gateway's id; it is ready at once, because the clock is moved."""
        identifier = f"{group}/providers/Microsoft.HybridCompute/gateways/{name}"
        answer = self.call(
            "PUT", identifier, GATEWAYS, {"location": "eastus", "properties": {"allowedFeatures": ["*"]}}
        )
        assert answer.status_code == 201, answer.text
        self.advance(1)
        return identifier

    def fault(self, kind: str, **settings: Any) -> int:
        """Set a fault, and its number."""
        answer = self.call("POST", "/sandbox/faults", body={"kind": kind, **settings})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def faults(self) -> list[dict[str, Any]]:
        """Those that are set."""
        return list(self.call("GET", "/sandbox/faults").json()["value"])

    def clear_faults(self) -> None:
        assert self.call("DELETE", "/sandbox/faults").status_code == 204

    def advance(self, seconds: float) -> None:
        assert self.call("POST", "/sandbox/clock", body={"advance": seconds}).status_code == 200

    def durations(self, **seconds: float) -> None:
        names = {"gateway": "Microsoft.HybridCompute/gateways", "cluster": "Microsoft.Kubernetes/connectedClusters"}
        body = {f"{names[kind]}:{action}": value for kind, value in seconds.items() for action in ("create", "delete")}
        assert self.call("POST", "/sandbox/durations", body=body).status_code == 200


def cluster_body(**properties: Any) -> dict[str, Any]:
    return {
        "location": "eastus",
        "identity": {"type": "SystemAssigned"},
        "properties": {"agentPublicKeyCertificate": "MIIB", "distribution": "k3s", **properties},
    }


class Router(Road):
    """A forward proxy that leads every CONNECT to one local port."""

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self.asked: set[str] = set()

    def take(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        self.asked.add(head.split()[1].decode())
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        self.join(client)
