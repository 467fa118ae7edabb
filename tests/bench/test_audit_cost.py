"""The audit's memory does not depend on how long a log is, nor on how many destinations it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import audit

pytestmark = [pytest.mark.long, pytest.mark.timeout(280)]


@pytest.mark.parametrize("hosts", [500, 200_000], ids=["some destinations", "more than are told apart"])
def test_a_log_ten_times_as_long_takes_no_more_memory(tmp_path: Path, hosts: int) -> None:
    figures = audit.measure(tmp_path, 1, ["envoy"], hosts=hosts)
    assert figures.ratio("envoy") <= audit.TARGETS["ratio"], figures.plain()
    assert figures.memory("envoy", audit.LONG) <= audit.TARGETS["memory"], figures.plain()
