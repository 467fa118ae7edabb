"""What the fake `az` and `kubectl` of the driver's tests do; started without site-packages, to be quick."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def _record(root: Path, argv: list[str]) -> int:
    number = len(list((root / "calls").glob("az-*.json")))
    files = {}
    for word in argv:
        path = Path(word.removeprefix("@"))
        if path.is_absolute() and path.is_file():
            files[word] = {"text": path.read_text(), "mode": path.stat().st_mode & 0o777}
    config = Path(os.environ["AZURE_CONFIG_DIR"])
    kubeconfig = os.environ.get("KUBECONFIG", "")
    call = {
        "argv": argv,
        "files": files,
        "env": dict(os.environ),
        "time": time.time(),
        "pid": os.getpid(),
        "config": sorted(path.name for path in config.iterdir()),
        "folder_mode": config.parent.stat().st_mode & 0o777,
        "kubeconfig": Path(kubeconfig).read_text() if kubeconfig else "",
    }
    (root / "calls" / f"az-{number:03d}.json").write_text(json.dumps(call))
    return number


def _value(argv: list[str], flag: str) -> str | None:
    if flag not in argv:
        return None
    word = argv[argv.index(flag) + 1]
    return Path(word[1:]).read_text() if word.startswith("@") else word


def az(root: Path, argv: list[str]) -> None:
    if argv[0] == "version":
        with (root / "versions.log").open("a") as log:
            log.write("asked\n")
        known = root / "versions.json"
        newest = {"azure-cli": "2.91.0", "extensions": {"connectedk8s": "1.11.2"}}
        print(known.read_text() if known.exists() else json.dumps(newest))
        return
    number = _record(root, argv)
    script = root / "script.json"
    behaviours = json.loads(script.read_text()) if script.exists() else []
    behaviour: dict[str, Any] = behaviours[number] if number < len(behaviours) else {}
    if "hang" in behaviour:
        helm = subprocess.Popen([sys.executable, "-S", "-c", f"import time; time.sleep({behaviour['hang']})"])
        (root / "helm.pid").write_text(str(helm.pid))
        time.sleep(behaviour["hang"])
    if "say" in behaviour and not behaviour.get("after"):
        print(behaviour["say"], file=sys.stderr)
        sys.exit(behaviour.get("status", 1))
    state = json.loads((root / "state.json").read_text())
    if argv[:2] == ["account", "get-access-token"]:
        print(json.dumps({"accessToken": "cli-token", "expires_on": int(time.time()) + 3600}))
        return
    if argv[0] == "login":
        return
    if argv[1] == "show":
        print(json.dumps(state["cluster"]))
        return
    {"connect": _connect, "update": _update, "delete": _delete}[argv[1]](state, argv)
    (root / "state.json").write_text(json.dumps(state))
    print("WARNING: this command is chatty", file=sys.stderr)
    if "say" in behaviour:
        print(behaviour["say"], file=sys.stderr)
        sys.exit(behaviour.get("status", 1))
    print(json.dumps(state["cluster"]))


def _connect(state: dict[str, Any], argv: list[str]) -> None:
    subscription, group, name = (_value(argv, flag) for flag in ("--subscription", "--resource-group", "--name"))
    scope = f"/subscriptions/{subscription}/resourceGroups/{group}"
    known = f"{scope}/providers/Microsoft.Kubernetes/connectedClusters/{name}"
    state["identity"] = [subscription, group, name]
    state["cluster"] = {
        "id": known,
        "location": "eastus",
        "tags": {},
        "properties": {"connectivityStatus": "Connected", "agentVersion": "1.36.1", "gateway": {"enabled": False}},
    }
    state["release"] = {"status": "deployed", "values": {"global": {"gatewayEnabled": False, "isProxyEnabled": False}}}
    _update(state, argv)


def _update(state: dict[str, Any], argv: list[str]) -> None:
    values = state["release"]["values"]["global"]
    state["release"]["status"] = "deployed"
    gateway = _value(argv, "--gateway-resource-id")
    if gateway or "--disable-gateway" in argv:
        state["setting"] = {
            "properties": {"gatewayProperties": {"gatewayResourceId": gateway}},
            "systemData": {"lastModifiedAt": "2026-11-24T10:20:30.1234567Z"},
        }
        state["cluster"]["properties"]["gateway"] = {"enabled": bool(gateway)}
        values["gatewayEnabled"] = bool(gateway)
    properties = state["cluster"]["properties"]
    for flag, name in _PLAIN.items():
        if flag in argv:
            properties[name] = _value(argv, flag)
    if "--auto-upgrade" in argv or "--disable-auto-upgrade" in argv:
        enabled = _value(argv, "--auto-upgrade") == "true" if "--auto-upgrade" in argv else False
        properties["arcAgentProfile"] = {"agentAutoUpgrade": "Enabled" if enabled else "Disabled"}
    if "--enable-oidc-issuer" in argv:
        issuer = _value(argv, "--self-hosted-issuer")
        properties["oidcIssuerProfile"] = {"enabled": True} | ({"selfHostedIssuerUrl": issuer} if issuer else {})
    for flag, on in (("--enable-workload-identity", True), ("--disable-workload-identity", False)):
        if flag in argv:
            properties["securityProfile"] = {"workloadIdentity": {"enabled": on}}
    if "--enable-private-link" in argv:
        properties["privateLinkState"] = {"true": "Enabled", "false": "Disabled"}[_value(argv, "--enable-private-link")]
    _configure(properties, values, argv)
    proxies = (("--proxy-https", "httpsProxy"), ("--proxy-http", "httpProxy"), ("--proxy-skip-range", "noProxy"))
    for flag, key in proxies:
        if flag in argv:
            values |= {key: _value(argv, flag), "isProxyEnabled": True}
    if "--proxy-cert" in argv:
        values["proxyCert"] = Path(argv[argv.index("--proxy-cert") + 1]).read_text()
    if "--disable-proxy" in argv:
        values["isProxyEnabled"] = False
    if "--tags" in argv:
        state["cluster"]["tags"] = _pairs(argv, "--tags")


_PLAIN = {
    "--distribution": "distribution",
    "--distribution-version": "distributionVersion",
    "--infrastructure": "infrastructure",
    "--azure-hybrid-benefit": "azureHybridBenefit",
    "--private-link-scope-resource-id": "privateLinkScopeResourceId",
}


def _pairs(argv: list[str], flag: str) -> dict[str, str]:
    words = argv[argv.index(flag) + 1 :] if flag in argv else []
    ends = next((index for index, word in enumerate(words) if word.startswith("--")), len(words))
    read = (Path(word[1:]).read_text() if word.startswith("@") else word for word in words[:ends])
    return dict(word.split("=", 1) for word in read)


def _configure(properties: dict[str, Any], values: dict[str, Any], argv: list[str]) -> None:
    """As the real one does: the features that are named take the place of all that there are."""
    plain, protected = _pairs(argv, "--configuration-settings"), _pairs(argv, "--config-protected-settings")
    if "--container-log-path" in argv:
        plain["logging.container_log_path"] = _value(argv, "--container-log-path") or ""
    proxied = any(flag in argv for flag in ("--proxy-https", "--proxy-http", "--proxy-skip-range", "--proxy-cert"))
    if not plain and not protected and not proxied:
        return
    features: dict[str, dict[str, str]] = {"proxy": {}} if proxied else {}
    for name, value in plain.items():
        feature, setting = name.split(".")
        features.setdefault(feature, {})[setting] = value
    properties["arcAgentryConfigurations"] = [
        {"feature": feature, "settings": settings} for feature, settings in features.items()
    ]
    values |= {name.replace(".", "-"): value for name, value in protected.items()}


def _delete(state: dict[str, Any], argv: list[str]) -> None:
    if state["cluster"] is None:
        print("ERROR: (ResourceNotFound) The Resource 'edge' was not found.", file=sys.stderr)
        sys.exit(3)
    if state["release"] and not state["identity"] and "--force" not in argv:
        print("ERROR: Unable to read ConfigMap 'azure-clusterconfig' in 'azure-arc' namespace", file=sys.stderr)
        sys.exit(1)
    state |= {"cluster": None, "setting": None, "release": None, "identity": None}


def kubectl(root: Path, argv: list[str]) -> None:
    with (root / "kubectl.log").open("a") as log:
        log.write(" ".join(argv) + "\n")
    state = json.loads((root / "state.json").read_text())
    if state.get("unreachable"):
        print("Unable to connect to the server: dial tcp 10.1.2.3:6443: connect: connection refused", file=sys.stderr)
        sys.exit(1)
    if "replace" in argv or "delete" in argv:
        _write_release(root, state, argv)
        return
    kinds = argv[argv.index("get") + 1]
    if kinds == "--raw":
        kinds = argv[argv.index("--raw") + 1].partition("?")[0].rpartition("/")[2]
    items: list[dict[str, Any]] = []
    if kinds.startswith("deployments") and state["release"]:
        ready = 1 if state["ready"] else 0
        names = ["clusterconnect-agent", "cluster-metadata-operator"]
        if state["release"]["values"]["global"].get("gatewayEnabled"):
            names.append("arc-proxy")
        items = [
            {
                "kind": "Deployment",
                "metadata": {"name": name, "generation": 1},
                "spec": {"replicas": 1},
                "status": {"observedGeneration": 1, "readyReplicas": ready, "updatedReplicas": 1},
            }
            for name in names
        ]
    if kinds.startswith("deployments") and state["identity"]:
        keys = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_RESOURCE_NAME")
        items.append(
            {
                "kind": "ConfigMap",
                "metadata": {"name": "azure-clusterconfig"},
                "data": dict(zip(keys, state["identity"], strict=True)),
            }
        )
    if kinds == "secret":
        print(json.dumps(_helm_secret(state["release"])))
        return
    if kinds == "secrets" and state["release"]:
        items = [_helm_secret(state["release"])]
    if "servicecidrs" in kinds:
        if state.get("old"):
            print('error: the server doesn\'t have a resource type "servicecidrs"', file=sys.stderr)
            sys.exit(1)
        items.append({"kind": "ServiceCIDR", "spec": {"cidrs": ["10.96.0.0/16"]}})
    if kinds == "services":
        items = [
            {"kind": "Service", "spec": {"clusterIPs": ["10.43.0.1"]}},
            {"kind": "Service", "spec": {"clusterIPs": ["None"]}},
        ]
    print(json.dumps({"kind": "List", "items": items}))


def _write_release(root: Path, state: dict[str, Any], argv: list[str]) -> None:
    if "delete" in argv:
        state["release"] = None
    else:
        given = json.loads(sys.stdin.read())
        if given["metadata"]["resourceVersion"] != str(state["release"].get("version", 1)):
            print("Error from server (Conflict): the object has been modified", file=sys.stderr)
            sys.exit(1)
        body = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(given["data"]["release"]))))
        assert body["info"]["status"] == given["metadata"]["labels"]["status"]
        state["release"]["status"] = body["info"]["status"]
    (root / "state.json").write_text(json.dumps(state))


def helm(root: Path, argv: list[str]) -> None:
    """What the driver runs of helm: the end of a release."""
    with (root / "helm.log").open("a") as log:
        log.write(" ".join(argv) + "\n")
    state = json.loads((root / "state.json").read_text())
    state |= {"release": None, "identity": None}
    (root / "state.json").write_text(json.dumps(state))


def _helm_secret(release: dict[str, Any]) -> dict[str, Any]:
    info = {"status": release["status"], "last_deployed": release.get("since", "2026-11-24T10:20:30.123456789+01:00")}
    packed = gzip.compress(json.dumps({"config": release["values"], "info": info}).encode())
    return {
        "kind": "Secret",
        "metadata": {
            "name": "sh.helm.release.v1.azure-arc.v1",
            "resourceVersion": str(release.get("version", 1)),
            "labels": {"owner": "helm", "name": "azure-arc", "status": release["status"], "version": "1"},
        },
        "data": {"release": base64.b64encode(base64.b64encode(packed)).decode()},
    }
