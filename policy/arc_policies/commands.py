"""What the text of a command would make in Azure: `az` and PowerShell calls as the resources that they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import pairwise, takewhile

from . import shell
from .arc_chart import AGENTS, CLOUD, helm_subjects, is_arc_chart, put, version_in
from .az_values import elsewhere, items, pairs, stated
from .cloud_calls import CLOUD_VARIABLES, told
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
#: A change of a gateway that says nothing of what it leaves as it is.
GATEWAY_UPDATE = f"{_ARC}gatewayupdate"

_GLOBAL_FLAGS = frozenset({"--debug", "--verbose", "--only-show-errors"})
_GLOBAL_OPTIONS = frozenset({"--subscription", "--output", "-o", "--query"})
_CONTAINER_PROGRAMS = frozenset({"docker", "podman", "nerdctl", "kubectl", "helm", "oc"})
#: Programs that do nothing but intercept TLS.
INTERCEPTORS = frozenset({"mitmproxy", "mitmdump", "mitmweb", "sslsplit"})
_HELM_SETS = frozenset({"--set", "--set-string"})
_STARTS = frozenset({"run", "create", "install", "upgrade", "set"})

#: An option of `az`: its full name, and the shortest unique prefix that its parser takes for it.
_Option = tuple[str, str]
_PRIVATE_LINK: _Option = ("--enable-private-link", "--enable-p")
_SCOPE: tuple[_Option, ...] = (("--private-link-scope-resource-id", "--pri"), ("--pls-arm-id", "--pl"))
_TARGET: tuple[_Option, ...] = (("--private-connection-resource-id", "--private-c"),)
_GROUPS: tuple[_Option, ...] = (("--group-id", "--group-i"), ("--group-ids", "--group-i"))


class _Arguments:
    """The words after a program, asked for options; or those after a cmdlet of PowerShell, asked for parameters."""

    def __init__(self, program: str, words: tuple[str, ...]) -> None:
        cmdlet = "-" in program
        self.options: tuple[str, ...] = () if cmdlet else words
        self.parameters: tuple[str, ...] = words if cmdlet else ()

    def value(self, *options: _Option) -> Value:
        """An option's value: None when absent, "" when bare, UNKNOWN when open; the last one counts."""
        found: Value = None
        for index, word in enumerate(self.options):
            name, equals, value = _split(word, options)
            if _is(name, options):
                following = self.options[index + 1] if index + 1 < len(self.options) else "-"
                found = value if equals else ("" if following.startswith("-") else following)
                found = UNKNOWN if found.strip() == OPEN else found
        return found

    def whole(self, *options: _Option) -> Value:
        """As `value`, but UNKNOWN where any part of it is open."""
        found = self.value(*options)
        return UNKNOWN if isinstance(found, str) and OPEN in found else found

    def values(self, *options: _Option) -> list[str] | None:
        """All words of an option that takes several; None when absent."""
        found: list[str] | None = None
        for index, word in enumerate(self.options):
            name, equals, value = _split(word, options)
            if _is(name, options):
                following = takewhile(lambda one: not one.startswith("-"), self.options[index + 1 :])
                found = [value] if equals else list(following)
        return found

    def parameter(self, name: str, shortest: int = 7) -> Value:
        """A PowerShell parameter's value, in the same terms; its name in any case, cut to so many letters at least."""
        for index, word in enumerate(self.parameters):
            given, colon, _ = word.lower().partition(":")
            if given.startswith("-") and f"-{name}".lower().startswith(given) and len(given) > min(shortest, len(name)):
                following = self.parameters[index + 1] if index + 1 < len(self.parameters) else "-"
                found = word[len(given) + 1 :] if colon else ("" if following.startswith("-") else following)
                return UNKNOWN if found.strip() == OPEN else found
        return None

    def settings(self, *options: _Option) -> Mapping[str, Value]:
        """The `KEY=VALUE` words after options that take several of them and may come more than once."""
        found: dict[str, Value] = {}
        taking = False
        for word in self.options:
            name, equals, value = word.partition("=")
            if word.startswith("-"):
                taking = any(full.startswith(name) and len(name) >= len(short) for full, short in options)
                name, equals, value = value.partition("=") if equals else ("", "", "")
            if taking and equals:
                found[name.lower()] = UNKNOWN if value.strip() == OPEN else value
        return found


