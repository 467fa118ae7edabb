"""Resources that agent-version must refuse, must only advise against, and must let pass."""

from __future__ import annotations

import json
from typing import Any

from policy_cases import UNKNOWN, Case
from private_endpoint_cases import deployment, nested

RULE = "agent-version"
GA = {"profile": "ga"}

LOCAL, REMOTE = "command:local:Command", "command:remote:Command"
CLUSTER = "azure-native:kubernetes:ConnectedCluster"
GENERIC = "azure-native:resources:Resource"
DEPLOYMENT = "azure-native:resources:Deployment"
RELEASE = "kubernetes:helm.sh/v3:Release"
OURS = "arc-gateway:index:ConnectedCluster"
ASSOCIATION = "arc-gateway:index:GatewayAssociation"
CHART = "oci://mcr.microsoft.com/azurearck8s/batch2/stable/v2/azure-arc-k8sagents"


def pinned(version: object, **rest: Any) -> dict[str, Any]:
    return {"clusterName": "c", "arcAgentProfile": {"desiredAgentVersion": version, **rest}}


def arm(**profile: Any) -> dict[str, Any]:
    return {
        "type": "Microsoft.Kubernetes/connectedClusters",
        "name": "c",
        "properties": {"arcAgentProfile": profile},
    }


DESIRED = "arcAgentProfile.desiredAgentVersion"

REFUSED = [
    Case("native", CLUSTER, pinned("1.21.9"), DESIRED, says="before 1.21.10"),
    Case("native, under ga", CLUSTER, pinned("1.20.3"), DESIRED, GA),
    Case("v2 token", "azure-native:kubernetes/v20240715preview:ConnectedCluster", pinned("1.9"), DESIRED),
    Case("package", "azure-native_kubernetes_v20260501:kubernetes:ConnectedCluster", pinned("v1.21.2"), DESIRED),
    Case("fewer numbers", CLUSTER, pinned("1.21"), DESIRED),
    Case("leading zeros", CLUSTER, pinned("01.021.009"), DESIRED),
    Case("preview of an old one", CLUSTER, pinned("1.21.9-preview"), DESIRED),
    Case("a number", CLUSTER, pinned(1.2), DESIRED),
    Case(
        "snake case, upgrades unknown",
        CLUSTER,
        {"arc_agent_profile": {"desired_agent_version": "1.5.0", "agent_auto_upgrade": UNKNOWN}},
        "arc_agent_profile.desired_agent_version",
    ),
    Case(
        "classic",
        "azure:arckubernetes/provisionedCluster:ProvisionedCluster",
        {"name": "c", "arcAgentDesiredVersion": "1.18.3"},
        "arcAgentDesiredVersion",
    ),
    Case(
        "generic",
        GENERIC,
        {
            "resourceProviderNamespace": "Microsoft.Kubernetes",
            "resourceType": "connectedClusters",
            "resourceName": UNKNOWN,
            "properties": {"arcAgentProfile": {"desiredAgentVersion": "1.13.4"}},
        },
        "properties.arcAgentProfile.desiredAgentVersion",
    ),
    Case(
        "template",
        DEPLOYMENT,
        deployment(arm(desiredAgentVersion="1.21.0")),
        "properties.template.resources[0].properties.arcAgentProfile.desiredAgentVersion",
    ),
    Case(
        "nested template, by a parameter",
        DEPLOYMENT,
        deployment(
            nested(arm(desiredAgentVersion="[parameters('agents')]")),
            parameters={"agents": {"type": "string", "defaultValue": "1.15.3"}},
        ),
        "properties.template.resources[0].properties.template.resources[0].properties.arcAgentProfile"
        ".desiredAgentVersion",
    ),
    Case(
        "classic template",
        "azure:core/resourceGroupTemplateDeployment:ResourceGroupTemplateDeployment",
        {"templateContent": json.dumps({"resources": [arm(desiredAgentVersion="1.14.1")]})},
        "templateContent",
    ),
    Case(
        "azapi",
        "azapi:resource:Resource",
        {
            "type": "Microsoft.Kubernetes/connectedClusters@2025-08-01-preview",
            "body": {"properties": {"arcAgentProfile": {"desiredAgentVersion": "1.21.9"}}},
        },
        "type",
    ),
    Case("az upgrade", LOCAL, {"create": "az connectedk8s upgrade -n c -g g --agent-version 1.11.7"}, "create"),
    Case(
        "az upgrade, quoted and cut",
        REMOTE,
        {"update": 'sudo az "connectedk8s" \\\n  upgrade --agent-ver="1.21.\'9\'" -n c -g g'.replace("'", "")},
        "update",
    ),
    Case(
        "az upgrade, by a variable",
        LOCAL,
        {"create": "az connectedk8s upgrade -n $N --agent-version ${V}", "environment": {"V": "1.20", "N": UNKNOWN}},
        "create",
    ),
    Case(
        "az upgrade within bash",
        LOCAL,
        {"create": "bash -ec 'az connectedk8s upgrade --agent-version 1.9.12'"},
        "create",
    ),
    Case(
        "az rest",
        LOCAL,
        {
            "create": "az rest -m put -u https://management.azure.com/subscriptions/0/resourceGroups/g/providers/"
            "Microsoft.Kubernetes/connectedClusters/c?api-version=2026-05-01 "
            "-b '" + json.dumps({"location": "eastus", **arm(desiredAgentVersion="1.20.1")}) + "'"
        },
        "create",
    ),
    Case(
        "az resource update",
        LOCAL,
        {
            "create": "az resource update --ids /subscriptions/0/resourceGroups/g/providers/Microsoft.Kubernetes/"
            "connectedClusters/c --set properties.arcAgentProfile.desiredAgentVersion=1.19.0"
        },
        "create",
    ),
    Case(
        "PowerShell",
        LOCAL,
        {
            "create": "New-AzConnectedKubernetes -ClusterName c -ArcAgentProfileDesiredAgentVersion 1.17.0",
            "interpreter": ["pwsh", "-Command"],
        },
        "create",
    ),
    Case(
        "registry of the environment",
        LOCAL,
        {
            "create": "connect",
            "environment": {"HELMREGISTRY": "mcr.microsoft.com/azurearck8s/batch1/stable/azure-arc-k8sagents:1.13.4"},
        },
        "environment.HELMREGISTRY",
    ),
    Case(
        "registry of the text",
        LOCAL,
        {"create": "export HELMREGISTRY=my.azurecr.io/azure-arc-k8sagents:v1.8.11\naz connectedk8s connect -n c"},
        "create",
    ),
    Case("chart", RELEASE, {"chart": CHART, "version": "1.21.9"}, "version"),
    Case("chart, by its tag", RELEASE, {"chart": f"{CHART}:1.20.4"}, "chart"),
    Case("chart, archive", "kubernetes:helm.sh/v4:Chart", {"chart": "./azure-arc-k8sagents-1.12.5.tgz"}, "chart"),
    Case("chart, range", RELEASE, {"chart": CHART, "version": ">=1.10.0, <1.21.10"}, "version"),
    Case("chart, wildcard", RELEASE, {"chart": CHART, "version": "1.20.x"}, "version"),
    Case("chart, tilde", RELEASE, {"chart": CHART, "version": "~1.20.1", "values": UNKNOWN}, "version"),
    Case("helm", LOCAL, {"create": f"helm upgrade --install azure-arc {CHART} --version=1.7.18 --wait"}, "create"),
    Case(
        "agents' report",
        "kubernetes:core/v1:ConfigMap",
        {"metadata": {"name": "azure-clusterconfig"}, "data": {"AZURE_ARC_AGENT_VERSION": "1.13.4"}},
        "data.AZURE_ARC_AGENT_VERSION",
    ),
    Case("ours", OURS, {"agentVersion": "1.19.3"}, "agentVersion"),
    Case("ours, snake case", ASSOCIATION, {"agent_version": "1.21.1", "gateway_id": UNKNOWN}, "agent_version"),
]

