"""What the text of a command would make in Azure: `az` and PowerShell calls as the resources that they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from . import shell
from .reading import UNKNOWN, Node, Value, from_json
from .shell import OPEN, Call
from .templates import OPEN_TEMPLATE
from .tokens import Count, Subject, arm_type_of_id, from_arm, subscription_of_id

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

PROXY = "arc-gateway:index:proxysettings"
_CLUSTER = "azure-native:kubernetes:connectedcluster"
_NET = "azure-native:network:"
_CONNECTION = f"{_NET}virtualnetworkgatewayconnection"
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

    def following(self, *options: _Option) -> list[Value] | None:
        """All words after an option of many values; None when absent."""
        found: list[Value] | None = None
        for word in self.words:
            name, equals, value = word.partition("=")
            if word.startswith("-"):
                hit = any(full.startswith(name) and len(name) >= len(short) for full, short in options)
                found = ([value] if equals else []) if hit else found
                collecting = hit
            elif found is not None and collecting:
                found.append(UNKNOWN if word.strip() == OPEN else word)
        return found

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


_PEERING_TYPE: _Option = ("--peering-type", "--peering-t")
_CLIENTS: tuple[_Option, ...] = (
    *(("--address-prefixes", "--address-p"), ("--client-protocol", "--client-p"), ("--vpn-auth-type", "--vpn-a")),
    *(("--root-cert-data", "--root-cert-d"), ("--aad-tenant", "--aad-t"), ("--radius-server", "--radius-server")),
)
_CLIENT_PARAMETERS = (
    *("VpnClientAddressPool", "VpnClientProtocol", "VpnClientRootCertificates", "VpnAuthenticationType"),
    *("AadTenantUri", "RadiusServerAddress"),
)
#: What tells the type of `az network vpn-connection create`: the far end.
_FAR_ENDS: tuple[tuple[_Option, str], ...] = (
    (("--express-route-circuit2", "--express-route-c"), "ExpressRoute"),
    (("--local-gateway2", "--local"), "IPsec"),
    (("--vnet-gateway2", "--vnet-gateway2"), "Vnet2Vnet"),
)


def _circuit(args: _Arguments) -> Value:
    kind = args.value(_PEERING_TYPE)
    return {"peeringType": _first(kind, args.parameter("PeeringType"))}


def _vnet_gateway(args: _Arguments) -> Value:
    kind, routing = args.value(("--gateway-type", "--gateway-t")), args.value(("--vpn-type", "--vpn-t"))
    clients = [value for name in _CLIENT_PARAMETERS if (value := args.parameter(name)) is not None]
    client = args.value(*_CLIENTS)
    site = args.value(("--gateway-default-site", "--gateway-d"))
    return {
        "gatewayType": _first(kind, args.parameter("GatewayType")),
        "vpnType": _first(routing, args.parameter("VpnType")),
        "vpnClientConfiguration": None if client is None and not clients else "given",
        "gatewayDefaultSite": _first(site, args.parameter("GatewayDefaultSite")),
    }


def _vnet_connection(args: _Arguments) -> Value:
    ends = [kind for option, kind in _FAR_ENDS if args.value(option) is not None]
    return {"connectionType": ends[0] if ends else args.parameter("ConnectionType")}


def _route(args: _Arguments) -> Value:
    hop, prefix = args.value(("--next-hop-type", "--next-hop-t")), args.value(("--address-prefix", "--address-p"))
    return {
        "nextHopType": _first(hop, args.parameter("NextHopType")),
        "addressPrefix": _first(prefix, args.parameter("AddressPrefix")),
    }


def _filter_rule(args: _Arguments) -> Value:
    access, communities = args.value(("--access", "--a")), args.following(("--communities", "--c"))
    return {
        "access": _first(access, args.parameter("Access")),
        "communities": [args.parameter("CommunityList")] if communities is None else communities,
    }


def _arc_gateway(args: _Arguments) -> Value:
    name = args.value(*_NAME, ("--gateway-name", "--gateway-n"))
    group = args.value(("--resource-group", "--resource-g"), ("-g", "-g"))
    return {
        "name": _first(name, args.parameter("Name")),
        "resourceGroup": _first(group, args.parameter("ResourceGroupName")),
        "subscriptionId": _subscription(args),
    }


def _subscription(args: _Arguments) -> Value:
    return _first(args.value(_SUBSCRIPTION), args.parameter("SubscriptionId"))


_SUBSCRIPTION: _Option = ("--subscription", "--subs")
_NAME: tuple[_Option, ...] = (("--name", "--nam"), ("-n", "-n"))
_ZONE: tuple[_Option, ...] = (("--zone-name", "--zone"), ("-z", "-z"))

_Row = tuple[str, str, Callable[[_Arguments], Value]]
#: The type that a call makes, its properties, and the call as messages name it.
_Made = tuple[str, Callable[[_Arguments], Value], str]

#: Groups of `az` as a pattern, the type that the call makes, its properties.
_AZ: tuple[_Row, ...] = (
    (r"deployment (?:group|sub|mg|tenant) create", OPEN_TEMPLATE, _nothing),
    (r"stack (?:group|sub|mg) create", OPEN_TEMPLATE, _nothing),
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
    (r"network private-dns record-set \w+ (create|add-record|set-record)", f"{_DNS}privaterecordset", _zone(*_ZONE)),
    (r"network express-route (?:[\w-]+ )*(?:create|update|add)", f"{_NET}expressroutecircuit", _circuit),
    (r"network cross-connection (?:[\w-]+ )*(?:create|update)", f"{_NET}expressroutecrossconnectionpeering", _circuit),
    (r"network vnet-gateway create", f"{_NET}virtualnetworkgateway", _vnet_gateway),
    (r"network vpn-connection (?:[\w-]+ )*(?:create|update|add)", _CONNECTION, _vnet_connection),
    (r"network local-gateway (?:create|update)", f"{_NET}localnetworkgateway", _nothing),
    (r"network vpn-gateway (?:[\w-]+ )*(?:create|update|add)", f"{_NET}vpngateway", _nothing),
    (r"network vpn-site (?:[\w-]+ )*(?:create|update|add)", f"{_NET}vpnsite", _nothing),
    (r"network route-filter rule (?:create|update)", f"{_NET}routefilterrule", _filter_rule),
    (r"network route-table route (?:create|update)", f"{_NET}route", _route),
    (r"vmware authorization create", "azure-native:avs:authorization", _nothing),
    (r"vmware global-reach-connection create", "azure-native:avs:globalreachconnection", _nothing),
    (r"arcgateway create", f"{_ARC}gateway", _arc_gateway),
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
    **dict.fromkeys(
        (
            *("new-azresourcegroupdeployment", "new-azsubscriptiondeployment", "new-azdeployment"),
            *("new-azmanagementgroupdeployment", "new-aztenantdeployment"),
        ),
        ((OPEN_TEMPLATE, _nothing),),
    ),
    "new-azprivateendpoint": ((f"{_NET}privateendpoint", _endpoint),),
    "new-azprivatednszone": ((f"{_DNS}privatezone", _zone()),),
    "new-azprivatednsvirtualnetworklink": ((f"{_DNS}virtualnetworklink", _zone()),),
    "new-azprivatednsrecordset": ((f"{_DNS}privaterecordset", _zone()),),
    "new-azvirtualnetworkgateway": ((f"{_NET}virtualnetworkgateway", _vnet_gateway),),
    "new-azvirtualnetworkgatewayconnection": ((_CONNECTION, _vnet_connection),),
    **{
        f"{verb}-az{kind}": ((f"{_NET}{kind}", _nothing),)
        for kind in ("localnetworkgateway", "vpngateway", "vpnsite", "vpnconnection")
        for verb in ("new", "set", "update")
    },
    "new-azroutefilterruleconfig": ((f"{_NET}routefilterrule", _filter_rule),),
    "add-azroutefilterruleconfig": ((f"{_NET}routefilterrule", _filter_rule),),
    "new-azrouteconfig": ((f"{_NET}route", _route),),
    "add-azrouteconfig": ((f"{_NET}route", _route),),
    "new-azvmwareauthorization": (("azure-native:avs:authorization", _nothing),),
    "new-azvmwareglobalreachconnection": (("azure-native:avs:globalreachconnection", _nothing),),
    "new-azarcgateway": ((f"{_ARC}gateway", _arc_gateway),),
    "new-azconnectedprivatelinkscope": ((f"{_ARC}privatelinkscope", _nothing),),
    "new-azconnectedkubernetes": ((_CLUSTER, _cluster), (PROXY, _proxy)),
    "set-azconnectedkubernetes": ((_CLUSTER, _cluster), (PROXY, _proxy)),
}


#: All of ExpressRoute but the letter that a provider is shown.
_EXPRESS_ROUTE_CMDLET = re.compile(r"(?:new|add|set|update)-azexpressroute(?!portloa)\w+")


def _cmdlet_rows(program: str) -> tuple[tuple[str, Callable[[_Arguments], Value]], ...]:
    name = program.replace("-azurerm", "-az")
    if _EXPRESS_ROUTE_CMDLET.fullmatch(name):
        return ((f"{_NET}expressroutecircuit", _circuit),)
    return _CMDLETS.get(name, ())


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
    subjects = [subject for call in _in_subscriptions(made) for subject in _call_subjects(call, text)]
    foreign = interpreter and shell.program_name(interpreter[0]) not in shell.SHELLS | shell.POWERSHELLS | shell.CMD
    return [*subjects, Subject(TEXT, text)] if foreign and not subjects else subjects


#: What sets the subscription of the calls after it: `az account set` and PowerShell's twins.
_CONTEXTS = frozenset({"set-azcontext", "select-azcontext", "select-azsubscription"})
_CONTEXT_NAMES = ("SubscriptionId", "Subscription", "SubscriptionName")


def _in_subscriptions(made: list[Call]) -> Iterator[Call]:
    """The calls, each told the subscription that one before it has set; the words are the call's own first."""
    current: Value = None
    for call in made:
        words = _Arguments(call.arguments)
        if call.program == "az" and _groups(call.arguments) == "account set":
            current = words.value(_SUBSCRIPTION, ("--name", "--n"), ("-s", "-s"), ("-n", "-n"))
        elif call.program in _CONTEXTS:
            current = next((v for n in _CONTEXT_NAMES if (v := words.parameter(n)) is not None), UNKNOWN)
        else:
            yield call if current is None else replace(call, arguments=_told(call, current))


