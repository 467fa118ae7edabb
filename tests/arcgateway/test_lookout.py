"""The observer's own process: what passes to and fro, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from processes import ended
from waiting import until

from arcgateway.errors import Failure
from arcgateway.lookout import Lookout

SETTINGS = {
    "ARC_SUBSCRIPTION_ID": "11111111-2222-3333-4444-555555555555",
    "ARC_RESOURCE_GROUP": "arc",
    "ARC_CLUSTER_NAME": "east",
    "ARC_PROXY_HTTPS": "",
}
WAIT = 30  # seconds until a test gives up


@pytest.fixture
def lookout(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lookout]:
    """A lookout whose Azure is an address where nothing listens."""
    monkeypatch.setenv("ARM_METADATA_HOSTNAME", "127.0.0.1:1")
    made = Lookout()
    yield made
    if made._process is not None:
        made._process.stdin.close()  # type: ignore[union-attr]
        made._process.wait(WAIT)


def test_what_azure_does_not_say_is_a_failure_with_its_mend(lookout: Lookout) -> None:
    failure = lookout.look(SETTINGS).exception(WAIT)
    assert isinstance(failure, Failure)
    assert "127.0.0.1 cannot be reached" in failure.cause
    assert "check the proxy and the network" in failure.mend


def test_wrong_settings_are_no_failure(lookout: Lookout) -> None:
    assert lookout.look({**SETTINGS, "ARC_SUBSCRIPTION_ID": "none"}).result(WAIT) is None


def test_many_are_answered_by_one_process(lookout: Lookout) -> None:
    looks = [lookout.look({**SETTINGS, "ARC_SUBSCRIPTION_ID": str(number)}) for number in range(100)]
    assert [look.result(WAIT) for look in looks] == [None] * 100
    assert lookout._process is not None
    assert lookout._process.poll() is None


def test_an_observer_that_was_killed_fails_who_waits_and_is_started_anew(lookout: Lookout) -> None:
    lookout.warm_up()
    process = lookout._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    waiting = lookout.look(SETTINGS)
    process.kill()
    with pytest.raises(Failure, match=r"the observer has ended \(status -9\)"):
        waiting.result(WAIT)
    assert lookout.look({**SETTINGS, "ARC_RESOURCE_GROUP": ""}).result(WAIT) is None
    assert lookout._process is not process


def test_a_cancelled_look_hinders_no_other(lookout: Lookout) -> None:
    lookout.look(SETTINGS).cancel()
    assert lookout.look({**SETTINGS, "ARC_RESOURCE_GROUP": ""}).result(WAIT) is None
    assert isinstance(lookout.look(SETTINGS).exception(WAIT), Failure)


def test_it_ends_with_a_program_that_is_killed() -> None:
    program = "\n".join(
        (
            "import time",
            "from arcgateway.lookout import Lookout",
            "lookout = Lookout()",
            "lookout.look({}).result(30)",
            "print(lookout._process.pid, flush=True)",
            "time.sleep(60)",
        )
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        observer = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
    until(lambda: ended(observer))
