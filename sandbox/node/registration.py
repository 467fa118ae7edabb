"""The Node object and its lease: how a node appears in its cluster and stays Ready."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import uuid
from datetime import UTC, datetime

from sandbox.node.api import MERGE_PATCH, Api, ApiError, Away
from sandbox.node.settings import Json, Settings
from sandbox.node.status import timestamp

#: Seconds between two renewals; the controller manager allows 120 (sandbox/cluster.py).
RENEWAL = 30.0
LEASE_SECONDS = 120
RETRY = 0.2

VERSION = "v1.33.4"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"

_log = logging.getLogger(__name__)


async def register(api: Api, settings: Settings) -> None:
    """Make the Node, or renew what an earlier run of this node left; tries until it succeeds."""
    wanted = node(settings)
    while True:
        try:
            try:
                await api.call("POST", "/api/v1/nodes", wanted)
            except ApiError as error:
                if error.status != 409:
                    raise
                body = {"metadata": {"labels": wanted["metadata"]["labels"]}, "status": wanted["status"]}
                await api.call("PATCH", f"/api/v1/nodes/{settings.node}", body, MERGE_PATCH)
                await api.call("PATCH", f"/api/v1/nodes/{settings.node}/status", body, MERGE_PATCH)
            await _renew(api, settings)
            return
        except (ApiError, *Away) as error:
            _log.info("register: %s", error or type(error).__name__)
            await asyncio.sleep(RETRY)


async def keep_lease(api: Api, settings: Settings) -> None:
    """Renew the lease, for ever."""
    pause = RENEWAL
    while True:
        await asyncio.sleep(pause)
        try:
            await _renew(api, settings)
            pause = RENEWAL
        except (ApiError, *Away) as error:
            _log.info("lease: %s", error or type(error).__name__)
            pause = RETRY


async def _renew(api: Api, settings: Settings) -> None:
    spec = {
        "holderIdentity": settings.node,
        "leaseDurationSeconds": LEASE_SECONDS,
        "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    try:
        await api.call("PATCH", f"{LEASES}/{settings.node}", {"spec": spec}, MERGE_PATCH)
    except ApiError as error:
        if error.status != 404:
            raise
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": settings.node}}
        await api.call("POST", LEASES, {**lease, "spec": spec})


def node(settings: Settings) -> Json:
    """The Node, Ready, with its address and the port where it serves logs."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    size = {"cpu": str(os.cpu_count() or 1), "memory": "8Gi", "pods": "110", "ephemeral-storage": "20Gi"}
    name = settings.node
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": machine,
                "beta.kubernetes.io/os": "linux",
                "beta.kubernetes.io/arch": machine,
                "arcgateway.sandbox/node": settings.cluster,
            },
        },
        "status": {
            "capacity": size,
            "allocatable": size,
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": settings.port}},
            "conditions": [_condition("Ready", True, "KubeletReady")]
            + [_condition(f"{kind}Pressure", False, f"Sufficient{kind}") for kind in ("Memory", "Disk", "PID")],
            "nodeInfo": {
                "architecture": machine,
                "operatingSystem": "linux",
                "osImage": "Arc gateway sandbox (pods are local processes)",
                "kernelVersion": platform.release(),
                "kubeletVersion": VERSION,
                "kubeProxyVersion": "",
                "containerRuntimeVersion": "sandbox://1",
                "machineID": uuid.uuid5(uuid.NAMESPACE_DNS, name).hex,
                "systemUUID": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
                "bootID": str(uuid.uuid4()),
            },
        },
    }


def _condition(kind: str, holds: bool, reason: str) -> Json:
    now = timestamp()
    return {
        "type": kind,
        "status": str(holds),
        "reason": reason,
        "message": "",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
