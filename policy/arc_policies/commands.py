"""What the text of a command would make in Azure: `az` and PowerShell calls as the resources that they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from . import shell
from .reading import UNKNOWN, Node, Value
from .shell import OPEN, Call
from .tokens import Subject, arm_type_of_id, from_arm

COMMANDS = frozenset(
    {
        "command:local:command",
        "command:remote:command",
        "azure-native:resources:azurecliscript",
        "azure-native:resources:azurepowershellscript",
        "azure:core:resourcedeploymentscriptazurecli",
        "azure:core:resourcedeploymentscriptazurepowershell",
    }
)

#: Tokens of what is not a resource: text that cannot be taken apart, and text that is not known yet.
TEXT = "text:command"
OPEN_TEXT = "open:command"
WORDS = "text:words"
#: Words that a command writes to a hosts file.
HOSTS = "text:hosts"

PROXY = "arc-gateway:index:proxysettings"
_CLUSTER = "azure-native:kubernetes:connectedcluster"
_NET = "azure-native:network:"
_DNS = "azure-native:privatedns:"
_ARC = "azure-native:hybridcompute:"

_GLOBAL_FLAGS = frozenset({"--debug", "--verbose", "--only-show-errors"})
_GLOBAL_OPTIONS = frozenset({"--subscription", "--output", "-o", "--query"})
_CONTAINER_PROGRAMS = frozenset({"docker", "podman", "nerdctl", "kubectl", "helm", "oc"})
#: Programs that do nothing but intercept TLS.
INTERCEPTORS = frozenset({"mitmproxy", "mitmdump", "mitmweb", "sslsplit"})
_STARTS = frozenset({"run", "create", "install", "upgrade", "set"})

#: An option of `az`: its full name, and the shortest unique prefix that its parser takes for it.
_Option = tuple[str, str]
_PRIVATE_LINK: _Option = ("--enable-private-link", "--enable-p")
_SCOPE: tuple[_Option, ...] = (("--private-link-scope-resource-id", "--pri"), ("--pls-arm-id", "--pl"))
_TARGET: tuple[_Option, ...] = (("--private-connection-resource-id", "--private-c"),)
_GROUPS: tuple[_Option, ...] = (("--group-id", "--group-i"), ("--group-ids", "--group-i"))


class _Arguments:
    """The words after a program, asked for options."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.words = words

    def value(self, *options: _Option) -> Value:
        """An option's value: None when absent, "" when bare, UNKNOWN when open; the last one counts."""
        found: Value = None
        for index, word in enumerate(self.words):
            name, equals, value = word.partition("=")
            if any(full.startswith(name) and len(name) >= len(short) for full, short in options):
                following = self.words[index + 1] if index + 1 < len(self.words) else "-"
                found = value if equals else ("" if following.startswith("-") else following)
                found = UNKNOWN if found.strip() == OPEN else found
        return found

    def values(self, *options: _Option) -> Value:
        """All words of an option that takes several: None when absent."""
        found: list[Value] = []
        taking = False
        for word in self.words:
            name, equals, value = word.partition("=")
            if word.startswith("-"):
                taking = any(full.startswith(name) and len(name) >= len(short) for full, short in options)
                found += [value] if taking and equals else []
            elif taking:
                found.append(UNKNOWN if word.strip() == OPEN else word)
        return found or None

    def parameter(self, name: str) -> Value:
        """A PowerShell parameter's value, in the same terms; its name in any case, cut to seven letters at least."""
        for index, word in enumerate(self.words):
            given, colon, _ = word.lower().partition(":")
            if given.startswith("-") and f"-{name}".lower().startswith(given) and len(given) >= min(8, len(name) + 1):
                following = self.words[index + 1] if index + 1 < len(self.words) else "-"
                found = word[len(given) + 1 :] if colon else ("" if following.startswith("-") else following)
                return UNKNOWN if found.strip() == OPEN else found
        return None


def _switched(value: Value) -> Value:
    """A three-state flag: bare means true."""
    return "Enabled" if value == "" else value


