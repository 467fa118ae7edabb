"""Resources that azure-public-cloud must refuse, must only advise against, and must let pass."""

from __future__ import annotations

import json
from typing import Any

from policy_cases import UNKNOWN, Case
from private_endpoint_cases import deployment, nested

RULE = "azure-public-cloud"
GA = {"profile": "ga"}

LOCAL, REMOTE = "command:local:Command", "command:remote:Command"
PROVIDER = "pulumi:providers:azure-native"
GATEWAY, CLUSTER = "azure-native:hybridcompute:Gateway", "azure-native:kubernetes:ConnectedCluster"
GENERIC = "azure-native:resources:Resource"
DEPLOYMENT = "azure-native:resources:Deployment"
RELEASE = "kubernetes:helm.sh/v3:Release"
CHART = "mcr.microsoft.com/azurearck8s/batch1/stable/azure-arc-k8sagents"


def az(text: str, **environment: Any) -> dict[str, Any]:
    return {"create": text, "environment": environment} if environment else {"create": text}


def arm(location: str) -> dict[str, Any]:
    return {"type": "Microsoft.HybridCompute/gateways", "name": "g", "location": location}


CONFIG_MAP = "kubernetes:core/v1:ConfigMap"


def agents(**data: Any) -> dict[str, Any]:
    return {"metadata": {"name": "azure-clusterconfig", "namespace": "azure-arc"}, "data": data}


