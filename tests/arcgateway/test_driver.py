"""The driver as the stack's commands run it: through `bin/driver`, against a fake Azure, `az` and `kubectl`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import driver_world
import pytest
from driver_world import (
    CANARY,
    CLUSTER,
    GATEWAY,
    LAUNCHER,
    OTHER_GATEWAY,
    PROXY,
    SETTING,
    World,
    cluster,
    failed,
)
from network_world import network
from waiting import until


def drive(scene: World, verb: str, **env: str) -> subprocess.CompletedProcess[str]:
    done = driver_world.drive(scene, verb, **env)
    for canary in (PROXY.split("@127")[0].split("://")[1], "client-canary", "kube-canary", "arm-token"):
        assert canary not in done.stdout + done.stderr
    assert [path.name for path in (scene.root / "home").iterdir() if path.name != f"arcgateway-{os.getuid()}"] == []
    return done


def passed(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_connect_onboards_with_one_command_and_says_all(scene: World) -> None:
    answer = passed(
        drive(
            scene,
            "connect",
            ARC_PROXY_HTTPS=PROXY,
            ARC_PROXY_SKIP_RANGE="10.0.0.0/8,example.org",
            ARC_TAGS='{"team":"edge"}',
            ARC_DISTRIBUTION="k3s",
            ARC_INFRASTRUCTURE="generic",
        )
    )
    assert answer == {
        "id": CLUSTER,
        "agentVersion": "1.36.1",
        "connectivityStatus": "Connected",
        "gatewayEnabled": True,
        "gatewayResourceId": GATEWAY,
        "associatedAt": "2026-11-24T10:20:30Z",
        "endpointsRemovableAt": "2026-11-24T11:20:30Z",
        "adopted": False,
    }
    [call] = scene.calls()
    words = " ".join(call["argv"])
    assert words.startswith("connectedk8s connect --name edge --resource-group rg --subscription 11111111-")
    for part in (
        "--location eastus",
        "--kube-context edge",
        f"--gateway-resource-id {GATEWAY}",
        "--distribution k3s",
        "--infrastructure generic",
        "--tags pulumi-arc-gateway=connected team=edge",
        "--yes",
        "--proxy-skip-range 10.0.0.0/8,.svc,.svc.cluster.local,example.org,kubernetes.default.svc",
    ):
        assert part in words
    assert scene.read()["cluster"]["tags"] == {"pulumi-arc-gateway": "connected", "team": "edge"}


def test_no_secret_is_in_an_argument_and_the_files_are_the_owners_alone_and_gone(scene: World) -> None:
    passed(drive(scene, "connect", ARC_PROXY_HTTPS=PROXY, ARC_PROXY_HTTP="http://127.0.0.1:9"))
    [call] = scene.calls()
    assert CANARY not in " ".join(call["argv"]) and "c4nary" not in " ".join(call["argv"])
    word = call["argv"][call["argv"].index("--proxy-https") + 1]
    assert call["files"][word] == {"text": PROXY, "mode": 0o600} and word.startswith("@")
    assert not Path(word[1:]).exists()
    assert call["argv"][call["argv"].index("--proxy-http") + 1] == "http://127.0.0.1:9"
    assert "c4nary" not in (scene.root / "kubectl.log").read_text()


def test_az_runs_with_copies_and_goes_through_the_proxy_itself(scene: World) -> None:
    passed(drive(scene, "connect", ARC_PROXY_HTTPS=PROXY, NO_PROXY="intranet"))
    [call] = scene.calls()
    env = call["env"]
    assert env["AZURE_CONFIG_DIR"] != scene.env["AZURE_CONFIG_DIR"] and call["config"] == ["azureProfile.json"]
    assert call["folder_mode"] == 0o700 and not Path(env["AZURE_CONFIG_DIR"]).exists()
    assert env["AZURE_EXTENSION_DIR"] == f"{scene.env['AZURE_CONFIG_DIR']}/cliextensions"
    assert env["KUBECONFIG"] != scene.env["KUBECONFIG"]
    kubeconfig = json.loads(call["kubeconfig"])
    assert kubeconfig["current-context"] == "edge" and [item["name"] for item in kubeconfig["contexts"]] == ["edge"]
    assert kubeconfig["clusters"][0]["cluster"]["certificate-authority"] == str(scene.root / "ca.crt")
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY"):
        assert env[name] == PROXY
    assert {"intranet", "10.1.2.3", ".svc", "localhost"} <= set(env["NO_PROXY"].split(","))
    assert not any(name.startswith("ARC_") for name in env)


def test_twice_writes_once(scene: World) -> None:
    assert passed(drive(scene, "connect", ARC_PROXY_HTTPS=PROXY))["adopted"] is False
    before = scene.writes()
    again = drive(scene, "connect", ARC_PROXY_HTTPS=PROXY)
    assert passed(again)["adopted"] is True and "nothing is written" in again.stderr
    assert scene.writes() == before == ["connect"]


def test_order_of_the_skip_range_is_no_change(scene: World) -> None:
    passed(drive(scene, "connect", ARC_PROXY_HTTPS=PROXY, ARC_PROXY_SKIP_RANGE="b.org,a.org"))
    assert passed(drive(scene, "connect", ARC_PROXY_HTTPS=PROXY, ARC_PROXY_SKIP_RANGE="a.org, b.org,a.org"))["adopted"]


def test_a_guessed_service_range_is_told(scene: World) -> None:
    scene.change(old=True)
    done = drive(scene, "connect", ARC_PROXY_HTTPS=PROXY)
    passed(done)
    assert "10.43.0.0/16 is guessed" in done.stderr
    assert scene.read()["release"]["values"]["global"]["noProxy"].startswith("10.43.0.0/16,")


@pytest.mark.parametrize("half", ["no setting", "no flag", "agents not told"])
def test_associate_finishes_a_half(scene: World, half: str) -> None:
    scene.associated()
    state = scene.read()
    if half == "no setting":
        scene.change(setting=None)
    elif half == "no flag":
        scene.change(cluster=cluster(enabled=False))
    else:
        scene.change(release={"status": "failed", "values": state["release"]["values"]})
    assert passed(drive(scene, "associate"))["gatewayEnabled"] is True
    [call] = scene.calls()
    assert call["argv"][1] == "update" and "--gateway-resource-id" in call["argv"]
    assert "--proxy-https" not in call["argv"]


def test_associate_adopts_what_is_there(scene: World) -> None:
    scene.associated(GATEWAY.upper())
    answer = passed(drive(scene, "associate"))
    assert answer["adopted"] is True and answer["gatewayResourceId"] == GATEWAY.upper() and scene.writes() == []


def test_associate_switches_gateways_and_tells_the_drift(scene: World) -> None:
    scene.associated(OTHER_GATEWAY)
    done = drive(scene, "associate", ARC_DRIFT="the gateway is other")
    assert passed(done)["gatewayResourceId"] == GATEWAY and "drift: the gateway is other" in done.stderr


def test_a_proxy_is_added_changed_and_removed_in_place(scene: World) -> None:
    passed(drive(scene, "connect"))
    passed(drive(scene, "connect", ARC_PROXY_HTTPS="http://127.0.0.1:9"))
    passed(drive(scene, "connect", ARC_PROXY_HTTPS=PROXY))
    passed(drive(scene, "connect"))
    verbs = [
        (call["argv"][1], "--proxy-https" in call["argv"], "--disable-proxy" in call["argv"]) for call in scene.calls()
    ]
    assert verbs == [
        ("connect", False, False),
        ("update", True, False),
        ("update", True, False),
        ("update", False, True),
    ]


def test_connect_without_a_gateway_ends_an_association(scene: World) -> None:
    scene.associated()
    answer = passed(drive(scene, "connect", ARC_GATEWAY_ID="", ARC_GATEWAY_ENDPOINT=""))
    assert answer["gatewayEnabled"] is False and answer["associatedAt"] is None
    assert "--disable-gateway" in scene.calls()[0]["argv"]


@pytest.mark.parametrize(
    ("prepare", "cause", "mend"),
    [
        ({"cluster": None}, "there is no connected cluster", "connect it first"),
        ({"cluster": cluster(version="1.21.9")}, "1.21.9, and the gateway needs 1.21.10", "az connectedk8s upgrade"),
        ({"identity": ["11111111-2222-3333-4444-555555555555", "rg", "else"]}, "is connected as", "kubeContext"),
        ({"release": None, "identity": None}, "has no Arc agents", "kubeContext"),
        ({"gateway": None}, "there is no gateway", "create it first"),
        ({"gateway": {"state": "Failed"}}, "is Failed", "deploy the gateway again"),
    ],
)
def test_associate_refuses_before_it_writes(scene: World, prepare: dict[str, Any], cause: str, mend: str) -> None:
    scene.connected()
    scene.change(**prepare)
    last = failed(drive(scene, "associate"))
    assert cause in last and mend in last and scene.writes() == []


def test_connect_goes_on_from_a_resource_without_agents(scene: World) -> None:
    scene.change(cluster=cluster(status="Connecting"))
    passed(drive(scene, "connect"))
    assert scene.writes() == ["connect", f"DELETE {CLUSTER}"]


def test_connect_goes_on_from_a_release_without_its_record(scene: World) -> None:
    scene.connected(cluster=cluster(status="Connecting"), identity=None)
    passed(drive(scene, "connect"))
    assert scene.writes() == ["delete", "connect"]


def test_connect_leaves_a_cluster_of_somebody_else_alone(scene: World) -> None:
    scene.change(cluster=cluster(status="Connected"))
    assert "not from the cluster of this kubeconfig context" in failed(drive(scene, "connect"))
    assert scene.writes() == []


def test_a_failure_that_may_pass_is_tried_again_and_looks_first(scene: World) -> None:
    scene.script({"say": "ERROR: ('Connection aborted.', ConnectionResetError(104))", "after": True})
    done = drive(scene, "connect")
    assert passed(done)["adopted"] is False and "trying again in" in done.stderr
    # The first attempt had done all of it before its connection broke.
    assert scene.writes() == ["connect"]


def test_a_final_failure_ends_at_once_with_cause_and_mend(scene: World) -> None:
    scene.script(
        {
            "say": f"WARNING: proxy {PROXY}\nERROR: (AuthorizationFailed) The client does not have authorization "
            f"to perform action through {PROXY}"
        }
    )
    started = time.monotonic()
    last = failed(drive(scene, "connect", ARC_PROXY_HTTPS=PROXY))
    assert "may not do this in Azure" in last and "grant it" in last
    assert len(scene.calls()) == 1 and time.monotonic() - started < 15


def test_az_is_logged_in_for_the_call_where_it_is_not(scene: World) -> None:
    scene.script({"say": "ERROR: Please run 'az login' to setup account."})
    passed(drive(scene, "connect"))
    first, login, again = scene.calls()
    assert login["argv"][:2] == ["login", "--service-principal"] and "client-canary" not in " ".join(login["argv"])
    assert [item["text"] for item in login["files"].values()] == ["client-canary"]
    assert login["env"]["AZURE_CONFIG_DIR"] == again["env"]["AZURE_CONFIG_DIR"] and again["argv"] == first["argv"]


def test_waits_until_the_agents_are_ready(scene: World) -> None:
    scene.associated()
    scene.change(ready=False)
    with subprocess.Popen(
        [str(LAUNCHER), "associate"], env=scene.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any("waiting for the Arc Proxy" in line for line in process.stderr)
        scene.change(ready=True)
        out, _ = process.communicate(timeout=30)
    assert json.loads(out)["adopted"] is True


def test_gives_up_waiting_at_the_deadline(scene: World) -> None:
    scene.associated()
    scene.change(ready=False)
    assert "gave up waiting for the Arc Proxy" in failed(drive(scene, "associate", ARCGATEWAY_DEADLINE="3"))


def test_throttling_by_azure_is_waited_for(scene: World) -> None:
    scene.associated()
    scene.answers += [(429, {"Retry-After": "1"}), (503, {})]
    assert passed(drive(scene, "associate"))["adopted"] is True
    assert len(scene.requests) == 4


def test_disconnect_and_disassociate(scene: World) -> None:
    scene.associated()
    for verb in ("disassociate", "disassociate", "disconnect", "disconnect"):
        done = drive(scene, verb)
        assert done.returncode == 0 and done.stdout == "", done.stderr
    assert scene.writes() == ["update", "delete"]
    assert "--disable-gateway" in scene.calls()[0]["argv"] and "--yes" in scene.calls()[1]["argv"]


def test_disassociate_leaves_a_foreign_association(scene: World) -> None:
    scene.associated(OTHER_GATEWAY)
    assert "not with ours" in drive(scene, "disassociate").stderr
    assert scene.writes() == []


@pytest.mark.parametrize(
    ("choice", "verb", "writes"),
    [
        ("fail", "disconnect", None),
        ("forget", "disconnect", []),
        ("azure-only", "disconnect", [f"DELETE {CLUSTER}"]),
        ("azure-only", "disassociate", [f"PUT {SETTING}", f"PUT {CLUSTER}"]),
        ("forget", "disassociate", []),
    ],
)
def test_deleting_where_the_cluster_is_gone(scene: World, choice: str, verb: str, writes: list[str] | None) -> None:
    scene.associated()
    scene.change(unreachable=True)
    done = drive(scene, verb, ARC_ON_UNREACHABLE=choice, ARCGATEWAY_DEADLINE="2")
    if writes is None:
        last = failed(done)
        assert "cannot be reached" in last and "onUnreachable" in last and scene.writes() == []
        return
    assert done.returncode == 0, done.stderr
    assert scene.writes() == writes
    if verb == "disassociate" and writes:
        assert scene.read()["setting"]["properties"]["gatewayProperties"] == {"gatewayResourceId": None}
        assert scene.read()["cluster"]["properties"] == {"gateway": {"enabled": False}}


def test_a_lost_kubeconfig_is_told_for_every_verb(scene: World) -> None:
    scene.associated()
    for verb in ("connect", "associate", "disconnect", "disassociate"):
        assert "no context 'nowhere'" in failed(drive(scene, verb, ARC_KUBE_CONTEXT="nowhere"))


def test_all_wrong_settings_are_named_in_one_message(scene: World) -> None:
    last = failed(
        drive(
            scene,
            "connect",
            ARC_SUBSCRIPTION_ID="",
            ARC_PROXY_HTTPS="http://user:canary@host",
            ARC_GATEWAY_ID="gw",
            ARC_PREFLIGHT="maybe",
            ARC_TAGS="[1]",
            ARC_SCENARIOS="x",
            ARC_PROXY_SKIP_RANGE="*",
            ARC_GENUINE_ROOTS="junk",
            ARC_LOCATION="east/us",
        )
    )
    for name in (
        "SUBSCRIPTION_ID",
        "PROXY_HTTPS",
        "GATEWAY_ID",
        "PREFLIGHT",
        "TAGS",
        "SCENARIOS",
        "PROXY_SKIP_RANGE",
        "GENUINE_ROOTS",
        "LOCATION",
    ):
        assert f"ARC_{name}:" in last
    assert "canary" not in last


def test_the_preflight_stops_a_run_before_it_writes_and_is_made_once(scene: World) -> None:
    scene.connected()
    with network() as net:
        azure = net.azure()
        gateway = net.gateway(azure)
        denied = b"HTTP/1.1 403 Forbidden\r\n\r\n"
        hosts: dict[str, int | bytes] = {"gbl.his.arc.azure.com": denied, "abc.gw.arc.azure.com": gateway}
        port = net.proxy(lambda host, _: hosts.get(host, azure))
        env = {
            "ARC_PROXY_HTTPS": f"http://127.0.0.1:{port}",
            "ARC_PREFLIGHT": "require",
            "ARC_GENUINE_ROOTS": net.genuine.cert_pem.bytes().decode(),
            "XDG_RUNTIME_DIR": str(scene.root / "home"),
        }
        last = failed(drive(scene, "associate", **env))
        assert "gbl.his.arc.azure.com:443 (denied-by-proxy)" in last and "have the proxy allow" in last
        assert scene.writes() == []

        probed = len(net.asked)
        failed(drive(scene, "probe", **env))
        assert len(net.asked) == probed, "the same update probes once"
        assert json.loads(drive(scene, "probe", **{**env, "ARC_PREFLIGHT": "warn"}).stdout) == {
            "verdict": "fail",
            "proxy": f"http://127.0.0.1:{port}",
            "endpoints": 9,
        }
        both = drive(scene, "probe", **{**env, "ARC_PREFLIGHT": "warn", "ARC_GATEWAY_ENDPOINT": ""})
        assert passed(both)["endpoints"] == 7
        probed += 7
        hosts.clear()
        hosts["abc.gw.arc.azure.com"] = gateway
        env["ARC_SCENARIOS"] = "key-vault"
        assert passed(drive(scene, "probe", **env))["endpoints"] == 10
        assert passed(drive(scene, "associate", **env))["adopted"] is False
        # Ten names and the second leg inside the gateway's tunnel, which this proxy does not see.
        assert len(net.asked) == probed + 10


def test_deleting_never_waits_for_a_verdict(scene: World) -> None:
    scene.associated()
    done = drive(scene, "disassociate", ARC_PREFLIGHT="require", ARC_PROXY_HTTPS="http://127.0.0.1:9")
    assert done.returncode == 0 and "preflight" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups")
@pytest.mark.parametrize("victim", ["the launcher", "the launcher's parent"])
def test_a_killed_parent_takes_driver_az_and_helm_along(scene: World, victim: str) -> None:
    scene.script({"hang": 60})
    # As the command plugin does: a process of its own group that starts the launcher and waits for it.
    keeper = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", str(LAUNCHER), "connect"],
        env=scene.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        file = scene.root / "helm.pid"
        helm, az = int(until(lambda: file.exists() and file.read_text())), scene.calls()[0]["pid"]
        launcher = int(re.findall(r"\d+", Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read_text())[0])
        driver = int(re.findall(r"\d+", Path(f"/proc/{launcher}/task/{launcher}/children").read_text())[0])
        os.kill(launcher if victim == "the launcher" else keeper.pid, signal.SIGKILL)
        for pid in (helm, az, driver):
            until(lambda pid=pid: not _runs(pid))
    finally:
        keeper.kill()
        keeper.wait()
    assert [path for path in (scene.root / "home").iterdir() if path.name.startswith("arcgateway-")] == []


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
