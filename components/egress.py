"""The opt-in network policy of the agents' namespace, through the kubernetes plugin."""

from typing import Any, Optional

import pulumi

from arcgateway import egress
from arcgateway.proxy import ProxyUrl


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
        metadata={"name": "arc-agents-egress", "namespace": egress.NAMESPACE},
        spec={
            "pod_selector": {},
            "policy_types": ["Egress"],
            "egress": pulumi.Output.unsecret(pulumi.Output.from_input(proxy_url).apply(_egress_rules)),
        },
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(provider=provider)),
    )


def _egress_rules(proxy_url: Optional[str]) -> list[dict[str, Any]]:
    return egress.network_policy_rules(None if proxy_url is None else ProxyUrl.parse(proxy_url))