def _split(word: str, options: tuple[_Option, ...]) -> tuple[str, str, str]:
    """An option's name and value within one word, where they stand in one: `--name=VALUE`, `-n=VALUE`, `-nVALUE`."""
    attached = len(word) > 2 and word[0] == "-" and word[1] != "-" and word[2] != "="
    if attached and any(full == word[:2] for full, _ in options):
        return word[:2], "=", word[2:]
    return word.partition("=")


def _is(name: str, options: tuple[_Option, ...]) -> bool:
    return any(full.startswith(name) and len(name) >= len(short) for full, short in options)


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
    version = args.whole(("--agent-version", "--ag"))
    return {
        "privateLinkState": args.parameter("PrivateLinkState") if state is None else state,
        "privateLinkScopeResourceId": args.parameter("PrivateLinkScopeResourceId") if scope is None else scope,
        "location": _location(args),
        "arcAgentProfile": {
            "desiredAgentVersion": args.parameter("ArcAgentProfileDesiredAgentVersion") if version is None else version,
            "agentAutoUpgrade": _auto_upgrade(args),
        },
    }


def _auto_upgrade(args: _Arguments) -> Value:
    disable = args.value(("--disable-auto-upgrade", "--disable-a"))
    disable = args.parameter("DisableAutoUpgrade") if disable is None else disable
    if disable is not None:
        return disable if disable is UNKNOWN else "Enabled" if str(disable).lower() == "false" else "Disabled"
    given = args.value(("--auto-upgrade", "--au"))
    given = args.parameter("ArcAgentProfileAgentAutoUpgrade") if given is None else given
    return "Disabled" if str(given).lower() == "false" else given


def _location(args: _Arguments) -> Value:
    given = args.whole(("--location", "--loc"), ("-l", "-l"))
    return args.parameter("Location") if given is None else given


def _gateway(args: _Arguments) -> Value:
    name = args.whole(("--gateway-name", "--gateway-n"), ("--name", "--na"), ("-n", "-n"))
    kind = args.whole(("--gateway-type", "--gateway-t"))
    features, feature = args.values(("--allowed-features", "--al")), args.parameter("AllowedFeature")
    tags, tag = args.values(("--tags", "--t")), args.parameter("Tag")
    return {
        "gatewayName": args.parameter("Name") if name is None else name,
        "gatewayType": args.parameter("GatewayType") if kind is None else kind,
        "allowedFeatures": items([feature] if isinstance(feature, str) else features),
        "tags": UNKNOWN if tag is not None else pairs(tags),
        "location": _location(args),
    }


def _cloud(args: _Arguments) -> Value:
    environment = args.whole(("--name", "--n"), ("-n", "-n"))
    return {"environment": args.parameter("EnvironmentName", 3) if environment is None else environment}


def _cloud_setting(args: _Arguments) -> Value:
    """`az config set cloud.name=NAME`."""
    for word in args.options:
        name, _, value = word.partition("=")
        if name.lower() == "cloud.name":
            return {"environment": UNKNOWN if OPEN in value else value}
    return {}


def _server_cloud(args: _Arguments) -> Value:
    return {"environment": args.whole(("--cloud", "--cloud"), ("-c", "-c")), "location": _location(args)}


def _nothing(_: _Arguments) -> Value:
    return {}


_CONFIGURATION: tuple[_Option, ...] = (
    ("--configuration-settings", "--configuration-s"),
    ("--configuration-protected-settings", "--configuration-p"),
    ("--config-protected-settings", "--config-p"),
    ("--config", "--config"),
)