ADVISED = [
    Case("unknown version", CLUSTER, pinned(UNKNOWN), DESIRED, says="not known yet"),
    Case("unknown in a command", LOCAL, {"create": "az connectedk8s upgrade --agent-version $(cat v)"}, "create"),
    Case("unknown to helm", LOCAL, {"create": f"helm install azure-arc {CHART} --version $V"}, "create"),
    Case("partly unknown", LOCAL, {"create": 'az connectedk8s upgrade --agent-version "1.$MINOR.1"'}, "create"),
    Case("unknown profile", CLUSTER, {"arcAgentProfile": UNKNOWN}, DESIRED),
    Case("no version", CLUSTER, pinned("latest"), DESIRED, says="no version"),
    Case(
        "no upgrades",
        CLUSTER,
        {"arcAgentProfile": {"agentAutoUpgrade": "disabled"}},
        "arcAgentProfile.agentAutoUpgrade",
        says="grow old",
    ),
    Case(
        "no upgrades, template",
        DEPLOYMENT,
        deployment(arm(agentAutoUpgrade="Disabled", desiredAgentVersion="1.30.1")),
        "properties.template.resources[0].properties.arcAgentProfile.agentAutoUpgrade",
    ),
    Case("no upgrades, az", LOCAL, {"create": "az connectedk8s connect -n c --disable-auto-upgrade -g g"}, "create"),
    Case("no upgrades, az, cut", LOCAL, {"create": "az connectedk8s connect --disable-auto -n c"}, "create"),
    Case("no upgrades, az update", LOCAL, {"create": "az connectedk8s update --auto-upgrade False -n c"}, "create"),
    Case(
        "no upgrades, PowerShell",
        LOCAL,
        {"create": "pwsh -c 'New-AzConnectedKubernetes -DisableAutoUpgrade'"},
        "create",
    ),
    Case(
        "no upgrades, classic",
        "azure:arckubernetes/provisionedCluster:ProvisionedCluster",
        {"arcAgentAutoUpgradeEnabled": False},
        "arcAgentAutoUpgradeEnabled",
    ),
    Case(
        "no upgrades, chart",
        RELEASE,
        {"chart": CHART, "values": {"systemDefaultValues": {"azureArcAgents": {"autoUpdate": False}}}},
        "values.systemDefaultValues.azureArcAgents.autoUpdate",
    ),
    Case(
        "no upgrades, helm",
        LOCAL,
        {
            "create": f"helm install azure-arc {CHART} --set "
            r"global.noProxy='.svc\,10.0.0.0/8',systemDefaultValues.azureArcAgents.autoUpdate=false"
        },
        "create",
    ),
    Case("no upgrades, ours", OURS, {"disableAutoUpgrade": True}, "disableAutoUpgrade"),
    Case("no upgrades, ours, snake case", ASSOCIATION, {"disable_auto_upgrade": True}, "disable_auto_upgrade"),
    Case(
        "no upgrades, driver",
        LOCAL,
        {"create": "connect", "environment": {"ARC_CLUSTER_NAME": "c", "ARC_DISABLE_AUTO_UPGRADE": "true"}},
        "environment.ARC_DISABLE_AUTO_UPGRADE",
    ),
]