REFUSED = [
    Case("provider", PROVIDER, {"environment": "usgovernment"}, "environment"),
    Case("provider, under ga", PROVIDER, {"environment": "china"}, "environment", GA),
    Case("provider, long name", PROVIDER, {"environment": "AzureUSGovernmentCloud"}, "environment"),
    Case("provider, unknown account", PROVIDER, {"clientSecret": UNKNOWN, "environment": " German "}, "environment"),
    Case(
        "provider, metadata",
        PROVIDER,
        {"environment": "public", "metadataHost": "management.usgovcloudapi.net"},
        "metadataHost",
    ),
    Case(
        "provider, metadata with a port", PROVIDER, {"metadataHost": "Management.ChinaCloudAPI.cn:443"}, "metadataHost"
    ),
    Case("provider, Azure Stack", PROVIDER, {"metadataHost": "management.local.azurestack.external"}, "metadataHost"),
    Case("provider, region", PROVIDER, {"location": "usgovvirginia"}, "location"),
    Case(
        "provider of a package",
        f"{PROVIDER}_hybridcompute_v20250113",
        {"environment": "AzureChinaCloud"},
        "environment",
    ),
    Case("classic provider", "pulumi:providers:azure", {"environment": "usgovernmentl5"}, "environment"),
    Case(
        "classic provider, metadata",
        "pulumi:providers:azure",
        {"metadata_host": "management.microsoftazure.de"},
        "metadata_host",
    ),
    Case("directory's provider", "pulumi:providers:azuread", {"environment": "dod"}, "environment"),
    Case(
        "azapi's provider",
        "pulumi:providers:azapi",
        {"endpoint": json.dumps([{"resourceManagerEndpoint": "https://management.chinacloudapi.cn/"}])},
        "endpoint",
    ),
    Case("gateway", GATEWAY, {"location": "usgovarizona"}, "location"),
    Case(
        "gateway, display name",
        "azure-native:hybridcompute/v20240731preview:Gateway",
        {"location": "US Gov Texas"},
        "location",
    ),
    Case("gateway by a provider", GATEWAY, {"location": "eastus"}, provider={"environment": "usgovernment"}),
    Case("gateway by a metadata host", GATEWAY, {}, provider={"metadataHost": "management.usgovcloudapi.net"}),
    Case(
        "cluster",
        "azure-native_kubernetes_v20260501:kubernetes:ConnectedCluster",
        {"location": "chinaeast2"},
        "location",
    ),
    Case("group", "azure-native:resources:ResourceGroup", {"location": "China North 3"}, "location"),
    Case("classic group", "azure:core/resourceGroup:ResourceGroup", {"location": "germanycentral"}, "location"),
    Case("classic cluster", "azure:arckubernetes/cluster:Cluster", {"location": "usdodeast"}, "location"),
    Case(
        "generic",
        GENERIC,
        {
            "resourceProviderNamespace": "Microsoft.HybridCompute",
            "resourceType": "gateways",
            "resourceName": "g",
            "location": "usgovvirginia",
        },
        "location",
    ),
    Case("template", DEPLOYMENT, deployment(arm("usgovvirginia")), "properties.template.resources[0].location"),
    Case(
        "nested template, by a variable",
        DEPLOYMENT,
        deployment(nested(arm("[variables('where')]")), variables={"where": "chinanorth"}),
        "properties.template.resources[0].properties.template.resources[0].location",
    ),
    Case(
        "azapi",
        "azapi:resource:Resource",
        {"type": "Microsoft.HybridCompute/gateways@2025-06-01", "location": "usgovtexas"},
        "type",
    ),
    Case("cloud set", LOCAL, az("az cloud set --name AzureUSGovernment && az login"), "create"),
    Case("cloud set, quoted", REMOTE, az("'az' --debug \"cloud\" set -n 'Azure'China\"Cloud\""), "create"),
    Case("cloud set, by a variable", LOCAL, az("az cloud set --nam=${CLOUD}", CLOUD="AzureGermanCloud"), "create"),
    Case(
        "cloud set, in a container",
        LOCAL,
        az("docker run mcr.microsoft.com/azure-cli az cloud set -n AzureChinaCloud"),
        "create",
    ),
    Case("cloud by configuration", LOCAL, az("az config set cloud.name=AzureUSGovernment"), "create"),
    Case(
        "cloud register",
        LOCAL,
        az("az cloud register -n gov --endpoint-resource-manager https://management.usgovcloudapi.net"),
        "create",
    ),
    Case("login", LOCAL, az("az login --service-principal --tenant contoso.onmicrosoft.us -u $U -p $P"), "create"),
    Case("rest", LOCAL, az('az rest --method get --url "https://management.chinacloudapi.cn/subscriptions"'), "create"),
    Case("token", LOCAL, az("az account get-access-token --resource=https://graph.microsoft.us/"), "create"),
    Case("connect", LOCAL, az("az connectedk8s connect -n c -g g -l usgovvirginia"), "create"),
    Case("gateway by az", LOCAL, az("az arcgateway create -n g -g g --location=chinaeast"), "create"),
    Case(
        "PowerShell",
        LOCAL,
        {"create": "Connect-AzAccount -Environment AzureUSGovernment", "interpreter": ["pwsh", "-c"]},
        "create",
    ),
    Case("server's agent", REMOTE, az("azcmagent connect --cloud AzureUSGovernment"), "create"),
    Case("PowerShell, cut", LOCAL, az("Login-AzAccount -Env AzureChinaCloud -Tenant t"), "create"),
    Case("PowerShell's variable", LOCAL, az("$env:ARM_ENVIRONMENT = 'usgovernment'; ./deploy.ps1"), "create"),
    Case("variable of a script", LOCAL, az("export ARM_ENVIRONMENT=china\n./deploy.sh"), "create"),
    Case("cut as far as it goes", LOCAL, az("az cloud set --n AzureUSGovernment"), "create"),
    Case("attached", LOCAL, az("az cloud set -nAzureUSGovernment"), "create"),
    Case("the CLI's module", LOCAL, az("python3 -m azure.cli cloud set --name AzureUSGovernment"), "create"),
    Case("pulumi", LOCAL, az("pulumi config set azure-native:environment usgovernment --stack s"), "create"),
    Case("pulumi up", LOCAL, az("pulumi up -c azure-native:environment=china"), "create"),
    Case(
        "deployment script",
        "azure-native:resources:AzureCliScript",
        {
            "scriptContent": "az cloud set -n $CLOUD",
            "environmentVariables": [{"name": "CLOUD", "value": "AzureChinaCloud"}],
        },
        "scriptContent",
    ),
    Case(
        "deployment at a scope",
        "azure-native:resources:DeploymentAtSubscriptionScope",
        {"location": "usgovvirginia", "properties": {"template": {}}},
        "location",
    ),
    Case("variable of the text", LOCAL, az("ARM_ENVIRONMENT=usgovernment pulumi up --yes"), "create"),
    Case("exported variable", LOCAL, az("export AZURE_CLOUD_NAME=AzureUSGovernment; az account show"), "create"),
    Case("variable", LOCAL, az("./deploy.sh", ARM_ENVIRONMENT="usgovernment"), "environment.ARM_ENVIRONMENT"),
    Case("other variable", LOCAL, az("connect", AZURE_ENVIRONMENT="AzureChinaCloud"), "environment.AZURE_ENVIRONMENT"),
    Case(
        "authority",
        LOCAL,
        az("connect", AZURE_AUTHORITY_HOST="https://login.microsoftonline.us/"),
        "environment.AZURE_AUTHORITY_HOST",
    ),
    Case(
        "driver's region",
        LOCAL,
        az("connect", ARC_LOCATION="usgovvirginia", ARC_GATEWAY_ID=UNKNOWN),
        "environment.ARC_LOCATION",
    ),
    Case(
        "driver's endpoint",
        LOCAL,
        az("connect", ARC_GATEWAY_ENDPOINT="p.gw.arc.azure.us"),
        "environment.ARC_GATEWAY_ENDPOINT",
    ),
    Case(
        "chart",
        RELEASE,
        {"chart": CHART, "values": {"global": {"azureEnvironment": "AZUREUSGOVERNMENTCLOUD"}}},
        "values.global.azureEnvironment",
    ),
    Case(
        "helm",
        LOCAL,
        az(f"helm install azure-arc oci://{CHART} --set global.azureEnvironment=AzureChinaCloud"),
        "create",
    ),
    Case("agents", CONFIG_MAP, agents(AZURE_ENVIRONMENT="AZUREUSGOVERNMENTCLOUD"), "data.AZURE_ENVIRONMENT"),
    Case("agents' region", CONFIG_MAP, agents(AZURE_REGION="usgovvirginia"), "data.AZURE_REGION"),
    Case("ours", "arc-gateway:index:ArcGateway", {"location": "usgovvirginia"}, "location"),
    Case(
        "ours, snake case",
        "arc-gateway:index:ConnectedCluster",
        {"gateway_endpoint": "p.gw.arc.azure.us", "gateway_id": UNKNOWN},
        "gateway_endpoint",
    ),
    Case("ours, regions", "arc-gateway:index:EndpointAllowlist", {"regions": ["eastus", "chinaeast3"]}, "regions[1]"),
]

