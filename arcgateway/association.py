"""What Azure and the cluster hold now, and what is left to do from there: pure decisions, no input or output.

Connecting is three writes to Azure and a helm release, and a client that is stopped between them leaves a half. So
nothing here assumes what an earlier run has done: every plan starts from what was seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from arcgateway import connect_flags
from arcgateway.az_versions import numbers
from arcgateway.azure_cli import Change
from arcgateway.connect_flags import (
    AZURE_HYBRID_BENEFIT,
    CONTAINER_LOG_PATH,
    DISABLE_AUTO_UPGRADE,
    ENABLE_PRIVATE_LINK,
    PRIVATE_LINK_SCOPE_ID,
    Way,
)
from arcgateway.driver_settings import DriverSettings
from arcgateway.errors import Failure
from arcgateway.held import Held
from arcgateway.ids import ConnectedClusterId, GatewayId, same
from arcgateway.kube import Agents, Release
from arcgateway.proxy import ProxySettings, ProxyUrl, canonical
from arcgateway.times import SETTLING, rfc3339

#: Agents have the Arc Proxy from this version on.
OLDEST_AGENTS = (1, 21, 10)

#: Marks the clusters that a driver of ours has connected, so that one that no state holds can be found again.
OWN_TAG = ("pulumi-arc-gateway", "connected")

#: What connectivityStatus can be once the agents have reported.
REPORTED = ("Connected", "Offline", "Expired")

#: Seconds after which a helm that has its release pending is taken for dead where no agent is unready, so that it would
#: have nothing to wait for.
HELM_AT_LEAST = 20.0

#: The same where one is: as long as `az connectedk8s` lets helm wait, which is 1200 for `connect`, 300 for `update` and
#: 600 for `upgrade`.
HELM_AT_MOST = {"pending-install": 1200.0, "pending-upgrade": 600.0, "pending-rollback": 600.0}

#: Flags that `update` takes only together.
_TOGETHER = (connect_flags.ENABLE_OIDC_ISSUER.variable, connect_flags.SELF_HOSTED_ISSUER.variable)


class Step(Enum):
    """What a plan may hold besides an update."""

    CONNECT = "connect"
    DISCONNECT = "disconnect"
    CLEAN_UP = "disconnect by force"
    FORGET_RELEASE = "forget the release"
    DELETE_RESOURCE = "delete the resource"


Plan = tuple[Step | Change, ...]


@dataclass(frozen=True)
class Seen(Held):
    """One look.

    Attributes:
        agents: what is in the cluster.
    """

    agents: Agents = field(default_factory=Agents)

    def associated(self, gateway: GatewayId) -> bool:
        """Whether both halves are there and the agents were told."""
        release = self.agents.release
        told = release is not None and release.deployed and _says(release, "global.gatewayEnabled") is not False
        return self.gateway_enabled and same(self.gateway_id, str(gateway)) and told


def plan_connect(wanted: DriverSettings, seen: Seen) -> Plan:
    """What a `connect` has left to do.

    Raises:
        Failure: the name or the cluster is taken by something else, the agents are too old for the gateway, or what
            is wanted cannot be done to a connected cluster.
    """
    assert wanted.cluster is not None
    agents = seen.agents
    _refuse_other(wanted.cluster, agents)
    if seen.cluster is None:
        # `connect` removes agents whose resource is gone, if they still say what they were.
        stuck = agents.release is not None and agents.identity is None
        return (Step.FORGET_RELEASE, Step.CONNECT) if stuck else (Step.CONNECT,)
    if agents.release is None and not agents.deployments:
        if seen.status in REPORTED:
            raise Failure(
                f"{wanted.cluster} is connected already, but not from the cluster of this kubeconfig context",
                "give this cluster another name, or disconnect the other one first",
            )
        # A connect that was stopped between Azure and the cluster: the client refuses a name that is taken.
        return (Step.DELETE_RESOURCE, Step.CONNECT)
    if agents.release is None:
        return (Step.CONNECT,)
    if agents.identity is None and seen.status != "Connected":
        return (Step.CLEAN_UP, Step.CONNECT)
    if agents.release.status == "uninstalling":
        return (Step.DISCONNECT, Step.CONNECT)
    _refuse_the_irreversible(wanted, seen)
    if connect_flags.differing(wanted.flags, seen.properties, (Way.CONNECT_AGAIN,)):
        return (Step.CONNECT,)
    change = Change(
        gateway=wanted.gateway if wanted.gateway and not seen.associated(wanted.gateway) else None,
        disable_gateway=wanted.gateway is None and (seen.gateway_enabled or bool(seen.gateway_id)),
        disable_proxy=not wanted.proxy and proxy_enabled(agents.release),
        tags=merged_tags(wanted, seen),
    )
    return _steps(change, wanted, seen)


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
    _refuse_the_irreversible(wanted, seen)
    return _steps(Change(gateway=None if seen.associated(wanted.gateway) else wanted.gateway), wanted, seen)


def whole(wanted: DriverSettings, seen: Seen) -> Change:
    """All that a `connect` says: what is wanted, and what is there and not spoken of."""
    flags = {**connect_flags.kept(seen.properties), **wanted.flags}
    if flags.get(ENABLE_PRIVATE_LINK.variable) != "true":
        flags.pop(PRIVATE_LINK_SCOPE_ID.variable, None)
    return Change(
        gateway=wanted.gateway,
        proxy=wanted.proxy,
        tags={**seen.tags, **wanted.tags, OWN_TAG[0]: OWN_TAG[1]},
        flags=flags,
        configuration=_configuration(wanted, seen),
        protected=wanted.protected,
    )


def _steps(change: Change, wanted: DriverSettings, seen: Seen) -> Plan:
    """One update with this change and with what else is wanted and not there; nothing where all is.

    A release that did not go through needs one all the same: helm runs in every update.
    """
    assert wanted.cluster is not None
    release = seen.agents.release
    change = replace(
        change,
        proxy=wanted.proxy if wanted.proxy and not same_proxy(wanted.proxy, release) else ProxySettings(),
        flags=connect_flags.differing(wanted.flags, seen.properties, connect_flags.IN_PLACE),
        configuration=_missing(wanted.configuration, connect_flags.configuration(seen.properties)),
        protected=_unknown_to_helm(wanted.protected, release),
    )
    if change == Change() and (release is None or release.deployed):
        return ()
    if change.gateway:
        require_version(wanted.cluster, seen.agent_version)
    return (_accepted(change, wanted, seen),)


def _accepted(change: Change, wanted: DriverSettings, seen: Seen) -> Change:
    """The same change in a form that the client carries out as a whole (`update_connected_cluster` of 1.11.2).

    It replaces the configuration of all features by that of the ones that are named: so all of them are named, the
    proxy that the agents have too. It refuses settings alone, and nothing at all, which is what a failed release may
    need; beside an Azure Hybrid Benefit it passes over all else. With the automatic upgrade as it is, it does neither.
    """
    flags = dict(change.flags)
    if flags.keys() & set(_TOGETHER):
        flags |= {variable: wanted.flags[variable] for variable in _TOGETHER if variable in wanted.flags}
    if change.proxy or change.configuration or change.protected or CONTAINER_LOG_PATH.variable in flags:
        logged = {**connect_flags.seen(seen.properties), **wanted.flags}.get(CONTAINER_LOG_PATH.variable)
        flags |= {CONTAINER_LOG_PATH.variable: logged} if logged else {}
        kept = ProxySettings() if change.disable_proxy else proxy_of(seen.agents.release) or ProxySettings()
        change = replace(
            change,
            proxy=wanted.proxy or kept,
            configuration=_configuration(wanted, seen),
            protected=wanted.protected,
        )
    change = replace(change, flags=flags)
    alone = replace(change, configuration={}, protected={}) == Change()
    beside = AZURE_HYBRID_BENEFIT.variable in flags and change != Change(
        flags={AZURE_HYBRID_BENEFIT.variable: flags[AZURE_HYBRID_BENEFIT.variable]}
    )
    if alone or beside:
        there = DISABLE_AUTO_UPGRADE.seen(seen.properties) or "false"
        change = replace(change, flags={DISABLE_AUTO_UPGRADE.variable: there, **flags})
    return change


def _configuration(wanted: DriverSettings, seen: Seen) -> Mapping[str, str]:
    """The plain configuration settings that are to be there: ours, and those of others; what has a flag is not one."""
    there = {
        name: value
        for name, value in connect_flags.configuration(seen.properties).items()
        if name != connect_flags.CONTAINER_LOG_SETTING and not name.startswith("proxy.")
    }
    return {**there, **wanted.configuration}


def _missing(wanted: Mapping[str, str], there: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in wanted.items() if there.get(name) != value}


def _unknown_to_helm(protected: Mapping[str, str], release: Release | None) -> Mapping[str, str]:
    """The protected settings whose values the agents were not given.

    Azure never shows them, and only the service knows under which of the chart's names the client puts each: so a
    value counts as given where any of the chart's values is the same.
    """
    known = set(release.values.values()) if release is not None else set()
    return {name: value for name, value in protected.items() if value not in known}


def _refuse_the_irreversible(wanted: DriverSettings, seen: Seen) -> None:
    """Refuse what no command of the client undoes.

    Raises:
        Failure: something is on in Azure and is to be off.
    """
    there = connect_flags.seen(seen.properties)
    for flag in connect_flags.FLAGS:
        if (
            flag.way is Way.ONE_WAY
            and wanted.flags.get(flag.variable) == "false"
            and there.get(flag.variable) == "true"
        ):
            raise Failure(
                f"the {flag.words} of {wanted.cluster} is on, and the client has no way to turn it off",
                f"leave {flag.variable} out or set it to true; a cluster without it must be disconnected first",
            )


def require_version(cluster: ConnectedClusterId, version: str) -> None:
    """Refuse agents that have no Arc Proxy. Agents that have told no version yet are newly installed ones.

    Raises:
        Failure: they are older than `OLDEST_AGENTS`.
    """
    if version and numbers(version) < OLDEST_AGENTS:
        oldest = ".".join(map(str, OLDEST_AGENTS))
        raise Failure(
            f"the agents of {cluster.name} are {version}, and the gateway needs {oldest} or newer",
            f"run `az connectedk8s upgrade --name {cluster.name} --resource-group {cluster.resource_group}`",
        )


def left_behind(agents: Agents, now: datetime, watched: float) -> bool:
    """Whether a pending release is one that a killed helm has left, and not one that a helm works on.

    Args:
        agents: with the pending release.
        now: by the clock of this machine, which may not be the one that helm went by.
        watched: seconds since the release was first seen so.
    """
    release = agents.release
    assert release is not None
    age = max(watched, (now - release.since).total_seconds() if release.since else 0.0)
    longest = max(HELM_AT_MOST.values())
    return age > (HELM_AT_LEAST if agents.none_unready else HELM_AT_MOST.get(release.status, longest))


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
        "associatedAt": rfc3339(when),
        "endpointsRemovableAt": rfc3339(when + SETTLING if when else None),
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


def _refuse_other(cluster: ConnectedClusterId, agents: Agents) -> None:
    if agents.identity is not None and agents.identity != cluster:
        raise Failure(
            f"the cluster of this kubeconfig context is connected as {agents.identity}, not as {cluster}",
            "name the right context in the cluster's kubeContext, or disconnect that one first",
        )


def _says(release: Release, name: str) -> bool | None:
    text = release.values.get(name, "").lower()
    return {"true": True, "false": False}.get(text)


def _plain(pem: str | None) -> str:
    return "\n".join((pem or "").split())
