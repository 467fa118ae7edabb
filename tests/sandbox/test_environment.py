"""The environment that leads into the sandbox, and the stack's configuration in it."""

from __future__ import annotations

import os
import ssl
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from sandbox.certificates import certificates, issue
from sandbox.environment import STACK_FILE, environment, exports, proxy_url, stack_file
from sandbox.home import Home
from sandbox.plugin_choice import DOUBLES, NoRealPlugins, choose, kind

CONTRACT = [
    "PATH",
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE",
    "PULUMI_HOME",
    "KUBECONFIG",
    "SANDBOX_ARM_URL",
    "ARM_METADATA_HOSTNAME",
    "ARM_SUBSCRIPTION_ID",
    "ARM_TENANT_ID",
    "ARM_CLIENT_ID",
    "ARM_CLIENT_SECRET",
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "SANDBOX_PROXY_URL",
]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "sand box")


def test_a_shell_reads_every_variable_of_the_contract(home: Home) -> None:
    script = exports(environment(home)) + "".join(f'printf "%s\\n" "${name}"\n' for name in CONTRACT)
    read = subprocess.run(["/bin/sh", "-eu"], input=script, capture_output=True, text=True, check=True).stdout
    values = dict(zip(CONTRACT, read.splitlines(), strict=True))
    assert values == {name: environment(home)[name] for name in CONTRACT}
    assert values["SANDBOX_ARM_URL"] == f"https://{values['ARM_METADATA_HOSTNAME']}"
    assert values["ARM_CLIENT_SECRET"] == values["AZURE_CLIENT_SECRET"] != ""


def test_path_goes_on_with_the_callers_and_repeats_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"/own/bin{os.pathsep}/usr/bin")
    once = environment(home)["PATH"]
    monkeypatch.setenv("PATH", once)
    assert environment(home)["PATH"] == once
    assert once.endswith(f"/own/bin{os.pathsep}/usr/bin")
    assert str(DOUBLES) in once.split(os.pathsep)


def test_what_is_decided_once_stays(home: Home) -> None:
    again = Home(home.root)
    assert again.port("proxy") == home.port("proxy")
    assert again.identity == home.identity
    assert environment(again) == environment(home)


def test_secrets_are_the_owners_alone(home: Home) -> None:
    assert home.identity.client_secret
    certificates(home)
    private = [home.root / "identity.json", *(home.root / "certificates").glob("*.key")]
    assert len(private) >= 3
    for file in (home.root, *private):
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


def test_the_bundle_trusts_ours_and_the_public_roots(home: Home) -> None:
    files = certificates(home)
    trusted = ssl.create_default_context(cafile=str(files.bundle)).get_ca_certs()
    own = ssl.create_default_context(cafile=str(files.root)).get_ca_certs()
    assert own[0] in trusted
    assert len(trusted) > 50
    chain, key = issue(home, "node", "127.0.0.1")
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(chain, key)


def test_the_copy_fills_in_what_only_a_sandbox_knows(home: Home) -> None:
    assert stack_file(home)
    stack = yaml.safe_load((home.root / STACK_FILE).read_text())
    proxy = stack["config"]["arc-gateway:proxies"]["corporate"]
    assert proxy["httpsUrl"] == proxy["httpUrl"] == proxy_url(home)
    (root,) = stack["config"]["arc-gateway:preflight"]["genuineRoots"]
    assert root == certificates(home).root.read_text()


def test_the_copy_follows_the_tracked_file_and_keeps_what_was_set_in_it(home: Home, tmp_path: Path) -> None:
    tracked = tmp_path / STACK_FILE
    tracked.write_text("config:\n  arc-gateway:proxies: {corporate: {httpsUrl: http://127.0.0.1:3128}}\n")
    assert stack_file(home, tracked)
    copy = home.root / STACK_FILE
    copy.write_text(copy.read_text() + "  arc-gateway:set: by hand\n")
    assert not stack_file(home, tracked)
    assert "by hand" in copy.read_text()
    tracked.write_text(tracked.read_text() + "  arc-gateway:new: line\n")
    assert stack_file(home, tracked)
    assert "new: line" in copy.read_text()
    assert proxy_url(home) in copy.read_text()


def test_real_plugins_are_asked_for_in_vain(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoRealPlugins, match="pulumi plugin install resource azure-native"):
        choose(home, "real")
    choose(home, "auto")
    assert kind(home) == "double"


def test_real_plugins_are_used_where_they_are(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("azure-native", "command"):
        folder = tmp_path / "plugins" / f"resource-{name}-v9.9.9"
        folder.mkdir(parents=True)
        (folder / f"pulumi-resource-{name}").touch(mode=0o755)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin")
    choose(home, "auto")
    assert kind(home) == "real"
    assert str(DOUBLES) not in environment(home)["PATH"]
    choose(home, "double")
    assert str(DOUBLES) in environment(home)["PATH"]
