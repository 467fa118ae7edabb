"""One run of one container: a local process in a group of its own, whose output goes into a log."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from sandbox.node.logs import LogWriter
from sandbox.service import die_with

CHUNK = 65536
DRAIN = 1.0  # seconds to wait for output that somebody outside the group still holds open


class Warden:
    """The helper that kills the pods' process groups when the node dies; it runs as long as the node."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe

    @classmethod
    async def start(cls) -> Warden:
        """Start it, in a session of its own so that no signal meant for the node ends it first."""
        reader, writer = os.pipe()
        script = Path(__file__).with_name("warden.sh")
        await asyncio.create_subprocess_exec("/bin/sh", str(script), stdin=reader, start_new_session=True)
        os.close(reader)
        return cls(os.fdopen(writer, "wb", buffering=0))

    def watch(self, group: int) -> None:
        """Count a process group among those that must not outlive the node."""
        self._pipe.write(b"+ %d\n" % group)

    def release(self, group: int) -> None:
        """Forget a process group that is gone."""
        self._pipe.write(b"- %d\n" % group)


class Process:
    """A container's process. `await wait()` for its exit code.

    Attributes:
        ended: set when it is over, though some of its group may not be yet.
    """

    def __init__(self, process: asyncio.subprocess.Process, log: LogWriter, warden: Warden) -> None:
        self._process = process
        self._warden = warden
        self._log = log
        self._copying = asyncio.create_task(self._copy())
        self.ended = asyncio.Event()

    @classmethod
    async def start(
        cls, argv: Sequence[str], env: Mapping[str, str], folder: Path, log: LogWriter, warden: Warden
    ) -> Process:
        """Start a program.

        Args:
            argv: program and arguments; the program is looked up in PATH of `env`.
            env: its whole environment.
            folder: its working folder.
            log: takes standard output and error, in the order in which they come.
            warden: sees to it that nothing of it outlives the node.

        Raises:
            OSError: it cannot be started.
        """
        process = await _spawn(argv, env, folder, warden, stdout=asyncio.subprocess.PIPE)
        return cls(process, log, warden)

    @property
    def pid(self) -> int:
        """Its process id, which is that of its group too."""
        return self._process.pid

    def terminate(self) -> None:
        """Ask the process to end. As in a container, its children are not asked."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """End the process and all of its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def wait(self) -> int:
        """Wait for the end; with the process its group ends, as a container does.

        Returns:
            The exit code, 128 plus the number of a signal.
        """
        code = await self._process.wait()
        self.ended.set()
        self.kill()
        self._warden.release(self.pid)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._copying, DRAIN)
        self._log.close()
        return code if code >= 0 else 128 - code

    async def _copy(self) -> None:
        assert self._process.stdout is not None
        while chunk := await self._process.stdout.read(CHUNK):
            self._log.write(chunk)


async def execute(argv: Sequence[str], env: Mapping[str, str], folder: Path, warden: Warden) -> int:
    """Run a command beside a container's process, without its output, and give its exit code.

    Cancelled, it kills the command.

    Raises:
        OSError: it cannot be started.
    """
    process = await _spawn(argv, env, folder, warden, stdout=asyncio.subprocess.DEVNULL)
    try:
        return await process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        warden.release(process.pid)


async def _spawn(
    argv: Sequence[str], env: Mapping[str, str], folder: Path, warden: Warden, *, stdout: int
) -> asyncio.subprocess.Process:
    """Start a program in a group of its own, its standard error where its output goes."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(env),
        cwd=folder,
        start_new_session=True,
        preexec_fn=die_with(os.getpid(), signal.SIGKILL),  # a second line behind the warden
    )
    warden.watch(process.pid)
    return process
