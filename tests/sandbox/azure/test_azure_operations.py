"""docs/sandbox.md says what the local Azure does, and names for each operation the test that proves it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from sandbox.azure import arm, catalogue, control, dataplane, graph, groups, login, metadata, resources
from sandbox.azure.catalogue import ResourceType
from sandbox.azure.routes import Routes

TESTS = Path(__file__).resolve().parents[2]
TABLE = TESTS.parent / "docs" / "sandbox.md"
_ROW = re.compile(r"\| `([A-Z]+ [^`]+)` \| ([^|]+) \| ([^|]+) \| `([\w.]+)::(\w+)` \|")

#: What is told apart by other means than a table of routes.
OTHERS = {
    f"GET /subscriptions/{{subscription}}/{'/'.join(arm.EVENTS)}",
    "GET /metadata/endpoints",
    "GET /v2/",
    "GET /v2/{repository}/tags/list",
    "GET /v2/{repository}/manifests/{reference}",
    "GET /v2/{repository}/blobs/{digest}",
    "HEAD any type",
    *(f"{verb} any other type" for verb in resources.USUAL if verb not in ("HEAD", "POST")),
}


def rows() -> list[tuple[str, str, str, str]]:
    """Operation in lower case, API versions, the test's file and its name."""
    found = [_ROW.fullmatch(line) for line in TABLE.read_text().splitlines() if re.match(r"\| `[A-Z]+ ", line)]
    assert all(found) and len(found) > 60
    return [(row[1].lower(), row[2], row[4], row[5]) for row in found if row]


def of_type(kind: ResourceType) -> set[str]:
    """A type's operations; HEAD is the same for all."""
    verbs = {*resources.USUAL, *kind.verbs}.difference(kind.lacks, ("HEAD", "POST"))
    return {f"{verb} {kind.name}" for verb in verbs} | {f"POST {kind.name}/{action}" for action in kind.actions}


def of_routes(routes: Routes) -> set[str]:
    return {f"{verb} {template}" for template, verbs in routes.table.items() for verb in verbs}


def test_every_operation_has_a_row_and_every_row_is_an_operation() -> None:
    controls = re.findall(r'\("([A-Z]+)", "(/sandbox/[\w-]+)"\)', inspect.getsource(control))
    assert controls
    operations = OTHERS.union(
        *map(of_routes, (arm.FIXED, login.ROUTES, graph.ROUTES)),
        *map(of_type, catalogue.types()),
        (f"POST {dataplane.PREFIX}{name}" for name in dataplane.HANDLERS),
        (f"{verb} {path}" for verb, path in controls),
    )
    listed = [operation for operation, *_ in rows()]
    assert sorted(listed) == sorted(operation.lower() for operation in operations)


def test_every_row_names_a_test_that_is_there() -> None:
    files = {path.name: path.read_text() for path in TESTS.rglob("test_*.py")}
    missing = [f"{file}::{test}" for _, _, file, test in rows() if f"\ndef {test}(" not in files.get(file, "")]
    assert missing == []


def test_every_row_has_the_versions_of_its_type() -> None:
    known = {kind.name.lower(): kind.versions for kind in catalogue.types()}
    known |= {"/subscriptions/{subscription}/resourcegroups": groups.VERSIONS, "/metadata/endpoints": metadata.VERSIONS}
    checked = set()
    for operation, versions, *_ in rows():
        address = operation.split(" ", 1)[1]
        for name, supported in known.items():
            if address == name or address.startswith(f"{name}/"):
                assert versions == f"{len(supported)}, {supported[0]} to {supported[-1]}", operation
                checked.add(name)
    assert checked == set(known)
