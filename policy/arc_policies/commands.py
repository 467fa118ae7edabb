"""Tables of what a call of `az` or PowerShell makes: the resource that it stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from . import firewall_calls, lines
from .arc_chart import AGENTS, CLOUD, version_in
from .arguments import NAME, Arguments, Made, Option, Row, first, location, nothing, subscription
from .az_values import items, pairs
from .cloud_calls import CLOUD_VARIABLES
from .reading import UNKNOWN, Node, Value, from_json
from .shell import OPEN
from .tokens import Subject
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
#: Text that a command writes into a file, or hands to a program.
CONFIGURATION = "text:configuration"

#: Proxy settings, by who is told them: the driver in its environment, `az connectedk8s connect` and `update` (and their
#: twins in PowerShell), Arc's chart.
DRIVER_PROXY = "proxy:driver"
CONNECT_PROXY = "proxy:connect"
UPDATE_PROXY = "proxy:update"
CHART_PROXY = "proxy:chart"
PROXIES = frozenset({DRIVER_PROXY, CONNECT_PROXY, UPDATE_PROXY, CHART_PROXY})

#: Private roots that the driver takes as genuine, with the proxy beside them.
DRIVER_ROOTS = "roots:driver"

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
#: Programs that do nothing but intercept TLS.
INTERCEPTORS = frozenset({"mitmproxy", "mitmdump", "mitmweb", "sslsplit", "sslsniff", "polarproxy"})
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


def _link_service(args: Arguments) -> Value:
    return {"name": args.value(*NAME), "fqdns": args.value(("--fqdns", "--fq"))}


def _machine(args: Arguments) -> Value:
    return {"privateLinkScopeResourceId": args.value(("--private-link-scope", "--private-link-scope"))}


def _cluster(args: Arguments) -> Value:
    state = _switched(args.value(_PRIVATE_LINK))
    if state is None and args.hidden:
        state = UNKNOWN
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
    (r"network private-endpoint (create|update)", f"{_NET}privateendpoint", _endpoint),
    (r"network private-endpoint (ip-config|asg) add", f"{_NET}privateendpoint", _endpoint),
    (r"network private-link-service (create|update)", f"{_NET}privatelinkservice", _link_service),
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
    (
        r"(?:[\w-]+ )+private-endpoint-connection approve",
        f"{_NET}privateendpointconnection",
        lambda args: {"id": args.value(("--id", "--id"))},
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


def _leading(pattern: str) -> str:
    plain = pattern.partition("(")[0].partition("\\")[0].strip()
    return plain or pattern.rpartition(")+")[2]


# In messages a row goes by its own leading words, never by the user's.
_AZ_PATTERNS = tuple(
    (re.compile(rf"{pattern}\b"), token, body, f"az {_leading(pattern)}") for pattern, token, body in _AZ
)

_SETTINGS = {
    **{name: (CLOUD, key) for name, key in CLOUD_VARIABLES.items()},
    "ARC_DISABLE_AUTO_UPGRADE": (AGENTS, "disableAutoUpgrade"),
    "ARC_ENABLE_PRIVATE_LINK": (_CLUSTER, "privateLinkState"),
    "ARC_PRIVATE_LINK_SCOPE_ID": (_CLUSTER, "privateLinkScopeResourceId"),
}
#: PowerShell's cmdlets, and programs of one command.
_CMDLETS: Mapping[str, tuple[Made, ...]] = {
    "new-azprivateendpoint": ((f"{_NET}privateendpoint", _endpoint),),
    "set-azprivateendpoint": ((f"{_NET}privateendpoint", _endpoint),),
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
    "azcmagent": ((CLOUD, _server_cloud), (f"{_ARC}machine", _machine)),
    "new-azconnectedkubernetes": ((_CLUSTER, _cluster), (CONNECT_PROXY, _proxy)),
    "set-azconnectedkubernetes": ((_CLUSTER, _cluster), (UPDATE_PROXY, _proxy)),
}


#: The type that a call makes, its properties, and the call's name for messages.
Declared = tuple[str, Value, str]

#: Commands that run what another takes as text, with the option that gives it.
_SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "vm run-command invoke": ("--scripts",),
    "vm run-command create": ("--script",),
    "vmss run-command invoke": ("--scripts",),
    "connectedmachine run-command create": ("--script",),
    "aks command invoke": ("--command", "-c"),
}
_FROM_TEMPLATE = re.compile(r"(?:(?:deployment|stack) (?:group|sub|mg|tenant)|ts|bicep deployment) create\b")
_TEMPLATE_FILE: tuple[Option, ...] = (("--template-file", "--template-f"), ("-f", "-f"))
_DEPLOYING = re.compile(
    r"(?:new|set)-az(?:rm)?(?:resourcegroup|subscription|managementgroup|tenant)?(?:deployment|deploymentstack)"
)


def az_rows(words: tuple[str, ...]) -> list[Declared]:
    """What a call of `az` with these words makes."""
    groups, arguments = groups_of(words), Arguments("az", words)
    rows = [(token, body(arguments), name) for pattern, token, body, name in _AZ_PATTERNS if pattern.match(groups)]
    return [*rows, *((token, body(arguments), name) for token, body, name in written("az", groups, arguments))]


def call_rows(program: str, words: tuple[str, ...]) -> list[Declared]:
    """What a cmdlet of PowerShell, a program of one command, or one that sends a request makes."""
    arguments = Arguments(program, words)
    requested = [(token, body(arguments), name) for token, body, name in written(program, "", arguments)]
    return requested or [(token, body(arguments), program) for token, body in cmdlet_rows(program)]


def template_file(program: str, words: tuple[str, ...]) -> Value:
    """The template that a call deploys: "" where it lies elsewhere, None where it is no such call."""
    arguments = Arguments(program, words)
    if program == "az":
        return (arguments.value(*_TEMPLATE_FILE) or "") if _FROM_TEMPLATE.match(groups_of(words)) else None
    return (arguments.parameter("TemplateFile") or "") if _DEPLOYING.fullmatch(program) else None


def script_text(words: tuple[str, ...]) -> str:
    """The script that a call of `az` has another machine run; "" where it has none, or one that lies elsewhere."""
    options = _SCRIPTS.get(groups_of(words), ())
    texts = Arguments("az", words).values(*((option, option) for option in options)) or []
    return "\n".join(text for text in texts if text[:1] != "@")


def cmdlet_rows(program: str) -> tuple[Made, ...]:
    """The table's rows for a cmdlet, or a program of one command."""
    name = program.replace("-azurerm", "-az")
    return _CMDLETS.get(name) or lines.cmdlet(name)


def groups_of(words: tuple[str, ...]) -> str:
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


def driver_subjects(environment: Node) -> list[Subject]:
    """What the environment of a command says: the driver's settings, and those of clients of Azure."""
    found: list[Subject] = []
    if any(str(child.path[-1]).startswith("ARC_PROXY_") for child in environment.children()):
        found.append(Subject(DRIVER_PROXY, environment))
    if environment.get("ARC_GENUINE_ROOTS").value is not None:
        found.append(Subject(DRIVER_ROOTS, environment))
    for name, (token, key) in _SETTINGS.items():
        place = environment.get(name)
        if place.value is not None:
            found.append(Subject(token, Node({key: place.value}), place.path))
    registry = environment.get("HELMREGISTRY")
    if version := version_in(registry.text):
        found.append(Subject(AGENTS, Node({"version": version}), registry.path))
    return found
