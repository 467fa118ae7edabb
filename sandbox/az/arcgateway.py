"""`az arcgateway ...`: the gateway resource, and the setting that associates something with one."""

from __future__ import annotations

import re
from argparse import Namespace
from typing import Any

from sandbox.az.arm import Resource
from sandbox.az.command import Context
from sandbox.az.errors import UsageError

VERSION = "2024-07-31-preview"

_NAME = re.compile(r"[a-zA-Z0-9-_.]+")


def _path(context: Context, args: Namespace) -> str:
    if not _NAME.fullmatch(args.name):
        raise UsageError(f"Invalid format: '{args.name}' does not match '[a-zA-Z0-9-_\\.]+'")
    return f"{_group(context, args)}/providers/Microsoft.HybridCompute/gateways/{args.name}"


def _group(context: Context, args: Namespace) -> str:
    return f"/subscriptions/{context.arm.subscription}/resourceGroups/{args.resource_group}"


def flat(resource: Resource | None) -> Any:
    """A resource as generated commands print it: properties one level up, the group's name added, and no nulls."""
    if resource is None:
        return None
    properties = dict(resource.get("properties") or {})
    properties |= properties.pop("gatewayProperties", None) or {}
    parts = resource["id"].split("/")
    return {
        **{key: value for key, value in resource.items() if key != "properties"},
        **properties,
        "resourceGroup": parts[4],
    }


def create(context: Context, args: Namespace) -> Any:
    """Create a gateway, and wait for it, which takes the service about ten minutes."""
    properties: dict[str, Any] = {"allowedFeatures": args.allowed_features or ["*"]}
    if args.gateway_type:
        properties["gatewayType"] = args.gateway_type
    location = args.location or context.arm.get(_group(context, args), "2024-11-01")["location"]
    body: Resource = {"location": location, "properties": properties}
    if args.tags is not None:
        body["tags"] = args.tags
    return flat(context.arm.change("PUT", _path(context, args), VERSION, body, wait=not args.no_wait))


def show(context: Context, args: Namespace) -> Any:
    """One gateway."""
    return flat(context.arm.get(_path(context, args), VERSION))


def list_(context: Context, args: Namespace) -> Any:
    """The gateways of a resource group, else of the subscription."""
    scope = _group(context, args) if args.resource_group else f"/subscriptions/{context.arm.subscription}"
    return [flat(one) for one in context.arm.pages(f"{scope}/providers/Microsoft.HybridCompute/gateways", VERSION)]


def update(context: Context, args: Namespace) -> Any:
    """Change what is given and put the whole back."""
    path = _path(context, args)
    gateway = context.arm.get(path, VERSION)
    if args.tags is not None:
        gateway["tags"] = args.tags
    if args.allowed_features:
        gateway["properties"]["allowedFeatures"] = args.allowed_features
    if args.gateway_type:
        gateway["properties"]["gatewayType"] = args.gateway_type
    settable = {
        key: gateway["properties"][key] for key in ("allowedFeatures", "gatewayType") if key in gateway["properties"]
    }
    body = {"location": gateway["location"], "tags": gateway.get("tags") or {}, "properties": settable}
    return flat(context.arm.change("PUT", path, VERSION, body, wait=not args.no_wait))


def delete(context: Context, args: Namespace) -> None:
    """Delete a gateway."""
    context.confirm("Are you sure you want to perform this operation?", args.yes)
    context.arm.change("DELETE", _path(context, args), VERSION, wait=not args.no_wait)


def settings_update(context: Context, args: Namespace) -> Any:
    """Associate a resource with a gateway; an empty id or `null` ends the association."""
    if args.name.strip('"') != "default":
        raise UsageError(f"Invalid format: '{args.name}' does not match 'default'")
    base = f"{args.base_provider}/{args.base_resource_type}/{args.base_resource_name}"
    path = f"{_group(context, args)}/providers/{base}/providers/Microsoft.HybridCompute/settings/default"
    setting = context.arm.get(path, VERSION)
    if args.gateway_resource_id is not None:
        gateway = None if args.gateway_resource_id.strip('"') in ("", "null") else args.gateway_resource_id
        setting.setdefault("properties", {})["gatewayProperties"] = {"gatewayResourceId": gateway}
    body = {"properties": {"gatewayProperties": setting.get("properties", {}).get("gatewayProperties")}}
    return flat(context.arm.change("PUT", path, VERSION, body))
