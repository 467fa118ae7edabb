"""The local Azure: ARM, login, data plane, Graph and registry in one process, for clients that do not know of it."""

from __future__ import annotations

import os
import sys

from sandbox.certificates import certificates
from sandbox.home import PROJECT, Home
from sandbox.service import Service, answering


def services(home: Home) -> list[Service]:
    """The one process, as the supervisor runs it."""
    # The controls are never struck by a fault, which must not keep the sandbox from starting.
    url = f"https://localhost:{home.port('azure')}/sandbox/clock"
    return [
        Service(
            name="azure",
            argv=(sys.executable, "-m", "sandbox.azure"),
            ready=answering(url, certificates(home).root),
            # On import aiohttp reads the public roots, for requests that are never made: a fifth of the start.
            env={"SANDBOX_HOME": str(home.root), "PYTHONPATH": str(PROJECT), "SSL_CERT_FILE": os.devnull},
            ports=("azure",),
        )
    ]
