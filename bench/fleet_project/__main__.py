"""A fleet's stacks with leaves that cost no process, or with one that waits: what is left is the engine's and ours.

BENCH_LATENCY, in seconds, has each cluster's creation take as long.
"""

import os

import pulumi
from pulumi_command import local

LATENCY = os.environ.get("BENCH_LATENCY")

settings = pulumi.Config("arc-gateway")
gateway = settings.require_object("gateway")
clusters = settings.get_object("clusters") or {}


class ConnectedCluster(pulumi.ComponentResource):
    def __init__(self, name: str) -> None:
        super().__init__("arc-gateway:index:ConnectedCluster", name)
        self.register_outputs({})


if "stack" in gateway:
    known = pulumi.StackReference(gateway["stack"]).get_output("gateway").apply(lambda found: found["id"])
else:
    known = pulumi.Output.from_input(f"/subscriptions/s/resourceGroups/g/providers/gateways/{gateway['name']}")

for name, cluster in clusters.items():
    local.Command(
        name,
        create=f"sleep {LATENCY}" if LATENCY else None,
        environment={
            "ARC_SUBSCRIPTION_ID": cluster["subscriptionId"],
            "ARC_RESOURCE_GROUP": cluster["resourceGroup"],
            "ARC_CLUSTER_NAME": name,
            "ARC_LOCATION": cluster["location"],
            "ARC_KUBE_CONTEXT": name,
            "ARC_GATEWAY_ID": known,
            "ARC_GATEWAY_ENDPOINT": "4b9a3a0a-3d12-4db7-8f88-d896f052705f.gw.arc.azure.com",
            "ARC_PROXY_HTTPS": "http://proxy.example.com:3128",
            "ARC_PROXY_HTTP": "http://proxy.example.com:3128",
            "ARC_PROXY_SKIP_RANGE": "10.96.0.0/16,kubernetes.default.svc,.svc.cluster.local,.svc",
            "ARC_PREFLIGHT": "require",
        },
        triggers=[cluster["subscriptionId"], cluster["resourceGroup"], name, cluster["location"]],
        opts=pulumi.ResourceOptions(parent=ConnectedCluster(name)),
    )

pulumi.export("gateway", {"id": known})
