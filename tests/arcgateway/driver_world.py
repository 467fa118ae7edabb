"""A world for the driver: a fake Azure over HTTPS, a fake `az` and a fake `kubectl` that share one state file.

The fake `az` writes down how it was called (arguments, environment, the files that its arguments name) and then does to
the state what the real one does to Azure and the cluster.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import trustme

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-2222-3333-4444-555555555555"
CLUSTER = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Kubernetes/connectedClusters/edge"
SETTING = f"{CLUSTER}/providers/Microsoft.HybridCompute/settings/default"
GATEWAY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.HybridCompute/gateways/gw"
OTHER_GATEWAY = GATEWAY.replace("/gw", "/other")
CANARY = "c4nary p@ss/w:rd"
PROXY = "http://us%20er:c4nary%20p%40ss%2Fw%3Ard@127.0.0.1:9"
AGENTS = ("clusterconnect-agent", "cluster-metadata-operator")

_SCRIPT = """#!{python} -S
import json, os, pathlib, sys
sys.path.insert(0, {folder!r})
import fake_programs
fake_programs.{name}(pathlib.Path({root!r}), sys.argv[1:])
"""


class World:
    """The fake world.

    Attributes:
        root: its folder.
        env: the environment for the driver.
        requests: `METHOD path` of everything that Azure was asked.
        logins: bodies of the requests for a token.
        answers: statuses and headers that Azure gives next, before it answers properly.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.requests: list[str] = []
        self.logins: list[str] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        (root / "calls").mkdir()
        (root / "home").mkdir()
        config = root / "azure-config"
        (config / "logs").mkdir(parents=True)
        (config / "azureProfile.json").write_text('{"subscriptions": []}')
        (config / "logs" / "big.log").write_text("x" * 100)
        programs = root / "bin"
        programs.mkdir()
        for name in ("az", "kubectl", "helm"):
            script = programs / name
            script.write_text(
                _SCRIPT.format(python=sys.executable, folder=str(Path(__file__).parent), root=str(root), name=name)
            )
            script.chmod(0o755)
        self.write(
            {
                "cluster": None,
                "setting": None,
                "release": None,
                "identity": None,
                "ready": True,
                "gateway": {"state": "Succeeded"},
            }
        )
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        authority.cert_pem.write_to_path(str(root / "root.pem"))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.host = f"localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        kubeconfig = root / "kubeconfig"
        kubeconfig.write_text(
            json.dumps(
                {
                    "current-context": "other",
                    "contexts": [
                        {"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("edge", "other")
                    ],
                    "clusters": [
                        {"name": "c", "cluster": {"server": "https://10.1.2.3:6443", "certificate-authority": "ca.crt"}}
                    ],
                    "users": [{"name": "u", "user": {"token": "kube-canary"}}],
                }
            )
        )
        self.env = {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(root / "home"),
            "AZURE_CONFIG_DIR": str(config),
            "KUBECONFIG": str(kubeconfig),
            "ARM_METADATA_HOSTNAME": self.host,
            "ARM_TENANT_ID": TENANT,
            "ARM_CLIENT_ID": "client",
            "ARM_CLIENT_SECRET": "client-canary",
            "REQUESTS_CA_BUNDLE": str(root / "root.pem"),
            "TMPDIR": str(root / "home"),
            "XDG_CACHE_HOME": str(root / "cache"),
            "ARC_SUBSCRIPTION_ID": SUBSCRIPTION,
            "ARC_RESOURCE_GROUP": "rg",
            "ARC_CLUSTER_NAME": "edge",
            "ARC_LOCATION": "eastus",
            "ARC_KUBE_CONTEXT": "edge",
            "ARC_GATEWAY_ID": GATEWAY,
            "ARC_GATEWAY_ENDPOINT": "abc.gw.arc.azure.com",
            "ARC_PREFLIGHT": "off",
            "ARCGATEWAY_DEADLINE": "30",
        }

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def read(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.root / "state.json").read_text())
        return state

    def write(self, state: dict[str, Any]) -> None:
        aside = self.root / "state.aside"
        aside.write_text(json.dumps(state))
        aside.replace(self.root / "state.json")

    def change(self, **parts: Any) -> None:
        self.write({**self.read(), **parts})

    def script(self, *behaviours: dict[str, Any]) -> None:
        """How the next calls of `az` go: {"say": text, "status": n}, {"after": True} to fail after the work is done,
        {"hang": seconds}."""
        (self.root / "script.json").write_text(json.dumps(behaviours))

    def calls(self) -> list[dict[str, Any]]:
        """What `az` was called with, in order."""
        return [json.loads(path.read_text()) for path in sorted((self.root / "calls").glob("az-*.json"))]

    def writes(self) -> list[str]:
        """What was written by anybody: verbs of `az`, and requests to Azure that are no reads."""
        verbs = [call["argv"][1] for call in self.calls() if call["argv"][0] == "connectedk8s"]
        return [*verbs, *(line for line in self.requests if line.startswith(("PUT", "DELETE")))]

    def connected(self, **more: Any) -> None:
        """Put a connected cluster in place."""
        values = {"global": {"gatewayEnabled": False, "isProxyEnabled": False}}
        self.change(
            **{
                "cluster": cluster(),
                "identity": [SUBSCRIPTION, "rg", "edge"],
                "release": {"status": "deployed", "values": values},
                **more,
            }
        )

    def associated(self, gateway: str = GATEWAY) -> None:
        """Put an associated cluster in place."""
        self.connected(
            cluster=cluster(enabled=True),
            setting=setting(gateway),
            release={"status": "deployed", "values": {"global": {"gatewayEnabled": True, "isProxyEnabled": False}}},
        )


