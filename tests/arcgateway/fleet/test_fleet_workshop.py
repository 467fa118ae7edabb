"""The folder in which a fleet's engines work, its locks' owners, and the keeper of its engines."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from waiting import until

from arcgateway.errors import Failure
from arcgateway.fleet import keeper, locks
from arcgateway.fleet.partition import FleetStack
from arcgateway.fleet.workshop import Program, Workshop, encryption_of


def program(folder: Path, text: str = "name: p\nruntime: {name: python, options: {virtualenv: .venv}}\n") -> Program:
    (folder / "Pulumi.yaml").write_text(text)
    return Program.find(folder)


def test_the_checkout_stays_clean_and_the_program_runs_where_it_is(tmp_path: Path) -> None:
    workshop = Workshop.of(program(tmp_path), "retail", "arc-gateway")
    made = yaml.safe_load((workshop.folder / "Pulumi.yaml").read_text())
    assert made == {
        "name": "arc-gateway",
        "runtime": {"name": "python", "options": {"virtualenv": str(tmp_path / ".venv")}},
        "main": str(tmp_path),
    }
    assert (tmp_path / ".arc-gateway/.gitignore").read_text() == "*\n"
    assert workshop.folder.stat().st_mode & 0o077 == 0


def test_a_stacks_file_has_its_settings_and_how_its_secrets_are_encrypted(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "work", program(tmp_path), "p")
    stack = FleetStack("s", "clusters", "r", "eastus", {"gateway": {"id": "g"}, "azure-native:subscriptionId": "1"})
    assert workshop.encryption("s") is None
    file = workshop.configure(stack, {"encryptionsalt": "v1:a:b"})
    assert yaml.safe_load(file.read_text()) == {
        "encryptionsalt": "v1:a:b",
        "config": {"arc-gateway:gateway": {"id": "g"}, "azure-native:subscriptionId": "1"},
    }
    assert file.stat().st_mode & 0o077 == 0
    assert workshop.encryption("s") == {"encryptionsalt": "v1:a:b"}


@pytest.mark.parametrize(
    ("provider", "found"),
    [
        ({"type": "passphrase", "state": {"salt": "v1:x"}}, {"encryptionsalt": "v1:x"}),
        (
            {"type": "cloud", "state": {"url": "azurekeyvault://v/k", "encryptedkey": "ZQ=="}},
            {"secretsprovider": "azurekeyvault://v/k", "encryptedkey": "ZQ=="},
        ),
        ({"type": "service", "state": {}}, {}),
        ({}, {}),
    ],
    ids=["passphrase", "cloud", "service", "none"],
)
def test_a_machine_that_is_new_to_a_stack_learns_its_encryption_from_the_state(
    provider: dict[str, object], found: dict[str, str]
) -> None:
    assert encryption_of({"secrets_providers": provider}) == found


def test_no_program_and_no_pack_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"holds no program.*--program"):
        Program.find(tmp_path)
    (tmp_path / "Pulumi.yaml").write_text("[")
    with pytest.raises(Failure, match="is no Pulumi project"):
        Program.find(tmp_path)
    with pytest.raises(Failure, match="--policy-pack, or go without it by --no-policy"):
        program(tmp_path).pack()


def test_the_pack_beside_the_program_is_found_and_another_one_is_taken(tmp_path: Path) -> None:
    found = program(tmp_path)
    for name in ("dist/policy", "policy", "other"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "PulumiPolicy.yaml").write_text("name: x\n")
        assert found.pack() == tmp_path / ("policy" if name != "dist/policy" else name)
    assert found.pack(tmp_path / "other") == tmp_path / "other"


def _refusal(host: str, pid: int) -> str:
    return (
        "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the "
        f"lock file with `pulumi cancel`.\n  file:///x.json: created by root@{host} (pid {pid}) at "
        "2026-11-26T06:07:57Z"
    )


def test_a_lock_whose_owner_is_gone_is_told_from_one_that_is_held() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = socket.gethostname()
    (gone,) = locks.owners(_refusal(here, ended.pid))
    assert gone.gone
    assert "--release-dead-locks" in locks.explained("s", _refusal(here, ended.pid))
    (held,) = locks.owners(_refusal(here, os.getpid()))
    assert not held.gone
    assert "was skipped" in locks.explained("s", _refusal(here, os.getpid()))
    (far,) = locks.owners(_refusal("elsewhere", ended.pid))
    assert not far.gone
    assert "pulumi cancel --stack s" in locks.explained("s", _refusal("elsewhere", ended.pid))
    assert locks.owners("[409] Conflict") == ()
    assert "another update of s" in locks.explained("s", "[409] Conflict")


def test_the_keeper_interrupts_the_engines_of_a_run_that_is_gone_and_no_others() -> None:
    wait = "import time; time.sleep(60)"
    left, ended = (subprocess.Popen([sys.executable, "-c", wait], process_group=0) for _ in range(2))
    kept = subprocess.Popen([sys.executable, "-S", "-E", "-I", keeper.__file__], stdin=subprocess.PIPE, text=True)
    try:
        assert kept.stdin is not None
        kept.stdin.write(f"+{left.pid}\n+{ended.pid}\n-{ended.pid}\n")
        kept.stdin.flush()
        time.sleep(0.3)
        assert left.poll() is None
        kept.stdin.close()
        assert until(lambda: left.poll()) == -signal.SIGINT
        assert kept.wait(10) == 0
        assert ended.poll() is None
    finally:
        for one in (left, ended, kept):
            one.kill()
            one.wait()


def test_the_journal_has_a_line_for_each_run(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "work", program(tmp_path), "p")
    for verb in ("plan", "up"):
        workshop.note({"verb": verb})
    lines = (workshop.folder / "runs.jsonl").read_text().splitlines()
    assert [json.loads(line)["verb"] for line in lines] == ["plan", "up"]
