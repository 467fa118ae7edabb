"""Patterns of actions in Azure's roles."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcgateway.rights import matches

READ = "Microsoft.HybridCompute/gateways/read"


@pytest.mark.parametrize(
    "pattern",
    [
        READ,
        READ.lower(),
        "*",
        "*/READ",
        "Microsoft.*/read",
        "Microsoft.HybridCompute/*",
        "microsoft.hybridcompute/*/read",
        "Microsoft.HybridCompute/gateways/re*ad",
        "*hybrid*gate*read*",
        "**",
    ],
)
def test_a_pattern_is_for_an_action(pattern: str) -> None:
    assert matches(pattern, READ)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "*/write",
        "Microsoft.HybridCompute",
        "Microsoft.HybridCompute/gateways",
        "Microsoft.HybridCompute/gateways/read/*",
        "*gateways/gateways*",
        "Microsoft.HybridCompute/gateways/read*read",
        "Microsoft?HybridCompute/gateways/read",
        "[mM]icrosoft.HybridCompute/gateways/read",
        READ.replace(".", "-"),
    ],
)
def test_a_pattern_is_not_for_an_action(pattern: str) -> None:
    assert not matches(pattern, READ)


@given(st.text(alphabet="ab*", max_size=12), st.text(alphabet="ab", max_size=12))
def test_a_star_stands_for_any_characters(pattern: str, action: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), action) is not None
    assert matches(pattern, action) == expected


def test_many_stars_take_no_time() -> None:
    started = time.process_time()
    assert not matches("*a" * 2_000 + "b", "a" * 100_000)
    assert time.process_time() - started < 2
