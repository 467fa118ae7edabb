"""The pack under the real engine: a program of components alone, previewed and deployed with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from engine_runs import PREVIEW, PYTHON, UP, Project

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


@pytest.fixture
def project(tmp_path: Path) -> Project:
    settings = yaml.safe_dump({"name": "components-only", "runtime": PYTHON})
    return Project.made(tmp_path, {"Pulumi.yaml": settings, "__main__.py": PROGRAM})


def test_the_engine_refuses_what_the_rules_refuse(project: Project) -> None:
    sound = project.run(UP)
    assert (sound.code, sound.said) == (0, []), sound.text
    assert "arc-gateway@v0.1.0" in sound.text

    refused = project.run((*PREVIEW, "-c", "terminates=true", "-c", "link=true", "-c", "certificate=true"))
    assert refused.code != 0
    assert "no-tls-terminating-proxies" in refused.text
    assert "corporate (arc-gateway:index:ProxySettings), property terminatesTls" in refused.text
    assert "corporate (arc-gateway:index:ProxySettings), property certificate" in refused.text
    assert "no-private-endpoints" in refused.text
    assert "east (arc-gateway:index:ConnectedCluster), property enable_private_link" in refused.text
    assert "docs/policies.md#no-private-endpoints" in refused.text
    assert "hunter2-canary" not in refused.text

    # `-c` is kept in the stack's configuration: what the preview set must be unset.
    stopped = project.run((*UP, "-c", "terminates=false", "-c", "certificate=false"))
    assert stopped.code != 0
    assert {said.policy for said in stopped.said if said.mandatory} == {"no-private-endpoints"}


def test_the_engine_refuses_gateways_and_agents_that_azure_would(project: Project) -> None:
    gateway = ("north (arc-gateway:index:ArcGateway), property gateway_type", "[rule azure-public-cloud,")
    agents = ("east (arc-gateway:index:ConnectedCluster), property agent_version", "[rule agent-version,")

    refused = project.run((*PREVIEW, "-c", "elsewhere=true", "-c", "old=true"))
    assert refused.code != 0
    assert all(text in refused.text for text in (*gateway, *agents))

    # An update ends at the first resource that is refused.
    for switches, texts in ((("true", "false"), gateway), (("false", "true"), agents)):
        stopped = project.run((*UP, "-c", f"elsewhere={switches[0]}", "-c", f"old={switches[1]}"))
        assert stopped.code != 0
        assert all(text in stopped.text for text in texts)


def test_the_engine_tells_passwords_from_secrets_and_keeps_what_is_completed_secret(project: Project) -> None:
    (project.folder / "__main__.py").write_text(PROXIES)
    levels = {"skip-range": "remediate"}
    refused = project.run((*PREVIEW, "-c", "plain=true", "-c", "all=true"), levels=levels)
    assert refused.code != 0
    assert "corporate (arc-gateway:index:ProxySettings), property httpsUrl, has a proxy URL whose" in refused.text
    assert "corporate (arc-gateway:index:ProxySettings), property skipRange[0], has an entry" in refused.text

    mended = project.run((*UP, "-c", "plain=false", "-c", "all=false"), levels=levels)
    assert mended.code == 0, mended.text
    assert "[remediate]  skip-range" in mended.text
    shown = project.pulumi("stack", "export", "--show-secrets").stdout
    assert ".range-canary,.svc,.svc.cluster.local,kubernetes.default.svc" in shown
    assert "range-canary" not in project.pulumi("stack", "export").stdout
    assert "canary" not in refused.text + mended.text
