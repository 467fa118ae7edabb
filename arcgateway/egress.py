"""What agents may reach, in the words of Kubernetes: the rules of a network policy for the namespace `azure-arc`."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from arcgateway.proxy import ProxyUrl

NAMESPACE = "azure-arc"
DNS_PORT = 53
API_SERVER_PORTS = (443, 6443)


def network_policy_rules(proxy: ProxyUrl | None, ports: Iterable[int] = (443,)) -> list[dict[str, Any]]:
    """Egress rules that let the agents out to the proxy, the API server, each other and name resolution alone.

    A network policy cannot name hosts: without a proxy, or where it is known by its name, any address will do.

    Args:
        proxy: the enterprise proxy, of which host and port are used and never the credentials.
        ports: of the endpoints, which the agents reach by themselves without a proxy.
    """
    way_out: dict[str, Any] = {"ports": [tcp(port) for port in ports]}
    if proxy is not None:
        way_out = {"ports": [tcp(proxy.port)]}
        if (cidr := address_range(proxy.host)) is not None:
            way_out["to"] = [{"ipBlock": {"cidr": cidr}}]
    return [
        {"ports": [{"protocol": "UDP", "port": DNS_PORT}, tcp(DNS_PORT)]},
        {"ports": [tcp(port) for port in API_SERVER_PORTS]},
        {"to": [{"podSelector": {}}]},
        way_out,
    ]


def address_range(host: str) -> str | None:
    """The range of one address; None for a host name, which a network policy cannot hold."""
    try:
        return str(ipaddress.ip_network(host))
    except ValueError:
        return None


def tcp(port: int) -> dict[str, Any]:
    """A TCP port of a network policy."""
    return {"protocol": "TCP", "port": port}
