"""What all programs declare: one proxy, and clusters that use one gateway through it."""

import os

COUNT = int(os.environ["BENCH_CLUSTERS"])
SUBSCRIPTION = os.environ["ARM_SUBSCRIPTION_ID"]
GROUP, LOCATION, GATEWAY = "arc-bench", "eastus", "gw-bench"
GATEWAY_ID = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.HybridCompute/gateways/{GATEWAY}"
)
GATEWAY_ENDPOINT = "bench.gw.arc.azure.com"
PROXY = "http://127.0.0.1:3128"
SKIP_RANGE = ["10.96.0.0/16", ".svc", ".svc.cluster.local", "kubernetes.default.svc"]
NAMES = [f"cluster-{number:03}" for number in range(COUNT)]
