"""What the driver is told, in environment variables: one setting each, so that a preview shows what changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar, cast

from arcgateway import connect_flags, endpoints, pod_names, trust
from arcgateway.errors import Failure
from arcgateway.ids import ConnectedClusterId, GatewayId
from arcgateway.proxy import ProxySettings, ProxyUrl, canonical
from arcgateway.results import Exemption, exemptions

T = TypeVar("T")

Preflight = Literal["require", "warn", "off"]
OnUnreachable = Literal["fail", "forget", "azure-only"]

#: Every setting, and whether it can hold a secret.
NAMES = {
    "ARC_SUBSCRIPTION_ID": False,
    "ARC_RESOURCE_GROUP": False,
    "ARC_CLUSTER_NAME": False,
    "ARC_LOCATION": False,
    "ARC_KUBE_CONTEXT": False,
    "ARC_GATEWAY_ID": False,
    "ARC_GATEWAY_ENDPOINT": False,
    "ARC_PROXY_HTTP": True,
    "ARC_PROXY_HTTPS": True,
    "ARC_PROXY_SKIP_RANGE": False,
    "ARC_PROXY_CERTIFICATE": False,
    "ARC_TAGS": False,
    **{flag.variable: False for flag in connect_flags.FLAGS},
    "ARC_CONFIGURATION_SETTINGS": False,
    "ARC_CONFIGURATION_PROTECTED_SETTINGS": True,
    "ARC_PREFLIGHT": False,
    "ARC_PREFLIGHT_EXCEPTIONS": False,
    "ARC_PREFLIGHT_IN_CLUSTER": False,
    "ARC_PREFLIGHT_IMAGE": False,
    "ARC_PREFLIGHT_NAMESPACE": False,
    "ARC_GENUINE_ROOTS": False,
    "ARC_SCENARIOS": False,
    "ARC_ON_UNREACHABLE": False,
    "ARC_DRIFT": False,
    "ARC_PAUSED": False,
}

#: Configuration settings that have inputs of their own.
_OWN_SETTINGS = (
    *(f"proxy.{name}" for name in ("https_proxy", "http_proxy", "no_proxy", "proxy_cert")),
    connect_flags.CONTAINER_LOG_SETTING,
)


@dataclass(frozen=True)
class DriverSettings:
    """The settings, checked. Empty or None where not set.

    Attributes:
        cluster: the connected cluster that a verb is about; None for `probe`.
        location: Azure region.
        kube_context: context of the kubeconfig; None for the current one.
        gateway: the gateway to associate with.
        gateway_endpoint: its host name.
        proxy: the agents' proxies; also those of `az` and of our own requests.
        tags: tags of the cluster's resource.
        flags: what flags of `az connectedk8s connect` are to say, by variable (`connect_flags.FLAGS`).
        configuration: plain configuration settings, by `FEATURE.SETTING`.
        protected: protected ones, likewise; secrets.
        preflight: whether a closed endpoint stops the run, is told, or is not looked for.
        exceptions: endpoints whose failure in the preflight counts for less.
        in_cluster: whether it is looked for from inside the cluster too, before its first write.
        in_cluster_image: the image of the pod that does; None for the default.
        in_cluster_namespace: the pod's namespace; None for the agents' or `default`.
        genuine_roots: PEM texts of roots that count as the endpoints' own.
        scenarios: Arc features in use.
        on_unreachable: what deleting does when the cluster is gone.
        drift: what the observer found to differ, in words.
        paused: the cluster is only looked at, whatever the verb.
    """

    cluster: ConnectedClusterId | None = None
    location: str = ""
    kube_context: str | None = None
    gateway: GatewayId | None = None
    gateway_endpoint: str | None = None
    proxy: ProxySettings = field(default_factory=ProxySettings)
    tags: Mapping[str, str] = field(default_factory=dict)
    flags: connect_flags.Values = field(default_factory=dict)
    configuration: Mapping[str, str] = field(default_factory=dict)
    protected: Mapping[str, str] = field(default_factory=dict, repr=False)
    preflight: Preflight = "require"
    exceptions: tuple[Exemption, ...] = ()
    in_cluster: bool = False
    in_cluster_image: str | None = None
    in_cluster_namespace: str | None = None
    genuine_roots: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    on_unreachable: OnUnreachable = "fail"
    drift: str = ""
    paused: bool = False


def read(env: Mapping[str, str], *, cluster_needed: bool) -> DriverSettings:
    """The settings in an environment.

    Raises:
        Failure: one or more are wrong; every one is named with its variable, none that holds a secret is quoted.
    """
    wrong: list[str] = []

    def get(name: str, parse: Callable[[str], T], default: T) -> T:
        text = env.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            wrong.append(f"{name}: {error}")
            return default

    def one_of(*allowed: str) -> Callable[[str], str]:
        def parse(text: str) -> str:
            if text not in allowed:
                raise ValueError(f"{text!r} is none of {', '.join(allowed)}")
            return text

        return parse

    cluster = _cluster(env, wrong) if cluster_needed else None
    none: None = None
    settings = DriverSettings(
        cluster=cluster,
        location=get("ARC_LOCATION", endpoints.region_name, ""),
        kube_context=env.get("ARC_KUBE_CONTEXT") or None,
        gateway=get("ARC_GATEWAY_ID", GatewayId.parse, cast("GatewayId | None", none)),
        gateway_endpoint=get("ARC_GATEWAY_ENDPOINT", endpoints.host_of, cast("str | None", none)),
        proxy=ProxySettings(
            https=get("ARC_PROXY_HTTPS", ProxyUrl.parse, cast("ProxyUrl | None", none)),
            http=get("ARC_PROXY_HTTP", ProxyUrl.parse, cast("ProxyUrl | None", none)),
            skip=get("ARC_PROXY_SKIP_RANGE", canonical, ()),
            certificate=get("ARC_PROXY_CERTIFICATE", _pem, cast("str | None", none)),
        ),
        tags=get("ARC_TAGS", _texts, cast("Mapping[str, str]", {})),
        flags={
            flag.variable: value for flag in connect_flags.FLAGS if (value := get(flag.variable, flag.read, "")) != ""
        },
        configuration=get("ARC_CONFIGURATION_SETTINGS", _configuration, cast("Mapping[str, str]", {})),
        protected=get("ARC_CONFIGURATION_PROTECTED_SETTINGS", _configuration, cast("Mapping[str, str]", {})),
        preflight=cast(Preflight, get("ARC_PREFLIGHT", one_of("require", "warn", "off"), "require")),
        exceptions=get("ARC_PREFLIGHT_EXCEPTIONS", _exceptions, ()),
        in_cluster=get("ARC_PREFLIGHT_IN_CLUSTER", connect_flags.boolean, "false") == "true",
        in_cluster_image=get("ARC_PREFLIGHT_IMAGE", pod_names.image, cast("str | None", none)),
        in_cluster_namespace=get("ARC_PREFLIGHT_NAMESPACE", pod_names.name, cast("str | None", none)),
        genuine_roots=get("ARC_GENUINE_ROOTS", lambda text: (_pem(text),), cast("tuple[str, ...]", ())),
        scenarios=get("ARC_SCENARIOS", _scenarios, ()),
        on_unreachable=cast(OnUnreachable, get("ARC_ON_UNREACHABLE", one_of("fail", "forget", "azure-only"), "fail")),
        drift=env.get("ARC_DRIFT", ""),
        paused=get("ARC_PAUSED", connect_flags.boolean, "false") == "true",
    )
    wrong += connect_flags.contradictions(settings.flags, gateway=settings.gateway is not None)
    if settings.gateway and "Arc" in settings.proxy.skip:
        wrong.append("ARC_PROXY_SKIP_RANGE: 'Arc' sends the agents' traffic round the gateway: leave it out")
    if wrong:
        raise Failure("the settings are wrong; " + "; ".join(wrong), "mend them in the stack's configuration")
    return settings


def _cluster(env: Mapping[str, str], wrong: list[str]) -> ConnectedClusterId | None:
    names = ("ARC_SUBSCRIPTION_ID", "ARC_RESOURCE_GROUP", "ARC_CLUSTER_NAME")
    missing = [name for name in names if not env.get(name, "").strip()]
    if missing:
        wrong.append(f"{', '.join(missing)}: not set")
        return None
    try:
        return ConnectedClusterId.parse(str(ConnectedClusterId(*(env[name].strip() for name in names))))
    except ValueError as error:
        wrong.append(f"{', '.join(names)}: {error}")
        return None


def _pem(text: str) -> str:
    trust.certificates(text)
    return text


def _scenarios(text: str) -> tuple[str, ...]:
    chosen = tuple(sorted({part.strip() for part in text.split(",") if part.strip()}))
    unknown = sorted(set(chosen) - set(endpoints.scenarios()))
    if unknown:
        raise ValueError(f"unknown scenario {', '.join(unknown)}: give any of {', '.join(endpoints.scenarios())}")
    return chosen


def _exceptions(text: str) -> tuple[Exemption, ...]:
    try:
        given = json.loads(text)
    except ValueError:
        raise ValueError("no JSON object of exceptions") from None
    return exemptions(given)


def _texts(text: str) -> Mapping[str, str]:
    try:
        texts = json.loads(text)
    except ValueError:
        raise ValueError("no JSON object of texts") from None
    if not isinstance(texts, dict) or not all(isinstance(value, str) for value in texts.values()):
        raise ValueError("no JSON object of texts")
    return texts


def _configuration(text: str) -> Mapping[str, str]:
    """Settings by `FEATURE.SETTING`, from `{"FEATURE": {"SETTING": "VALUE"}}`. No message quotes a value."""
    try:
        features = json.loads(text)
        settings = {(feature, name): value for feature, given in features.items() for name, value in given.items()}
    except (ValueError, AttributeError):
        raise ValueError("no JSON object of features, each an object of texts") from None
    for (feature, name), value in settings.items():
        if not isinstance(value, str):
            raise ValueError(f"{feature}.{name} is no text")
        if not all(part and not set(part) & set(".=@ ") for part in (feature, name)):
            raise ValueError(f"{feature!r}, {name!r} cannot be told to the client: neither may hold . = @ or a blank")
        if f"{feature}.{name}" in _OWN_SETTINGS:
            raise ValueError(f"{feature}.{name} has an input of its own, which is to be used")
    return {f"{feature}.{name}": value for (feature, name), value in settings.items()}
