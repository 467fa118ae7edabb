"""ARM's ids: taken apart, compared without regard to case, and their names checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from sandbox.azure.errors import ArmError

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-[a-z]+)?")

MAX_NAME = 260
MAX_GROUP = 90
_BAD_IN_NAME = re.compile(r"[<>%&:\\?/#\x00-\x1f\x7f]")
_BAD_IN_GROUP = re.compile(r"[^\w.()-]")


@dataclass(frozen=True, slots=True)
class Target:
    """What an address of a resource provider means.

    Attributes:
        subscription: its id as given, or None above subscriptions.
        group: the resource group's name as given, or None.
        scope: the id of what holds the resource: "" (tenant), a subscription, a group, or another resource.
        namespace: the provider, as given.
        types: type names, outermost first.
        names: resource names, outermost first; one fewer than `types` where the address is a collection or an action.
    """

    subscription: str | None
    group: str | None
    scope: str
    namespace: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Namespace and types, as given."""
        return "/".join((self.namespace, *self.types))

    @property
    def whole(self) -> bool:
        """Whether the address names one resource, not a collection or an action."""
        return len(self.types) == len(self.names)

    @property
    def owner(self) -> Target:
        """The resource whose collection or action this is."""
        return Target(self.subscription, self.group, self.scope, self.namespace, self.types[:-1], self.names)

    @property
    def id(self) -> str:
        """The id, in the case of the request."""
        pairs = (f"/{kind}/{name}" for kind, name in zip(self.types, self.names, strict=False))
        return f"{self.scope}/providers/{self.namespace}{''.join(pairs)}"

    @property
    def container(self) -> str:
        """The id under which the resource is listed: its parent resource, or its scope."""
        outer = self.names if not self.whole else self.names[:-1]
        if not outer:
            return self.scope
        return Target(self.subscription, self.group, self.scope, self.namespace, self.types[: len(outer)], outer).id


def split(path: str) -> tuple[str, ...]:
    """The decoded segments of a path; empty ones are dropped, as ARM does.

    Raises:
        ArmError: a segment holds what no name may hold, or climbs.
    """
    segments = tuple(segment for segment in path.split("/") if segment)
    if "%" in path:
        segments = tuple(unquote(segment, errors="strict") for segment in segments)
    for segment in segments:
        if segment in (".", "..") or _BAD_IN_NAME.search(segment):
            raise ArmError(400, "InvalidResourceName", f"The path holds the illegal segment '{_printable(segment)}'.")
    return segments


@lru_cache(maxsize=128)  # several parts ask about one request
def parse(segments: tuple[str, ...]) -> Target | None:
    """The target of an address that ends in a provider's section, else None."""
    lower = tuple(segment.lower() for segment in segments)
    for index in range(len(lower) - 1, -1, -1):
        if lower[index] == "providers":
            break
    else:
        return None
    rest = segments[index + 1 :]
    if len(rest) < 2:
        return None
    subscription = segments[1] if len(lower) > 1 and lower[0] == "subscriptions" else None
    group = segments[3] if subscription and len(lower) > 3 and lower[2] == "resourcegroups" else None
    pairs = rest[1:]
    return Target(
        subscription=subscription,
        group=group,
        scope="".join(f"/{segment}" for segment in segments[:index]),
        namespace=rest[0],
        types=pairs[0::2],
        names=pairs[1::2],
    )


def parse_id(text: str) -> Target | None:
    """The target of a resource id, or None where it is no id of one resource."""
    try:
        target = parse(split(text))
    except (ArmError, UnicodeDecodeError):
        return None
    return target if target and target.whole and text.startswith("/") else None


def check_name(name: str, pattern: re.Pattern[str] | None, longest: int) -> None:
    """Refuse a resource's name that its type does not allow.

    Raises:
        ArmError: 400.
    """
    if len(name) > longest:
        raise ArmError(
            400,
            "InvalidResourceName",
            f"The provided resource name '{name[:40]}...' has length '{len(name)}' "
            f"which exceeds the maximum length of '{longest}'.",
        )
    if (pattern and not pattern.fullmatch(name)) or name.endswith((" ", ".")):
        raise ArmError(
            400,
            "InvalidResourceName",
            f"Resource name {_printable(name)} is invalid. The name must match '{pattern.pattern if pattern else ''}' "
            "and must not end in a blank or a full stop.",
        )


def check_group(name: str) -> None:
    """Refuse a resource group's name that ARM does not allow.

    Raises:
        ArmError: 400.
    """
    if len(name) > MAX_GROUP:
        why = f"has length '{len(name)}' which exceeds the maximum length '{MAX_GROUP}'"
    elif bad := _BAD_IN_GROUP.findall(name):
        why = f"has these invalid characters: '{_printable(''.join(sorted(set(bad))))}'"
    elif name.endswith("."):
        why = "ends with a period"
    else:
        return
    raise ArmError(
        400,
        "InvalidResourceGroup",
        f"The provided resource group name {why}. The name can only be a letter, digit, '-', '.', '(', ')' or '_'.",
    )


def _printable(text: str) -> str:
    return text.encode("unicode_escape").decode()[:80]
