"""What the text of a command would make in Azure: `az` and PowerShell calls as the resources that they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

from . import firewall_calls, lines, shell
from .arc_chart import AGENTS, CLOUD, helm_subjects, is_arc_chart, version_in
from .arguments import NAME, SUBSCRIPTION, Arguments, Made, Option, Row, first, location, nothing, subscription
from .az_values import items, pairs
from .cloud_calls import CLOUD_VARIABLES, told
from .reading import UNKNOWN, Node, Value, from_json
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

#: Proxy settings, by who is told them: the driver in its environment, `az connectedk8s connect` and `update` (and their
#: twins in PowerShell), Arc's chart.
DRIVER_PROXY = "proxy:driver"
CONNECT_PROXY = "proxy:connect"
UPDATE_PROXY = "proxy:update"
CHART_PROXY = "proxy:chart"
PROXIES = frozenset({DRIVER_PROXY, CONNECT_PROXY, UPDATE_PROXY, CHART_PROXY})

#: One proxy variable of the environment in which a client of Arc runs; the last part of the token is the variable.
CLIENT_VARIABLE = "variable:"
CLIENT_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy")

_CLUSTER = "azure-native:kubernetes:connectedcluster"
_NET = "azure-native:network:"
_DNS = "azure-native:privatedns:"
_ARC = "azure-native:hybridcompute:"
GATEWAY = f"{_ARC}gateway"
_ROLES = "azure-native:authorization:"

_GLOBAL_FLAGS = frozenset({"--debug", "--verbose", "--only-show-errors"})
_GLOBAL_OPTIONS = frozenset({"--subscription", "--output", "-o", "--query"})
_CONTAINER_PROGRAMS = frozenset({"docker", "podman", "nerdctl", "kubectl", "helm", "oc"})
#: Programs that do nothing but intercept TLS.
INTERCEPTORS = frozenset({"mitmproxy", "mitmdump", "mitmweb", "sslsplit"})
_HELM_SETS = frozenset({"--set", "--set-string"})
_STARTS = frozenset({"run", "create", "install", "upgrade", "set"})

_PRIVATE_LINK: Option = ("--enable-private-link", "--enable-p")
_SCOPE: tuple[Option, ...] = (("--private-link-scope-resource-id", "--pri"), ("--pls-arm-id", "--pl"))
_TARGET: tuple[Option, ...] = (("--private-connection-resource-id", "--private-c"),)
_GROUPS: tuple[Option, ...] = (("--group-id", "--group-i"), ("--group-ids", "--group-i"))


def _switched(value: Value) -> Value:
    """A three-state flag: bare means true."""
    return "Enabled" if value == "" else value


def _endpoint(args: Arguments) -> Value:
    connection: dict[str, Value] = {
        "privateLinkServiceId": args.value(*_TARGET) or args.parameter("PrivateLinkServiceConnection"),
        "groupIds": args.value(*_GROUPS),
    }
    return {"privateLinkServiceConnections": [connection]}


def _zone(*options: Option) -> Callable[[Arguments], Value]:
    def body(args: Arguments) -> Value:
        value = args.value(*options)
        return {"privateZoneName": args.parameter("ZoneName") or args.parameter("Name") if value is None else value}

    return body


def _cluster(args: Arguments) -> Value:
    state = _switched(args.value(_PRIVATE_LINK))
    scope = args.value(*_SCOPE)
    version = args.whole(("--agent-version", "--ag"))
    return {
        "privateLinkState": args.parameter("PrivateLinkState") if state is None else state,
        "privateLinkScopeResourceId": args.parameter("PrivateLinkScopeResourceId") if scope is None else scope,
        "location": location(args),
        "arcAgentProfile": {
            "desiredAgentVersion": args.parameter("ArcAgentProfileDesiredAgentVersion") if version is None else version,
            "agentAutoUpgrade": _auto_upgrade(args),
        },
    }


def _auto_upgrade(args: Arguments) -> Value:
    disable = first(args.value(("--disable-auto-upgrade", "--disable-a")), args.parameter("DisableAutoUpgrade"))
    if disable is not None:
        return disable if disable is UNKNOWN else "Enabled" if str(disable).lower() == "false" else "Disabled"
    given = first(args.value(("--auto-upgrade", "--au")), args.parameter("ArcAgentProfileAgentAutoUpgrade"))
    return "Disabled" if str(given).lower() == "false" else given


def _gateway(args: Arguments) -> Value:
    feature, tag = args.parameter("AllowedFeature"), args.parameter("Tag")
    features = [feature] if isinstance(feature, str) else args.values(("--allowed-features", "--al"))
    group = args.value(("--resource-group", "--resource-g"), ("-g", "-g"))
    return {
        "name": first(args.whole(*NAME, ("--gateway-name", "--gateway-n")), args.parameter("Name")),
        "resourceGroup": first(group, args.parameter("ResourceGroupName")),
        "subscriptionId": subscription(args),
        "gatewayType": first(args.whole(("--gateway-type", "--gateway-t")), args.parameter("GatewayType")),
        "allowedFeatures": items(features),
        "tags": UNKNOWN if tag is not None else pairs(args.values(("--tags", "--t"))),
        "location": location(args),
    }


def _changed_gateway(args: Arguments) -> Value:
    made = _gateway(args)
    return {**made, "existing": True} if isinstance(made, dict) else made


def _role_definition(args: Arguments) -> Value:
    """The role as JSON among the words; what lies in a file, or in PowerShell's objects, is not known here."""
    given = args.value(("--role-definition", "--ro"))
    role = from_json(given) if isinstance(given, str) else UNKNOWN
    return role if isinstance(role, dict) else {"permissions": UNKNOWN}