def _proxy(args: _Arguments) -> Value:
    configured = args.settings(*_CONFIGURATION)

    def first(parameter: str, setting: str, *options: _Option) -> Value:
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
    (r"network private-dns record-set \w+ (create|add-record|set-record)", f"{_DNS}privaterecordset", _zone(*_ZONE)),
    (r"connectedmachine private-link-scope (create|update)", f"{_ARC}privatelinkscope", _nothing),
    (r"connectedmachine private-endpoint-connection update", f"{_ARC}privateendpointconnection", _nothing),
    (r"monitor private-link-scope (scoped-resource )?create", "azure-native:monitor:privatelinkscope", _nothing),
    (r"resourcemanagement private-link create", "azure-native:authorization:resourcemanagementprivatelink", _nothing),
    (r"private-link association create", "azure-native:authorization:privatelinkassociation", _nothing),
    (r"arcgateway create", GATEWAY, _gateway),
    (r"arcgateway update", GATEWAY_UPDATE, _gateway),
    (r"connectedmachine gateway create", GATEWAY, _gateway),
    (r"connectedmachine gateway update", GATEWAY_UPDATE, _gateway),
    (r"connectedk8s (connect|update|upgrade)", _CLUSTER, _cluster),
    (r"connectedk8s connect", CONNECT_PROXY, _proxy),
    (r"connectedk8s update", UPDATE_PROXY, _proxy),
    (r"group create", "azure-native:resources:resourcegroup", lambda args: {"location": _location(args)}),
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
_CMDLETS: Mapping[str, tuple[tuple[str, Callable[[_Arguments], Value]], ...]] = {
    "new-azprivateendpoint": ((f"{_NET}privateendpoint", _endpoint),),
    "new-azprivatednszone": ((f"{_DNS}privatezone", _zone()),),
    "new-azprivatednsvirtualnetworklink": ((f"{_DNS}virtualnetworklink", _zone()),),
    "new-azprivatednsrecordset": ((f"{_DNS}privaterecordset", _zone()),),
    "new-azconnectedprivatelinkscope": ((f"{_ARC}privatelinkscope", _nothing),),
    "new-azarcgateway": ((GATEWAY, _gateway),),
    "connect-azaccount": ((CLOUD, _cloud),),
    "login-azaccount": ((CLOUD, _cloud),),
    "add-azaccount": ((CLOUD, _cloud),),
    "azcmagent": ((CLOUD, _server_cloud),),
    "new-azconnectedkubernetes": ((_CLUSTER, _cluster), (CONNECT_PROXY, _proxy)),
    "set-azconnectedkubernetes": ((_CLUSTER, _cluster), (UPDATE_PROXY, _proxy)),
}


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
    subjects = [
        subject
        for call in made
        for subject in (
            *_call_subjects(call, text),
            *_client_variables(call, text, node.get("environment")),
            *told(call, text, variables),
        )
    ]
    foreign = interpreter and shell.program_name(interpreter[0]) not in shell.SHELLS | shell.POWERSHELLS | shell.CMD
    return [*subjects, Subject(TEXT, text)] if foreign and not subjects else subjects


def _script_from_stdin(text: str, stdin: str, variables: Mapping[str, str]) -> list[Call]:
    return (
        shell.run(["sh", "-c", stdin], variables)
        if stdin and re.fullmatch(r"\s*(?:ba|da|z)?sh(?:\s+-s)?\s*", text)
        else []
    )


def _call_subjects(call: Call, text: Node) -> list[Subject]:
    arguments = _Arguments(call.program, call.arguments)
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
        installs = helm_subjects(call.arguments, text.path) if call.program == "helm" else ()
        return [_words(call, text), *_chart_settings(call, text), *installs]
    elif call.program in INTERCEPTORS:
        return [_words(call, text)]
    else:
        return []
    return [Subject(token, Node(body(arguments)), text.path, f"runs `{what}`, which") for token, body, what in rows]


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


def _generic(groups: str, args: _Arguments) -> list[tuple[str, Callable[[_Arguments], Value], str]]:
    """`az resource create` and `az rest` of a type that an id or an address tells."""
    method: Value = None
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
    token = from_arm(kind)
    partial = groups == "resource update" or (isinstance(method, str) and method.lower() == "patch")
    body = {"name": name, **_resource_body(args)}
    return [(GATEWAY_UPDATE if partial and token == GATEWAY else token, lambda _: body, f"az {groups}")]


def _resource_body(args: _Arguments) -> dict[str, Value]:
    """What `az resource` and `az rest` are told of a resource, as ARM has it."""
    body: dict[str, Value] = {"location": _location(args), "tags": pairs(args.values(("--tags", "--ta")))}
    given = args.value(("--properties", "--prop"), ("-p", "-p"), ("--body", "--b"), ("-b", "-b"))
    read = stated(given) if isinstance(given, str) else given
    if isinstance(read, dict) and ("properties" in read or "tags" in read):
        body |= read
    else:
        body["properties"] = given if read is UNKNOWN and given is not UNKNOWN and not elsewhere(given) else read
    for pair in args.values(("--set", "--set")) or []:
        name, _, value = pair.partition("=")
        put(body, name.split("."), UNKNOWN if OPEN in value else value)
    return body


def _client_variables(call: Call, text: Node, environment: Node) -> list[Subject]:
    """The proxy variables that a call of Arc's own commands runs with, each at the place that sets it."""
    if call.program not in _CMDLETS and not (
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
