"""Calls that make rules of firewalls and of network security groups, and scripts that write a hosts file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .arguments import Arguments, Made, Option, Row
from .az_values import items
from .reading import UNKNOWN, Node, Value
from .shell import Call
from .tokens import Subject

#: Words that a command writes to a hosts file.
HOSTS = "text:hosts"

_NET = "azure-native:network:"
_COLLECTION = f"{_NET}firewallrulecollection"
_SECURITY_RULE = f"{_NET}securityrule"

#: A list in a rule of Azure Firewall, and the options of `az` for it.
_RULE_LISTS: Mapping[str, tuple[Option, ...]] = {
    "targetFqdns": (("--target-fqdns", "--target-f"),),
    "targetUrls": (("--target-urls", "--target-u"),),
    "fqdnTags": (("--fqdn-tags", "--fqdn"),),
    "webCategories": (("--web-categories", "--web"),),
    "destinationFqdns": (("--destination-fqdns", "--destination-f"), ("--dest-fqdns", "--dest-f")),
    "destinationAddresses": (("--destination-addresses", "--destination-a"), ("--dest-addr", "--dest-a")),
    "destinationIpGroups": (("--destination-ip-groups", "--destination-i"), ("--dest-ipg", "--dest-i")),
    "destinationPorts": (("--destination-ports", "--destination-p"),),
    "ipProtocols": (("--ip-protocols", "--ip-p"),),
    "protocols": (("--protocols", "--pro"),),
    "sourceAddresses": (("--source-addresses", "--source-a"),),
    "sourceIpGroups": (("--source-ip-groups", "--source-i"),),
}
_ACTION: Option = ("--action", "--act")
_PRIORITY: Option = ("--priority", "--prio")


def _firewall_rule(args: Arguments) -> dict[str, Value]:
    lists = {name: items(args.values(*options)) for name, options in _RULE_LISTS.items()}
    return {"ruleType": args.value(("--rule-type", "--rule-t")), **lists}


def _filter_collection(args: Arguments) -> Value:
    collection: Value = {
        "action": args.value(_ACTION),
        "priority": args.value(("--collection-priority", "--coll"), _PRIORITY),
        "rules": [_firewall_rule(args)],
    }
    return {"ruleCollections": [collection]}


def _rule_collection(args: Arguments) -> Value:
    return {"action": args.value(_ACTION), "priority": args.value(_PRIORITY), "rules": [_firewall_rule(args)]}


def _security_rule(args: Arguments) -> Value:
    """A rule of a network security group; of what is not given `az` takes all, inbound and allowed."""

    def one(parameter: str, *options: Option) -> Value:
        return args.parameter(parameter) if args.parameters else args.value(*options)

    def told(parameter: str, *options: Option) -> Value:
        return args.parameter(parameter) if args.parameters else items(args.values(*options))

    return {
        "access": one("Access", ("--access", "--acc")),
        "direction": one("Direction", ("--direction", "--dir")),
        "priority": one("Priority", _PRIORITY),
        "protocol": one("Protocol", ("--protocol", "--prot")),
        "destinationAddressPrefixes": told(
            "DestinationAddressPrefix", ("--destination-address-prefixes", "--destination-ad")
        )
        or ["*"],
        "destinationPortRanges": told("DestinationPortRange", ("--destination-port-ranges", "--destination-p"))
        or ["*"],
        "sourceAddressPrefixes": told("SourceAddressPrefix", ("--source-address-prefixes", "--source-ad")),
    }


AZ: tuple[Row, ...] = (
    (
        r"network firewall policy rule-collection-group collection add-filter-collection",
        f"{_NET}firewallpolicyrulecollectiongroup",
        _filter_collection,
    ),
    (r"network firewall (application|network)-rule create", _COLLECTION, _rule_collection),
    (r"network nsg rule (create|update)", _SECURITY_RULE, _security_rule),
)

CMDLETS: Mapping[str, tuple[Made, ...]] = {
    f"{verb}-aznetworksecurityruleconfig": ((_SECURITY_RULE, _security_rule),) for verb in ("new", "add", "set")
}

_COLLECTION_CMDLETS = frozenset(
    {
        "new-azfirewallpolicyfilterrulecollection",
        "new-azfirewallapplicationrulecollection",
        "new-azfirewallnetworkrulecollection",
    }
)
_RULE_CMDLETS = {
    "new-azfirewallpolicyapplicationrule": "ApplicationRule",
    "new-azfirewallapplicationrule": "ApplicationRule",
    "new-azfirewallpolicynetworkrule": "NetworkRule",
    "new-azfirewallnetworkrule": "NetworkRule",
}
_RULE_PARAMETERS = {
    "TargetFqdn": "targetFqdns",
    "TargetUrl": "targetUrls",
    "FqdnTag": "fqdnTags",
    "WebCategory": "webCategories",
    "DestinationFqdn": "destinationFqdns",
    "DestinationAddress": "destinationAddresses",
    "DestinationPort": "destinationPorts",
    "SourceAddress": "sourceAddresses",
}


def firewall_cmdlets(made: Sequence[Call], text: Node) -> list[Subject]:
    """The rules of Azure Firewall in a script: PowerShell makes them first, then the collection with its action."""
    collections = [Arguments(call.program, call.arguments) for call in made if call.program in _COLLECTION_CMDLETS]
    rules = [_cmdlet_rule(call) for call in made if call.program in _RULE_CMDLETS]
    if not collections or not rules:
        return []
    actions = {str(args.parameter("ActionType")).lower() for args in collections}
    body: Value = {
        "action": actions.pop() if len(actions) == 1 else UNKNOWN,
        "priority": collections[0].parameter("Priority") if len(collections) == 1 else None,
        "rules": rules,
    }
    return [Subject(_COLLECTION, Node(body), text.path, "runs PowerShell for a firewall's rules, which")]


def _cmdlet_rule(call: Call) -> Value:
    args = Arguments(call.program, call.arguments)
    kind = _RULE_CMDLETS[call.program]
    protocols = "protocols" if kind == "ApplicationRule" else "ipProtocols"
    lists = {name: _listed(args.parameter(parameter)) for parameter, name in _RULE_PARAMETERS.items()}
    return {"ruleType": kind, **lists, protocols: _listed(args.parameter("Protocol"))}


def _listed(value: Value) -> Value:
    """PowerShell's list of words, as the one word that it is to a shell."""
    return [part.strip(" @()'\"") for part in value.split(",") if part] if isinstance(value, str) else value


_HOSTS_FILE = re.compile(r"(?:^|=|[/\\])etc[/\\]hosts$", re.IGNORECASE)
_SAYING = frozenset({"echo", "printf", "add-content", "set-content", "sed"})


def hosts_lines(made: Sequence[Call], text: Node) -> list[Subject]:
    """What a script says where it also writes to a hosts file."""
    if not any(_HOSTS_FILE.search(word) for call in made for word in call.arguments):
        return []
    said: list[Value] = [" ".join(call.arguments) for call in made if call.program in _SAYING]
    return [Subject(HOSTS, Node(said), text.path)] if said else []
