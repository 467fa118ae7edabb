"""HTTPS sessions whose connections share one reading of the trusted roots, and what it means when one fails.

requests reads a file of roots anew for each connection, which takes 60 ms of CPU: more than all else that a few reads
of Azure take together.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry
from urllib3.util.ssl_ import create_urllib3_context

from arcgateway import __version__
from arcgateway.errors import Failure, ProxyRefusal

#: Connections that a session keeps open to one host.
CONNECTIONS = 16

#: Seconds to connect, and between two pieces of an answer, unless a request says otherwise.
TIMEOUT = (20, 60)

#: A connection that breaks is tried once more, for what may be done twice.
_RETRY = Retry(total=1, redirect=0, status=0, other=0, raise_on_status=False)


def session(bundle: str, proxies: Mapping[str, str]) -> requests.Session:
    """A session that takes nothing from the environment by itself.

    Args:
        bundle: a file of trusted roots or a folder of them, as OpenSSL takes it; empty for the public ones.
        proxies: URL of the proxy by the scheme that it is for.

    Raises:
        Failure: the roots cannot be read.
    """
    made = requests.Session()
    made.trust_env = False
    made.proxies = dict(proxies)
    made.headers["User-Agent"] = f"arc-gateway/{__version__}"
    made.mount("https://", _Adapter(_context(bundle or certifi.where())))
    return made


def unreachable(url: str, error: requests.RequestException) -> Failure:
    """What a request without an answer comes to: which host, why, and the mend."""
    host = urlsplit(url).hostname
    detail = " ".join(str(error).split())
    if "CERTIFICATE_VERIFY_FAILED" in detail:
        return Failure(
            f"the certificate that {host} presented is not trusted here",
            "put its root into the file of SSL_CERT_FILE; if a proxy re-signs TLS, have it exempt Azure",
        )
    if "Tunnel connection failed: 407" in detail:
        return ProxyRefusal(
            f"the enterprise proxy asks for credentials on the way to {host}, or refuses these",
            "mend the user and password of the proxy's URL (percent-encoded)",
        )
    return Failure(
        f"{host} cannot be reached ({detail[:200]})", "check the proxy and the network, and run again", transient=True
    )


@cache
def _context(roots: str) -> ssl.SSLContext:
    context = create_urllib3_context()
    try:
        if Path(roots).is_dir():
            context.load_verify_locations(capath=roots)
        else:
            context.load_verify_locations(cafile=roots)
    except OSError as error:
        raise Failure(
            f"the trusted roots in {roots} cannot be read ({error.strerror or error})",
            "mend REQUESTS_CA_BUNDLE or SSL_CERT_FILE, which name them",
        ) from None
    return context


class _Adapter(HTTPAdapter):
    """Verifies with one context, for the host and for a proxy that speaks TLS itself."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_maxsize=CONNECTIONS, max_retries=_RETRY)

    def send(self, request: Any, stream: bool = False, timeout: Any = None, *arguments: Any, **options: Any) -> Any:
        """Send with a limit of time, whoever asks."""
        return super().send(request, stream, timeout or TIMEOUT, *arguments, **options)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, ssl_context=self._context, **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        both = {"ssl_context": self._context, "proxy_ssl_context": self._context}
        return super().proxy_manager_for(proxy, **both, **options)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Always verify: the roots are in the context already."""
        conn.cert_reqs = "CERT_REQUIRED"
