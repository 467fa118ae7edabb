"""The same leaves, each in a component of the documented kind: arguments as inputs, the report as its output."""

import plain
import pulumi
from pulumi_command import local
from world import GATEWAY_ENDPOINT, GATEWAY_ID, GROUP, LOCATION, PROXY, SKIP_RANGE, SUBSCRIPTION

_components: dict[str, pulumi.ComponentResource] = {}


class Typical(pulumi.ComponentResource):
    def __init__(self, kind: str, name: str, inputs: pulumi.Inputs) -> None:
        super().__init__(f"bench:index:{kind}", name, inputs)


def _inside(kind: str, name: str) -> pulumi.ResourceOptions:
    inputs: dict[str, pulumi.Inputs] = {
        "ProxySettings": {"httpsUrl": PROXY, "skipRange": SKIP_RANGE, "region": LOCATION},
        "ConnectedCluster": {
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
        },
    }
    _components[name] = Typical(kind, name, inputs[kind])
    return pulumi.ResourceOptions(parent=_components[name])


def _register(name: str, leaf: local.Command) -> None:
    _components[name].register_outputs({"report": leaf.stdout})


plain.declare(_inside, _register)
