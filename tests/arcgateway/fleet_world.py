"""What Azure and exported states say of a few clusters, for the tests of `status` and `import`."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

from arcgateway.arm import Refused
from arcgateway.association import OWN_TAG
from arcgateway.ids import ConnectedClusterId, GatewayId

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
OTHER_SUBSCRIPTION = "66666666-2222-3333-4444-555555555555"
GATEWAY = GatewayId(SUBSCRIPTION, "net", "gw")
OTHER_GATEWAY = GatewayId(OTHER_SUBSCRIPTION, "net", "far")
PASSWORD = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:x"}


def cluster_id(name: str, group: str = "rg", subscription: str = SUBSCRIPTION) -> ConnectedClusterId:
    return ConnectedClusterId(subscription, group, name)


class Azure:
    """Answers as `arm.Arm` does.

    Attributes:
        asked: the paths, in the order of asking.
        answers: exceptions to raise next for settings.
    """

    def __init__(self) -> None:
        self.resources: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.answers: list[Exception] = []
        self._lock = threading.Lock()

    def gateway(self, gateway: GatewayId = GATEWAY, **more: Any) -> GatewayId:
        properties = {"allowedFeatures": ["*"], "gatewayEndpoint": "abc.gw.arc.azure.com"}
        self._put(str(gateway), {"location": "eastus", "properties": properties, **more})
        return gateway

    def cluster(
        self,
        id_: ConnectedClusterId,
        gateway: GatewayId | None = None,
        *,
        enabled: bool | None = None,
        ours: bool = False,
    ) -> ConnectedClusterId:
        on = gateway is not None if enabled is None else enabled
        properties = {"connectivityStatus": "Connected", "agentVersion": "1.36.1", "gateway": {"enabled": on}}
        tags = dict([OWN_TAG]) if ours else {}
        self._put(str(id_), {"location": "westeurope", "tags": tags, "properties": properties})
        if gateway is not None:
            self._put(
                id_.setting,
                {
                    "properties": {"gatewayProperties": {"gatewayResourceId": str(gateway)}},
                    "systemData": {"lastModifiedAt": "2026-11-24T10:20:30.1234567Z"},
                },
            )
        return id_

    def get(self, resource_id: str, api_version: str) -> dict[str, Any] | None:
        with self._lock:
            self.asked.append(resource_id)
            if self.answers:
                raise self.answers.pop(0)
        return self.resources.get(resource_id.lower())

    def list(self, path: str, api_version: str) -> list[dict[str, Any]]:
        self.asked.append(path)
        scope, _, kind = path.lower().partition("/providers/")
        if not any(known.startswith(scope) for known in self.resources):
            raise Refused(f"Azure refused GET {path} (SubscriptionNotFound)", "check the id", path, 404, "x")
        inside = f"/providers/{kind}/"
        return [
            found
            for known, found in self.resources.items()
            if known.startswith(scope) and inside in known and "/settings/" not in known
        ]

    def _put(self, resource_id: str, body: dict[str, Any]) -> None:
        self.resources[resource_id.lower()] = {"id": resource_id, **body}


def state(*resources: Mapping[str, Any]) -> str:
    return json.dumps({"version": 3, "deployment": {"resources": list(resources)}})


def component(
    id_: ConnectedClusterId, kind: str = "ConnectedCluster", *, stack: str = "prod", **more: Any
) -> dict[str, Any]:
    token = f"arc-gateway:index:{kind}"
    inputs = {"clusterName": id_.name, "resourceGroupName": id_.resource_group, "subscriptionId": id_.subscription}
    return {"urn": f"urn:pulumi:{stack}::fleet::{token}::{id_.name}", "type": token, "inputs": inputs, **more}


def command(parent: Mapping[str, Any], id_: ConnectedClusterId, **more: Any) -> dict[str, Any]:
    environment = {
        "ARC_SUBSCRIPTION_ID": id_.subscription,
        "ARC_RESOURCE_GROUP": id_.resource_group,
        "ARC_CLUSTER_NAME": id_.name,
        "ARC_PROXY_HTTPS": PASSWORD,
    }
    urn = str(parent["urn"]).replace(f"::{id_.name}", f"$command:local:Command::{id_.name}")
    inputs = {"environment": environment}
    return {"urn": urn, "type": "command:local:Command", "parent": parent["urn"], "inputs": inputs, **more}
