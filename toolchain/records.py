"""What the project's tool folder holds, and how it came there; written whole, one file."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

#: The names of what is being made; they are renamed when whole, so what bears such a name is a leftover.
ASIDE = ".aside-"


@dataclass(frozen=True)
class Record:
    """A tool that is there.

    Attributes:
        name: the program.
        version: its version.
        origin: `path`, `download`, `build`, `package` (of Debian or Python), `project`, or `none`: it cannot be had.
        path: the program itself.
        basis: a digest of what it was made by; where that has changed, it is made anew.
        mark: time and size of the program when it was last looked at.
        note: why it is as it is, where a person might wonder.
    """

    name: str
    version: str
    origin: str
    path: str
    basis: str
    mark: list[int] = field(default_factory=list)
    note: str = ""

    def current(self, basis: str) -> bool:
        """Whether the tool is still what this record says, and what is wanted."""
        return self.basis == basis and (self.origin == "none" or self.mark == mark_of(Path(self.path)))


def mark_of(program: Path) -> list[int]:
    """Time and size of a program, by which a change is noticed without running it; empty when it is not there."""
    try:
        status = program.stat()
    except OSError:
        return []
    return [status.st_mtime_ns, status.st_size]


class Folder:
    """The project's tool folder.

    Args:
        root: `.local/toolchain` of the project; made when missing.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / "bin"
        self.logs = root / "logs"
        self._records = root / "records.json"

    def records(self) -> dict[str, Record]:
        """The records by the tools' names; a damaged file counts as none."""
        try:
            stored = json.loads(self._records.read_text())
            return {name: Record(**record) for name, record in stored.items()}
        except (OSError, ValueError, TypeError):
            return {}

    def keep(self, record: Record) -> None:
        """Write one record."""
        records = {**self.records(), record.name: record}
        aside = self._records.with_name(f"{ASIDE}{self._records.name}")
        aside.write_text(json.dumps({name: asdict(record) for name, record in records.items()}, indent=1))
        aside.replace(self._records)

    def link(self, name: str, target: Path) -> None:
        """Let `bin`/name lead to a program, from one moment to the next; within the folder by a relative path."""
        self.bin.mkdir(parents=True, exist_ok=True)
        aside = self.bin / f"{ASIDE}{name}"
        aside.unlink(missing_ok=True)
        within = target.is_relative_to(self.root)
        aside.symlink_to(os.path.relpath(target, self.bin) if within else target)
        aside.replace(self.bin / name)

    def unlink(self, name: str) -> None:
        """Remove `bin`/name."""
        (self.bin / name).unlink(missing_ok=True)

    def aside(self, name: str) -> Path:
        """A new empty folder in which a tool is made before it gets its name."""
        folder = self.root / f"{ASIDE}{name}"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "bin").mkdir(parents=True)
        return folder

    def settle(self, aside: Path, name: str) -> Path:
        """Give a folder that is whole its name, in place of an older one of that name."""
        final, old = self.root / name, self.root / f"{ASIDE}old-{name}"
        if final.exists():
            final.rename(old)
        aside.rename(final)
        shutil.rmtree(old, ignore_errors=True)
        return final

    def clean(self) -> None:
        """Remove what an interrupted run has left."""
        for leftover in [*self.root.glob(f"{ASIDE}*"), *self.bin.glob(f"{ASIDE}*")]:
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)

    @contextmanager
    def lock(self, waiting: Callable[[str], None]) -> Iterator[None]:
        """One run at a time; `waiting` is told the process id of the one that is waited for."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                waiting(file.read().strip() or "?")
                fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
            yield