def _told(call: Call, subscription: Value) -> tuple[str, ...]:
    value = subscription if isinstance(subscription, str) else OPEN
    if call.program == "az":
        return (f"--subscription={value}", *call.arguments)
    return (*call.arguments, f"-SubscriptionId:{value}") if "-az" in call.program else call.arguments


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
        rows += _generic(call, groups, arguments)
    elif generic := _generic(call, "", arguments):
        rows = generic
    elif cmdlet := _cmdlet_rows(call.program):
        rows = [(token, body, call.program) for token, body in cmdlet]
    elif call.program in _CONTAINER_PROGRAMS:
        if not _STARTS.intersection([word for word in call.arguments if not word.startswith("-")][:2]):
            return []
        inner = next((i for i, word in enumerate(call.arguments) if shell.program_name(word) == "az"), None)
        if inner is not None:
            return _call_subjects(replace(call, program="az", arguments=call.arguments[inner + 1 :]), text)
        return [_words(call, text)]
    elif call.program in INTERCEPTORS:
        return [_words(call, text)]
    else:
        return []
    count = Count(1, None) if call.repeated else Count()
    return [
        Subject(token, Node(body(arguments)), text.path, f"runs `{what}`, which", count=count)
        for token, body, what in rows
    ]


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


def _generic(call: Call, groups: str, args: _Arguments) -> list[_Made]:
    """Calls that write a resource of any type, which an option, an id or an address tells."""
    kind, identity, body, existing = _written(call.program, groups, args) or _requested(call.program, groups, args)
    if isinstance(identity, str) and not isinstance(kind, str):
        kind = arm_type_of_id(identity)
    if not isinstance(kind, str) or not kind:
        return []
    name = _first(args.value(*_NAME), args.parameter("ResourceName"), args.parameter("Name"))
    if isinstance(identity, str):
        name = identity.partition("?")[0].rstrip("/").rpartition("/")[2]
    read = Node(from_json(body) if isinstance(body, str) and body else body)
    inner = read.get("properties").value
    made: Value = {
        "name": name,
        "subscriptionId": (subscription_of_id(identity) if isinstance(identity, str) else "") or _subscription(args),
        "existing": existing,
        "properties": read.value if inner is None else inner,
    }
    return [(from_arm(kind), lambda _: made, f"az {groups}" if groups else call.program)]


