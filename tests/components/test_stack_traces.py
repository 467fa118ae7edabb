"""What the SDK records of where a resource was declared: enough to find the program's line, and little state."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import pytest
from mock_engine import CLUSTER, deploy

import components
from components.component import short_stack_traces


def test_a_cluster_records_the_programs_line_and_not_the_whole_interpreter() -> None:
    def program() -> list[Any]:
        return [components.ConnectedCluster("one", CLUSTER).urn]

    requests = [request for request in deploy(program).requests if request.name == "one"]
    assert {request.type for request in requests} == {"arc-gateway:index:ConnectedCluster", "command:local:Command"}
    for request in requests:
        files = [frame.pc.uri for frame in request.stackTrace.frames]
        assert any(file.endswith("test_stack_traces.py") for file in files)
        assert len(files) <= 12


@pytest.mark.parametrize("before", [None, 50])
def test_the_limit_is_of_the_registration_alone(monkeypatch: pytest.MonkeyPatch, before: int | None) -> None:
    monkeypatch.delattr(sys, "tracebacklimit", raising=False)
    if before is not None:
        monkeypatch.setattr(sys, "tracebacklimit", before, raising=False)
    with pytest.raises(RuntimeError), short_stack_traces():
        assert len(traceback.extract_stack()) <= 12
        raise RuntimeError
    assert getattr(sys, "tracebacklimit", None) == before
