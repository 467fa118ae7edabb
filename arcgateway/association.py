"""What Azure and the cluster hold now, and what is left to do from there: pure decisions, no input or output.

Connecting is three writes to Azure and a helm release, and a client that is stopped between them leaves a half. So
nothing here assumes what an earlier run has done: every plan starts from what was seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from arcgateway.azure_cli import Change
from arcgateway.driver_settings import DriverSettings
from arcgateway.errors import Failure
from arcgateway.ids import ConnectedClusterId, GatewayId, same
from arcgateway.kube import Agents, Release
from arcgateway.proxy import ProxySettings, ProxyUrl, canonical

#: Agents have the Arc Proxy from this version on.
OLDEST_AGENTS = (1, 21, 10)

#: Marks the clusters that a driver of ours has connected, so that one that no state holds can be found again.
OWN_TAG = ("pulumi-arc-gateway", "connected")

#: How long the documentation asks to wait before the names that the gateway replaces are closed.
SETTLING = timedelta(hours=1)


class Step(Enum):
    """What a plan may hold besides an update."""

    CONNECT = "connect"
    DISCONNECT = "disconnect"
    DELETE_RESOURCE = "delete the resource"


Plan = tuple[Step | Change, ...]


@dataclass(frozen=True)
class Seen:
    """One look.

    Attributes:
        cluster: the connected cluster as the Resource Manager has it, None where there is none.
        setting: its HybridCompute setting, None where there is none.
        agents: what is in the cluster.
    """

    cluster: Mapping[str, Any] | None
    setting: Mapping[str, Any] | None
    agents: Agents = field(default_factory=Agents)

    @property
    def properties(self) -> Mapping[str, Any]:
        """The cluster's properties, empty without a cluster."""
        return (self.cluster or {}).get("properties") or {}

    @property
    def status(self) -> str:
        """Connecting, Connected, Offline, ... or empty."""
        return str(self.properties.get("connectivityStatus") or "")

    @property
    def agent_version(self) -> str:
        """As the agents last told; empty before they did."""
        return str(self.properties.get("agentVersion") or "")

    @property
    def gateway_enabled(self) -> bool:
        """Whether the cluster's own half of the association is there."""
        return bool((self.properties.get("gateway") or {}).get("enabled"))

    @property
    def gateway_id(self) -> str:
        """Which gateway the setting names; empty for none."""
        properties = (self.setting or {}).get("properties") or {}
        return str((properties.get("gatewayProperties") or {}).get("gatewayResourceId") or "")

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags of the cluster's resource."""
        return (self.cluster or {}).get("tags") or {}

    def associated(self, gateway: GatewayId) -> bool:
        """Whether both halves are there and the agents were told."""
        release = self.agents.release
        told = release is not None and release.deployed and _says(release, "global.gatewayEnabled") is not False
        return self.gateway_enabled and same(self.gateway_id, str(gateway)) and told


def plan_connect(wanted: DriverSettings, seen: Seen) -> Plan:
    """What a `connect` has left to do.

    Raises:
        Failure: the name or the cluster is taken by something else, or the agents are too old for the gateway.
    """
    assert wanted.cluster is not None
    agents = seen.agents
    _refuse_other(wanted.cluster, agents)
    if seen.cluster is None:
        return (Step.CONNECT,) if not _broken(agents) else (Step.DISCONNECT, Step.CONNECT)
    if agents.release is None and not agents.deployments:
        if seen.status in ("Connected", "Offline", "Expired"):
            raise Failure(
                f"{wanted.cluster} is connected already, but not from the cluster of this kubeconfig context",
                "give this cluster another name, or disconnect the other one first",
            )
        # A connect that was stopped between Azure and the cluster: the client refuses a name that is taken.
        return (Step.DELETE_RESOURCE, Step.CONNECT)
    if _broken(agents) and seen.status != "Connected":
        return (Step.DISCONNECT, Step.CONNECT)
    if agents.release is None or not agents.release.deployed:
        return (Step.CONNECT,)
    change = Change(
        gateway=wanted.gateway if wanted.gateway and not seen.associated(wanted.gateway) else None,
        disable_gateway=wanted.gateway is None and (seen.gateway_enabled or bool(seen.gateway_id)),
        proxy=wanted.proxy if wanted.proxy and not same_proxy(wanted.proxy, agents.release) else ProxySettings(),
        disable_proxy=not wanted.proxy and proxy_enabled(agents.release),
        tags=merged_tags(wanted, seen),
        distribution=_changed(wanted.distribution, seen.properties.get("distribution")),
    )
    if change.gateway:
        require_version(wanted.cluster, seen.agent_version)
    return (change,) if change != Change() else ()


def plan_associate(wanted: DriverSettings, seen: Seen) -> Plan:
    """What an `associate` has left to do. Proxies that the settings do not name stay as they are.

    Raises:
        Failure: the cluster is not connected, or not this one, or its agents are too old.
    """
    assert wanted.cluster is not None
    if wanted.gateway is None:
        raise Failure("ARC_GATEWAY_ID is not set", "give the association a gateway")
    if seen.cluster is None:
        raise Failure(
            f"there is no connected cluster {wanted.cluster}",
            "connect it first (ConnectedCluster does), or mend its name, group and subscription",
        )
    _refuse_other(wanted.cluster, seen.agents)
    if seen.agents.release is None and not seen.agents.deployments:
        raise Failure(
            f"the cluster of this kubeconfig context has no Arc agents, so it is not {wanted.cluster.name}",
            "name the right context in the cluster's kubeContext",
        )
    change = Change(
        gateway=None if seen.associated(wanted.gateway) else wanted.gateway,
        proxy=wanted.proxy if wanted.proxy and not same_proxy(wanted.proxy, seen.agents.release) else ProxySettings(),
    )
    if change == Change():
        return ()
    require_version(wanted.cluster, seen.agent_version)
    return (change,)


