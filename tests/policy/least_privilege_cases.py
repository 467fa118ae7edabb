"""Roles and assignments that least-privilege must advise against, and those that it must let pass."""

from __future__ import annotations

import json
from typing import Any

from policy_cases import UNKNOWN, Case
from private_endpoint_cases import DEPLOYMENT, GENERIC, LOCAL, REMOTE, deployment, nested, template

from arcgateway import rights

RULE = "least-privilege"

ROLE, ASSIGNMENT = "azure-native:authorization:RoleDefinition", "azure-native:authorization:RoleAssignment"
OURS = "arc-gateway:index:GatewayOperatorRole"
SUBSCRIPTION = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg"
GATEWAY = f"{GROUP}/providers/Microsoft.HybridCompute/gateways/g"
CLUSTER = f"{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/c"
STORAGE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/a"
MANAGEMENT_GROUP = "/providers/Microsoft.Management/managementGroups/corp"
DEFINITIONS = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
OWNER, CONTRIBUTOR = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "b24988ac-6180-42a0-ab88-20f7382dd24c"
MANAGER, READER = "f6e92014-8af2-414d-9948-9b1abf559285", "acdd72a7-3385-48ef-bd42-f606fba81ae7"
READ, WRITE = "Microsoft.HybridCompute/gateways/read", "Microsoft.hybridcompute/gateways/write"
ASSOCIATE = "Microsoft.Kubernetes/connectedClusters/settings/default/write"


def role(*actions: Any, scopes: Any = (SUBSCRIPTION,), name: str = "ops", **rest: Any) -> dict[str, Any]:
    permission = {"actions": list(actions), **rest}
    return {"roleName": name, "permissions": [permission], "assignableScopes": list(scopes)}


def assignment(identity: Any, scope: Any) -> dict[str, Any]:
    known = isinstance(identity, str) and identity != UNKNOWN
    return {"roleDefinitionId": f"{DEFINITIONS}/{identity}" if known else identity, "scope": scope, "principalId": "p"}


def arm(kind: str, properties: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"type": f"Microsoft.Authorization/{kind}", "apiVersion": "2022-04-01", "properties": properties, **rest}


CLI_ROLE = {"Name": "ops", "Actions": [READ, "*"], "AssignableScopes": [SUBSCRIPTION]}

