"""Our Python language host under the real engine."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from language_host_client import VENV, write

from sandbox.home import PROJECT


@dataclass
class Stack:
    """A project in a folder of its own, with a backend of its own."""

    folder: Path
    environment: dict[str, str]

    def pulumi(
        self, *arguments: str, folder: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROJECT / ".local/toolchain/bin/pulumi", *arguments, "--non-interactive"],
            cwd=folder or self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    for name in ("pulumi", "pulumi-language-python"):
        if not (PROJECT / ".local/toolchain/bin" / name).exists():
            pytest.fail(f"{name} is not there: run `make toolchain`")
    state = tmp_path / "state"
    state.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
    made = Stack(
        tmp_path / "program",
        {
            **clean,
            "PATH": f"{PROJECT}/.local/toolchain/bin:{os.environ['PATH']}",
            "PULUMI_HOME": str(tmp_path / "home"),
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        },
    )
    write(made.folder, f"name: demo\nruntime: {{name: python, options: {{virtualenv: {VENV}}}}}\n", "Pulumi.yaml")
    done = made.pulumi("stack", "init", "dev")
    assert done.returncode == 0, done.stderr
    return made


PROGRAM = """
import os, pulumi
class Box(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("x:y:Box", name, {"size": 1})
        self.register_outputs({})
Box("one")
pulumi.export("stack", os.environ["PULUMI_STACK"])
pulumi.export("key", pulumi.Config().require_secret("key"))
"""
PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy
def no_boxes(args, report):
    if args.resource_type == "x:y:Box":
        report("a box")
PolicyPack("pack", policies=[ResourceValidationPolicy(
    name="no-boxes", description="No boxes.", validate=no_boxes, enforcement_level=EnforcementLevel.MANDATORY)])
"""
COMPONENT = '''
from typing import Optional, TypedDict
import pulumi
from pulumi.provider.experimental import component_provider_host
class BoxArgs(TypedDict):
    size: pulumi.Input[int]
    """How big it is."""
class Box(pulumi.ComponentResource):
    doubled: pulumi.Output[int]
    def __init__(self, name: str, args: BoxArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        super().__init__("boxes:index:Box", name, args, opts)
        self.doubled = pulumi.Output.from_input(args["size"]).apply(lambda size: int(size) * 2)
        self.register_outputs({"doubled": self.doubled})
component_provider_host(name="boxes", components=[Box])
'''


def test_the_real_engine_runs_a_program_and_a_policy_pack(stack: Stack, tmp_path: Path) -> None:
    write(stack.folder, PROGRAM)
    assert stack.pulumi("config", "set", "--secret", "key", "s3cret", "--stack", "dev").returncode == 0
    done = stack.pulumi("up", "--yes", "--stack", "dev")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "from $PATH" not in done.stdout + done.stderr
    outputs = json.loads(stack.pulumi("stack", "output", "--json", "--stack", "dev").stdout)
    assert outputs == {"stack": "dev", "key": "[secret]"}
    pack = write(tmp_path / "pack", PACK)
    write(pack, f"runtime: {{name: python, options: {{virtualenv: {VENV}}}}}\n", "PulumiPolicy.yaml")
    refused = stack.pulumi("up", "--yes", "--stack", "dev", "--policy-pack", str(pack))
    assert refused.returncode != 0
    assert "no-boxes" in refused.stdout and "a box" in refused.stdout


@pytest.mark.long
def test_the_real_engine_says_what_a_project_is_made_of(stack: Stack) -> None:
    write(stack.folder, PROGRAM)
    about = stack.pulumi("about")
    assert f"executable='{VENV}/bin/python'" in about.stdout, about.stdout + about.stderr
    assert "toolchain='pip'" in about.stdout


@pytest.mark.long
def test_pulumi_install_makes_a_missing_environment(stack: Stack) -> None:
    write(stack.folder, PROGRAM)
    write(stack.folder, "name: demo\nruntime: {name: python, options: {virtualenv: made}}\n", "Pulumi.yaml")
    missing = stack.pulumi("preview", "--stack", "dev")
    assert "run `pulumi install` in" in missing.stdout
    done = stack.pulumi("install")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (stack.folder / "made/bin/python").exists()


@pytest.mark.long
def test_a_component_package_gives_its_schema_and_serves_another_language(stack: Stack, tmp_path: Path) -> None:
    boxes = write(tmp_path / "boxes", COMPONENT)
    write(boxes, f"runtime: {{name: python, options: {{virtualenv: {VENV}}}}}\n", "PulumiPlugin.yaml")
    schema = stack.pulumi("package", "get-schema", str(boxes))
    assert schema.returncode == 0, schema.stderr
    box = json.loads(schema.stdout)["resources"]["boxes:index:Box"]
    assert box["inputProperties"]["size"] == {"type": "integer", "description": "How big it is."}
    yaml = write(
        tmp_path / "yaml",
        f"""
name: other
runtime: yaml
packages: {{boxes: {boxes}}}
resources: {{one: {{type: "boxes:index:Box", properties: {{size: 21}}}}}}
outputs: {{doubled: "${{one.doubled}}"}}
""",
        "Pulumi.yaml",
    )
    assert stack.pulumi("stack", "init", "dev", folder=yaml).returncode == 0
    done = stack.pulumi("up", "--yes", "--stack", "dev", folder=yaml)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(stack.pulumi("stack", "output", "--json", "--stack", "dev", folder=yaml).stdout) == {
        "doubled": 42
    }