PASSED = [
    Case("the floor", CLUSTER, pinned("1.21.10")),
    Case("the floor, odd in form", CLUSTER, pinned(" v1.21.10-preview ")),
    Case("greater as a number, smaller as text", CLUSTER, pinned("1.100.0")),
    Case("newer", CLUSTER, pinned("1.36.1", agentAutoUpgrade="Enabled")),
    Case("next major", CLUSTER, pinned("2.0")),
    Case("none", CLUSTER, {"clusterName": "c", "arcAgentProfile": {"agentAutoUpgrade": "Enabled"}}),
    Case("empty", CLUSTER, pinned("")),
    Case("upgrades unknown", CLUSTER, {"arcAgentProfile": {"agentAutoUpgrade": UNKNOWN}}),
    Case("version of Kubernetes", CLUSTER, {"distribution": "k3s", "distributionVersion": "1.19.1"}),
    Case("another chart", RELEASE, {"chart": "nginx", "version": "1.0.0", "values": {"autoUpdate": False}}),
    Case("chart, newer", RELEASE, {"chart": CHART, "version": "1.30.2"}),
    Case("chart, open range", RELEASE, {"chart": CHART, "version": ">=1.10.0"}),
    Case("chart, caret", RELEASE, {"chart": CHART, "version": "^1.20"}),
    Case("chart, wildcard that holds the floor", RELEASE, {"chart": CHART, "version": "1.21.x"}),
    Case(
        "chart, upgrades on",
        RELEASE,
        {"chart": CHART, "values": {"systemDefaultValues": {"azureArcAgents": {"autoUpdate": True}}}},
    ),
    Case("az connect", LOCAL, {"create": "az connectedk8s connect -n c -g g --distribution-version 1.19"}),
    Case("sound, az upgrade", LOCAL, {"create": "az connectedk8s upgrade -n c -g g --agent-version 1.21.11"}),
    Case("az upgrade to the newest", LOCAL, {"create": "az connectedk8s upgrade -n c -g g"}),
    Case("az, upgrades on", LOCAL, {"create": "az connectedk8s update -n c --auto-upgrade true"}),
    Case("az extension's version", LOCAL, {"create": "az extension add -n connectedk8s --version 1.10.9"}),
    Case("only said", LOCAL, {"create": "echo az connectedk8s upgrade --agent-version 1.9 # no longer"}),
    Case("helm of another chart", LOCAL, {"create": "helm install web ./web --version 1.2.3"}),
    Case(
        "registry with a new tag",
        LOCAL,
        {"create": "connect", "environment": {"HELMREGISTRY": "mcr.microsoft.com/x/azure-arc-k8sagents:1.36.1"}},
    ),
    Case("driver", LOCAL, {"create": "connect", "environment": {"ARC_DISABLE_AUTO_UPGRADE": "false"}}),
    Case("sound, ours", OURS, {"clusterName": "c", "disableAutoUpgrade": False, "distributionVersion": "1.20.1"}),
    Case("ours, unknown", ASSOCIATION, {"cluster_name": UNKNOWN, "disable_auto_upgrade": UNKNOWN}),
    Case("an AKS cluster", "azure-native:containerservice:ManagedCluster", {"kubernetesVersion": "1.20.1"}),
]
