"""Requests that no HTTP library would send: bytes over TLS, and what comes back."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from local_azure import LocalAzure


@contextmanager
def connection(azure: LocalAzure, timeout: float = 20) -> Iterator[ssl.SSLSocket]:
    """A TLS connection; what waits longer than `timeout` seconds for a byte fails."""
    with (
        socket.create_connection(("127.0.0.1", azure.port), timeout=timeout) as raw,
        _trusting(Path(azure.bundle).with_name("root.pem")).wrap_socket(raw, server_hostname="localhost") as tls,
    ):
        yield tls


@cache
def _trusting(root: Path) -> ssl.SSLContext:
    """Made once: reading a machine's bundle of roots anew takes longer than the request."""
    return ssl.create_default_context(cafile=root)


def head(azure: LocalAzure, method: str, path: str, *lines: str, host: str | None = None) -> bytes:
    """A request's head with the owner's token, and its blank line."""
    first = f"{method} {path} HTTP/1.1", f"Host: {host or f'localhost:{azure.port}'}"
    token = f"Authorization: {azure.session.headers['Authorization']!s}"
    return "\r\n".join((*first, token, *lines, "", "")).encode("latin-1")


def answer(tls: ssl.SSLSocket, method: str = "GET") -> tuple[int, Any]:
    """Status and JSON of one answer; None where it is empty, text where it is no JSON."""
    reply = http.client.HTTPResponse(tls, method=method)
    reply.begin()
    text = reply.read().decode()
    try:
        return reply.status, json.loads(text, parse_constant=_no_constant) if text else None
    except ValueError:
        return reply.status, text


def exchange(azure: LocalAzure, data: bytes, method: str = "GET") -> tuple[int, Any]:
    """What one request on a connection of its own is answered with."""
    with connection(azure) as tls:
        tls.sendall(data)
        return answer(tls, method)


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} in an answer is no JSON")
