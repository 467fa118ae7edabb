"""Calls of `az` and PowerShell that make or change ExpressRoute, VPN, and what routes go over them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .arguments import Arguments, Made, Option, Row, first, nothing
from .az_values import items
from .reading import Value

_NET = "azure-native:network:"
_CONNECTION = f"{_NET}virtualnetworkgatewayconnection"
_CIRCUIT = f"{_NET}expressroutecircuit"

_PEERING_TYPE: Option = ("--peering-type", "--peering-t")
_CLIENTS: tuple[Option, ...] = (
    *(("--address-prefixes", "--address-p"), ("--client-protocol", "--client-p"), ("--vpn-auth-type", "--vpn-a")),
    *(("--root-cert-data", "--root-cert-d"), ("--aad-tenant", "--aad-t"), ("--radius-server", "--radius-server")),
)
_CLIENT_PARAMETERS = (
    *("VpnClientAddressPool", "VpnClientProtocol", "VpnClientRootCertificates", "VpnAuthenticationType"),
    *("AadTenantUri", "RadiusServerAddress"),
)
#: What tells the type of `az network vpn-connection create`: the far end.
_FAR_ENDS: tuple[tuple[Option, str], ...] = (
    (("--express-route-circuit2", "--express-route-c"), "ExpressRoute"),
    (("--local-gateway2", "--local"), "IPsec"),
    (("--vnet-gateway2", "--vnet-gateway2"), "Vnet2Vnet"),
)


def _circuit(args: Arguments) -> Value:
    kind = args.value(_PEERING_TYPE)
    return {"peeringType": first(kind, args.parameter("PeeringType"))}


def _vnet_gateway(args: Arguments) -> Value:
    kind, routing = args.value(("--gateway-type", "--gateway-t")), args.value(("--vpn-type", "--vpn-t"))
    clients = [value for name in _CLIENT_PARAMETERS if (value := args.parameter(name)) is not None]
    client = args.value(*_CLIENTS)
    site = args.value(("--gateway-default-site", "--gateway-d"))
    return {
        "gatewayType": first(kind, args.parameter("GatewayType")),
        "vpnType": first(routing, args.parameter("VpnType")),
        "vpnClientConfiguration": None if client is None and not clients else "given",
        "gatewayDefaultSite": first(site, args.parameter("GatewayDefaultSite")),
    }


def _vnet_connection(args: Arguments) -> Value:
    ends = [kind for option, kind in _FAR_ENDS if args.value(option) is not None]
    return {"connectionType": ends[0] if ends else args.parameter("ConnectionType")}


def _route(args: Arguments) -> Value:
    hop, prefix = args.value(("--next-hop-type", "--next-hop-t")), args.value(("--address-prefix", "--address-p"))
    return {
        "nextHopType": first(hop, args.parameter("NextHopType")),
        "addressPrefix": first(prefix, args.parameter("AddressPrefix")),
    }


def _filter_rule(args: Arguments) -> Value:
    access, communities = args.value(("--access", "--a")), items(args.values(("--communities", "--c")))
    return {
        "access": first(access, args.parameter("Access")),
        "communities": [args.parameter("CommunityList")] if communities is None else communities,
    }


AZ: tuple[Row, ...] = (
    (r"network express-route (?:[\w-]+ )*(?:create|update|add)", _CIRCUIT, _circuit),
    (r"network cross-connection (?:[\w-]+ )*(?:create|update)", f"{_NET}expressroutecrossconnectionpeering", _circuit),
    (r"network vnet-gateway create", f"{_NET}virtualnetworkgateway", _vnet_gateway),
    (r"network vpn-connection (?:[\w-]+ )*(?:create|update|add)", _CONNECTION, _vnet_connection),
    (r"network local-gateway (?:create|update)", f"{_NET}localnetworkgateway", nothing),
    (r"network vpn-gateway (?:[\w-]+ )*(?:create|update|add)", f"{_NET}vpngateway", nothing),
    (r"network vpn-site (?:[\w-]+ )*(?:create|update|add)", f"{_NET}vpnsite", nothing),
    (r"network route-filter rule (?:create|update)", f"{_NET}routefilterrule", _filter_rule),
    (r"network route-table route (?:create|update)", f"{_NET}route", _route),
    (r"vmware authorization create", "azure-native:avs:authorization", nothing),
    (r"vmware global-reach-connection create", "azure-native:avs:globalreachconnection", nothing),
)

CMDLETS: Mapping[str, tuple[Made, ...]] = {
    "new-azvirtualnetworkgateway": ((f"{_NET}virtualnetworkgateway", _vnet_gateway),),
    "new-azvirtualnetworkgatewayconnection": ((_CONNECTION, _vnet_connection),),
    **{
        f"{verb}-az{kind}": ((f"{_NET}{kind}", nothing),)
        for kind in ("localnetworkgateway", "vpngateway", "vpnsite", "vpnconnection")
        for verb in ("new", "set", "update")
    },
    "new-azroutefilterruleconfig": ((f"{_NET}routefilterrule", _filter_rule),),
    "add-azroutefilterruleconfig": ((f"{_NET}routefilterrule", _filter_rule),),
    "new-azrouteconfig": ((f"{_NET}route", _route),),
    "add-azrouteconfig": ((f"{_NET}route", _route),),
    "new-azvmwareauthorization": (("azure-native:avs:authorization", nothing),),
    "new-azvmwareglobalreachconnection": (("azure-native:avs:globalreachconnection", nothing),),
}

#: All of ExpressRoute but the letter that a provider is shown.
_EXPRESS_ROUTE = re.compile(r"(?:new|add|set|update)-azexpressroute(?!portloa)\w+")


def cmdlet(name: str) -> tuple[Made, ...]:
    """What a cmdlet makes that is told by a part of its name."""
    return ((_CIRCUIT, _circuit),) if _EXPRESS_ROUTE.fullmatch(name) else ()
