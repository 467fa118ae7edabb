"""The operator's objects on a real API server that has the operator's own CRD."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pipeline_files import PUBLISHED, documents, example
from running_sandbox import Sandbox
from waiting import until

pytestmark = pytest.mark.long

CRD = PUBLISHED / "pulumi.com_stacks.json"


@pytest.fixture(scope="module")
def cluster(sandbox: Sandbox) -> Sandbox:
    kubectl(sandbox, "apply", "--server-side", "--filename", str(CRD))
    # `kubectl wait` takes a definition that has no conditions yet for an error.
    until(lambda: kubectl(sandbox, "get", "stacks.pulumi.com", "-A", check=False).returncode == 0)
    return sandbox


def kubectl(sandbox: Sandbox, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return sandbox.run("kubectl", *words, **options)


def test_the_api_server_takes_every_object_as_it_was_written(cluster: Sandbox, tmp_path: Path) -> None:
    for path, text in example("operator").items():
        (tmp_path / path).write_text(text)
    kubectl(cluster, "apply", "--server-side", "--validate=strict", "--filename", str(tmp_path))
    written = [one for text in example("operator").values() for one in documents(text) if one["kind"] == "Stack"]
    for one in written:
        name = one["metadata"]["name"]
        found = json.loads(kubectl(cluster, "get", "stack.pulumi.com", name, "-n", "arc-fleet", "-o", "json").stdout)
        # What a schema does not know is pruned without a word: so nothing may be missing.
        assert found["spec"] == one["spec"], name
        assert found["metadata"]["labels"] == one["metadata"]["labels"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"resyncFrequencySeconds": "hourly"}, "resyncFrequencySeconds"),
        ({"prerequisite": [{"name": "x"}]}, 'unknown field "spec.prerequisite"'),
        ({"workspaceReclaimPolicy": "Forget"}, "workspaceReclaimPolicy"),
    ],
    ids=["a wrong type", "an unknown key", "an unknown word"],
)
def test_the_api_server_does_look(cluster: Sandbox, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    stack = next(one for text in example("operator").values() for one in documents(text) if one["kind"] == "Stack")
    stack = {**stack, "metadata": {"name": "broken", "namespace": "default"}, "spec": {**stack["spec"], **change}}
    (tmp_path / "stack.yaml").write_text(yaml.safe_dump(stack))
    file = str(tmp_path / "stack.yaml")
    done = kubectl(cluster, "apply", "--dry-run=server", "--validate=strict", "--filename", file, check=False)
    assert done.returncode != 0 and words in done.stderr
