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
pulumi.ComponentResource("arc-gateway:index:ConnectedCluster", "east", cluster)
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
