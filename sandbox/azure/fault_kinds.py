"""The table of faults: what each is, which requests it can strike, and the settings that it takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
WRITES = ("DELETE", "PATCH", "POST", "PUT")

#: A part of Azure: the Resource Manager, the login service, any other.
Place = Literal["arm", "login", "other"]


@dataclass(frozen=True)
class Setting:
    """One setting of a fault.

    Attributes:
        name: in JSON; on the command line with dashes for capitals.
        kind: str, int, float, bool, or list (of strings).
        words: what it means.
        default: where it is not given; None for none.
        least, most: of a number.
        choices: the only values, or the only members of a list; none means any.
        pattern: which a string matches as a whole.
    """

    name: str
    kind: type
    words: str
    default: Any = None
    least: float = 0
    most: float = 10**9
    choices: tuple[object, ...] = ()
    pattern: str = ""

    @property
    def option(self) -> str:
        """Its option on the command line."""
        return "--" + re.sub("[A-Z]", lambda capital: f"-{capital[0].lower()}", self.name)


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    Attributes:
        words: what it does.
        settings: its own settings, besides those that say which requests it strikes.
        methods: the only methods that it strikes.
        place: the only part of Azure that it strikes.
        anywhere: whether it strikes all parts once a host or a path is given.
        path: which paths, where none is given.
        act: whether it is done at once, and strikes no requests.
    """

    words: str
    settings: tuple[Setting, ...] = ()
    methods: tuple[str, ...] = METHODS
    place: Place = "arm"
    anywhere: bool = False
    path: str | None = None
    act: bool = False


#: Which requests a fault strikes; all that are given must hold.
MATCHERS = (
    Setting("methods", list, "HTTP methods", choices=METHODS),
    Setting("host", str, "pattern of the host asked for, as '*.microsoft.com'"),
    Setting("path", str, "pattern of the path without its query, as '*/gateways/*'; case does not matter"),
    Setting("type", str, "resource type, as Microsoft.HybridCompute/gateways", pattern=r"[\w.]+(/\w+)+"),
    Setting("skip", int, "let the first so many pass"),
    Setting("count", int, "strike so many at most", least=1),
    Setting("probability", float, "strike each with this probability", most=1),
    Setting("seed", int, "of the probability: the same seed and requests, the same faults"),
    Setting("for", float, "seconds until it ends, on the sandbox's clock"),
    Setting("until", str, "when it ends, on the sandbox's clock, as 2026-01-01T12:00:00Z"),
)


def _error(code: str, message: str, pattern: str = r"\w+") -> tuple[Setting, ...]:
    return (
        Setting("code", str, "code of the error", default=code, pattern=pattern),
        Setting("message", str, "message of the error", default=message),
    )


_OPERATIONS = ("DELETE", "PUT")

KINDS: Mapping[str, Kind] = {
    "throttle": Kind(
        "429 with Retry-After",
        (Setting("retryAfter", int, "seconds to wait", default=5, most=3600),),
        anywhere=True,
    ),
    "server-error": Kind(
        "an error of Azure's own",
        (
            Setting("status", int, "of HTTP", default=500, choices=(500, 502, 503, 504)),
            Setting("html", bool, "a front door's page instead of the Resource Manager's JSON", default=False),
        ),
        anywhere=True,
    ),
    "reset": Kind("the connection is reset, and nothing is done", anywhere=True),
    "slow": Kind(
        "the answer comes late, and byte by byte",
        (
            Setting("firstByte", float, "seconds before the first byte", default=2.0, most=3600),
            Setting("bytesPerSecond", float, "how fast the body comes", default=1024.0, least=1),
        ),
        anywhere=True,
    ),
    "lost-response": Kind("the write is done, then the connection is reset", methods=WRITES, anywhere=True),
    "stale-read": Kind(
        "after a write to a resource, reads show what it was before",
        (
            Setting("reads", int, "so many reads at most; 1 where 'within' is not given either", least=1),
            Setting("within", float, "seconds after the write at most, on the sandbox's clock"),
        ),
        methods=("DELETE", "PATCH", "PUT"),
    ),
    "operation-failed": Kind(
        "the operation that a write begins ends Failed",
        _error("InternalServerError", "The operation failed in the resource provider."),
        _OPERATIONS,
    ),
    "operation-canceled": Kind(
        "the operation that a write begins ends Canceled",
        _error("OperationCanceled", "The operation was canceled."),
        _OPERATIONS,
    ),
    "operation-endless": Kind("the operation that a write begins never ends", methods=_OPERATIONS),
    "expired-token": Kind(
        "401 for an expired token",
        (
            Setting(
                "tokens",
                str,
                "which: those made before the fault was added, or all",
                default="older",
                choices=("older", "all"),
            ),
        ),
    ),
    "gateway-deleted": Kind(
        "gateways vanish at once, while associations still name them",
        (Setting("gateway", str, "pattern of their ids, as '*/gateways/gw'"),),
        act=True,
    ),
    "login-outage": Kind(
        "no token from the login service",
        (
            Setting("status", int, "of HTTP", default=503, choices=(400, 401, 429, 500, 502, 503, 504)),
            *_error("AADSTS90033", "A transient error has occurred. Please try again.", r"AADSTS\d{1,9}"),
        ),
        place="login",
        path="*/oauth2/*",
    ),
}


def takes(kind: Kind) -> Mapping[str, Setting]:
    """All settings that a kind takes, by name."""
    matchers = () if kind.act else MATCHERS
    return {setting.name: setting for setting in (*matchers, *kind.settings)}
