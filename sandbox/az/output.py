"""Printing a result as the real client does: `-o json|jsonc|yaml|yamlc|table|tsv|none` and `--query`."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from sandbox.az.errors import AzError

FORMATS = ("json", "jsonc", "yaml", "yamlc", "table", "tsv", "none")

_NOT_IN_TABLES = ("id", "type", "etag")
_COLOURS = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?P<colon>: )|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>\btrue\b|\bfalse\b|\bnull\b)'
)


def query(result: Any, expression: str) -> Any:
    """What a JMESPath expression selects; `{...}` keeps the order of its keys."""
    import jmespath  # type: ignore[import-untyped]
    from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]

    try:
        return jmespath.search(expression, result, jmespath.Options(dict_cls=OrderedDict))
    except JMESPathError as problem:
        raise AzError(
            f"Invalid jmespath query supplied for `--query`: {problem}",
            "To learn more about --query, please visit: 'https://learn.microsoft.com/cli/azure/query-azure-cli'",
        ) from problem


def render(result: Any, form: str, queried: bool = False, columns: tuple[str, ...] | None = None) -> str:
    """The text to print, its last line ended; empty for a result of None.

    Args:
        result: data as JSON knows it.
        form: one of FORMATS.
        queried: whether `--query` shaped the result, which then keeps its own order of keys.
        columns: what the command's own table shows.
    """
    if result is None:
        return ""
    return _RENDERERS[form](result, queried, columns)


def _json(result: Any, queried: bool, columns: tuple[str, ...] | None) -> str:
    return json.dumps(result, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _json_coloured(result: Any, queried: bool, columns: tuple[str, ...] | None) -> str:
    def paint(match: re.Match[str]) -> str:
        if match["key"]:
            return f"\x1b[94m{match['key']}\x1b[39;49;00m{match['colon']}"
        return f"\x1b[33m{match['text']}\x1b[39;49;00m" if match["text"] else f"\x1b[34m{match['word']}\x1b[39;49;00m"

    return _COLOURS.sub(paint, _json(result, queried, columns))


def _yaml(result: Any, queried: bool, columns: tuple[str, ...] | None) -> str:
    import yaml

    plain = json.loads(json.dumps(result))
    return str(yaml.safe_dump(plain, default_flow_style=False, allow_unicode=True))


def _table(result: Any, queried: bool, columns: tuple[str, ...] | None) -> str:
    from tabulate import tabulate

    rows = result if isinstance(result, list) else [result]
    if columns and not queried:
        rows = [{column: row.get(column) for column in columns} for row in rows]
    table = [_row(row, in_order=bool(queried or columns)) for row in rows]
    return tabulate(table, headers="keys", tablefmt="simple", disable_numparse=True) + "\n" if table else "\n"


def _row(item: Any, in_order: bool) -> dict[str, Any]:
    if isinstance(item, dict):
        return {
            key[:1].upper() + key[1:]: item[key]
            for key in (item if in_order else sorted(item))
            if key not in _NOT_IN_TABLES and item[key] is not None and not isinstance(item[key], dict | list)
        }
    if isinstance(item, list):
        return {f"Column{number}": value for number, value in enumerate(item, start=1)}
    return {"Result": item}


def _tsv(result: Any, queried: bool, columns: tuple[str, ...] | None) -> str:
    def cell(value: Any) -> str:
        if isinstance(value, list):
            return str(len(value))
        return "" if isinstance(value, dict) else str(value)

    def line(row: Any) -> str:
        if isinstance(row, dict):
            # What --query built comes in its own order, all else sorted by key.
            row = [row[key] for key in (row if isinstance(row, OrderedDict) else sorted(row))]
        if isinstance(row, list):
            return "\t".join(map(cell, row))
        return str(row).lower() if isinstance(row, bool) else cell(row)

    rows = result if isinstance(result, list) else [result]
    return "".join(line(row) + "\n" for row in rows)


def _none(result: Any, queried: bool, columns: tuple[str, ...] | None) -> str:
    return ""


_RENDERERS: dict[str, Callable[[Any, bool, tuple[str, ...] | None], str]] = {
    "json": _json,
    "jsonc": _json_coloured,
    "yaml": _yaml,
    "yamlc": _yaml,
    "table": _table,
    "tsv": _tsv,
    "none": _none,
}
