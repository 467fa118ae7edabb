"""The opt-in network policy of the agents' namespace, through the kubernetes plugin."""

import ipaddress
from typing import Any, Optional

import pulumi

from arcgateway.proxy import ProxyUrl

NAMESPACE = "azure-arc"
DNS_PORT = 53
API_SERVER_PORTS = (443, 6443)


class _ClusterProvider(pulumi.ProviderResource):
    """The kubernetes provider for one context of the kubeconfig.

    The SDK's own class copies the environment's KUBECONFIG, a path of this machine, into the state; without it the
    plugin reads the same variable by itself whenever it runs.
    """

    def __init__(self, name: str, context: Optional[pulumi.Input[str]], opts: pulumi.ResourceOptions) -> None:
        super().__init__("kubernetes", name, {} if context is None else {"context": context}, opts)


def egress_policy(
    name: str,
    kube_context: Optional[pulumi.Input[str]],
    proxy_url: Optional[pulumi.Input[str]],
    opts: pulumi.ResourceOptions,
) -> None:
    """Let the agents out to the proxy, the API server, each other and name resolution, and nowhere else.

    Args:
        name: the resource's name.
        kube_context: context of the kubeconfig; the current one when None.
        proxy_url: the enterprise proxy; without one the agents may reach any host on port 443.
        opts: options for both resources; must make them wait for the agents' namespace.
    """
    import pulumi_kubernetes as kubernetes  # few stacks need it

    provider = _ClusterProvider(name, kube_context, opts)
    kubernetes.networking.v1.NetworkPolicy(
        f"{name}-egress",
        metadata={"name": "arc-agents-egress", "namespace": NAMESPACE},
        spec={
            "pod_selector": {},
            "policy_types": ["Egress"],
            "egress": pulumi.Output.unsecret(pulumi.Output.from_input(proxy_url).apply(_egress_rules)),
        },
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(provider=provider)),
    )


def _egress_rules(proxy_url: Optional[str]) -> list[dict[str, Any]]:
    """Rules in the API's own form. Only host and port of the proxy are used, never its credentials."""
    way_out: dict[str, Any] = {"ports": [_tcp(443)]}
    if proxy_url is not None:
        proxy = ProxyUrl.parse(proxy_url)
        way_out = {"ports": [_tcp(proxy.port)]}
        if (cidr := _cidr(proxy.host)) is not None:
            way_out["to"] = [{"ip_block": {"cidr": cidr}}]
    return [
        {"ports": [{"protocol": "UDP", "port": DNS_PORT}, _tcp(DNS_PORT)]},
        {"ports": [_tcp(port) for port in API_SERVER_PORTS]},
        {"to": [{"pod_selector": {}}]},
        way_out,
    ]


def _cidr(host: str) -> Optional[str]:
    """The range of one address; None for a host name, which a network policy cannot hold."""
    try:
        return str(ipaddress.ip_network(host))
    except ValueError:
        return None


def _tcp(port: int) -> dict[str, Any]:
    return {"protocol": "TCP", "port": port}
