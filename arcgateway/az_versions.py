"""Whether this machine's Azure CLI is new enough, asked once for each installation of it."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from arcgateway.errors import Failure

#: The oldest extension whose `--gateway-resource-id` writes the setting that is read here and by the documentation:
#: its HISTORY.rst has "support for associating and disassociating gateways" at 1.10.9 (2025-09-19; the flags of 1.10.0
#: write another form), and its azext_metadata.json the core that it needs. Read on 2026-11-24.
EXTENSION = "connectedk8s"
OLDEST_EXTENSION = "1.10.9"
OLDEST_CLI = "2.70.0"
#: The oldest agents that can use a gateway (learn.microsoft.com/azure/azure-arc/kubernetes/
#: arc-gateway-simplify-networking, unchanged since the preview; read on 2026-11-24).
OLDEST_AGENTS = "1.21.10"

#: How many installations are remembered; the ones that were asked longest ago are forgotten first.
_REMEMBERED = 20


def require(program: str, env: Mapping[str, str], ask: Callable[[], str]) -> None:
    """See that the client and its extension are new enough.

    That they are is remembered in the user's cache folder for as long as the program's file stays as it is: asking
    costs a second.

    Args:
        program: path of `az`.
        env: its environment.
        ask: gives the answer of `az version --output json`.

    Raises:
        Failure: one of the two is too old, or there is no such extension; with the commands that mend it.
    """
    stamp = _folder(env) / f"az-{_installation(program, env)}"
    if stamp.exists():
        return
    if problems := list(_problems(_read(ask()))):
        raise Failure(
            f"the Azure CLI {program}: {'; '.join(cause for cause, _ in problems)}",
            "run " + " and ".join(f"`{command}`" for _, command in problems),
        )
    with suppress(OSError):
        stamp.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        stamp.touch()
        for old in sorted(stamp.parent.glob("az-*"), key=lambda path: path.stat().st_mtime)[:-_REMEMBERED]:
            old.unlink()


def _read(answer: str) -> Mapping[str, Any]:
    try:
        read: Mapping[str, Any] = json.loads(answer)
    except ValueError:
        return {}
    return read


def _problems(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong, each with the command that mends it."""
    cli = str(answer.get("azure-cli") or "")
    extension = str((answer.get("extensions") or {}).get(EXTENSION) or "")
    if numbers(cli) < numbers(OLDEST_CLI):
        yield f"it is {cli or 'of unknown version'}, and {OLDEST_CLI} or newer is needed", "az upgrade"
    if not extension:
        yield f"it has no extension {EXTENSION}", f"az extension add --name {EXTENSION}"
    elif numbers(extension) < numbers(OLDEST_EXTENSION):
        yield (
            f"its extension {EXTENSION} is {extension}, and {OLDEST_EXTENSION} or newer is needed for a gateway",
            f"az extension update --name {EXTENSION}",
        )


def numbers(version: str) -> tuple[int, ...]:
    """A version's three numbers, without what marks a preview; none where it has none."""
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def _installation(program: str, env: Mapping[str, str]) -> str:
    """What stands for one state of one installation: the program's file, and the folder of its extensions."""
    path = Path(program).resolve()
    place = env.get("AZURE_EXTENSION_DIR") or env.get("AZURE_CONFIG_DIR") or ""
    text = "\0".join((str(path), str(path.stat().st_mtime_ns), place, OLDEST_CLI, OLDEST_EXTENSION))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _folder(env: Mapping[str, str]) -> Path:
    """The folder of this user's caches."""
    home = Path(env.get("HOME") or env.get("USERPROFILE") or Path.home())
    told = {"win32": env.get("LOCALAPPDATA"), "darwin": str(home / "Library" / "Caches")}.get(sys.platform)
    return Path(told or env.get("XDG_CACHE_HOME") or home / ".cache") / "arcgateway"