ADVISED = [
    Case("unknown environment", PROVIDER, {"environment": UNKNOWN}, "environment", says="not known yet"),
    Case("unknown metadata host", PROVIDER, {"metadataHost": UNKNOWN}, "metadataHost"),
    Case("environment of another name", PROVIDER, {"environment": "contoso-private"}, "environment"),
    Case("metadata host of another kind", PROVIDER, {"metadataHost": "arm.contoso.com"}, "metadataHost"),
    Case("unknown cloud", LOCAL, az('az cloud set -n "$(cat cloud)"'), "create"),
    Case("unknown variable", LOCAL, az("connect", ARM_ENVIRONMENT=UNKNOWN), "environment.ARM_ENVIRONMENT"),
    Case("cloud of another name", LOCAL, az("az cloud set --name contoso"), "create"),
    Case("Python", LOCAL, {"create": "cloud = 'AzureUSGovernment'", "interpreter": ["python3", "-c"]}, "create"),
    Case("no az", LOCAL, az("curl -fsS https://management.usgovcloudapi.net/metadata/endpoints"), "create"),
]

PASSED = [
    Case("sound, provider", PROVIDER, {"environment": "public", "location": "eastus"}),
    Case("provider, empty", PROVIDER, {"environment": "", "metadataHost": "", "subscriptionId": UNKNOWN}),
    Case("provider, other spellings", PROVIDER, {"environment": "AzurePublicCloud"}),
    Case("provider, CLI's name", "pulumi:providers:azure", {"environment": "AzureCloud"}),
    Case("sound, directory's provider", "pulumi:providers:azuread", {"environment": "global"}),
    Case("public metadata", PROVIDER, {"metadataHost": "management.azure.com"}),
    Case("sandbox", PROVIDER, {"metadataHost": "localhost:41233"}),
    Case("sandbox, by address", PROVIDER, {"metadataHost": "127.0.0.1:8443", "environment": "public"}),
    Case("sandbox, by address, IPv6", PROVIDER, {"metadataHost": "[::1]:8443"}),
    Case("stand-in of a private network", PROVIDER, {"metadataHost": "arm.sandbox.internal"}),
    Case("another provider", "pulumi:providers:aws", {"environment": "china", "region": "cn-north-1"}),
    Case("regions that sound alike", GATEWAY, {"location": "germanywestcentral"}, protect=True),
    Case("Germany North", CLUSTER, {"location": "Germany North"}),
    Case("East Asia", CLUSTER, {"location": "eastasia"}, provider={"environment": "public"}),
    Case("unknown location", CLUSTER, {"location": UNKNOWN}, provider={"environment": UNKNOWN}),
    Case(
        "sound, group", "azure-native:resources:ResourceGroup", {"location": "chilecentral", "tags": {"cloud": "china"}}
    ),
    Case("name only", CLUSTER, {"clusterName": "usgovvirginia", "location": "eastus"}),
    Case("sound, cloud set", LOCAL, az("az cloud set -n AzureCloud")),
    Case("cloud show", LOCAL, az("az cloud show --name AzureUSGovernment && az cloud list")),
    Case("cloud unregister", LOCAL, az("az cloud unregister -n AzureUSGovernment")),
    Case(
        "stand-in registered",
        LOCAL,
        az("az cloud register -n sandbox --endpoint-resource-manager https://localhost:4443"),
    ),
    Case("sound, login", LOCAL, az("az login --service-principal -t contoso.onmicrosoft.com -u $U -p $P")),
    Case("other domains", LOCAL, az("az rest --url https://shop.notazure.cn/x; curl https://azure.us.contoso.com")),
    Case("skip range", LOCAL, az("az connectedk8s connect -n c --proxy-skip-range .azure.cn,.svc -l eastus")),
    Case("only said", LOCAL, az("echo 'not az cloud set -n AzureUSGovernment' # login.microsoftonline.us")),
    Case(
        "mentioned in a body",
        LOCAL,
        az('az rest -m put -u https://management.azure.com/x --body \'{"tags": {"docs": "docs.azure.us"}}\''),
    ),
    Case(
        "mentioned in a message", LOCAL, az("curl -d 'see login.microsoftonline.us' https://hooks.contoso.com/azure.us")
    ),
    Case("a region's name as a tag", LOCAL, az("az group create -n g -l eastus --tags twin=usgovvirginia")),
    Case("stage", LOCAL, az("./deploy.sh", AZURE_ENVIRONMENT="production", AZURE_CLOUD="blue")),
    Case("variables", LOCAL, az("connect", ARM_ENVIRONMENT="public", ARM_METADATA_HOSTNAME="localhost:4443")),
    Case("driver", LOCAL, az("connect", ARC_LOCATION="eastus", ARC_GATEWAY_ENDPOINT="p.gw.arc.azure.com")),
    Case("sound, PowerShell", LOCAL, az("Connect-AzAccount -Environment AzureCloud -Tenant t")),
    Case("sound, chart", RELEASE, {"chart": CHART, "values": {"global": {"azureEnvironment": "AZUREPUBLICCLOUD"}}}),
    Case("another chart", RELEASE, {"chart": "dns", "values": {"global": {"azureEnvironment": "AzureChinaCloud"}}}),
    Case("sound, agents", CONFIG_MAP, agents(AZURE_ENVIRONMENT="AZUREPUBLICCLOUD", AZURE_REGION="eastus")),
    Case("another ConfigMap", CONFIG_MAP, {"metadata": {"name": "a"}, "data": {"AZURE_ENVIRONMENT": "china"}}),
    Case(
        "sound, ours", "arc-gateway:index:ConnectedCluster", {"location": "eastus", "tags": {"docs": "docs.azure.cn"}}
    ),
    Case(
        "our proxy", "arc-gateway:index:ProxySettings", {"skipRange": [".azure.cn"], "httpsUrl": "http://p.azure.us:1"}
    ),
    Case("sound, template", DEPLOYMENT, deployment(arm("[resourceGroup().location]"))),
]
