"""The image for runners: what can be told of it without a builder."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from sandbox.az import EXTENSIONS
from sandbox.home import PROJECT, Home, MissingTool

CONTAINER = PROJECT / "container"
TEXT = (CONTAINER / "Dockerfile").read_text()


def _pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"(?m)^([a-z0-9][\w.-]*)==([^ ;]+)", lock.read_text()))


def test_hadolint_has_nothing_to_say() -> None:
    try:
        hadolint = Home.tool("hadolint")
    except MissingTool:
        pytest.skip("there is no hadolint here: `python3 -m toolchain --only hadolint` gets it")
    command = [str(hadolint), "--no-color", "--format", "json", str(CONTAINER / "Dockerfile")]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (told.returncode, json.loads(told.stdout)) == (0, [])


def test_every_image_that_it_starts_from_is_one_that_is_pinned_by_its_digest() -> None:
    arguments = dict(re.findall(r"(?m)^ARG (\w+)=(\S+)$", TEXT))
    stages = set(re.findall(r"(?m)^FROM \S+ AS (\w[\w-]*)$", TEXT))
    for source in re.findall(r"(?m)^FROM (\S+)", TEXT):
        if source not in stages:
            assert re.search(r":\d[\w.-]*@sha256:[0-9a-f]{64}$", arguments[source.strip("${}")])


def test_it_ends_as_a_user_without_rights_and_without_a_health_check() -> None:
    last = TEXT[TEXT.rindex("\nFROM ") :]
    users = re.findall(r"(?m)^USER (\S+)", last)
    assert users and users[-1] == "10001:10001"
    assert "HEALTHCHECK" not in TEXT and "sudo" not in TEXT


def test_packages_are_those_of_the_projects_lock_with_hashes() -> None:
    ours, all_pins = _pins(CONTAINER / "requirements.lock"), _pins(PROJECT / "requirements.lock")
    assert ours.items() <= all_pins.items() and "pytest" not in ours and "pulumi-policy" in ours
    for name in ("requirements.lock", "build.requirements"):
        lock = (CONTAINER / name).read_text()
        assert "://" not in lock
        assert all("--hash=sha256:" in block for block in re.split(r"(?m)^(?=[a-z0-9])", lock)[1:])
    for line in re.findall(r"(?:uv )?pip install[^\n&]*", TEXT):
        assert "--require-hashes" in line or "--no-deps" in line, line


def test_the_extensions_are_those_that_the_stand_in_is_modelled_on() -> None:
    arguments = dict(re.findall(r"(\w+)=([\d.]+)", TEXT[TEXT.index("ARG CONNECTEDK8S") :].splitlines()[0]))
    assert {name.lower(): version for name, version in arguments.items()} == EXTENSIONS


def test_the_builder_is_given_what_is_copied_and_nothing_of_a_persons() -> None:
    let_in = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"(?m)^COPY (?!--from)(?:--\S+ )*(.+) \S+$", TEXT)
    for source in " ".join(copied).split():
        assert source.split("/")[0] in let_in and (PROJECT / source).exists(), source
    assert not let_in & {".local", ".venv", ".git", "Pulumi.dev.yaml"}


def test_the_entrypoint_hands_over_and_copes_with_a_user_that_owns_nothing(tmp_path: Path) -> None:
    def run(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "PULUMI_HOME": f"{home}/.pulumi", "TMPDIR": str(tmp_path)}
        return subprocess.run([CONTAINER / "entrypoint", *command], env=env, capture_output=True, text=True, timeout=30)

    assert run(tmp_path, "sh", "-c", "exit 7").returncode == 7
    assert run(tmp_path, "sh", "-c", 'echo "$HOME"').stdout.strip() == str(tmp_path)
    # A folder that is not there is one that nobody can write, root neither.
    lost = run(tmp_path / "nobodys", "sh", "-c", 'touch "$HOME/x" && readlink "$PULUMI_HOME/plugins"')
    assert (lost.returncode, lost.stdout.strip()) == (0, f"{tmp_path}/nobodys/.pulumi/plugins")
