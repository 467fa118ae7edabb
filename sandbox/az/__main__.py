"""`python -m sandbox.az COMMAND ...`."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from sandbox.az import arguments, output
from sandbox.az.command import Command, Context
from sandbox.az.commands import COMMANDS
from sandbox.az.errors import AzError, UsageError

_VALUED = ("--output", "-o", "--query", "--subscription")


def main(words: Sequence[str]) -> int:
    """Run one command line; returns the exit code."""
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        return _run(arguments.expand_files(words))
    except AzError as problem:
        print(f"ERROR: {problem.message}", file=sys.stderr)
        if problem.recommendation:
            print(problem.recommendation, file=sys.stderr)
        return problem.exit_code
    except KeyboardInterrupt:
        print("ERROR: Process terminated externally.", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    # As for Ctrl-C: temporary folders go, and helm is stopped on the way out.
    raise KeyboardInterrupt


def _run(words: list[str]) -> int:
    if words in (["--version"], ["-v"]):
        from sandbox.az.about import version_text

        context = Context(_global_parser().parse_args([]))
        print(version_text(context))
        return 0
    name, rest = _find(words)
    command = COMMANDS.get(name)
    if command is None:
        return _group_help(name, rest)
    parser = _parser(name, command)
    if arguments.help_requested(rest):
        print(parser.format_help())
        return 0
    args = parser.parse_args(rest)
    for check in command.checks:
        check(args)
    module, function = command.handler.split(":")
    handler = getattr(importlib.import_module(f"sandbox.az.{module}"), function)
    result = handler(Context(args), args)
    if args._query is not None:
        result = output.query(result, args._query)
    sys.stdout.write(output.render(result, args._output, args._query is not None, command.columns))
    sys.stdout.flush()
    return 0


def _global_parser() -> arguments.Parser:
    parser = arguments.Parser(prog="az", add_help=False)
    arguments.add_global(parser)
    parser.add_argument("--subscription")
    return parser


def _parser(name: str, command: Command) -> arguments.Parser:
    parser = arguments.Parser(prog=f"az {name}", add_help=False, formatter_class=arguments.HELP_FORMATTER)
    parser.add_argument("--help", "-h", action="store_true")
    command.arguments(parser)
    arguments.add_global(parser)
    flags = ("--subscription", "-s", "--name", "-n") if name in ("account set", "account show") else ("--subscription",)
    parser.add_argument(*flags, dest="subscription")
    return parser


def _find(words: list[str]) -> tuple[str, list[str]]:
    """The command that the leading words name, and all else; global options may stand before it."""
    ahead: list[str] = []
    rest = list(words)
    while rest and rest[0].startswith("-") and not arguments.help_requested(rest[:1]):
        count = 2 if rest[0] in _VALUED else 1
        ahead, rest = ahead + rest[:count], rest[count:]
    name = ""
    while rest and not rest[0].startswith("-"):
        longer = f"{name} {rest[0]}".strip()
        if not any(one == longer or one.startswith(f"{longer} ") for one in COMMANDS):
            break
        name, rest = longer, rest[1:]
        if name in COMMANDS:
            break
    return name, rest + ahead


def _group_help(group: str, rest: list[str]) -> int:
    if rest and not rest[0].startswith("-"):
        known = ", ".join(f"az {name}" for name in COMMANDS if name.startswith(group))
        raise UsageError(
            f"'{rest[0]}' is misspelled or not recognized by the system.",
            f"This stand-in for the Azure CLI knows: {known}.",
        )
    if rest and not arguments.help_requested(rest):
        raise UsageError(f"unrecognized arguments: {' '.join(rest)}")
    print("\n".join(["", "Commands:", *(f"    az {name}" for name in COMMANDS if name.startswith(group))]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
