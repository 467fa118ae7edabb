"""The supervisor with small processes of its own: order, readiness, restarts, failures, and what is left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from processes import ended
from waiting import until

from sandbox.home import PROJECT, Home
from sandbox.service import Service, listening
from sandbox.services import release_taken_ports
from sandbox.supervisor import STATUS, AlreadyRunning, SandboxFailed, Supervisor, held, holder

SLEEP = ("/bin/sleep", "60")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def web(home: Home, name: str, after: tuple[str, ...] = ()) -> Service:
    port = home.port(name)
    argv = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port))
    return Service(name, argv, listening(port), after=after, ports=(name,))


def test_all_are_ready_inside_and_gone_after(home: Home) -> None:
    with Supervisor(home, [web(home, "one"), web(home, "two", after=("one",))]) as running:
        pids = [running.pid("one"), running.pid("two")]
        for name in ("one", "two"):
            socket.create_connection(("127.0.0.1", home.port(name)), timeout=1).close()
    assert not any(psutil.pid_exists(pid) for pid in pids if pid)
    status = json.loads((home.root / STATUS).read_text())
    assert {service["state"] for service in status["services"].values()} == {"stopped"}


def test_a_service_waits_for_what_it_needs(home: Home) -> None:
    order = list[str]()

    def noting(name: str, after: tuple[str, ...] = ()) -> Service:
        return Service(name, SLEEP, lambda: True, after=after, prepare=lambda: order.append(name))

    with Supervisor(home, [noting("last", after=("first", "second")), noting("second", ("first",)), noting("first")]):
        assert order == ["first", "second", "last"]


def test_what_dies_is_started_again(home: Home) -> None:
    with Supervisor(home, [web(home, "one")]) as running:
        first = running.pid("one")
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: running.pid("one") != first and listening(home.port("one"))())
        status = json.loads((home.root / STATUS).read_text())
        assert status["services"]["one"]["restarts"] == 1


def test_a_service_that_never_starts_is_named_with_what_it_said(home: Home) -> None:
    broken = Service("broken", ("/bin/sh", "-c", "echo no such disk; exit 3"), lambda: False)
    with pytest.raises(SandboxFailed, match=r"service broken .*log") as caught, Supervisor(home, [broken]):
        pass
    assert "no such disk" in str(caught.value)


def test_a_program_that_is_not_there_is_named(home: Home) -> None:
    with (
        pytest.raises(SandboxFailed, match=r"/no/such/program"),
        Supervisor(home, [Service("gone", ("/no/such/program",), lambda: True)]),
    ):
        pass


def test_an_occupied_port_is_named(home: Home) -> None:
    service = web(home, "one")
    with socket.socket() as other:
        other.bind(("127.0.0.1", home.port("one")))
        other.listen()
        with pytest.raises(SandboxFailed, match=rf"port {home.port('one')} \(one\)"), Supervisor(home, [service]):
            pass


def test_a_kept_port_that_is_taken_is_chosen_anew(home: Home) -> None:
    kept, taken = home.port("kept"), home.port("taken")
    with socket.socket() as other:
        other.bind(("127.0.0.1", taken))
        other.listen()
        (note,) = release_taken_ports(home)
        assert str(taken) in note
        assert home.port("taken") != taken
        assert home.port("kept") == kept


def test_one_supervisor_for_one_home(home: Home) -> None:
    assert holder(home) is None
    with held(home):
        assert holder(home) == os.getpid()
        with pytest.raises(AlreadyRunning, match=str(home.root)), held(home):
            pass
    assert holder(home) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child of its parent's death")
def test_a_killed_supervisor_leaves_nothing_behind(home: Home) -> None:
    program = (
        "import sys, time; from pathlib import Path; from sandbox.home import Home\n"
        "from sandbox.service import Service; from sandbox.supervisor import Supervisor\n"
        "service = Service('one', ('/bin/sleep', '60'), lambda: True)\n"
        "with Supervisor(Home(Path(sys.argv[1])), [service]) as running:\n"
        "    print(running.pid('one'), flush=True); time.sleep(60)\n"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", program, str(home.root)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert supervisor.stdout is not None
        child = int(supervisor.stdout.readline())
        assert psutil.pid_exists(child)
    finally:
        supervisor.kill()
        supervisor.wait()
    until(lambda: ended(child))
