"""All services of a sandbox, and the ports that they find taken."""

from __future__ import annotations

import json

from sandbox import azure, cluster, gateway, node, proxies, virtual
from sandbox.certificates import certificates
from sandbox.home import Home, port_is_free
from sandbox.service import Service

PARTS = (azure, gateway, proxies, cluster, node, virtual)


def services(home: Home) -> list[Service]:
    """What `sandbox up` runs. Certificates are made first, since every part wants them at the same moment."""
    certificates(home)
    return [service for part in PARTS for service in part.services(home)]


def release_taken_ports(home: Home) -> list[str]:
    """Give up kept ports that another program listens on by now, so that new ones are chosen.

    Returns:
        A note for each.
    """
    try:
        kept: dict[str, int] = json.loads((home.root / "ports.json").read_text())
    except FileNotFoundError:
        return []
    taken = {name: port for name, port in kept.items() if not port_is_free(port)}
    for name in taken:
        home.forget_port(name)
    return [f"port {port} of {name} is taken by another program: a new one is chosen" for name, port in taken.items()]
