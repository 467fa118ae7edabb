"""The dev stack with its state in Azure Blob, in S3 and in a folder, on the real engine; the tests run in order."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from dev_stack import PACK, QUIET
from running_sandbox import Sandbox
from waiting import until

from sandbox import state_backends
from sandbox.home import PROJECT, Home
from sandbox.state_backends import BACKENDS, AzureBlob, Backend
from sandbox.supervisor import Supervisor

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

PASSWORD = "hunter2-in-no-blob"
LOCKS = ".pulumi/locks/organization/arc-gateway/dev/"


@dataclass
class Stored:
    """The dev stack with its state in one backend."""

    name: str
    backend: Backend
    sandbox: Sandbox
    file: Path

    @property
    def variables(self) -> dict[str, str]:
        home = str(self.sandbox.home.root / f"pulumi-{self.name}")
        return {**self.backend.variables(), "PULUMI_HOME": home, "PULUMI_OPTION_CONFIG_FILE": str(self.file)}

    def pulumi(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.sandbox.run("pulumi", *arguments, *QUIET, check=check, timeout=300, **self.variables)

    def unchanged(self) -> None:
        seen = self.pulumi("preview", "--expect-no-changes", "--diff", check=False)
        assert seen.returncode == 0, seen.stdout + seen.stderr

    def locks(self) -> list[str]:
        """The names of the locks that are there."""
        return [name for name in self.backend.contents() if name.startswith(LOCKS) and not name.endswith(".attrs")]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            ["pulumi", *arguments, *QUIET],
            cwd=PROJECT,
            env={**self.sandbox.variables, **self.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )


@pytest.fixture(scope="module", params=BACKENDS)
def stored(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[Stored]:
    name: str = request.param
    with tempfile.TemporaryDirectory(prefix=f"arcgateway-{name}-") as folder:
        # The engine's children trust one bundle: the sandbox's and the emulator's certificates are of one root.
        home = Home(Path(folder))
        shutil.copytree(sandbox.home.root / "certificates", home.root / "certificates")
        if why := state_backends.missing(home, name):
            pytest.skip(f"no {name} here: {why}")
        backend = BACKENDS[name](home)
        file = home.root / "Pulumi.dev.yaml"
        file.write_text((sandbox.home.root / "Pulumi.dev.yaml").read_text())
        with Supervisor(home, backend.services):
            backend.prepare()
            made = Stored(name, backend, sandbox, file)
            made.pulumi("stack", "init")
            proxy = "arc-gateway:proxies.corporate"
            made.pulumi("config", "set", "--path", f"{proxy}.username", "deployer")
            made.pulumi("config", "set", "--path", f"{proxy}.password", "--secret", PASSWORD)
            try:
                yield made
            finally:
                made.pulumi("cancel", "--yes", check=False)
                made.pulumi("destroy", "--yes", "--skip-preview", check=False)


def test_a_stack_is_previewed_deployed_and_refreshed(stored: Stored) -> None:
    assert "create" in stored.pulumi("preview", *PACK).stdout
    stored.pulumi("up", "--yes", "--skip-preview", *PACK)
    stored.unchanged()
    stored.pulumi("refresh", "--yes", "--skip-preview")
    stored.unchanged()
    clusters = json.loads(stored.pulumi("stack", "output", "--json").stdout)["clusters"]
    assert {name: cluster["gatewayEnabled"] for name, cluster in clusters.items()} == {"east": True, "west": True}
    assert stored.locks() == []


def test_no_secret_is_in_plain_text_in_what_is_stored(stored: Stored) -> None:
    found = stored.backend.contents()
    state = json.loads(next(found[name] for name in found if name.endswith("stacks/arc-gateway/dev.json")))
    # It is there, encrypted: where a secret is not stored at all, this would prove nothing.
    assert "ciphertext" in json.dumps(state["checkpoint"])
    assert len(found) > 5 and any("/history/" in name for name in found)
    secrets = (PASSWORD, stored.sandbox.variables["ARM_CLIENT_SECRET"])
    for name, content in found.items():
        plain = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        assert not [secret for secret in secrets if secret.encode() in plain], name


def test_a_run_beside_another_is_refused_and_a_crashed_ones_lock_is_found_and_removed(stored: Stored) -> None:
    first = stored.start("up", "--yes", "--skip-preview")
    try:
        (lock,) = until(stored.locks)
        # It holds its lock as long as this takes; the group is the engine's alone, its plugins have their own.
        os.kill(first.pid, signal.SIGSTOP)
        assert json.loads(stored.backend.contents()[lock])["pid"] == first.pid
        refused = _refused(stored, first.pid)
        assert lock.rpartition("/")[2] in refused
        # A preview writes nothing, and takes no lock.
        stored.unchanged()
    finally:
        first.kill()
        first.wait()
    # What the killed one has left is a lock like any other: only its process tells that nobody holds it.
    _refused(stored, first.pid)
    assert stored.locks() == [lock]
    stored.pulumi("cancel", "--yes")
    assert stored.locks() == []
    stored.pulumi("up", "--yes", "--skip-preview")
    stored.unchanged()


def test_it_is_destroyed_and_nothing_of_it_is_left(stored: Stored) -> None:
    stored.pulumi("destroy", "--yes", "--skip-preview")
    stored.pulumi("stack", "rm", "--yes", "--preserve-config", "--remove-backups")
    left = [name for name in stored.backend.contents() if "/dev" in name and "/locks/" not in name]
    assert left == []


def _refused(stored: Stored, holder: int) -> str:
    """What a run says that finds the stack locked."""
    second = stored.pulumi("up", "--yes", "--skip-preview", check=False)
    said = second.stdout + second.stderr
    assert second.returncode != 0, said
    assert "error: the stack is currently locked by 1 lock(s)" in said
    assert "delete the lock file with `pulumi cancel`" in said
    assert re.search(rf"created by \w+@{re.escape(socket.gethostname())} \(pid {holder}\) at 20", said), said
    assert PASSWORD not in said
    return said


@pytest.fixture
def token_only(sandbox: Sandbox, tmp_path: Path) -> Iterator[tuple[AzureBlob, dict[str, str]]]:
    """Azure Blob without a key, and what leads to it: Entra and the vault are the sandbox's, by their public names."""
    home = Home(tmp_path)
    shutil.copytree(sandbox.home.root / "certificates", home.root / "certificates")
    if why := state_backends.missing(home, "azblob"):
        pytest.skip(f"no azblob here: {why}")
    backend = AzureBlob(home, keys=False)
    with Supervisor(home, backend.services):
        backend.prepare()
        yield (
            backend,
            {
                **backend.variables(),
                "HTTPS_PROXY": sandbox.variables["SANDBOX_PROXY_URL"],
                "NO_PROXY": "127.0.0.1,localhost",
                "PULUMI_HOME": str(home.folder("pulumi")),
                "PULUMI_OPTION_CONFIG_FILE": str(home.root / "Pulumi.vault.yaml"),
                "PULUMI_CONFIG_PASSPHRASE": "",
            },
        )


