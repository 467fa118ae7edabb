"""One command's run, as Go's os/exec does it for the real plugin: what it finds, captures and says of errors."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import IO

DEFAULT_INTERPRETER = ("cmd", "/C") if sys.platform == "win32" else ("/bin/sh", "-c")
CHUNK = 65536

_GO_ESCAPES = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v"}
_SIGNALS = {1: "hangup", 2: "interrupt", 3: "quit", 6: "aborted", 9: "killed", 13: "broken pipe", 15: "terminated"}


@dataclass(frozen=True)
class Run:
    """What to run.

    Attributes:
        command: the last argument of the interpreter.
        interpreter: program and arguments; a relative path with a slash is looked up in `directory`.
        directory: where to run; "" for the plugin's own working directory.
        environment: the whole of it.
        stdin: text for standard input; "" for none.
        logged: of `stdout` and `stderr`, those whose lines are passed on while it runs.
    """

    command: str
    interpreter: Sequence[str]
    directory: str
    environment: Mapping[str, str]
    stdin: str
    logged: frozenset[str]


@dataclass(frozen=True)
class Captured:
    """The outputs of a command that ended well, each without its last line break."""

    stdout: str
    stderr: str


class CommandError(Exception):
    """The command could not be started, or did not end with 0; worded as the real plugin words it."""


class Commands:
    """The commands under way in this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._cancelled = False

    def run(self, what: Run, log: Callable[[str], None]) -> Captured:
        """Run a command to its end, and until nothing holds its outputs open any more.

        Raises:
            CommandError: see there.
        """
        together = _Buffer()
        lines = _Lines(log)
        outputs = {name: _Buffer() for name in ("stdout", "stderr")}
        with self._started(what) as process:
            streams = [
                Thread(target=_read, args=(stream, (outputs[name], together, *((lines,) * (name in what.logged)))))
                for name, stream in (("stdout", process.stdout), ("stderr", process.stderr))
            ]
            if process.stdin is not None:
                # Waited for too: a pipe that nobody has read may break once more for whoever closes it.
                streams.append(Thread(target=_feed, args=(process.stdin, what.stdin.encode())))
            for thread in streams:
                thread.start()
            for thread in streams:
                thread.join()
            status = process.wait()
            with self._lock:
                self._running.discard(process)
        lines.end()
        if status:
            raise _failure(_exit_text(status), what.command, together.text())
        return Captured(*(outputs[name].text().removesuffix("\n") for name in ("stdout", "stderr")))

    def cancel(self) -> None:
        """Kill the direct children, and no more than those; start none from now on."""
        with self._lock:
            self._cancelled = True
            for process in self._running:
                process.kill()

    def _started(self, what: Run) -> subprocess.Popen[bytes]:
        arguments = [*(what.interpreter or DEFAULT_INTERPRETER), what.command]
        directory = Path(what.directory) if what.directory else Path.cwd()
        program = _found(arguments[0])
        if program is None:
            raise _failure(f'exec: "{arguments[0]}": executable file not found in $PATH', what.command)
        try:
            directory.stat()
            with self._lock:
                if self._cancelled:
                    raise _failure("context canceled", what.command)
                process = subprocess.Popen(
                    arguments,
                    executable=program,
                    cwd=directory,
                    env=what.environment,
                    stdin=subprocess.PIPE if what.stdin else subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
                self._running.add(process)
                return process
        except OSError as error:
            act = f"fork/exec {program}" if directory.is_dir() else f"chdir {directory}"
            raise _failure(f"{act}: {(error.strerror or str(error)).lower()}", what.command) from error


class _Buffer:
    """Bytes written by one thread or two."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> None:
        with self._lock:
            self._parts.append(part)

    def text(self) -> str:
        return b"".join(self._parts).decode(errors="replace")


class _Lines:
    """Passes on whole lines; both outputs share one, as in the real plugin."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._lock = Lock()
        self._log = log
        self._rest = b""

    def write(self, part: bytes) -> None:
        with self._lock:
            *lines, self._rest = (self._rest + part).split(b"\n")
            for line in lines:
                self._pass_on(line)

    def end(self) -> None:
        if self._rest:
            self._pass_on(self._rest)

    def _pass_on(self, line: bytes) -> None:
        self._log(line.removesuffix(b"\r").decode(errors="replace"))


def _read(stream: IO[bytes], writers: Sequence[_Buffer | _Lines]) -> None:
    while part := os.read(stream.fileno(), CHUNK):
        for writer in writers:
            writer.write(part)


def _feed(stream: IO[bytes], data: bytes) -> None:
    with suppress(BrokenPipeError), stream:  # a command need not read what it is given
        stream.write(data)


def _found(program: str) -> str | None:
    """The file to execute: by name on this process's PATH, else the path as it is given."""
    if os.sep in program:
        return program
    return shutil.which(program)


def _failure(cause: str, command: str, output: str = "") -> CommandError:
    return CommandError(f"{cause}: running {quoted(command)}:\n{output}")


def _exit_text(status: int) -> str:
    if status < 0:
        return f"signal: {_SIGNALS.get(-status, f'signal {-status}')}"
    return f"exit status {status}"


def quoted(text: str) -> str:
    """The text as Go's %q prints it."""
    return f'"{"".join(map(_quoted, text))}"'


def _quoted(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    if char in _GO_ESCAPES:
        return _GO_ESCAPES[char]
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
