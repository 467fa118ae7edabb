"""A process beside a fleet's run that interrupts the engines once the run is gone, in whichever way it went.

An engine that outlives its run would hold its stack's lock, and change clusters that nobody watches. It takes lines on
standard input: `+PID` for an engine that has begun, `-PID` for one that has ended; their end is the run's. It stands
alone on the standard library and is started without site-packages, so that it costs next to nothing.
"""

import os
import signal
import sys
import time

#: What an engine gets to stop its commands and to write its state.
GRACE = 60.0


def main() -> None:
    """Watch until the run is gone, then stop what it has left."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    engines: set[int] = set()
    for line in sys.stdin:
        (engines.add if line[0] == "+" else engines.discard)(int(line[1:]))
    for number, seconds in ((signal.SIGINT, GRACE), (signal.SIGKILL, 0.0)):
        for pid in engines:
            _signal(pid, number)
        deadline = time.monotonic() + seconds
        while engines and time.monotonic() < deadline:
            engines = {pid for pid in engines if _signal(pid, 0)}
            time.sleep(0.1)


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
