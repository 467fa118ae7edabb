"""The real `az`: an environment of its own, made by the uv of the project's."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_machine import Machine

from toolchain.errors import ToolchainError
from toolchain.records import Record

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
