"""What a stack's configuration may say, as models, and what is said of what it may not.

Fields of one name with an argument of a component mean what that argument means, and are passed on under that name
(`components/arguments.py`); `components/stack_schema.py` takes their descriptions from there. A fleet's file holds the
same models (`arcgateway/fleet/description.py`).
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from arcgateway import endpoints, pod_names
from arcgateway import proxy as rules
from arcgateway.azure_firewall import PRIORITIES
from arcgateway.ids import ConnectedClusterId, FirewallPolicyId, GatewayId, cluster_of_entry, subscription_in
from arcgateway.trust import pem

NAMESPACE = "arc-gateway"


def accepted_by(read: Callable[[Any], Any]) -> AfterValidator:
    """For a value that `read` takes; it stays as it was written."""

    def check(value: Any) -> Any:
        read(value)
        return value

    return AfterValidator(check)


def _known_scenarios(given: list[str]) -> None:
    known = endpoints.scenarios()
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"unknown {', '.join(unknown)}; known are {', '.join(known)}")


def _host_names(given: Mapping[str, Any]) -> None:
    for host in given:
        endpoints.host_name(host.removeprefix("*."))


def _known_formats(given: list[str]) -> None:
    from arcgateway.allowlist_formats import FORMS

    if unknown := sorted(set(given) - set(FORMS)):
        raise ValueError(f"unknown {', '.join(unknown)}; known are {', '.join(FORMS)}")


def _firewall_policy(given: str | None) -> None:
    if given is not None:
        FirewallPolicyId.parse(given)


#: A value that the stack's file may hold encrypted, as `pulumi config set --secret` leaves it.
_SECURE = {"type": "object", "properties": {"secure": {"type": "string"}}, "required": ["secure"]}
_SECRET = WithJsonSchema({"anyOf": [{"type": "string"}, _SECURE]})

_ProxyUrl = Annotated[str, accepted_by(rules.ProxyUrl.parse), _SECRET]
_Credential = Annotated[str, _SECRET]
_Pem = Annotated[str, AfterValidator(pem)]

#: Patterns of texts, and in words what has their form.
_GUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_STACK = r"^[-\w.]+/[-\w.]+/[-\w.]+$"
_GROUP = r"^[-\w.()]{0,89}[-\w()]$"
_GATEWAY = f"^{GatewayId.name_pattern}$"
_CLUSTER = f"^{ConnectedClusterId.name_pattern}$"
_SAID = r"\S"
_FORMS_OF_TEXT = {
    _GUID: "a GUID: 8, 4, 4, 4 and 12 hexadecimal digits between hyphens",
    _STACK: "the full name of a stack: ORGANIZATION/PROJECT/STACK",
    _GROUP: "the name of a resource group: letters, digits, -, _, ., ( and ), at most 90, no . at the end",
    _GATEWAY: "the name of a gateway: letters, digits, -, _ and ., at most 63",
    _CLUSTER: "the name of a connected cluster: letters, digits, -, _ and ., at most 63, a letter or digit first",
    _SAID: "a text that says something",
}

Guid = Annotated[str, Field(pattern=_GUID)]
_Text = Annotated[str, Field(min_length=1)]
_Region = Annotated[_Text, accepted_by(endpoints.region_name)]
_Group = Annotated[str, Field(pattern=_GROUP)]
_ClusterName = Annotated[str, Field(pattern=_CLUSTER)]
_Seconds = Annotated[int, Field(gt=0)]
#: YAML reads the first two as booleans where they have no quotes.
_HybridBenefit = Annotated[
    Literal["True", "False", "NotApplicable"],
    BeforeValidator(lambda value: str(value) if isinstance(value, bool) else value),
]


class Model(BaseModel):
    """A map of settings; the configuration writes its keys in camelCase."""

    # Nested models are built once, as parts of the whole: half the time at each start of the program.
    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, populate_by_name=False, frozen=True, defer_build=True
    )

    noun: ClassVar[str]


class OwnGateway(Model):
    """A gateway of the stack's own."""

    noun = "a gateway of the stack's own"

    name: Annotated[str, Field(pattern=_GATEWAY)]
    """Name of the gateway in Azure."""
    resource_group: _Group
    """Name of the resource group that holds the gateway."""
    create_resource_group: bool = False
    location: _Region
    gateway_type: Literal["Public"] = "Public"
    allowed_features: list[str] = ["*"]
    tags: dict[str, str] = {}
    protect: bool = False