ADVISED = [
    Case("everything", ROLE, role(READ, "*"), "permissions[0].actions[1]"),
    Case(
        "everything, all cases",
        "azure-native:authorization/v20220401:RoleDefinition",
        role("MICROSOFT.HYBRIDCOMPUTE/GATEWAYS/WRITE", "*/Write"),
        "permissions[0].actions[1]",
    ),
    Case(
        "every provider of Microsoft",
        "azure-native_authorization_v20220401:authorization:RoleDefinition",
        role("Microsoft.*/delete", WRITE),
        "permissions[0].actions[0]",
        says="every service",
    ),
    Case(
        "as Contributor has it",
        ROLE,
        role(ASSOCIATE, "*", notActions=["Microsoft.Authorization/*/Write", "Microsoft.Authorization/*/Delete"]),
        "permissions[0].actions[1]",
    ),
    Case(
        "the whole provider",
        ROLE,
        role(READ, "Microsoft.HybridCompute/*"),
        "permissions[0].actions[1]",
        says="Arc-enabled servers",
    ),
    Case(
        "the provider without servers",
        ROLE,
        role(READ, "Microsoft.HybridCompute/*/write", notActions=["microsoft.hybridcompute/machines/*"]),
        "permissions[0].actions[1]",
    ),
    Case("another provider", ROLE, role(WRITE, "Microsoft.Network/*"), "permissions[0].actions[1]", says="provider"),
    Case("writing all of a provider", ROLE, role(WRITE, "Microsoft.Kubernetes/*/write"), "permissions[0].actions[1]"),
    Case(
        "handing out roles",
        "azure:authorization/roleDefinition:RoleDefinition",
        {"scope": SUBSCRIPTION, **role(READ, "microsoft.authorization/roleassignments/*")},
        "permissions[0].actions[1]",
        says="hand out rights",
    ),
    Case(
        "server extensions",
        ROLE,
        role(ASSOCIATE, "Microsoft.HybridCompute/machines/extensions/write"),
        "permissions[0].actions[1]",
    ),
    Case(
        "credentials of clusters",
        ROLE,
        role(ASSOCIATE, "Microsoft.Kubernetes/connectedClusters/*"),
        "permissions[0].actions[1]",
        says="inside clusters",
    ),
    Case(
        "data",
        ROLE,
        role(ASSOCIATE, dataActions=["Microsoft.Kubernetes/connectedClusters/pods/write"]),
        "permissions[0].dataActions[0]",
    ),
    Case(
        "clusters, and gateways by the whole provider",
        ROLE,
        role("Microsoft.Kubernetes/connectedClusters/write", "Microsoft.HybridCompute/*"),
        "permissions[0].actions[1]",
    ),
    Case(
        "classic, by its scope",
        "azure:authorization/roleDefinition:RoleDefinition",
        {"name": "ops", "scope": MANAGEMENT_GROUP, "permissions": [{"actions": [READ]}]},
        "scope",
    ),
    Case("by its name", ROLE, role("*", name="Arc Gateway operators"), "permissions[0].actions[0]"),
    Case(
        "second permission",
        ROLE,
        {"permissions": [{"actions": [READ]}, {"actions": ["*"]}], "assignableScopes": [GROUP]},
        "permissions[1].actions[0]",
    ),
    Case("management group", ROLE, role(READ, scopes=[GROUP, MANAGEMENT_GROUP]), "assignableScopes[1]"),
    Case("tenant", ROLE, role(READ, scopes=["/"]), "assignableScopes[0]"),
    Case(
        "known beside unknown",
        ROLE,
        {"roleName": UNKNOWN, "permissions": [{"actions": [READ, "*"]}], "assignableScopes": UNKNOWN},
        "permissions[0].actions[1]",
    ),
    Case("unknown action", ROLE, role(READ, UNKNOWN), "permissions[0].actions[1]", says="not known yet"),
    Case("unknown permissions", ROLE, {"roleName": "arc-gateway", "permissions": UNKNOWN}, "permissions"),
    Case(
        "unknown exceptions",
        ROLE,
        role(READ, "Microsoft.HybridCompute/*", notActions=[UNKNOWN]),
        "permissions[0].actions[1]",
        says="unless notActions",
    ),
    Case(
        "generic role",
        GENERIC,
        {
            "resourceProviderNamespace": "Microsoft.Authorization",
            "resourceType": "roleDefinitions",
            "properties": role(READ, "*"),
        },
        "properties.permissions[0].actions[1]",
    ),
    Case(
        "role in a nested template",
        DEPLOYMENT,
        deployment(nested(arm("roleDefinitions", role(WRITE, "*")))),
        "properties.template.resources[0].properties.template.resources[0].properties.permissions[0].actions[1]",
    ),
    Case(
        "role by a template's parameter",
        DEPLOYMENT,
        deployment(
            arm("roleDefinitions", {**role(), "permissions": [{"actions": "[parameters('actions')]"}]}),
            parameters={"actions": {"type": "array", "defaultValue": [READ, "*"]}},
        ),
        "properties.template.resources[0].properties.permissions[0].actions[1]",
    ),
    Case(
        "role of azapi",
        "azapi:index/resource:Resource",
        {
            "type": "Microsoft.Authorization/roleDefinitions@2022-04-01",
            "parentId": SUBSCRIPTION,
            "body": {"properties": role(READ, "*")},
        },
        "type",
    ),
    Case(
        "az role definition",
        LOCAL,
        {"create": f"az role definition create --role-definition '{json.dumps(CLI_ROLE)}'"},
        "create",
        says="az role definition",
    ),
    Case(
        "az role definition, double quotes and a variable",
        REMOTE,
        {
            "create": "az role definition update --role-d="
            + json.dumps(json.dumps({**CLI_ROLE, "AssignableScopes": ["/subscriptions/$SUBSCRIPTION"]}))
        },
        "create",
    ),
    Case(
        "az role definition, by a file that it writes",
        LOCAL,
        {
            "create": f"cat > r.json <<EOF\n{json.dumps(CLI_ROLE)}\nEOF\n"
            "az role definition create --role-definition @r.json"
        },
        "create",
        says="cannot be read here",
    ),
    Case(
        "New-AzRoleDefinition, by text",
        LOCAL,
        {
            "interpreter": ["pwsh", "-Command"],
            "create": f"'{json.dumps(CLI_ROLE)}' | Out-File r.json\nNew-AzRoleDefinition -InputFile r.json",
        },
        "create",
    ),
    Case("Owner of a gateway", ASSIGNMENT, assignment(OWNER, GATEWAY), "roleDefinitionId"),
    Case(
        "Contributor on a cluster",
        "azure-native:authorization/v20200401preview:RoleAssignment",
        assignment(CONTRIBUTOR.upper(), CLUSTER.lower()),
        "roleDefinitionId",
    ),
    Case(
        "classic, by name",
        "azure:authorization/assignment:Assignment",
        {"scope": CLUSTER, "roleDefinitionName": "user access administrator", "principalId": UNKNOWN},
        "roleDefinitionName",
    ),
    Case(
        "eligible, classic",
        "azure:pim/eligibleRoleAssignment:EligibleRoleAssignment",
        assignment(OWNER, GATEWAY),
        "roleDefinitionId",
    ),
    Case(
        "eligible",
        "azure-native:authorization:PimRoleEligibilitySchedule",
        assignment(OWNER, CLUSTER),
        "roleDefinitionId",
    ),
    Case(
        "on a cluster's setting",
        ASSIGNMENT,
        assignment(OWNER, f"{CLUSTER}/providers/Microsoft.HybridCompute/settings/default"),
        "roleDefinitionId",
    ),
    Case(
        "said to be for gateways",
        ASSIGNMENT,
        {**assignment(CONTRIBUTOR, SUBSCRIPTION), "description": "for the Arc gateway team"},
        "roleDefinitionId",
    ),
    Case(
        "Owner of what is not known yet", ASSIGNMENT, assignment(OWNER, UNKNOWN), "roleDefinitionId", says="not known"
    ),
    Case("unknown role on a gateway", ASSIGNMENT, assignment(UNKNOWN, GATEWAY), "roleDefinitionId", says="not known"),
    Case(
        "generic assignment",
        GENERIC,
        {
            "resourceProviderNamespace": "Microsoft.Kubernetes",
            "parentResourcePath": "connectedClusters/c/providers/Microsoft.Authorization",
            "resourceType": "roleAssignments",
            "properties": {"roleDefinitionId": f"{DEFINITIONS}/{OWNER}"},
        },
        "properties.roleDefinitionId",
    ),
    Case(
        "assignment in a template, by scope",
        DEPLOYMENT,
        deployment(
            arm(
                "roleAssignments",
                {"roleDefinitionId": f"[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{OWNER}')]"},
                scope="[format('Microsoft.HybridCompute/gateways/{0}', parameters('g'))]",
            )
        ),
        "properties.template.resources[0].properties.roleDefinitionId",
    ),
    Case(
        "assignment in a template, as a child",
        "azure:core/resourceGroupTemplateDeployment:ResourceGroupTemplateDeployment",
        {
            "templateContent": json.dumps(
                template(
                    {
                        "type": "Microsoft.Kubernetes/connectedClusters/providers/roleAssignments",
                        "name": "c/Microsoft.Authorization/x",
                        "properties": {"roleDefinitionId": f"{DEFINITIONS}/{CONTRIBUTOR}"},
                    }
                )
            )
        },
        "templateContent",
    ),
    Case(
        "assignment of azapi",
        "azapi:index/resource:Resource",
        {
            "type": "Microsoft.Authorization/roleAssignments@2022-04-01",
            "parentId": GATEWAY,
            "body": json.dumps({"properties": {"roleDefinitionId": f"{DEFINITIONS}/{OWNER}"}}),
        },
        "type",
    ),
    Case(
        "az role assignment",
        LOCAL,
        {"create": f'az  role \'assignment\' cre"ate" --role "Owner" \\\n  --assignee x --scope={GATEWAY}'},
        "create",
    ),
    Case(
        "az role assignment, scope not known",
        LOCAL,
        {"create": 'az role assignment create --role contributor --assignee x --scope "$ID"'},
        "create",
        says="scope is not known yet",
    ),
    Case(
        "az ad sp create-for-rbac, second scope",
        LOCAL,
        {"create": f"az ad sp create-for-rbac -n x --role Contributor --scopes {GROUP} {CLUSTER} --query password"},
        "create",
    ),
    Case(
        "New-AzRoleAssignment",
        LOCAL,
        {
            "interpreter": ["pwsh", "-c"],
            "create": f"New-AzRoleAssignment -ObjectId x -RoleDefinitionName 'Role Based Access Control Administrator' "
            f"-Scope '{CLUSTER}'",
        },
        "create",
    ),
    Case(
        "New-AzRoleAssignment, by the resource's type",
        REMOTE,
        {
            "create": f"pwsh -Command 'New-AzRoleAssignment -SignInName x -RoleDefinitionId {OWNER} -ResourceName c "
            "-ResourceType Microsoft.Kubernetes/connectedClusters -ResourceGroupName rg'"
        },
        "create",
    ),
    Case(
        "az rest",
        LOCAL,
        {
            "create": f"az rest -m put -u 'https://management.azure.com{GATEWAY}/providers/Microsoft.Authorization/"
            f"roleAssignments/1?api-version=1' -b '"
            + json.dumps({"properties": {"roleDefinitionId": f"{DEFINITIONS}/{OWNER}"}})
            + "'"
        },
        "create",
    ),
    Case("built-in role too high up", ASSIGNMENT, assignment(MANAGER, MANAGEMENT_GROUP), "scope"),
    Case("ours, too high up", OURS, {"scope": MANAGEMENT_GROUP, "roleName": "ops"}, "scope"),
    Case("ours, in the tenant, snake", OURS, {"scope": "/", "role_name": UNKNOWN, "manage_gateways": True}, "scope"),
]

