"""What the project is tried with: Python packages in environments of their own, and npm packages."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_machine import Machine

from toolchain import engine
from toolchain.errors import ToolchainError
from toolchain.node_tools import SOURCES, NodeTool
from toolchain.records import Record
from toolchain.table import Range

#: "Makes" an environment whose Python says a version; what it is asked is written down.
UV = """#!/bin/sh
here=$(dirname "$0")
echo "$1 $2" >> "$here/asked"
[ "$1" = venv ] || exit 0
for folder; do :; done
printf '#!/bin/sh\\ncat "%s/says"\\n' "$here" > "$folder/bin/python"
chmod +x "$folder/bin/python"
"""


@pytest.fixture
def environment(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's own environment, with that uv."""
    folder = machine.project / ".venv" / "bin"
    machine.program("uv", UV, folder)
    (folder / "says").write_text("azure-cli 9.8.7")
    monkeypatch.setattr("toolchain.virtualenv.ready", lambda shop: Record(".venv", "", "package", str(folder), ""))
    pin(machine, "9.8.7")
    return folder


def pin(machine: Machine, version: str) -> None:
    lock = machine.project / "requirements-az.lock"
    lock.write_text(f"adal==1.0 \\\n    --hash=sha256:00\nazure-cli=={version} \\\n    --hash=sha256:00\n")


def test_it_is_made_once_and_anew_when_its_lock_has_changed(machine: Machine, environment: Path) -> None:
    record = machine.engine().provide(["azure-cli"])["azure-cli"]
    assert record is not None and (record.version, record.origin) == ("9.8.7", "package")
    linked = machine.project / ".local/toolchain/bin/azure-cli"
    assert linked.resolve() == Path(record.path) and not (machine.project / ".local/toolchain/bin/az").exists()
    assert machine.engine().provide(["azure-cli"])["azure-cli"] == record
    assert (environment / "asked").read_text().split("\n")[:-1] == ["venv --quiet", "pip sync"]

    pin(machine, "9.9.0")
    assert machine.engine().look()["azure-cli"] is None
    (environment / "says").write_text("azure-cli 9.9.0")
    record = machine.engine().provide(["azure-cli"])["azure-cli"]
    assert record is not None and linked.resolve() == Path(record.path) and "azure-cli-9.9.0" in record.path


def test_one_that_does_not_run_is_said_and_leaves_nothing(machine: Machine, environment: Path) -> None:
    (environment / "says").write_text("Traceback (most recent call last)")
    with pytest.raises(
        ToolchainError, match=r"azure-cli 9\.8\.7 was installed from requirements-az\.lock, but does not"
    ):
        machine.engine().provide(["azure-cli"])
    assert machine.leftovers() == [] and not (machine.project / ".local/toolchain/bin/azure-cli").exists()


#: "Installs" a program that says a version.
NPM = """#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/asked"
[ -e package-lock.json ] || exit 1
mkdir -p node_modules/.bin
printf '#!/bin/sh\\ncat "%s/says"\\n' "$here" > node_modules/.bin/emulator-blob
chmod +x node_modules/.bin/emulator-blob
"""

EMULATOR = NodeTool("emulator", "1.2.3", "emulator-blob", ("--version",), Range((18,), (100,)))


@pytest.fixture
def emulator(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with Node and npm, and a project that pins an npm package."""
    machine.program("node", "v20.20.2")
    machine.program("npm", NPM)
    (machine.path / "says").write_text("1.2.3")
    folder = machine.project / "toolchain/emulator"
    folder.mkdir(parents=True)
    for source in SOURCES:
        (folder / source).write_text("{}")
    monkeypatch.setitem(engine._CLIENTS, "emulator", EMULATOR)
    monkeypatch.setitem(engine._PACKAGES, "emulator", EMULATOR.provide)
    return machine


def test_an_npm_package_is_made_once_and_anew_when_its_lock_has_changed(emulator: Machine) -> None:
    record = emulator.engine().provide(["emulator"])["emulator"]
    assert record is not None and (record.version, record.origin) == ("1.2.3", "package")
    assert (emulator.project / ".local/toolchain/bin/emulator-blob").resolve() == Path(record.path)
    assert emulator.engine().provide(["emulator"])["emulator"] == record
    asked = (emulator.path / "asked").read_text().splitlines()
    assert len(asked) == 1 and asked[0].startswith("ci --ignore-scripts")

    (emulator.project / "toolchain/emulator/package-lock.json").write_text("{ }")
    assert emulator.engine().look()["emulator"] is None


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ("v12.1.0", r"emulator cannot be had: .*/node is passed over: it is 12\.1\.0, and 18 up to"),
        ("v20.1.0", r"emulator 1\.2\.3 was installed, but does not run with .*/node"),
    ],
    ids=["an old node", "does not run"],
)
def test_an_npm_package_that_cannot_be_had_is_said_and_leaves_nothing(emulator: Machine, node: str, said: str) -> None:
    (emulator.path / "says").write_text("Error: Cannot find module")
    emulator.program("node", node)
    with pytest.raises(ToolchainError, match=said):
        emulator.engine().provide(["emulator"])
    assert emulator.leftovers() == [] and not (emulator.project / ".local/toolchain/bin/emulator-blob").exists()


def test_without_node_that_is_said(emulator: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolchain.find.Finder.program", lambda finder, name, *more: None)
    with pytest.raises(ToolchainError, match="emulator is a program for Node, and node is not on PATH"):
        emulator.engine().provide(["emulator"])
