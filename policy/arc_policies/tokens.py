"""Type tokens: one name for a resource type, in whatever major version, package or provider it is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .reading import Node, Path, Value

_NATIVE = re.compile(r"(?:azure-native|azure-nextgen)(?:_[a-z0-9]+_v\w+)?:([a-z0-9]+)(?:/[^:]+)?:(\w+)", re.IGNORECASE)

_RULES = "azure-native:network:firewallpolicyrulecollectiongroup"
_ROLE_ASSIGNMENT = "azure-native:authorization:roleassignment"

#: Types of ExpressRoute, VPN and routing that the classic provider calls as azure-native does.
_CONNECTIONS = (
    *("expressroutecircuit", "expressroutecircuitauthorization", "expressroutecircuitconnection"),
    *("expressroutecircuitpeering", "expressrouteconnection", "expressroutegateway", "expressrouteport"),
    *("expressrouteportauthorization", "virtualnetworkgateway", "virtualnetworkgatewayconnection"),
    *("virtualnetworkgatewaynatrule", "localnetworkgateway", "vpngateway", "vpnsite", "virtualhub"),
    *("route", "routetable", "routefilter"),
)
_COLLECTION = "azure-native:network:firewallrulecollection"

#: Renamed between majors of azure-native, or the classic provider's name for the same thing.
_SAME = {
    "azure-native:network:interfaceendpoint": "azure-native:network:privateendpoint",
    "azure-native:network:privatezone": "azure-native:privatedns:privatezone",
    "azure-native:network:virtualnetworklink": "azure-native:privatedns:virtualnetworklink",
    "azure-native:network:privaterecordset": "azure-native:privatedns:privaterecordset",
    "azure-native:insights:privatelinkscope": "azure-native:monitor:privatelinkscope",
    "azure-native:insights:privatelinkscopedresource": "azure-native:monitor:privatelinkscope",
    "azure-native:monitor:privatelinkscopedresource": "azure-native:monitor:privatelinkscope",
    "azure-native:network:firewallpolicyrulecollectiongroupdraft": _RULES,
    "azure-native:network:firewallpolicyrulegroup": _RULES,
    "azure-native:network:firewallpolicydraft": "azure-native:network:firewallpolicy",
    "azure:privatelink:endpoint": "azure-native:network:privateendpoint",
    "azure:privatedns:zone": "azure-native:privatedns:privatezone",
    "azure:privatedns:zonevirtualnetworklink": "azure-native:privatedns:virtualnetworklink",
    "azure:privatedns:linkservice": "azure-native:network:privatelinkservice",
    "azure:arc:privatelinkscope": "azure-native:hybridcompute:privatelinkscope",
    "azure:monitoring:privatelinkscope": "azure-native:monitor:privatelinkscope",
    "azure:monitoring:privatelinkscopedservice": "azure-native:monitor:privatelinkscope",
    "azure:arckubernetes:cluster": "azure-native:kubernetes:connectedcluster",
    "azure:arckubernetes:provisionedcluster": "azure-native:kubernetes:connectedcluster",
    "azure:core:resourcegroup": "azure-native:resources:resourcegroup",
    "azure:management:privatelink": "azure-native:authorization:resourcemanagementprivatelink",
    "azure:authorization:roledefinition": "azure-native:authorization:roledefinition",
    "azure:authorization:assignment": _ROLE_ASSIGNMENT,
    "azure:pim:activeroleassignment": _ROLE_ASSIGNMENT,
    "azure:pim:eligibleroleassignment": _ROLE_ASSIGNMENT,
    "azure-native:authorization:pimroleeligibilityschedule": _ROLE_ASSIGNMENT,
    "azure-native:authorization:roleassignmentschedulerequest": _ROLE_ASSIGNMENT,
    "azure-native:authorization:roleeligibilityschedulerequest": _ROLE_ASSIGNMENT,
    "azure:network:firewallpolicy": "azure-native:network:firewallpolicy",
    "azure:network:firewallpolicyrulecollectiongroup": _RULES,
    "azure:network:firewall": "azure-native:network:azurefirewall",
    "azure:network:firewallapplicationrulecollection": _COLLECTION,
    "azure:network:firewallnetworkrulecollection": _COLLECTION,
    "azure:network:networksecuritygroup": "azure-native:network:networksecuritygroup",
    "azure:network:networksecurityrule": "azure-native:network:securityrule",
    "azure:network:networkmanageradminrule": "azure-native:network:adminrule",
    "azure:network:applicationgateway": "azure-native:network:applicationgateway",
    **{f"azure:network:{kind}": f"azure-native:network:{kind}" for kind in _CONNECTIONS},
    "azure:network:vpngatewayconnection": "azure-native:network:vpnconnection",
    "azure:network:vpngatewaynatrule": "azure-native:network:natrule",
    "azure:avs:expressrouteauthorization": "azure-native:avs:authorization",
    "azure:paloalto:localrulestackrule": "azure-native:cloudngfw:localrule",
    "azure:paloalto:localrulestackoutboundtrustcertificateassociation": "azure-native:cloudngfw:outboundcertificate",
    "azure:paloalto:localrulestackoutbounduntrustcertificateassociation": "azure-native:cloudngfw:outboundcertificate",
    "azure:core:resourcegrouptemplatedeployment": "azure-native:resources:deployment",
    "azure:core:subscriptiontemplatedeployment": "azure-native:resources:deployment",
    "azure:core:tenanttemplatedeployment": "azure-native:resources:deployment",
    "azure:management:grouptemplatedeployment": "azure-native:resources:deployment",
    "azure:core:templatedeployment": "azure-native:resources:deployment",
    "azure-native:resources:deploymentatscope": "azure-native:resources:deployment",
    "azure-native:resources:deploymentatsubscriptionscope": "azure-native:resources:deployment",
    "azure-native:resources:deploymentatmanagementgroupscope": "azure-native:resources:deployment",
    "azure-native:resources:deploymentattenantscope": "azure-native:resources:deployment",
    "azure-native:resources:templatespecversion": "azure-native:resources:deployment",
    "azure-native:resources:deploymentstackatresourcegroup": "azure-native:resources:deployment",
    "azure-native:resources:deploymentstackatsubscription": "azure-native:resources:deployment",
    "azure-native:resources:deploymentstackatmanagementgroup": "azure-native:resources:deployment",
}
#: What bridged Terraform and Crossplane call by the names of Terraform's provider, which has no modules.
_TERRAFORM = {
    **{name.rpartition(":")[2]: token for name, token in _SAME.items() if name.startswith("azure:network:")},
    "privateendpoint": "azure-native:network:privateendpoint",
    "privatednszone": "azure-native:privatedns:privatezone",
    "privatednszonevirtualnetworklink": "azure-native:privatedns:virtualnetworklink",
}
_OPERATED = re.compile(r"kubernetes:(\w+)\.azure(?:\.m)?\.(com|upbound\.io):(\w+)")
_CLASSIC_RECORD = re.compile(r"azure:privatedns:(?:a|aaaa|cname|mx|ptr|srv|txt)record")

#: ARM types whose Pulumi name is not simply the namespace and the singular of the last part.
_ARM = {
    "microsoft.network/privatednszones": "azure-native:privatedns:privatezone",
    "microsoft.network/privatednszones/virtualnetworklinks": "azure-native:privatedns:virtualnetworklink",
    "microsoft.hybridcompute/privatelinkscopes/scopedresources": "azure-native:hybridcompute:privatelinkscopedresource",
    "microsoft.insights/privatelinkscopes": "azure-native:monitor:privatelinkscope",
    "microsoft.insights/privatelinkscopes/scopedresources": "azure-native:monitor:privatelinkscope",
    "microsoft.network/connections": "azure-native:network:virtualnetworkgatewayconnection",
    "microsoft.network/virtualnetworkgateways/natrules": "azure-native:network:virtualnetworkgatewaynatrule",
    "microsoft.network/expressroutecircuits/authorizations": "azure-native:network:expressroutecircuitauthorization",
    "microsoft.network/expressroutecircuits/peerings": "azure-native:network:expressroutecircuitpeering",
    "microsoft.network/expressroutecircuits/peerings/connections": "azure-native:network:expressroutecircuitconnection",
    "microsoft.network/expressroutecrossconnections/peerings": (
        "azure-native:network:expressroutecrossconnectionpeering"
    ),
    "microsoft.network/expressrouteports/authorizations": "azure-native:network:expressrouteportauthorization",
    "microsoft.network/firewallpolicies": "azure-native:network:firewallpolicy",
    "microsoft.network/firewallpolicies/rulecollectiongroups": _RULES,
    "microsoft.network/firewallpolicies/rulegroups": _RULES,
    "microsoft.network/firewallpolicies/rulecollectiongroups/rulecollectiongroupdrafts": _RULES,
    "microsoft.network/networkmanagers/securityadminconfigurations/rulecollections/rules": (
        "azure-native:network:adminrule"
    ),
}
_ARM_RECORD = re.compile(r"microsoft\.network/privatednszones/(?:a|aaaa|cname|mx|ptr|soa|srv|txt)")


@dataclass(frozen=True)
class Resource:
    """A resource as a policy is asked about it.

    Attributes:
        type: Pulumi's type token.
        name, urn: which one.
        props: its inputs (in a stack policy, its outputs), as proxies that raise at unknown values, or plain.
        protect: whether it is guarded against deletion.
        provider: the inputs of its explicit or default provider, likewise; None where there is none.
    """

    type: str
    name: str
    urn: str
    props: object
    protect: bool = False
    provider: object = None


@dataclass(frozen=True)
class Count:
    """How many of something are made: at least, and at most (None where nothing says)."""

    least: int = 1
    most: int | None = 1

    def times(self, other: Count) -> Count:
        return Count(
            self.least * other.least, None if self.most is None or other.most is None else self.most * other.most
        )

    def plus(self, other: Count) -> Count:
        return Count(
            self.least + other.least, None if self.most is None or other.most is None else self.most + other.most
        )


@dataclass(frozen=True)
class Subject:
    """Something that a resource declares: the resource itself, or what a template or a command in it would make.

    Attributes:
        token: the normalised type.
        node: its properties.
        at: the property to name in messages, where the paths of `node` are not the resource's own.
        form: words between the property and a finding's problem, such as ``runs `az ...`, which``.
        resource: the resource that declares it.
        count: how many of it, where a template makes copies or decides whether to make it.
        subscription: where it is made, if a template says so; None where that is the resource's own.
    """

    token: str
    node: Node
    at: Path | None = None
    form: str = ""
    resource: Resource | None = None
    count: Count = Count()
    subscription: Value = None


@lru_cache(maxsize=4096)
def normalise(resource_type: str) -> str:
    """`provider:module:type` in lower case, without API version; Kubernetes kinds as `kubernetes:GROUP:kind`.

    A Kubernetes kind loses its `Patch` and `List`; a type that has the same meaning elsewhere gets azure-native's name.
    """
    native = _NATIVE.fullmatch(resource_type)
    if native:
        token = f"azure-native:{native[1]}:{native[2]}".lower()
        return _SAME.get(token, token)
    provider, _, rest = resource_type.partition(":")
    module, _, kind = rest.rpartition(":")
    token = f"{provider}:{module.partition('/')[0]}:{kind}".lower()
    if provider == "kubernetes":
        return token.removesuffix("patch").removesuffix("list")
    if provider == "azurerm":
        return _TERRAFORM.get(kind.lower(), token)
    if _CLASSIC_RECORD.fullmatch(token):
        return "azure-native:privatedns:privaterecordset"
    return _SAME.get(token, token)


@lru_cache(maxsize=4096)
def operated(token: str) -> str:
    """The Azure type that a Kubernetes kind of Azure Service Operator or Crossplane stands for; "" for other kinds."""
    found = _OPERATED.fullmatch(token)
    if not found:
        return ""
    group, domain, kind = found.groups()
    return normalise(f"azure-native:{group}:{kind}") if domain == "com" else _TERRAFORM.get(kind, "")


@lru_cache(maxsize=4096)
def from_arm(arm_type: str) -> str:
    """The normalised token of an ARM type such as `Microsoft.Network/privateEndpoints`, a `@version` left out."""
    arm_type = arm_type.partition("@")[0].strip("/").lower()
    if arm_type in _ARM:
        return _ARM[arm_type]
    if _ARM_RECORD.fullmatch(arm_type):
        return "azure-native:privatedns:privaterecordset"
    namespace, _, rest = arm_type.partition("/")
    module = "cloudngfw" if namespace == "paloaltonetworks.cloudngfw" else namespace.removeprefix("microsoft.")
    return normalise(f"azure-native:{module}:{rest.rpartition('/')[2].removesuffix('s')}")


def arm_type_of_id(resource_id: str) -> str:
    """The ARM type that a resource id (or the tail of one, from its provider on) ends in; "" where there is none."""
    tail = re.split(r"(?:^|/)providers/", resource_id.partition("?")[0], flags=re.IGNORECASE)[-1]
    parts = [part for part in tail.split("/") if part]
    return "/".join([parts[0], *parts[1::2]]) if len(parts) > 1 else ""


def subscription_of_id(resource_id: str) -> str:
    """The subscription that a resource id or an address of Azure's API names; "" where it names none."""
    found = re.search(r"(?:^|/)subscriptions/([^/?#]+)", resource_id, re.IGNORECASE)
    # `az rest` puts the current subscription in the place of `{subscriptionId}`.
    return found[1] if found and not found[1].startswith("{") else ""