def _endpoint(args: _Arguments) -> Value:
    connection: dict[str, Value] = {
        "privateLinkServiceId": args.value(*_TARGET) or args.parameter("PrivateLinkServiceConnection"),
        "groupIds": args.value(*_GROUPS),
    }
    return {"privateLinkServiceConnections": [connection]}


def _zone(*options: _Option) -> Callable[[_Arguments], Value]:
    def body(args: _Arguments) -> Value:
        value = args.value(*options)
        return {"privateZoneName": args.parameter("ZoneName") or args.parameter("Name") if value is None else value}

    return body


def _cluster(args: _Arguments) -> Value:
    state = _switched(args.value(_PRIVATE_LINK))
    scope = args.value(*_SCOPE)
    return {
        "privateLinkState": args.parameter("PrivateLinkState") if state is None else state,
        "privateLinkScopeResourceId": args.parameter("PrivateLinkScopeResourceId") if scope is None else scope,
    }


def _nothing(_: _Arguments) -> Value:
    return {}


def _proxy(args: _Arguments) -> Value:
    https = args.value(("--proxy-https", "--proxy-https"))
    certificate = args.value(("--proxy-cert", "--proxy-c"), ("--custom-ca-cert", "--custom-c"))
    return {
        "httpsUrl": args.parameter("HttpsProxy") if https is None else https,
        "certificate": args.parameter("ProxyCert") if certificate is None else certificate,
    }


def _record(args: _Arguments) -> Value:
    kind = args.words[args.words.index("record-set") + 1 :][:1] if "record-set" in args.words else ()
    name = args.value(("--record-set-name", "--record"), *_NAME)
    return {
        "privateZoneName": args.value(*_ZONE) or args.parameter("ZoneName"),
        "relativeRecordSetName": args.parameter("Name") if name is None else name,
        "recordType": args.parameter("RecordType") or (kind[0] if kind else ""),
    }


def _firewall_rule(args: _Arguments) -> Value:
    """A rule of Azure Firewall as `az` is told it."""
    return {
        "ruleType": args.value(("--rule-type", "--rule-t")),
        "targetFqdns": args.values(("--target-fqdns", "--target-f")),
        "targetUrls": args.values(("--target-urls", "--target-u")),
        "fqdnTags": args.values(("--fqdn-tags", "--fqdn")),
        "webCategories": args.values(("--web-categories", "--web")),
        "destinationFqdns": args.values(("--destination-fqdns", "--destination-f"), ("--dest-fqdns", "--dest-f")),
        "destinationAddresses": args.values(
            ("--destination-addresses", "--destination-a"), ("--dest-addr", "--dest-a")
        ),
        "destinationIpGroups": args.values(("--destination-ip-groups", "--destination-i"), ("--dest-ipg", "--dest-i")),
        "destinationPorts": args.values(("--destination-ports", "--destination-p")),
        "ipProtocols": args.values(("--ip-protocols", "--ip-p")),
        "protocols": args.values(("--protocols", "--pro")),
        "sourceAddresses": args.values(("--source-addresses", "--source-a")),
        "sourceIpGroups": args.values(("--source-ip-groups", "--source-i")),
    }


def _filter_collection(args: _Arguments) -> Value:
    return {
        "ruleCollections": [
            {
                "action": args.value(("--action", "--act")),
                "priority": args.value(("--collection-priority", "--coll"), ("--priority", "--prio")),
                "rules": [_firewall_rule(args)],
            }
        ]
    }


def _rule_collection(args: _Arguments) -> Value:
    return {
        "action": args.value(("--action", "--act")),
        "priority": args.value(("--priority", "--prio")),
        "rules": [_firewall_rule(args)],
    }


