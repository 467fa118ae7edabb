"""What the stack's commands run: `python -m arcgateway.driver VERB`, settings in the environment.

Verbs: connect, disconnect, associate, disassociate, probe. JSON alone on standard output, progress on standard error,
whose last line after a failure (status 1) is cause and mend. Every verb looks first at what is there and goes on from
that point; where nothing is left to do, nothing is written. With ARC_PAUSED nothing is ever written.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from arcgateway import driver_settings, workspace
from arcgateway.errors import Failure
from arcgateway.lifeline import Lifeline
from arcgateway.redaction import Redactor

VERBS = ("connect", "disconnect", "associate", "disassociate", "probe")


def run(
    verb: str, env: Mapping[str, str], progress: Callable[[str], None], lifeline: Lifeline
) -> dict[str, Any] | None:
    """Run a verb and return what it prints.

    Raises:
        Failure: it could not be done.
    """
    settings = driver_settings.read(env, cluster_needed=verb != "probe")
    passwords = [url.password for url in (settings.proxy.https, settings.proxy.http) if url is not None]
    urls = [url.url for url in (settings.proxy.https, settings.proxy.http) if url is not None and url.username]
    secret = env.get("ARM_CLIENT_SECRET") or env.get("AZURE_CLIENT_SECRET")
    redact = Redactor([*urls, *passwords, secret, *settings.protected.values()])

    def tell(line: str) -> None:
        progress(redact(line))

    try:
        if verb == "probe":
            from arcgateway.proof import prove

            return prove(settings, tell, whole=False)
        from arcgateway.operations import Operations

        outcome: dict[str, Any] | None = getattr(Operations(settings, env, redact, tell, lifeline), verb)()
        return outcome
    except Failure as failure:
        raise Failure(redact(failure.cause), redact(failure.mend)) from None


def main(arguments: list[str], env: Mapping[str, str]) -> int:
    """The command: 0 when done, 1 when not."""

    def progress(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    if len(arguments) != 1 or arguments[0] not in VERBS:
        progress(f"the driver takes one word, one of {', '.join(VERBS)}")
        return 1
    workspace.sweep()
    lifeline = Lifeline()
    lifeline.watch()
    try:
        outcome = run(arguments[0], env, progress, lifeline)
    except Failure as failure:
        progress(" ".join(str(failure).split()))
        return 1
    except KeyboardInterrupt:
        progress("interrupted: run again, it goes on from there")
        return 1
    if outcome is not None:
        print(json.dumps(outcome, separators=(",", ":")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
