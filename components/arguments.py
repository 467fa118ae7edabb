"""What the components are given, made of the stack's configuration."""

from collections.abc import Mapping
from typing import Any, Union, cast

import pulumi
from pydantic import BaseModel

from arcgateway.ids import GatewayId
from arcgateway.stack_settings import (
    NAMESPACE,
    ExistingClusterById,
    ExistingGateway,
    GatewayOfStack,
    OwnGateway,
    Settings,
)

from .allowlist import EndpointAllowlistArgs
from .cluster import ConnectedCluster, ConnectedClusterArgs, GatewayAssociation, GatewayAssociationArgs, subscription_of
from .component import derived
from .gateway import ArcGateway, ArcGatewayArgs
from .proxy import DEFAULT_REGION, ProxySettings, ProxySettingsArgs
from .settings import SettingsError


def gateway_name(settings: Settings) -> str:
    """The name of the gateway's component."""
    match settings.gateway:
        case OwnGateway(name=name):
            return name
        case ExistingGateway(id=gateway_id):
            return GatewayId.parse(gateway_id).name
        case GatewayOfStack(stack=stack):
            return stack.rpartition("/")[2]


def gateway_args(settings: Settings) -> ArcGatewayArgs:
    """Arguments of the stack's gateway."""
    match settings.gateway:
        case ExistingGateway(id=gateway_id):
            return {"existing_id": gateway_id}
        case GatewayOfStack(stack=stack):
            return {"existing_id": _gateway_of(stack)}
        case OwnGateway() as own:
            return {
                "gateway_name": own.name,
                "resource_group_name": own.resource_group,
                "create_resource_group": own.create_resource_group,
                "location": own.location,
                "gateway_type": own.gateway_type,
                "allowed_features": list(own.allowed_features),
                "tags": dict(own.tags),
                "protect": own.protect,
            }


def _gateway_of(stack: str) -> pulumi.Output[str]:
    """The id of the gateway that is another stack's output.

    Raises:
        SettingsError: when the output is read, and there is none, or one without an id.
    """

    def read(output: Any) -> str:
        if not isinstance(output, Mapping) or "id" not in output:
            raise SettingsError(
                f"{NAMESPACE}:gateway.stack: the stack {stack} has no output `gateway` with an `id`: deploy it first, "
                "export its gateway there, or give the gateway by its id"
            )
        return str(output["id"])

    return cast("pulumi.Output[str]", pulumi.StackReference(stack).get_output("gateway").apply(read))


def proxy_args(settings: Settings, name: str) -> ProxySettingsArgs:
    """Arguments of one proxy. Its URLs are secret where the configuration's key is: it cannot tell which value is."""
    proxy = settings.proxies[name]
    args = _passed_on(proxy, ProxySettingsArgs)
    for url in {"https_url", "http_url"} & set(args):
        if settings.is_secret("proxies"):
            args[url] = pulumi.Output.secret(args[url])
    args["scenarios"] = list(settings.allowlist.scenarios)
    if isinstance(settings.gateway, OwnGateway):
        args["region"] = settings.gateway.location
    elif regions := _regions(cluster for cluster in settings.clusters.values() if cluster.proxy == name):
        args["region"] = regions[0]
    args |= _preflight(settings)
    return cast(ProxySettingsArgs, args)


def cluster_args(
    settings: Settings, name: str, gateway: ArcGateway, proxies: Mapping[str, ProxySettings]
) -> ConnectedClusterArgs:
    """Arguments of one cluster; those of an existing one are a part of these."""
    cluster = settings.clusters[name]
    args = _passed_on(cluster, GatewayAssociationArgs if cluster.existing else ConnectedClusterArgs)
    if not isinstance(cluster, ExistingClusterById):
        args["cluster_name"] = cluster.name or name
        args["resource_group_name"] = cluster.resource_group
        args.setdefault("subscription_id", derived(gateway.id, subscription_of))
    args["scenarios"] = list(settings.allowlist.scenarios)
    if settings.preflight.in_cluster and settings.preflight.mode != "off":
        args["preflight_in_cluster"] = True
        for name in ("image", "namespace"):
            if (value := getattr(settings.preflight, name)) is not None:
                args[f"preflight_{name}"] = value
    if settings.drift is not None:
        args["drift"] = settings.drift
    if cluster.gateway:
        args |= {"gateway_id": gateway.id, "gateway_endpoint": gateway.endpoint}
    if cluster.proxy is not None:
        proxy = proxies[cluster.proxy]
        args |= {"proxy_https": proxy.https_url, "proxy_http": proxy.http_url, "proxy_skip_range": proxy.skip_range}
        if settings.proxies[cluster.proxy].certificate is not None:
            args["proxy_certificate"] = proxy.certificate
    if cluster.configuration_protected_settings is not None:
        args["configuration_protected_settings"] = pulumi.Output.secret(cluster.configuration_protected_settings)
    args |= _preflight(settings)
    return cast(ConnectedClusterArgs, args)


def allowlist_args(
    settings: Settings, gateway: ArcGateway, clusters: Mapping[str, Union[ConnectedCluster, GatewayAssociation]]
) -> EndpointAllowlistArgs:
    """Arguments of the allowlist of all the stack's clusters."""
    regions = _regions(settings.clusters.values())
    if not regions:
        regions = [settings.gateway.location if isinstance(settings.gateway, OwnGateway) else DEFAULT_REGION]
    times: dict[str, Any] = {}
    for name, cluster in clusters.items():
        # One whose region only Azure knows may use the names of any.
        place = settings.clusters[name].location
        for region in regions if place is None else [place]:
            times.setdefault(region, []).append(cluster.endpoints_removable_at)
    args = _passed_on(settings.allowlist, EndpointAllowlistArgs)
    args |= {"gateway_endpoint": gateway.endpoint, "regions": regions}
    if times:
        args["endpoints_removable_at"] = times
    return cast(EndpointAllowlistArgs, args)


def _passed_on(model: BaseModel, arguments: Any) -> dict[str, Any]:
    """What is set in a model and is an argument of the same name."""
    return {
        name: value for name, value in model if name in arguments.__annotations__ and value is not None and value != {}
    }


def _regions(clusters: Any) -> list[str]:
    return sorted({cluster.location for cluster in clusters if cluster.location is not None})


def _preflight(settings: Settings) -> dict[str, Any]:
    """The arguments about the preflight, which proxies and clusters have alike."""
    wanted = settings.preflight
    args: dict[str, Any] = {"preflight": wanted.mode}
    if wanted.exceptions:
        args["preflight_exceptions"] = {host: dict(one) for host, one in wanted.exceptions.items()}
    if wanted.genuine_roots:
        args["genuine_roots"] = "\n".join(root.strip() for root in wanted.genuine_roots) + "\n"
    return args
