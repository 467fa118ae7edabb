"""The sandbox's nodes: each takes the pods of one cluster and runs their images as local processes.

`python -m sandbox.node --cluster NAME` is one node. It stands where a kubelet would; the cluster cannot tell.
"""

from __future__ import annotations

import json
import sys
from functools import partial

from sandbox.home import Home
from sandbox.service import Service, answering


def services(home: Home) -> list[Service]:
    """One node for each cluster."""
    from sandbox.certificates import certificates
    from sandbox.cluster import SERVICE_RANGES, started_before

    root = certificates(home).root
    return [
        Service(
            name=f"node-{cluster}",
            argv=(sys.executable, "-m", "sandbox.node", "--cluster", cluster),
            ready=answering(f"https://127.0.0.1:{home.port(f'node-{cluster}')}/healthz", root),
            # It loads while the API server does, and tries until that answers.
            after=("etcd", *started_before(cluster)),
            prepare=partial(_prepare, home, cluster),
            ports=(f"node-{cluster}",),
        )
        for cluster in SERVICE_RANGES
    ]


def _prepare(home: Home, cluster: str) -> None:
    """Write down what a node needs, so that it loads no cryptography to find it out, and stays small."""
    from sandbox.certificates import certificates, issue
    from sandbox.cluster import KUBELET_CLIENT, access

    way = access(home, cluster, "node")
    files = certificates(home)
    chain, key = issue(home, f"node-{cluster}", "127.0.0.1", "localhost")
    settings = {
        "server": way.server,
        "token": way.token,
        "root": str(files.root),
        "bundle": str(files.bundle),
        "chain": str(chain),
        "key": str(key),
        "client": KUBELET_CLIENT,
    }
    home.write(f"node-{cluster}/settings.json", json.dumps(settings, indent=2))