class ExistingGateway(Model):
    """A gateway that exists and is not the stack's: it is read, and neither changed nor deleted."""

    noun = "a gateway that is given by its id"

    id: Annotated[str, accepted_by(GatewayId.parse)]
    """ARM id of the gateway."""


class GatewayOfStack(Model):
    """The gateway of another stack, which has it as its output `gateway`, with its `id`."""

    noun = "a gateway that is given by its stack"

    stack: Annotated[str, Field(pattern=_STACK)]
    """Full name of the other stack: `ORGANIZATION/PROJECT/STACK`."""


class Proxy(Model):
    """One enterprise proxy."""

    noun = "a proxy"

    https_url: _ProxyUrl | None = None
    http_url: _ProxyUrl | None = None
    username: _Credential | None = None
    password: _Credential | None = None
    skip_range: Annotated[list[str], accepted_by(rules.canonical)] = []
    certificate: _Pem | None = None
    terminates_tls: bool = False


class _AnyCluster(Model):
    """What all clusters have in common."""

    enabled: bool = True
    proxy: str | None = None
    """Key in `proxies` of the proxy that the agents use; without it they use none."""
    gateway: bool = True
    """Whether the cluster uses the stack's gateway; true by default."""
    kube_context: _Text | None = None
    egress_policy: bool = False
    on_unreachable: Literal["fail", "forget", "azure-only"] = "fail"
    distribution: _Text | None = None
    distribution_version: _Text | None = None
    azure_hybrid_benefit: _HybridBenefit | None = None
    disable_auto_upgrade: bool | None = None
    container_log_path: _Text | None = None
    enable_oidc_issuer: bool | None = None
    self_hosted_issuer: _Text | None = None
    enable_workload_identity: bool | None = None
    configuration_settings: dict[str, dict[str, str]] | None = None
    configuration_protected_settings: dict[str, dict[str, _Credential]] | None = None


class OnboardedCluster(_AnyCluster):
    """A cluster that the stack onboards, and disconnects when it is removed."""

    noun = "a cluster to onboard"

    existing: Literal[False] = False
    """False: the stack connects the cluster."""
    name: _ClusterName | None = None
    """Name of the connected cluster in Azure; its key when not given."""
    resource_group: _Group
    """Name of the resource group that holds it."""
    location: _Region
    subscription_id: Guid | None = None
    tags: dict[str, str] = {}
    infrastructure: _Text | None = None
    custom_locations_oid: Guid | None = None
    onboarding_timeout: _Seconds | None = None
    enable_private_link: bool | None = None
    private_link_scope_id: _Text | None = None


class ExistingCluster(_AnyCluster):
    """A connected cluster that exists, by its name. Removing it disables the gateway; the cluster stays."""

    noun = "an existing cluster"

    existing: Literal[True]
    """True: the cluster is connected already."""
    name: _ClusterName | None = None
    """Name of the connected cluster in Azure; its key when not given."""
    resource_group: _Group
    """Name of the resource group that holds it."""
    location: _Region | None = None
    subscription_id: Guid | None = None


class ExistingClusterById(_AnyCluster):
    """A connected cluster that exists, by its id. Removing it disables the gateway; the cluster stays."""

    noun = "an existing cluster that is given by its id"

    existing: Literal[True] = True
    """True: the cluster is connected already."""
    cluster_id: Annotated[str, accepted_by(ConnectedClusterId.parse)]
    location: _Region | None = None


