"""What all components share: their type tokens, and inputs and outputs that policies and the state can see."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from inspect import get_annotations, isawaitable
from typing import Any, Optional, TypeVar, cast
from weakref import WeakKeyDictionary

import pulumi

PACKAGE = "arc-gateway"

Args = TypeVar("Args", bound=Mapping[str, Any])


class ArgumentError(pulumi.RunError):
    """An argument of a component that cannot be used: whose, which one, why, and the mend."""

    def __init__(self, component: pulumi.ComponentResource, argument: str, reason: object) -> None:
        super().__init__(f"{type(component).__name__} {component.pulumi_resource_name!r}: {argument}: {reason}")
        self.argument, self.reason = argument, str(reason)


#: The words that an argument of this name may be; the driver takes no others.
_WORDS = {
    "preflight": ("require", "warn", "off"),
    "drift": ("require", "warn", "off"),
    "on_unreachable": ("fail", "azure-only", "forget"),
}


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
        self._refuse_unusable(args)

    def _refuse_unusable(self, args: Mapping[str, Any]) -> None:
        """Refuse a name that is no argument, which Python would pass over, one that is missing, and an unknown word.

        Raises:
            ArgumentError: says which.
        """
        declared = get_annotations(type(self).__init__).get("args")
        known = getattr(declared, "__annotations__", {}).keys()  # none where a class of a program's own does not say
        if known and (unknown := sorted(args.keys() - known)):
            from arcgateway.stack_settings import nearest  # brings much along, for this message alone

            raise ArgumentError(self, unknown[0], f"is no argument: {nearest(unknown[0], sorted(known))}")
        if missing := sorted(getattr(declared, "__required_keys__", frozenset[str]()) - args.keys()):
            raise ArgumentError(self, ", ".join(missing), "is missing: give it")
        for argument, words in _WORDS.items():
            if isinstance(word := args.get(argument), str) and word not in words:
                raise ArgumentError(self, argument, f"{word!r} is none of {', '.join(words)}")

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


def without_none(args: Args) -> Args:
    """The arguments without those that are None: they are as good as left out."""
    return cast(Args, {name: value for name, value in args.items() if value is not None})


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
    return {in_camel_case(name): value for name, value in names.items()}


@cache
def in_camel_case(name: str) -> str:
    """An argument's name in other languages."""
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)
