"""Azure's service tags and address ranges, as the host names that stand behind them."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from .closings import EVERYTHING

_FRONT_DOOR = ("*.gw.arc.azure.com", "mcr.microsoft.com")
#: (pattern, whether all of its addresses are in the tag), by the tag in lower case, without region.
_TAGS: dict[str, tuple[tuple[str, bool], ...]] = {
    "azurearcinfrastructure": (
        ("*.his.arc.azure.com", True),
        ("*.obo.arc.azure.com", True),
        ("*.dp.kubernetesconfiguration.azure.com", True),
        ("guestnotificationservice.azure.com", True),
        ("*.guestnotificationservice.azure.com", True),
        ("*.gw.arc.azure.com", False),
    ),
    "azureactivedirectory": (
        ("login.microsoftonline.com", True),
        ("*.login.microsoft.com", True),
        ("login.windows.net", True),
        ("sts.windows.net", True),
    ),
    "azureresourcemanager": (("management.azure.com", True),),
    "microsoftcontainerregistry": (("mcr.microsoft.com", True), ("*.data.mcr.microsoft.com", True)),
    "azurefrontdoor": tuple((name, False) for name in _FRONT_DOOR),
    "azuremonitor": (
        ("*.ods.opinsights.azure.com", True),
        ("*.oms.opinsights.azure.com", True),
        ("*.monitoring.azure.com", True),
    ),
    "azurekeyvault": (("*.vault.azure.net", True),),
    "servicebus": (("*.servicebus.windows.net", True),),
    "storage": (("*.blob.core.windows.net", True),),
    "azurecloud": tuple(
        (name, True)
        for name in (
            "*.azure.com",
            "*.microsoftonline.com",
            "*.microsoft.com",
            "*.windows.net",
            "*.azure.net",
            "*.azurecr.io",
            "*.arcdataservices.com",
        )
    ),
}
_ANYWHERE = frozenset({"*", "any", "all", "internet", "0.0.0.0/0", "0.0.0.0-255.255.255.255"})
_INSIDE = frozenset({"virtualnetwork", "azureloadbalancer", "vnet"})
_WIDE_PRIVATE = frozenset({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"})


def names_behind(destination: str) -> tuple[tuple[str, bool], ...]:
    """The host name patterns behind a destination of a network rule, each with whether all of it is there.

    An address proves nothing about names; a range of all addresses, or of half of them, is about every host.
    """
    destination = destination.strip().lower()
    if destination in _ANYWHERE or _half(destination):
        return ((EVERYTHING, True),)
    tag, dot, region = destination.partition(".")
    behind = _TAGS.get(tag, ())
    return tuple((name, sure and not (dot and region)) for name, sure in behind)


def outside(destination: str) -> bool:
    """Whether a destination may be on the internet: neither a private range nor a virtual network."""
    destination = destination.strip().lower()
    if destination in _INSIDE:
        return False
    try:
        return not ip_network(destination, strict=False).is_private
    except ValueError:
        pass
    try:
        return not ip_address(destination.partition("-")[0]).is_private
    except ValueError:
        return True


def everywhere(source: str) -> bool:
    """Whether a source is all of a network, so that clusters are in it wherever they stand."""
    source = source.strip().lower()
    return source in _ANYWHERE or source in _INSIDE or source in _WIDE_PRIVATE or _half(source)


def overlaps(source: str, ranges: Iterable[str]) -> bool:
    """Whether an address range takes in some address of these; one that is no range may."""
    try:
        own = ip_network(source.strip(), strict=False)
        others = [ip_network(one.strip(), strict=False) for one in ranges]
    except ValueError:
        return True
    return any(own.version == other.version and own.overlaps(other) for other in others)


def _half(text: str) -> bool:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return False
    return network.version == 4 and network.prefixlen <= 1
