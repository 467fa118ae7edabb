"""The observer in a process of its own.

Asking Azure costs half a second of a Python's time, for the imports of Azure's clients more than for all else. A
program has resources to declare meanwhile, so the observer works beside it, and only questions and answers pass.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future

from arcgateway.errors import Failure
from arcgateway.held import Held

#: Seconds that a look may take in all. ARCGATEWAY_OBSERVER_SECONDS overrides it.
SECONDS = 10.0


def seconds(env: Mapping[str, str] = os.environ) -> float:
    """How long a look may take.

    Raises:
        Failure: ARCGATEWAY_OBSERVER_SECONDS is no number above 0.
    """
    text = env.get("ARCGATEWAY_OBSERVER_SECONDS") or str(SECONDS)
    try:
        given = float(text)
    except ValueError:
        given = 0.0
    if not given > 0:
        raise Failure(f"ARCGATEWAY_OBSERVER_SECONDS is {text!r}", "give a number of seconds above 0, or unset it")
    return given


class Lookout:
    """Has an observer in another process look at clusters. That process ends with this one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._asked: dict[int, Future[Held | None]] = {}
        self._process: subprocess.Popen[str] | None = None

    def warm_up(self) -> None:
        """Start the other process, while the caller goes on."""
        with self._lock:
            self._running()

    def look(self, settings: Mapping[str, str]) -> Future[Held | None]:
        """What Azure holds of the cluster that the driver's variables name; None where these are wrong.

        The future fails with a `Failure` where Azure does not say.
        """
        looked: Future[Held | None] = Future()
        with self._lock:
            process = self._running()
            number = next(self._numbers)
            self._asked[number] = looked
            assert process.stdin is not None
            with contextlib.suppress(OSError):  # it has ended, which its reader tells to all who wait
                print(json.dumps({"number": number, "settings": settings}), file=process.stdin, flush=True)
        return looked

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "arcgateway.observer"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                encoding="utf-8",
            )
            threading.Thread(target=self._read, args=(self._process,), name="lookout", daemon=True).start()
        return self._process

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            answer = json.loads(line)
            with self._lock:
                looked = self._asked.pop(answer["number"])
            if not looked.set_running_or_notify_cancel():
                continue
            if "failure" in answer:
                looked.set_exception(Failure(**answer["failure"]))
            else:
                looked.set_result(Held(answer["cluster"], answer["setting"]) if "cluster" in answer else None)
        status = process.wait()
        with self._lock:
            self._process = None
            unanswered, self._asked = self._asked, {}
        for looked in unanswered.values():
            if looked.set_running_or_notify_cancel():
                looked.set_exception(Failure(f"the observer has ended (status {status})", "run again"))
