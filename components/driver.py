"""The `command:local:Command` through which a component has the driver work on a cluster or a proxy.

Its inputs are the same on every machine: the launcher by a path relative to the project, a verb, and one environment
variable per setting, so that a preview shows which setting changes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import pulumi
from pulumi_command import local

from arcgateway.launcher import launcher


@dataclass(frozen=True)
class Verbs:
    """What the driver is asked for. `delete` is None where there is nothing to undo."""

    apply: str
    delete: Optional[str] = None


def drive(
    name: str,
    verbs: Verbs,
    environment: Mapping[str, pulumi.Input[Any]],
    *,
    identity: Sequence[pulumi.Input[Any]] = (),
    opts: pulumi.ResourceOptions,
) -> local.Command:
    """Declare one operation of the driver.

    Args:
        name: the resource's name.
        verbs: what to run on create and update, and on delete.
        environment: settings by variable; those that are None are left out.
        identity: what makes it this object and no other: a change replaces, deleting first.
        opts: the component's child options.
    """
    replacing = pulumi.ResourceOptions(delete_before_replace=True)
    return local.Command(
        name,
        interpreter=[launcher(Path.cwd())],
        create=verbs.apply,
        update=verbs.apply,
        delete=verbs.delete,
        environment={key: value for key, value in environment.items() if value is not None},
        triggers=list(identity) or None,
        logging=local.Logging.STDERR,
        opts=pulumi.ResourceOptions.merge(opts, replacing),
    )


def result(command: local.Command, field: str) -> pulumi.Output[Any]:
    """One field of what the driver reported.

    A single secret setting makes the whole report secret; no field of it ever holds a setting, so each is not.
    """
    return pulumi.Output.unsecret(command.stdout.apply(lambda text: json.loads(text)[field]))
