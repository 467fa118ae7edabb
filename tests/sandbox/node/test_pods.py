"""Pods on the real API server: what a person sees of them with kubectl is what their processes did."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from functools import partial
from typing import Any

import pytest
from node_world import AGENT, Clusters, Json, container, dead, pod
from waiting import until

from sandbox.home import Home, MissingTool


def deployment(name: str, *containers: Json, replicas: int = 1) -> Json:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 3, "containers": containers}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def job(name: str, script: str, policy: str = "Never", retries: int = 0) -> Json:
    spec = {"restartPolicy": policy, "containers": [container(script)]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": retries, "template": {"spec": spec}},
    }


def ended(found: Json, index: int = 0) -> Json:
    return dict(found["status"]["containerStatuses"][index]["state"]["terminated"])


def test_deployment_of_agents_becomes_ready_and_goes_away(clusters: Clusters) -> None:
    clusters.apply(deployment("agents", {"name": "agent", "image": AGENT}, replicas=3))
    clusters.run("rollout", "status", "deployment/agents", "--timeout=30s")
    pods = clusters.get("pods", "-l", "app=agents")["items"]
    assert len({one["status"]["podIP"] for one in pods}) == 3
    assert all(one["status"]["podIP"].startswith("127.10.") for one in pods)
    name = pods[0]["metadata"]["name"]
    assert f"{name} started (pid " in clusters.logs(name)
    follower = subprocess.Popen([*clusters.command, "logs", "-f", name], stdout=subprocess.PIPE, text=True)
    assert follower.stdout is not None and f"{name} started" in follower.stdout.readline()
    clusters.run("delete", "deployment", "agents", "--wait=false")
    seen, _ = follower.communicate(timeout=20)
    assert "SIGTERM: stopping" in seen
    until(lambda: not clusters.get("pods", "-l", "app=agents")["items"])


def test_jobs_tell_the_truth_about_their_process(clusters: Clusters) -> None:
    here = clusters.at(namespace="jobs")
    here.apply(
        job("good", "echo to be read; echo also >&2"),
        job("bad", "echo broken; exit 3"),
        job("second-try", "test -e $HOME/tried && echo now it works || { touch $HOME/tried; exit 1; }", "OnFailure", 2),
    )
    here.wait("job/good", "condition=complete")
    here.wait("job/bad", "condition=failed")
    here.wait("job/second-try", "condition=complete")
    assert here.logs("job/good") == "to be read\nalso\n"
    (bad,) = here.get("pods", "-l", "job-name=bad")["items"]
    assert bad["status"]["phase"] == "Failed"
    assert (ended(bad)["exitCode"], ended(bad)["reason"]) == (3, "Error")
    (second,) = here.get("pods", "-l", "job-name=second-try")["items"]
    assert second["status"]["containerStatuses"][0]["restartCount"] == 1
    assert here.logs("job/second-try") == "now it works\n"


def test_image_outside_the_table_stays_pending_and_says_why(clusters: Clusters) -> None:
    clusters.apply(pod("stranger", {"name": "main", "image": "docker.io/library/nginx:1.27"}))
    waiting = "{.status.containerStatuses[0].state.waiting.reason}"
    clusters.wait("pod/stranger", f"jsonpath={waiting}=ImagePullBackOff")
    assert clusters.get("pod", "stranger")["status"]["phase"] == "Pending"
    said = clusters.events("stranger")["Failed"]
    assert "docker.io/library/nginx:1.27" in said and "sandbox has no program for it" in said
    clusters.run("delete", "pod", "stranger", "--timeout=10s")


def test_logs_current_previous_and_in_part(clusters: Clusters) -> None:
    script = (
        "n=$(cat $HOME/n 2>/dev/null || echo 0); echo $((n+1)) >$HOME/n; echo run $n; for i in 1 2 3; do echo $i; done"
    )
    again = container(f"{script}; test $n = 1 && exec sleep 600; exit 7")
    clusters.apply(pod("chatty", again, restartPolicy="OnFailure"))
    clusters.wait("pod/chatty", "jsonpath={.status.containerStatuses[0].restartCount}=1")
    clusters.wait("pod/chatty", "condition=Ready")
    until(lambda: clusters.logs("chatty") == "run 1\n1\n2\n3\n")
    assert clusters.logs("chatty", "--previous") == "run 0\n1\n2\n3\n"
    assert clusters.logs("chatty", "--tail=2") == "2\n3\n"
    assert clusters.logs("chatty", "--limit-bytes=7") == "run 1\n1"
    assert clusters.logs("chatty", "--since=1h").startswith("run 1")
    stamp, _, text = clusters.logs("chatty", "--timestamps", "--tail=1").partition(" ")
    assert (stamp[:2], stamp[-1], text) == ("20", "Z", "3\n")
    last = clusters.get("pod", "chatty")["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert last["exitCode"] == 7
    refused = clusters.run("logs", "chatty", "-c", "nobody", check=False)
    assert refused.returncode != 0 and "nobody" in refused.stderr
    clusters.run("delete", "pod", "chatty", "--timeout=10s")


def test_following_reader_sees_lines_as_they_come(clusters: Clusters) -> None:
    ticking = container("for i in 1 2 3 4; do echo tick $i; sleep 0.3; done; printf unfinished; exit 0")
    clusters.apply(pod("ticking", ticking))
    clusters.wait("pod/ticking", "condition=PodReadyToStartContainers")
    until(lambda: clusters.run("logs", "ticking", check=False).returncode == 0)
    assert clusters.logs("ticking", "--follow") == "tick 1\ntick 2\ntick 3\ntick 4\nunfinished"


def test_variables_and_volumes(clusters: Clusters) -> None:
    here = clusters.at(namespace="mounts")
    config: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}}
    config["data"] = {"colour": "blue", "app.conf": "level=high\n"}
    secret: Json = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "secret"}}
    secret["data"] = {"password": base64.b64encode(b"s3cret").decode()}
    env = [
        {"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "secret", "key": "password"}}},
        {"name": "MISSING", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "x", "optional": True}}},
        {"name": "GREETING", "value": "hello $(WHO) $(PASSWORD) $$(WHO) $(NOBODY)"},
        {"name": "CONF", "value": "file=/etc/app/app.conf"},
    ]
    script = """
