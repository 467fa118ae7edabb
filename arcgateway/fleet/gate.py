"""What a ring has to pass: the preflight before it begins, and before the next one the share that is connected."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arcgateway.errors import Failure
from arcgateway.fleet.partition import FleetStack
from arcgateway.ids import cluster_of_entry

if TYPE_CHECKING:
    from arcgateway.arm import Arm

#: Seconds between two looks at how many clusters are connected.
POLL = 10.0


def preflight(stacks: Iterable[FleetStack], program: Path, env: Mapping[str, str], tell: Callable[[str], None]) -> None:
    """Probe what the clusters of a ring need, through each of their proxies, as the update will.

    Args:
        stacks: the ring's.
        program: what files in the settings are relative to.
        env: holds the variables that secrets come from.
        tell: takes a line for each thing found.

    Raises:
        Failure: something is closed or intercepted, and the settings require it not to be.
    """
    from arcgateway import driver_settings
    from arcgateway.proof import prove

    asked: dict[str, Mapping[str, str]] = {}
    for stack in stacks:
        for variables in _probes(stack, program, env):
            asked[json.dumps(variables, sort_keys=True)] = variables
    for variables in asked.values():
        prove(driver_settings.read(variables, cluster_needed=False), tell, whole=False)


def _probes(stack: FleetStack, program: Path, env: Mapping[str, str]) -> Iterable[Mapping[str, str]]:
    """The driver's variables for a look through each way out that the stack's clusters take."""
    from arcgateway.fleet.partition import config_path
    from arcgateway.proxy import proxy_url
    from arcgateway.trust import read_certificate_file

    def secret(proxy: str, key: str, plain: Any) -> Any:
        variable = stack.secrets.get(config_path("proxies", proxy, key))
        return env.get(variable) if variable else plain

    def pem(text: str) -> str:
        return text if "-----BEGIN" in text else read_certificate_file(program / text)

    proxies, wanted = stack.config.get("proxies") or {}, stack.config.get("preflight") or {}
    mode = wanted.get("mode", "require")
    common = {
        "ARC_LOCATION": stack.region,
        "ARC_PREFLIGHT": mode,
        "ARC_SCENARIOS": ",".join((stack.config.get("allowlist") or {}).get("scenarios") or ()),
        "ARC_GENUINE_ROOTS": "".join(f"{pem(root).strip()}\n" for root in wanted.get("genuineRoots") or ()),
        "ARC_PREFLIGHT_EXCEPTIONS": json.dumps(wanted["exceptions"]) if wanted.get("exceptions") else "",
    }
    used = {cluster.get("proxy") for cluster in (stack.config.get("clusters") or {}).values()}
    for name in sorted(used - {None}, key=str) if mode != "off" else ():
        proxy = proxies.get(name) or {}
        user, password = (secret(name, key, proxy.get(key)) for key in ("username", "password"))
        urls = {}
        for key, variable in (("httpsUrl", "ARC_PROXY_HTTPS"), ("httpUrl", "ARC_PROXY_HTTP")):
            if text := secret(name, key, proxy.get(key)):
                urls[variable] = proxy_url(text, user, password).url
        yield {
            **common,
            **urls,
            "ARC_PROXY_SKIP_RANGE": ",".join(proxy.get("skipRange") or ()),
            "ARC_PROXY_CERTIFICATE": pem(proxy["certificate"]) if proxy.get("certificate") else "",
        }


def clusters(stacks: Iterable[FleetStack], subscription: str) -> dict[str, str]:
    """The ids of the clusters of stacks, in lower case, with their keys; without paused ones.

    Args:
        stacks: whose.
        subscription: that of clusters whose settings name none.
    """
    found: dict[str, str] = {}
    for stack in stacks:
        default = str(stack.config.get("azure-native:subscriptionId") or subscription)
        for name in stack.clusters:
            entry = stack.config["clusters"][name]
            if entry.get("enabled", True) and (cluster := cluster_of_entry(name, entry, default)):
                found[cluster] = name
    return found


def connectivity(arm: Arm, wanted: Mapping[str, str]) -> dict[str, str]:
    """What Azure says of clusters: `Connected`, `Connecting`, `Offline`, ...; `absent` where it knows none.

    Args:
        arm: Azure.
        wanted: their ids in lower case.

    Returns:
        The word by the id.

    Raises:
        Failure: Azure does not say.
    """
    from arcgateway.arm import CLUSTERS
    from arcgateway.ids import ConnectedClusterId

    seen: dict[str, str] = {}
    for subscription in sorted({one.split("/")[2] for one in wanted}):
        path = f"/subscriptions/{subscription}/providers/{ConnectedClusterId.provider_type}"
        for item in arm.list(path, CLUSTERS):
            seen[str(item["id"]).lower()] = str((item.get("properties") or {}).get("connectivityStatus") or "unknown")
    return {one: seen.get(one, "absent") for one in wanted}


def connected(
    look: Callable[[], Mapping[str, str]],
    share: float,
    within: float,
    ended: Callable[[], bool],
    tell: Callable[[str], None],
) -> None:
    """Wait until a share of clusters is connected.

    Args:
        look: what Azure says of each.
        share: 0 to 1.
        within: seconds to wait at most.
        ended: whether the run is being ended.
        tell: takes a line for each look that does not suffice.

    Raises:
        Failure: the share is not reached in time.
    """
    deadline = time.monotonic() + within
    while True:
        seen = look()
        there = sum(status == "Connected" for status in seen.values())
        words = f"{there} of {len(seen)} clusters are connected"
        if there >= share * len(seen) or ended():
            tell(words)
            return
        if time.monotonic() + POLL > deadline:
            others = sorted(set(seen.values()) - {"Connected"})
            raise Failure(
                f"{words} ({', '.join(others)}), and the ring asks for {share:.0%}",
                "mend these clusters and run again, which goes on from there; "
                "`arcgateway fleet status` shows which they are",
            )
        tell(f"{words}, waiting for {share:.0%}")
        pause(POLL, ended)


def pause(seconds: float, ended: Callable[[], bool]) -> None:
    """Wait, unless the run is being ended."""
    deadline = time.monotonic() + seconds
    while not ended() and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))


def unreached(statuses: Mapping[str, str], names: Mapping[str, str]) -> Sequence[str]:
    """The clusters that Azure does not show as connected, each with what it shows."""
    return [f"{names[one]} ({status})" for one, status in sorted(statuses.items()) if status != "Connected"]
