"""The stack's configuration, typed and checked as a whole before any resource is registered."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Optional, cast

import pulumi
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from arcgateway import endpoints
from arcgateway import proxy as rules

from .allowlist import EndpointAllowlistArgs
from .cluster import ConnectedClusterArgs, subscription_of
from .gateway import ArcGateway, ArcGatewayArgs
from .proxy import ProxySettings, ProxySettingsArgs

NAMESPACE = "arc-gateway"
PEM_MARK = "-----BEGIN CERTIFICATE-----"


class SettingsError(pulumi.RunError):
    """All that is wrong with the configuration, each with its key and the mend."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True, frozen=True)


class Gateway(_Model):
    """Key `gateway`: the one gateway of the stack."""

    name: str
    resource_group: str
    location: str
    allowed_features: list[str] = ["*"]
    tags: dict[str, str] = {}
    protect: bool = False


class Proxy(_Model):
    """One entry of `proxies`. `certificate` is a PEM text, or a file's path relative to the project."""

    https_url: str
    http_url: Optional[str] = None
    skip_range: list[str] = []
    certificate: Optional[str] = None
    terminates_tls: bool = False

    @field_validator("https_url", "http_url")
    @classmethod
    def _proxy_url(cls, url: Optional[str]) -> Optional[str]:
        if url is not None:
            rules.ProxyUrl.parse(url)
        return url

    @field_validator("skip_range")
    @classmethod
    def _skip_range(cls, entries: list[str]) -> list[str]:
        rules.canonical(entries)
        return entries

    @field_validator("certificate")
    @classmethod
    def _certificate(cls, value: Optional[str]) -> Optional[str]:
        return None if value is None else _pem(value)


class Cluster(_Model):
    """One entry of `clusters`, by default named after its key. `existing` means connected already."""

    name: Optional[str] = None
    existing: bool = False
    resource_group: str
    location: str
    subscription_id: Optional[str] = None
    kube_context: Optional[str] = None
    proxy: Optional[str] = None
    gateway: bool = True
    egress_policy: bool = False
    enable_private_link: bool = False
    distribution: Optional[str] = None
    infrastructure: Optional[str] = None
    tags: dict[str, str] = {}
    on_unreachable: Literal["fail", "forget", "azure-only"] = "fail"


class Allowlist(_Model):
    """Key `allowlist`: which Arc features the clusters use."""

    scenarios: list[str] = []

    @field_validator("scenarios")
    @classmethod
    def _known(cls, scenarios: list[str]) -> list[str]:
        known = endpoints.scenarios()
        if unknown := sorted(set(scenarios) - set(known)):
            raise ValueError(f"unknown {', '.join(unknown)}; known are {', '.join(known)}")
        return scenarios


class Preflight(_Model):
    """Key `preflight`. `genuineRoots` are PEM texts, or files' paths relative to the project."""

    mode: Literal["require", "warn", "off"] = "require"
    genuine_roots: list[str] = []

    @field_validator("genuine_roots")
    @classmethod
    def _roots(cls, roots: list[str]) -> list[str]:
        return [_pem(root) for root in roots]


class Settings(_Model):
    """The whole configuration in the namespace `arc-gateway:`."""

    gateway: Gateway
    proxies: dict[str, Proxy] = {}
    clusters: dict[str, Cluster] = {}
    allowlist: Allowlist = Allowlist()
    preflight: Preflight = Preflight()
    secret_keys: frozenset[str] = Field(default=frozenset(), exclude=True)


def load(config: pulumi.Config) -> Settings:
    """Read and check the stack's configuration.

    Raises:
        SettingsError: names every key that is wrong, and what to do about each.
    """
    found: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in _values(config).items():
        if key not in _KEYS:
            problems.append(f"{key}: there is no such key; known are {', '.join(_KEYS)}")
            continue
        try:
            found[key] = json.loads(value)
        except ValueError:
            problems.append(f"{key}: has to be a map of settings: write it indented below the key")
    try:
        settings = Settings(**found, secret_keys=frozenset(key for key in found if _is_secret(key)))
    except ValidationError as error:
        missing = [problem.split(":", 1)[0] for problem in problems]
        problems += [_problem(detail) for detail in error.errors() if str(detail["loc"][0]) not in missing]
    else:
        problems += _contradictions(settings)
    if problems:
        lines = "".join(f"\n  {NAMESPACE}:{problem}" for problem in problems)
        raise SettingsError(f"the configuration of this stack cannot be used, and nothing was changed:{lines}")
    return settings


_KEYS = ("gateway", "proxies", "clusters", "allowlist", "preflight")


def _values(config: pulumi.Config) -> dict[str, str]:
    """All keys in the namespace, known or not, as the engine hands them over."""
    prefix = f"{config.name}:"
    everything = cast(Mapping[str, str], pulumi.runtime.config.CONFIG.get())
    return {key.removeprefix(prefix): value for key, value in everything.items() if key.startswith(prefix)}


