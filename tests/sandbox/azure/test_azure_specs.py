"""The examples of the published REST specifications, replayed: see specs/README.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_azure import GATEWAYS, LocalAzure

SPECS = Path(__file__).with_name("specs")
VERBS = ("put", "get", "patch", "post", "delete")
#: Longer than nothing, so that operations are seen on their way.
SECONDS = 60
KINDS: Mapping[str, type | tuple[type, ...]] = {"text": str, "number": (int, float), "flag": bool}


@pytest.mark.parametrize("story", sorted(path.stem for path in SPECS.glob("*.yaml")))
def test_a_published_story(fresh: LocalAzure, story: str) -> None:
    found = yaml.safe_load((SPECS / f"{story}.yaml").read_text())
    group = fresh.group()
    machine = f"{group}/providers/Microsoft.HybridCompute/machines/testMachine"
    assert fresh.call("PUT", machine, GATEWAYS, {"location": "eastus"}).status_code == 201
    names = {
        "{group}": group,
        "{subscription}": fresh.subscription,
        "{tenant}": fresh.identity.tenant_id,
        "{machine}": machine,
    }
    fresh.durations(gateway=SECONDS, cluster=SECONDS)
    wrong = []
    for step in ours(found["steps"], names):
        (verb,) = (verb for verb in VERBS if verb in step)
        (status,) = (key for key in step if isinstance(key, int))
        answer = fresh.call(verb.upper(), step[verb], step.get("version", found["version"]), step.get("body"))
        if answer.status_code != status:
            wrong.append(f"{step['example']}: {answer.status_code} for {status}: {answer.text[:200]}")
        missing = [name for name in step.get("headers", ()) if name not in answer.headers]
        wrong += [f"{step['example']}: no header {name}" for name in missing]
        if step.get("gone"):
            assert answer.content == b""
        elif answer.content:
            wrong += [f"{step['example']}: {problem}" for problem in differences(answer.json(), step[status], "")]
        fresh.advance(SECONDS + 1)
    assert not wrong, "\n".join(wrong)


def ours(value: Any, names: Mapping[str, str]) -> Any:
    """A story with the sandbox's own ids."""
    if isinstance(value, dict):
        return {key: ours(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [ours(inner, names) for inner in value]
    if isinstance(value, str):
        for name, own in names.items():
            value = value.replace(name, own)
    return value


def differences(value: Any, shape: Any, where: str) -> Iterator[str]:
    """Where a document is not of a shape."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            yield f"{where} is {value!r}, no object"
            return
        for name, inner in shape.items():
            if (name in value) == (inner == "absent"):
                yield f"{where}.{name} is {'there' if name in value else 'missing'}"
            elif name in value:
                yield from differences(value[name], inner, f"{where}.{name}")
    elif isinstance(shape, list):
        if not isinstance(value, list) or (shape and not value):
            yield f"{where} is {value!r}, no array as {shape}"
            return
        for index, one in enumerate(value):
            yield from differences(one, shape[0], f"{where}[{index}]")
    elif shape.startswith("="):
        if str(value).lower() != shape[1:].strip('"').lower():
            yield f"{where} is {value!r}, not {shape[1:]}"
    elif not isinstance(value, KINDS[shape]) or (shape == "number" and isinstance(value, bool)):
        yield f"{where} is {value!r}, no {shape}"