PASSED = [
    Case("ours", OURS, {"scope": GROUP, "manageGateways": True, "onboardClusters": True, "principalIds": ["p"]}),
    Case("ours, scope not known", OURS, {"scope": UNKNOWN, "role_name": "ops"}),
    Case(
        "what our component makes",
        ROLE,
        role(
            *rights.ASSOCIATE_ACTIONS,
            *rights.ONBOARD_ACTIONS,
            *rights.DISCONNECT_ACTIONS,
            *rights.GATEWAY_ACTIONS,
            scopes=[UNKNOWN],
            name="arc-gateway-operators",
        ),
    ),
    Case("what the page asks for", ROLE, role(READ, WRITE, ASSOCIATE, scopes=[GROUP])),
    Case(
        "what Azure's own roles carry",
        ROLE,
        role(
            READ,
            "Microsoft.Authorization/*/read",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Support/*",
            "*/read",
        ),
    ),
    Case("all of gateways", ROLE, role("Microsoft.HybridCompute/gateways/*", "Microsoft.HybridCompute/settings/*")),
    Case(
        "everything taken away again",
        ROLE,
        role(READ, "Microsoft.Kubernetes/*", notActions=["Microsoft.Kubernetes/*"], notDataActions=["*"]),
    ),
    Case("wide, for others", ROLE, role("*", name="platform team")),
    Case("clusters, for others", ROLE, role("Microsoft.Kubernetes/connectedClusters/*", "Microsoft.Kubernetes/*/read")),
    Case("data taken away again", ROLE, role(READ, dataActions=["Microsoft.X/a/*"], notDataActions=["microsoft.x/*"])),
    Case("servers, for others", ROLE, role("Microsoft.HybridCompute/machines/*", "Microsoft.HybridCompute/*/read")),
    Case("application gateways", ROLE, role("Microsoft.Network/applicationGateways/*", name="gateway operators")),
    Case("a role in the tenant, for others", ROLE, role("Microsoft.Storage/*/read", scopes=["/"])),
    Case("unknown role of others", ROLE, {"roleName": "x", "permissions": UNKNOWN, "assignableScopes": [UNKNOWN]}),
    Case("Owner of a storage account", ASSIGNMENT, assignment(OWNER, STORAGE)),
    Case("Contributor of a group", ASSIGNMENT, assignment(CONTRIBUTOR, GROUP)),
    Case("Owner of a server", ASSIGNMENT, assignment(OWNER, f"{GROUP}/providers/Microsoft.HybridCompute/machines/m")),
    Case("Reader of a gateway", ASSIGNMENT, assignment(READER, GATEWAY)),
    Case("the built-in role", ASSIGNMENT, assignment(MANAGER, GATEWAY)),
    Case("the built-in role, scope not known", ASSIGNMENT, assignment(MANAGER, UNKNOWN)),
    Case("all unknown", ASSIGNMENT, assignment(UNKNOWN, UNKNOWN)),
    Case(
        "an application gateway",
        "azure:authorization/assignment:Assignment",
        {"scope": f"{GROUP}/providers/Microsoft.Network/applicationGateways/g", "roleDefinitionName": "Owner"},
    ),
    Case("Kubernetes role", "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", {"rules": [{"verbs": ["*"]}]}),
    Case(
        "a role's listing",
        LOCAL,
        {"create": f"az role assignment list --role Owner --scope {GATEWAY}; az role definition list"},
    ),
    Case("taking away", LOCAL, {"create": f"az role assignment delete --role Owner --scope {GATEWAY}"}),
    Case(
        "onboarding",
        LOCAL,
        {
            "create": "az ad sp create-for-rbac --role 'Kubernetes Cluster - Azure Arc Onboarding' "
            f"--scopes {GROUP}; az role assignment create --role Owner -g rg --assignee x"
        },
    ),
    Case(
        "narrow, by az",
        LOCAL,
        {"create": f"az role definition create --role-definition '{json.dumps({**CLI_ROLE, 'Actions': [READ]})}'"},
    ),
    Case(
        "New-AzRoleAssignment for others",
        LOCAL,
        {
            "interpreter": ["pwsh", "-Command"],
            "create": f"New-AzRoleAssignment -SignInName x -RoleDefinitionName Owner -Scope {STORAGE}",
        },
    ),
    Case(
        "a file of others",
        LOCAL,
        {"create": "az role definition create --role-definition @storage.json"},
    ),
    Case(
        "template for others",
        DEPLOYMENT,
        deployment(arm("roleAssignments", {"roleDefinitionId": f"{DEFINITIONS}/{OWNER}"}, scope=STORAGE)),
    ),
    Case(
        "assignment in a template that is not made",
        DEPLOYMENT,
        deployment(arm("roleAssignments", {"roleDefinitionId": OWNER}, scope=GATEWAY, condition=False)),
    ),
]
