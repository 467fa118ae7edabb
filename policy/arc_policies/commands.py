"""Tables of what a call of `az`, a cmdlet or a request to Azure makes: the resource that it stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import pairwise, takewhile

from .reading import UNKNOWN, Node, Value, from_json
from .shell import OPEN
from .tokens import arm_type_of_id, arm_type_of_parts, from_arm

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

PROXY = "arc-gateway:index:proxysettings"
_CLUSTER = "azure-native:kubernetes:connectedcluster"
_NET = "azure-native:network:"
_DNS = "azure-native:privatedns:"
_ARC = "azure-native:hybridcompute:"

_GLOBAL_FLAGS = frozenset({"--debug", "--verbose", "--only-show-errors"})
_GLOBAL_OPTIONS = frozenset({"--subscription", "--output", "-o", "--query"})
#: Programs that do nothing but intercept TLS.
INTERCEPTORS = frozenset({"mitmproxy", "mitmdump", "mitmweb", "sslsplit", "sslsniff", "polarproxy"})
_GENERIC_CMDLETS = frozenset({"new-azresource", "set-azresource", "invoke-azrestmethod"})
#: Programs that send requests to an address.
_REQUESTERS = frozenset({"curl", "wget", "invoke-restmethod", "invoke-webrequest", "irm", "iwr"})
#: Commands that run what another takes as text, with the option that gives it.
_SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "vm run-command invoke": ("--scripts",),
    "vm run-command create": ("--script",),
    "vmss run-command invoke": ("--scripts",),
    "connectedmachine run-command create": ("--script",),
    "aks command invoke": ("--command", "-c"),
}
_FROM_TEMPLATE = re.compile(r"(?:(?:deployment|stack) (?:group|sub|mg|tenant)|ts|bicep deployment) create\b")
_TEMPLATE_OPTIONS: tuple[tuple[str, str], ...] = (("--template-file", "--template-f"), ("-f", "-f"))
_DEPLOYING = re.compile(
    r"(?:new|set)-az(?:resourcegroup|subscription|managementgroup|tenant)?(?:deployment|deploymentstack)|"
    r"(?:new|set)-az(?:resourcegroup|subscription|managementgroup)deploymentstack"
)

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

    def values(self, *options: _Option) -> list[Value]:
        """All values of an option that takes several."""
        found: list[Value] = []
        for index, word in enumerate(self.words):
            name, equals, value = word.partition("=")
            if any(full.startswith(name) and len(name) >= len(short) for full, short in options):
                found += [value] if equals else []
                following = takewhile(lambda one: not one.startswith("-"), self.words[index + 1 :])
                found += [UNKNOWN if one.strip() == OPEN else one for one in following]
        return found

    @property
    def hidden(self) -> bool:
        """Whether a word that is not known may stand for options: one that is no option's value."""
        following = zip(self.words, self.words[1:], strict=False)
        return any(word.strip() == OPEN and not before.startswith("-") for before, word in following)

    def settings(self, prefix: str) -> Mapping[str, str]:
        """What `NAME=VALUE` words, as after `--configuration-settings`, set below a prefix."""
        pairs = (word.partition("=") for word in self.words if word.startswith(prefix) and "=" in word)
        return {name.removeprefix(prefix): value for name, _, value in pairs}

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


def _link_service(args: _Arguments) -> Value:
    return {"name": args.value(*_NAME), "fqdns": args.value(("--fqdns", "--fq"))}


def _cluster(args: _Arguments) -> Value:
    state = _switched(args.value(_PRIVATE_LINK))
    if state is None and args.hidden:
        state = UNKNOWN
    scope = args.value(*_SCOPE)
    return {
        "privateLinkState": args.parameter("PrivateLinkState") if state is None else state,
        "privateLinkScopeResourceId": args.parameter("PrivateLinkScopeResourceId") if scope is None else scope,
    }


def _firewall_rule(args: _Arguments) -> Value:
    """An application rule of Azure Firewall, as the one rule of a group."""
    hosts = args.values(("--target-fqdns", "--target-f"))
    named = args.parameter("TargetFqdn")
    if isinstance(named, str):
        hosts += named.split(",")
    switch = args.parameter("TerminateTLS")
    rule: dict[str, Value] = {
        "terminateTLS": _switched(args.value(("--enable-tls-inspection", "--enable-t")) if switch is None else switch),
        "targetFqdns": [host.strip() if isinstance(host, str) else host for host in hosts],
        "targetUrls": args.values(("--target-urls", "--target-u")),
    }
    return {"ruleCollections": [{"rules": [rule]}]}


def _machine(args: _Arguments) -> Value:
    return {"privateLinkScopeResourceId": args.value(("--private-link-scope", "--private-link-scope"))}


def _nothing(_: _Arguments) -> Value:
    return {}


