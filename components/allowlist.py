"""Which host names the enterprise proxy must let through, and which the gateway makes superfluous."""

from collections.abc import Callable, Sequence
from typing import NotRequired, Optional, TypedDict

import pulumi

from arcgateway import endpoints

from .component import Component


class EndpointAllowlistArgs(TypedDict):
    gateway_endpoint: pulumi.Input[str]
    """Host name of the gateway."""
    regions: pulumi.Input[Sequence[pulumi.Input[str]]]
    """Azure regions of the clusters behind it, for example `eastus`."""
    scenarios: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Arc features in use, for example `container-insights`."""


class EndpointAllowlist(Component):
    """The allowlist of a gateway's clusters. `*.` stands for any one label."""

    required: pulumi.Output[list[str]]
    """Host names that must be open, in alphabetical order."""
    removable: pulumi.Output[list[str]]
    """Host names that were needed without the gateway and may be closed an hour after the last association."""

    def __init__(self, name: str, args: EndpointAllowlistArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        super().__init__(name, args, opts)
        asked = pulumi.Output.all(args["gateway_endpoint"], args["regions"], args.get("scenarios", []))
        self.register(
            required=asked.apply(lambda a: _hosts(endpoints.required, *a)),
            removable=asked.apply(
                lambda a: sorted(set(_hosts(endpoints.removable, *a)) - set(_hosts(endpoints.required, *a)))
            ),
        )


def _hosts(
    select: Callable[..., tuple[endpoints.Endpoint, ...]],
    gateway_endpoint: str,
    regions: list[str],
    scenarios: list[str],
) -> list[str]:
    found = {row.host for region in regions for row in select(gateway_endpoint, region, scenarios)}
    return sorted(found)
