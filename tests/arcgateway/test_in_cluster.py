"""The preflight's Job: its manifests, what its pod runs, what its log tells, and the words that describe it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from network_world import Network, network

from arcgateway import in_cluster, pod_names, pod_probe
from arcgateway.endpoints import required
from arcgateway.in_cluster import Place, as_json, job, left_over, secret
from arcgateway.preflight import Report, Result, endpoint
from arcgateway.proxy import ProxySettings, ProxyUrl

CANARY = "c4nary p@ss/w:rd"
PROXY = ProxyUrl("http", "127.0.0.1", 9, "us er", CANARY)


@pytest.fixture
def net() -> Iterator[Network]:
    with network() as world:
        yield world


def found(host: str = "management.azure.com", **more: Any) -> Result:
    fields = {"port": 443, "verdict": "pass", "cause": "ok", "evidence": "", "mend": "", "milliseconds": 1}
    return Result(**{"host": host, "probed": host, **fields, **more})


def performed(net: Network, folder: Path, proxy: ProxySettings, *rows: Any, roots: tuple[str, ...] = ()) -> Report:
    """What a Python without any package finds, started as in the pod."""
    (folder / "probe.pyz").write_bytes(pod_probe.archive())
    (folder / "task.json").write_text(pod_probe.task(rows, proxy, roots, "m4rk", {"timeout": 5}))
    command = job("j", "n", Place(), seconds=9)["spec"]["template"]["spec"]["containers"][0]["command"]
    argv = [sys.executable, *(word.replace("/preflight/", f"{folder}/") for word in command[1:])]
    done = subprocess.run(
        argv, env={"TMPDIR": str(folder)}, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "c4nary" not in done.stdout + done.stderr
    return pod_probe.unframed(done.stdout, "m4rk")


def pem(authority: Any) -> str:
    return str(authority.cert_pem.bytes().decode())


def test_a_python_without_packages_finds_what_this_one_finds(net: Network, tmp_path: Path) -> None:
    azure, inspected = net.azure(), net.azure(net.context(net.inspector))
    routes: dict[str, int | bytes] = {
        "management.azure.com": azure,
        "mcr.microsoft.com": inspected,
        "login.microsoftonline.com": b"HTTP/1.1 403 Forbidden\r\n\r\n",
        "abc.gw.arc.azure.com": net.gateway(azure),
    }
    port = net.proxy(lambda host, _: routes[host], credentials=f"us er:{CANARY}")
    proxy = ProxySettings(https=ProxyUrl("http", "127.0.0.1", port, "us er", CANARY))
    report = performed(net, tmp_path, proxy, *map(endpoint, routes), roots=(pem(net.genuine),))
    assert [item.cause for item in report.results] == ["ok", "tls-intercepted", "denied-by-proxy", "ok"]
    assert report.results[0].genuine_root
    assert "O=Inspector" in report.results[1].evidence and "issuer OU=Testing CA" in report.results[1].evidence
    assert "inside it a CONNECT" in report.results[3].evidence
    assert report.proxy == f"http://127.0.0.1:{port}"


def test_the_names_of_a_certificate_read_the_same_with_and_without_cryptography(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ssl

    from arcgateway.trust import describe

    der = ssl.PEM_cert_to_DER_cert(pem(net.inspector))
    known = describe(der)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert describe(der) == known
    assert describe(b"no certificate").issuer == "(unreadable)"


def test_the_archive_holds_what_the_probe_imports_and_fits_into_a_secret() -> None:
    made = pod_probe.archive()
    names = zipfile.ZipFile(io.BytesIO(made)).namelist()
    assert {"arcgateway/preflight.py", "arcgateway/tunnel.py", "certifi/cacert.pem", "__main__.py"} <= set(names)
    assert not any("azure_cli" in name or "operations" in name for name in names)
    assert len(made) < 500_000
    assert made == pod_probe.archive()


def test_an_old_python_says_so() -> None:
    entry = zipfile.ZipFile(io.BytesIO(pod_probe.archive())).read("__main__.py").decode()
    script = f"import sys; sys.version_info = (3, 9)\n{entry}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "needs Python 3.11 or later, and this image has 3.9" in done.stderr


def long_report() -> Report:
    """One that takes several lines however it is packed."""
    texts = [hashlib.sha512(str(number).encode()).hexdigest() * 2 for number in range(60)]
    return Report(
        "http://p:1", tuple(found(f"h{number}.azure.com", evidence=text) for number, text in enumerate(texts))
    )


def test_a_report_is_read_from_between_other_lines() -> None:
    lines = pod_probe.framed(long_report(), "m4rk")
    assert len(lines) > 1 and max(map(len, lines)) < 4096
    noise = ["", "warning: m4rk", "arcgateway-preflight other 1/1 eJw=", "\x00\xff", "{}"]
    log = [text for line in [*reversed(lines), lines[0]] for text in (*noise, f"2026-11-24T10:00:00Z stdout F {line} ")]
    assert pod_probe.unframed("\r\n".join(log), "m4rk") == long_report()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: [], "holds no report"),
        (lambda lines: lines[1:], "lacks 1 of"),
        (lambda lines: [lines[0][:-40], *lines[1:]], "damaged"),
    ],
    ids=["nothing", "a piece short", "cut"],
)
def test_half_a_report_is_none(change: Any, words: str) -> None:
    with pytest.raises(pod_probe.Incomplete, match=words):
        pod_probe.unframed("\n".join(change(pod_probe.framed(long_report(), "m"))), "m")


def test_a_task_takes_everything_along() -> None:
    rows = required("abc.gw.arc.azure.com", "eastus", ["key-vault"])
    proxy = ProxySettings(https=PROXY, http=None, skip=("10.0.0.0/16", ".svc"), certificate="PEM")
    given = json.loads(pod_probe.task(rows, proxy, ["root"], "m", {"timeout": 3}))
    assert pod_probe._proxy(given["proxy"]) == proxy
    assert [pod_probe.Endpoint(**row) for row in given["endpoints"]] == list(rows)


def test_no_secret_stands_in_the_job() -> None:
    made = job("arcgateway-preflight-x", "azure-arc", Place(), seconds=300)
    assert made["spec"]["suspend"] is True, "no pod before its Secret is there"
    assert made["spec"]["ttlSecondsAfterFinished"] > 0 and made["spec"]["activeDeadlineSeconds"] == 300
    assert made["spec"]["backoffLimit"] == 0
    kept = secret({"metadata": {"name": "x", "namespace": "n", "uid": "u"}}, f'{{"p": "{CANARY}"}}', b"zip")
    assert CANARY in base64.b64decode(kept["data"]["task.json"]).decode()
    assert kept["metadata"]["ownerReferences"] == [{"apiVersion": "batch/v1", "kind": "Job", "name": "x", "uid": "u"}]


def test_the_pod_keeps_to_the_restricted_level() -> None:
    pod = job("x", "n", Place(), seconds=300)["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False and pod["restartPolicy"] == "Never"
    assert {kind for volume in pod["volumes"] for kind in volume} == {"name", "secret", "emptyDir"}
    assert [entry["name"] for entry in container["env"]] == ["TMPDIR"]


def test_where_the_pod_runs_is_as_it_is_told() -> None:
    place = Place(
        image="registry.corp:5000/python:3.12",
        service_account="probe",
        pull_secrets=("corp",),
        node_selector={"pool": "edge"},
        tolerations=(pod_names.toleration("dedicated=arc:NoSchedule"),),
        run_as_user=None,
    )
    pod = job("x", "n", place, seconds=300)["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "registry.corp:5000/python:3.12"
    assert pod["serviceAccountName"] == "probe" and pod["imagePullSecrets"] == [{"name": "corp"}]
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux", "pool": "edge"}
    assert pod["tolerations"] == [{"key": "dedicated", "operator": "Equal", "value": "arc", "effect": "NoSchedule"}]
    assert "runAsUser" not in pod["securityContext"]


def test_the_json_says_where_it_comes_from() -> None:
    report = Report("http://p:1", (found(),))
    assert as_json(report, "east") == {**report.as_json(), "from": "cluster east"}


def test_what_killed_runs_left_is_known_by_its_age() -> None:
    now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

    def made(name: str, when: str, **spec: Any) -> dict[str, Any]:
        return {"metadata": {"name": name, "creationTimestamp": f"2026-11-24T{when}:00Z"}, "spec": spec}

    jobs = [
        made("left", "10:30", suspend=True),
        made("begins now", "11:59", suspend=True),
        made("runs", "10:30", suspend=False),
        made("is over", "10:30"),
    ]
    assert left_over(jobs, now) == ["left"]


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("key", {"key": "key", "operator": "Exists"}),
        ("key:NoExecute", {"key": "key", "operator": "Exists", "effect": "NoExecute"}),
        ("a.io/b=c", {"key": "a.io/b", "operator": "Equal", "value": "c"}),
        ("k=:NoSchedule", {"key": "k", "operator": "Equal", "value": "", "effect": "NoSchedule"}),
        (":NoSchedule", {"operator": "Exists", "effect": "NoSchedule"}),
    ],
)
def test_tolerations(text: str, made: dict[str, str]) -> None:
    assert pod_names.toleration(text) == made


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (pod_names.toleration, ""),
        (pod_names.toleration, "=v"),
        (pod_names.toleration, "k:Never"),
        (pod_names.label, "key"),
        (pod_names.label, "a b=c"),
        (pod_names.name, "Upper"),
        (pod_names.name, "-a"),
        (pod_names.name, "a/b"),
        (pod_names.image, "https://registry/x"),
        (pod_names.image, "a b"),
        (pod_names.image, "x@sha256:12"),
        (pod_names.image, "-x"),
    ],
)
def test_words_that_describe_no_pod_are_refused(read: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r"give|is no name"):
        read(text)


@pytest.mark.parametrize(
    "text",
    [in_cluster.IMAGE, "python", "python:3.12", "localhost:5000/a/b_c:1", "a.io/b@sha256:" + "0" * 64],
    ids=["default", "short", "tag", "port", "digest"],
)
def test_references_to_images(text: str) -> None:
    assert pod_names.image(text) == text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "Missing option '--proxy'"),
        (("--proxy", "http://p:1", "--image", "x"), "--image is about the cluster's pod: give --in-cluster too"),
        (("--proxy", "http://p:1", "--toleration", "x"), "--toleration is about"),
        (("--in-cluster", "--run-as-user", "0"), "is no user of a pod"),
        (("--in-cluster", "--run-as-user", "root"), "is no user of a pod"),
        (("--in-cluster", "--namespace", "No"), "is no name"),
        (("--in-cluster", "--wait", "0"), "--wait"),
        (("--in-cluster", "--proxy", f"http://u:{CANARY}@p"), "proxy URL"),
        (("--in-cluster", "--endpoint", "a_b!"), "host name"),
        (("--in-cluster",), "no kubeconfig"),
    ],
)
def test_wrong_usage_is_status_one_and_a_line(options: tuple[str, ...], words: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "arcgateway", "preflight", *options],
        env={"HOME": str(tmp_path), "PYTHONPATH": str(Path(pod_probe.__file__).parents[1]), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and done.stdout == "" and words in done.stderr
    assert "c4nary" not in done.stderr and "Traceback" not in done.stderr