import json, os, pathlib, sys
conf, scratch = map(pathlib.Path, sys.argv[1:])
(scratch / "made").write_text("x")
every = pathlib.Path(os.environ["ALL"])
names = ["WHO", "PASSWORD", "MISSING", "GREETING", "MAP_colour", "POD_IP", "HOSTNAME", "HTTPS_PROXY", "SANDBOX_HOME"]
print(json.dumps({
    "env": {name: os.environ.get(name) for name in names},
    "conf": conf.read_text(),
    "named": pathlib.Path(os.environ["CONF"].partition("=")[2]).read_text(),
    "labels": (every / "labels").read_text(),
    "secret": (every / "password").read_text(),
    "mode": oct((every / "password").stat().st_mode & 0o777),
    "token": (every / "token").read_text().count("."),
}))
"""
    main = {
        "name": "main",
        "image": AGENT,
        "command": ["python", "-c", script],
        "args": ["/etc/app/app.conf", "/scratch"],
        "env": [*env, {"name": "ALL", "value": "/all"}],
        "envFrom": [{"prefix": "MAP_", "configMapRef": {"name": "config"}}],
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/app"},
            {"name": "scratch", "mountPath": "/scratch"},
            {"name": "all", "mountPath": "/all"},
        ],
    }
    sources = [
        {"secret": {"name": "secret"}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"serviceAccountToken": {"path": "token"}},
    ]
    volumes = [
        {"name": "config", "configMap": {"name": "config", "items": [{"key": "app.conf", "path": "app.conf"}]}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "all", "projected": {"defaultMode": 0o440, "sources": sources}},
    ]
    found = here.finish(pod("reader", main, volumes=volumes, serviceAccountName="default"), config, secret)
    assert ended(found)["exitCode"] == 0, here.logs("reader")
    told: dict[str, Any] = json.loads(here.logs("reader"))
    assert told["env"] == {
        "WHO": "mounts",
        "PASSWORD": "s3cret",
        "MISSING": None,
        "GREETING": "hello mounts s3cret $(WHO) $(NOBODY)",
        "MAP_colour": "blue",
        "POD_IP": found["status"]["podIP"],
        "HOSTNAME": "reader",
        "HTTPS_PROXY": None,
        "SANDBOX_HOME": None,
    }
    assert told["conf"] == told["named"] == "level=high\n"
    assert (told["labels"], told["secret"], told["mode"], told["token"]) == ('app="reader"', "s3cret", "0o440", 2)


def test_pod_waits_for_a_config_map_that_comes_later(clusters: Clusters) -> None:
    env = [{"name": "LATE", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "word"}}}]
    clusters.apply(pod("patient", container("echo $LATE", env=env)))
    waiting = "{.status.containerStatuses[0].state.waiting.reason}"
    clusters.wait("pod/patient", f"jsonpath={waiting}=CreateContainerConfigError")
    assert 'configmap "late" not found' in clusters.events("patient")["Failed"]
    clusters.run("create", "configmap", "late", "--from-literal=word=arrived")
    clusters.wait("pod/patient", "jsonpath={.status.phase}=Succeeded")
    assert clusters.logs("patient") == "arrived\n"


def test_init_containers_sidecar_and_message(clusters: Clusters) -> None:
    volumes = [{"name": "shared", "emptyDir": {}}]
    mounts = [{"name": "shared", "mountPath": "/shared"}]

    def step(name: str, script: str, **more: Any) -> Json:
        return {**container(script, volumeMounts=mounts, **more), "name": name}

    first = step("first", "echo one >/shared/steps")
    side = step("side", "echo side >>/shared/steps; exec sleep 600", restartPolicy="Always")
    main = step("main", "sleep 0.3; cat /shared/steps; echo because >/dev/termination-log; exit 4")
    found = clusters.finish(pod("steps", main, initContainers=[first, side], volumes=volumes))
    assert clusters.logs("steps", "-c", "main") == "one\nside\n"
    assert (ended(found)["exitCode"], ended(found)["message"]) == (4, "because\n")
    clusters.wait("pod/steps", "jsonpath={.status.phase}=Failed")
    broken = pod("broken-step", container("echo never"), initContainers=[step("first", "exit 9")], volumes=volumes)
    clusters.apply(broken)
    clusters.wait("pod/broken-step", "jsonpath={.status.phase}=Failed")
    assert (
        clusters.get("pod", "broken-step")["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 9
    )


def test_readiness_stands_behind_the_service_name(clusters: Clusters) -> None:
    here = clusters.at(namespace="named")
    server = """
