"""What the text of a command would make in Azure: `az` and PowerShell calls as the resources that they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from . import lines, shell
from .arguments import NAME as _NAME
from .arguments import SUBSCRIPTION, Made, Row, first, subscription
from .arguments import Arguments as _Arguments
from .arguments import Option as _Option
from .arguments import nothing as _nothing
from .reading import UNKNOWN, Node, Value
from .shell import OPEN, Call
from .templates import OPEN_TEMPLATE
from .tokens import Count, Subject
from .writes import written

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
_DNS = "azure-native:privatedns:"
_ARC = "azure-native:hybridcompute:"

_GLOBAL_FLAGS = frozenset({"--debug", "--verbose", "--only-show-errors"})
_GLOBAL_OPTIONS = frozenset({"--subscription", "--output", "-o", "--query"})
_CONTAINER_PROGRAMS = frozenset({"docker", "podman", "nerdctl", "kubectl", "helm", "oc"})
#: Programs that do _nothing but intercept TLS.
INTERCEPTORS = frozenset({"mitmproxy", "mitmdump", "mitmweb", "sslsplit"})
_STARTS = frozenset({"run", "create", "install", "upgrade", "set"})

_PRIVATE_LINK: _Option = ("--enable-private-link", "--enable-p")
_SCOPE: tuple[_Option, ...] = (("--private-link-scope-resource-id", "--pri"), ("--pls-arm-id", "--pl"))
_TARGET: tuple[_Option, ...] = (("--private-connection-resource-id", "--private-c"),)
_GROUPS: tuple[_Option, ...] = (("--group-id", "--group-i"), ("--group-ids", "--group-i"))


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


def _proxy(args: _Arguments) -> Value:
    https = args.value(("--proxy-https", "--proxy-https"))
    certificate = args.value(("--proxy-cert", "--proxy-c"), ("--custom-ca-cert", "--custom-c"))
    return {
        "httpsUrl": args.parameter("HttpsProxy") if https is None else https,
        "certificate": args.parameter("ProxyCert") if certificate is None else certificate,
    }


def _arc_gateway(args: _Arguments) -> Value:
    name = args.value(*_NAME, ("--gateway-name", "--gateway-n"))
    group = args.value(("--resource-group", "--resource-g"), ("-g", "-g"))
    return {
        "name": first(name, args.parameter("Name")),
        "resourceGroup": first(group, args.parameter("ResourceGroupName")),
        "subscriptionId": subscription(args),
    }


_ZONE: tuple[_Option, ...] = (("--zone-name", "--zone"), ("-z", "-z"))

#: Groups of `az` as a pattern, the type that the call makes, its properties.
_AZ: tuple[Row, ...] = (
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
    *lines.AZ,
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

_CMDLETS: Mapping[str, tuple[Made, ...]] = {
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
    **lines.CMDLETS,
    "new-azarcgateway": ((f"{_ARC}gateway", _arc_gateway),),
    "new-azconnectedprivatelinkscope": ((f"{_ARC}privatelinkscope", _nothing),),
    "new-azconnectedkubernetes": ((_CLUSTER, _cluster), (PROXY, _proxy)),
    "set-azconnectedkubernetes": ((_CLUSTER, _cluster), (PROXY, _proxy)),
}


def _cmdlet_rows(program: str) -> tuple[Made, ...]:
    name = program.replace("-azurerm", "-az")
    return _CMDLETS.get(name) or lines.cmdlet(name)


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
            current = words.value(SUBSCRIPTION, ("--name", "--n"), ("-s", "-s"), ("-n", "-n"))
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
        rows += written(call.program, groups, arguments)
    elif requested := written(call.program, "", arguments):
        rows = requested
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


def _driver_settings(environment: Node) -> list[Subject]:
    https, certificate = environment.get("ARC_PROXY_HTTPS"), environment.get("ARC_PROXY_CERTIFICATE")
    if https.value is None or certificate.value is None:
        return []
    body: Value = {"httpsUrl": https.value, "certificate": certificate.value}
    return [Subject(PROXY, Node(body), certificate.path)]
