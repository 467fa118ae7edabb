"""What all the ways of getting a tool share: where, with what, and who is told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain.children import Children
from toolchain.fetch import Vendors
from toolchain.find import Finder
from toolchain.progress import Reporter
from toolchain.records import Folder


@dataclass(frozen=True)
class Workshop:
    """One project's run.

    Attributes:
        project: the project's folder.
        folder: its tool folder.
        environment: the environment variables of the run.
        report: where its lines go.
        vendors: the download servers.
    """

    project: Path
    folder: Folder
    environment: Mapping[str, str]
    report: Reporter
    vendors: Vendors
    finder: Finder
    children: Children

    @classmethod
    def of(
        cls, project: Path, environment: Mapping[str, str], report: Reporter, vendors: Vendors | None = None
    ) -> Workshop:
        """The workshop of a project."""
        project = project.resolve()
        folder = Folder(project / ".local" / "toolchain")
        return cls(
            project,
            folder,
            environment,
            report,
            vendors or Vendors(),
            Finder(project, environment),
            Children(folder.logs),
        )

    @property
    def modules(self) -> Path:
        """Where the go.mod folders and the pinned requirements are."""
        return self.project / "toolchain"

    @property
    def virtualenv(self) -> Path:
        """The project's Python environment."""
        return self.project / ".venv"


def digest(*parts: object) -> str:
    """A short digest of texts and of files' contents."""
    result = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else str(part).encode()
        result.update(len(content).to_bytes(8, "big") + content)
    return result.hexdigest()[:16]