class Allowlist(Model):
    """What the clusters use of Azure Arc, which decides about endpoints."""

    noun = "the allowlist"

    scenarios: Annotated[list[str], accepted_by(_known_scenarios)] = []
    """Arc features in use, for example `container-insights`."""
    edition: Literal["preview", "ga", "both"] = "both"
    vault: _Text | None = None
    formats: Annotated[list[str], accepted_by(_known_formats)] = []
    firewall_policy_id: Annotated[str | None, accepted_by(_firewall_policy)] = None
    firewall_priority: Annotated[int, Field(ge=PRIORITIES[0], le=PRIORITIES[1])] | None = None
    firewall_source_addresses: list[str] | None = None
    firewall_keeps_removable: bool = False


class PreflightException(Model):
    """An endpoint that may be closed or intercepted all the same."""

    noun = "an exception"

    counts: Literal["warn", "ignore"] = "warn"
    """What its failure counts as: a warning, or nothing at all."""
    reason: Annotated[str, Field(pattern=_SAID)]
    """Why, for whoever reads it later."""


class Preflight(Model):
    """The look at the endpoints before anything is changed."""

    noun = "the preflight"

    mode: Literal["require", "warn", "off"] = "require"
    """What an endpoint that is closed or intercepted does to a change: stop it, be told, or not be looked at."""
    in_cluster: bool = False
    """Whether a pod of each cluster looks at the endpoints too, before the cluster's first change."""
    image: Annotated[str, accepted_by(pod_names.image)] | None = None
    """Image of that pod: any with Python 3.11 or later; Azure Linux's Python from mcr.microsoft.com by default."""
    namespace: Annotated[str, accepted_by(pod_names.name)] | None = None
    """Namespace of that pod; by default `azure-arc` where there is one, or else `default`."""
    genuine_roots: list[_Pem] = []
    """Private roots that count as the endpoints' own, as PEM texts or files' paths relative to the project; for
    sandboxes and private tests."""
    exceptions: Annotated[dict[str, PreflightException], accepted_by(_host_names)] = {}
    """Endpoints that are let off, by host name or pattern with a leading `*.`."""


def gateway_form(value: Any) -> str:
    """The tag of the form that a gateway's settings have."""
    given = value if isinstance(value, Mapping) else {}
    return next((form for form in ("id", "stack") if form in given), "own")


def cluster_form(value: Any) -> str:
    """The tag of the form that a cluster's settings have."""
    given = value if isinstance(value, Mapping) else {}
    if "clusterId" in given:
        return "by id"
    return "onboarded" if given.get("existing") in (None, False) else "existing"


# Each form of a gateway and of a cluster has a tag, which is told by the keys that are given.
Gateway = Annotated[
    Annotated[OwnGateway, Tag("own")] | Annotated[ExistingGateway, Tag("id")] | Annotated[GatewayOfStack, Tag("stack")],
    Discriminator(gateway_form),
]
Cluster = Annotated[
    Annotated[OnboardedCluster, Tag("onboarded")]
    | Annotated[ExistingCluster, Tag("existing")]
    | Annotated[ExistingClusterById, Tag("by id")],
    Discriminator(cluster_form),
]


class Settings(Model):
    """The whole configuration in the namespace `arc-gateway:`."""

    gateway: Gateway
    """The stack's one gateway: its own, or an existing one by `id`, or another stack's by `stack`."""
    proxies: dict[str, Proxy] = {}
    """Enterprise proxies by names of your choice."""
    clusters: dict[str, Cluster] = {}
    """Clusters by names of your choice, which are also their names in Azure where nothing else is said."""
    allowlist: Allowlist = Field(default_factory=Allowlist)
    """What the allowlist of the stack's outputs takes into account."""
    preflight: Preflight = Field(default_factory=Preflight)
    """How much the look at the endpoints decides."""
    drift: Literal["require", "warn", "off"] | None = None

    _secret_keys: frozenset[str] = PrivateAttr(frozenset())

    def with_secrets(self, keys: Collection[str]) -> Self:
        """The same settings, whose `keys` each hold a secret somewhere."""
        self._secret_keys = frozenset(keys)
        return self

    def is_secret(self, key: str) -> bool:
        """Whether the key holds a secret somewhere: Pulumi then hands all of it over as one."""
        return key in self._secret_keys


