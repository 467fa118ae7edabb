"""The package away from the checkout: `components/` alone and a wheel, used by a YAML program.

The tests run in order; each goes on from the last.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from running_sandbox import Sandbox

from sandbox import world
from sandbox.certificates import certificates
from sandbox.environment import proxy_url
from sandbox.home import PROJECT

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
QUIET = ("--stack", "dev", "--non-interactive", "--color", "never")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a wheel, built in a copy: a build leaves files beside its sources."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(PROJECT / name, source / name)
    for name in ("arcgateway", "components"):
        shutil.copytree(PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "uv", "build", "--wheel", "--offline", "--no-build-isolation"]
    places = ["--python", sys.executable, "--out-dir", str(out), str(source)]
    built = subprocess.run([*command, *places], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return out


@pytest.fixture(scope="module")
def package(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`components/` in a folder with nothing but a Python environment that has what arc-gateway needs, and not that."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(PROJECT / "components", folder / "components", ignore=shutil.ignore_patterns("__pycache__"))
    needed = folder / "needed"
    needed.mkdir()
    for entry in Path(pytest.__file__).parents[1].iterdir():
        if not entry.name.startswith(("arc_gateway", "__editable__")) and entry.suffix != ".pth":
            (needed / entry.name).symlink_to(entry)
    venv.create(folder / ".venv", with_pip=True)
    (site_packages,) = (folder / ".venv/lib").glob("python*/site-packages")
    (site_packages / "needed.pth").write_text(f"{needed}\n")
    return folder / "components"


class Program:
    """A YAML program in a folder of its own, with a backend of its own."""

    def __init__(self, sandbox: Sandbox, folder: Path, package: Path) -> None:
        self.folder = folder
        self.package = package
        own = {"PULUMI_BACKEND_URL": f"file://{folder}"}
        of_dev = "PULUMI_OPTION_CONFIG_FILE"  # says where the dev stack's configuration is
        self._sandbox = Sandbox(sandbox.home, {k: v for k, v in sandbox.variables.items() if k != of_dev} | own)

    def run(self, *argv: str, cwd: Path | None = None, check: bool = True, **variables: str) -> str:
        done = self._sandbox.run(*argv, cwd=cwd or self.folder, check=check, **variables)
        return done.stdout + done.stderr

    def pulumi(self, command: str, *arguments: str, check: bool = True) -> str:
        return self.run("pulumi", command, *arguments, *QUIET, check=check)

    def state(self) -> str:
        return self.run("pulumi", "stack", "export", "--stack", "dev")

    def write(self, change: Callable[[dict[str, Any]], None] = lambda resources: None) -> None:
        """Write the program, with a change made to its resources."""
        home = self._sandbox.home
        place = {"resourceGroupName": world.RESOURCE_GROUP}
        resources: dict[str, Any] = {
            "gateway": {
                "type": "arc-gateway:ArcGateway",
                "properties": {**place, "gatewayName": "gw-yaml", "location": world.LOCATION},
            },
            "proxy": {
                "type": "arc-gateway:ProxySettings",
                "properties": {
                    "httpsUrl": proxy_url(home),
                    "skipRange": ["10.97.0.0/16"],
                    "region": world.LOCATION,
                    "genuineRoots": certificates(home).root.read_text(),
                },
            },
            "west": {
                "type": "arc-gateway:GatewayAssociation",
                "properties": {
                    **place,
                    "location": world.LOCATION,
                    "clusterName": world.WEST,
                    "kubeContext": world.WEST,
                    "gatewayId": "${gateway.resourceId}",
                    "gatewayEndpoint": "${gateway.endpoint}",
                    "proxyHttps": "${proxy.httpsUrl}",
                    "proxyHttp": "${proxy.httpUrl}",
                    "proxySkipRange": "${proxy.skipRange}",
                    "genuineRoots": certificates(home).root.read_text(),
                },
            },
        }
        change(resources)
        text = {
            "name": "other",
            "runtime": "yaml",
            "packages": {"arc-gateway": str(self.package)},
            "resources": resources,
            "outputs": {"enabled": "${west.gatewayEnabled}", "cluster": "${west.resourceId}"},
        }
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump(text))


@pytest.fixture(scope="module")
def program(sandbox: Sandbox, wheel: Path, package: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Ready to run, by nothing else than `pulumi install` in the package's folder."""
    made = Program(sandbox, tmp_path_factory.mktemp("program"), package)
    made.write()
    made.run("pulumi", "install", "--non-interactive", cwd=package, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheel))
    made.run("pulumi", "stack", "init", "dev", "--non-interactive")
    return made


def test_up(program: Program) -> None:
    program.pulumi("up", "--yes")
    outputs = json.loads(program.run("pulumi", "stack", "output", "--json", "--stack", "dev"))
    assert outputs["enabled"] is True
    assert outputs["cluster"].endswith(f"/connectedClusters/{world.WEST}")


def test_the_state_names_no_place(program: Program) -> None:
    state = json.loads(program.state())
    commands = [each for each in state["deployment"]["resources"] if each["type"] == "command:local:Command"]
    assert {tuple(command["inputs"]["interpreter"]) for command in commands} == {(".arc-gateway/driver",)}
    said = json.dumps([{**command, "sourcePosition": None, "stackTrace": None} for command in commands])
    assert [place for place in (PROJECT, program.folder, program.package.parent) if str(place) in said] == []


def test_nothing_to_change_afterwards(program: Program) -> None:
    program.pulumi("preview", "--expect-no-changes", "--diff")


def test_an_update_in_place(program: Program) -> None:
    program.write(lambda resources: resources["proxy"]["properties"]["skipRange"].append("172.20.0.0/16"))
    said = program.pulumi("up", "--yes")
    assert "replac" not in said
    values = program.run(
        *("helm", "--kube-context", world.WEST, "-n", "azure-arc-release", "get", "values", "azure-arc", "-o", "json")
    )
    assert "172.20.0.0/16" in json.loads(values)["global"]["noProxy"]
    program.pulumi("preview", "--expect-no-changes")


def test_a_preview_readies_a_fresh_machine_for_a_destroy(program: Program) -> None:
    """A destroy runs no program, so what a program writes must be there: it is not under version control."""
    shutil.rmtree(program.folder / ".arc-gateway")
    program.pulumi("preview", "--expect-no-changes")
    program.pulumi("destroy", "--yes")
    assert not json.loads(program.state())["deployment"].get("resources")
    shown = program.run(
        *("az", "connectedk8s", "show", "--name", world.WEST, "--resource-group", world.RESOURCE_GROUP, "-o", "json")
    )
    assert json.loads(shown)["gateway"]["enabled"] is False
