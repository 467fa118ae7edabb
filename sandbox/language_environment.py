"""Which Python runs a program or a plugin, by the runtime options of its YAML file, and how packages get there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: The lock files that choose a package manager where the `toolchain` option does not.
LOCKS = {"uv.lock": "uv", "poetry.lock": "poetry"}
TOOLCHAINS = ("pip", "poetry", "uv")


class EnvironmentProblem(Exception):
    """A program's Python cannot be found or made; one sentence for a person."""


@dataclass(frozen=True)
class Environment:
    """The Python of one program.

    Attributes:
        root: the folder of Pulumi.yaml, PulumiPlugin.yaml or PulumiPolicy.yaml.
        program: the folder of the program, where its requirements are.
        toolchain: pip, poetry or uv.
        virtualenv: the environment's folder, or None: then a Python of PATH runs the program.
    """

    root: Path
    program: Path
    toolchain: str
    virtualenv: Path | None

    @classmethod
    def of(cls, info: Any, *, plugin: bool) -> Environment:
        """The environment of a `ProgramInfo`.

        Args:
            info: as the engine sends it; its options are `virtualenv` and `toolchain`.
            plugin: a plugin or policy pack never runs in whatever Python PATH has: without an option it is in `venv`.

        Raises:
            EnvironmentProblem: an option that is not known, or a package manager that is not there.
        """
        options = dict(info.options)
        root, program = Path(info.root_directory), Path(info.program_directory or info.root_directory)
        toolchain = options.get("toolchain") or _toolchain_of(program)
        if toolchain not in TOOLCHAINS:
            raise EnvironmentProblem(
                f"the runtime option toolchain in {root} is {toolchain!r}, which is none of {', '.join(TOOLCHAINS)}"
            )
        name = options.get("virtualenv") or ""
        if not isinstance(name, str):
            raise EnvironmentProblem(f"the runtime option virtualenv in {root} must be a path, not {name!r}")
        if toolchain == "poetry":
            return cls(root, program, toolchain, _poetry_virtualenv(program))
        if toolchain == "uv" and not name:
            return cls(root, program, toolchain, _uv_virtualenv(program))
        if not name and plugin:
            name = "venv"
        return cls(root, program, toolchain, root / name if name else None)

    def python(self) -> str:
        """The interpreter.

        Raises:
            EnvironmentProblem: the environment has none, or PATH has none.
        """
        if self.virtualenv is None:
            return ambient_python()
        python = self.virtualenv / "bin" / "python"
        if not python.exists():
            raise EnvironmentProblem(
                f"there is no virtual environment in {self.virtualenv}: run `pulumi install` in {self.root}, "
                "which makes it, or correct the runtime option virtualenv there"
            )
        return str(python)

    def variables(self, base: Mapping[str, str]) -> dict[str, str]:
        """The environment variables `base`, with the virtual environment activated."""
        if self.virtualenv is None:
            return dict(base)
        kept = {name: value for name, value in base.items() if name != "PYTHONHOME"}
        path = os.pathsep.join(filter(None, (str(self.virtualenv / "bin"), base.get("PATH"))))
        return kept | {"PATH": path, "VIRTUAL_ENV": str(self.virtualenv)}

    def install_commands(self) -> list[tuple[str, list[str]]]:
        """What installs the program's packages: a line that says so, and the command, run in the program's folder.

        Raises:
            EnvironmentProblem: the package manager is not there.
        """
        requirements = self.program / "requirements.txt"
        if self.toolchain == "poetry":
            return [("Installing with poetry", [_program("poetry"), "install", "--no-ansi", "--no-interaction"])]
        commands: list[tuple[str, list[str]]] = []
        if self.toolchain == "uv":
            if _upward(self.program, "uv.lock") or _upward(self.program, "pyproject.toml"):
                return [("Installing with uv", [_program("uv"), "sync"])]
            commands.append(
                ("Creating virtual environment", [_program("uv"), "venv", "--allow-existing", str(self.virtualenv)])
            )
            install = [_program("uv"), "pip", "install", "--python", f"{self.virtualenv}/bin/python"]
        else:
            if self.virtualenv is not None and not (self.virtualenv / "bin" / "python").exists():
                commands.append(
                    ("Creating virtual environment", [ambient_python(), "-m", "venv", str(self.virtualenv)])
                )
            python = f"{self.virtualenv}/bin/python" if self.virtualenv else ambient_python()
            install = [python, "-m", "pip", "install", "--disable-pip-version-check"]
        if requirements.exists():
            commands.append(("Installing requirements.txt", [*install, "-r", "requirements.txt"]))
        return commands


def ambient_python() -> str:
    """The Python of PATH: PULUMI_PYTHON_CMD where it is set, else python3 or python.

    Raises:
        EnvironmentProblem: there is none.
    """
    named = os.environ.get("PULUMI_PYTHON_CMD")
    for name in [named] if named else ["python3", "python"]:
        if found := shutil.which(name):
            return found
    raise EnvironmentProblem(
        f"{named or 'python3'} is not on PATH: install Python 3.11 or newer, or set the runtime option virtualenv"
    )


def _toolchain_of(program: Path) -> str:
    return next((tool for lock, tool in LOCKS.items() if _upward(program, lock)), "pip")


def _upward(start: Path, name: str) -> Path | None:
    """The nearest folder, from `start` upwards, that has a file of this name."""
    return next((folder for folder in (start, *start.parents) if (folder / name).is_file()), None)


def _program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = shutil.which(name) or (str(beside) if beside.exists() else None)
    if found is None:
        raise EnvironmentProblem(f"{name} is not on PATH, and the runtime option toolchain asks for it: install {name}")
    return found


def _uv_virtualenv(program: Path) -> Path:
    project = _upward(program, "uv.lock") or _upward(program, "pyproject.toml") or program
    return project / (os.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv")


def _poetry_virtualenv(program: Path) -> Path:
    project = _upward(program, "pyproject.toml") or program
    answer = subprocess.run(
        [_program("poetry"), "env", "info", "--path"], cwd=project, capture_output=True, text=True, timeout=60
    )
    if answer.returncode != 0 or not answer.stdout.strip():
        # Poetry makes its environment at the first installation, under a name of its own choice.
        return project / ".venv"
    return Path(answer.stdout.strip())