#: The ARM type if it is told, the id or address, the properties or the body, and whether the resource exists already.
_Written = tuple[Value, Value, Value, bool]


def _written(program: str, groups: str, args: _Arguments) -> _Written | None:
    if groups in {"resource create", "resource update"}:
        kind = args.value(("--resource-type", "--resource-t"))
        namespace, parent = args.value(("--namespace", "--names")), args.value(("--parent", "--pa"))
        if isinstance(kind, str) and isinstance(namespace, str) and "/" not in kind:
            above = parent.strip("/").split("/")[0::2] if isinstance(parent, str) and parent else []
            kind = "/".join([namespace, *above, kind])
        identity = args.value(("--id", "--id"), ("--ids", "--ids"))
        return kind, identity, args.value(("--properties", "--prop"), ("-p", "-p")), groups == "resource update"
    if program in {"new-azresource", "set-azresource"}:
        existing = program == "set-azresource"
        return args.parameter("ResourceType"), args.parameter("ResourceId"), args.parameter("Properties"), existing
    return None


def _requested(program: str, groups: str, args: _Arguments) -> _Written:
    """Requests to Azure's API: those that write, and that name a resource."""
    if groups == "rest":
        method = args.value(("--method", "--m"), ("-m", "-m"))
        address = args.value(("--url", "--url"), ("--uri", "--uri"), ("-u", "-u"))
        body = args.value(("--body", "--b"), ("-b", "-b"))
    elif program == "curl":
        joined = next((word[2:] for word in args.words if word.startswith("-X") and len(word) > len("-X")), None)
        method = _first(args.value(("--request", "--request"), ("-X", "-X")), joined)
        address = next((word for word in args.words if "/providers/" in word.lower()), None)
        body = args.value(("--data", "--data"), ("--data-raw", "--data-r"), ("--json", "--json"), ("-d", "-d"))
    elif program in _REQUESTS:
        method = args.parameter("Method")
        address = _first(args.parameter("Path"), args.parameter("Uri"))
        body = _first(args.parameter("Payload"), args.parameter("Body"))
    else:
        return None, None, None, False
    verb = method.lower() if isinstance(method, str) else ""
    return None, address if verb in {"put", "patch"} else None, body, verb == "patch"


_REQUESTS = frozenset({"invoke-azrestmethod", "invoke-restmethod", "irm", "invoke-webrequest", "iwr"})


def _first(*values: Value) -> Value:
    return next((value for value in values if value is not None), None)


def _driver_settings(environment: Node) -> list[Subject]:
    https, certificate = environment.get("ARC_PROXY_HTTPS"), environment.get("ARC_PROXY_CERTIFICATE")
    if https.value is None or certificate.value is None:
        return []
    body: Value = {"httpsUrl": https.value, "certificate": certificate.value}
    return [Subject(PROXY, Node(body), certificate.path)]
