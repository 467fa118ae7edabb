"""The Resource Manager's reader: clouds, credentials, trust, and what goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from driver_world import CLUSTER, World, cluster

from arcgateway.arm import CLUSTERS, PUBLIC_CLOUD, Arm, read_metadata
from arcgateway.errors import Failure
from arcgateway.proxy import ProxySettings, ProxyUrl


@pytest.fixture
def scene(scene: World) -> World:
    scene.change(cluster=cluster())
    return scene


def reader(scene: World, proxy: str | None = None, **env: str) -> Arm:
    def no_token(audience: str) -> Any:
        raise AssertionError(audience)

    traffic = ProxySettings(https=ProxyUrl.parse(proxy)) if proxy else ProxySettings()
    return Arm(traffic, {**scene.env, **env}, no_token)


def test_a_resource_is_read_and_one_that_is_not_there_is_none(scene: World) -> None:
    arm = reader(scene, proxy="http://127.0.0.1:9")
    found = arm.get(CLUSTER, CLUSTERS)
    assert found is not None and found["id"] == CLUSTER, "this machine itself is never reached through the proxy"
    assert arm.get(CLUSTER + "x", CLUSTERS) is None
    arm.delete(CLUSTER, CLUSTERS)
    assert arm.get(CLUSTER, CLUSTERS) is None and len(scene.logins) == 1
    assert parse_qs(scene.logins[0])["scope"] == [f"https://{scene.host}/.default"]


def test_the_token_of_a_pipeline_and_that_of_az(scene: World, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("federated\n")
    assert reader(scene, ARM_CLIENT_SECRET="", AZURE_FEDERATED_TOKEN_FILE=str(token)).get(CLUSTER, CLUSTERS)
    assert parse_qs(scene.logins[0])["client_assertion"] == ["federated"]

    asked: list[str] = []

    def az(audience: str) -> dict[str, Any]:
        asked.append(audience)
        return {"accessToken": "cli-token", "expires_on": 4102444800}

    env = {name: value for name, value in scene.env.items() if name != "ARM_CLIENT_SECRET"}
    assert Arm(ProxySettings(), env, az).get(CLUSTER, CLUSTERS)
    assert asked == [f"https://{scene.host}"]


def test_a_token_that_azure_takes_no_more_is_asked_for_anew_once(scene: World) -> None:
    env = {name: value for name, value in scene.env.items() if name != "ARM_CLIENT_SECRET"}
    tokens = ["old-token", "cli-token", "old-token", "old-token", "not asked for"]

    def az(audience: str) -> dict[str, Any]:
        return {"accessToken": tokens.pop(0), "expires_on": 4102444800}

    assert Arm(ProxySettings(), env, az).get(CLUSTER, CLUSTERS)
    with pytest.raises(Failure, match="log in again"):
        Arm(ProxySettings(), env, az).get(CLUSTER, CLUSTERS)
    assert tokens == ["not asked for"]


def test_a_pipeline_asks_its_own_service_for_a_token(scene: World) -> None:
    """The request carries the job's bearer, which the scene's service wants; what it answers is the assertion."""
    pipeline = {"ARM_CLIENT_SECRET": "", "ACTIONS_ID_TOKEN_REQUEST_URL": f"https://{scene.host}/pipeline?job=1"}
    arm = reader(scene, **pipeline, ACTIONS_ID_TOKEN_REQUEST_TOKEN="arm-token")
    assert arm.caller == "client" and arm.get(CLUSTER, CLUSTERS)
    assert parse_qs(scene.logins[0])["client_assertion"] == ["of api://AzureADTokenExchange"]
    with pytest.raises(Failure, match="401"):
        reader(scene, **pipeline, ACTIONS_ID_TOKEN_REQUEST_TOKEN="wrong").get(CLUSTER, CLUSTERS)


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"AZURE_FEDERATED_TOKEN_FILE": "/nowhere/token"}, "/nowhere/token cannot be read .*mend AZURE_FEDERATED"),
        ({"ACTIONS_ID_TOKEN_REQUEST_URL": "https://{host}/none"}, "gave no token: allow the job"),
    ],
)
def test_a_pipeline_without_a_token_is_told_so(scene: World, env: dict[str, str], words: str) -> None:
    env = {name: value.replace("{host}", scene.host) for name, value in env.items()}
    with pytest.raises(Failure, match=words):
        reader(scene, ARM_CLIENT_SECRET="", ACTIONS_ID_TOKEN_REQUEST_TOKEN="arm-token", **env).get(CLUSTER, CLUSTERS)


def test_without_a_metadata_host_it_is_the_public_cloud(scene: World) -> None:
    assert reader(scene, ARM_METADATA_HOSTNAME="").cloud == PUBLIC_CLOUD and PUBLIC_CLOUD.public


def test_metadata_in_either_form() -> None:
    one = {
        "name": "X",
        "resourceManager": "https://arm.x/",
        "authentication": {"loginEndpoint": "https://login.x/", "audiences": ["https://core.x/", "https://arm.x"]},
    }
    public = {**one, "name": "AzureCloud", "resourceManager": "https://arm.y/"}
    assert read_metadata(one).resource_manager == "https://arm.x" and read_metadata(one).audience == "https://core.x/"
    assert read_metadata([one, public]).resource_manager == "https://arm.y"
    assert read_metadata([one]).authority == "https://login.x"
    assert not read_metadata({**one, "name": "AzureUSGovernment"}).public
    with pytest.raises(ValueError, match="without TLS"):
        read_metadata({**one, "resourceManager": "http://arm.x/"})


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"REQUESTS_CA_BUNDLE": ""}, "is not trusted here"),
        ({"ARM_METADATA_HOSTNAME": "127.0.0.1:9"}, "127.0.0.1 cannot be reached"),
    ],
)
def test_what_stands_in_the_way_is_named(scene: World, env: dict[str, str], words: str) -> None:
    with pytest.raises(Failure, match=words):
        reader(scene, **env).get(CLUSTER, CLUSTERS)


@pytest.mark.parametrize(
    ("status", "transient", "words"),
    [(403, False, "grant the caller"), (400, False, "mend what it names"), (500, True, "run again later")],
)
def test_refusals(scene: World, status: int, transient: bool, words: str) -> None:
    scene.answers += [(status, {"Retry-After": "7"})]
    with pytest.raises(Failure, match=words) as caught:
        reader(scene).get(CLUSTER, CLUSTERS)
    assert caught.value.transient is transient and "Scripted" in caught.value.cause
    assert caught.value.retry_after == (7 if transient else None)
