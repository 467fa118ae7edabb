"""In helm's place for a virtual cluster, in which nothing can be installed: its agents are asked to come and go."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from sandbox.az.errors import AzError
from sandbox.az.helm import NAMESPACE, RELEASE, Helm, Values
from sandbox.az.kube import ApiError, Cluster, Kubeconfig

_POLL = 0.25


def is_virtual(config: Kubeconfig) -> bool:
    """Whether a context leads to a virtual cluster, by the address that these have."""
    return urlsplit(config.server).path.startswith("/virtual/")


def helm_for(config: Kubeconfig) -> Helm:
    """What installs the agents in a cluster: helm, or what stands in for it."""
    return VirtualHelm(config) if is_virtual(config) else Helm(config)


class VirtualHelm(Helm):
    """Answers as helm does, without a chart, a process or pods."""

    def __init__(self, config: Kubeconfig) -> None:
        self._cluster = Cluster(config)

    def __enter__(self) -> Helm:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def release_namespace(self, name: str = RELEASE) -> str | None:
        return NAMESPACE if name == RELEASE and self._cluster.find("/agents") is not None else None

    def pull(self, reference: str) -> Path:
        return Path(reference)

    def upgrade(
        self,
        release: str,
        chart: Path,
        values: Values,
        timeout: int,
        wait: bool = True,
        namespace: str = NAMESPACE,
        install: bool = True,
    ) -> None:
        self._cluster.replace("/agents", values)
        deadline = time.monotonic() + timeout
        while wait and self._cluster.get("/agents")["status"].startswith("pending"):
            if time.monotonic() > deadline:
                raise AzError("context deadline exceeded")
            time.sleep(_POLL)

    def values(self, namespace: str, release: str = RELEASE) -> Values:
        try:
            return dict(self._cluster.get("/agents")["values"])
        except ApiError as problem:
            raise AzError(f"release: not found ({json.dumps(problem.message)})") from problem

    def uninstall(self, release: str, namespace: str, hooks: bool = True) -> None:
        self._cluster.delete("/agents")
