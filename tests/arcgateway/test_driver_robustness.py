"""The driver where things are half done, paused, too old, rotated or in another's hands."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest
from driver_world import CANARY, CLUSTER, GATEWAY, LAUNCHER, PROXY, World, drive, failed

#: When a helm began that is long dead.
LONG_AGO = "2026-01-02T03:04:05.123456789Z"


def passed(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout or "{}")
    return answer


def pending(scene: World, status: str, since: str, **more: Any) -> None:
    values = scene.read()["release"]["values"]
    scene.change(release={"status": status, "values": values, "since": since}, **more)


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "pending-rollback"])
def test_a_release_that_a_killed_helm_left_is_mended_without_disconnecting(scene: World, status: str) -> None:
    scene.associated()
    pending(scene, status, LONG_AGO)
    done = drive(scene, "associate")
    assert passed(done)["adopted"] is False and f"has left edge {status}: marking it failed" in done.stderr
    assert scene.writes() == ["update"] and scene.read()["release"]["status"] == "deployed"
    kubectl = (scene.root / "kubectl.log").read_text()
    assert kubectl.count("replace --filename -") == 1 and "helm uninstall" not in kubectl


def test_a_helm_that_is_at_work_is_waited_for(scene: World) -> None:
    scene.associated()
    pending(scene, "pending-upgrade", datetime.now(UTC).isoformat(), ready=False)
    with subprocess.Popen(
        [str(LAUNCHER), "associate"], env=scene.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any("waiting for another helm, which has edge pending-upgrade" in line for line in process.stderr)
        scene.associated()
        scene.change(ready=True)
        out, _ = process.communicate(timeout=60)
    assert json.loads(out)["adopted"] is True and scene.writes() == []
    assert "replace" not in (scene.root / "kubectl.log").read_text()


def test_a_helm_that_stays_at_work_is_told_at_the_deadline(scene: World) -> None:
    scene.associated()
    pending(scene, "pending-upgrade", datetime.now(UTC).isoformat(), ready=False)
    last = failed(drive(scene, "disassociate", ARCGATEWAY_DEADLINE="4"))
    assert "another helm still has the agents of edge pending-upgrade" in last and scene.writes() == []


def test_a_release_of_somebody_elses_agents_is_not_touched(scene: World) -> None:
    scene.associated()
    pending(scene, "pending-upgrade", LONG_AGO, identity=[*scene.read()["identity"][:2], "other"])
    assert "is connected as" in failed(drive(scene, "associate"))
    assert "replace" not in (scene.root / "kubectl.log").read_text() and scene.writes() == []


def test_a_failed_release_is_mended_though_nothing_else_is_to_change(scene: World) -> None:
    scene.connected()
    scene.change(release={**scene.read()["release"], "status": "failed"})
    assert passed(drive(scene, "connect", ARC_GATEWAY_ID="", ARC_GATEWAY_ENDPOINT=""))["adopted"] is False
    [call] = scene.calls()
    assert call["argv"][1] == "update" and call["argv"][-3:] == ["--auto-upgrade", "true", "--yes"]


def test_what_a_stopped_delete_has_left_is_removed_from_the_cluster(scene: World) -> None:
    scene.connected(cluster=None)
    done = drive(scene, "disconnect")
    passed(done)
    assert "edge is disconnected" in done.stderr and scene.writes() == []
    assert (scene.root / "helm.log").read_text().startswith("uninstall azure-arc --namespace azure-arc-release")
    assert "nothing to do" in drive(scene, "disconnect").stderr


def test_agents_without_a_name_and_without_a_resource_are_taken_over(scene: World) -> None:
    scene.connected(cluster=None, identity=None)
    passed(drive(scene, "connect"))
    assert scene.writes() == ["connect"]
    assert (
        "delete secrets --namespace azure-arc-release --selector owner=helm,name=azure-arc"
        in (scene.root / "kubectl.log").read_text()
    )


def test_agents_without_a_name_are_deleted_by_force(scene: World) -> None:
    scene.connected(identity=None)
    passed(drive(scene, "disconnect"))
    assert "--force" in scene.calls()[-1]["argv"]


def test_a_paused_cluster_is_shown_and_left_alone(scene: World) -> None:
    scene.associated()
    answer = passed(drive(scene, "connect", ARC_PAUSED="true", ARC_DISTRIBUTION="other"))
    assert answer == {
        "id": CLUSTER,
        "agentVersion": "1.36.1",
        "connectivityStatus": "Connected",
        "gatewayEnabled": True,
        "gatewayResourceId": GATEWAY,
        "associatedAt": "2026-11-24T10:20:30Z",
        "endpointsRemovableAt": "2026-11-24T11:20:30Z",
        "adopted": False,
        "paused": True,
    }
    for verb in ("disconnect", "disassociate"):
        done = drive(scene, verb, ARC_PAUSED="true")
        assert done.returncode == 0 and "is paused: it is left as it is" in done.stderr
    assert scene.writes() == [] and not (scene.root / "kubectl.log").exists()


def test_a_paused_cluster_need_not_be_there_nor_its_context_nor_azure(scene: World) -> None:
    empty = dict.fromkeys(
        ("agentVersion", "connectivityStatus", "gatewayEnabled", "gatewayResourceId", "associatedAt",
         "endpointsRemovableAt")
    )  # fmt: skip
    nothing = {"id": CLUSTER, **empty, "adopted": False, "paused": True}
    assert passed(drive(scene, "associate", ARC_PAUSED="true", ARC_KUBE_CONTEXT="nowhere")) == nothing
    scene.answers += [(403, {})]
    done = drive(scene, "connect", ARC_PAUSED="true")
    assert passed(done) == nothing and "could not be seen" in done.stderr


@pytest.mark.parametrize(
    ("versions", "cause", "mend"),
    [
        ({"azure-cli": "2.69.9", "extensions": {"connectedk8s": "1.11.2"}}, "2.70.0 or newer", "`az upgrade`"),
        ({"azure-cli": "2.91.0", "extensions": {}}, "no extension connectedk8s", "az extension add"),
        (
            {"azure-cli": "2.64.0", "extensions": {"connectedk8s": "1.10.8"}},
            "is 1.10.8, and 1.10.9 or newer",
            "`az upgrade` and `az extension update --name connectedk8s`",
        ),
    ],
)
def test_a_client_that_is_too_old_is_told_before_the_first_write(
    scene: World, versions: dict[str, Any], cause: str, mend: str
) -> None:
    scene.connected()
    (scene.root / "versions.json").write_text(json.dumps(versions))
    last = failed(drive(scene, "associate"))
    assert cause in last and mend in last and scene.writes() == []
    # What takes something away must work with any client.
    scene.associated()
    passed(drive(scene, "disconnect"))


def test_a_client_that_is_too_old_is_told_beside_what_else_stands_in_the_way(scene: World) -> None:
    scene.connected()
    (scene.root / "versions.json").write_text(json.dumps({"azure-cli": "2.91.0", "extensions": {}}))
    last = failed(drive(scene, "associate", ARC_KUBE_CONTEXT="nowhere"))
    assert "no context 'nowhere'" in last and "az extension add" in last and scene.writes() == []


def test_the_clients_version_is_asked_once_for_each_installation(scene: World) -> None:
    asked = scene.root / "versions.log"
    scene.associated()
    passed(drive(scene, "associate"))
    assert not asked.exists(), "nothing is written, so nothing is asked"
    scene.connected()
    for _ in range(2):
        passed(drive(scene, "associate"))
        scene.connected()
    assert asked.read_text().count("asked") == 1
    (scene.root / "bin" / "az").touch()
    passed(drive(scene, "associate"))
    assert asked.read_text().count("asked") == 2


def test_a_rotated_password_reaches_the_agents_in_one_update_through_the_new_one(scene: World) -> None:
    old, new = (f"http://user:{name}-canary-{CANARY[:2]}@127.0.0.1:9" for name in ("old", "new"))
    passed(drive(scene, "connect", ARC_PROXY_HTTPS=old))
    passed(drive(scene, "connect", ARC_PROXY_HTTPS=new))
    call = scene.calls()[-1]
    assert call["argv"][1] == "update" and call["env"]["HTTPS_PROXY"] == new
    assert scene.read()["release"]["values"]["global"]["httpsProxy"] == new
    assert passed(drive(scene, "connect", ARC_PROXY_HTTPS=new))["adopted"] is True


def test_a_proxy_that_refuses_the_old_password_on_a_delete(scene: World) -> None:
    scene.associated()
    refused = {"say": "ERROR: ProxyError('Tunnel connection failed: 407 Proxy Authentication Required')"}
    scene.script(refused)
    last = failed(drive(scene, "disconnect", ARC_PROXY_HTTPS=PROXY))
    assert "deleting uses the proxy as the last update had it" in last and "run `pulumi up` with the new" in last
    scene.script({}, refused)
    done = drive(scene, "disconnect", ARC_PROXY_HTTPS=PROXY, HTTPS_PROXY="http://own:n3w@127.0.0.1:9")
    passed(done)
    assert "going by the proxy of this machine's HTTPS_PROXY" in done.stderr and "n3w" not in done.stderr
    assert scene.calls()[-1]["env"]["HTTPS_PROXY"] == "http://own:n3w@127.0.0.1:9"


def test_protected_settings_are_in_no_argument_and_no_word(scene: World) -> None:
    protected = {"ARC_CONFIGURATION_PROTECTED_SETTINGS": json.dumps({"relay": {"key": CANARY}})}
    passed(drive(scene, "connect", **protected))
    [call] = scene.calls()
    assert CANARY not in " ".join(call["argv"]) and f"relay.key={CANARY}" in [f["text"] for f in call["files"].values()]
    assert all(file["mode"] == 0o600 for file in call["files"].values())
    assert passed(drive(scene, "connect", **protected))["adopted"] is True


def test_what_only_connect_takes_is_changed_by_another_connect(scene: World) -> None:
    passed(drive(scene, "connect", ARC_INFRASTRUCTURE="vsphere"))
    passed(drive(scene, "connect", ARC_INFRASTRUCTURE="aws", ARC_DISTRIBUTION_VERSION="1.33"))
    assert [call["argv"][1] for call in scene.calls()] == ["connect", "connect"]
    properties = scene.read()["cluster"]["properties"]
    assert (properties["infrastructure"], properties["distributionVersion"]) == ("aws", "1.33")


def test_no_more_than_some_installations_are_remembered(scene: World) -> None:
    folder = scene.root / "cache" / "arcgateway"
    folder.mkdir(parents=True)
    for number in range(30):
        (folder / f"az-{number}").touch()
        os.utime(folder / f"az-{number}", (number, number))
    scene.connected()
    passed(drive(scene, "associate"))
    kept = {path.name for path in folder.iterdir()}
    assert len(kept) == 20 and "az-29" in kept and "az-0" not in kept
