"""What every part of the local Azure passes around: the call, the reply, the service's own state, its clock."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from sandbox.azure.errors import ArmError, invalid_content, missing_api_version
from sandbox.azure.store import Json, Store
from sandbox.home import Identity

if TYPE_CHECKING:
    from sandbox.azure.faults import Fault

Kind = TypeVar("Kind")
Shape = type | list["Shape"] | dict[str, "Shape"]

#: Levels of a body's JSON, as ARM's own reader counts them, and digits of a whole number in it.
MAX_DEPTH, MAX_DIGITS = 64, 300


@dataclass(frozen=True)
class Principal:
    """Who calls: an application's id and its object id in the tenant."""

    app_id: str
    object_id: str


@dataclass(frozen=True)
class Ending:
    """How a long-running operation is to end, where it is not to succeed.

    Attributes:
        status: Failed or Canceled; "" for one that goes on for ever.
        error: what the operation then shows.
    """

    status: str
    error: Json | None = None


@dataclass
class Call:
    """One request.

    Attributes:
        method: upper case.
        base: scheme and authority that the client asked under, without a slash at the end.
        path: as it came, undecoded, without the query.
        query: parameters by lower-cased name; of a repeated one the first.
        headers: by lower-cased name.
        body: as it came.
        request_id: of this request; also its correlation id unless the client set one.
        principal: who calls, once that is known.
        ending: how the operation that this request begins is to end, where a fault says so.
    """

    method: str
    base: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    request_id: str
    principal: Principal = field(default=Principal("", ""))
    ending: Ending | None = None

    @property
    def correlation_id(self) -> str:
        """The id that ties the requests of one act together."""
        return self.headers.get("x-ms-correlation-request-id", self.request_id)

    @property
    def api_version(self) -> str:
        """The `api-version`, in lower case.

        Raises:
            ArmError: there is none.
        """
        version = self.query.get("api-version", "")
        if not version:
            raise missing_api_version()
        return version.lower()

    @cached_property
    def document(self) -> Json:
        """The body as a JSON object.

        Raises:
            ArmError: it is something else.
        """
        if not self.body:
            raise ArmError(400, "InvalidRequestContent", "The request content was invalid: it is empty.")
        try:
            found = _read(self.body)
        except (ValueError, RecursionError) as problem:
            raise invalid_content(str(problem)) from None
        if not isinstance(found, dict):
            raise invalid_content(f"an object is expected, not {_kind_of(found)}")
        return found

    @property
    def properties(self) -> Json:
        """The document's `properties`; an empty object where there are none.

        Raises:
            ArmError: they are no object.
        """
        return optional(self.document.get("properties"), dict, "properties")


@dataclass(frozen=True)
class Delivery:
    """How an answer goes out, where not at once and whole.

    Attributes:
        reset: not at all; the connection is reset instead.
        first_byte: seconds before the first byte.
        rate: bytes of the body a second.
    """

    reset: bool = False
    first_byte: float = 0.0
    rate: float = 0.0


@dataclass
class Reply:
    """One answer: `body` is sent as JSON unless it is bytes; None is no body."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delivery: Delivery | None = None


def refusal(error: ArmError) -> Reply:
    """An error as an answer."""
    return Reply(error.status, error.body, error.headers)


#: Seconds by which the clock can be ahead of the machine's: years have four digits.
LATEST = 3000 * 365 * 86400


class Clock:
    """The sandbox's time: the machine's, moved forward at will; it remembers by how much."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._offset = float(store.setting("clock.offset", 0.0))

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move forward; never back, or what is done would be undone.

        Raises:
            ValueError: `seconds` is negative or no finite number.
        """
        if not 0 <= seconds < 10**9 or self._offset + seconds > LATEST:
            raise ValueError("a clock moves forward only, by less than 10^9 seconds, and 3,000 years at most")
        self._offset += seconds
        self._store.set("clock.offset", self._offset)


def stamp(at: float) -> str:
    """A time as ARM writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass
class Azure:
    """The service's state.

    Attributes:
        identity: the one service principal, its tenant and subscription.
        charts: the folder whose charts the registry serves.
        durations: seconds that operations take, where they differ from the table: by "TYPE:ACTION" in lower case.
        recent: the last requests, for people and tests that ask what arrived.
        next_due: when the next operation ends, on the sandbox's clock.
        faults: those that are set, in the order in which they were added.
    """

    identity: Identity
    store: Store
    charts: Path
    clock: Clock = field(init=False)
    durations: dict[str, float] = field(init=False)
    recent: deque[Json] = field(default_factory=lambda: deque(maxlen=1000))
    next_due: float | None = field(init=False)
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = Clock(self.store)
        self.durations = dict(self.store.setting("durations", {}))
        self.next_due = self.store.next_due()


def expect(value: Any, kind: type | tuple[type, ...], where: str) -> Any:
    """The value itself when it is of a kind (a bool is no number).

    Raises:
        ArmError: it is of another.
    """
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        names = " or ".join(sorted(_NAMES[one] for one in (kind if isinstance(kind, tuple) else (kind,))))
        raise invalid_content(f"'{where}' must be {names}, not {_kind_of(value)}")
    return value


def optional(value: Any, kind: type[Kind], where: str) -> Kind:
    """The value when it is of a kind, and an empty one for null.

    Raises:
        ArmError: it is of another kind.
    """
    return kind() if value is None else expect(value, kind, where)


def conform(value: Any, shape: Shape, where: str) -> None:
    """Refuse a value that has not the shape of a table.

    Args:
        value: of a request; null stands for any property, and names that the table lacks are passed over.
        shape: a kind; a list of one shape for an array; properties by name for an object, "*" for all of them.
        where: the value's path.

    Raises:
        ArmError: something in it is of another kind.
    """
    if isinstance(shape, dict):
        expect(value, dict, where)
        rest = shape.get("*")
        for name in value if rest else shape.keys() & value.keys():
            if value[name] is not None:
                conform(value[name], rest or shape[name], f"{where}.{name[:60]}" if where else name)
    elif isinstance(shape, list):
        for one in expect(value, list, where):
            conform(one, shape[0], f"{where}[]")
    else:
        expect(value, shape, where)


_NAMES = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null", int: "a number"}


def _kind_of(value: Any) -> str:
    return _NAMES.get(type(value), "a number")


def _read(body: bytes) -> Any:
    """A body's JSON; of a name that is there twice the last value, as ARM reads it.

    Raises:
        ValueError: it is none, or none that can be sent back: not UTF-8, half a surrogate pair, nested too deeply.
    """
    found = json.loads(body.decode("utf-8-sig"), parse_constant=_no_constant, parse_float=_finite, parse_int=_short)
    if b"\\u" in body:
        json.dumps(found, ensure_ascii=False).encode()
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _deeper(found, MAX_DEPTH):
        raise ValueError(f"The reader's MaxDepth of {MAX_DEPTH} has been exceeded")
    return found


def _deeper(value: Any, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not layer:
            return False
    return True


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _short(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"the number {text[:40]}... has more than {MAX_DIGITS} digits")
    return int(text)
