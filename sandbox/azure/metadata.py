"""The cloud's metadata: where its parts are, named by the host that the client asked under."""

from __future__ import annotations

from sandbox.azure.core import Call, Reply
from sandbox.azure.errors import ArmError, invalid_api_version
from sandbox.azure.store import Json

VERSIONS = ("2015-01-01", "2018-05-01", "2019-05-01", "2020-06-01", "2022-09-01")


def answer(call: Call, own: bool) -> Reply:
    """`/metadata/endpoints`: `own` tells whether the client came to the sandbox's own address.

    Raises:
        ArmError: the API version is missing or unknown.
    """
    if call.method != "GET":
        raise ArmError(405, "HttpMethodNotAllowed", "The metadata of a cloud is only read.")
    version = call.api_version
    if version not in VERSIONS:
        raise invalid_api_version(version, VERSIONS)
    cloud = _cloud(call.base if own else None)
    if version == "2015-01-01":
        return Reply(
            200,
            {
                "galleryEndpoint": "https://gallery.azure.com",
                "graphEndpoint": cloud["graph"],
                "portalEndpoint": cloud["portal"],
                "graphAudience": cloud["graphAudience"],
                "authentication": {
                    "loginEndpoint": cloud["authentication"]["loginEndpoint"],
                    "audiences": cloud["authentication"]["audiences"],
                },
            },
        )
    return Reply(200, cloud if version == "2022-09-01" else [cloud])


def _cloud(own: str | None) -> Json:
    audiences = ["https://management.core.windows.net/", "https://management.azure.com/"]
    suffixes = {
        "acrLoginServer": "azurecr.io",
        "attestationEndpoint": "attest.azure.net",
        "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
        "azureDataLakeStoreFileSystem": "azuredatalakestore.net",
        "azureFrontDoorEndpointSuffix": "azurefd.net",
        "keyVaultDns": "vault.azure.net",
        "mhsmDns": "managedhsm.azure.net",
        "mysqlServerEndpoint": "mysql.database.azure.com",
        "mariadbServerEndpoint": "mariadb.database.azure.com",
        "postgresqlServerEndpoint": "postgres.database.azure.com",
        "sqlServerHostname": "database.windows.net",
        "storage": "core.windows.net",
        "storageSyncEndpointSuffix": "afs.azure.net",
        "synapseAnalytics": "dev.azuresynapse.net",
    }
    cloud: Json = {
        "name": "AzureCloud",
        "portal": "https://portal.azure.com",
        "authentication": {
            "loginEndpoint": own or "https://login.microsoftonline.com",
            "audiences": [*audiences, own] if own else audiences,
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "media": "https://rest.media.azure.net",
        "graph": own or "https://graph.windows.net/",
        "graphAudience": own or "https://graph.windows.net/",
        "microsoftGraphResourceId": own or "https://graph.microsoft.com/",
        "resourceManager": own or "https://management.azure.com/",
        "batch": "https://batch.core.windows.net/",
        "sqlManagement": "https://management.core.windows.net:8443/",
        "vmImageAliasDoc": "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/master/arm-compute/quickstart-templates/aliases.json",
        "gallery": "https://gallery.azure.com/",
        "activeDirectoryDataLake": "https://datalake.azure.net/",
        "ossrdbmsResourceId": "https://ossrdbms-aad.database.windows.net",
        "logAnalyticsResourceId": "https://api.loganalytics.io",
        "appInsightsResourceId": "https://api.applicationinsights.io",
        "appInsightsTelemetryChannelResourceId": "https://dc.applicationinsights.azure.com/v2/track",
        "attestationResourceId": "https://attest.azure.net",
        "synapseAnalyticsResourceId": "https://dev.azuresynapse.net",
        "suffixes": suffixes,
    }
    if own:
        # A client that finds the first of these takes the others for granted.
        cloud["dataplaneEndpoints"] = {
            "arcConfigEndpoint": own,
            "arcGlobalNotificationServiceEndpoint": own,
            "arcHybridIdentityServiceEndpoint": own,
        }
        suffixes["relayEndpointSuffix"] = ".servicebus.windows.net"
    return cloud
