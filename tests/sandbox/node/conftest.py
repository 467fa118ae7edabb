"""Two clusters with their nodes, for all tests of this folder."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from node_world import Clusters
from waiting import until

from sandbox import cluster, node
from sandbox.home import Home, MissingTool
from sandbox.service import Service
from sandbox.supervisor import Supervisor


def _impatient(service: Service) -> Service:
    """With a back-off that a test can wait for."""
    more = ("--back-off", "0.5") if service.name.startswith("node-") else ()
    return dataclasses.replace(service, argv=service.argv + more)


def _processes(folder: Path) -> list[int]:
    """Processes whose working folder is a pod's."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "cwd").startswith(str(folder)):  # noqa: PTH115
                found.append(int(process.name))
        except OSError:
            continue
    return found


@pytest.fixture(scope="session")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clusters]:
    home = Home(tmp_path_factory.mktemp("clusters"))
    try:
        services = [*cluster.services(home), *map(_impatient, node.services(home))]
        home.tool("kubectl")
    except MissingTool as error:
        pytest.skip(str(error))
    with Supervisor(home, services) as supervisor:
        yield Clusters(home, supervisor)
    assert until(lambda: not _processes(home.root), seconds=5), "processes of pods outlived their node"
