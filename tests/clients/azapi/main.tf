# What the azapi provider makes, changes and destroys in the local Azure.
terraform {
  required_providers {
    azapi = { source = "registry.terraform.io/Azure/azapi" }
  }
}

provider "azapi" {
  enable_hcl_output_for_data_source = true
}

variable "subscription" { type = string }
variable "group" { type = string }
variable "team" {
  type    = string
  default = "edge"
}
variable "associated" {
  type    = bool
  default = true
}

resource "azapi_resource" "group" {
  type      = "Microsoft.Resources/resourceGroups@2022-09-01"
  name      = var.group
  parent_id = "/subscriptions/${var.subscription}"
  location  = "eastus"
}

resource "azapi_resource" "gateway" {
  type                      = "Microsoft.HybridCompute/gateways@2025-06-01"
  name                      = "gw"
  parent_id                 = azapi_resource.group.id
  location                  = azapi_resource.group.location
  tags                      = { team = var.team }
  schema_validation_enabled = false
  body                      = { properties = { allowedFeatures = ["*"] } }
  response_export_values    = ["properties.gatewayEndpoint"]
}

resource "azapi_resource" "cluster" {
  type                      = "Microsoft.Kubernetes/connectedClusters@2025-08-01-preview"
  name                      = "c1"
  parent_id                 = azapi_resource.group.id
  location                  = azapi_resource.group.location
  schema_validation_enabled = false
  identity { type = "SystemAssigned" }
  body = {
    properties = {
      agentPublicKeyCertificate = "MIIB"
      distribution              = "k3s"
      gateway                   = { enabled = var.associated }
    }
  }
}

resource "azapi_update_resource" "association" {
  type      = "Microsoft.HybridCompute/settings@2025-02-19-preview"
  name      = "default"
  parent_id = azapi_resource.cluster.id
  body = {
    properties = { gatewayProperties = { gatewayResourceId = var.associated ? azapi_resource.gateway.id : null } }
  }
}

resource "azapi_resource" "role" {
  type      = "Microsoft.Authorization/roleDefinitions@2022-04-01"
  name      = uuidv5("dns", var.group)
  parent_id = "/subscriptions/${var.subscription}"
  body = {
    properties = {
      roleName         = "Operator of ${var.group}"
      description      = "Made by the azapi provider."
      assignableScopes = ["/subscriptions/${var.subscription}"]
      permissions      = [{ actions = ["Microsoft.HybridCompute/gateways/*"], notActions = [] }]
    }
  }
}

resource "azapi_resource_action" "credential" {
  type                   = "Microsoft.Kubernetes/connectedClusters@2025-08-01-preview"
  resource_id            = azapi_resource.cluster.id
  action                 = "listClusterUserCredential"
  body                   = { authenticationMethod = "Token", clientProxy = true }
  response_export_values = ["kubeconfigs"]
}

data "azapi_resource_list" "gateways" {
  type                   = "Microsoft.HybridCompute/gateways@2025-06-01"
  parent_id              = azapi_resource.group.id
  response_export_values = ["value"]
  depends_on             = [azapi_resource.gateway]
}

output "endpoint" { value = try(azapi_resource.gateway.output.properties.gatewayEndpoint, "") }
output "kubeconfigs" { value = try(length(azapi_resource_action.credential.output.kubeconfigs), 0) }
output "gateways" { value = try([for one in data.azapi_resource_list.gateways.output.value : one.id], []) }
