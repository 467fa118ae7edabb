"""Output, character by character as azure-cli 2.91 prints it."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.az.errors import AzError
from sandbox.az.output import query, render

ONE: dict[str, Any] = {
    "name": "east",
    "id": "/x",
    "gateway": {"enabled": True},
    "tags": {},
    "totalNodeCount": 1,
    "kind": None,
    "ü": [1],
}
TWO = [
    {"name": "b", "location": "eastus", "resourceGroup": "rg", "n": 1},
    {"name": "a", "location": "westus", "resourceGroup": "rg"},
]


@pytest.mark.parametrize(
    ("result", "form", "expression", "columns", "text"),
    [
        (ONE, "json", "{n:name,g:gateway.enabled}", None, '{\n  "g": true,\n  "n": "east"\n}\n'),
        (ONE, "json", "gateway.enabled", None, "true\n"),
        (ONE, "tsv", "gateway.enabled", None, "true\n"),
        (ONE, "tsv", "[name, gateway.enabled, totalNodeCount]", None, "east\ntrue\n1\n"),
        (ONE, "tsv", "{n:name, a:totalNodeCount}", None, "east\t1\n"),
        (TWO, "tsv", "[].[name, location]", None, "b\teastus\na\twestus\n"),
        (ONE, "json", "nothing", None, ""),
        (ONE, "none", None, None, ""),
        (["x"], "yaml", None, None, "- x\n"),
        (
            TWO,
            "table",
            None,
            ("name", "location", "resourceGroup"),
            "Name    Location    ResourceGroup\n------  ----------  ---------------\n"
            "b       eastus      rg\na       westus      rg\n",
        ),
        (ONE, "table", None, None, "Name    TotalNodeCount\n------  ----------------\neast    1\n"),
        (
            TWO,
            "table",
            "[].{region:location, name:name}",
            ("name",),
            "Region    Name\n--------  ------\neastus    b\nwestus    a\n",
        ),
        (True, "table", "@", None, "Result\n--------\nTrue\n"),
        ([], "table", None, ("name",), "\n"),
        ({"a": "é"}, "json", None, None, '{\n  "a": "é"\n}\n'),
    ],
)
def test_formats(result: Any, form: str, expression: str | None, columns: tuple[str, ...] | None, text: str) -> None:
    selected = query(result, expression) if expression else result
    assert render(selected, form, expression is not None, columns) == text


def test_coloured_json_is_the_same_without_its_colours() -> None:
    import re

    coloured = render(ONE, "jsonc")
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render(ONE, "json")


def test_a_wrong_query_is_an_error() -> None:
    with pytest.raises(AzError, match="Invalid jmespath query supplied for `--query`"):
        query(ONE, "[unclosed")
