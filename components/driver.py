"""The `command:local:Command` through which a component has the driver work on a cluster or a proxy.

Its inputs are the same on every machine: the launcher by a path relative to the project, a verb, and one environment
variable per setting, so that a preview shows which setting changes.
"""

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, cast

import pulumi
from pulumi_command import local

from arcgateway.launcher import launcher

from .component import Component, camel_case, short_stack_traces


@dataclass(frozen=True)
class Verbs:
    """What the driver is asked for. `delete` is None where there is nothing to undo."""

    apply: str
    delete: Optional[str] = None


def drive(
    component: Component,
    name: str,
    verbs: Verbs,
    *,
    environment: pulumi.Input[Mapping[str, pulumi.Input[Any]]],
    identity: Sequence[pulumi.Input[Any]] = (),
    **options: Any,
) -> local.Command:
    """Declare one operation of the driver.

    Args:
        component: the command's parent.
        name: the resource's name.
        verbs: what to run on create and update, and on delete.
        environment: settings by variable.
        identity: what makes it this object and no other: a change replaces, deleting first.
        options: more options of the command.
    """
    with short_stack_traces():
        return local.Command(
            name,
            interpreter=[launcher(Path.cwd())],
            create=verbs.apply,
            update=verbs.apply,
            delete=verbs.delete,
            environment=environment,
            triggers=list(identity) or None,
            logging=local.Logging.STDERR,
            opts=component.child(delete_before_replace=True, **options),
        )


class Report:
    """What the driver reported through a command, by field.

    A single secret setting makes the whole of it secret; no field ever holds a setting, so none is.
    """

    def __init__(self, command: local.Command) -> None:
        self._all: pulumi.Output[Any] = pulumi.Output.unsecret(command.stdout.apply(json.loads))
        self._fields: dict[str, pulumi.Output[Any]] = {}

    def __getitem__(self, field: str) -> pulumi.Output[Any]:
        """A field as an Output, made once for all who ask for it."""
        if field not in self._fields:
            self._fields[field] = self._all[field]
        return self._fields[field]

    async def value(self, field: str) -> Any:
        """A field, once it is known; the SDK's mark where it is not before the update."""
        if not await self._all.is_known():
            return pulumi.output.UNKNOWN
        return cast(Mapping[str, Any], await self._all.future(with_unknowns=True))[field]


class Driven(Component):
    """A component whose outputs are what the driver reported.

    An Output costs a program a hundredth of a whole cluster, so each is made when somebody asks for it, and none for
    the engine.
    """

    _report: Report

    def register_report(self, report: Report) -> None:
        """Have the class's `reported` attributes, and register them as outputs."""
        self._report = report
        fields = {
            name: kept.field
            for kind in type(self).__mro__
            for name, kept in vars(kind).items()
            if isinstance(kept, _Reported)
        }
        self.register_outputs(camel_case({name: _Registered(report, field) for name, field in fields.items()}))


def reported(field: str) -> Any:
    """An attribute of a `Driven` component: a field of its report, as an Output."""
    return _Reported(field)


class _Reported:
    def __init__(self, field: str) -> None:
        self.field = field

    def __get__(self, component: Optional[Driven], kind: type) -> Any:
        return self if component is None else component._report[self.field]

    def __set__(self, component: Driven, value: Any) -> None:
        """There only to come before what the SDK puts into the instance under the name `id`."""
        raise AttributeError(f"{self.field} is what the driver reported")


class _Registered:
    """A field for the engine. Not a coroutine: Python warns of one that nobody awaits, as when the command failed."""

    def __init__(self, report: Report, field: str) -> None:
        self._report = report
        self._field = field

    def __await__(self) -> Generator[Any, None, Any]:
        return self._report.value(self._field).__await__()
