"""Faults that are set: kept in the store, and matched with requests."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import translate
from functools import cached_property

from sandbox.azure import ids, tokens
from sandbox.azure.core import Azure, Call, stamp
from sandbox.azure.errors import ArmError
from sandbox.azure.fault_kinds import KINDS, Kind, Place
from sandbox.azure.store import Json

_KEY, _NEXT = "faults", "faults.next"


class Request:
    """A request as faults are matched with it.

    Attributes:
        call: the request itself.
        host: in lower case, without a port.
        place: which part of Azure answers it.
        path: in lower case, as the ids of resources are compared.
    """

    def __init__(self, call: Call, host: str, place: Place) -> None:
        self.call = call
        self.host = host
        self.place = place
        try:
            self._segments = ids.split(call.path)
        except (ArmError, UnicodeDecodeError):
            self._segments = tuple(call.path.split("/"))
        self.path = "/" + "/".join(self._segments).lower()

    @cached_property
    def type(self) -> str:
        """The resource type that it is about, in lower case."""
        target = ids.parse(self._segments)
        if target is not None:
            return (target.owner if self.call.method == "POST" and not target.whole else target).kind.lower()
        below = "resourcegroups" in self.path.split("/", 4)[3:4]
        return f"microsoft.resources/{'resourcegroups' if below else 'subscriptions'}"

    @cached_property
    def token_made(self) -> float | None:
        """When its token was made; None without one of ours."""
        return tokens.made(self.call.headers.get("authorization", ""))


@dataclass
class Fault:
    """One fault that is set.

    Attributes:
        id: its number.
        kind: one of `KINDS`.
        settings: what was given, with the defaults of the rest; times are seconds since the epoch.
        seen: how many requests matched.
        struck: how many of them it struck.
        stale: what reads of a resource show instead of it, by the resource's id in lower case.
    """

    id: int
    kind: str
    settings: Json
    seen: int = 0
    struck: int = 0
    stale: dict[str, Json] = field(default_factory=dict)

    @cached_property
    def _about(self) -> Kind:
        return KINDS[self.kind]

    @cached_property
    def _patterns(self) -> Mapping[str, re.Pattern[str]]:
        wanted = {"host": self.settings["host"], "path": self.settings["path"] or self._about.path}
        return {name: re.compile(translate(glob.lower())) for name, glob in wanted.items() if glob}

    def active(self, now: float) -> bool:
        """Whether it can still strike, or still shows what it struck."""
        return not self._spent(now) or any(_lasts(shown, now) for shown in self.stale.values())

    def _spent(self, now: float) -> bool:
        if self._about.act:
            return True
        count, until = self.settings["count"], self.settings["until"]
        return (count is not None and self.struck >= count) or (until is not None and now >= until)

    def matches(self, request: Request, now: float) -> bool:
        """Whether it is about this request."""
        settings, about = self.settings, self._about
        if self._spent(now) or request.call.method not in (settings["methods"] or about.methods):
            return False
        anywhere = about.anywhere and (settings["host"] or settings["path"])
        if not anywhere and request.place != about.place:
            return False
        if settings["type"] and settings["type"].lower() != request.type:
            return False
        for name, pattern in self._patterns.items():
            if not pattern.match(getattr(request, name)):
                return False
        if settings.get("tokens") == "older":
            return request.token_made is not None and request.token_made < settings["since"]
        return True

    def strikes(self, azure: Azure, request: Request) -> bool:
        """Whether it strikes a request that it is about; remembers that it was asked.

        With a probability that depends on the seed, the request (method and path), and how often this request has come
        before. So requests to different addresses may come in any order: the same ones meet the same faults.
        """
        settings = self.settings
        self.seen += 1
        probability = settings["probability"]
        if probability is not None:
            name = f"{request.call.method} {request.path}"
            draw = random.Random(f"{settings['seed']} {name} {azure.store.occurrence(self.id, name)}")  # noqa: S311
            if draw.random() >= probability:
                return False
        if self.seen <= (settings["skip"] or 0):
            return False
        self.struck += 1
        return True

    def remember(self, identifier: str, document: Json | None, now: float) -> None:
        """Have reads of a resource show what it was; None for nothing."""
        within, reads = self.settings["within"], self.settings["reads"]
        if reads is None and within is None:
            reads = 1
        until = None if within is None else now + within
        self.stale[identifier] = {"document": document, "reads": reads, "until": until}

    def shown_before(self, request: Request, now: float) -> dict[str, Json | None]:
        """What a read shows as it was before: the resource by its id, or those of its list; reads are counted."""
        if not self.stale or request.call.method not in ("GET", "HEAD"):
            return {}
        found: dict[str, Json | None] = {}
        for identifier, shown in list(self.stale.items()):
            if not _lasts(shown, now):
                del self.stale[identifier]
            elif request.path == identifier or request.path in _lists(identifier):
                found[identifier] = shown["document"]
                if shown["reads"] is not None:
                    shown["reads"] -= 1
        return found

    def view(self, now: float) -> Json:
        """The fault as it is listed."""
        shown = {name: value for name, value in self.settings.items() if value is not None}
        for name in ("until", "since"):
            if name in shown:
                shown[name] = stamp(shown[name])
        counts = {"seen": self.seen, "struck": self.struck, "active": self.active(now)}
        return {"id": self.id, "kind": self.kind, **shown, **counts}


def load(azure: Azure) -> None:
    """Take up the faults that were set before a restart."""
    azure.faults = [Fault(**kept) for kept in azure.store.setting(_KEY, [])]


def keep(azure: Azure) -> None:
    """Store how things stand."""
    azure.store.set(_KEY, [asdict(fault) for fault in azure.faults])


def add(azure: Azure, kind: str, settings: Json, struck: int = 0) -> Fault:
    """Set a fault as it was read, behind those that are set; `struck` is what it has done already."""
    number = azure.store.setting(_NEXT, 1)
    fault = Fault(number, kind, settings, struck=struck)
    azure.store.set(_NEXT, number + 1)
    azure.faults.append(fault)
    keep(azure)
    return fault


def remove(azure: Azure, number: int | None) -> None:
    """Remove one fault, or all. Once no fault is there that keeps operations from ending, they end.

    Raises:
        ArmError: 404, there is no such fault.
    """
    gone = [fault for fault in azure.faults if number in (None, fault.id)]
    if number is not None and not gone:
        known = ", ".join(str(fault.id) for fault in azure.faults) or "none"
        raise ArmError(404, "FaultNotFound", f"There is no fault {number}; set are: {known}.")
    with azure.store.transaction():
        azure.faults = [fault for fault in azure.faults if fault not in gone]
        for fault in gone:
            azure.store.forget_occurrences(fault.id)
        if not any(fault.kind == "operation-endless" for fault in azure.faults):
            azure.store.end_endless(azure.clock.now())
        keep(azure)
    azure.next_due = azure.store.next_due()


def _lasts(shown: Json, now: float) -> bool:
    return (shown["reads"] is None or shown["reads"] > 0) and (shown["until"] is None or now < shown["until"])


def _lists(identifier: str) -> tuple[str, ...]:
    """The paths of the lists that a resource is in: of its group or parent, and of its subscription."""
    near = identifier.rsplit("/", 1)[0]
    parts = near.split("/")
    if len(parts) == 8 and parts[3] == "resourcegroups":
        return near, "/".join((*parts[:3], *parts[5:]))
    return (near,)