def cluster(
    *, enabled: bool = False, version: str = "1.36.1", status: str = "Connected", **tags: str
) -> dict[str, Any]:
    return {
        "id": CLUSTER,
        "name": "edge",
        "location": "eastus",
        "tags": {"pulumi-arc-gateway": "connected", **tags},
        "identity": {"type": "SystemAssigned"},
        "properties": {"connectivityStatus": status, "agentVersion": version, "gateway": {"enabled": enabled}},
    }


def setting(gateway: str | None) -> dict[str, Any]:
    return {
        "id": SETTING,
        "properties": {"gatewayProperties": {"gatewayResourceId": gateway}},
        "systemData": {"lastModifiedAt": "2026-11-24T10:20:30.1234567Z"},
    }


def _handler(world: World) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            return

        def answer(self, status: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
            content = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            base = f"https://{world.host}"
            if path == "/metadata/endpoints":
                return self.answer(
                    200,
                    {
                        "name": "AzureCloud",
                        "resourceManager": base + "/",
                        "authentication": {"loginEndpoint": base, "audiences": [base]},
                    },
                )
            if path.endswith("/openid-configuration"):
                return self.answer(
                    200,
                    {
                        name: f"{base}/{TENANT}/{name}"
                        for name in ("token_endpoint", "authorization_endpoint", "issuer")
                    },
                )
            if path.endswith(("token_endpoint", "/token")):
                world.logins.append(body.decode())
                return self.answer(200, {"access_token": "arm-token", "expires_in": 3600, "token_type": "Bearer"})
            world.requests.append(f"{self.command} {path}")
            if self.headers.get("Authorization") == "Bearer old-token":
                return self.answer(401, {"error": {"code": "ExpiredAuthenticationToken", "message": "too old"}})
            if self.headers.get("Authorization") not in ("Bearer arm-token", "Bearer cli-token"):
                return self.answer(401, {"error": {"code": "AuthenticationFailed", "message": "no token"}})
            if path == "/pipeline":
                asked = parse_qs(self.path.partition("?")[2])
                return self.answer(200, {"value": f"of {asked['audience'][0]}"})
            if path == "/none":
                return self.answer(200, {"message": "not for this job"})
            if world.answers:
                status, headers = world.answers.pop(0)
                if status != 200:
                    return self.answer(status, {"error": {"code": "Scripted", "message": "scripted"}}, headers)
            return self.resource(path, body)

        def resource(self, path: str, body: bytes) -> None:
            state = world.read()
            key = {CLUSTER.lower(): "cluster", SETTING.lower(): "setting"}.get(path.lower())
            if path.lower() in (GATEWAY.lower(), OTHER_GATEWAY.lower()) and state["gateway"]:
                return self.answer(
                    200,
                    {
                        "id": path,
                        "properties": {
                            "provisioningState": state["gateway"]["state"],
                            "gatewayEndpoint": "abc.gw.arc.azure.com",
                        },
                    },
                )
            if key is None or (self.command == "GET" and state[key] is None):
                return self.answer(404, {"error": {"code": "ResourceNotFound", "message": path}})
            if self.command == "GET":
                return self.answer(200, state[key])
            if self.command == "PUT":
                world.change(**{key: {**(state[key] or {}), **json.loads(body)}})
                return self.answer(200, json.loads(body))
            world.change(cluster=None, setting=None)
            return self.answer(204)

        do_GET = do_PUT = do_DELETE = do_POST = handle_any

    return Handler


@contextmanager
def world(root: Path) -> Iterator[World]:
    made = World(root)
    try:
        yield made
    finally:
        made.close()


LAUNCHER = Path(__file__).parents[2] / "bin" / "driver"


def drive(scene: World, verb: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a verb by the launcher, as the stack's commands do; what it says never holds the canary."""
    done = subprocess.run(
        [str(LAUNCHER), verb],
        env={**scene.env, **env},
        capture_output=True,
        text=True,
        timeout=90,
        cwd=scene.root,
        check=False,
    )
    assert CANARY not in done.stdout + done.stderr
    return done


def failed(done: subprocess.CompletedProcess[str]) -> str:
    """The last line of a verb that failed, and printed nothing."""
    assert done.returncode == 1 and done.stdout == "", done
    return done.stderr.splitlines()[-1]
