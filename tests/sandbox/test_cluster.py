"""The clusters' services and files, without starting them; tests/sandbox/node runs them."""

from __future__ import annotations

import json
import stat

import pytest

from sandbox import cluster, world
from sandbox.home import Home, MissingTool
from sandbox.service import Service


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def services(home: Home) -> dict[str, Service]:
    try:
        found = {service.name: service for service in cluster.services(home)}
    except MissingTool as error:
        pytest.skip(str(error))
    for service in found.values():
        if service.prepare is not None:
            service.prepare()
    return found


def test_each_cluster_has_its_own_range_prefix_and_port(services: dict[str, Service]) -> None:
    assert set(services) == {"etcd", "apiserver-east", "controllers-east", "apiserver-west", "controllers-west"}
    for flag in ("--service-cluster-ip-range=", "--etcd-prefix=", "--secure-port=", "--token-auth-file="):
        values = [
            word for name in ("east", "west") for word in services[f"apiserver-{name}"].argv if word.startswith(flag)
        ]
        assert len(set(values)) == 2, flag


def test_no_secret_is_on_a_command_line(home: Home, services: dict[str, Service]) -> None:
    tokens = [cluster.access(home, name, user).token for name in ("east", "west") for user in cluster.USERS]
    assert len(set(tokens)) == len(tokens)
    words = [word for service in services.values() for word in (*service.argv, *service.env.values())]
    assert not any(token in word for token in tokens for word in words)


def test_what_holds_a_secret_is_its_owners_alone(home: Home, services: dict[str, Service]) -> None:
    tokens = [cluster.access(home, name, user).token for name in ("east", "west") for user in cluster.USERS]
    secret = [file for file in home.root.rglob("*") if file.is_file() and any(t in file.read_text() for t in tokens)]
    keys = list(home.root.rglob("*.key"))
    assert len(secret) == 2 + 2 + 2 + 1 and len(keys) > 5
    assert {stat.S_IMODE(file.stat().st_mode) for file in (*secret, *keys)} == {0o600}


def test_kubeconfig_names_both_clusters(home: Home, services: dict[str, Service]) -> None:
    path = home.kubeconfig
    config = json.loads(path.read_text())
    assert config["current-context"] == "west"
    assert [context["name"] for context in config["contexts"]] == ["east", "west"]
    servers = {entry["name"]: entry["cluster"]["server"] for entry in config["clusters"]}
    assert servers["east"] == f"https://127.0.0.1:{home.port('apiserver-east')}"
    assert len(set(servers.values())) == 2


def test_preparing_again_changes_no_secret(home: Home, services: dict[str, Service]) -> None:
    before = {file: file.read_bytes() for file in home.root.rglob("*") if file.is_file()}
    for service in services.values():
        if service.prepare is not None:
            service.prepare()
    assert {file: file.read_bytes() for file in home.root.rglob("*") if file.is_file()} == before


def test_as_many_clusters_as_are_asked_for() -> None:
    assert world.clusters("2") == ("east", "west")
    assert world.clusters("4") == ("east", "west", "site-03", "site-04")
    assert len(world.clusters("24")) == 24


@pytest.mark.parametrize("asked", ["1", "25", "many", "03"])
def test_a_number_of_clusters_that_cannot_be(asked: str) -> None:
    with pytest.raises(SystemExit, match="give a number from 2 to 24"):
        world.clusters(asked)
