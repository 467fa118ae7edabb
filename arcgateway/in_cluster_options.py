"""The options of `arcgateway preflight` that say where in a cluster it is made."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from arcgateway.in_cluster import Place

T = TypeVar("T")

#: By the name of the parameter: the flag, and what click is told of it.
_OPTIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "kube_context": ("--kube-context", {"help": "Context of the kubeconfig.  [default: the current one]"}),
    "namespace": ("--namespace", {"help": "The Job's.  [default: azure-arc where there is one, else default]"}),
    "image": ("--image", {"help": "Any image with Python 3.11 or later.  [default: Azure Linux's Python]"}),
    "pull_secrets": ("--pull-secret", {"multiple": True, "help": "For the image's registry; may be repeated."}),
    "service_account": ("--service-account", {"help": "The pod's.  [default: the namespace's own]"}),
    "labels": ("--node-selector", {"multiple": True, "metavar": "KEY=VALUE", "help": "A label of the pod's node."}),
    "tolerations": (
        "--toleration",
        {"multiple": True, "metavar": "KEY[=VALUE][:EFFECT]", "help": "A taint that the pod's node may have."},
    ),
    "user": ("--run-as-user", {"metavar": "UID", "help": "The pod's; `cluster` lets the cluster choose (OpenShift)."}),
    "wait": (
        "--wait",
        {"type": click.FloatRange(min=1, max=3600), "metavar": "S", "help": "Seconds until the pod must run."},
    ),
}


def options(command: Callable[..., T]) -> Callable[..., T]:
    """Add them to a command, which is given `place` (None for a probe from this machine) and `kube_context`."""

    @functools.wraps(command)
    def with_place(*, in_cluster: bool, **given: Any) -> T:
        here = {name: given.pop(name) for name in _OPTIONS}
        if not in_cluster:
            if meant := [_OPTIONS[name][0] for name, value in here.items() if value not in (None, ())]:
                raise click.UsageError(f"{meant[0]} is about the cluster's pod: give --in-cluster too")
            return command(**given, place=None, kube_context=None)
        context = here.pop("kube_context")
        try:
            place = _place(**here)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        return command(**given, place=place, kube_context=context)

    made: Callable[..., T] = with_place
    for name, (flag, more) in reversed(tuple(_OPTIONS.items())):
        made = click.option(flag, name, **{"metavar": "NAME", **more})(made)
    return click.option("--in-cluster", is_flag=True, help="Probe from a pod in a cluster, which is removed after.")(
        made
    )


def _place(
    namespace: str | None,
    image: str | None,
    pull_secrets: Sequence[str],
    service_account: str | None,
    labels: Sequence[str],
    tolerations: Sequence[str],
    user: str | None,
    wait: float | None,
) -> Place:
    from arcgateway import in_cluster, pod_names

    place = in_cluster.Place
    if user is not None and user != "cluster" and not (user.isascii() and user.isdigit() and 0 < int(user) < 2**31):
        raise ValueError(f"{user!r} is no user of a pod that is not root: give a number above 0, or `cluster`")
    return place(
        image=pod_names.image(image) if image is not None else in_cluster.IMAGE,
        namespace=pod_names.name(namespace) if namespace is not None else None,
        pull_secrets=tuple(map(pod_names.name, pull_secrets)),
        service_account=pod_names.name(service_account) if service_account is not None else None,
        node_selector=dict(map(pod_names.label, labels)),
        tolerations=tuple(map(pod_names.toleration, tolerations)),
        run_as_user=in_cluster.USER if user is None else None if user == "cluster" else int(user),
        wait=wait or in_cluster.WAIT,
    )
