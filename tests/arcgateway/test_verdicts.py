"""A verdict is shared within one update, and never carried into the next."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from arcgateway import verdicts
from arcgateway.lifeline import ANCESTORS
from arcgateway.preflight import Report, Result, endpoint
from arcgateway.proxy import ProxySettings, ProxyUrl

ROWS = (endpoint("management.azure.com"), endpoint("mcr.microsoft.com"))
PROXY = ProxySettings(https=ProxyUrl.parse("http://u:canary@proxy:3128"), skip=(".svc",))
REPORT = Report("http://proxy:3128", (Result("a", 443, "fail", "timed-out", "e", "m", 5, "a"),))


class Maker:
    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> Report:
        self.made += 1
        time.sleep(0.05)
        return REPORT


def test_many_at_once_make_one(tmp_path: Path) -> None:
    make, found = Maker(), []

    def one() -> None:
        found.append(verdicts.shared(ROWS, PROXY, (), make, update="127.0.0.1:1", folder=tmp_path))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert make.made == 1 and [report for report, _ in found] == [REPORT] * 8
    assert sorted(fresh for _, fresh in found) == [False] * 7 + [True]


def test_what_makes_another_verdict_and_what_does_not(tmp_path: Path) -> None:
    def made(*arguments: object, **more: object) -> int:
        make = Maker()
        options = {"update": "127.0.0.1:1", "folder": tmp_path, **more}
        verdicts.shared(*(arguments or (ROWS, PROXY, ())), make, **options)  # type: ignore[arg-type]
        return make.made

    other_password = ProxySettings(https=ProxyUrl.parse("http://u:other@proxy:3128"))
    own_ranges = ProxySettings(https=PROXY.https, skip=(".svc", "10.0.0.0/8"))
    assert made() == 1 and made() == 0
    assert made(ROWS[::-1], PROXY, ()) == 0
    assert made(ROWS, own_ranges, ()) == 0, "another skip range that no endpoint falls into"
    assert made(update="127.0.0.1:2") == 1
    assert made(ROWS[:1], PROXY, ()) == 1
    assert made(ROWS, other_password, ()) == 1
    assert made(ROWS, PROXY, ("root",)) == 1
    assert made(lifetime=0) == 1
    names = " ".join(path.name + path.read_text() for path in tmp_path.iterdir())
    assert "canary" not in names


def test_a_broken_file_is_made_anew(tmp_path: Path) -> None:
    make = Maker()
    verdicts.shared(ROWS, PROXY, (), make, update="x", folder=tmp_path)
    [path] = tmp_path.glob("*.json")
    path.write_text("{")
    assert verdicts.shared(ROWS, PROXY, (), make, update="x", folder=tmp_path) == (REPORT, True)


def test_a_folder_that_others_may_write_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    planted = tmp_path / f"arcgateway-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    verdicts.shared(ROWS, PROXY, (), Maker(), update="x")
    assert list(planted.iterdir()) == [] and len(list(tmp_path.iterdir())) == 2


def test_the_engine_is_found_in_the_command_line_of_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)", "127.0.0.1:43210"])
    try:
        time.sleep(0.3)
        monkeypatch.setenv(ANCESTORS, f"{os.getpid()} {plugin.pid}")
        assert verdicts.engine() == "127.0.0.1:43210"
    finally:
        plugin.kill()
        plugin.wait()
    monkeypatch.setenv(ANCESTORS, "999999999")
    assert verdicts.engine() == "process 999999999"