def _role_assignment(args: Arguments) -> Value:
    scopes = args.values(("--scope", "--sc"), ("--scopes", "--sc"))
    named = first(args.parameter("RoleDefinitionName"), args.parameter("RoleDefinitionId"))
    return {
        "roleDefinitionId": first(args.value(("--role", "--ro")), named),
        "scope": first(args.parameter("Scope"), args.parameter("ResourceType")) if scopes is None else [*scopes],
        "description": first(args.value(("--description", "--d")), args.parameter("Description")),
    }


def _cloud(args: Arguments) -> Value:
    return {"environment": first(args.whole(("--name", "--n"), ("-n", "-n")), args.parameter("EnvironmentName", 3))}


def _cloud_setting(args: Arguments) -> Value:
    """`az config set cloud.name=NAME`."""
    for word in args.options:
        name, _, value = word.partition("=")
        if name.lower() == "cloud.name":
            return {"environment": UNKNOWN if OPEN in value else value}
    return {}


def _server_cloud(args: Arguments) -> Value:
    return {"environment": args.whole(("--cloud", "--cloud"), ("-c", "-c")), "location": location(args)}


_CONFIGURATION: tuple[Option, ...] = (
    ("--configuration-settings", "--configuration-s"),
    ("--configuration-protected-settings", "--configuration-p"),
    ("--config-protected-settings", "--config-p"),
    ("--config", "--config"),
)


def _proxy(args: Arguments) -> Value:
    configured = args.settings(*_CONFIGURATION)

    def first(parameter: str, setting: str, *options: Option) -> Value:
        given = args.value(*options)
        given = args.parameter(parameter) if given is None else given
        return configured.get(f"proxy.{setting}") if given is None else given

    def content(given: Value) -> Value:
        # `az` reads a value that begins so from a file.
        return UNKNOWN if isinstance(given, str) and given.startswith("@") else given

    return {
        "httpsUrl": content(first("HttpsProxy", "https_proxy", ("--proxy-https", "--proxy-https"))),
        "httpUrl": content(first("HttpProxy", "http_proxy", ("--proxy-http", "--proxy-http"))),
        "skipRange": content(first("NoProxy", "no_proxy", ("--proxy-skip-range", "--proxy-s"))),
        "certificate": first(
            "ProxyCert", "proxy_cert", ("--proxy-cert", "--proxy-c"), ("--custom-ca-cert", "--custom-c")
        ),
    }


def _record(args: Arguments) -> Value:
    kind = args.options[args.options.index("record-set") + 1 :][:1] if "record-set" in args.options else ()
    name = args.value(("--record-set-name", "--record"), *NAME)
    return {
        "privateZoneName": args.value(*_ZONE) or args.parameter("ZoneName"),
        "relativeRecordSetName": args.parameter("Name") if name is None else name,
        "recordType": args.parameter("RecordType") or (kind[0] if kind else ""),
    }


_ZONE: tuple[Option, ...] = (("--zone-name", "--zone"), ("-z", "-z"))