def _is_secret(key: str) -> bool:
    return bool(pulumi.runtime.config.is_config_secret(f"{NAMESPACE}:{key}"))


def _problem(detail: Mapping[str, Any]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]).lstrip(".")
    meaning = {
        "missing": "is missing: add it",
        "extra_forbidden": "is not a setting: remove it, or mend its spelling",
    }.get(detail["type"])
    said = str(detail["msg"]).removeprefix("Value error, ")
    return f"{path}: {meaning or said}"


def _contradictions(settings: Settings) -> list[str]:
    known = ", ".join(settings.proxies) or "none"
    return [
        f"clusters.{name}.proxy: there is no proxy {cluster.proxy!r}; known are {known}"
        for name, cluster in settings.clusters.items()
        if cluster.proxy is not None and cluster.proxy not in settings.proxies
    ]


def _pem(value: str) -> str:
    if PEM_MARK in value:
        return value
    try:
        text = Path(value).read_text()
    except OSError as error:
        raise ValueError(f"is no PEM text, and no file that can be read ({error.strerror}: {value[:80]})") from None
    if PEM_MARK not in text:
        raise ValueError(f"file {value} holds no PEM certificate")
    return text


def gateway_args(settings: Settings) -> ArcGatewayArgs:
    """Arguments of the stack's gateway."""
    gateway = settings.gateway
    return {
        "gateway_name": gateway.name,
        "resource_group_name": gateway.resource_group,
        "location": gateway.location,
        "allowed_features": list(gateway.allowed_features),
        "tags": dict(gateway.tags),
        "protect": gateway.protect,
    }


def proxy_args(settings: Settings, name: str) -> ProxySettingsArgs:
    """Arguments of one proxy. All of it is secret where the configuration's key is."""
    proxy = settings.proxies[name]
    args: ProxySettingsArgs = {
        "https_url": proxy.https_url,
        "http_url": proxy.http_url or proxy.https_url,
        "skip_range": list(proxy.skip_range),
        "terminates_tls": proxy.terminates_tls,
        "preflight": settings.preflight.mode,
        "scenarios": list(settings.allowlist.scenarios),
        "region": settings.gateway.location,
    }
    if "proxies" in settings.secret_keys:
        args["https_url"] = pulumi.Output.secret(args["https_url"])
        args["http_url"] = pulumi.Output.secret(args["http_url"])
    if proxy.certificate is not None:
        args["certificate"] = proxy.certificate
    if settings.preflight.genuine_roots:
        args["genuine_roots"] = _roots(settings)
    return args


def cluster_args(
    settings: Settings, name: str, gateway: ArcGateway, proxies: Mapping[str, ProxySettings]
) -> ConnectedClusterArgs:
    """Arguments of one cluster; those of an existing one are a part of these."""
    cluster = settings.clusters[name]
    args: ConnectedClusterArgs = {
        "cluster_name": cluster.name or name,
        "resource_group_name": cluster.resource_group,
        "location": cluster.location,
        "preflight": settings.preflight.mode,
        "scenarios": list(settings.allowlist.scenarios),
        "on_unreachable": cluster.on_unreachable,
        "egress_policy": cluster.egress_policy,
        "subscription_id": cluster.subscription_id or gateway.id.apply(subscription_of),
    }
    if cluster.gateway:
        args["gateway_id"], args["gateway_endpoint"] = gateway.id, gateway.endpoint
    if cluster.proxy is not None:
        proxy = proxies[cluster.proxy]
        args["proxy_https"], args["proxy_http"] = proxy.https_url, proxy.http_url
        args["proxy_skip_range"] = proxy.skip_range
        if settings.proxies[cluster.proxy].certificate is not None:
            args["proxy_certificate"] = cast(pulumi.Output[str], proxy.certificate)
    if settings.preflight.genuine_roots:
        args["genuine_roots"] = _roots(settings)
    if cluster.kube_context is not None:
        args["kube_context"] = cluster.kube_context
    if cluster.distribution is not None:
        args["distribution"] = cluster.distribution
    if cluster.infrastructure is not None:
        args["infrastructure"] = cluster.infrastructure
    if cluster.tags:
        args["tags"] = dict(cluster.tags)
    if cluster.enable_private_link:
        args["enable_private_link"] = True
    return args


def allowlist_args(settings: Settings, gateway: ArcGateway) -> EndpointAllowlistArgs:
    """Arguments of the allowlist of all the stack's clusters."""
    regions = {cluster.location for cluster in settings.clusters.values()} or {settings.gateway.location}
    return {
        "gateway_endpoint": gateway.endpoint,
        "regions": sorted(regions),
        "scenarios": list(settings.allowlist.scenarios),
    }


def _roots(settings: Settings) -> str:
    return "\n".join(root.strip() for root in settings.preflight.genuine_roots) + "\n"