#: The keys of the namespace.
KEYS = tuple(Settings.model_fields)


#: What is said where a map of settings is wanted.
NO_MAP = "has to be a map of settings: write it indented below the key"

#: What is said where a value is wanted.
EMPTY = "is empty: give a value, or remove the key"

_MEANINGS = {
    "missing": "is missing: add it",
    "model_type": NO_MAP,
    "dict_type": "has to be a map: write it indented below the key",
    "list_type": "has to be a list: [one, other]",
    "string_type": "has to be a text: put it in quotes",
    "bool_parsing": "has to be true or false",
    "bool_type": "has to be true or false",
    "int_parsing": "has to be a whole number",
    "int_type": "has to be a whole number",
    "int_from_float": "has to be a whole number",
    "string_too_short": EMPTY,
}


def problem(detail: Any) -> tuple[str, str]:
    """Path and text of one of pydantic's errors in `Settings`; never with the value itself, which may be a secret."""
    at, owner = _without_form(detail["loc"])
    return path_text(at), meaning(detail, owner)


def path_text(at: Iterable[int | str]) -> str:
    """A path of keys as people write it: `clusters.east.tags`, `rings[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at).lstrip(".")


def meaning(detail: Any, owner: type[Model], known: Iterable[str] = ()) -> str:
    """What one of pydantic's errors says, and the mend; never with the value itself.

    Args:
        detail: the error.
        owner: the model that it is in.
        known: keys that may stand there besides the model's own.
    """
    if detail["type"] == "extra_forbidden":
        keys = [*known, *(str(field.alias) for field in owner.model_fields.values())]
        return f"is not a setting of {owner.noun}: {nearest(str(detail['loc'][-1]), keys)}"
    if detail["type"] == "string_type" and detail["input"] is None:
        return EMPTY
    if detail["type"] == "string_type" and isinstance(detail["input"], (list, Mapping)):
        return f"has to be one text, and not a {'list' if isinstance(detail['input'], list) else 'map'}"
    said = re.sub(r"^Value error, |^(Input|String|List|Dictionary) should", _words, str(detail["msg"]))
    if (pattern := detail.get("ctx", {}).get("pattern")) in _FORMS_OF_TEXT:
        return f"{said}: {_FORMS_OF_TEXT[pattern]}"
    return _MEANINGS.get(detail["type"], said)


def _words(found: re.Match[str]) -> str:
    return "" if found[1] is None else "has to"


def _forms(union: Any) -> Mapping[str, type[Model]]:
    """The models of a union of forms, by their tags."""
    return {tag.tag: model for model, tag in map(get_args, get_args(get_args(union)[0]))}


#: The model of what stands under each key, or its forms.
_OWNERS: Mapping[str, Mapping[str, type[Model]]] = {
    "gateway": _forms(Gateway),
    "clusters": _forms(Cluster),
    "proxies": {"": Proxy},
    "allowlist": {"": Allowlist},
    "preflight": {"": Preflight},
}


def _without_form(location: tuple[int | str, ...]) -> tuple[list[int | str], type[Model]]:
    """Where an error is, without the tag of a form that pydantic puts between, and the model that it is in."""
    parts = list(location)
    forms = _OWNERS.get(str(parts[0]), {"": Settings})
    at = 2 if parts[0] == "clusters" else 1
    if len(forms) > 1 and len(parts) > at:
        return parts[:at] + parts[at + 1 :], forms[str(parts[at])]
    if parts[:2] == ["preflight", "exceptions"] and len(parts) > 3:
        return parts, PreflightException
    return parts, next(iter(forms.values()))


def nearest(wrong: str, known: Iterable[str]) -> str:
    """What to write instead of a wrong word: the nearest known one, or any of them."""
    known = list(known)
    near = difflib.get_close_matches(wrong, known, n=1)
    return f"did you mean {near[0]}?" if near else f"remove it; known are {', '.join(known)}"


def contradictions(found: Mapping[str, Any], secret_keys: set[str]) -> Iterator[tuple[str, str]]:
    """What no single value shows. Looks at what was found, valid or not, so that all mistakes come at once."""
    proxies, clusters = _entries(found, "proxies"), _entries(found, "clusters")
    for name, proxy in proxies.items():
        yield from proxy_contradictions(f"proxies.{name}", proxy, secret="proxies" in secret_keys)
    for name, cluster in clusters.items():
        wanted = cluster.get("proxy")
        if isinstance(wanted, str) and wanted not in proxies:
            yield f"clusters.{name}.proxy", f"there is no proxy {wanted!r}; known are {', '.join(proxies) or 'none'}"
        if "configurationProtectedSettings" in cluster and "clusters" not in secret_keys:
            yield _in_plain_text(f"clusters.{name}.configurationProtectedSettings", ".SETTING.NAME")
        if cluster.get("clusterId", cluster.get("name")) is None and not re.fullmatch(_CLUSTER, name):
            yield f"clusters.{name}.name", f"is missing: without it the key has to be {_FORMS_OF_TEXT[_CLUSTER]}"
    yield from _shared_contexts(clusters)
    same = defaultdict[str, list[str]](list)
    given = found.get("gateway")
    gateway = str(given.get("id")) if isinstance(given, Mapping) else ""
    for name, cluster in clusters.items():
        if (identity := cluster_of_entry(name, cluster, subscription_in(gateway))) is not None:
            same[identity].append(name)
    for first, *others in same.values():
        for other in others:
            yield f"clusters.{other}", f"is the same cluster as clusters.{first}: remove one of the two"


def _shared_contexts(clusters: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Clusters that are reached as another one is: agents of one connected cluster alone run in a cluster."""
    first: dict[str, str] = {}
    for name, cluster in clusters.items():
        context = cluster.get("kubeContext")
        named = isinstance(context, str) and cluster.get("enabled") is not False
        if named and (other := first.setdefault(str(context), name)) != name:
            yield f"clusters.{name}.kubeContext", f"is that of clusters.{other}, which is another cluster: mend one"