#: Groups of `az` as a pattern, the type that the call makes, its properties.
_AZ: tuple[Row, ...] = (
    (r"deployment (?:group|sub|mg|tenant) create", OPEN_TEMPLATE, nothing),
    (r"stack (?:group|sub|mg) create", OPEN_TEMPLATE, nothing),
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
    (r"network private-dns zone create", f"{_DNS}privatezone", _zone(*NAME)),
    (r"network private-dns link vnet create", f"{_DNS}virtualnetworklink", _zone(*_ZONE)),
    (r"network private-dns record-set \w+ (create|add-record|set-record)", f"{_DNS}privaterecordset", _record),
    *firewall_calls.AZ,
    *lines.AZ,
    (r"connectedmachine private-link-scope (create|update)", f"{_ARC}privatelinkscope", nothing),
    (r"connectedmachine private-endpoint-connection update", f"{_ARC}privateendpointconnection", nothing),
    (r"monitor private-link-scope (scoped-resource )?create", "azure-native:monitor:privatelinkscope", nothing),
    (r"resourcemanagement private-link create", "azure-native:authorization:resourcemanagementprivatelink", nothing),
    (r"private-link association create", "azure-native:authorization:privatelinkassociation", nothing),
    (r"role definition (create|update)", f"{_ROLES}roledefinition", _role_definition),
    (r"role assignment (create|update)", f"{_ROLES}roleassignment", _role_assignment),
    (r"ad sp create-for-rbac", f"{_ROLES}roleassignment", _role_assignment),
    (r"arcgateway create", GATEWAY, _gateway),
    (r"arcgateway update", GATEWAY, _changed_gateway),
    (r"connectedmachine gateway create", GATEWAY, _gateway),
    (r"connectedmachine gateway update", GATEWAY, _changed_gateway),
    (r"connectedk8s (connect|update|upgrade)", _CLUSTER, _cluster),
    (r"connectedk8s connect", CONNECT_PROXY, _proxy),
    (r"connectedk8s update", UPDATE_PROXY, _proxy),
    (r"group create", "azure-native:resources:resourcegroup", lambda args: {"location": location(args)}),
    (r"cloud set", CLOUD, _cloud),
    (r"config set", CLOUD, _cloud_setting),
)
# In messages a row goes by its own leading words, never by the user's.
_AZ_PATTERNS = tuple(
    (re.compile(rf"{pattern}\b"), token, body, "az " + pattern.partition("(")[0].partition("\\")[0].strip())
    for pattern, token, body in _AZ
)

_SETTINGS = {
    **{name: (CLOUD, key) for name, key in CLOUD_VARIABLES.items()},
    "ARC_DISABLE_AUTO_UPGRADE": (AGENTS, "disableAutoUpgrade"),
}
#: PowerShell's cmdlets, and programs of one command.
_CMDLETS: Mapping[str, tuple[Made, ...]] = {
    **dict.fromkeys(
        (
            *("new-azresourcegroupdeployment", "new-azsubscriptiondeployment", "new-azdeployment"),
            *("new-azmanagementgroupdeployment", "new-aztenantdeployment"),
        ),
        ((OPEN_TEMPLATE, nothing),),
    ),
    "new-azprivateendpoint": ((f"{_NET}privateendpoint", _endpoint),),
    "new-azprivatednszone": ((f"{_DNS}privatezone", _zone()),),
    "new-azprivatednsvirtualnetworklink": ((f"{_DNS}virtualnetworklink", _zone()),),
    "new-azprivatednsrecordset": ((f"{_DNS}privaterecordset", _record),),
    **firewall_calls.CMDLETS,
    **lines.CMDLETS,
    "new-azconnectedprivatelinkscope": ((f"{_ARC}privatelinkscope", nothing),),
    "new-azroledefinition": ((f"{_ROLES}roledefinition", _role_definition),),
    "set-azroledefinition": ((f"{_ROLES}roledefinition", _role_definition),),
    "new-azroleassignment": ((f"{_ROLES}roleassignment", _role_assignment),),
    "new-azarcgateway": ((GATEWAY, _gateway),),
    "connect-azaccount": ((CLOUD, _cloud),),
    "login-azaccount": ((CLOUD, _cloud),),
    "add-azaccount": ((CLOUD, _cloud),),
    "azcmagent": ((CLOUD, _server_cloud),),
    "new-azconnectedkubernetes": ((_CLUSTER, _cluster), (CONNECT_PROXY, _proxy)),
    "set-azconnectedkubernetes": ((_CLUSTER, _cluster), (UPDATE_PROXY, _proxy)),
}


def _cmdlet_rows(program: str) -> tuple[Made, ...]:
    name = program.replace("-azurerm", "-az")
    return _CMDLETS.get(name) or lines.cmdlet(name)


