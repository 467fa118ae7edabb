"""Some 500 resources of a sound stack, BENCH_RESOURCES in all: what a policy pack is measured on."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import pulumi

Make = Callable[[int], tuple[str, Mapping[str, Any]]]

HOSTS = ("*.gw.arc.azure.com", "management.azure.com", "login.microsoftonline.com", "mcr.microsoft.com")
SCOPE = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/fleet"
READER = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
MINIMUM = "10.96.0.0/12,kubernetes.default.svc,.svc.cluster.local,.svc"


def cluster(number: int) -> tuple[str, Mapping[str, Any]]:
    profile = {"agentAutoUpgrade": "Enabled"}
    named = {"clusterName": f"cluster-{number}", "resourceGroupName": "fleet", "location": "eastus"}
    return "azure-native:kubernetes:ConnectedCluster", {
        **named,
        "identity": {"type": "SystemAssigned"},
        "privateLinkState": "Disabled",
        "arcAgentProfile": profile,
        "tags": {"team": "platform", "stage": "test"},
    }


def command(number: int) -> tuple[str, Mapping[str, Any]]:
    return "command:local:Command", {
        "create": f"set -e\naz account show -o none\naz connectedk8s show -n cluster-{number} -g fleet | jq .id",
        "delete": "true",
        "environment": {"CLUSTER": f"cluster-{number}", "NO_PROXY": MINIMUM},
        "triggers": [number],
    }


def config_map(number: int) -> tuple[str, Mapping[str, Any]]:
    lines = "\n".join(f"setting.{line} = value-{line}" for line in range(40))
    return "kubernetes:core/v1:ConfigMap", {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"settings-{number}", "namespace": "shop", "labels": {"app": "shop"}},
        "data": {"application.properties": lines, "level": "info"},
    }


def deployment(number: int) -> tuple[str, Mapping[str, Any]]:
    labels = {"app": f"shop-{number}"}
    container = {
        "name": "shop",
        "image": f"registry.example/shop/web:{number}",
        "ports": [{"containerPort": 8080}],
        "env": [{"name": f"SETTING_{one}", "value": str(one)} for one in range(8)],
        "resources": {"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
    }
    return "kubernetes:apps/v1:Deployment", {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"shop-{number}", "namespace": "shop"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def firewall_rules(number: int) -> tuple[str, Mapping[str, Any]]:
    rules = [
        {
            "name": f"allow-{row}",
            "ruleType": "ApplicationRule",
            "sourceAddresses": ["10.0.0.0/8"],
            "targetFqdns": [*HOSTS, f"shop-{row}.example"],
            "terminateTLS": False,
            "protocols": [{"protocolType": "Https", "port": 443}],
        }
        for row in range(10)
    ]
    collection = {
        "name": "allow",
        "ruleCollectionType": "FirewallPolicyFilterRuleCollection",
        "priority": 100 + number,
        "action": {"type": "Allow"},
        "rules": rules,
    }
    return "azure-native:network:FirewallPolicyRuleCollectionGroup", {
        "firewallPolicyName": "egress",
        "resourceGroupName": "fleet",
        "name": f"group-{number}",
        "priority": 200 + number,
        "ruleCollections": [collection],
    }


def assignment(number: int) -> tuple[str, Mapping[str, Any]]:
    return "azure-native:authorization:RoleAssignment", {
        "principalId": f"00000000-0000-0000-0000-{number:012}",
        "principalType": "ServicePrincipal",
        "roleDefinitionId": READER,
        "scope": SCOPE,
    }


def storage(number: int) -> tuple[str, Mapping[str, Any]]:
    return "azure-native:storage:StorageAccount", {
        "accountName": f"shop{number}",
        "resourceGroupName": "fleet",
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
        "minimumTlsVersion": "TLS1_2",
        "allowBlobPublicAccess": False,
    }


def network(number: int) -> tuple[str, Mapping[str, Any]]:
    subnets = [{"name": f"subnet-{one}", "addressPrefix": f"10.{number}.{one}.0/24"} for one in range(4)]
    return "azure-native:network:VirtualNetwork", {
        "virtualNetworkName": f"network-{number}",
        "resourceGroupName": "fleet",
        "addressSpace": {"addressPrefixes": [f"10.{number}.0.0/16"]},
        "subnets": subnets,
    }


def secret(number: int) -> tuple[str, Mapping[str, Any]]:
    return "kubernetes:core/v1:Secret", {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"key-{number}", "namespace": "shop"},
        "stringData": {"key": pulumi.Output.secret(f"not-so-secret-{number}")},
    }


def proxy(number: int) -> tuple[str, Mapping[str, Any]]:
    return "arc-gateway:index:ProxySettings", {
        "httpUrl": f"http://proxy-{number}.example:3128",
        "httpsUrl": f"http://proxy-{number}.example:3128",
        "skipRange": MINIMUM.split(","),
    }


KINDS: tuple[Make, ...] = (
    cluster,
    command,
    config_map,
    deployment,
    firewall_rules,
    assignment,
    storage,
    network,
    secret,
    proxy,
)

for index in range(int(os.environ["BENCH_RESOURCES"])):
    make = KINDS[index % len(KINDS)]
    kind, props = make(index // len(KINDS))
    form = pulumi.ComponentResource if kind.startswith("arc-gateway:") else pulumi.CustomResource
    form(kind, f"{make.__name__}-{index}", props)