def _security_rule(args: _Arguments) -> Value:
    """A rule of a network security group; of what is not given `az` takes all, inbound and allowed."""
    cmdlet = args.parameter("Access") is not None and args.value(("--access", "--acc")) is None

    def told(parameter: str, *options: _Option) -> Value:
        return args.parameter(parameter) if cmdlet else args.values(*options)

    def one(parameter: str, *options: _Option) -> Value:
        return args.parameter(parameter) if cmdlet else args.value(*options)

    return {
        "access": one("Access", ("--access", "--acc")),
        "direction": one("Direction", ("--direction", "--dir")),
        "priority": one("Priority", ("--priority", "--prio")),
        "protocol": one("Protocol", ("--protocol", "--prot")),
        "destinationAddressPrefixes": told("DestinationAddressPrefix", *_DESTINATIONS) or ["*"],
        "destinationPortRanges": told("DestinationPortRange", ("--destination-port-ranges", "--destination-p"))
        or ["*"],
        "sourceAddressPrefixes": told("SourceAddressPrefix", ("--source-address-prefixes", "--source-ad")),
    }


_DESTINATIONS: tuple[_Option, ...] = (("--destination-address-prefixes", "--destination-ad"),)
_NAME: tuple[_Option, ...] = (("--name", "--nam"), ("-n", "-n"))
_ZONE: tuple[_Option, ...] = (("--zone-name", "--zone"), ("-z", "-z"))

_Row = tuple[str, str, Callable[[_Arguments], Value]]

#: Groups of `az` as a pattern, the type that the call makes, its properties.
_AZ: tuple[_Row, ...] = (
    (r"network private-endpoint create", f"{_NET}privateendpoint", _endpoint),
    (
        r"network private-endpoint dns-zone-group (create|add)",
        f"{_NET}privatednszonegroup",
        lambda args: {"privateDnsZoneId": args.value(("--private-dns-zone", "--private"))},
    ),
    (
        r"network private-endpoint-connection approve",
        f"{_NET}privateendpointconnection",
        lambda args: {"id": args.value(("--id", "--id")) or args.value(("--type", "--type"))},
    ),
    (r"network private-dns zone create", f"{_DNS}privatezone", _zone(*_NAME)),
    (r"network private-dns link vnet create", f"{_DNS}virtualnetworklink", _zone(*_ZONE)),
    (r"network private-dns record-set \w+ (create|add-record|set-record)", f"{_DNS}privaterecordset", _record),
    (
        r"network firewall policy rule-collection-group collection add-filter-collection",
        f"{_NET}firewallpolicyrulecollectiongroup",
        _filter_collection,
    ),
    (r"network firewall (application|network)-rule create", f"{_NET}firewallrulecollection", _rule_collection),
    (r"network nsg rule (create|update)", f"{_NET}securityrule", _security_rule),
    (r"connectedmachine private-link-scope (create|update)", f"{_ARC}privatelinkscope", _nothing),
    (r"connectedmachine private-endpoint-connection update", f"{_ARC}privateendpointconnection", _nothing),
    (r"monitor private-link-scope (scoped-resource )?create", "azure-native:monitor:privatelinkscope", _nothing),
    (r"resourcemanagement private-link create", "azure-native:authorization:resourcemanagementprivatelink", _nothing),
    (r"private-link association create", "azure-native:authorization:privatelinkassociation", _nothing),
    (r"connectedk8s (connect|update)", _CLUSTER, _cluster),
    (r"connectedk8s (connect|update)", PROXY, _proxy),
)
# In messages a row goes by its own leading words, never by the user's.
_AZ_PATTERNS = tuple(
    (re.compile(rf"{pattern}\b"), token, body, "az " + pattern.partition("(")[0].partition("\\")[0].strip())
    for pattern, token, body in _AZ
)

_CMDLETS: Mapping[str, tuple[tuple[str, Callable[[_Arguments], Value]], ...]] = {
    "new-azprivateendpoint": ((f"{_NET}privateendpoint", _endpoint),),
    "new-azprivatednszone": ((f"{_DNS}privatezone", _zone()),),
    "new-azprivatednsvirtualnetworklink": ((f"{_DNS}virtualnetworklink", _zone()),),
    "new-azprivatednsrecordset": ((f"{_DNS}privaterecordset", _record),),
    "new-aznetworksecurityruleconfig": ((f"{_NET}securityrule", _security_rule),),
    "add-aznetworksecurityruleconfig": ((f"{_NET}securityrule", _security_rule),),
    "set-aznetworksecurityruleconfig": ((f"{_NET}securityrule", _security_rule),),
    "new-azconnectedprivatelinkscope": ((f"{_ARC}privatelinkscope", _nothing),),
    "new-azconnectedkubernetes": ((_CLUSTER, _cluster), (PROXY, _proxy)),
    "set-azconnectedkubernetes": ((_CLUSTER, _cluster), (PROXY, _proxy)),
}


