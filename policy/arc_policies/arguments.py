"""The words after a program, asked for options of `az` and for parameters of PowerShell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import takewhile

from .reading import UNKNOWN, Value
from .shell import OPEN

#: An option of `az`: its full name, and the shortest unique prefix that its parser takes for it.
Option = tuple[str, str]


class Arguments:
    """The words after a program, asked for options; or those after a cmdlet of PowerShell, asked for parameters."""

    def __init__(self, program: str, words: tuple[str, ...]) -> None:
        cmdlet = "-" in program
        self.options: tuple[str, ...] = () if cmdlet else words
        self.parameters: tuple[str, ...] = words if cmdlet else ()

    def value(self, *options: Option) -> Value:
        """An option's value: None when absent, "" when bare, UNKNOWN when open; the last one counts."""
        found: Value = None
        for index, word in enumerate(self.options):
            name, equals, value = _split(word, options)
            if _is(name, options):
                following = self.options[index + 1] if index + 1 < len(self.options) else "-"
                found = value if equals else ("" if following.startswith("-") else following)
                found = UNKNOWN if found.strip() == OPEN else found
        return found

    def whole(self, *options: Option) -> Value:
        """As `value`, but UNKNOWN where any part of it is open."""
        found = self.value(*options)
        return UNKNOWN if isinstance(found, str) and OPEN in found else found

    def values(self, *options: Option) -> list[str] | None:
        """All words of an option that takes several; None when absent."""
        found: list[str] | None = None
        for index, word in enumerate(self.options):
            name, equals, value = _split(word, options)
            if _is(name, options):
                following = takewhile(lambda one: not one.startswith("-"), self.options[index + 1 :])
                found = [value] if equals else list(following)
        return found

    def parameter(self, name: str, shortest: int = 7) -> Value:
        """A PowerShell parameter's value, in the same terms; its name in any case, cut to so many letters at least."""
        for index, word in enumerate(self.parameters):
            given, colon, _ = word.lower().partition(":")
            if given.startswith("-") and f"-{name}".lower().startswith(given) and len(given) > min(shortest, len(name)):
                following = self.parameters[index + 1] if index + 1 < len(self.parameters) else "-"
                found = word[len(given) + 1 :] if colon else ("" if following.startswith("-") else following)
                return UNKNOWN if found.strip() == OPEN else found
        return None

    def settings(self, *options: Option) -> Mapping[str, Value]:
        """The `KEY=VALUE` words after options that take several of them and may come more than once."""
        found: dict[str, Value] = {}
        taking = False
        for word in self.options:
            name, equals, value = word.partition("=")
            if word.startswith("-"):
                taking = _is(name, options)
                name, equals, value = value.partition("=") if equals else ("", "", "")
            if taking and equals:
                found[name.lower()] = UNKNOWN if value.strip() == OPEN else value
        return found


def _split(word: str, options: tuple[Option, ...]) -> tuple[str, str, str]:
    """An option's name and value within one word, where they stand in one: `--name=VALUE`, `-n=VALUE`, `-nVALUE`."""
    attached = len(word) > 2 and word[0] == "-" and word[1] != "-" and word[2] != "="
    if attached and any(full == word[:2] for full, _ in options):
        return word[:2], "=", word[2:]
    return word.partition("=")


def _is(name: str, options: tuple[Option, ...]) -> bool:
    return any(full.startswith(name) and len(name) >= len(short) for full, short in options)


#: The type that a call makes, and its properties.
Made = tuple[str, Callable[[Arguments], Value]]
#: Groups of `az` as a pattern, the type that the call makes, its properties.
Row = tuple[str, str, Callable[[Arguments], Value]]

SUBSCRIPTION: Option = ("--subscription", "--subs")
NAME: tuple[Option, ...] = (("--name", "--nam"), ("-n", "-n"))


def first(*values: Value) -> Value:
    """The first that is there."""
    return next((value for value in values if value is not None), None)


def nothing(_: Arguments) -> Value:
    """The properties of a call whose type says all."""
    return {}


def subscription(args: Arguments) -> Value:
    """The subscription that a call names itself."""
    return first(args.value(SUBSCRIPTION), args.parameter("SubscriptionId"))


def location(args: Arguments) -> Value:
    """The region that a call names."""
    return first(args.whole(("--location", "--loc"), ("-l", "-l")), args.parameter("Location"))
