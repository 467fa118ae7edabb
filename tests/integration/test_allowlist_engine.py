"""The allowlist where it is used: rules of a firewall policy by the engine, egress policies in a real API server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from running_sandbox import Sandbox

from arcgateway import endpoints
from sandbox.home import PROJECT

pytestmark = pytest.mark.long

GATEWAY = "ab12.gw.arc.azure.com"
QUIET = ("--stack", "dev", "--non-interactive", "--color", "never")

GROUP = "/resourceGroups/edge"
POLICY = f"{GROUP}/providers/Microsoft.Network/firewallPolicies/edge"

PROGRAM = """
import json, os
import pulumi
from components import EndpointAllowlist

allowlist = EndpointAllowlist("arc", {
    "gateway_endpoint": "ab12.gw.arc.azure.com",
    "regions": ["eastus"],
    "firewall_policy_id": os.environ["POLICY"],
    **json.loads(os.environ.get("MORE", "{}")),
})
for name in ("required", "removable", "removable_at", "kept", "files"):
    pulumi.export(name, getattr(allowlist, name))
"""


@pytest.fixture(scope="module")
def folder(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("firewall")
    runtime = {"name": "python", "options": {"virtualenv": str(PROJECT / ".venv")}}
    (made / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "firewall", "runtime": runtime}))
    (made / "__main__.py").write_text(PROGRAM)
    sandbox.run("pulumi", "stack", "init", "dev", cwd=made, PULUMI_OPTION_CONFIG_FILE="")
    azure(sandbox, "put", f"{GROUP}?api-version=2024-03-01", {"location": "eastus"})
    azure(sandbox, "put", f"{POLICY}?api-version=2024-05-01", {"location": "eastus", "properties": {}})
    return made


def azure(sandbox: Sandbox, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """What Azure answers on a path below the subscription."""
    variables = sandbox.variables
    token = sandbox.json("az", "account", "get-access-token", "--output", "json")["accessToken"]
    with requests.Session() as session:
        session.trust_env, session.verify = False, variables["SSL_CERT_FILE"]
        answer = session.request(
            method,
            f"{variables['SANDBOX_ARM_URL'].rstrip('/')}/subscriptions/{variables['ARM_SUBSCRIPTION_ID']}{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
    assert answer.ok, answer.text
    return dict(answer.json())


def pulumi(sandbox: Sandbox, folder: Path, *words: str, more: dict[str, Any] | None = None) -> str:
    env = {
        "PYTHONPATH": str(PROJECT),
        "PULUMI_OPTION_CONFIG_FILE": "",
        "MORE": json.dumps(more or {}),
        "POLICY": f"/subscriptions/{sandbox.variables['ARM_SUBSCRIPTION_ID']}{POLICY}",
    }
    return sandbox.run("pulumi", *words, *QUIET[: 2 if words[0] == "stack" else None], cwd=folder, **env).stdout


def rules(sandbox: Sandbox) -> dict[str, Any]:
    """What Azure holds."""
    found = azure(sandbox, "get", f"{POLICY}/ruleCollectionGroups/azure-arc?api-version=2024-05-01")
    return dict(found["properties"])


def targets(properties: dict[str, Any]) -> set[tuple[str, int]]:
    (collection,) = properties["ruleCollections"]
    return {
        (host, protocol["port"])
        for rule in collection["rules"]
        for host in rule["targetFqdns"]
        for protocol in rule["protocols"]
    }


def test_a_firewall_policy_gets_the_rules_and_keeps_them_unchanged(sandbox: Sandbox, folder: Path) -> None:
    pulumi(sandbox, folder, "up", "--yes")
    nine = {(row.host, row.port) for row in endpoints.required(GATEWAY, "eastus")}
    assert targets(rules(sandbox)) == nine
    pulumi(sandbox, folder, "preview", "--expect-no-changes", "--diff")

    more = {
        "scenarios": ["azure-rbac"],
        "firewall_priority": 4000,
        "firewall_source_addresses": ["10.0.0.0/16"],
        "firewall_keeps_removable": True,
        "endpoints_removable_at": {"eastus": ["2026-11-26T12:00:00Z"]},
        "formats": ["squid"],
    }
    pulumi(sandbox, folder, "up", "--yes", more=more)
    found = rules(sandbox)
    assert found["priority"] == found["ruleCollections"][0]["priority"] == 4000
    assert {"10.0.0.0/16"} == {one for rule in found["ruleCollections"][0]["rules"] for one in rule["sourceAddresses"]}
    assert ("eastus.obo.arc.azure.com", 8084) in targets(found) and ("sts.windows.net", 443) in targets(found)
    pulumi(sandbox, folder, "preview", "--expect-no-changes", "--diff", more=more)
    outputs = json.loads(pulumi(sandbox, folder, "stack", "output", "--json"))
    assert outputs["removable_at"]["sts.windows.net"] == "2026-11-26T12:00:00Z"
    assert "http_access allow" in outputs["files"]["squid"]

    pulumi(sandbox, folder, "destroy", "--yes")


def _schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


TEXT: dict[str, Any] = {"type": "string"}
LABELS: dict[str, Any] = {"type": "object", "additionalProperties": TEXT}
SELECTOR = _schema(matchLabels=LABELS)
NAME = _schema(
    matchName={"type": "string", "pattern": "^([-a-zA-Z0-9_]+[.]?)+$", "maxLength": 255},
    matchPattern={"type": "string", "pattern": "^(([-a-zA-Z0-9_*]+[.]?)+|[*])$", "maxLength": 255},
)
#: The parts of Cilium's own definition that are used here, with its checks of names.
CILIUM = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "ciliumnetworkpolicies.cilium.io"},
    "spec": {
        "group": "cilium.io",
        "scope": "Namespaced",
        "names": {"kind": "CiliumNetworkPolicy", "plural": "ciliumnetworkpolicies", "singular": "ciliumnetworkpolicy"},
        "versions": [
            {
                "name": "v2",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": _schema(
                        spec=_schema(
                            endpointSelector=SELECTOR,
                            egress=_list(
                                _schema(
                                    toEntities=_list(TEXT),
                                    toEndpoints=_list(SELECTOR),
                                    toCIDR=_list(TEXT),
                                    toFQDNs=_list(NAME),
                                    toPorts=_list(
                                        _schema(
                                            ports=_list(
                                                _schema(
                                                    port=TEXT,
                                                    protocol={"type": "string", "enum": ["TCP", "UDP", "SCTP", "ANY"]},
                                                )
                                            ),
                                            rules=_schema(dns=_list(NAME)),
                                        )
                                    ),
                                )
                            ),
                        )
                    )
                },
            }
        ],
    },
}


@pytest.mark.parametrize(
    "proxy", [None, "http://arc:canary@10.1.2.3:3128", "http://proxy.corp:3128"], ids=["none", "ip", "name"]
)
@pytest.mark.parametrize("form", ["networkpolicy", "cilium"])
def test_egress_policies_are_taken_by_a_real_api_server(
    sandbox: Sandbox, form: str, proxy: str | None, tmp_path: Path
) -> None:
    kubectl = ("kubectl", "--context", "west")
    definition = tmp_path / "definition.json"
    definition.write_text(json.dumps(CILIUM))
    sandbox.run(*kubectl, "apply", "-f", str(definition))
    sandbox.run(*kubectl, "wait", "--for=condition=Established", "--timeout=30s", "crd/ciliumnetworkpolicies.cilium.io")
    words = [str(PROJECT / ".venv/bin/python"), "-m", "arcgateway", "endpoints", "--region", "eastus", "--format", form]
    text = sandbox.run(*words, "--scenario", "azure-rbac", *(["--proxy", proxy] if proxy else [])).stdout
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    sandbox.run(*kubectl, "apply", "--validate=strict", "-f", str(path))
    try:
        kind = {"networkpolicy": "networkpolicies", "cilium": "ciliumnetworkpolicies.cilium.io"}[form]
        held = sandbox.json(*kubectl, "-n", "azure-arc", "get", kind, "arc-agents-egress", "-o", "json")
        wanted = yaml.safe_load(text)["spec"]["egress"]
        assert held["spec"]["egress"] == wanted
        assert "canary" not in json.dumps(held)
    finally:
        sandbox.run(*kubectl, "delete", "-f", str(path))
