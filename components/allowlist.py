"""Which host names the enterprise proxy must let through, and which the gateway makes superfluous."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NotRequired, Optional, TypedDict

import pulumi

from arcgateway.allowlist import Allowlist, Cluster, State, build
from arcgateway.azure_firewall import COLLECTION, DEFAULT_PRIORITY, rule_collection_group
from arcgateway.ids import FirewallPolicyId
from arcgateway.times import moment, rfc3339

from .component import Component, without_none


class EndpointAllowlistArgs(TypedDict):
    gateway_endpoint: pulumi.Input[str]
    """Host name of the gateway."""
    regions: pulumi.Input[Sequence[pulumi.Input[str]]]
    """Azure regions of the clusters behind it, for example `eastus`."""
    scenarios: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Arc features in use, for example `container-insights`."""
    edition: NotRequired[pulumi.Input[str]]
    """The list as published for the `preview`, at general availability (`ga`), or `both` together (the default)."""
    vault: NotRequired[pulumi.Input[str]]
    """Name of the Key Vault that the scenario `key-vault` uses; any vault when not given."""
    endpoints_removable_at: NotRequired[pulumi.Input[dict[str, pulumi.Input[Sequence[pulumi.Input[str]]]]]]
    """For each region the outputs `endpoints_removable_at` of all its clusters, an empty one for a cluster that uses
    no gateway yet."""
    formats: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Forms in which `files` holds the names that must be open: `squid`, `edl`, `csv`, `plain`, `json`,
    `azure-firewall`, `networkpolicy`, `cilium`."""
    firewall_policy_id: NotRequired[pulumi.Input[str]]
    """ARM id of an Azure Firewall policy that gets a rule collection group with the names that must be open."""
    firewall_priority: NotRequired[pulumi.Input[int]]
    """Priority of that group and its collection, 100 to 65000; 300 when not given."""
    firewall_source_addresses: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Addresses and ranges of the clusters, whose traffic the rules let through; any when not given."""
    firewall_keeps_removable: NotRequired[pulumi.Input[bool]]
    """Whether the rules also hold what the gateway makes superfluous, as clusters need it until they are associated;
    false by default."""


class EndpointAllowlist(Component):
    """The allowlist of a gateway's clusters. `*.` stands for whatever is in front."""

    required: pulumi.Output[list[str]]
    """Host names that must be open, in alphabetical order."""
    removable: pulumi.Output[list[str]]
    """Host names that were needed without the gateway and may be closed an hour after the last association."""
    removable_at: pulumi.Output[dict[str, str]]
    """From when each of those may be closed (RFC 3339), where it is known and no cluster waits for its association."""
    kept: pulumi.Output[list[str]]
    """Host names that were needed without the gateway and stay open by caution, as no list says that they may go."""
    files: pulumi.Output[dict[str, str]]
    """The texts of the forms that were asked for, by form."""

    def __init__(self, name: str, args: EndpointAllowlistArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        args = without_none(args)
        super().__init__(name, args, opts)
        asked: list[Any] = [
            args["gateway_endpoint"],
            args["regions"],
            args.get("scenarios", []),
            args.get("edition", "both"),
            args.get("vault"),
        ]
        # What is open does not wait for the clusters, whose commands may wait for the firewall.
        whole = self._made("regions, scenarios, edition or vault", asked, _allowlist)
        timed = self._made("endpoints_removable_at", [*asked, args.get("endpoints_removable_at", {})], _allowlist)
        if args.get("firewall_policy_id") is not None:
            self._firewall(name, args, whole)
        self.register(
            required=whole.apply(lambda made: _hosts(made, "required")),
            removable=whole.apply(lambda made: _hosts(made, "removable")),
            removable_at=timed.apply(_times),
            kept=whole.apply(lambda made: _hosts(made, "kept")),
            files=self._made("formats", [whole, args.get("formats", [])], _files),
        )

    def _made(self, arguments: str, values: Sequence[Any], make: Callable[..., Any]) -> pulumi.Output[Any]:
        """What a function makes of some arguments, once all that is inside them is known."""
        return self.checked(arguments, pulumi.Output.all(*values), lambda known: make(*known))

    def _firewall(self, name: str, args: EndpointAllowlistArgs, whole: pulumi.Output[Allowlist]) -> None:
        from pulumi_azure_native import network  # few stacks need it, and it takes a second

        policy = self.checked("firewall_policy_id", args["firewall_policy_id"], FirewallPolicyId.parse)
        given = [
            whole,
            args.get("firewall_priority", DEFAULT_PRIORITY),
            args.get("firewall_source_addresses", ["*"]),
            args.get("firewall_keeps_removable", False),
        ]
        rules = self._made("firewall_priority", given, _rules)
        network.FirewallPolicyRuleCollectionGroup(
            f"{name}-firewall",
            resource_group_name=policy.apply(lambda known: known.resource_group),
            firewall_policy_name=policy.apply(lambda known: known.name),
            rule_collection_group_name=COLLECTION,
            priority=rules.apply(lambda made: made["priority"]),
            rule_collections=rules.apply(lambda made: made["ruleCollections"]),
            opts=self.child(),
        )


def _allowlist(
    gateway_endpoint: str,
    regions: Sequence[str],
    scenarios: Sequence[str],
    edition: Any,
    vault: Optional[str],
    times: Optional[Mapping[str, Sequence[Optional[str]]]] = None,
) -> Allowlist:
    if not gateway_endpoint:
        raise ValueError("there is no gateway_endpoint: the list is a gateway's")
    clusters = [
        Cluster(f"cluster {number} in {region}", region, moment(text) if text else None)
        for region, known in (times or {}).items()
        for number, text in enumerate(known, 1)
    ]
    return build(gateway_endpoint, regions, scenarios, edition, vault=vault, clusters=clusters)


def _hosts(made: Allowlist, state: State) -> list[str]:
    """Names alone: what must be open on one port is not offered for closing because of another."""
    found = {entry.endpoint.host for entry in made.of(state)}
    return sorted(found if state == "required" else found - {entry.endpoint.host for entry in made.of("required")})


def _times(made: Allowlist) -> dict[str, str]:
    offered = set(_hosts(made, "removable"))
    times = {entry.endpoint.host: rfc3339(entry.removable_at) for entry in made.of("removable")}
    return {host: when for host, when in sorted(times.items()) if when and host in offered}


def _files(made: Allowlist, formats: Sequence[str]) -> dict[str, str]:
    from arcgateway.allowlist_formats import Sheet, render

    sheet = Sheet(made.of("required"), made.heading)
    return {form: render(form, sheet) for form in formats}


def _rules(made: Allowlist, priority: float, sources: Sequence[str], keeps_removable: bool) -> dict[str, Any]:
    entries = made.entries if keeps_removable else made.of("required")
    # Numbers come as floating point ones from programs in other languages.
    return rule_collection_group(entries, int(priority), sources)
