"""What a command is, and what it runs with."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sandbox.az.errors import AzError

if TYPE_CHECKING:
    from sandbox.az.arm import Arm
    from sandbox.az.profile import Profile
    from sandbox.az.transport import Transport

AddArguments = Callable[[ArgumentParser], None]


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        handler: `module:function` within this package, imported when the command runs. It takes a Context and the
            parsed arguments and returns the data to print.
        arguments: adds what the command takes besides the global ones.
        checks: refusals that need no look at the world, before anything else happens.
        columns: what `-o table` shows; all plain values without them.
    """

    handler: str
    arguments: AddArguments
    checks: tuple[Callable[[Namespace], None], ...] = ()
    columns: tuple[str, ...] | None = None


class Context:
    """A running command's connections and its voice.

    Attributes:
        quiet: `--only-show-errors`.
    """

    def __init__(self, args: Namespace) -> None:
        self.quiet = bool(args.only_show_errors)
        self._subscription: str | None = args.subscription

    # What follows is imported when first used: TLS alone costs as much as all else that a command starts with.

    @cached_property
    def transport(self) -> Transport:
        """HTTPS connections."""
        from sandbox.az.transport import Transport

        return Transport()

    @cached_property
    def profile(self) -> Profile:
        """Who is logged in."""
        from sandbox.az.profile import Profile

        return Profile(self.transport)

    @cached_property
    def arm(self) -> Arm:
        """Azure, in the name of the chosen account.

        Raises:
            AzError: nobody is logged in.
        """
        from sandbox.az.arm import Arm

        return Arm(self.transport, self.profile, self.profile.account(self._subscription))

    def warn(self, text: str) -> None:
        """A warning on standard error."""
        if not self.quiet:
            print(f"WARNING: {text}", file=sys.stderr, flush=True)

    def confirm(self, question: str, yes: bool) -> None:
        """Ask before something that can't be undone.

        Raises:
            AzError: the answer is no, or there is nobody to ask.
        """
        if yes:
            return
        if not sys.stdin.isatty():
            raise AzError("Unable to prompt for confirmation as no tty available. Use --yes.")
        print(f"{question} (y/N): ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise AzError("Operation cancelled.")