def _proxy(args: _Arguments) -> Value:
    https = args.value(("--proxy-https", "--proxy-https"))
    http = args.value(("--proxy-http", "--proxy-http"))
    certificate = args.value(("--proxy-cert", "--proxy-c"), ("--custom-ca-cert", "--custom-c"))
    settings = args.settings("proxy.")
    return {
        "httpsUrl": _given(https, args.parameter("HttpsProxy"), settings.get("https_proxy")),
        "httpUrl": _given(http, args.parameter("HttpProxy"), settings.get("http_proxy")),
        "certificate": _given(certificate, args.parameter("ProxyCert"), settings.get("proxy_cert")),
    }


def _given(*values: Value) -> Value:
    return next((value for value in values if value is not None), None)


_NAME: tuple[_Option, ...] = (("--name", "--nam"), ("-n", "-n"))
_ZONE: tuple[_Option, ...] = (("--zone-name", "--zone"), ("-z", "-z"))

_Row = tuple[str, str, Callable[[_Arguments], Value]]

#: Groups of `az` as a pattern, the type that the call makes, its properties.
_AZ: tuple[_Row, ...] = (
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
    (r"network private-dns zone create", f"{_DNS}privatezone", _zone(*_NAME)),
    (r"network private-dns link vnet create", f"{_DNS}virtualnetworklink", _zone(*_ZONE)),
    (r"network private-dns record-set \w+ (create|add-record|set-record)", f"{_DNS}privaterecordset", _zone(*_ZONE)),
    (r"connectedmachine private-link-scope (create|update)", f"{_ARC}privatelinkscope", _nothing),
    (r"connectedmachine private-endpoint-connection update", f"{_ARC}privateendpointconnection", _nothing),
    (r"monitor private-link-scope (scoped-resource )?create", "azure-native:monitor:privatelinkscope", _nothing),
    (r"resourcemanagement private-link create", "azure-native:authorization:resourcemanagementprivatelink", _nothing),
    (r"private-link association create", "azure-native:authorization:privatelinkassociation", _nothing),
    (
        r"network firewall policy rule-collection-group collection (add-filter-collection|rule (add|update))",
        f"{_NET}firewallpolicyrulecollectiongroup",
        _firewall_rule,
    ),
    (r"connectedk8s (connect|update)", _CLUSTER, _cluster),
    (r"connectedk8s (connect|update)", PROXY, _proxy),
)


def _leading(pattern: str) -> str:
    plain = pattern.partition("(")[0].partition("\\")[0].strip()
    return plain or pattern.rpartition(")+")[2]


# In messages a row goes by its own leading words, never by the user's.
_AZ_PATTERNS = tuple(
    (re.compile(rf"{pattern}\b"), token, body, f"az {_leading(pattern)}") for pattern, token, body in _AZ
)

_CMDLETS: Mapping[str, tuple[tuple[str, Callable[[_Arguments], Value]], ...]] = {
    "new-azprivateendpoint": ((f"{_NET}privateendpoint", _endpoint),),
    "set-azprivateendpoint": ((f"{_NET}privateendpoint", _endpoint),),
    "new-azfirewallpolicyapplicationrule": ((f"{_NET}firewallpolicyrulecollectiongroup", _firewall_rule),),
    "new-azprivatednszone": ((f"{_DNS}privatezone", _zone()),),
    "new-azprivatednsvirtualnetworklink": ((f"{_DNS}virtualnetworklink", _zone()),),
    "new-azprivatednsrecordset": ((f"{_DNS}privaterecordset", _zone()),),
    "azcmagent": ((f"{_ARC}machine", _machine),),
    "new-azconnectedprivatelinkscope": ((f"{_ARC}privatelinkscope", _nothing),),
    "new-azconnectedkubernetes": ((_CLUSTER, _cluster), (PROXY, _proxy)),
    "set-azconnectedkubernetes": ((_CLUSTER, _cluster), (PROXY, _proxy)),
}


#: The type that a call makes, its properties, and the call's name for messages.
Row = tuple[str, Value, str]


def az_rows(words: tuple[str, ...]) -> list[Row]:
    """What a call of `az` with these words makes."""
    groups, arguments = groups_of(words), _Arguments(words)
    rows = [(token, body(arguments), name) for pattern, token, body, name in _AZ_PATTERNS if pattern.match(groups)]
    return [*rows, *_generic(groups, arguments)]


def cmdlet_rows(program: str, words: tuple[str, ...]) -> list[Row]:
    """What a cmdlet of PowerShell, or a program that sends a request, makes."""
    arguments = _Arguments(words)
    if program in _CMDLETS:
        return [(token, body(arguments), program) for token, body in _CMDLETS[program]]
    return _addressed(program, arguments) if program in _GENERIC_CMDLETS | _REQUESTERS else []


def template_file(program: str, words: tuple[str, ...]) -> Value:
    """The template that a call deploys: "" where it lies elsewhere, None where it is no such call."""
    if program == "az":
        if not _FROM_TEMPLATE.match(groups_of(words)):
            return None
        return _Arguments(words).value(*_TEMPLATE_OPTIONS) or ""
    return (_Arguments(words).parameter("TemplateFile") or "") if _DEPLOYING.fullmatch(program) else None


