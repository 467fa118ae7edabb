"""The pack on a program in the classes of Pulumi's SDKs, which complete and rename what is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from engine_runs import PREVIEW, PYTHON, UP, Project
from policy_cases import RULE_BY_NAME

from sandbox.plugins.anything import AnyProvider, serving

PROGRAM = Path(__file__).parent / "typed_program/__main__.py"
pytestmark = pytest.mark.long


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    settings = yaml.safe_dump({"name": "typed", "runtime": PYTHON})
    with serving([AnyProvider(name, {}) for name in ("azure-native", "command", "kubernetes")]) as providers:
        yield Project.made(
            tmp_path, {"Pulumi.yaml": settings, "__main__.py": PROGRAM.read_text()}, PULUMI_DEBUG_PROVIDERS=providers
        )


def test_a_sound_stack_is_deployed_without_a_word(project: Project) -> None:
    for command in (PREVIEW, UP):
        run = project.run(command)
        assert (run.code, run.said) == (0, []), run.text


def test_every_rule_refuses_the_resource_that_breaks_it(project: Project) -> None:
    run = project.run((*PREVIEW, "-c", "broken=true"))
    assert run.code != 0
    refused = {(said.policy.removesuffix("-in-stack"), said.name) for said in run.said if said.mandatory}
    for rule in RULE_BY_NAME.values():
        assert rule.advisory or any(rule.name == policy and name.startswith(rule.name) for policy, name in refused), (
            f"{rule.name} is silent"
        )
