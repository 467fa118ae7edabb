"""What all components share: their type tokens, and inputs and outputs that policies and the state can see."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from inspect import isawaitable
from typing import Any, Optional
from weakref import WeakKeyDictionary

import pulumi

PACKAGE = "arc-gateway"


class ArgumentError(pulumi.RunError):
    """An argument of a component that cannot be used: whose, which one, why, and the mend."""

    def __init__(self, component: pulumi.ComponentResource, argument: str, reason: object) -> None:
        super().__init__(f"{type(component).__name__} {component.pulumi_resource_name!r}: {argument}: {reason}")


#: How many calls of a registration are recorded: the SDK's own, ours, and some of the program's.
_CALLS = 12


@contextmanager
def short_stack_traces() -> Iterator[None]:
    """Have the SDK record the innermost calls alone of what registers a resource here.

    It keeps a stack trace with each resource, down to the interpreter's own start: a third of a command's state, which
    the engine writes anew at every step.
    """
    before = getattr(sys, "tracebacklimit", None)
    sys.tracebacklimit = _CALLS
    try:
        yield
    finally:
        if before is None:
            del sys.tracebacklimit
        else:
            sys.tracebacklimit = before


class Component(pulumi.ComponentResource):
    """A component whose arguments are handed on as properties, under the names that other languages use."""

    def __init__(self, name: str, args: Mapping[str, Any], opts: Optional[pulumi.ResourceOptions]) -> None:
        with short_stack_traces():
            super().__init__(f"{PACKAGE}:index:{type(self).__name__}", name, camel_case(args), opts)

    def child(self, **options: Any) -> pulumi.ResourceOptions:
        """Options for a resource inside this component."""
        return pulumi.ResourceOptions(parent=self, **options)

    def checked(self, argument: str, value: Any, read: Callable[[Any], Any]) -> pulumi.Output[Any]:
        """What `read` makes of an argument: at once where its value is plain, else when it is known.

        Args:
            argument: its name.
            value: its value, or a tuple of it and of others that `read` takes into account.
            read: takes the value, or all values in the tuple's order.

        Raises:
            ArgumentError: `read` raised a ValueError.
        """

        def attempt(known: Any) -> Any:
            try:
                return read(known)
            except ValueError as problem:
                raise ArgumentError(self, argument, problem) from None

        made = derived(value, attempt)
        return made if isinstance(made, pulumi.Output) else pulumi.Output.from_input(made)

    def register(self, **outputs: Any) -> None:
        """Set outputs as attributes and register them."""
        for name, value in outputs.items():
            setattr(self, name, value)
        self.register_outputs(camel_case(outputs))


#: What was made of an Output, by what made it.
_derived: WeakKeyDictionary[pulumi.Output[Any], dict[Callable[[Any], Any], pulumi.Output[Any]]] = WeakKeyDictionary()


def derived(value: pulumi.Input[Any], make: Callable[[Any], Any]) -> pulumi.Input[Any]:
    """What a function makes of an input: a plain value where that is one.

    An Output costs the program more than all else, so all who make the same of one share what comes of it: the URL of
    one proxy for a hundred clusters.
    """
    if isinstance(value, (tuple, list)) and any(isinstance(one, pulumi.Output) for one in value):
        value = pulumi.Output.all(*value)
    elif isawaitable(value):
        value = pulumi.Output.from_input(value)
    if not isinstance(value, pulumi.Output):
        return make(value)
    known = _derived.setdefault(value, {})
    if make not in known:
        known[make] = value.apply(make)
    return known[make]


def camel_case(names: Mapping[str, Any]) -> dict[str, Any]:
    """The same values under camelCase names; nested keys are data and stay as they are."""
    return {_camel_case(name): value for name, value in names.items()}


@cache
def _camel_case(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)
