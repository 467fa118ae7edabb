"""The enterprise proxy between clusters and the gateway, and the probe of it."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, Optional, TypedDict

import pulumi

from arcgateway import proxy as rules
from arcgateway.trust import pem

from .component import ArgumentError, Component, derived, without_none
from .driver import Report, Verbs, drive

#: Whose endpoints are looked at where nothing says in which region the clusters are.
DEFAULT_REGION = "eastus"


class ProxySettingsArgs(TypedDict):
    https_url: NotRequired[pulumi.Input[str]]
    """URL of the proxy for HTTPS traffic, with scheme, host and port; the HTTP one serves both when not given."""
    http_url: NotRequired[pulumi.Input[str]]
    """URL of the proxy for HTTP traffic; the HTTPS one serves both when not given."""
    username: NotRequired[pulumi.Input[str]]
    """Who the proxy is asked as, for URLs that hold no credentials; as it is, not percent-encoded."""
    password: NotRequired[pulumi.Input[str]]
    """The password of `username`, as it is, not percent-encoded; kept as a secret whatever it comes as."""
    skip_range: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """What bypasses the proxy: the clusters' service CIDRs, host names and `.suffix` names. Completed with the names
    that in-cluster traffic needs, put in a canonical order, without duplicates."""
    certificate: NotRequired[pulumi.Input[str]]
    """The root that signed the proxy's own certificate, for a proxy that speaks TLS: PEM text, or the path of a file
    with it, relative to the project."""
    terminates_tls: NotRequired[pulumi.Input[bool]]
    """Whether the proxy opens and re-signs TLS. Said plainly so that the policy pack can refuse it."""
    preflight: NotRequired[str]
    """`require` (the default) stops at an endpoint that is closed or intercepted, `warn` says so, `off` looks not."""
    preflight_exceptions: NotRequired[pulumi.Input[dict[str, pulumi.Input[dict[str, pulumi.Input[str]]]]]]
    """Endpoints that are let off, by host name or pattern with a leading `*.`: each with its `reason`, and `counts`,
    which is `warn` (the default) or `ignore`."""
    genuine_roots: NotRequired[pulumi.Input[str]]
    """PEM text of private roots that count as the endpoints' own; for sandboxes and private tests."""
    region: NotRequired[pulumi.Input[str]]
    """Azure region whose endpoints are probed; `eastus` when not given."""
    scenarios: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Arc features whose endpoints are probed besides, for example `container-insights`."""


class ProxySettings(Component):
    """Settings of one enterprise proxy, in the canonical form that clusters get, probed whenever they change."""

    https_url: pulumi.Output[str]
    """URL for HTTPS traffic; secret where it holds credentials."""
    http_url: pulumi.Output[str]
    """URL for HTTP traffic; secret where it holds credentials."""
    skip_range: pulumi.Output[list[str]]
    """What bypasses the proxy, complete and in canonical order."""
    certificate: pulumi.Output[Optional[str]]
    """PEM text of the proxy's root, if any."""
    environment: pulumi.Output[dict[str, str]]
    """`HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` for commands on the deployment machine; secret where the URLs hold
    credentials."""
    verdict: pulumi.Output[str]
    """What the last probe found: `pass`, `warn`, or `off` where none is made."""

    def __init__(self, name: str, args: ProxySettingsArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        args = without_none(args)
        super().__init__(name, _recorded(args), opts)
        https_url, http_url = self._url(args, "https_url", "http_url"), self._url(args, "http_url", "https_url")
        skip_range = self.checked("skip_range", args.get("skip_range", []), lambda given: list(rules.complete(given)))
        certificate = self.checked("certificate", args["certificate"], pem) if "certificate" in args else None
        mode = args.get("preflight", "require")
        verdict: pulumi.Output[str] = pulumi.Output.from_input("off")
        if mode != "off":
            environment = {
                "ARC_PROXY_HTTPS": https_url,
                "ARC_PROXY_HTTP": http_url,
                "ARC_PROXY_SKIP_RANGE": skip_range.apply(rules.no_proxy),
                "ARC_PROXY_CERTIFICATE": certificate,
                "ARC_LOCATION": args.get("region", DEFAULT_REGION),
                "ARC_SCENARIOS": joined(args.get("scenarios")),
                "ARC_PREFLIGHT": mode,
                "ARC_PREFLIGHT_EXCEPTIONS": as_json(args.get("preflight_exceptions")),
                "ARC_GENUINE_ROOTS": args.get("genuine_roots"),
            }
            given = {variable: value for variable, value in environment.items() if value is not None}
            verdict = Report(drive(self, name, Verbs("probe"), environment=given))["verdict"]
        self.register(
            https_url=https_url,
            http_url=http_url,
            skip_range=skip_range,
            certificate=pulumi.Output.from_input(certificate),
            environment=pulumi.Output.all(https_url, http_url, skip_range).apply(lambda known: _environment(*known)),
            verdict=verdict,
        )

    def _url(self, args: ProxySettingsArgs, wanted: str, other: str) -> pulumi.Output[str]:
        """One URL in its canonical form, secret where it holds credentials, whatever it came as."""
        given: Mapping[str, Any] = args
        argument = wanted if wanted in given else other
        if argument not in given:
            raise ArgumentError(self, "https_url", "is missing: give the proxy's URL as https_url or http_url")
        parts = given[argument], given.get("username"), given.get("password")
        parsed = self.checked(argument, parts, lambda known: rules.proxy_url(*known))
        return parsed.apply(lambda proxy: with_credentials_secret(proxy.url))


def _recorded(args: ProxySettingsArgs) -> dict[str, Any]:
    """The arguments as they go into the state: credentials as secrets whatever they came as, and a skip range in an
    order of its own, so that another order is no change."""
    given: dict[str, Any] = dict(args)
    if "skip_range" in given:
        given["skip_range"] = pulumi.Output.from_input(given["skip_range"]).apply(lambda entries: sorted(set(entries)))
    if "password" in given:
        given["password"] = pulumi.Output.secret(given["password"])
    for url in {"https_url", "http_url"} & set(given):
        given[url] = with_credentials_secret(given[url])
    return given


def with_credentials_secret(url: Any) -> Any:
    """A proxy's URL, as a secret where it holds credentials, whatever it came as."""
    return derived(url, _secret_with_credentials)


def _secret_with_credentials(url: Optional[str]) -> Any:
    return pulumi.Output.secret(url) if "@" in (url or "") else url


def joined(values: Optional[pulumi.Input[Any]]) -> Optional[pulumi.Input[str]]:
    """A list as the driver takes it: comma separated; None where there is none."""
    return None if values is None else derived(values, ",".join)


def as_json(value: Optional[pulumi.Input[Any]]) -> Optional[pulumi.Input[str]]:
    """A value as the driver takes it: JSON; None where there is none."""
    return None if value is None else pulumi.Output.json_dumps(value, sort_keys=True)


def _environment(https_url: str, http_url: str, skip_range: list[str]) -> dict[str, str]:
    settings = rules.ProxySettings(
        rules.ProxyUrl.parse(https_url), rules.ProxyUrl.parse(http_url), skip=tuple(skip_range)
    )
    return {name: value for name, value in settings.environment({}).items() if name.isupper()}
