"""The SDK's mocks as the components' tests use them: what was asked of the engine, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pulumi
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockMonitor

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GATEWAY_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/arc/providers/Microsoft.HybridCompute/gateways/gw"

#: Arguments of a cluster behind a gateway and a proxy.
CLUSTER: Any = {
    "cluster_name": "east",
    "resource_group_name": "arc",
    "location": "eastus",
    "gateway_id": GATEWAY_ID,
    "gateway_endpoint": "ab12.gw.arc.azure.com",
    "kube_context": "ctx",
    "proxy_https": "http://10.9.8.7:3128",
    "proxy_skip_range": [".svc"],
}
REPORT = {
    "id": "/subscriptions/x/connectedClusters/c",
    "agentVersion": "1.36.1",
    "connectivityStatus": "Connected",
    "gatewayEnabled": True,
    "gatewayResourceId": GATEWAY_ID,
    "associatedAt": "2026-01-01T00:00:00Z",
    "endpointsRemovableAt": "2026-01-01T01:00:00Z",
    "adopted": False,
}
SECRET = "4dabf18193072939515e22adb298388d"  # the key that marks a secret on the wire


class World(pulumi.runtime.Mocks):
    """What the engine was asked to make, and the values that a program ended with."""

    def __init__(self, other_stacks: Mapping[str, Any]) -> None:
        self.other_stacks = other_stacks
        self.requests: list[Any] = []
        self.registered: dict[str, dict[str, Any]] = {}
        self.made: list[pulumi.runtime.MockResourceArgs] = []
        self.values: list[Any] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.made.append(args)
        made = dict(args.inputs)
        if args.typ == "azure-native:hybridcompute:Gateway":
            made |= {"gatewayEndpoint": "ab12.gw.arc.azure.com", "name": "gw", "gatewayId": "ab12"}
            made |= {"provisioningState": "Succeeded"}
            return GATEWAY_ID, made
        if args.typ == "pulumi:pulumi:StackReference":
            return args.name, {"outputs": self.other_stacks[args.name]}
        if args.typ == "command:local:Command":
            made["stdout"] = json.dumps({"verdict": "pass"} if args.inputs["create"] == "probe" else REPORT)
        return f"{args.name}-id", made

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"nothing is asked of a provider, but {args.token} was")

    def inputs(self, kind: str, name: str | None = None) -> dict[str, Any]:
        """Inputs of the one resource of a kind, secrets opened."""
        (found,) = [made for made in self.made if made.typ == kind and name in (None, made.name)]
        return {key: opened(value) for key, value in found.inputs.items()}

    def is_secret(self, kind: str, key: str) -> bool:
        (found,) = [made for made in self.made if made.typ == kind]
        return is_secret(found.inputs[key])


class Monitor(MockMonitor):
    """Notes what the SDK's own keeps to itself: all of each request, and what components register as their outputs."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.world = world

    def RegisterResource(self, request: Any) -> Any:
        self.world.requests.append(request)
        return super().RegisterResource(request)

    def RegisterResourceOutputs(self, request: Any) -> Any:
        self.world.registered[request.urn] = rpc.deserialize_properties(request.outputs)
        return super().RegisterResourceOutputs(request)


def opened(value: Any) -> Any:
    if is_secret(value):
        return opened(value["value"])
    return {key: opened(item) for key, item in value.items()} if isinstance(value, dict) else value


def is_secret(value: Any) -> bool:
    return isinstance(value, dict) and SECRET in value


def deploy(program: Callable[[], list[Any]], **other_stacks: Any) -> World:
    """Run a program under mocks to its end, and resolve the outputs that it returns.

    Args:
        program: declares components.
        other_stacks: outputs of other stacks, by the stacks' names.
    """
    world = World(other_stacks)
    pulumi.runtime.set_mocks(world, monitor=Monitor(world))

    @pulumi.runtime.test
    def run() -> Any:
        return pulumi.Output.all(*program()).apply(world.values.extend)

    run()
    return world
