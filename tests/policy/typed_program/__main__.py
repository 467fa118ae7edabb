"""A stack in the classes of Pulumi's SDKs: sound, or with a resource for each rule, named after it, that breaks it."""

import pulumi
import pulumi_azure_native as azure
import pulumi_command as command
import pulumi_kubernetes as kubernetes

PLACE = {"resource_group_name": "fleet", "location": "eastus"}
SCOPE = "/subscriptions/0/resourceGroups/fleet/providers/Microsoft.HybridCompute/privateLinkScopes/s"


def sound() -> None:
    azure.resources.ResourceGroup("fleet", resource_group_name="fleet", location="eastus")
    azure.hybridcompute.Gateway(
        "gateway",
        **PLACE,
        gateway_type=azure.hybridcompute.GatewayType.PUBLIC,
        allowed_features=["*"],
        opts=pulumi.ResourceOptions(protect=True),
    )
    azure.kubernetes.ConnectedCluster(
        "east",
        **PLACE,
        cluster_name="east",
        agent_public_key_certificate="",
        identity=azure.kubernetes.ConnectedClusterIdentityArgs(type="SystemAssigned"),
        private_link_state=azure.kubernetes.PrivateLinkState.DISABLED,
    )
    azure.network.FirewallPolicyRuleCollectionGroup("open", **rules(terminate_tls=False))
    kubernetes.core.v1.ConfigMap("settings", metadata={"name": "settings"}, data={"level": "info"})
    command.local.Command("connect", create="az connectedk8s show -n east -g fleet", delete="true")


def broken() -> None:
    azure.network.PrivateEndpoint(
        "no-private-endpoints",
        **PLACE,
        private_link_service_connections=[
            azure.network.PrivateLinkServiceConnectionArgs(
                name="arc", private_link_service_id=SCOPE, group_ids=["hybridcompute"]
            )
        ],
    )
    azure.network.FirewallPolicyRuleCollectionGroup("no-tls-terminating-proxies", **rules(terminate_tls=True))
    azure.network.ExpressRouteCircuit("no-expressroute-or-vpn", **PLACE)
    azure.Provider("azure-public-cloud", environment="usgovernment")
    command.local.Command("skip-range", create="az connectedk8s connect -n c -g g --proxy-skip-range '*'")
    command.local.Command("proxy-urls", create="az connectedk8s connect -n c -g g --proxy-https socks5://proxy:1080")
    kubernetes.networking.v1.NetworkPolicy(
        "required-endpoints",
        metadata={"name": "closed", "namespace": "azure-arc"},
        spec=kubernetes.networking.v1.NetworkPolicySpecArgs(pod_selector={}, policy_types=["Egress"], egress=[]),
    )
    azure.kubernetes.ConnectedCluster(
        "agent-version",
        **PLACE,
        cluster_name="old",
        agent_public_key_certificate="",
        identity=azure.kubernetes.ConnectedClusterIdentityArgs(type="SystemAssigned"),
        arc_agent_profile=azure.kubernetes.ArcAgentProfileArgs(desired_agent_version="1.9.0"),
    )
    azure.hybridcompute.Gateway("gateway-shape", **PLACE, gateway_type="Private")
    for number in range(6):
        azure.hybridcompute.Gateway(f"gateways-per-subscription-{number}", **PLACE, gateway_type="Public")


def rules(*, terminate_tls: bool) -> dict:
    rule = azure.network.ApplicationRuleArgs(
        name="web",
        rule_type="ApplicationRule",
        source_addresses=["10.0.0.0/8"],
        target_fqdns=["*"],
        terminate_tls=terminate_tls,
        protocols=[azure.network.FirewallPolicyRuleApplicationProtocolArgs(protocol_type="Https", port=443)],
    )
    collection = azure.network.FirewallPolicyFilterRuleCollectionArgs(
        name="egress",
        priority=200,
        rule_collection_type="FirewallPolicyFilterRuleCollection",
        action=azure.network.FirewallPolicyFilterRuleCollectionActionArgs(type="Allow"),
        rules=[rule],
    )
    return {
        "resource_group_name": "fleet",
        "firewall_policy_name": "egress",
        "priority": 300,
        "rule_collections": [collection],
    }


sound()
if pulumi.Config().get_bool("broken"):
    broken()
