"""`az connectedk8s show` and `list`: one GET each."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from sandbox.az.command import Context
from sandbox.az.connectedk8s.resources import CLUSTERS, cluster_path, group_path, printed


def show(context: Context, args: Namespace) -> Any:
    """One connected cluster."""
    return printed(context.arm.get(cluster_path(context.arm, args.resource_group, args.name), CLUSTERS))


def list_(context: Context, args: Namespace) -> Any:
    """The connected clusters of a resource group, else of the subscription."""
    arm = context.arm
    scope = group_path(arm, args.resource_group) if args.resource_group else f"/subscriptions/{arm.subscription}"
    return [printed(one) for one in arm.pages(f"{scope}/providers/Microsoft.Kubernetes/connectedClusters", CLUSTERS)]
