"""HTTPS with the standard library alone: the proxy and the trusted roots of the environment, and kept connections.

urllib3 would cost 0.2 s at each start, as much as a whole `az connectedk8s show` here.
"""

from __future__ import annotations

import base64
import http.client
import os
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote, urlsplit

from sandbox.az import VERSION
from sandbox.az.errors import ConnectionFailed

CONNECT_TIMEOUT = 30.0
READ_TIMEOUT = 300.0

#: azure-core's rule: three more tries, 0.8 s apart and doubling, or as the service says.
RETRIES = 3
BACKOFF = 0.8
_TRY_AGAIN = {408, 429, 500, 502, 503, 504}
_IDEMPOTENT = {"GET", "HEAD", "PUT", "DELETE"}


@dataclass(frozen=True)
class Response:
    """What came back; header names are lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Connections to HTTPS services, one kept per host."""

    def __init__(self) -> None:
        self._kept: dict[str, http.client.HTTPSConnection] = {}

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        retries: int = RETRIES,
    ) -> Response:
        """One request, tried again where azure-core would.

        Raises:
            ConnectionFailed: no answer after the last try.
        """
        for attempt in range(retries + 1):
            last = attempt == retries
            try:
                response = self._once(method, url, {"User-Agent": f"AZURECLI/{VERSION}", **(headers or {})}, body)
            except (OSError, http.client.HTTPException) as problem:
                if last or method not in _IDEMPOTENT or isinstance(problem, ssl.SSLCertVerificationError):
                    raise ConnectionFailed(_unreachable(url, problem)) from problem
                time.sleep(BACKOFF * 2**attempt)
                continue
            told = response.headers.get("retry-after", "")
            if last or response.status not in _TRY_AGAIN or not (told or method in _IDEMPOTENT):
                return response
            time.sleep(float(told) if told.isdigit() else BACKOFF * 2**attempt)
        raise AssertionError("the last try returns or raises")

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Response:
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        kept = self._kept.pop(parts.netloc, None)
        if kept is not None:
            try:
                return self._exchange(kept, parts.netloc, method, target, headers, body)
            except (OSError, http.client.HTTPException):
                # An idle connection that the other side has closed says nothing about the service.
                kept.close()
                if method not in _IDEMPOTENT:
                    raise
        return self._exchange(
            self._connect(parts.hostname or "", parts.port or 443), parts.netloc, method, target, headers, body
        )

    def _exchange(
        self,
        connection: http.client.HTTPSConnection,
        key: str,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Response:
        connection.request(method, target, body=body, headers=dict(headers))
        answer = connection.getresponse()
        response = Response(answer.status, answer.reason, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        if answer.will_close:
            connection.close()
        else:
            self._kept[key] = connection
        return response

    def _connect(self, host: str, port: int) -> http.client.HTTPSConnection:
        proxy = _proxy(host)
        if not proxy:
            connection = http.client.HTTPSConnection(host, port, timeout=CONNECT_TIMEOUT, context=self._tls)
        else:
            via = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
            speak = _TlsProxyConnection if via.scheme == "https" else http.client.HTTPSConnection
            connection = speak(via.hostname or "", via.port or 80, timeout=CONNECT_TIMEOUT, context=self._tls)
            credentials = f"{unquote(via.username or '')}:{unquote(via.password or '')}".encode()
            headers = {"Proxy-Authorization": f"Basic {base64.b64encode(credentials).decode()}"} if via.username else {}
            connection.set_tunnel(host, port, headers)
        connection.connect()
        connection.sock.settimeout(READ_TIMEOUT)
        return connection

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        if not bundle:
            import certifi

            bundle = certifi.where()
        try:
            return ssl.create_default_context(cafile=bundle)
        except OSError as problem:
            raise ConnectionFailed(
                f"The CA bundle {bundle} (REQUESTS_CA_BUNDLE) can't be read: {problem}."
            ) from problem


class _TlsProxyConnection(http.client.HTTPSConnection):
    """A connection to a proxy that speaks TLS itself, and a tunnel with TLS of its own inside."""

    def __init__(self, host: str, port: int, *, timeout: float, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self._roots = context

    def connect(self) -> None:
        """Two handshakes. The standard library cannot put one inside the other: it works on the kernel's socket."""
        from urllib3.util.ssltransport import SSLTransport

        plain = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._roots.wrap_socket(plain, server_hostname=self.host)
        self._tunnel()  # type: ignore[attr-defined]
        self.sock = SSLTransport(self.sock, self._roots, self._tunnel_host)  # type: ignore[attr-defined]


def _proxy(host: str) -> str:
    """The proxy for a host name, "" for none; urllib.request knows this too, at 15 ms a start."""
    names = (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").lower().split(",")
    for name in (name.strip().lstrip("*").lstrip(".") for name in names if name.strip()):
        if not name or host == name or host.endswith(f".{name}"):
            return ""
    return os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY") or ""


def _unreachable(url: str, problem: Exception) -> str:
    host = urlsplit(url).hostname
    if isinstance(problem, ssl.SSLCertVerificationError):
        return (
            f"Certificate verification failed for {host}: {problem.verify_message}. This typically happens when "
            "using Azure CLI "
            "behind a proxy that intercepts traffic with a self-signed certificate. Please add this certificate to "
            "the trusted CA bundle "
            "that REQUESTS_CA_BUNDLE names."
        )
    why = str(problem) or type(problem).__name__
    return f"Failed to connect to {host}: {why}. Please check network connectivity and HTTPS_PROXY."
