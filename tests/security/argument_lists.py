"""What other users of a machine can read: the arguments of all processes, seen while something runs."""

from __future__ import annotations

import os
import shlex
import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

#: Programs that the driver starts, and that they start. They may end between two samples, so they are recorded too.
RECORDED = ("az", "helm", "kubectl")

_PAUSE = 0.02
#: A process is read anew until it has been seen this often, as its arguments change when it becomes another program.
_LOOKS = 10


@contextmanager
def sampled() -> Iterator[set[str]]:
    """Read /proc/*/cmdline of all processes of the machine over and over; yields what was seen so far."""
    seen: set[str] = set()
    looks: Counter[Path] = Counter()
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(_PAUSE):
            for process in Path("/proc").glob("[0-9]*"):
                if looks[process] < _LOOKS:
                    looks[process] += 1
                    with suppress(OSError):
                        seen.add((process / "cmdline").read_text(errors="replace").replace("\0", " "))

    thread = threading.Thread(target=sample, name="argument lists", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def recording(folder: Path, variables: Mapping[str, str]) -> tuple[dict[str, str], Path]:
    """An environment whose programs write down their arguments before they run, and the file that these go to."""
    record = folder / "arguments"
    record.touch()
    shims = folder / "bin"
    shims.mkdir()
    for name in RECORDED:
        real = shutil.which(name, path=variables["PATH"])
        assert real is not None, f"{name} is not on PATH"
        shim = shims / name
        shim.write_text(f'#!/bin/sh\necho {name} "$@" >> {shlex.quote(str(record))}\nexec {shlex.quote(real)} "$@"\n')
        shim.chmod(0o755)
    return {**variables, "PATH": f"{shims}{os.pathsep}{variables['PATH']}"}, record
