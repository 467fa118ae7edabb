"""The same leaves, each in a component of the documented kind: arguments as inputs, the report as its output."""

import plain
import pulumi
from pulumi_command import local
from world import GATEWAY_ENDPOINT, GATEWAY_ID, GROUP, LOCATION, PROXY, SKIP_RANGE, SUBSCRIPTION

_PROXY = {"httpsUrl": PROXY, "skipRange": SKIP_RANGE, "region": LOCATION}
_components: dict[str, pulumi.ComponentResource] = {}


def _inside(kind: str, name: str) -> pulumi.ResourceOptions:
    cluster = {
        "clusterName": name,
        "resourceGroupName": GROUP,
        "subscriptionId": SUBSCRIPTION,
        "location": LOCATION,
        "kubeContext": name,
        "gatewayId": GATEWAY_ID,
        "gatewayEndpoint": GATEWAY_ENDPOINT,
        "proxyHttps": PROXY,
        "proxyHttp": PROXY,
        "proxySkipRange": SKIP_RANGE,
    }
    inputs = _PROXY if kind == "ProxySettings" else cluster
    _components[name] = pulumi.ComponentResource(f"bench:index:{kind}", name, inputs)
    return pulumi.ResourceOptions(parent=_components[name])


def _register(name: str, leaf: local.Command) -> None:
    _components[name].register_outputs({"report": leaf.stdout})


plain.declare(_inside, _register)
