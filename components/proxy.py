"""The enterprise proxy between clusters and the gateway, and the probe of it."""

from typing import Any, NotRequired, Optional, TypedDict

import pulumi

from arcgateway import proxy as rules

from .component import Component
from .driver import Verbs, drive, result


class ProxySettingsArgs(TypedDict):
    https_url: pulumi.Input[str]
    """URL of the proxy for HTTPS traffic, with scheme, host and port; credentials only as a secret."""
    http_url: NotRequired[pulumi.Input[str]]
    """URL of the proxy for HTTP traffic; the HTTPS one serves both when not given."""
    skip_range: NotRequired[pulumi.Input[list[str]]]
    """What bypasses the proxy: the clusters' service CIDRs, host names and `.suffix` names. Completed with the names
    that in-cluster traffic needs, put in a canonical order, without duplicates."""
    certificate: NotRequired[pulumi.Input[str]]
    """PEM text of the root that signed the proxy's own certificate, for a proxy that speaks TLS."""
    terminates_tls: NotRequired[pulumi.Input[bool]]
    """Whether the proxy opens and re-signs TLS. Said plainly so that the policy pack can refuse it."""
    preflight: NotRequired[str]
    """`require` (the default) stops at an endpoint that is closed or intercepted, `warn` says so, `off` looks not."""
    genuine_roots: NotRequired[pulumi.Input[str]]
    """PEM text of private roots that count as the endpoints' own; for sandboxes and private tests."""
    region: NotRequired[pulumi.Input[str]]
    """Azure region whose endpoints are probed; `eastus` when not given."""
    scenarios: NotRequired[pulumi.Input[list[str]]]
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
    verdict: pulumi.Output[str]
    """What the last probe found: `pass`, `warn`, or `off` where none is made."""

    def __init__(self, name: str, args: ProxySettingsArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        super().__init__(name, args, opts)
        https_url = pulumi.Output.from_input(args["https_url"]).apply(_canonical_url)
        http_url = pulumi.Output.from_input(args.get("http_url", args["https_url"])).apply(_canonical_url)
        skip_range = pulumi.Output.from_input(args.get("skip_range", [])).apply(
            lambda entries: list(rules.complete(entries))
        )
        certificate = args.get("certificate")
        mode = args.get("preflight", "require")
        verdict: pulumi.Output[str] = pulumi.Output.from_input("off")
        if mode != "off":
            probe = drive(
                name,
                Verbs("probe"),
                {
                    "ARC_PROXY_HTTPS": https_url,
                    "ARC_PROXY_HTTP": http_url,
                    "ARC_PROXY_SKIP_RANGE": skip_range.apply(rules.no_proxy),
                    "ARC_PROXY_CERTIFICATE": certificate,
                    "ARC_LOCATION": args.get("region"),
                    "ARC_SCENARIOS": joined(args.get("scenarios")),
                    "ARC_PREFLIGHT": mode,
                    "ARC_GENUINE_ROOTS": args.get("genuine_roots"),
                },
                opts=self.child(),
            )
            verdict = result(probe, "verdict")
        self.register(
            https_url=https_url,
            http_url=http_url,
            skip_range=skip_range,
            certificate=pulumi.Output.from_input(certificate),
            verdict=verdict,
        )


def joined(values: Optional[pulumi.Input[Any]]) -> Optional[pulumi.Output[str]]:
    """A list as the driver takes it: comma separated; None where there is none."""
    return None if values is None else pulumi.Output.from_input(values).apply(",".join)


def _canonical_url(url: str) -> Any:
    """The URL in its canonical form, secret where it holds credentials, whatever it came as."""
    parsed = rules.ProxyUrl.parse(url)
    return parsed.url if parsed.username is None else pulumi.Output.secret(parsed.url)
