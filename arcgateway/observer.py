"""What Azure holds of the declared clusters.

A command has no read, so the components ask before they declare one, through `arcgateway.lookout`. Each cluster is
looked at once: one list for a subscription, and one read for a cluster's setting, as the list does not say which
gateway it names.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, TextIO, TypeVar

from arcgateway import arm, driver_settings
from arcgateway.errors import Failure
from arcgateway.held import Held
from arcgateway.ids import ConnectedClusterId
from arcgateway.proxy import ProxySettings

T = TypeVar("T")

#: How many requests are made side by side.
SIDE_BY_SIDE = 16


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
        self._crew.submit(_import_clients)

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


def _import_clients() -> None:
    import msal  # noqa: F401

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


def serve(observer: Observer, questions: TextIO, answers: TextIO) -> None:
    """Answer until there are no more questions; looks that take longer are given up.

    Args:
        observer: does the looks.
        questions: a line of JSON for each: its `number`, and the driver's variables for a cluster as `settings`.
        answers: gets a line of JSON for each, in no certain order: the `number`, and the `cluster` and its `setting` as
            Azure holds them, or a `failure`, or neither where the settings are wrong: that is for the driver to say.
    """
    lock = threading.Lock()

    def answer(number: int, outcome: Mapping[str, Any]) -> None:
        line = json.dumps({"number": number, **outcome})
        with lock:
            print(line, file=answers, flush=True)

    def tell(number: int, looked: Future[Held]) -> None:
        answer(number, _outcome(looked))

    for line in questions:
        asked = json.loads(line)
        number = asked["number"]
        try:
            settings = driver_settings.read(asked["settings"], cluster_needed=True)
        except Failure:
            answer(number, {})
            continue
        assert settings.cluster is not None
        observer.look(settings.cluster, settings.proxy).add_done_callback(partial(tell, number))


def _outcome(looked: Future[Held]) -> Mapping[str, Any]:
    match looked.exception():
        case None:
            return vars(looked.result())
        case Failure() as failure:
            return {"failure": {"cause": failure.cause, "mend": failure.mend}}
        case error:
            return {"failure": {"cause": f"the look failed ({error!r})", "mend": "report this as a defect"}}


def main() -> None:
    """Serve the process that started this one, until it ends."""
    if hasattr(os, "nice"):
        os.nice(5)  # the program's work comes first: what is found is needed when it has declared its components
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal interrupts both, and that one decides
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    observer = of_environment()
    observer.warm_up()
    serve(observer, sys.stdin, answers)
    os._exit(0)  # at once: who waits for the end of our error output would wait for requests that nobody needs


if __name__ == "__main__":
    main()
