"""What Azure holds of the declared clusters, and in what it differs from what was last applied.

A command has no read, so the components ask here before they declare one. Each cluster is looked at once a process:
one list for a subscription, and one read for a cluster's setting, as the list does not say which gateway it names.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from arcgateway import arm
from arcgateway.errors import Failure
from arcgateway.held import Held
from arcgateway.ids import ConnectedClusterId, same
from arcgateway.proxy import ProxySettings

T = TypeVar("T")

#: Seconds that a look may take in all. ARCGATEWAY_OBSERVER_SECONDS overrides it.
SECONDS = 10.0

#: How many requests are made side by side.
SIDE_BY_SIDE = 16


def seconds(env: Mapping[str, str] = os.environ) -> float:
    """How long a look may take.

    Raises:
        Failure: ARCGATEWAY_OBSERVER_SECONDS is no number above 0.
    """
    text = env.get("ARCGATEWAY_OBSERVER_SECONDS") or str(SECONDS)
    try:
        given = float(text)
    except ValueError:
        given = 0.0
    if not given > 0:
        raise Failure(f"ARCGATEWAY_OBSERVER_SECONDS is {text!r}", "give a number of seconds above 0, or unset it")
    return given


@dataclass(frozen=True)
class Applied:
    """What the last update left behind, as the driver reported it.

    Attributes:
        gateway: id of the gateway in use; empty for none.
        since: when the association was made (RFC 3339); empty without one.
    """

    gateway: str
    since: str

    @classmethod
    def reported(cls, report: Mapping[str, Any]) -> Applied:
        """Read a report of `connect` or `associate`."""
        enabled = bool(report.get("gatewayEnabled"))
        return cls(str((enabled and report.get("gatewayResourceId")) or ""), str(report.get("associatedAt") or ""))


def in_place(seen: Held, gateway: str) -> bool:
    """Whether Azure holds the cluster with both halves of its association to this gateway; to none where empty."""
    return seen.cluster is not None and seen.gateway_enabled == bool(gateway) and same(seen.gateway_id, gateway)


def drift(cluster: ConnectedClusterId, seen: Held, applied: Applied, looked_at: datetime) -> str:
    """In words, what somebody else has changed since the last update; empty where nobody has.

    The words hold the time of that change, so that the same change made a second time reads differently.

    Args:
        cluster: which cluster was looked at.
        seen: what Azure holds.
        applied: what the last update left.
        looked_at: when, in UTC: the one time there is for a cluster that is gone and had no association.
    """
    if in_place(seen, applied.gateway):
        return ""
    if seen.cluster is None:
        last = f"associated {applied.since}" if applied.since else f"looked for {looked_at:%Y-%m-%dT%H:%M:%SZ}"
        return f"Azure holds no connected cluster {cluster.name} any more, {last}"
    setting_differs = not same(seen.gateway_id, applied.gateway)
    changed = _modified(seen.setting if setting_differs else None) or _modified(seen.cluster) or "at an unknown time"
    return f"{_difference(seen, applied.gateway)}, changed in Azure {changed}"


def _difference(seen: Held, applied: str) -> str:
    named, enabled = _name(seen.gateway_id), seen.gateway_enabled
    if not applied:
        return f"the gateway {named or '(unnamed)'} is enabled, though none is declared"
    ours = _name(applied)
    if not named:
        return f"the cluster is told to use a gateway, but {ours} is not set" if enabled else f"{ours} is disabled"
    if not same(seen.gateway_id, applied):
        return f"{seen.gateway_id} is set instead of {ours}" + ("" if enabled else ", and disabled")
    return f"{ours} is set, but the cluster is told to use no gateway"


def _name(gateway: str) -> str:
    return gateway.rpartition("/")[2]


def _modified(resource: Mapping[str, Any] | None) -> str:
    system = (resource or {}).get("systemData") or {}
    return str(system.get("lastModifiedAt") or system.get("createdAt") or "")


class Observer:
    """Looks at clusters, side by side and each once.

    Args:
        open_arm: gives Azure Resource Manager as it is reached through these proxies.
    """

    def __init__(self, open_arm: Callable[[ProxySettings], arm.Arm]) -> None:
        self._open_arm = open_arm
        self._crew = _Crew(SIDE_BY_SIDE)
        self._lock = threading.RLock()
        self._arms: dict[ProxySettings, arm.Arm] = {}
        self._lists: dict[tuple[str, ProxySettings], Future[Mapping[str, Any] | None]] = {}
        self._looks: dict[tuple[ConnectedClusterId, ProxySettings], Future[Held]] = {}

    def warm_up(self) -> None:
        """Import what requests need, while the caller goes on."""
        self._crew.submit(_import_azure)

    def look(self, cluster: ConnectedClusterId, traffic: ProxySettings) -> Future[Held]:
        """What Azure holds of a cluster. The future fails with a `Failure` where Azure does not say."""
        with self._lock:
            key = cluster, traffic
            if key not in self._looks:
                self._looks[key] = self._begin(cluster, traffic)
            return self._looks[key]

    def _begin(self, cluster: ConnectedClusterId, traffic: ProxySettings) -> Future[Held]:
        azure = self._arm(traffic)
        looked: Future[Held] = Future()

        def go_on(listed: Future[Mapping[str, Any] | None]) -> None:
            if (failure := listed.exception()) is not None:
                looked.set_exception(failure)
                return
            found = listed.result()
            if found is not None and str(cluster).lower() not in found:
                looked.set_result(Held(None, None))
                return
            self._crew.submit(lambda: _read(azure, cluster, found), looked)

        self._list(cluster.subscription, traffic, azure).add_done_callback(go_on)
        return looked

    def _list(self, subscription: str, traffic: ProxySettings, azure: arm.Arm) -> Future[Mapping[str, Any] | None]:
        key = subscription.lower(), traffic
        if key not in self._lists:
            self._lists[key] = self._crew.submit(lambda: _clusters_of(azure, subscription))
        return self._lists[key]

    def _arm(self, traffic: ProxySettings) -> arm.Arm:
        if traffic not in self._arms:
            self._arms[traffic] = self._open_arm(traffic)
        return self._arms[traffic]


def of_environment(env: Mapping[str, str] = os.environ) -> Observer:
    """An observer with the credential of this environment; without one, that of the person logged in to `az`."""

    def open_arm(traffic: ProxySettings) -> arm.Arm:
        return arm.Arm(traffic, env, lambda audience: _token_of_az(audience, traffic, env))

    return Observer(open_arm)


def _token_of_az(audience: str, traffic: ProxySettings, env: Mapping[str, str]) -> Mapping[str, Any]:
    from arcgateway.azure_cli import AzureCli
    from arcgateway.lifeline import Lifeline
    from arcgateway.redaction import Redactor

    return AzureCli(env, traffic, None, Lifeline(), Redactor(()), lambda _line: None).access_token(audience)


def _import_azure() -> None:
    import azure.identity  # noqa: F401

    import arcgateway.https  # noqa: F401


def _clusters_of(azure: arm.Arm, subscription: str) -> Mapping[str, Any] | None:
    """A subscription's clusters by their ids in lower case; None where the caller may not list them."""
    try:
        found = azure.list(f"/subscriptions/{subscription}/providers/{ConnectedClusterId.provider_type}", arm.CLUSTERS)
    except arm.Refused as refused:
        if refused.forbidden:
            return None
        raise
    return {str(cluster["id"]).lower(): cluster for cluster in found}


def _read(azure: arm.Arm, cluster: ConnectedClusterId, listed: Mapping[str, Any] | None) -> Held:
    body = azure.get(str(cluster), arm.CLUSTERS) if listed is None else listed[str(cluster).lower()]
    return Held(body, azure.get(cluster.setting, arm.SETTINGS) if body is not None else None)


class _Crew:
    """Threads that work through a queue, and keep no process from ending as those of `concurrent.futures` do."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._hired = 0

    def submit(self, work: Callable[[], T], into: Future[T] | None = None) -> Future[T]:
        """Have some work done; its outcome is in the future."""
        future: Future[T] = Future() if into is None else into

        def run() -> None:
            try:
                outcome = work()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(outcome)

        self._tasks.put(run)
        with self._lock:
            if self._hired < self._most:
                self._hired += 1
                threading.Thread(target=self._work, name="observer", daemon=True).start()
        return future

    def _work(self) -> None:
        while True:
            self._tasks.get()()
