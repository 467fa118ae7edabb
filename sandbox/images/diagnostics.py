"""The onboarding precheck's Job: tries, from where the agents will run, what onboarding needs.

Its log is read by `az connectedk8s connect`: lines with `DNS Result:`, `Entra Authentication Endpoint Connectivity
Check Result : URL : CODE` and `Outbound Network Connectivity Check ... : URL : CODE`. CODE is what curl, which the real
image runs, would show as the status: `000` where no answer came from the endpoint itself, also when the proxy refused
the CONNECT. Of the outbound lines the client takes the first for cluster connect, which is optional, and judges
onboarding by the last one; so an endpoint that onboarding needs and that does not answer is printed last.

Environment: REGION; HTTPS_PROXY, NO_PROXY; SSL_CERT_FILE, PROXY_CERT_FILE; SANDBOX_HOSTS (addresses of Services).
Ends with 0 whatever was found, and with 1 only where it cannot look.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from sandbox.forward_proxy import Refused, close
from sandbox.outbound import Route, dial, secure, trusted

CHECK_LIMIT = 15.0  # seconds for one endpoint; all are tried side by side
NO_ANSWER = "000"

ENTRA = "https://login.microsoftonline.com"
CLUSTER_CONNECT = ("https://{region}.obo.arc.azure.com:8084/", "https://{region}.obo.arc.azure.com/")
ONBOARDING = ("https://gbl.his.arc.azure.com/", "https://mcr.microsoft.com/")


class Result(NamedTuple):
    """What one endpoint answered: an HTTP status, or `000` and why."""

    url: str
    code: str
    why: str


async def probe(url: str, route: Route, tls: ssl.SSLContext) -> Result:
    """Ask an https URL with GET and take the status of its answer."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(CHECK_LIMIT):
            stream = await secure(await dial(host, port, route.proxy_for(host, port), tls), host, tls)
            try:
                stream.writer.write(request.encode())
                version, _, rest = (await stream.reader.readline()).decode("latin-1").partition(" ")
            finally:
                await close(stream.writer, abort=True)
    except Refused as refused:
        return Result(url, NO_ANSWER, refused.reason)
    except (OSError, ValueError) as error:
        return Result(url, NO_ANSWER, str(error) or f"no answer within {CHECK_LIMIT:.0f} s")
    if not version.startswith("HTTP/1."):
        return Result(url, NO_ANSWER, "the answer is no HTTP")
    return Result(url, rest[:3], "")


def report(entra: Result, cluster_connect: Iterable[Result], onboarding: Iterable[Result]) -> list[str]:
    """The lines of the log that tell of outbound connections, in the order that the client expects."""
    outbound = [
        *(("Outbound Network Connectivity Check for Cluster Connect", result) for result in cluster_connect),
        *(
            ("Outbound Network Connectivity Check for Onboarding", result)
            for result in sorted(onboarding, key=lambda result: result.code == NO_ANSWER)
        ),
    ]
    return [
        *_lines("Entra Authentication Endpoint Connectivity Check Result", entra),
        *(line for label, result in outbound for line in _lines(label, result)),
    ]


def _lines(label: str, result: Result) -> list[str]:
    why = [f"{result.url} did not answer. {result.why}"] if result.code == NO_ANSWER else []
    return [*why, f"{label} : {result.url} : {result.code}"]


def names(env: Mapping[str, str]) -> str:
    """The line about the cluster's names: the node's list of Services stands for DNS."""
    path = env.get("SANDBOX_HOSTS")
    try:
        known: dict[str, str] = json.loads(Path(path).read_text()) if path else {}
    except (OSError, ValueError) as error:
        return f"DNS Result: NXDOMAIN, the node's list of Services cannot be read ({type(error).__name__})"
    return f"DNS Result: the node resolves the names of {len(known)} Services"


async def main(env: Mapping[str, str]) -> None:
    """Look, and print what was found.

    Raises:
        ValueError, OSError: it cannot look: REGION, a proxy's URL or the root certificates are not there or not right.
    """
    region = env.get("REGION", "").strip()
    if not region:
        raise ValueError("REGION must hold the cluster's Azure region, like eastus")
    route, tls = Route.of(env), trusted(env)
    way = f"the proxy {route.proxy.host}:{route.proxy.port}" if route.proxy else "no proxy"
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} trying what onboarding needs, with {way}")
    print(names(env), flush=True)
    connect = [url.format(region=region) for url in CLUSTER_CONNECT]
    results = await asyncio.gather(*(probe(url, route, tls) for url in (ENTRA, *connect, *ONBOARDING)))
    for line in report(results[0], results[1 : 1 + len(connect)], results[1 + len(connect) :]):
        print(line)


if __name__ == "__main__":
    try:
        asyncio.run(main(os.environ))
    except (ValueError, OSError) as error:
        sys.exit(f"the precheck cannot look: {error}")
