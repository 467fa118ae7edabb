"""One run: what is missing is got, in an order that lets the first results be used while the rest is made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from toolchain import gobuild, golang, hosts, squid, tools, virtualenv
from toolchain.errors import Stopped
from toolchain.node_tools import NODE_TOOLS, NodeTool
from toolchain.python_tools import PYTHON_TOOLS, PythonTool
from toolchain.records import ASIDE, Record
from toolchain.table import TOOLS, Tool
from toolchain.workshop import Workshop


class Engine:
    """Gets all tools of a project.

    Args:
        shop: the project's workshop.
        table: the tools, in the order of their making.
    """

    def __init__(self, shop: Workshop, table: Sequence[Tool] = TOOLS) -> None:
        self._shop = shop
        self._table = {tool.name: tool for tool in table}
        self.folder = shop.folder
        self.names = [virtualenv.NAME, *self._table, hosts.NAME, *_SQUIDS, *_CLIENTS]
        #: Those that are got only when they are asked for by name.
        self.extras = {squid.OPENSSL.name, *_CLIENTS, *(tool.name for tool in table if tool.extra)}

    def look(self) -> dict[str, Record | None]:
        """What is there now, by name; None for what is missing or no longer right."""
        records = self.folder.records()
        found: dict[str, Record | None] = {virtualenv.NAME: virtualenv.ready(self._shop)}
        for tool in self._table.values():
            found[tool.name] = tools.ready(self._shop, tool, records)
        found[hosts.NAME] = hosts.ready(self._shop, records)
        for one in (*_SQUIDS.values(), *_CLIENTS.values()):
            found[one.name] = one.ready(self._shop, records)
        return found

    def provide(self, only: Sequence[str] = ()) -> dict[str, Record | None]:
        """Get what is missing.

        Args:
            only: the names of the tools that are wanted; all of them but the extras when empty.

        Returns:
            The wanted tools' records by name.

        Raises:
            ToolchainError: a tool cannot be had.
            OSError: the disk is full, or the folder cannot be written.
        """
        wanted = [name for name in self.names if (name in only if only else name not in self.extras)]
        found = self.look()
        if self._missing(found, wanted, bool(only)):
            with self.folder.lock(self._waiting):
                self.folder.clean()
                try:
                    # Another run may have got it meanwhile.
                    self._get(self._missing(self.look(), wanted, bool(only)))
                finally:
                    self._shop.children.stop()
                    self.folder.clean()
                found = self.look()
        return {name: found[name] for name in wanted}

    def _missing(self, found: dict[str, Record | None], wanted: list[str], named: bool) -> list[str]:
        """What is to be got; what could not be had earlier is tried again when it is asked for by name."""

        def is_there(record: Record | None) -> bool:
            return record is not None and not (named and record.origin == "none")

        return [name for name in wanted if not is_there(found[name])]

    def _waiting(self, other: str) -> None:
        self._shop.report.line(f"another run (process {other}) is at work here: waiting for it")

    def _get(self, missing: list[str]) -> None:
        """What comes as packages comes from registries, the rest keeps the processors busy: side by side."""
        lane = _Lane(self._shop, [name for name in missing if name in _PACKAGES])
        builds = [self._table[name] for name in missing if name in self._table]
        lane.start()
        try:
            self._make(builds, lane)
            made = {tool.name for tool in builds}
            records = self.folder.records()
            # What stood beside a tool that was made anew stands there no more.
            guests = [tool for tool in self._table.values() if tool.beside in made and tool.name in records]
            self._make([tool for tool in guests if not tools.ready(self._shop, tool, records)], lane)
            if hosts.NAME in missing or "pulumi" in made:
                hosts.provide(self._shop)
        except Stopped:
            # The other part has failed, and its reason is the one to tell.
            lane.join()
            raise
        except BaseException:
            self._shop.children.stop()
            lane.wait()
            raise
        lane.join()

    def _make(self, builds: list[Tool], lane: _Lane) -> None:
        @cache
        def go() -> Path:
            """Go, once something must be built; from then on the modules of what comes later are fetched, too."""
            record = golang.ready(self._shop, self.folder.records()) or golang.on_path(self._shop)
            if record is None:
                # Then it comes as a Python package, by way of the environment.
                lane.join()
                if virtualenv.ready(self._shop) is None:
                    virtualenv.provide(self._shop)
                record = golang.provide(self._shop)
            records = self.folder.records()
            later = [tool for tool in builds if not tools.ready(self._shop, tool, records)][1:]
            threading.Thread(target=_prefetch, args=(self._shop, later, Path(record.path)), daemon=True).start()
            return Path(record.path)

        for tool in builds:
            tools.provide(self._shop, tool, go)


#: What the project is tried with.
_CLIENTS: dict[str, PythonTool | NodeTool] = {**PYTHON_TOOLS, **NODE_TOOLS}

_SQUIDS = {one.name: one for one in (squid.PLAIN, squid.OPENSSL)}

_PACKAGES: dict[str, Callable[[Workshop], Record]] = {
    virtualenv.NAME: virtualenv.provide,
    **{name: one.provide for name, one in (*_SQUIDS.items(), *_CLIENTS.items())},
}


class _Lane(threading.Thread):
    """The steps that run beside the builds; what stops it is kept for `join`."""

    def __init__(self, shop: Workshop, names: list[str]) -> None:
        super().__init__(daemon=True)
        self._shop, self._names = shop, names
        self._problem: BaseException | None = None

    def run(self) -> None:
        try:
            for name in self._names:
                _PACKAGES[name](self._shop)
        except BaseException as problem:
            self._problem = problem
            self._shop.children.stop()

    def wait(self) -> None:
        """Wait for its end, whatever that is."""
        super().join()

    def join(self, timeout: float | None = None) -> None:
        super().join(timeout)
        if self._problem is not None:
            raise self._problem


def _prefetch(shop: Workshop, builds: list[Tool], go: Path) -> None:
    scratch = shop.folder.root / f"{ASIDE}prefetch"
    # The run may end before this does, and takes the folder with it: nothing is lost by that.
    with suppress(Stopped, OSError):
        scratch.mkdir(parents=True, exist_ok=True)
        gobuild.prefetch(builds, go, shop.modules, scratch, shop.children, shop.environment)
