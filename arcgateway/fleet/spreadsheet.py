"""Clusters from a table (CSV), as inventories give them, written into a fleet's file."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml

from arcgateway.errors import Failure
from arcgateway.fleet import regions
from arcgateway.fleet.assignment import Assigned, assign
from arcgateway.fleet.checks import checked
from arcgateway.fleet.description import FleetError, Problem
from arcgateway.fleet.document import CLUSTER_FORMS, NAME_OF_GATEWAY, NAME_OF_RING, OTHER_WORDS
from arcgateway.fleet.positions import Document, Keys, Twice, YamlProblem, last_line
from arcgateway.ids import is_subscription
from arcgateway.stack_settings import nearest

#: The column of the cluster's key.
KEY = "key"

#: Words for that column.
_KEYS = (KEY, "name", "cluster")

_SECRETS = "configurationProtectedSettings"

#: Settings whose columns name what is below them: `tags.site`.
_BELOW = {"tags": 1, "configurationSettings": 2}


@dataclass(frozen=True)
class Row:
    """One cluster of a table: the line where its row begins, counted from 1, and its settings."""

    line: int
    settings: Mapping[str, Any]


@dataclass
class Table:
    """What a table holds.

    Attributes:
        rows: by the clusters' keys.
        twice: keys that have another row.
        problems: what is wrong with the table itself.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    twice: list[Twice] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read(text: str) -> Table:
    """Read a table: a head with the names of settings, and a row for each cluster. An empty cell says nothing.

    Args:
        text: the table, its fields divided by comma, semicolon or tab.
    """
    made = Table()
    text = text.removeprefix("\ufeff")
    first = text.partition("\n")[0]
    lines = csv.reader(StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    columns: list[tuple[str, ...]] = []
    before = 0
    try:
        for cells in lines:
            line, before = before + 1, lines.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = list(_columns(cells, line, made.problems))
            else:
                _add(made, columns, [cell.strip() for cell in cells], line)
    except csv.Error as error:
        made.problems.append(Problem(before + 1, "", f"is no row of a table: {error}"))
    if not columns:
        made.problems.append(Problem(1, "", f"is empty: begin with a row of names, {KEY},ring,location,..."))
    return made


def imported(table: Path, rows: str, into: Path, text: str) -> Assigned:
    """Put the clusters of a table into a fleet's file, each with its place; those that are there already stay.

    Args:
        table, rows: the table's file, for messages, and its text.
        into, text: the fleet's file, for messages, and its text.

    Raises:
        FleetError: everything that is wrong with the table, or with the fleet's file.
        Failure: the file's clusters cannot be added to.
    """
    try:
        base = Document(text)
    except YamlProblem as problem:
        raise FleetError(into, [Problem(problem.line, "", f"is no YAML: {problem}")]) from None
    if isinstance(base.value, dict) and base.value.get("clusters", ...) is None:
        base.value["clusters"] = {}
    _, problems = checked(base, into.parent, None, limits=False)
    if problems:
        raise FleetError(into, problems)
    found = read(rows)
    there = base.value["clusters"]
    for key in sorted(set(found.rows) & set(there)):
        text_ = f"is in {into} already (line {base.line(('clusters', key))}): remove the row, or the entry there"
        found.problems.append(Problem(found.rows.pop(key).line, f"clusters.{key}", text_))
    _, problems = checked(_Together(base, found), into.parent, None, limits=False)
    if problems or found.problems:
        raise FleetError(table, [*found.problems, *problems], "mend the table")
    return assign(_added(text, found.rows), into, found.rows)


def starter(rows: str) -> str:
    """A fleet's file without clusters, as a table suggests it: what it cannot know is there to be changed."""
    settings = [row.settings for row in read(rows).rows.values()]

    def used(name: str, right: Callable[[str], object]) -> list[str]:
        return list(dict.fromkeys(one[name] for one in settings if isinstance(one.get(name), str) and right(one[name])))

    gateway = {
        "subscriptionId": next(iter(used("subscriptionId", is_subscription)), "00000000-0000-0000-0000-000000000000"),
        "resourceGroup": "arc-gateways",
        "createResourceGroup": True,
        "location": next(iter(used("location", regions.public().__contains__)), "eastus"),
    }
    rings = used("ring", re.compile(NAME_OF_RING).fullmatch) or ["all"]
    gateways = used("gateway", re.compile(NAME_OF_GATEWAY).fullmatch) or ["main"]
    made = {
        "name": "fleet",
        "rings": [{"name": name} for name in rings],
        "gateways": {name: {**gateway} for name in gateways},
        "proxies": {name: {"httpsUrl": "http://proxy.invalid:3128"} for name in used("proxy", bool)},
        "clusters": {},
    }
    head = "# Made of a table: change the name, the gateways and the proxies' addresses before anything is deployed.\n"
    return head + yaml.safe_dump(made, sort_keys=False, allow_unicode=True)


class _Together:
    """A fleet's file with the clusters of a table, whose lines are the table's."""

    def __init__(self, base: Document, table: Table) -> None:
        self.twice = table.twice
        added = {key: dict(row.settings) for key, row in table.rows.items()}
        self.value = {**base.value, "clusters": {**base.value["clusters"], **added}}
        self._base, self._rows = base, table.rows

    def line(self, path: Keys) -> int:
        if len(path) > 1 and path[0] == "clusters" and path[1] in self._rows:
            return self._rows[str(path[1])].line
        return self._base.line(path)


def _columns(cells: Sequence[str], line: int, problems: list[Problem]) -> Iterator[tuple[str, ...]]:
    """The path of the setting that each column holds."""
    known = {name.lower(): name for name in _kinds()} | {word.lower(): name for word, name in OTHER_WORDS.items()}
    keys = [word for word in _KEYS if word in {cell.strip().lower() for cell in cells}]
    if not keys:
        problems.append(Problem(line, "", f"has no column `{KEY}`: the clusters' keys in the fleet's file"))
    seen = set[tuple[str, ...]]()
    for cell in cells:
        first, *below = cell.strip().split(".", 2)
        name = known.get(first.lower(), "")
        path = (KEY,) if keys and first.lower() == keys[0] else (name, *below)
        text = ""
        if path[0] == _SECRETS:
            text = "holds secrets: write them into the fleet's file, as `{fromEnv: NAME}`"
        elif not path[0]:
            text = f"is not a setting of a cluster: {nearest(first, sorted(_kinds()))}"
        elif len(below) != _BELOW.get(name, 0):
            text = f"has to be called {'.'.join([name, 'NAME', 'NAME'][: _BELOW.get(name, 0) + 1])}"
        elif path in seen:
            text = "is there twice: remove one of the two columns"
        seen.add(path)
        if text:
            problems.append(Problem(line, cell.strip(), text))
        yield path


def _add(made: Table, columns: Sequence[tuple[str, ...]], cells: Sequence[str], line: int) -> None:
    if len(cells) > len(columns):
        made.problems.append(
            Problem(line, "", f"has {len(cells)} fields, and the head {len(columns)}: quote what holds a divider")
        )
    settings: dict[str, Any] = {}
    for path, cell in zip(columns, cells, strict=False):
        at = settings
        for part in path[:-1]:
            at = at.setdefault(part, {}) if cell else at
        if cell and path[0]:
            at[path[-1]] = cell if len(path) > 1 else _typed(path[0], cell)
    key = settings.pop(KEY, None)
    if key is None:
        made.problems.append(Problem(line, "", f"has no `{KEY}`: give the cluster one, or remove the row"))
    elif key in made.rows:
        before = made.rows[key]
        made.twice.append(Twice(("clusters", key), line, before.line, (before.settings, settings)))
    else:
        made.rows[key] = Row(line, settings)


@cache
def _kinds() -> Mapping[str, frozenset[type]]:
    """The types that each setting of a cluster may have."""
    found: dict[str, set[type]] = {}
    for form in CLUSTER_FORMS.values():
        form.model_rebuild()
        for one in form.model_fields.values():
            found.setdefault(str(one.alias), set()).update(_types(one.annotation))
    return {name: frozenset(types) for name, types in found.items()}


def _types(annotation: Any) -> Iterator[type]:
    if get_origin(annotation) is Literal:
        yield from map(type, get_args(annotation))
    elif isinstance(annotation, type):
        yield annotation
    else:
        for part in get_args(annotation):
            yield from _types(part)


def _typed(name: str, cell: str) -> Any:
    """A cell as YAML would have it: a boolean or a number where the setting is one."""
    truths = {"true": True, "false": False}
    kinds = _kinds().get(name, frozenset())
    if cell.lower() in truths and (bool in kinds or name == "gateway"):
        return truths[cell.lower()]
    return int(cell) if int in kinds and cell.isascii() and cell.isdigit() else cell


def _added(text: str, rows: Mapping[str, Row]) -> str:
    """The text with entries after the last cluster."""
    root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    assert isinstance(root, yaml.MappingNode)
    key, node = next((key, value) for key, value in root.value if key.value == "clusters")
    if isinstance(node, yaml.CollectionNode) and node.value and node.flow_style:
        raise Failure("the file's `clusters` is in braces", "write each cluster on a line of its own, without them")
    newline = "\r\n" if "\r\n" in text else "\n"
    indent = node.value[0][0].start_mark.column if node.value else 2
    lines = "".join(f"{' ' * indent}{_inline(key)}: {_inline(row.settings)}{newline}" for key, row in rows.items())
    if not node.value:
        start, end = key.end_mark.index, node.end_mark.index
        return f"{text[:start]}:{newline}{lines.rstrip()}{text[max(end, start + 1) :]}"
    kept = list(StringIO(text, newline=""))
    after = last_line(node) + 1
    before = "".join(kept[:after])
    return before + ("" if before.endswith("\n") else newline) + lines + "".join(kept[after:])


def _inline(value: object) -> str:
    """A value on one line, as JSON where YAML would need quotes."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_inline(key)}: {_inline(one)}" for key, one in value.items()) + "}"
    plain = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=10**6).strip()[1:-1]
    return plain if "\n" not in plain else json.dumps(value)
