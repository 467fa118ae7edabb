"""The engines of a fleet: `pulumi` processes side by side, that are followed, cancelled, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pulumi.automation import CommandResult, OnOutput, PulumiCommand
from pulumi.automation.errors import InvalidVersionError, create_command_error

from arcgateway.errors import Failure
from arcgateway.fleet import keeper
from arcgateway.platforms import HERE

#: What a stack's file and flags say, and the environment must not say otherwise.
_NOT_PASSED_ON = ("PULUMI_OPTION_CONFIG_FILE", "PULUMI_OPTION_STACK", "PULUMI_STACK")

#: Seconds between two looks at what an engine says.
_FOLLOW = 0.1


class Engines(PulumiCommand):
    """Runs `pulumi`, each in a process group of its own, so that a terminal's Ctrl-C reaches this process alone.

    Raises:
        Failure: there is no `pulumi`, or one that is too old.
    """

    def __init__(self) -> None:
        try:
            super().__init__()
        except FileNotFoundError:
            raise Failure(
                "pulumi is not on PATH", "install it: https://www.pulumi.com/docs/iac/download-install/"
            ) from None
        except InvalidVersionError as error:
            raise Failure(str(error), "install a newer pulumi") from None
        self._lock = threading.RLock()  # a signal's handler may come while this thread has it
        self._running: set[subprocess.Popen[str]] = set()
        self._interrupted = 0
        self._keeper = None if HERE.keeps() else _keeper()

    @property
    def interrupted(self) -> bool:
        """Whether the run is being ended before its time."""
        return self._interrupted > 0

    def interrupt(self) -> None:
        """Have every engine cancel: it stops its commands and writes its state. The second time they are killed."""
        with self._lock:
            self._interrupted += 1
            for process in self._running:
                if self._interrupted == 1:
                    HERE.interrupt(process)
                else:
                    process.kill()

    def close(self) -> None:
        """All engines have ended."""
        if self._keeper is not None and self._keeper.stdin is not None:
            self._keeper.stdin.close()
            self._keeper.wait()

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
        given: str | None = None,
    ) -> CommandResult:
        """Run `pulumi` with these words.

        Args:
            args, cwd, additional_env, on_output, on_error: as the Automation API has them.
            given: for its standard input.

        Raises:
            CommandError: it failed.
        """
        env = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
        with ExitStack() as opened:
            # Files, not pipes: an engine dies of a pipe that nobody reads, and it has to outlive a run that is killed,
            # or its stack stays locked.
            folder = tempfile.TemporaryDirectory(prefix="arcgateway-engine-", ignore_cleanup_errors=True)
            opened.callback(folder.cleanup)
            paths = [Path(folder.name, name) for name in ("out", "err")]
            to_out, to_err = [opened.enter_context(path.open("wb")) for path in paths]
            said = [opened.enter_context(path.open("rb")) for path in paths]
            process = subprocess.Popen(
                [self.command, "--non-interactive", *args],
                cwd=cwd,
                env={**env, **additional_env, "PULUMI_AUTOMATION_API": "true"},
                stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
                stdout=to_out,
                stderr=to_err,
                encoding="utf-8",
                **HERE.in_own_group(),
            )  # type: ignore[call-overload]
            folder.cleanup()  # where the system removes open files, nothing is left over of a run that is killed
            self._began(process)
            try:
                with _following(zip(said, (on_output, on_error), strict=True)):
                    process.communicate(given)
            finally:
                self._ended(process)
            out, err = map(_whole, said)
        result = CommandResult(out, err, process.returncode)
        if result.code != 0:
            raise create_command_error(result)
        return result

    def _began(self, process: subprocess.Popen[str]) -> None:
        with self._lock:
            HERE.adopt(process)
            self._running.add(process)
            self._tell_keeper(f"+{process.pid}")
            if self._interrupted:
                HERE.interrupt(process)

    def _ended(self, process: subprocess.Popen[str]) -> None:
        with self._lock:
            self._running.discard(process)
            self._tell_keeper(f"-{process.pid}")
            HERE.release(process)

    def _tell_keeper(self, line: str) -> None:
        if self._keeper is not None and self._keeper.stdin is not None:
            with suppress(BrokenPipeError):  # somebody has ended it, and the run goes on without
                print(line, file=self._keeper.stdin, flush=True)


def _keeper() -> subprocess.Popen[str]:
    """What interrupts the engines once this process is gone."""
    argv = [sys.executable, "-S", "-E", "-I", keeper.__file__]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, text=True, start_new_session=True)


@contextmanager
def _following(streams: Iterable[tuple[BinaryIO, OnOutput | None]]) -> Iterator[None]:
    """Tell the lines of files while these grow, and the last of them at the end."""
    ended = threading.Event()
    heard = [(stream, tell) for stream, tell in streams if tell is not None]
    reader = threading.Thread(target=_follow, args=(heard, ended), daemon=True)
    if heard:
        reader.start()
    try:
        yield
    finally:
        ended.set()
        if heard:
            reader.join()


def _whole(stream: BinaryIO) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace").rstrip()


def _follow(streams: Sequence[tuple[BinaryIO, OnOutput]], ended: threading.Event) -> None:
    begun = [b""] * len(streams)
    last = False
    while not last:
        last = ended.wait(_FOLLOW)
        for number, (stream, tell) in enumerate(streams):
            *lines, rest = (begun[number] + stream.read()).split(b"\n")
            if last and rest:
                lines.append(rest)
            begun[number] = rest
            for line in lines:
                tell(line.decode("utf-8", "replace").rstrip())


def interrupting(engines: Engines, tell: Callable[[str], None]) -> Callable[[], None]:
    """Have Ctrl-C and a request to end (SIGTERM) cancel the engines, and a second one kill them.

    Returns:
        What brings back the handlers as they were.
    """

    def end(*_: object) -> None:
        tell(
            "interrupted: the engines stop and write their states; once more kills them, and leaves locks"
            if not engines.interrupted
            else "killed: the next run says which locks are left"
        )
        engines.interrupt()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore
