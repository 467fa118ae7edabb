"""The agent that tells Azure that its cluster lives: `cluster-metadata-operator`.

Stands alone on the standard library, and `agent.sh` starts it without site-packages, so that it stays small.
Environment: CLUSTER_RESOURCE_ID, AGENT_VERSION, REGION; AGENT_PROXY (the Arc Proxy) or else HTTPS_PROXY as its way out;
SSL_CERT_FILE; SANDBOX_HOSTS (what cluster DNS would know); KUBERNETES_SERVICE_HOST and _PORT.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import ssl
import sys
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

INTERVAL = 30.0  # seconds between two heartbeats
FIRST_RETRY = 1.0  # seconds; doubles with each failure until it is INTERVAL
TIMEOUT = 10.0  # seconds for each step on the wire

#: The sandbox's clusters have one node each.
NODES = 1


def say(text: str) -> None:
    """One line of the agent's log."""
    print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), text, flush=True)


def resolve(name: str, hosts_file: str | None) -> str:
    """The address of a Service by its name in the cluster, from SANDBOX_HOSTS; other names stay.

    Raises:
        OSError: the name is one of the cluster, and no ready pod stands behind it.
    """
    if not name.endswith(".svc.cluster.local"):
        return name
    with open(hosts_file or os.devnull) as file:  # noqa: PTH123 - pathlib would be another half megabyte
        hosts: dict[str, str] = json.loads(file.read() or "{}")
    if name not in hosts:
        raise OSError(f"no ready pod behind {name}")
    return hosts[name]


def connection(host: str, env: Mapping[str, str], context: ssl.SSLContext) -> tuple[http.client.HTTPSConnection, str]:
    """A connection to `host` that is not open yet, and its way in words, without credentials."""
    proxy = urlsplit(env.get("AGENT_PROXY") or env.get("HTTPS_PROXY") or "")
    if not proxy.hostname:
        return http.client.HTTPSConnection(host, timeout=TIMEOUT, context=context), "directly"
    address = resolve(proxy.hostname, env.get("SANDBOX_HOSTS"))
    made = http.client.HTTPSConnection(address, proxy.port or 80, timeout=TIMEOUT, context=context)
    pair = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}"
    basic = {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()} if proxy.username else {}
    made.set_tunnel(host, 443, headers=basic)
    return made, f"through {proxy.scheme}://{proxy.hostname}:{proxy.port or 80}"


def kubernetes_version(env: Mapping[str, str], context: ssl.SSLContext) -> str:
    """What the cluster's API server says it is, e.g. `1.33.4`."""
    host, port = env["KUBERNETES_SERVICE_HOST"], int(env["KUBERNETES_SERVICE_PORT"])
    asked = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
    try:
        asked.request("GET", "/version")
        answer: dict[str, Any] = json.loads(asked.getresponse().read())
        return str(answer["gitVersion"]).lstrip("v")
    finally:
        asked.close()


def beat(env: Mapping[str, str], context: ssl.SSLContext, version: str) -> str:
    """Send one heartbeat.

    Returns:
        What happened, in words.

    Raises:
        OSError, http.client.HTTPException: it did not get through, or Azure did not take it.
    """
    host = f"{env['REGION']}.dp.kubernetesconfiguration.azure.com"
    body = {
        "resourceId": env["CLUSTER_RESOURCE_ID"],
        "agentVersion": env["AGENT_VERSION"],
        "kubernetesVersion": version,
        "totalNodeCount": NODES,
    }
    started = time.monotonic()
    way, words = connection(host, env, context)
    try:
        headers = {"Content-Type": "application/json", "Connection": "close"}
        way.request("POST", "/azure-arc-k8sagents/heartbeat", json.dumps(body), headers)
        answer = way.getresponse()
        answer.read()
    except OSError as error:
        raise OSError(f"{words} to {host}: {error}") from error
    finally:
        way.close()
    if answer.status >= 300:
        raise OSError(f"{words} to {host}: answered {answer.status} {answer.reason}")
    return f"{host} took it {words}: {answer.status}, {time.monotonic() - started:.2f} s"


def main() -> None:
    """Heartbeats for ever; SIGTERM ends it."""
    signal.signal(signal.SIGTERM, _stop)
    say(f"{os.environ.get('HOSTNAME', 'cluster-metadata-operator')} started (pid {os.getpid()})")
    missing = [name for name in ("REGION", "CLUSTER_RESOURCE_ID", "AGENT_VERSION") if not os.environ.get(name)]
    if missing:
        say(f"cannot send heartbeats: the environment lacks {', '.join(missing)}")
        sys.exit(1)
    # Made and asked once, because reading the roots is what a heartbeat would cost most.
    context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
    version = ""
    retry = FIRST_RETRY
    while True:
        try:
            version = version or kubernetes_version(os.environ, context)
            say(f"heartbeat: {beat(os.environ, context, version)}")
            pause, retry = INTERVAL, FIRST_RETRY
        except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
            pause, retry = retry, min(retry * 2, INTERVAL)
            say(f"heartbeat failed: {error or type(error).__name__}; next try in {pause:.0f} s")
        time.sleep(pause)


def _stop(*_: object) -> None:
    say("SIGTERM: stopping")
    sys.exit(0)


if __name__ == "__main__":
    main()
