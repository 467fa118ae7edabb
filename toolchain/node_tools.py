"""Programs that come as npm packages, each in a folder of its own, with a lock of its own; got only when asked for.

Node and npm are found on PATH and not fetched. Scripts of packages are not run.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from toolchain.errors import ToolchainError
from toolchain.find import refusal, version_of
from toolchain.records import Record, mark_of
from toolchain.table import Range
from toolchain.workshop import Workshop, digest

#: What each package's folder beside this file holds.
SOURCES = ("package.json", "package-lock.json")


@dataclass(frozen=True)
class NodeTool:
    """One such program.

    Attributes:
        name: of the tool, and of the folder beside this file that pins it with all that it needs.
        version: the pinned one.
        program: which of the package's programs is wanted.
        ask: arguments that make it print its version.
        node: the versions of Node that it runs on.
    """

    name: str
    version: str
    program: str
    ask: tuple[str, ...]
    node: Range

    def ready(self, shop: Workshop, records: dict[str, Record]) -> Record | None:
        """The record of a program that is there and of this lock, else None."""
        record = records.get(self.name)
        if record is None or not record.current(self._basis(shop)):
            return None
        return record if mark_of(shop.folder.bin / self.program) else None

    def provide(self, shop: Workshop) -> Record:
        """Install what the lock pins.

        Raises:
            ToolchainError: Node or npm is not here, a package cannot be had, or what is installed does not run.
        """
        node, npm = shop.finder.program("node"), shop.finder.program("npm")
        if node is None or npm is None:
            raise ToolchainError(f"{self.name} is a program for Node, and {'npm' if node else 'node'} is not on PATH")
        version = version_of(node, ("--version",))
        if version is None or not self.node.holds(version):
            raise ToolchainError(f"{self.name} cannot be had: {refusal(node, version, self.node)}")
        aside = shop.folder.aside(f"{self.name}-{self.version}")
        for source in SOURCES:
            shutil.copy(shop.modules / self.name / source, aside)
        scratch = aside / "tmp"
        scratch.mkdir()
        command = [str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--omit=optional"]
        with shop.report.step(f"{self.name} {self.version}", "installing"):
            shop.children.run(self.name, command, cwd=aside, env={**shop.environment, "TMPDIR": str(scratch)})
        shutil.rmtree(scratch)
        (aside / "bin").rmdir()
        if version_of(aside / self._place, self.ask) != self.version:
            raise ToolchainError(f"{self.name} {self.version} was installed, but does not run with {node}")
        program = shop.folder.settle(aside, f"{self.name}-{self.version}") / self._place
        shop.folder.link(self.program, program)
        record = Record(self.name, self.version, "package", str(program), self._basis(shop), mark_of(program))
        shop.folder.keep(record)
        return record

    @property
    def _place(self) -> str:
        return f"node_modules/.bin/{self.program}"

    def _basis(self, shop: Workshop) -> str:
        return digest(self, *(shop.modules / self.name / source for source in SOURCES))


NODE_TOOLS = {
    tool.name: tool
    for tool in (
        # From 3.36 on it asks for Node 21 or later, and many machines still have 18 or 20.
        NodeTool("azurite", "3.35.0", "azurite-blob", ("--version",), Range((18,), (100,))),
        # From 4.66 on it uses what Node has since 22.
        NodeTool("gitlab-ci-local", "4.65.1", "gitlab-ci-local", ("--version",), Range((18,), (100,))),
    )
}