def script_text(words: tuple[str, ...]) -> str:
    """The script that a call of `az` has another machine run; "" where it has none, or one that lies elsewhere."""
    options = _SCRIPTS.get(groups_of(words), ())
    texts = _Arguments(words).values(*((option, option) for option in options))
    return "\n".join(text for text in texts if isinstance(text, str) and text[:1] != "@")


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


def _generic(groups: str, args: _Arguments) -> list[Row]:
    """`az resource create` and `az rest` of a type that an id or an address tells."""
    if groups in {"resource create", "resource update", "resource patch"}:
        kind = args.value(("--resource-type", "--resource-t"))
        namespace = args.value(("--namespace", "--names"))
        parent = args.value(("--parent", "--par"))
        identity = args.value(("--id", "--id"), ("--ids", "--ids"))
        if isinstance(kind, str):
            kind = arm_type_of_parts(_text(namespace), _text(parent), kind)
        elif isinstance(identity, str):
            kind = arm_type_of_id(identity)
        last = identity if identity is not None else args.value(*_NAME)
    elif groups == "rest":
        method = args.value(("--method", "--m"), ("-m", "-m"))
        last = args.value(("--url", "--url"), ("--uri", "--uri"), ("-u", "-u"))
        parent, kind = None, arm_type_of_id(_text(last)) if _text(method).lower() in _WRITES else None
    else:
        return []
    given = args.value(("--properties", "--prop"), ("-p", "-p"), ("--body", "--b"), ("-b", "-b"))
    set_by_path: dict[str, Value] = {
        name.removeprefix("properties."): value for name, value in args.settings("properties.").items() if name
    }
    return _arm_row(kind, last, parent, set_by_path or given, f"az {groups}")


_WRITES = frozenset({"put", "patch"})


def _addressed(program: str, args: _Arguments) -> list[Row]:
    """PowerShell's generic cmdlets, and programs that send requests to Azure's own address."""
    if program.endswith("azresource"):
        kind, last = args.parameter("ResourceType"), args.parameter("ResourceName") or args.parameter("Name")
        identity = args.parameter("ResourceId")
        kind = arm_type_of_id(identity) if kind is None and isinstance(identity, str) else kind
        given = args.parameter("PropertyObject") or args.parameter("Properties")
        return _arm_row(kind, last or identity, args.parameter("ParentResource"), given, program)
    method = _given(args.value(("--request", "--req")), args.value(("--method", "--met")), args.parameter("Method"))
    if _text(method or _attached_method(args.words)).lower() not in _WRITES:
        return []
    address = next((word for word in args.words if "/providers/" in word.lower()), "")
    body = args.value(("--data", "--da"), ("-d", "-d"), ("--data-raw", "--data-r"), ("--json", "--json"))
    given = _given(body, args.parameter("Payload"), args.parameter("Body"))
    return _arm_row(arm_type_of_id(address), address, None, given, program)


def _attached_method(words: tuple[str, ...]) -> str:
    """The method that `curl` is given as `-X PUT`, `-XPUT` or `-sX PUT`."""
    for word, following in pairwise((*words, "")):
        given = re.fullmatch(r"-[a-zA-Z]*X(\w*)", word)
        if given:
            return given[1] or following
    return ""


def _arm_row(kind: Value, last: Value, parent: Value, given: Value, what: str) -> list[Row]:
    """A resource of an ARM type, its name the last part of an id or address, its properties as JSON text tells."""
    if not isinstance(kind, str) or not kind:
        return []
    name = last.partition("?")[0].rstrip("/").rpartition("/")[2] if isinstance(last, str) else last
    properties = from_json(given) if isinstance(given, str) and given[:1] not in {"", OPEN} else given
    if isinstance(properties, dict) and isinstance(properties.get("properties"), dict):
        properties = properties["properties"]
    body: Value = {"name": name, "parentResourcePath": parent, "properties": properties}
    return [(from_arm(kind), body, what)]


def _text(value: Value) -> str:
    return value if isinstance(value, str) else ""


def driver_rows(environment: Node) -> list[Row]:
    """The driver's own settings, as what each says of a proxy or of a cluster; a row's name is the variable."""
    url: dict[str, Value] = {
        "httpsUrl": environment.get("ARC_PROXY_HTTPS").value,
        "httpUrl": environment.get("ARC_PROXY_HTTP").value,
    }
    found: list[Row] = []
    for variable, token, name, known in (
        ("ARC_PROXY_CERTIFICATE", PROXY, "certificate", url),
        ("ARC_GENUINE_ROOTS", PROXY, "genuineRoots", url),
        ("ARC_ENABLE_PRIVATE_LINK", _CLUSTER, "privateLinkState", {}),
        ("ARC_PRIVATE_LINK_SCOPE_ID", _CLUSTER, "privateLinkScopeResourceId", {}),
    ):
        setting = environment.get(variable).value
        if setting is not None:
            found.append((token, {**known, name: setting}, variable))
    return found