def command_subjects(node: Node) -> list[Subject]:
    """What a command's create, update and delete would make, and what the driver's settings in its environment say."""
    found = _driver_settings(node.get("environment"))
    variables = {
        str(child.path[-1]): OPEN if child.open else child.text for child in node.get("environment").children()
    }
    for verb in ("create", "update", "delete", "scriptContent"):
        text = node.get(verb)
        if text.open:
            found.append(Subject(OPEN_TEXT, text))
        elif text.text:
            found += _text_subjects(text, node, variables)
    return found


def _text_subjects(text: Node, node: Node, variables: Mapping[str, str]) -> list[Subject]:
    interpreter = [OPEN if word.open else word.text for word in node.get("interpreter").each()]
    try:
        if interpreter:
            made = shell.run([*interpreter, text.text], variables, node.get("stdin").text)
        else:
            made = shell.run(["sh", "-c", text.text], variables)
            made = [*made, *_script_from_stdin(text.text, node.get("stdin").text, variables)]
    except shell.UnreadableError:
        return [Subject(TEXT, text)]
    subjects = [subject for call in made for subject in _call_subjects(call, text)]
    subjects += [*_firewall_cmdlets(made, text), *_hosts_lines(made, text)]
    foreign = interpreter and shell.program_name(interpreter[0]) not in shell.SHELLS | shell.POWERSHELLS | shell.CMD
    return [*subjects, Subject(TEXT, text)] if foreign and not subjects else subjects


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


def _firewall_cmdlets(made: Sequence[Call], text: Node) -> list[Subject]:
    """The rules of Azure Firewall in a script: PowerShell makes them first, then the collection with its action."""
    collections = [_Arguments(call.arguments) for call in made if call.program in _COLLECTION_CMDLETS]
    rules = [_cmdlet_rule(call) for call in made if call.program in _RULE_CMDLETS]
    if not collections or not rules:
        return []
    actions = {str(args.parameter("ActionType")).lower() for args in collections}
    body: Value = {
        "action": actions.pop() if len(actions) == 1 else UNKNOWN,
        "priority": collections[0].parameter("Priority") if len(collections) == 1 else None,
        "rules": rules,
    }
    return [
        Subject(f"{_NET}firewallrulecollection", Node(body), text.path, "runs PowerShell for a firewall's rules, which")
    ]


def _cmdlet_rule(call: Call) -> Value:
    args = _Arguments(call.arguments)
    rule: dict[str, Value] = {"ruleType": _RULE_CMDLETS[call.program]}
    for parameter, name in _RULE_PARAMETERS.items():
        value = args.parameter(parameter)
        rule[name] = _listed(value)
    rule["protocols" if rule["ruleType"] == "ApplicationRule" else "ipProtocols"] = _listed(args.parameter("Protocol"))
    return rule


def _listed(value: Value) -> Value:
    """PowerShell's list of words, as the one word that it is to a shell."""
    return [part.strip("@()") for part in value.split(",") if part] if isinstance(value, str) else value


_HOSTS_FILE = re.compile(r"(?:^|=|[/\\])etc[/\\]hosts$", re.IGNORECASE)
_SAYING = frozenset({"echo", "printf", "add-content", "set-content", "sed"})


def _hosts_lines(made: Sequence[Call], text: Node) -> list[Subject]:
    """What a script says where it also writes to a hosts file."""
    if not any(_HOSTS_FILE.search(word) for call in made for word in call.arguments):
        return []
    said: list[Value] = [" ".join(call.arguments) for call in made if call.program in _SAYING]
    return [Subject(HOSTS, Node(said), text.path)] if said else []


