"""Kinds of arguments that the Azure CLI knows and argparse does not."""

from __future__ import annotations

import argparse
import os
import sys
from argparse import Action, ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from sandbox.az.errors import AzError, UsageError
from sandbox.az.output import FORMATS

_SETTING_KINDS = {
    "configuration_settings": "configuration_setting",
    "configuration_protected_settings": "configuration_protected_setting",
}


class Parser(ArgumentParser):
    """argparse, unique prefixes and all, that raises where argparse would exit."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def _check_value(self, action: Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            flag = action.option_strings[0] if action.option_strings else action.dest
            allowed = ", ".join(map(str, action.choices))
            raise UsageError(f"{self.prog}: '{value}' is not a valid value for '{flag}'. Allowed values: {allowed}.")


class _ThreeState(Action):
    """A flag that may be followed by true or false."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        setattr(namespace, self.dest, (values or "true").lower() == "true")


class _Settings(Action):
    """`FEATURE.SETTING=VALUE ...`, gathered over repetitions as {feature: {setting: value}}."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        settings: dict[str, dict[str, str]] = getattr(namespace, self.dest) or {}
        for item in values:
            name, found, value = item.partition("=")
            if not found or name.count(".") != 1:
                kind = _SETTING_KINDS[self.dest]
                raise AzError(f"Usage error: {option_string} {kind}_key={kind}_value")
            feature, setting = name.split(".")
            settings.setdefault(feature, {})[setting] = value
        setattr(namespace, self.dest, settings)


def three_state(parser: ArgumentParser, *flags: str, **more: Any) -> None:
    """A flag that is None when absent, true when bare, or what follows it says."""
    choices = _CaseInsensitive(("true", "false"))
    parser.add_argument(*flags, nargs="?", action=_ThreeState, choices=choices, default=None, **more)


def settings(parser: ArgumentParser, *flags: str, dest: str) -> None:
    """`--config FEATURE.SETTING=VALUE`."""
    parser.add_argument(*flags, dest=dest, nargs="+", action=_Settings, default=None)


def tags(parser: ArgumentParser) -> None:
    """`--tags a=1 b` as {"a": "1", "b": ""}; a bare `--tags ""` clears them."""
    parser.add_argument("--tags", nargs="*", type=str, action=_Tags, default=None)


class _Tags(Action):
    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        pairs = (item.partition("=") for item in values if item)
        setattr(namespace, self.dest, {name: value for name, _, value in pairs})


class _CaseInsensitive(tuple[str, ...]):
    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and value.lower() in {one.lower() for one in self}


def enum(parser: ArgumentParser, *flags: str, choices: Sequence[str], **more: Any) -> None:
    """One of some words in any case, stored as written here."""

    def canonical(value: str) -> str:
        return next((one for one in choices if one.lower() == value.lower()), value)

    parser.add_argument(
        *flags, choices=tuple(choices), type=canonical, metavar="{" + ",".join(dict.fromkeys(choices)) + "}", **more
    )


def location(value: str) -> str:
    """A region's name as ARM writes it: `East US` is `eastus`."""
    return value.replace(" ", "").lower() if " " in value else value


def add_global(parser: ArgumentParser) -> None:
    """What every command takes."""
    group = parser.add_argument_group("Global Arguments")
    group.add_argument("--output", "-o", dest="_output", choices=FORMATS, default="json", type=str.lower)
    group.add_argument("--query", dest="_query")
    group.add_argument("--debug", action="store_true")
    group.add_argument("--verbose", action="store_true")
    group.add_argument("--only-show-errors", dest="only_show_errors", action="store_true")


def expand_files(words: Sequence[str]) -> list[str]:
    """`@FILE`, alone or after `--flag=`, replaced by what is in the file; what names no readable file stays."""
    return [_expand(word) for word in words]


def _expand(word: str) -> str:
    before, equals, after = word.partition("=")
    value = after if equals else before
    if not value.startswith("@") or value == "@":
        return word
    try:
        text = sys.stdin.read() if value == "@-" else Path(value[1:]).expanduser().read_text()
    except (OSError, UnicodeDecodeError):
        return word
    return f"{before}{equals}{text.rstrip(os.linesep)}" if equals else text.rstrip(os.linesep)


def help_requested(words: Sequence[str]) -> bool:
    """Whether `--help` or `-h` stands alone among the words."""
    return any(word in ("--help", "-h") for word in words)


HELP_FORMATTER = argparse.RawDescriptionHelpFormatter
