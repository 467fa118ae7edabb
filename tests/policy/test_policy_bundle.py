"""The pack as a folder of its own: complete, alone, and the same each time."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from bundle import BundleError, bundle, contents

PROJECT = Path(__file__).resolve().parents[2]

#: Imports the pack with nothing but the folder and the installed packages, whose `.pth` files (the project's own is
#: among them) count for nothing without `site`.
ALONE = """\
import json, sys
sys.path[:0] = sys.argv[1:]
from arc_policies.pack import POLICIES
files = {name: module.__file__ for name, module in sys.modules.items() if getattr(module, "__file__", None)}
print(json.dumps({"policies": [policy.name for policy in POLICIES], "files": files}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bundle") / "policy"
    bundle(made)
    return made


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what the bundle is made from, to be spoilt."""
    copy = tmp_path / "project"
    for name in ("policy", "arcgateway"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "docs").mkdir()
    for name in ("LICENSE", "requirements.lock", "docs/policies.md"):
        shutil.copyfile(PROJECT / name, copy / name)
    return copy


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_pack_runs_from_the_folder_alone(folder: Path, tmp_path: Path) -> None:
    packages = sysconfig.get_path("purelib")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", ALONE, folder, packages], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert "no-private-endpoints" in said["policies"]
    ours = {name: path for name, path in said["files"].items() if re.match(r"arc_?(gateway|policies)", name)}
    assert any(name.startswith("arcgateway.") for name in ours)
    assert [path for path in ours.values() if not path.startswith(f"{folder}/")] == []
    assert [path for path in said["files"].values() if path.startswith(f"{PROJECT}/") and ".venv" not in path] == []


def test_all_that_is_pinned_has_hashes_and_is_complete(folder: Path) -> None:
    entries = re.split(r"\n(?=\S)", (folder / "requirements.txt").read_text().strip())
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    names = {entry.partition("==")[0] for entry in entries}
    assert {"pulumi", "pulumi-policy", "protobuf", "grpcio", "setuptools"} <= names
    assert not {"pulumi-azure-native", "hypothesis", "aiohttp"} & names
    lock = (PROJECT / "requirements.lock").read_text()
    assert [entry for entry in entries if entry not in lock] == []


def test_the_same_sources_give_the_same_folder(folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "policy"
    bundle(again)
    assert files_of(again) == files_of(folder)
    (again / "arc_policies/__pycache__").mkdir()
    (again / "arc_policies/__pycache__/old.pyc").write_text("x")
    (again / "arc_policies/gone.py").write_text("x")
    (again / "venv").mkdir()
    (again / "venv/pyvenv.cfg").write_text("kept")
    bundle(again)
    assert files_of(again) == {**files_of(folder), "venv/pyvenv.cfg": b"kept"}


def test_nothing_of_this_machine_and_of_the_tests_is_in_it(folder: Path) -> None:
    files = files_of(folder)
    assert [name for name in files if re.search(r"pycache|\.pyc$|test|bundle|\.cache|\.git/|\.env", name)] == []
    for name, content in files.items():
        for place in (str(PROJECT), str(Path.home()), ".venv", sys.prefix):
            assert place.encode() not in content, name


def test_the_environment_is_the_folders_own(folder: Path) -> None:
    described = (folder / "PulumiPolicy.yaml").read_text()
    assert "virtualenv: venv\n" in described
    assert (folder / "arcgateway/endpoints.json").is_file()


def test_only_the_imported_facts_are_in_it(folder: Path) -> None:
    modules = {path.stem for path in (folder / "arcgateway").glob("*.py")}
    assert "endpoints" in modules
    assert not {"cli", "driver", "azure_cli", "login"} & modules


def test_imports_for_the_type_checker_and_of_functions_are_told_apart(project: Path) -> None:
    (project / "policy/arc_policies/extra.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import aiohttp\n    from arcgateway import cli\n"
        "def late() -> None:\n    from arcgateway.ids import GatewayId\n"
    )
    made = {path.as_posix() for path in contents(project)}
    assert "arcgateway/ids.py" in made
    assert "arcgateway/cli.py" not in made


def test_a_package_that_is_not_pinned_is_refused(project: Path) -> None:
    (project / "policy/arc_policies/extra.py").write_text("import nowhere_to_be_found\n")
    with pytest.raises(BundleError, match="nowhere_to_be_found"):
        contents(project)


def test_a_lock_that_says_another_version_is_refused(project: Path) -> None:
    lock = project / "requirements.lock"
    lock.write_text(re.sub(r"^pulumi-policy==\S+", "pulumi-policy==0.0.1", lock.read_text(), flags=re.MULTILINE))
    with pytest.raises(BundleError, match=r"pulumi-policy .* pins 0\.0\.1"):
        contents(project)


def test_a_folder_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="something other"):
        bundle(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_git_ignores_the_folder() -> None:
    asked = subprocess.run(["git", "check-ignore", "-q", "dist/policy/PulumiPolicy.yaml"], cwd=PROJECT)
    assert asked.returncode in {0, 128}, "128: not a git checkout"
