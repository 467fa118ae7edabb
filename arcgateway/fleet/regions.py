"""The regions of Azure's public cloud: dated data, as new ones open."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def _table() -> Mapping[str, Any]:
    table: Mapping[str, Any] = json.loads(files("arcgateway.fleet").joinpath("regions.json").read_text())
    return table


def date() -> str:
    """The day that the list is of."""
    return str(_table()["date"])


def public() -> Mapping[str, str]:
    """The regions, from the name in resources (`eastus`) to the one that people say (`East US`)."""
    return dict(_table()["regions"])
