"""The words after a program, asked for options of `az` and for parameters of PowerShell."""

from __future__ import annotations

from collections.abc import Callable

from .reading import UNKNOWN, Value
from .shell import OPEN

#: An option of `az`: its full name, and the shortest unique prefix that its parser takes for it.
Option = tuple[str, str]


class Arguments:
    """The words after a program, asked for options."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.words = words

    def value(self, *options: Option) -> Value:
        """An option's value: None when absent, "" when bare, UNKNOWN when open; the last one counts."""
        found: Value = None
        for index, word in enumerate(self.words):
            name, equals, value = word.partition("=")
            if any(full.startswith(name) and len(name) >= len(short) for full, short in options):
                following = self.words[index + 1] if index + 1 < len(self.words) else "-"
                found = value if equals else ("" if following.startswith("-") else following)
                found = UNKNOWN if found.strip() == OPEN else found
        return found

    def following(self, *options: Option) -> list[Value] | None:
        """All words after an option of many values; None when absent."""
        found: list[Value] | None = None
        for word in self.words:
            name, equals, value = word.partition("=")
            if word.startswith("-"):
                hit = any(full.startswith(name) and len(name) >= len(short) for full, short in options)
                found = ([value] if equals else []) if hit else found
                collecting = hit
            elif found is not None and collecting:
                found.append(UNKNOWN if word.strip() == OPEN else word)
        return found

    def parameter(self, name: str) -> Value:
        """A PowerShell parameter's value, in the same terms; its name in any case, cut to seven letters at least."""
        for index, word in enumerate(self.words):
            given, colon, _ = word.lower().partition(":")
            if given.startswith("-") and f"-{name}".lower().startswith(given) and len(given) >= min(8, len(name) + 1):
                following = self.words[index + 1] if index + 1 < len(self.words) else "-"
                found = word[len(given) + 1 :] if colon else ("" if following.startswith("-") else following)
                return UNKNOWN if found.strip() == OPEN else found
        return None


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
