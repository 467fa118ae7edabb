"""Virtual clusters: known to kubeconfig and ARM, with agents that are simulated.

A fleet has hundreds of clusters, and each real one here takes half a GB. A virtual one has an API server's answers to
what the product and `az` ask of a cluster with kubectl; the rest it has from the first real cluster, whose kinds and
nodes it shares. Agents cannot be run in it: installing them takes as long as in a real one, then they report to Azure.
"""

from __future__ import annotations

import os
import sys

from sandbox.certificates import certificates
from sandbox.home import PROJECT, Home
from sandbox.service import Service, answering
from sandbox.world import EAST, VIRTUAL

#: Where the clusters are, below which each has its name.
PREFIX = "/virtual/"


def server(home: Home, cluster: str) -> str:
    """The address of a virtual cluster's API server."""
    return f"https://127.0.0.1:{home.port('virtual')}{PREFIX}{cluster}"


def services(home: Home) -> list[Service]:
    """One process for all of them, where there are any."""
    if not VIRTUAL:
        return []
    return [
        Service(
            name="virtual",
            argv=(sys.executable, "-m", "sandbox.virtual"),
            ready=answering(f"https://127.0.0.1:{home.port('virtual')}/readyz", certificates(home).root),
            env={"SANDBOX_HOME": str(home.root), "PYTHONPATH": str(PROJECT), "SSL_CERT_FILE": os.devnull},
            after=("azure", f"apiserver-{EAST}"),
            ports=("virtual",),
        )
    ]