def require_version(cluster: ConnectedClusterId, version: str) -> None:
    """Refuse agents that have no Arc Proxy. Agents that have told no version yet are newly installed ones.

    Raises:
        Failure: they are older than `OLDEST_AGENTS`.
    """
    if version and _numbers(version) < OLDEST_AGENTS:
        oldest = ".".join(map(str, OLDEST_AGENTS))
        raise Failure(
            f"the agents of {cluster.name} are {version}, and the gateway needs {oldest} or newer",
            f"run `az connectedk8s upgrade --name {cluster.name} --resource-group {cluster.resource_group}`",
        )


def settled(wanted: DriverSettings, seen: Seen) -> str:
    """What is still to be waited for after all was written; empty when all is in place."""
    if seen.cluster is None:
        return "Azure to show the cluster"
    if seen.status != "Connected":
        return f"the agents to report (Azure says {seen.status or 'nothing'})"
    waiting = sorted(name for name, ready in seen.agents.deployments.items() if not ready)
    if wanted.gateway and not seen.agents.arc_proxy_ready:
        return "the Arc Proxy to be ready"
    if waiting or not seen.agents.deployments:
        return f"{', '.join(waiting) or 'the agents'} to be ready"
    return ""


def same_proxy(wanted: ProxySettings, release: Release | None) -> bool:
    """Whether the agents run with the proxies that are named; what is not named stays as it is.

    Azure does not give their URLs back, so helm's record is asked.
    """
    if release is None or not proxy_enabled(release):
        return False
    current = proxy_of(release)
    return (
        current is not None
        and wanted.https in (None, current.https)
        and wanted.http in (None, current.http)
        and set(wanted.skip) == set(current.skip)
        and (not wanted.certificate or _plain(wanted.certificate) == _plain(current.certificate))
    )


def proxy_of(release: Release | None) -> ProxySettings | None:
    """The proxies that the agents run with; None without any, or where they cannot be read."""
    if release is None or not proxy_enabled(release):
        return None
    values = {
        name: release.values.get(f"global.{name}", "").replace("\\", "")
        for name in ("httpsProxy", "httpProxy", "noProxy")
    }
    try:
        return ProxySettings(
            https=ProxyUrl.parse(values["httpsProxy"]) if values["httpsProxy"] else None,
            http=ProxyUrl.parse(values["httpProxy"]) if values["httpProxy"] else None,
            skip=canonical(values["noProxy"]),
            certificate=release.values.get("global.proxyCert") or None,
        )
    except ValueError:
        return None


def proxy_enabled(release: Release | None) -> bool:
    """Whether the agents run with a proxy."""
    if release is None or _says(release, "global.isProxyEnabled") is False:
        return False
    return bool(release.values.get("global.httpsProxy") or release.values.get("global.httpProxy"))


def merged_tags(wanted: DriverSettings, seen: Seen) -> Mapping[str, str]:
    """All tags to set, where one that is wanted is missing; empty where none is. Tags of others stay."""
    ours = dict([OWN_TAG]) | dict(wanted.tags)
    if all(seen.tags.get(key) == value for key, value in ours.items()):
        return {}
    return {**seen.tags, **ours}


def result(cluster: ConnectedClusterId, seen: Seen, *, adopted: bool) -> dict[str, Any]:
    """The outputs of `connect` and `associate`."""
    when = associated_at(seen)
    return {
        "id": str((seen.cluster or {}).get("id") or cluster),
        "agentVersion": seen.agent_version,
        "connectivityStatus": seen.status,
        "gatewayEnabled": seen.gateway_enabled,
        "gatewayResourceId": seen.gateway_id or None,
        "associatedAt": _iso(when),
        "endpointsRemovableAt": _iso(when + SETTLING if when else None),
        "adopted": adopted,
    }


def associated_at(seen: Seen) -> datetime | None:
    """When the setting was last changed; None without an association, or where Azure does not say."""
    if not seen.gateway_id:
        return None
    system = (seen.setting or {}).get("systemData") or {}
    text = system.get("lastModifiedAt") or system.get("createdAt")
    if not text:
        return None
    # Azure writes up to seven digits of a second's fraction.
    whole = str(text).partition(".")[0].removesuffix("Z")
    return datetime.fromisoformat(whole).replace(tzinfo=UTC)


def _iso(when: datetime | None) -> str | None:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ") if when else None


def _refuse_other(cluster: ConnectedClusterId, agents: Agents) -> None:
    if agents.identity is not None and agents.identity != cluster:
        raise Failure(
            f"the cluster of this kubeconfig context is connected as {agents.identity}, not as {cluster}",
            "name the right context in the cluster's kubeContext, or disconnect that one first",
        )


def _broken(agents: Agents) -> bool:
    """A helm release that the client can go on from neither with `connect` nor with `update`."""
    return agents.release is not None and (agents.identity is None or agents.release.pending)


def _says(release: Release, name: str) -> bool | None:
    text = release.values.get(name, "").lower()
    return {"true": True, "false": False}.get(text)


def _changed(wanted: str | None, current: Any) -> str | None:
    return wanted if wanted and wanted.lower() != str(current or "").lower() else None


def _plain(pem: str | None) -> str:
    return "\n".join((pem or "").split())


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-")[0].split(".") if part.isdigit())
