"""The pack under the real engine: a program of components alone, previewed and deployed with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
TOOLS = ("pulumi", "pulumi-language-python")
LIMIT = 120  # seconds

PROJECT_FILE = f"""\
name: components-only
runtime:
  name: python
  options: {{toolchain: pip, virtualenv: {PROJECT / ".venv"}}}
"""
PROGRAM = """\
import pulumi

says = pulumi.Config().get_bool
address = pulumi.Output.secret("http://user:hunter2-canary@proxy:3128")
proxy = {"httpsUrl": address, "terminatesTls": says("terminates") or False}
if says("certificate"):
    proxy["certificate"] = "-----BEGIN CERTIFICATE-----"
corporate = pulumi.ComponentResource("arc-gateway:index:ProxySettings", "corporate", proxy)
cluster = {"clusterName": "east", "enable_private_link": says("link") or False, "proxy": corporate}
if says("old"):
    cluster["agent_version"] = "1.9"
if says("elsewhere"):
    gateway = {"gateway_type": "Private", "location": "usgovvirginia"}
    pulumi.ComponentResource("arc-gateway:index:ArcGateway", "north", gateway)
pulumi.ComponentResource("arc-gateway:index:ConnectedCluster", "east", cluster)
"""

PROXIES = """\
import pulumi

says = pulumi.Config().get_bool
address = "http://user:hunter2-canary@proxy:3128"
secret = pulumi.Output.secret(address)
proxy = {"httpsUrl": address if says("plain") else secret, "skipRange": ["*"] if says("all") else [".svc"]}
pulumi.ComponentResource("arc-gateway:index:ProxySettings", "corporate", proxy)
variables = {"ARC_PROXY_HTTPS": secret, "ARC_PROXY_SKIP_RANGE": pulumi.Output.secret(".range-canary")}
driver = {"create": "connect", "environment": variables}
pulumi.ComponentResource("command:local:Command", "driver", driver)
"""

Pulumi = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def pulumi(tmp_path: Path) -> Pulumi:
    """Runs the CLI in a project of its own, with a state of its own."""
    path = os.pathsep.join([str(PROJECT / ".local/toolchain/bin"), os.environ.get("PATH", "")])
    missing = [tool for tool in TOOLS if shutil.which(tool, path=path) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} missing: run `make toolchain`")
    program, state = tmp_path / "program", tmp_path / "state"
    program.mkdir()
    state.mkdir()
    (program / "Pulumi.yaml").write_text(PROJECT_FILE)
    (program / "__main__.py").write_text(PROGRAM)
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "VIRTUAL_ENV"))},
        "PATH": path,
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "for tests",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "NO_COLOR": "1",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", *arguments, "--stack", "dev", "--non-interactive"],
            executable=shutil.which("pulumi", path=path),
            cwd=program,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )

    made = run("stack", "init")
    assert made.returncode == 0, made.stderr
    return run


def test_the_engine_refuses_what_the_rules_refuse(pulumi: Pulumi) -> None:
    pack = ("--policy-pack", str(PROJECT / "policy"))
    sound = pulumi("up", "--yes", "--skip-preview", *pack)
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert "arc-gateway@v0.1.0" in sound.stdout
    assert "advisory" not in sound.stdout, "a sound stack gets no word"

    refused = pulumi("preview", *pack, "-c", "terminates=true", "-c", "link=true", "-c", "certificate=true")
    assert refused.returncode != 0
    assert "no-tls-terminating-proxies" in refused.stdout
    assert "corporate (arc-gateway:index:ProxySettings), property terminatesTls" in refused.stdout
    assert "corporate (arc-gateway:index:ProxySettings), property certificate" in refused.stdout
    assert "no-private-endpoints" in refused.stdout
    assert "east (arc-gateway:index:ConnectedCluster), property enable_private_link" in refused.stdout
    assert "docs/policies.md#no-private-endpoints" in refused.stdout
    assert "hunter2-canary" not in refused.stdout + refused.stderr

    # `-c` is kept in the stack's configuration: what the preview set must be unset.
    mended = ("-c", "terminates=false", "-c", "certificate=false")
    stopped = pulumi("up", "--yes", "--skip-preview", *pack, *mended)
    assert stopped.returncode != 0
    assert "no-private-endpoints" in stopped.stdout
    assert "no-tls-terminating-proxies" not in stopped.stdout


def test_the_engine_refuses_gateways_and_agents_that_azure_would(pulumi: Pulumi) -> None:
    pack = ("--policy-pack", str(PROJECT / "policy"))
    gateway = ("north (arc-gateway:index:ArcGateway), property gateway_type", "[rule azure-public-cloud,")
    agents = ("east (arc-gateway:index:ConnectedCluster), property agent_version", "[rule agent-version,")

    refused = pulumi("preview", *pack, "-c", "elsewhere=true", "-c", "old=true")
    assert refused.returncode != 0
    assert all(text in refused.stdout for text in (*gateway, *agents))

    # An update ends at the first resource that is refused.
    for switches, texts in ((("true", "false"), gateway), (("false", "true"), agents)):
        stopped = pulumi(
            "up", "--yes", "--skip-preview", *pack, "-c", f"elsewhere={switches[0]}", "-c", f"old={switches[1]}"
        )
        assert stopped.returncode != 0
        assert all(text in stopped.stdout for text in texts)


def test_the_engine_tells_passwords_from_secrets_and_keeps_what_is_completed_secret(
    pulumi: Pulumi, tmp_path: Path
) -> None:
    (tmp_path / "program/__main__.py").write_text(PROXIES)
    levels = tmp_path / "levels.json"
    levels.write_text('{"skip-range": "remediate"}')
    pack = ("--policy-pack", str(PROJECT / "policy"), "--policy-pack-config", str(levels))
    refused = pulumi("preview", *pack, "-c", "plain=true", "-c", "all=true")
    assert refused.returncode != 0
    assert "corporate (arc-gateway:index:ProxySettings), property httpsUrl, has a proxy URL whose" in refused.stdout
    assert "corporate (arc-gateway:index:ProxySettings), property skipRange[0], has an entry" in refused.stdout

    mended = pulumi("up", "--yes", "--skip-preview", *pack, "-c", "plain=false", "-c", "all=false")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert "[remediate]  skip-range" in mended.stdout
    shown = pulumi("stack", "export", "--show-secrets")
    assert ".range-canary,.svc,.svc.cluster.local,kubernetes.default.svc" in shown.stdout
    assert "range-canary" not in pulumi("stack", "export").stdout
    assert "canary" not in refused.stdout + refused.stderr + mended.stdout + mended.stderr
