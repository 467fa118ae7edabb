"""Connect, disconnect, associate, disassociate: each looks at what is there, does what is left, and waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from arcgateway import arm, driver_settings, kubeconfig
from arcgateway.association import (
    OWN_TAG,
    Plan,
    Seen,
    Step,
    plan_associate,
    plan_connect,
    proxy_of,
    result,
    settled,
)
from arcgateway.azure_cli import AzureCli, Change, with_retries
from arcgateway.driver_settings import DriverSettings
from arcgateway.errors import Failure
from arcgateway.ids import ConnectedClusterId, same
from arcgateway.kube import Agents, Cluster
from arcgateway.lifeline import Lifeline
from arcgateway.proof import prove
from arcgateway.proxy import complete, of_environment
from arcgateway.redaction import Redactor

T = TypeVar("T")
Planner = Callable[[DriverSettings, Seen], Plan]

#: Seconds that a verb may take in all. ARCGATEWAY_DEADLINE overrides it.
DEADLINE = 1800.0

#: Seconds in which a cluster or Azure must answer a look; nobody should wait half an hour for a mistyped address.
LOOK_SECONDS = 60.0

#: The same before something is taken away: clusters that are to be deleted are often gone.
LAST_LOOK_SECONDS = 15.0

#: How often what was written is compared with what is wanted before it is given up.
ROUNDS = 3

_READ_ONLY = frozenset(
    {
        "provisioningState",
        "connectivityStatus",
        "agentVersion",
        "kubernetesVersion",
        "totalNodeCount",
        "totalCoreCount",
        "lastConnectivityTime",
        "offering",
        "managedIdentityCertificateExpirationTime",
    }
)


class Operations:
    """The verbs on one cluster.

    Args:
        settings: what is wanted.
        env: the process's environment.
        redact: applied to all that is shown.
        progress: takes one line at a time.
        lifeline: what ends the programs that are started.
    """

    def __init__(
        self,
        settings: DriverSettings,
        env: Mapping[str, str],
        redact: Redactor,
        progress: Callable[[str], None],
        lifeline: Lifeline,
    ) -> None:
        assert settings.cluster is not None
        self._id: ConnectedClusterId = settings.cluster
        self._settings = settings
        self._progress = progress
        self._deadline = time.monotonic() + float(env.get("ARCGATEWAY_DEADLINE") or DEADLINE)
        self._env = {name: value for name, value in env.items() if name not in driver_settings.NAMES}
        self._redact = redact
        self._lifeline = lifeline
        self._arm = arm.Arm(settings.proxy, self._env, lambda audience: self._az(None).access_token(audience))

    def connect(self) -> dict[str, Any]:
        """Onboard the cluster, or go on with it, or bring it to what is wanted."""
        return self._reconcile(plan_connect)

    def associate(self) -> dict[str, Any]:
        """Associate a cluster that is connected already."""
        return self._reconcile(plan_associate)

    def disconnect(self) -> None:
        """Take the agents out of the cluster and its resource out of Azure."""
        with_retries(self._disconnect, self._deadline, self._progress)

    def disassociate(self) -> None:
        """End the association; the cluster stays connected."""
        with_retries(self._disassociate, self._deadline, self._progress)

    def _reconcile(self, planner: Planner) -> dict[str, Any]:
        if self._settings.drift:
            self._progress(f"drift: {self._settings.drift}")
        seen = self._patiently(self._look)
        wanted = self._completed(seen.agents)
        steps = planner(wanted, seen)
        adopted = not steps
        if adopted:
            self._progress(f"{self._id.name}: all is in place, nothing is written")
            seen = self._wait(seen)
            steps = planner(wanted, seen)
        for round_ in range(ROUNDS):
            if not steps:
                return result(self._id, seen, adopted=adopted)
            if round_ == 0:
                self._before_writing(wanted, seen)
            adopted = False
            self._carry_out(planner, wanted, steps, seen)
            seen = self._wait(self._patiently(self._look))
            done, steps = steps, planner(wanted, seen)
            if steps == done and not _about_gateway(steps):
                # What is only told to the agents, or kept in another form, must not be written over and over.
                self._progress(f"{self._id.name}: done, though it is not shown back in the form it was given")
                return result(self._id, seen, adopted=False)
        if not steps:
            return result(self._id, seen, adopted=adopted)
        raise Failure(
            f"Azure took the changes to {self._id.name} {ROUNDS} times and does not show them",
            "look at the cluster's activity log: something else may be changing it back",
        )

    def _carry_out(self, planner: Planner, wanted: DriverSettings, steps: Plan, seen: Seen) -> None:
        """Do the steps; after a failure that may pass, look again, as part of them may have been done."""
        first = (steps, seen)

        def attempt(left: float) -> None:
            nonlocal first
            todo, now = first
            if not todo:
                now = self._look()
                todo = planner(wanted, now)
            first = ((), now)
            for step in todo:
                self._do(step, wanted, now, left)

        with_retries(attempt, self._deadline, self._progress)

    def _do(self, step: Step | Change, wanted: DriverSettings, seen: Seen, left: float) -> None:
        name, az = self._id.name, self._az_here()
        if isinstance(step, Change):
            self._progress(f"updating {name}: {_in_words(step)}")
            az.update(self._id, step, left)
        elif step is Step.CONNECT:
            self._progress(f"connecting {name}")
            whole = Change(
                gateway=wanted.gateway,
                proxy=wanted.proxy,
                distribution=wanted.distribution,
                infrastructure=wanted.infrastructure,
                tags={**seen.tags, **wanted.tags, OWN_TAG[0]: OWN_TAG[1]},
            )
            az.connect(self._id, wanted.location, whole, left)
        elif step is Step.DISCONNECT:
            self._progress(f"removing what a stopped run has left of {name}")
            az.delete(self._id, left)
        else:
            self._progress(f"removing the resource that a stopped run has left of {name}")
            self._arm.delete(str(self._id), arm.CLUSTERS)

    def _disconnect(self, left: float) -> None:
        cluster = self._arm.get(str(self._id), arm.CLUSTERS)
        agents = self._agents_or_none(cluster, lambda: self._arm.delete(str(self._id), arm.CLUSTERS))
        if agents is None:
            return
        if cluster is None and (agents.absent or agents.identity not in (None, self._id)):
            self._progress(f"{self._id.name} is not connected: nothing to do")
            return
        self._az_here().delete(self._id, left)
        self._progress(f"{self._id.name} is disconnected")

    def _disassociate(self, left: float) -> None:
        seen, ours = self._azure(), self._settings.gateway
        if seen.cluster is None:
            self._progress(f"{self._id.name} is not connected any more: nothing to do")
        elif not seen.gateway_enabled and not seen.gateway_id:
            self._progress(f"{self._id.name} is associated with no gateway: nothing to do")
        elif ours and seen.gateway_id and not same(seen.gateway_id, str(ours)):
            self._progress(f"{self._id.name} is associated with {seen.gateway_id}, not with ours: left as it is")
        elif self._agents_or_none(seen.cluster, lambda: self._disable_in_azure(seen)) is not None:
            self._az_here().update(self._id, Change(disable_gateway=True), left)
            self._progress(f"{self._id.name} is associated with no gateway any more")

    def _agents_or_none(self, cluster: object, in_azure: Callable[[], object]) -> Agents | None:
        """The agents before something is taken away; None where the settings did without the cluster.

        Raises:
            Failure: the cluster is gone, or is another one, and the settings do not say what to do then.
        """
        try:
            agents = self._patiently(lambda: self._agents(ranges=False), LAST_LOOK_SECONDS)
            if agents.identity in (None, self._id) or cluster is None:
                return agents
            gone = Failure(
                f"the cluster of this kubeconfig context is connected as {agents.identity}",
                "name the right context in the cluster's kubeContext",
            )
        except Failure as failure:
            gone = failure
        choice = self._settings.on_unreachable
        if choice == "fail":
            raise Failure(
                gone.cause,
                f"{gone.mend}; where the cluster is gone for good, set its onUnreachable to "
                "azure-only or forget, run `pulumi up`, and delete then",
            )
        self._progress(gone.cause)
        if choice == "forget":
            self._progress(f"{self._id.name} is forgotten: nothing is changed in Azure or in the cluster")
        elif cluster is None:
            self._progress(f"Azure holds no {self._id.name}: nothing to do")
        else:
            in_azure()
            self._progress(f"{self._id.name}: changed in Azure alone, the cluster is left as it is")
        return None

    def _disable_in_azure(self, seen: Seen) -> None:
        assert seen.cluster is not None
        body = {"properties": {"gatewayProperties": {"gatewayResourceId": None}}}
        self._arm.put(self._id.setting, arm.SETTINGS, body)
        writable = {key: seen.cluster[key] for key in ("location", "tags", "identity", "kind") if seen.cluster.get(key)}
        properties = {key: value for key, value in seen.properties.items() if key not in _READ_ONLY}
        self._arm.put(
            str(self._id), arm.CLUSTERS, {**writable, "properties": {**properties, "gateway": {"enabled": False}}}
        )

    def _look(self) -> Seen:
        with ThreadPoolExecutor(max_workers=1) as pool:
            agents = pool.submit(self._agents, ranges=bool(self._settings.proxy))
            azure = self._azure()
            return replace(azure, agents=agents.result())

    def _azure(self) -> Seen:
        cluster = self._arm.get(str(self._id), arm.CLUSTERS)
        setting = self._arm.get(self._id.setting, arm.SETTINGS) if cluster is not None else None
        return Seen(cluster, setting)

    def _agents(self, *, ranges: bool) -> Agents:
        context = kubeconfig.read(self._settings.kube_context, self._env)
        return Cluster(context, self._env).agents(service_ranges=ranges)

    def _completed(self, agents: Agents) -> DriverSettings:
        """The settings with the skip range completed by what the cluster says of itself."""
        if not self._settings.proxy:
            return self._settings
        if agents.guessed:
            ranges = ", ".join(agents.service_ranges)
            self._progress(f"the cluster names no service range: {ranges} is guessed from its services")
        skip = complete(self._settings.proxy.skip, service_ranges=agents.service_ranges)
        return replace(self._settings, proxy=replace(self._settings.proxy, skip=skip))

    def _before_writing(self, wanted: DriverSettings, seen: Seen) -> None:
        """See to what must hold before the first write: the gateway, and the way through the proxy."""
        endpoint = self._patiently(self._gateway_endpoint) if wanted.gateway else None
        proxy = wanted.proxy or proxy_of(seen.agents.release) or of_environment(self._env)
        location = wanted.location or str((seen.cluster or {}).get("location") or "")
        prove(replace(wanted, location=location, proxy=proxy, gateway_endpoint=endpoint), self._progress)

    def _gateway_endpoint(self) -> str:
        wanted = self._settings
        if not self._arm.cloud.public:
            raise Failure(f"{self._arm.cloud.name} has no Arc gateways", "use the public cloud, or no gateway")
        gateway = self._arm.get(str(wanted.gateway), arm.GATEWAYS)
        if gateway is None:
            raise Failure(f"there is no gateway {wanted.gateway}", "create it first, or mend the gateway's id")
        properties = gateway.get("properties") or {}
        state = properties.get("provisioningState") or "Succeeded"
        if state != "Succeeded":
            raise Failure(
                f"the gateway {wanted.gateway} is {state}",
                "wait until it is ready, and run again",
                transient=state in ("Creating", "Accepted", "Updating"),
            )
        return str(wanted.gateway_endpoint or properties.get("gatewayEndpoint") or "")

    def _wait(self, seen: Seen) -> Seen:
        """Until the agents have reported and are ready. The cluster is asked only when Azure hears from it."""
        pause, told = 1.0, ""
        while missing := settled(self._settings, seen):
            if missing != told:
                self._progress(f"waiting for {missing}")
                told = missing
            if time.monotonic() + pause > self._deadline:
                raise Failure(
                    f"gave up waiting for {missing} in {self._id.name}",
                    "look at `kubectl get pods,events -n azure-arc`, then run again: it goes on from there",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 10.0)
            azure = self._patiently(self._azure)
            seen = replace(azure, agents=seen.agents)
            if azure.status == "Connected":
                seen = replace(azure, agents=self._patiently(lambda: self._agents(ranges=False)))
        return seen

    def _az_here(self) -> AzureCli:
        return self._az(kubeconfig.read(self._settings.kube_context, self._env))

    def _az(self, context: kubeconfig.Kubeconfig | None) -> AzureCli:
        traffic = self._settings.proxy
        if context is not None and traffic:
            # Python's clients know no ranges in NO_PROXY: the API server must stand there by itself.
            traffic = replace(traffic, skip=complete(traffic.skip, api_server=context.api_server))
        return AzureCli(self._env, traffic, context, self._lifeline, self._redact, self._progress)

    def _patiently(self, look: Callable[[], T], seconds: float = LOOK_SECONDS) -> T:
        return with_retries(lambda _left: look(), self._deadline, self._progress, patience=seconds)


def _about_gateway(steps: Plan) -> bool:
    return any(not isinstance(step, Change) or step.gateway or step.disable_gateway for step in steps)


def _in_words(change: Change) -> str:
    parts = {
        f"gateway {change.gateway.name if change.gateway else ''}": change.gateway,
        "no gateway": change.disable_gateway,
        "proxy settings": change.proxy,
        "no proxy": change.disable_proxy,
        "tags": change.tags,
        "distribution": change.distribution,
    }
    return ", ".join(words for words, there in parts.items() if there)
