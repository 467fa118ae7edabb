"""What would stop the first write of a run, looked for before it: providers, rights, tenant, region, gateway.

All looks go side by side, and all that they find is told in one message. What the caller may not look at stops
nothing: it is told, and the write will show. No setting turns this off: Azure refuses what is found here anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from arcgateway.arm import GATEWAYS, Arm, Refused
from arcgateway.association import Plan, Seen, Step
from arcgateway.azure_cli import Change
from arcgateway.connect_flags import CUSTOM_LOCATIONS_OID
from arcgateway.driver_settings import DriverSettings
from arcgateway.errors import Failure
from arcgateway.ids import ConnectedClusterId, GatewayId
from arcgateway.rights import (
    ASSOCIATE,
    CREATE_GROUP,
    DISCONNECT,
    ONBOARD,
    READ_GATEWAY,
    UPDATE,
    Right,
    missing,
    roles_for,
)

#: API versions of what the Resource Manager itself answers.
RESOURCES, SUBSCRIPTIONS, PERMISSIONS = "2022-09-01", "2022-12-01", "2022-04-01"

#: States of a provider with which Azure takes writes; `az connectedk8s` goes by the same.
REGISTERED = ("Registered", "Registering")

#: States that an operation leaves when it does not end well.
ENDED_BADLY = ("Failed", "Canceled")

#: What every connected cluster needs in its subscription (learn.microsoft.com/azure/azure-arc/kubernetes/
#: quickstart-connect-cluster). The first has the type, and so knows the regions.
CLUSTER_PROVIDERS = ("Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration")
CLUSTER_TYPE = "connectedClusters"
#: What a gateway needs, in its own subscription and in those of its clusters.
GATEWAY_PROVIDER = "Microsoft.HybridCompute"
#: What custom locations need; without it the client connects the cluster all the same and leaves them off.
CUSTOM_LOCATIONS_PROVIDER = "Microsoft.ExtendedLocation"

#: Rights at the cluster that steps other than updates need; one that is not here does nothing to Azure.
_OF_STEPS = {
    Step.CONNECT: ONBOARD,
    Step.DISCONNECT: DISCONNECT,
    Step.CLEAN_UP: DISCONNECT,
    Step.DELETE_RESOURCE: DISCONNECT,
}

_OWN_TENANT = "give the cluster a gateway of its own tenant; the gateway's subscription does not matter within it"


@dataclass(frozen=True)
class Doubt:
    """Something that could not be looked at, or that not all of the run needs, in words; it stops nothing."""

    text: str


Finding = Failure | Doubt


@dataclass(frozen=True)
class Look:
    """One look.

    Attributes:
        question: what it is to show, as the end of a sentence.
        take: asks Azure, and gives what it finds; a refusal that it does not catch becomes a doubt.
    """

    question: str
    take: Callable[[], Iterable[Finding]]

    def findings(self) -> list[Finding]:
        """What it finds."""
        try:
            return list(self.take())
        except Refused as refused:
            if refused.foreign:
                return [_other_tenant(refused)]
            return [refused if refused.transient else Doubt(f"{self.question} could not be seen: {refused.cause}")]
        except Failure as failure:
            return [failure]


def check(arm: Arm, wanted: DriverSettings, seen: Seen, steps: Plan, tell: Callable[[str], None]) -> str | None:
    """See that nothing known stands in the way of these steps.

    Args:
        arm: the Resource Manager, for the caller that is going to write.
        wanted: the settings of the run.
        seen: what Azure and the cluster hold.
        steps: what is about to be done.
        tell: takes a line for each doubt.

    Returns:
        The gateway's host name; None without a gateway in the settings.

    Raises:
        Failure: the one finding, or all of them in one; transient where all of them are.
    """
    looks = tuple(_looks(arm, wanted, seen, steps))
    with ThreadPoolExecutor(max_workers=len(looks) + 1) as pool:
        gateway = pool.submit(_endpoint, arm, wanted)
        findings = [finding for found in pool.map(Look.findings, looks) for finding in found]
    endpoint: str | None = None
    try:
        endpoint = gateway.result()
    except Failure as failure:
        findings.insert(0, failure)
    for finding in findings:
        if isinstance(finding, Doubt):
            tell(finding.text)
    failures = [finding for finding in findings if isinstance(finding, Failure)]
    if failures:
        raise together(failures)
    return endpoint


def together(failures: Sequence[Failure]) -> Failure:
    """One failure that tells them all; the failure itself where there is one."""
    if len(failures) == 1:
        return failures[0]
    return Failure(
        "; ".join(dict.fromkeys(failure.cause for failure in failures)),
        "; ".join(dict.fromkeys(failure.mend for failure in failures)),
        transient=all(failure.transient for failure in failures),
        retry_after=max((failure.retry_after for failure in failures if failure.retry_after), default=None),
    )


def _endpoint(arm: Arm, wanted: DriverSettings) -> str | None:
    """The gateway's host name.

    Raises:
        Failure: this cloud has no gateways, or there is no such gateway, or it is not ready, or the caller may not
            read it.
    """
    gateway = wanted.gateway
    if gateway is None:
        return None
    if not arm.cloud.public:
        raise Failure(f"{arm.cloud.name} has no Arc gateways", "use the public cloud, or no gateway")
    try:
        found = arm.get(str(gateway), GATEWAYS)
    except Refused as refused:
        if refused.foreign:
            raise _other_tenant(refused) from refused
        if refused.forbidden:
            lack = _lack((READ_GATEWAY,), str(gateway), arm.caller)
            # To who may not read it, Azure does not say whether it is there.
            raise Failure(f"{lack.cause}, if it is there at all", lack.mend) from refused
        raise
    if found is None:
        raise Failure(
            f"there is no gateway {gateway}",
            "create it first, or mend the gateway's id; the caller's login must see its subscription",
        )
    properties = found.get("properties") or {}
    state = properties.get("provisioningState") or "Succeeded"
    if state != "Succeeded":
        mend = (
            "see the cause in its activity log, and deploy the gateway again"
            if state in ENDED_BADLY
            else "wait until it is ready, and run again"
        )
        transient = state in ("Creating", "Accepted", "Updating")
        raise Failure(f"the gateway {gateway} is {state}", mend, transient=transient)
    return str(wanted.gateway_endpoint or properties.get("gatewayEndpoint") or "")


def _looks(arm: Arm, wanted: DriverSettings, seen: Seen, steps: Plan) -> Iterator[Look]:
    assert wanted.cluster is not None
    cluster, gateway = wanted.cluster, _new_gateway(wanted, steps)
    region = wanted.location if Step.CONNECT in steps else ""
    yield Look(f"what the caller may do with {cluster}", partial(_rights, arm, wanted, seen, steps))
    for namespace in CLUSTER_PROVIDERS:
        yield _provider(arm, namespace, cluster.subscription, region)
    if wanted.flags.get(CUSTOM_LOCATIONS_OID.variable):
        yield _provider(arm, CUSTOM_LOCATIONS_PROVIDER, cluster.subscription, needed=False)
    if gateway is None:
        return
    yield Look("whether the cluster has private link", partial(_private_link, cluster, seen))
    for subscription in dict.fromkeys(one.subscription.lower() for one in (cluster, gateway)):
        yield _provider(arm, GATEWAY_PROVIDER, subscription)
    if gateway.subscription.lower() != cluster.subscription.lower():
        yield Look(
            f"whether {gateway} and {cluster.name} have one tenant",
            partial(_tenants, arm, cluster.subscription, gateway.subscription),
        )


def _new_gateway(wanted: DriverSettings, steps: Plan) -> GatewayId | None:
    """The gateway that these steps associate the cluster with, if they do."""
    new = any(step.gateway if isinstance(step, Change) else step is Step.CONNECT for step in steps)
    return wanted.gateway if new else None


def _provider(arm: Arm, namespace: str, subscription: str, region: str = "", *, needed: bool = True) -> Look:
    """Whether a provider is registered, and, where it is that of the clusters, has them in a region."""

    def take() -> Iterator[Finding]:
        found = _there(arm, f"/subscriptions/{subscription}/providers/{namespace}", RESOURCES)
        state = found.get("registrationState") or "NotRegistered"
        if state not in REGISTERED:
            cause = f"the resource provider {namespace} is {state} in subscription {subscription}"
            mend = f"run `az provider register --namespace {namespace} --subscription {subscription} --wait`"
            yield Failure(cause, mend) if needed else Doubt(f"{cause}: {mend}")
        yield from _region(found, region) if region else ()

    return Look(f"whether {namespace} is registered in subscription {subscription}", take)


def _region(provider: Mapping[str, Any], region: str) -> Iterator[Finding]:
    known = sorted(
        place.replace(" ", "").lower()
        for kind in provider.get("resourceTypes") or ()
        if kind["resourceType"].lower() == CLUSTER_TYPE.lower()
        for place in kind.get("locations") or ()
    )
    if known and region.replace(" ", "").lower() not in known:
        yield Failure(
            f"Azure has no connected clusters in {region}",
            f"give the cluster a location of these: {', '.join(known)}",
        )


def _rights(arm: Arm, wanted: DriverSettings, seen: Seen, steps: Plan) -> Iterator[Finding]:
    assert wanted.cluster is not None
    cluster, needed = wanted.cluster, _needed(steps, with_gateway=wanted.gateway is not None)
    subscription = f"/subscriptions/{cluster.subscription}"
    group = f"{subscription}/resourceGroups/{cluster.resource_group}"
    scope = group if seen.cluster is None else str(cluster)
    with ThreadPoolExecutor(max_workers=2) as pool:
        permissions = pool.submit(_permissions, arm, scope)
        group_missing = seen.cluster is None and not _is_there(arm, group)
    if group_missing:
        # The client creates the group, in the cluster's region.
        if not wanted.location:
            yield Failure(
                f"there is no resource group {cluster.resource_group} in subscription {cluster.subscription}",
                "create it, or give the cluster a location",
            )
        scope, needed = subscription, (CREATE_GROUP, *needed)
    if lacking := missing(needed, _permissions(arm, scope) if group_missing else permissions.result()):
        yield _lack(lacking, scope, arm.caller)


def _needed(steps: Plan, *, with_gateway: bool) -> tuple[Right, ...]:
    """The rights for a plan, at the cluster."""
    rights: list[Right] = []
    for step in steps:
        if isinstance(step, Step):
            rights += _OF_STEPS.get(step, ())
            rights += ASSOCIATE if step is Step.CONNECT and with_gateway else ()
        else:
            rights += ASSOCIATE if step.gateway or step.disable_gateway else UPDATE
    return tuple(dict.fromkeys(rights))


def _permissions(arm: Arm, scope: str) -> list[dict[str, Any]]:
    return arm.list(f"{scope}/providers/Microsoft.Authorization/permissions", PERMISSIONS)


def _is_there(arm: Arm, group: str) -> bool:
    """Whether a resource group is there; taken for granted where the caller may not see it."""
    try:
        return arm.get(group, RESOURCES) is not None
    except Refused as refused:
        if refused.forbidden:
            return True
        raise


def _lack(lacking: Sequence[Right], scope: str, caller: str) -> Failure:
    actions = ", ".join(" or ".join(right.actions) for right in lacking)
    grant = f"az role assignment create --assignee {caller or 'CALLER'} --scope {scope} --role"
    roles = roles_for(lacking)
    commands = " and ".join(f"`{grant} '{role}'`" for role in roles or ())
    own = f"`{grant} ROLE`, with a role that holds these actions (the component GatewayOperatorRole makes one)"
    return Failure(f"the caller lacks {actions} at {scope}", f"have the scope's owner run {commands or own}")


def _private_link(cluster: ConnectedClusterId, seen: Seen) -> Iterator[Finding]:
    if str(seen.properties.get("privateLinkState") or "").lower() == "enabled":
        yield Failure(
            f"{cluster} has private link, which does not go together with a gateway",
            "disable one of the two",
        )


def _tenants(arm: Arm, cluster: str, gateway: str) -> Iterator[Finding]:
    """Whether two subscriptions belong to one tenant."""
    paths = (f"/subscriptions/{subscription}" for subscription in (cluster, gateway))
    with ThreadPoolExecutor(max_workers=2) as pool:
        tenants = [str(one["tenantId"]) for one in pool.map(lambda path: _there(arm, path, SUBSCRIPTIONS), paths)]
    if tenants[0].lower() != tenants[1].lower():
        yield Failure(
            f"the gateway's subscription {gateway} belongs to tenant {tenants[1]}, the cluster's to {tenants[0]}",
            _OWN_TENANT,
        )


def _other_tenant(refused: Refused) -> Failure:
    subscription = refused.resource_id.split("/")[2]
    return Failure(f"the gateway's subscription {subscription} belongs to another tenant than the cluster", _OWN_TENANT)


def _there(arm: Arm, resource_id: str, api_version: str) -> dict[str, Any]:
    """What must be there.

    Raises:
        Refused: it is not, or the caller's login does not see it.
    """
    found = arm.get(resource_id, api_version)
    if found is None:
        raise Refused(f"Azure knows no {resource_id} for this login", "check its id", resource_id, 404, "NotFound")
    return found
