"""The leaf resources of the components, with the same inputs, for programs that declare them by hand."""

from collections.abc import Callable
from pathlib import Path

import pulumi
from pulumi_command import local
from world import GATEWAY_ENDPOINT, GATEWAY_ID, GROUP, LOCATION, NAMES, PROXY, SKIP_RANGE, SUBSCRIPTION

from arcgateway.launcher import launcher

_PROXY = {"ARC_PROXY_HTTPS": PROXY, "ARC_PROXY_HTTP": PROXY, "ARC_PROXY_SKIP_RANGE": ",".join(SKIP_RANGE)}


def declare(
    options: Callable[[str, str], pulumi.ResourceOptions],
    done: Callable[[str, local.Command], None] = lambda name, leaf: None,
) -> None:
    """Declare all leaves.

    Args:
        options: for the leaf of a component, given the component's class and name.
        done: told of each leaf, and of its component's name.
    """
    probe = _command(
        "corporate",
        options("ProxySettings", "corporate"),
        verb="probe",
        environment={**_PROXY, "ARC_LOCATION": LOCATION, "ARC_PREFLIGHT": "require"},
    )
    done("corporate", probe)
    clusters = {name: _cluster(name, options("ConnectedCluster", name)) for name in NAMES}
    for name, cluster in clusters.items():
        done(name, cluster)
    pulumi.export("clusters", {name: cluster.stdout for name, cluster in clusters.items()})


def _cluster(name: str, options: pulumi.ResourceOptions) -> local.Command:
    return _command(
        name,
        options,
        verb="connect",
        delete="disconnect",
        environment={
            "ARC_SUBSCRIPTION_ID": SUBSCRIPTION,
            "ARC_RESOURCE_GROUP": GROUP,
            "ARC_CLUSTER_NAME": name,
            "ARC_LOCATION": LOCATION,
            "ARC_KUBE_CONTEXT": name,
            "ARC_GATEWAY_ID": GATEWAY_ID,
            "ARC_GATEWAY_ENDPOINT": GATEWAY_ENDPOINT,
            **_PROXY,
            "ARC_PREFLIGHT": "require",
        },
        triggers=[SUBSCRIPTION, GROUP, name, LOCATION],
    )


def _command(
    name: str,
    options: pulumi.ResourceOptions,
    *,
    verb: str,
    environment: dict[str, str],
    delete: str | None = None,
    triggers: list[str] | None = None,
) -> local.Command:
    options.delete_before_replace = True
    return local.Command(
        name,
        interpreter=[launcher(Path.cwd())],
        create=verb,
        update=verb,
        delete=delete,
        environment=environment,
        triggers=triggers,
        logging=local.Logging.STDERR,
        opts=options,
    )