def test_azure_blob_and_a_key_vault_take_the_login_of_the_pipeline_and_no_key(
    sandbox: Sandbox, token_only: tuple[AzureBlob, dict[str, str]], tmp_path: Path
) -> None:
    backend, variables = token_only
    project = tmp_path / "project"
    project.mkdir()
    program = {"name": "vaulted", "runtime": "yaml", "config": {"key": "string"}, "outputs": {"key": "${key}"}}
    (project / "Pulumi.yaml").write_text(json.dumps(program))

    def pulumi(*arguments: str, check: bool = True, **other: str) -> subprocess.CompletedProcess[str]:
        command = ("pulumi", *arguments, "--non-interactive", "--color", "never")
        return sandbox.run(*command, cwd=project, check=check, **{**variables, **other})

    vault = "azurekeyvault://arc-state.vault.azure.net/keys/pulumi"
    pulumi("stack", "init", "dev", "--secrets-provider", vault)
    pulumi("config", "set", "--secret", "key", PASSWORD)
    written = (project / "Pulumi.dev.yaml").read_text()
    assert "encryptedkey:" in written and "encryptionsalt" not in written and PASSWORD not in written
    assert pulumi("config", "get", "key").stdout.strip() == PASSWORD
    pulumi("up", "--yes", "--skip-preview")
    assert pulumi("stack", "output", "key", "--show-secrets").stdout.strip() == PASSWORD
    assert any("/history/" in name for name in backend.contents())
    assert not [name for name, content in backend.contents().items() if PASSWORD.encode() in content]

    refused = pulumi("stack", "ls", check=False, AZURE_CLIENT_SECRET=PASSWORD)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0 and "invalid_client" in said and PASSWORD not in said, said