import os, socket
listener = socket.create_server((os.environ["POD_IP"], 8080))
while True:
    client, _ = listener.accept()
    client.recv(4096)
    client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n")
    client.close()
"""
    web = f"sleep 1.5; exec python -c '{server}'"
    probe = {"httpGet": {"path": "/health", "port": "web"}, "periodSeconds": 10}
    ports = [{"containerPort": 8080, "name": "web"}]
    service: Json = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    service["spec"] = {"selector": {"app": "web"}, "ports": [{"port": 8080}]}
    here.apply(pod("web", container(web, ports=ports, readinessProbe=probe)), service)
    here.wait("pod/web", "jsonpath={.status.containerStatuses[0].started}=true")
    hosts = here.home.root / "node-east/hosts.json"
    assert "web.named.svc.cluster.local" not in json.loads(hosts.read_text())
    here.wait("pod/web", "condition=Ready")
    address = until(lambda: json.loads(hosts.read_text()).get("web.named.svc.cluster.local"))
    assert address == here.get("pod", "web")["status"]["podIP"]
    socket.create_connection((address, 8080), timeout=2).close()
    here.run("delete", "pod", "web", "--timeout=10s")
    until(lambda: "web.named.svc.cluster.local" not in json.loads(hosts.read_text()))


def test_liveness_restarts_and_stubborn_process_is_killed(clusters: Clusters) -> None:
    probe = {"exec": {"command": ["test", "!", "-e", "sick"]}, "periodSeconds": 1, "failureThreshold": 1}
    ailing = container("rm -f sick; sleep 1; touch sick; exec sleep 600", livenessProbe=probe)
    stubborn = {**container("trap '' TERM; echo deaf; while :; do sleep 0.2; done"), "name": "stubborn"}
    clusters.apply(pod("ailing", ailing, stubborn, restartPolicy="Always", terminationGracePeriodSeconds=1))
    clusters.wait("pod/ailing", "jsonpath={.status.containerStatuses[0].restartCount}=1")
    assert "Liveness probe failed" in clusters.events("ailing")["Unhealthy"]
    begun = time.monotonic()
    clusters.run("delete", "pod", "ailing", "--timeout=10s")
    assert 1 <= time.monotonic() - begun < 6


def test_namespace_goes_away_with_all_in_it(clusters: Clusters) -> None:
    here = clusters.at(namespace="doomed")
    here.apply(deployment("one", {"name": "agent", "image": AGENT}), job("two", "exec sleep 600"))
    here.run("rollout", "status", "deployment/one", "--timeout=30s")
    folders = here.home.root / "node-east/pods"
    uids = [one["metadata"]["uid"] for one in here.get("pods")["items"]]
    assert uids and all((folders / uid).exists() for uid in uids)
    here.run("delete", "namespace", "doomed", "--timeout=40s")
    until(lambda: not any((folders / uid).exists() for uid in uids))


def test_two_clusters_side_by_side(clusters: Clusters) -> None:
    pods = {}
    for context in ("east", "west"):
        there = clusters.at(context=context)
        there.apply(pod("twin", container(f"echo I am {context}; exec sleep 600")))
        there.wait("pod/twin", "condition=Ready")
        pods[context] = there.get("pod", "twin")
        assert until(partial(there.logs, "twin")) == f"I am {context}\n"
        assert [one["metadata"]["name"] for one in there.get("nodes")["items"]] == [f"node-{context}"]
        there.run("delete", "pod", "twin", "--force", "--grace-period=0")
    assert pods["east"]["status"]["podIP"].startswith("127.10.")
    assert pods["west"]["status"]["podIP"].startswith("127.20.")
    ranges = [
        clusters.at(context=context).get("service", "kubernetes", "-n", "default") for context in ("east", "west")
    ]
    assert [one["spec"]["clusterIP"] for one in ranges] == ["10.96.0.1", "10.97.0.1"]


def test_node_that_is_killed_finds_its_pods_again(clusters: Clusters) -> None:
    script = "sleep 600 & echo $$$$ $!; echo kept >>$HOME/kept; wait"
    clusters.apply(pod("survivor", container(script), restartPolicy="Always"))
    clusters.wait("pod/survivor", "condition=Ready")
    before = until(lambda: clusters.logs("survivor"))
    address = clusters.get("pod", "survivor")["status"]["podIP"]
    killed = clusters.supervisor.pid("node-east")
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    for pid in map(int, before.split()):
        until(partial(dead, pid), seconds=3)
    clusters.wait("pod/survivor", "jsonpath={.status.containerStatuses[0].restartCount}=1")
    clusters.wait("pod/survivor", "condition=Ready")
    found = clusters.get("pod", "survivor")["status"]
    assert found["podIP"] == address
    assert found["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 255
    assert clusters.logs("survivor", "--previous") == before
    assert until(lambda: clusters.logs("survivor")) != before
    clusters.run("delete", "pod", "survivor", "--timeout=10s")


def test_node_answers_nobody_but_its_api_server(clusters: Clusters) -> None:
    home = clusters.home
    context = ssl.create_default_context(cafile=str(home.root / "certificates/root.pem"))
    url = f"https://127.0.0.1:{home.port('node-east')}"

    def get(path: str) -> bytes:
        direct = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        return bytes(direct.open(url + path, timeout=5).read())

    assert get("/healthz") == b"ok"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        get("/pods")
    # A certificate of the same root, but of somebody else.
    context.load_cert_chain(home.root / "certificates/node-west.pem", home.root / "certificates/node-west.key")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        get("/pods")
    context.load_cert_chain(
        home.root / "certificates/kubelet-client.pem", home.root / "certificates/kubelet-client.key"
    )
    assert json.loads(get("/pods"))["kind"] == "PodList"


def test_node_selector_that_does_not_suit(clusters: Clusters) -> None:
    clusters.apply(pod("windows", container("true"), nodeSelector={"kubernetes.io/os": "windows"}))
    clusters.wait("pod/windows", 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].reason}=Unschedulable')
    assert "didn't match" in until(lambda: clusters.events("windows").get("FailedScheduling"))
    clusters.run("delete", "pod", "windows", "--timeout=10s")


def test_daemon_set_has_its_pod_on_the_node(clusters: Clusters) -> None:
    labels = {"app": "daemon"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "agent", "image": AGENT}]}}
    daemon: Json = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "daemon"}}
    clusters.apply({**daemon, "spec": {"selector": {"matchLabels": labels}, "template": template}})
    clusters.run("rollout", "status", "daemonset/daemon", "--timeout=30s")
    clusters.run("delete", "daemonset", "daemon", "--timeout=10s")


def test_helm_waits_for_the_release(clusters: Clusters, tmp_path: Any) -> None:
    try:
        helm = str(Home.tool("helm"))
    except MissingTool as error:
        pytest.skip(str(error))
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: tiny\nversion: 0.1.0\n")
    (tmp_path / "templates/all.yaml").write_text(json.dumps(deployment("tiny", {"name": "agent", "image": AGENT})))
    words = [helm, "--kubeconfig", clusters.command[2], "--kube-context", "east", "--namespace", "tiny"]
    home = {**os.environ, "HELM_CACHE_HOME": str(tmp_path / "cache"), "HELM_CONFIG_HOME": str(tmp_path / "config")}
    for verb in (["install", "tiny", str(tmp_path), "--create-namespace", "--wait"], ["uninstall", "tiny", "--wait"]):
        done = subprocess.run([*words, *verb, "--timeout=30s"], env=home, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