def proxy_contradictions(path: str, proxy: Mapping[str, Any], *, secret: bool) -> Iterator[tuple[str, str]]:
    urls = {key: proxy[key] for key in ("httpsUrl", "httpUrl") if isinstance(proxy.get(key), str)}
    if proxy.get("httpsUrl") is None and proxy.get("httpUrl") is None:
        yield f"{path}.httpsUrl", "is missing: give the proxy's address here or in httpUrl"
    for key, url in urls.items():
        try:
            parsed = rules.ProxyUrl.parse(url)
        except ValueError:
            continue  # told already, by the field's own check
        if parsed.password is not None and not secret:
            yield _in_plain_text(f"{path}.{key}")
        try:
            rules.proxy_url(url, proxy.get("username"), proxy.get("password"))
        except ValueError as problem:
            yield f"{path}.{'username' if 'username' in proxy else 'password'}", str(problem)
    if "password" in proxy and not secret:
        yield _in_plain_text(f"{path}.password")


def _in_plain_text(path: str, rest: str = "") -> tuple[str, str]:
    command = f"pulumi config set --secret --path '{NAMESPACE}:{path}{rest}'"
    return path, f"is a secret in plain text: run `{command}`, which asks for it, and change it where it is used"


def _entries(found: Mapping[str, Any], key: str) -> dict[str, Mapping[str, Any]]:
    """The entries of a map that are maps themselves."""
    entries = found.get(key)
    if not isinstance(entries, Mapping):
        return {}
    return {str(name): entry for name, entry in entries.items() if isinstance(entry, Mapping)}
