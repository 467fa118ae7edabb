"""Connect, disconnect, associate, disassociate: each looks at what is there, does what is left, and waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from arcgateway import arm, connect_flags, driver_settings, kubeconfig, prerequisites
from arcgateway.association import (
    Plan,
    Seen,
    Step,
    left_behind,
    plan_associate,
    plan_connect,
    proxy_of,
    result,
    settled,
    whole,
)
from arcgateway.azure_cli import AzureCli, Change, with_retries
from arcgateway.driver_settings import DriverSettings
from arcgateway.errors import Failure, ProxyRefusal
from arcgateway.ids import ConnectedClusterId, same
from arcgateway.kube import Agents, Cluster
from arcgateway.lifeline import Lifeline
from arcgateway.proof import prove
from arcgateway.proxy import ProxySettings, complete, of_environment
from arcgateway.redaction import Redactor

if TYPE_CHECKING:
    from arcgateway.endpoints import Endpoint
    from arcgateway.preflight import Report

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

#: Seconds for which a write that Azure does not show yet is looked for before it is written again, and between two
#: looks: reads can be older than a write.
SHOWN_SECONDS, SHOWN_PAUSE = 20.0, 2.0

#: Seconds between two looks at it; only the second one in a row that finds it so counts.
HELM_PAUSE = 3.0

#: For kubectl and helm: they live for a second, a sixth of which would go into collecting garbage to save 20 MB.
_GO = {"GOGC": "400"}

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
        self._env = _GO | {name: value for name, value in env.items() if name not in driver_settings.NAMES}
        self._redact = redact
        self._lifeline = lifeline
        self._ranges: tuple[tuple[str, ...], bool] | None = None
        self._go_by(settings.proxy)

    def _go_by(self, traffic: ProxySettings) -> None:
        """Send our own requests, and those of the programs that we start, this way."""
        self._traffic = traffic
        self._arm = arm.Arm(traffic, self._env, lambda audience: self._az(None).access_token(audience))

    def connect(self) -> dict[str, Any]:
        """Onboard the cluster, or go on with it, or bring it to what is wanted."""
        return self._paused() if self._settings.paused else self._reconcile(plan_connect)

    def associate(self) -> dict[str, Any]:
        """Associate a cluster that is connected already."""
        return self._paused() if self._settings.paused else self._reconcile(plan_associate)

    def disconnect(self) -> None:
        """Take the agents out of the cluster and its resource out of Azure."""
        self._take_away(self._disconnect)

    def disassociate(self) -> None:
        """End the association; the cluster stays connected."""
        self._take_away(self._disassociate)

    def _paused(self) -> dict[str, Any]:
        """What Azure holds of a cluster that is left alone; nothing where it cannot be asked."""
        self._progress(f"{self._id.name} is paused: nothing is written")
        try:
            seen = self._patiently(self._azure, LAST_LOOK_SECONDS)
        except Failure as failure:
            self._progress(f"what there is of {self._id.name} could not be seen: {failure}")
            seen = Seen(None, None)
        there = result(self._id, seen, adopted=False)
        shown = there if seen.cluster is not None else dict.fromkeys(there)
        return {**shown, "id": there["id"], "adopted": False, "paused": True}

    def _take_away(self, verb: Callable[[float], None]) -> None:
        """Take something away, by the proxy of the last update, or, where that refuses us, by this machine's own.

        Deleting runs with the settings of the last update: a password that was changed at the proxy since is not among
        them.
        """
        if self._settings.paused:
            self._progress(f"{self._id.name} is paused: it is left as it is")
            return
        try:
            with_retries(verb, self._deadline, self._progress)
        except ProxyRefusal as refusal:
            own = of_environment(self._env)
            if not own or (own.https, own.http) == (self._traffic.https, self._traffic.http):
                raise Failure(
                    f"{refusal.cause}; deleting uses the proxy as the last update had it",
                    "run `pulumi up` with the new password first, or set HTTPS_PROXY to a proxy that lets this "
                    "machine out, and delete then",
                ) from refusal
            self._progress(f"{refusal.cause}: going by the proxy of this machine's HTTPS_PROXY instead")
            self._go_by(own)
            with_retries(verb, self._deadline, self._progress)

    def _reconcile(self, planner: Planner) -> dict[str, Any]:
        if self._settings.drift:
            self._progress(f"drift: {self._settings.drift}")
        try:
            kubeconfig.read(self._settings.kube_context, self._env)
        except Failure as no_context:
            raise self._without_context(no_context) from no_context
        seen = self._undisturbed(self._patiently(self._look))
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
                self._before_writing(wanted, seen, steps)
            adopted = False
            self._carry_out(planner, wanted, steps, seen)
            done = steps
            seen, steps = self._shown(planner, wanted)
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

    def _shown(self, planner: Planner, wanted: DriverSettings) -> tuple[Seen, Plan]:
        """What there is after a write, and what is left to do; the association is given some time to show.

        Raises:
            Failure: it does not show, and the time is over.
        """
        limit, told = time.monotonic() + SHOWN_SECONDS, False
        while True:
            seen = self._wait(self._patiently(self._look))
            steps = planner(wanted, seen)
            later = time.monotonic() + SHOWN_PAUSE
            if not steps or not _about_gateway(steps) or self._deadline > later > limit:
                return seen, steps
            if later > self._deadline:
                raise Failure(
                    f"Azure has taken the changes to {self._id.name} and does not show them",
                    "run again: it goes on from there; where it stays so, look at the cluster's activity log",
                )
            if not told:
                self._progress(f"waiting for Azure to show what was changed of {self._id.name}")
                told = True
            time.sleep(SHOWN_PAUSE)

    def _carry_out(self, planner: Planner, wanted: DriverSettings, steps: Plan, seen: Seen) -> None:
        """Do the steps; after a failure that may pass, look again, as part of them may have been done."""
        first = (steps, seen)

        def attempt(left: float) -> None:
            nonlocal first
            todo, now = first
            if not todo:
                now = self._undisturbed(self._look())
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
            az.connect(self._id, wanted.location, whole(wanted, seen), left)
        elif step in (Step.DISCONNECT, Step.CLEAN_UP):
            self._progress(f"removing what a stopped run has left of {name}")
            az.delete(self._id, left, force=step is Step.CLEAN_UP)
        elif step is Step.FORGET_RELEASE:
            self._progress(f"removing helm's record of agents that a stopped run has left of {name}")
            self._cluster().forget_release()
        else:
            self._progress(f"removing the resource that a stopped run has left of {name}")
            self._delete_in_azure()

    def _disconnect(self, left: float) -> None:
        cluster = self._arm.get(str(self._id), arm.CLUSTERS)
        agents = self._agents_or_none(cluster, self._delete_in_azure)
        if agents is None:
            return
        if cluster is None and (agents.absent or not self._ours(agents)):
            self._progress(f"{self._id.name} is not connected: nothing to do")
            return
        agents = self._undisturbed(Seen(cluster, None, agents)).agents
        if cluster is None:
            self._az_here().uninstall(left)
        else:
            self._az_here().delete(self._id, left, force=agents.release is not None and agents.identity is None)
        self._progress(f"{self._id.name} is disconnected")

    def _disassociate(self, left: float) -> None:
        seen, ours = self._azure(), self._settings.gateway
        if seen.cluster is None:
            self._progress(f"{self._id.name} is not connected any more: nothing to do")
        elif not seen.gateway_enabled and not seen.gateway_id:
            self._progress(f"{self._id.name} is associated with no gateway: nothing to do")
        elif ours and seen.gateway_id and not same(seen.gateway_id, str(ours)):
            self._progress(f"{self._id.name} is associated with {seen.gateway_id}, not with ours: left as it is")
        elif (agents := self._agents_or_none(seen.cluster, lambda: self._disable_in_azure(seen))) is not None:
            self._undisturbed(replace(seen, agents=agents))
            self._az_here().update(self._id, Change(disable_gateway=True), left)
            self._progress(f"{self._id.name} is associated with no gateway any more")

    def _agents_or_none(self, cluster: object, in_azure: Callable[[], object]) -> Agents | None:
        """The agents before something is taken away; None where the settings did without the cluster.

        Raises:
            Failure: the cluster is gone, or is another one, and the settings do not say what to do then.
        """
        try:
            agents = self._patiently(lambda: self._agents(ranges=False), LAST_LOOK_SECONDS)
            if self._ours(agents) or cluster is None:
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

    def _delete_in_azure(self) -> None:
        """Delete the cluster's resource, and see it gone.

        Raises:
            Failure: Azure could not delete it, or did not in time.
        """
        self._arm.delete(str(self._id), arm.CLUSTERS)
        while (cluster := self._arm.get(str(self._id), arm.CLUSTERS)) is not None:
            state = (cluster.get("properties") or {}).get("provisioningState")
            if state in prerequisites.ENDED_BADLY:
                raise Failure(
                    f"Azure could not delete {self._id}: it is {state}",
                    "see the cause in its activity log, and run again",
                )
            if time.monotonic() + SHOWN_PAUSE > self._deadline:
                raise Failure(
                    f"Azure has not deleted {self._id} in time: it is {state}",
                    "run again later; where it stays so, ask Azure's support to end the operation",
                )
            time.sleep(SHOWN_PAUSE)

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
        """What is in the cluster; its service ranges are read once: they stay, and a read costs a process."""
        asked = ranges and self._ranges is None
        agents = self._cluster().agents(service_ranges=asked)
        if asked:
            self._ranges = agents.service_ranges, agents.guessed
        elif ranges and self._ranges is not None:
            known, guessed = self._ranges
            agents = replace(agents, service_ranges=known, guessed=guessed)
        return agents

    def _cluster(self) -> Cluster:
        return Cluster(kubeconfig.read(self._settings.kube_context, self._env), self._env)

    def _undisturbed(self, seen: Seen) -> Seen:
        """What there is once no helm is at work on the agents: one that works is waited for, and one that was killed
        in its work is settled. Every later helm would refuse to work beside either.
        """
        started, told, dead = time.monotonic(), "", ""
        while (release := seen.agents.release) is not None and release.pending and self._ours(seen.agents):
            left = left_behind(seen.agents, datetime.now(UTC), time.monotonic() - started)
            if left and dead == release.record:
                self._progress(f"a helm that was stopped has left {self._id.name} {release.status}: marking it failed")
                self._patiently(partial(self._cluster().mark_failed, release))
            else:
                dead = release.record if left else ""
                if told != release.record:
                    self._progress(f"waiting for another helm, which has {self._id.name} {release.status}")
                    told = release.record
                if time.monotonic() + HELM_PAUSE > self._deadline:
                    raise Failure(
                        f"another helm still has the agents of {self._id.name} {release.status}",
                        "wait for it, or end it, and run again; one that was killed is settled by the next run",
                    )
                time.sleep(HELM_PAUSE)
            seen = replace(seen, agents=self._patiently(lambda: self._agents(ranges=bool(self._settings.proxy))))
        return seen

    def _ours(self, agents: Agents) -> bool:
        """Whether these are the cluster's own agents, or do not say whose they are."""
        return agents.identity in (None, self._id)

    def _completed(self, agents: Agents) -> DriverSettings:
        """The settings with the skip range completed by what the cluster says of itself."""
        if not self._settings.proxy:
            return self._settings
        if agents.guessed:
            ranges = ", ".join(agents.service_ranges)
            self._progress(f"the cluster names no service range: {ranges} is guessed from its services")
        skip = complete(self._settings.proxy.skip, service_ranges=agents.service_ranges)
        return replace(self._settings, proxy=replace(self._settings.proxy, skip=skip))

    def _before_writing(self, wanted: DriverSettings, seen: Seen, steps: Plan) -> None:
        """See to what must hold before the first write: what Azure asks for, and the way through the proxy."""
        try:
            endpoint = self._patiently(lambda: prerequisites.check(self._arm, wanted, seen, steps, self._progress))
        except Failure as refused:
            raise prerequisites.together([refused, *self._problems_of_client()]) from None
        agents = wanted.proxy or proxy_of(seen.agents.release) or ProxySettings()
        location = wanted.location or str((seen.cluster or {}).get("location") or "")
        about = replace(wanted, location=location, proxy=agents, gateway_endpoint=endpoint)
        prove(replace(about, proxy=agents or of_environment(self._env)), self._progress)
        if wanted.in_cluster:
            self._prove_inside(about)

    def _prove_inside(self, about: DriverSettings) -> None:
        """The same from a pod of the cluster, by the agents' own way out."""
        from arcgateway import in_cluster

        cluster = self._cluster()
        place = in_cluster.Place(
            image=about.in_cluster_image or in_cluster.IMAGE,
            namespace=about.in_cluster_namespace,
            wait=min(in_cluster.WAIT, max(self._deadline - time.monotonic(), 1.0)),
        )

        def probe(rows: Sequence[Endpoint]) -> Report:
            removing = self._lifeline.owing
            return in_cluster.run(
                rows, about.proxy, about.genuine_roots, place, cluster, self._progress, removing=removing
            )

        try:
            prove(about, self._progress, place=f"cluster {cluster.kubeconfig.context}", probe=probe)
        except Failure as failure:
            if about.preflight == "require":
                raise
            self._progress(f"preflight: {failure}")

    def _without_context(self, no_context: Failure) -> Failure:
        """What stands in the way of a run that has no way to its cluster: that, and all that Azure would refuse."""
        failures = [no_context]
        try:
            seen = self._patiently(self._azure)
            steps: Plan = (Change(gateway=self._settings.gateway),) if seen.cluster else (Step.CONNECT,)
            prerequisites.check(self._arm, self._settings, seen, steps, self._progress)
        except Failure as failure:
            failures.append(failure)
        return prerequisites.together([*failures, *self._problems_of_client()])

    def _problems_of_client(self) -> Iterator[Failure]:
        """What is wrong with this machine's `az`, to be told beside what else stands in the way."""
        try:
            self._az(None).require_versions(LOOK_SECONDS)
        except Failure as failure:
            yield failure

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
        traffic = self._traffic
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
        "configuration settings": change.configuration or change.protected,
        **{flag.words: flag.variable in change.flags for flag in connect_flags.FLAGS},
    }
    return ", ".join(words for words, there in parts.items() if there)
