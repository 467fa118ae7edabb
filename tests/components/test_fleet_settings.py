"""What a fleet's stacks are configured with is what the stack's program takes; and the schema of the fleet's file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from arcgateway.fleet import document
from arcgateway.fleet.description import Fleet
from arcgateway.fleet.partition import FleetStack, stacks
from components import arguments, fleet_schema, settings
from sandbox.home import PROJECT

EXAMPLE = PROJECT / "examples/fleet/fleet.yaml"
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"

#: Every setting of a cluster, in each of its forms.
ONBOARDED = {
    "ring": "one",
    "location": "East US",
    "resourceGroup": "group",
    "subscriptionId": SUBSCRIPTION,
    "name": "in-azure",
    "kubeContext": "admin@cluster",
    "enabled": False,
    "existing": False,
    "proxy": "corp",
    "gateway": "main",
    "stack": 1,
    "egressPolicy": True,
    "onUnreachable": "forget",
    "distribution": "k3s",
    "distributionVersion": "1.30",
    "azureHybridBenefit": True,
    "disableAutoUpgrade": True,
    "containerLogPath": "/var/log",
    "enableOidcIssuer": True,
    "selfHostedIssuer": "https://issuer.example",
    "enableWorkloadIdentity": True,
    "configurationSettings": {"app": {"a": "b"}},
    "configurationProtectedSettings": {"app": {"key": {"fromEnv": "KEY"}}},
    "tags": {"a": "b"},
    "infrastructure": "generic",
    "customLocationsOid": SUBSCRIPTION,
    "onboardingTimeout": 900,
    "enablePrivateLink": False,
    "privateLinkScopeId": "scope",
}
BY_ID = {
    "ring": "one",
    "location": "eastus",
    "clusterId": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/c",
}
FLEET = {
    "name": "all",
    "subscriptions": [SUBSCRIPTION],
    "rings": [{"name": "one"}],
    "gateways": {
        "main": {
            "resourceGroup": "g",
            "createResourceGroup": True,
            "location": "West Europe",
            "gatewayType": "Public",
            "allowedFeatures": ["*"],
            "tags": {"a": "b"},
            "protect": True,
            "regions": ["eastus"],
        }
    },
    "proxies": {
        "corp": {
            "httpsUrl": {"fromEnv": "PROXY"},
            "httpUrl": "http://proxy:3128",
            "skipRange": ["10.0.0.0/8"],
            "terminatesTls": False,
        },
    },
    "clusters": {
        "onboarded": ONBOARDED,
        "existing": {
            **{key: ONBOARDED[key] for key in ("ring", "location", "resourceGroup", "subscriptionId")},
            "existing": True,
            "gateway": False,
        },
        "by-id": BY_ID,
    },
    "allowlist": {"scenarios": ["key-vault"], "vault": "safe", "edition": "ga", "formats": ["squid"]},
    "preflight": {"mode": "warn", "inCluster": True, "exceptions": {"*.example.com": {"reason": "closed"}}},
    "drift": "warn",
}


def taken(stack: FleetStack, env: Mapping[str, str]) -> settings.Settings:
    """The settings as the stack's program reads them, with secrets where they belong."""
    config = json.loads(json.dumps(stack.config))
    secret = set()
    for path, variable in stack.secrets.items():
        first, *keys = path.split(".")
        at = config[first]
        for key in keys[:-1]:
            at = at.setdefault(key.removesuffix("]"), {})
        at[keys[-1]] = env[variable]
        secret.add(f"arc-gateway:{first}")
    own = {f"arc-gateway:{key}": value for key, value in config.items() if ":" not in key}
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in own.items()}
    pulumi.runtime.set_all_config(texts, list(secret))
    return settings.load(pulumi.Config("arc-gateway"))


def made(folder: Path, content: Mapping[str, Any]) -> tuple[FleetStack, ...]:
    path = folder / "fleet.yaml"
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False))
    return stacks(Fleet.load(path, None))


def test_every_setting_of_a_fleet_is_one_that_a_stack_takes(tmp_path: Path) -> None:
    env = {"KEY": "secret-1", "PROXY": "http://arc:secret-2@proxy:3128"}
    gateway, clusters = (taken(one, env) for one in made(tmp_path, FLEET))
    assert gateway.gateway.model_dump(exclude_unset=True) == {
        "name": "main",
        "resource_group": "g",
        "create_resource_group": True,
        "location": "westeurope",
        "gateway_type": "Public",
        "allowed_features": ["*"],
        "tags": {"a": "b"},
        "protect": True,
    }
    assert arguments.gateway_name(clusters) == "all-gateway-main"
    given = clusters.clusters["onboarded"].model_dump(by_alias=True, exclude_unset=True)
    expected = {key: value for key, value in ONBOARDED.items() if key not in ("ring", "stack", "gateway")}
    assert given == expected | {
        "location": "eastus",
        "azureHybridBenefit": "True",
        "configurationProtectedSettings": {"app": {"key": "secret-1"}},
    }
    assert clusters.clusters["existing"].existing
    assert clusters.clusters["existing"].gateway is False
    assert clusters.proxies["corp"].https_url == env["PROXY"]
    assert clusters.drift == "warn"
    assert clusters.preflight.exceptions["*.example.com"].reason == "closed"


def test_a_fleet_knows_every_setting_of_a_cluster() -> None:
    known = {field.alias for field in document.FleetOnboardedCluster.model_fields.values()}
    assert known == set(ONBOARDED)


def test_the_example_is_right_and_its_stacks_are_taken() -> None:
    fleet = Fleet.load(EXAMPLE, None)
    assert len(fleet.clusters) >= 10
    env = {"OFFICES_PROXY_PASSWORD": "secret"}
    for stack in stacks(fleet):
        assert set(taken(stack, env).clusters) == set(stack.clusters)


def test_the_schema_that_is_checked_in_is_the_one_that_is_made() -> None:
    assert (PROJECT / fleet_schema.FILE).read_text() == fleet_schema.text(), "run `make schema`"


def test_the_example_is_checked_by_the_schema_in_editors() -> None:
    first = EXAMPLE.read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema=../../{fleet_schema.FILE}"


@pytest.mark.parametrize("form", sorted(form.__name__ for form in document.CLUSTER_FORMS.values()))
def test_the_schema_describes_every_setting_and_asks_only_for_what_tells_forms_apart(form: str) -> None:
    definition = fleet_schema.schema()["$defs"][form]
    assert set(definition["required"]) <= {"existing", "clusterId"}
    assert all(shown.get("description") for shown in definition["properties"].values())
    assert "secure" not in json.dumps(definition)