def _script_from_stdin(text: str, stdin: str, variables: Mapping[str, str]) -> list[Call]:
    return (
        shell.run(["sh", "-c", stdin], variables)
        if stdin and re.fullmatch(r"\s*(?:ba|da|z)?sh(?:\s+-s)?\s*", text)
        else []
    )


def _call_subjects(call: Call, text: Node) -> list[Subject]:
    arguments = _Arguments(call.arguments)
    if call.program == "az" or OPEN in call.program:
        groups = _groups(call.arguments)
        if call.program == "az" and OPEN in " ".join(groups.split()[:3]):
            return [Subject(OPEN_TEXT, text)]
        rows = [(token, body, name) for pattern, token, body, name in _AZ_PATTERNS if pattern.match(groups)]
        rows += _generic(groups, arguments)
    elif call.program in _CMDLETS:
        rows = [(token, body, call.program) for token, body in _CMDLETS[call.program]]
    elif call.program in _CONTAINER_PROGRAMS:
        if not _STARTS.intersection([word for word in call.arguments if not word.startswith("-")][:2]):
            return []
        inner = next((i for i, word in enumerate(call.arguments) if shell.program_name(word) == "az"), None)
        if inner is not None:
            return _call_subjects(Call("az", call.arguments[inner + 1 :], call.variables), text)
        return [_words(call, text)]
    elif call.program in INTERCEPTORS:
        return [_words(call, text)]
    else:
        return []
    return [Subject(token, Node(body(arguments)), text.path, f"runs `{what}`, which") for token, body, what in rows]


def _words(call: Call, text: Node) -> Subject:
    words: list[Value] = [call.program, *call.arguments]
    return Subject(WORDS, Node(words), text.path, f"runs `{call.program}`, which")


def _groups(words: tuple[str, ...]) -> str:
    """The command groups of an `az` call: the words before the first option, the global options left out."""
    groups: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in _GLOBAL_OPTIONS:
            skip = True
        elif word in _GLOBAL_FLAGS or word.partition("=")[0] in _GLOBAL_OPTIONS:
            continue
        elif word.startswith("-"):
            break
        else:
            groups.append(word.lower())
    return " ".join(groups)


def _generic(groups: str, args: _Arguments) -> list[tuple[str, Callable[[_Arguments], Value], str]]:
    """`az resource create` and `az rest` of a type that an id or an address tells."""
    if groups in {"resource create", "resource update"}:
        kind = args.value(("--resource-type", "--resource-t"))
        namespace = args.value(("--namespace", "--names"))
        identity = args.value(("--id", "--id"), ("--ids", "--ids"))
        if isinstance(kind, str):
            kind = f"{namespace}/{kind}" if isinstance(namespace, str) and "/" not in kind else kind
        elif isinstance(identity, str):
            kind = arm_type_of_id(identity)
    elif groups == "rest":
        method = args.value(("--method", "--m"), ("-m", "-m"))
        address = args.value(("--url", "--url"), ("--uri", "--uri"), ("-u", "-u"))
        writes = isinstance(method, str) and method.lower() in {"put", "patch"}
        kind = arm_type_of_id(address) if writes and isinstance(address, str) else None
        identity = address
    else:
        return []
    if not isinstance(kind, str) or not kind:
        return []
    last = identity if isinstance(identity, str) else args.value(*_NAME)
    name = last.partition("?")[0].rstrip("/").rpartition("/")[2] if isinstance(last, str) else last
    properties: Value = args.value(("--properties", "--prop"), ("-p", "-p"), ("--body", "--b"), ("-b", "-b"))
    body: Value = {"name": name, "properties": properties}
    return [(from_arm(kind), lambda _: body, f"az {groups}")]


def _driver_settings(environment: Node) -> list[Subject]:
    https, certificate = environment.get("ARC_PROXY_HTTPS"), environment.get("ARC_PROXY_CERTIFICATE")
    if https.value is None or certificate.value is None:
        return []
    body: Value = {"httpsUrl": https.value, "certificate": certificate.value}
    return [Subject(PROXY, Node(body), certificate.path)]