def command_subjects(node: Node) -> list[Subject]:
    """What a command's create, update and delete would make, and what the driver's settings in its environment say."""
    found = _driver_settings(node.get("environment"))
    named = [(str(child.path[-1]), child) for child in node.get("environment").children()]
    named += [
        (one.get("name").text, one.field("value", "secureValue")) for one in node.get("environmentVariables").each()
    ]
    variables = {name: OPEN if child.open else child.text for name, child in named}
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
    for call in made:
        subjects += (*_client_variables(call, text, node.get("environment")), *told(call, text, variables))
    subjects += [*firewall_calls.firewall_cmdlets(made, text), *firewall_calls.hosts_lines(made, text)]
    foreign = interpreter and shell.program_name(interpreter[0]) not in shell.SHELLS | shell.POWERSHELLS | shell.CMD
    return [*subjects, Subject(TEXT, text)] if foreign and not subjects else subjects


#: What sets the subscription of the calls after it: `az account set` and PowerShell's twins.
_CONTEXTS = frozenset({"set-azcontext", "select-azcontext", "select-azsubscription"})
_CONTEXT_NAMES = ("SubscriptionId", "Subscription", "SubscriptionName")


def _in_subscriptions(made: list[Call]) -> Iterator[Call]:
    """The calls, each told the subscription that one before it has set; the words are the call's own first."""
    current: Value = None
    for call in made:
        words = Arguments(call.program, call.arguments)
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
    arguments = Arguments(call.program, call.arguments)
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
        installs = helm_subjects(call.arguments, text.path) if call.program == "helm" else ()
        return [_words(call, text), *_chart_settings(call, text), *installs]
    elif call.program in INTERCEPTORS:
        return [_words(call, text)]
    else:
        return []
    count = Count(1, None) if call.repeated else Count()
    return [
        Subject(token, Node(body(arguments)), text.path, f"runs `{what}`, which", count=count)
        for token, body, what in rows
    ]


def _chart_settings(call: Call, text: Node) -> list[Subject]:
    """The proxy settings that a call of helm gives to Arc's own chart, by `--set` and its like."""
    if call.program != "helm" or not any(map(is_arc_chart, call.arguments)):
        return []
    values: dict[str, Value] = {}
    for before, word in pairwise(("", *call.arguments)):
        option, equals, given = word.partition("=")
        given = word if before in _HELM_SETS else given if equals and option in _HELM_SETS else ""
        for pair in re.split(r"(?<!\\),", given):
            key, equals, value = pair.partition("=")
            if equals:
                values[key.strip().removeprefix("global.")] = UNKNOWN if value.strip() == OPEN else value
    keeps = any(word.startswith(("--reuse-values", "--reset-then-reuse-values")) for word in call.arguments)
    token = UPDATE_PROXY if keeps else CHART_PROXY
    return [Subject(token, Node(values), text.path, "runs `helm` with Arc's chart, which")]


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


def _client_variables(call: Call, text: Node, environment: Node) -> list[Subject]:
    """The proxy variables that a call of Arc's own commands runs with, each at the place that sets it."""
    if not _cmdlet_rows(call.program) and not (
        call.program == "az" and re.match(r"(?:connectedk8s|arcgateway)\b", _groups(call.arguments))
    ):
        return []
    found: list[Subject] = []
    for name in CLIENT_VARIABLES:
        value = call.variables.get(name)
        if value is None:
            continue
        given = environment.get(name)
        outside = given.path[-1] == name and value == (OPEN if given.open else given.text)
        place = given if outside else Node(UNKNOWN if value.strip() == OPEN else value, text.path)
        form = "" if outside else f"runs a client of Arc with {name}, which"
        found.append(Subject(f"{CLIENT_VARIABLE}{name.lower()}", place, None, form))
    return found


def _driver_settings(environment: Node) -> list[Subject]:
    """What the environment of a command says: the driver's settings, and those of clients of Azure."""
    found: list[Subject] = []
    if any(str(child.path[-1]).startswith("ARC_PROXY_") for child in environment.children()):
        found.append(Subject(DRIVER_PROXY, environment))
    for name, (token, key) in _SETTINGS.items():
        place = environment.get(name)
        if place.value is not None:
            found.append(Subject(token, Node({key: place.value}), place.path))
    registry = environment.get("HELMREGISTRY")
    if version := version_in(registry.text):
        found.append(Subject(AGENTS, Node({"version": version}), registry.path))
    return found
