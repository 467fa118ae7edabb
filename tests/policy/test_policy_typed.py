"""The pack on a program in the classes of Pulumi's SDKs, which complete and rename what is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from engine_runs import PREVIEW, PROJECT, PYTHON, UP, Project
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


YAML = f"""\
name: components
runtime: yaml
packages:
  arc-gateway: {PROJECT / "components"}
config:
  terminates: {{type: boolean, default: false}}
resources:
  gateway:
    type: arc-gateway:ArcGateway
    properties: {{resourceGroupName: arc, gatewayName: gw, location: eastus, protect: true}}
  proxy:
    type: arc-gateway:ProxySettings
    properties:
      httpsUrl: "http://proxy.example.com:3128"
      skipRange: [10.96.0.0/12]
      terminatesTls: ${{terminates}}
      preflight: "off"
"""


def test_the_projects_components_are_judged_in_another_language(tmp_path: Path) -> None:
    """They run in a process of their own here, and are judged by what they register there."""
    with serving([AnyProvider(name, {}) for name in ("azure-native", "command")]) as providers:
        project = Project.made(tmp_path, {"Pulumi.yaml": YAML}, PULUMI_DEBUG_PROVIDERS=providers)
        sound = project.run(PREVIEW)
        assert (sound.code, sound.said) == (0, []), sound.text
        refused = project.run((*PREVIEW, "-c", "terminates=true"))
    assert refused.code != 0
    assert {(said.policy, said.name) for said in refused.said} == {("no-tls-terminating-proxies", "proxy")}
    assert "proxy (arc-gateway:index:ProxySettings), property terminatesTls, " in refused.text
