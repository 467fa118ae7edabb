"""`az group ...`: resource groups."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from sandbox.az.command import Context

VERSION = "2024-11-01"


def _path(context: Context, name: str) -> str:
    return f"/subscriptions/{context.arm.subscription}/resourceGroups/{name}"


def _printed(group: Any) -> Any:
    """As azure-mgmt's model prints it."""
    return {"managedBy": None, **group}


def create(context: Context, args: Namespace) -> Any:
    """Make a resource group; one that is there gets the tags."""
    body = {"location": args.location, **({"tags": args.tags} if args.tags is not None else {})}
    return _printed(context.arm.change("PUT", _path(context, args.name), VERSION, body))


def show(context: Context, args: Namespace) -> Any:
    """One resource group."""
    return _printed(context.arm.get(_path(context, args.name), VERSION))


def list_(context: Context, args: Namespace) -> Any:
    """The subscription's resource groups."""
    return [
        _printed(one) for one in context.arm.pages(f"/subscriptions/{context.arm.subscription}/resourcegroups", VERSION)
    ]


def exists(context: Context, args: Namespace) -> bool:
    """Whether there is such a resource group."""
    return context.arm.exists(_path(context, args.name), VERSION)


def delete(context: Context, args: Namespace) -> None:
    """Delete a resource group and all that is in it."""
    context.confirm("Are you sure you want to perform this operation?", args.yes)
    context.arm.change("DELETE", _path(context, args.name), VERSION, wait=not args.no_wait)
