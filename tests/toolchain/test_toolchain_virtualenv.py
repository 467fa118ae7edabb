"""The project's Python environment, made for real from a small lock."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from made_up_machine import Screen

from toolchain.engine import Engine
from toolchain.progress import Reporter
from toolchain.workshop import Workshop

REPOSITORY = Path(__file__).resolve().parents[2]


def pins(*names: str) -> str:
    """The blocks of these packages in the project's own lock."""
    lock = (REPOSITORY / "requirements.lock").read_text()
    blocks = re.split(r"(?m)^(?=[a-z0-9])", lock)
    return "".join(block for block in blocks if block.split("==")[0] in names)


@pytest.mark.long
def test_the_environment_is_what_the_lock_says_and_is_made_once(tmp_path: Path) -> None:
    project = tmp_path / "project"
    package = project / "small"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def main() -> None:\n    print('it runs')\n")
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "small"\nversion = "1"\n[project.scripts]\nsmall = "small:main"\n'
        '[tool.setuptools]\npackages = ["small"]\n'
    )
    (project / "toolchain").mkdir()
    (project / "toolchain/uv.requirements").write_text((REPOSITORY / "toolchain/uv.requirements").read_text())
    lock = project / "requirements.lock"
    lock.write_text(pins("setuptools", "uv", "click"))
    screen = Screen()

    def steps() -> int:
        return sum("so far" not in line for line in screen.lines())

    def provide() -> Path:
        shop = Workshop.of(project, os.environ, Reporter(screen))
        record = Engine(shop).provide([".venv"])[".venv"]
        assert record is not None
        return Path(record.path)

    python = provide()
    assert subprocess.run([python.with_name("small")], capture_output=True, text=True).stdout == "it runs\n"
    assert subprocess.run([python, "-c", "import click"]).returncode == 0
    made = steps()
    assert made == 4
    provide()
    assert steps() == made

    lock.write_text(pins("setuptools", "uv"))
    provide()
    assert subprocess.run([python, "-c", "import click"], capture_output=True).returncode != 0
    # No new environment and no new uv for that.
    assert steps() == made + 2

    python.unlink()
    python.symlink_to(tmp_path / "a-python-that-has-gone")
    assert subprocess.run([provide(), "-c", "import small"]).returncode == 0
