"""The table of types against the SDK that programs use: the same names, the same API versions."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest

from sandbox.plugins.azure_types import TYPES


@pytest.mark.parametrize("token", TYPES)
def test_names_and_versions_are_those_of_the_sdk(token: str) -> None:
    arm = TYPES[token]
    _, module, name = token.split(":")
    resource = getattr(importlib.import_module(f"pulumi_azure_native.{module}"), name)
    source = inspect.getsource(importlib.import_module(resource.__module__))
    set_by_sdk = re.findall(r'__props__\.__dict__\["(\w+)"\] = (\w+)', source.split("def _internal_init")[1])
    assert {_snake(field) for field in arm.inputs} == {name for name, value in set_by_sdk if value != "None"}

    getters = re.findall(r"@pulumi\.getter.*\n    def (\w+)\(self\) -> pulumi\.Output", source)
    ours = {_snake(field) for field in arm.fields} - {"id"}
    assert ours >= set(getters) - {"azure_api_version"}
    assert ours - set(getters) <= {"system_data"}
    if arm.api_version:
        assert f"REST API version {arm.api_version}." in source


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
