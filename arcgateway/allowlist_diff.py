"""An existing proxy's list against what must be open: what is missing, superfluous, too wide, or on the wrong port."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from arcgateway import endpoints
from arcgateway.allowlist import Allowlist, Entry
from arcgateway.endpoints import Endpoint
from arcgateway.host_lists import HostList, Line, Unjudged, lines_of, read_csv, read_plain
from arcgateway.squid_rules import SquidRules
from arcgateway.times import rfc3339

Shape = Literal["squid", "csv", "plain"]
SHAPES: tuple[Shape, ...] = ("squid", "csv", "plain")

#: No host that anybody lists: what admits it admits everything.
_ANYBODY = "arcgateway-diff.invalid"
_USUAL_PORTS = (443, 80, 8080, 8084, 8443)


@dataclass(frozen=True)
class Missing:
    """A needed name that the list does not admit.

    Attributes:
        endpoint: the name and the port that it needs.
        reason: what the list does with it.
        number: the line that says so; 0 for none.
        found_ports: the ports on which the list does admit it.
    """

    endpoint: Endpoint
    reason: str
    number: int = 0
    found_ports: str = ""


@dataclass(frozen=True)
class Superfluous:
    """A line that admits nothing needed.

    Attributes:
        line: the line.
        kind: `gateway-carries-it`, `not-in-use` (another scenario, region or gateway), or `not-arc`.
        reason: the same in words.
        entry: of the allowlist, where it may be closed because of the gateway.
    """

    line: Line
    kind: str
    reason: str
    entry: Entry | None = None


@dataclass(frozen=True)
class TooWide:
    """A line that admits far more than any published name.

    Attributes:
        line: the line.
        needed: the needed names that it admits, which are to stand in its place.
    """

    line: Line
    needed: tuple[Endpoint, ...]

    @property
    def mend(self) -> str:
        """What to do about it."""
        if not self.needed:
            return "remove it: nothing that is needed goes by it"
        return f"put {', '.join(dict.fromkeys(row.host for row in self.needed))} in its place"


@dataclass
class Difference:
    """What the comparison came to."""

    shape: Shape
    missing: list[Missing] = field(default_factory=list)
    superfluous: list[Superfluous] = field(default_factory=list)
    too_wide: list[TooWide] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The whole under camelCase names."""
        return {
            "form": self.shape,
            "complete": not self.missing,
            "missing": [_missing_json(one) for one in self.missing],
            "wrongPorts": [
                {**_named(one.endpoint), "found": one.found_ports, "line": one.number or None}
                for one in self.missing
                if one.found_ports
            ],
            "superfluous": [_superfluous_json(one) for one in self.superfluous],
            "tooWide": [
                {**_of_line(one.line), "admits": [row.host for row in one.needed], "mend": one.mend}
                for one in self.too_wide
            ],
            "unjudged": [{"line": one.number, "text": one.text, "reason": one.reason} for one in self.unjudged],
            "notes": self.notes,
        }


def shape_of(text: str, name: str) -> Shape:
    """Which form a list has, by its content and its file's name.

    Raises:
        ValueError: it is none of them.
    """
    content = [line.strip() for line in lines_of(text) if line.strip() and not line.strip().startswith(("#", ";"))]
    if not content:
        raise ValueError("there is nothing in it: give a list with at least one line")
    if any(re.match(r"(acl|http_access)\s", line) for line in content):
        return "squid"
    if content[0][0] in "{[<":
        raise ValueError("it is JSON or XML: give a squid.conf, a CSV file or a plain list")
    if name.lower().endswith((".csv", ".tsv")):
        return "csv"
    # A plain list may have several names in a line; a table has as many fields in each.
    for mark in ",;\t":
        counts = {line.count(mark) for line in content if not line.startswith("//")}
        if 0 not in counts and (len(content) > 1 or mark != ","):
            return "csv"
    return "plain"


def compare(text: str, shape: Shape, allowlist: Allowlist, folder: Path | None = None) -> Difference:
    """Compare a list with an allowlist.

    Args:
        text: the list.
        shape: its form.
        allowlist: what must be open, and what the gateway makes superfluous.
        folder: where a squid.conf's further files are looked for; None for nowhere.

    Raises:
        ValueError: it cannot be read in that form.
    """
    rules = SquidRules.read(text, folder) if shape == "squid" else None
    listed = rules.listed() if rules else _READERS[shape](text)
    found = Difference(shape, unjudged=listed.unjudged, notes=listed.notes)
    needed = [entry.endpoint for entry in allowlist.of("required")]
    for row in needed:
        lack = _squid_lacks(row, rules, listed) if rules and rules.has_rules else _list_lacks(row, listed)
        if lack is not None:
            found.missing.append(lack)
    if rules and rules.has_rules:
        anybody = rules.decide(_ANYBODY, 443)
        if anybody.allowed:
            listed.lines.append(Line(anybody.number, anybody.text, ("*",)))
    _judge_lines(found, listed.lines, needed, allowlist)
    return found


_READERS: Mapping[Shape, Callable[[str], HostList]] = {"csv": read_csv, "plain": read_plain}


def _list_lacks(row: Endpoint, listed: HostList) -> Missing | None:
    admitting = [line for line in listed.lines if line.admits(row.host)]
    if any(row.port in line.ports for line in admitting):
        return None
    if admitting:
        ports = ", ".join(dict.fromkeys(str(line.ports) for line in admitting))
        first = admitting[0]
        return Missing(row, f"line {first.number} opens port {ports}, and not {row.port}", first.number, ports)
    return _in_part(row, listed.lines) or Missing(row, "no line admits it")


