"""Sessions whose connections share one reading of the trusted roots."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests
import trustme

from arcgateway import https
from arcgateway.errors import Failure


class _Greeting(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def address(authority: trustme.CA) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = HTTPServer(("127.0.0.1", 0), _Greeting)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_roots_that_are_named_count(authority: trustme.CA, address: str, tmp_path: Path) -> None:
    bundle = tmp_path / "roots.pem"
    authority.cert_pem.write_to_path(bundle)
    assert https.session(str(bundle), {}).get(address, timeout=10).status_code == 204


@pytest.mark.parametrize("bundle", ["", "other"])
def test_others_do_not(address: str, tmp_path: Path, bundle: str) -> None:
    if bundle:
        trustme.CA().cert_pem.write_to_path(tmp_path / bundle)
        bundle = str(tmp_path / bundle)
    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        https.session(bundle, {}).get(address, timeout=10)


def test_roots_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"gone\.pem.*No such file.*REQUESTS_CA_BUNDLE"):
        https.session(str(tmp_path / "gone.pem"), {})
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(Failure, match=r"empty\.pem"):
        https.session(str(tmp_path / "empty.pem"), {})