def _squid_lacks(row: Endpoint, rules: SquidRules, listed: HostList) -> Missing | None:
    decision = rules.decide(row.host, row.port)
    if decision.allowed:
        doubted = [number for number in decision.doubts if not rules.allows(number)]
        if doubted:
            listed.notes.append(
                f"{row.host} is allowed, unless line {_numbers(doubted)}, which cannot be judged, denies it"
            )
        return None
    opening = [number for number in decision.doubts if rules.allows(number)]
    if opening:
        return Missing(
            row, f"no line is seen to admit it; line {_numbers(opening)}, which cannot be judged, may", opening[0]
        )
    others = {
        *_USUAL_PORTS,
        *(low for line in listed.lines for low, _ in line.ports.ranges),
    } - {row.port}
    open_on = [port for port in sorted(others) if rules.decide(row.host, port).allowed]
    if open_on:
        number = rules.decide(row.host, open_on[0]).number
        ports = ", ".join(map(str, open_on))
        return Missing(row, f"line {number} opens port {ports}, and not {row.port}", number, ports)
    said = f"line {decision.number} denies it: {decision.text}" if decision.number else "no line admits it"
    return _in_part(row, listed.lines) or Missing(row, said, decision.number)


def _in_part(row: Endpoint, lines: Iterable[Line]) -> Missing | None:
    parts = [line for line in lines if line.admits_part(row.host) and row.port in line.ports]
    if not parts:
        return None
    texts = ", ".join(line.text for line in parts[:3])
    return Missing(
        row, f"line {_numbers([line.number for line in parts])} admits a part of it: {texts}", parts[0].number
    )


def _judge_lines(found: Difference, lines: Sequence[Line], needed: Sequence[Endpoint], allowlist: Allowlist) -> None:
    known = endpoints.known(allowlist.gateway or None, allowlist.vault)
    kept = [entry.endpoint for entry in allowlist.of("kept")]
    machine = _of_the_deployment_machine(allowlist)
    bases = {row.host.removeprefix("*.") for row in [*known, *needed]}
    for line in lines:
        used = tuple(row for row in needed if line.admits(row.host))
        if any(_is_wide(glob, bases) for glob in line.globs):
            found.too_wide.append(TooWide(line, used))
        elif used or any(line.admits_part(row.host) or line.admits(row.host) for row in [*needed, *kept]):
            continue
        elif (reason := _superfluous(line, allowlist, known, machine)) is not None:
            found.superfluous.append(reason)


def _is_wide(glob: str, bases: Iterable[str]) -> bool:
    """Whether a glob admits more than the subdomains of a published name."""
    if "*" not in glob:
        return False
    if not glob.startswith("*."):
        return True if glob.startswith("*") else "*" in glob and not any(_below(glob, base) for base in bases)
    return not any(_below(glob[2:], base) for base in bases)


def _below(name: str, base: str) -> bool:
    """Whether a name is a published one, in which `*` is any one label, or below it."""
    ours, theirs = name.split("."), base.split(".")
    tail = ours[-len(theirs) :]
    return len(tail) == len(theirs) and all(label in (one, "*") for one, label in zip(tail, theirs, strict=True))


def _of_the_deployment_machine(allowlist: Allowlist) -> list[Endpoint]:
    hops: tuple[endpoints.Hop, ...] = ("workstation",)
    gateway, chosen = allowlist.gateway or None, allowlist.scenarios
    return [row for region in allowlist.regions for row in endpoints.required(gateway, region, chosen, hops=hops)]


def _superfluous(
    line: Line, allowlist: Allowlist, known: Sequence[Endpoint], machine: Sequence[Endpoint]
) -> Superfluous | None:
    its = any(_touches(line, row) for row in machine)
    closable = next((entry for entry in allowlist.of("removable") if _touches(line, entry.endpoint)), None)
    if closable is not None:
        besides = "; not for the deployment machine, which needs it where it leaves by this proxy" if its else ""
        return Superfluous(line, "gateway-carries-it", _closing(closable) + besides, closable)
    if its:
        return None
    meant = [row for row in known if _touches(line, row)]
    if meant:
        names = ", ".join(sorted({row.scenario for row in meant if row.scenario != endpoints.ALWAYS}))
        what = f"the scenario {names}, which is not in use" if names else "another region"
        return Superfluous(line, "not-in-use", f"it is of {what}: {meant[0].purpose}")
    if any(glob.endswith(".gw.arc.azure.com") for glob in line.globs):
        return Superfluous(line, "not-in-use", "it is another gateway's")
    return Superfluous(line, "not-arc", "it is no name of Azure Arc's: keep it where something else needs it")


def _touches(line: Line, row: Endpoint) -> bool:
    return line.admits(row.host) or line.admits_part(row.host)


def _closing(entry: Entry) -> str:
    if entry.waiting:
        when = f"not before {', '.join(entry.waiting)} is associated"
    elif entry.removable_at:
        when = f"from {rfc3339(entry.removable_at)}"
    else:
        when = "an hour after the last association"
    return f"the gateway carries it: close it {when}"


def _numbers(numbers: Iterable[int]) -> str:
    return ", ".join(str(number) for number in dict.fromkeys(numbers))


def _named(row: Endpoint) -> dict[str, Any]:
    return {"host": row.host, "port": row.port}


def _of_line(line: Line) -> dict[str, Any]:
    return {"line": line.number or None, "text": line.text}


def _missing_json(one: Missing) -> dict[str, Any]:
    return {
        **_named(one.endpoint),
        "purpose": one.endpoint.purpose,
        "reason": one.reason,
        "line": one.number or None,
    }


def _superfluous_json(one: Superfluous) -> dict[str, Any]:
    entry = one.entry
    return {
        **_of_line(one.line),
        "kind": one.kind,
        "reason": one.reason,
        "removableAt": rfc3339(entry.removable_at) if entry else None,
        "waitingFor": list(entry.waiting) if entry else [],
    }
