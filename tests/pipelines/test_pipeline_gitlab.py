"""GitLab's pipeline is run, as it was generated, by gitlab-ci-local against a sandbox: with a job's token alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from comment_service import Service, serving
from pipeline_files import PROJECT, subject
from running_sandbox import Sandbox, started

from arcgateway.arm import Arm
from arcgateway.fleet import pipelines
from arcgateway.proxy import ProxySettings
from sandbox.environment import proxy_url
from sandbox.pipeline_tokens import issue

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

EVENTS = "providers/Microsoft.Insights/eventtypes/management/values"

RULE = "no-tls-terminating-proxies"

#: gitlab-ci-local copies the repository for jobs in containers, before all jobs; none of these runs in one.
COPIES_NOTHING = "#!/bin/sh\nexit 0\n"


def program() -> str:
    found = shutil.which("gitlab-ci-local", path=f"{PROJECT / '.local/toolchain/bin'}:{os.environ['PATH']}")
    if found is None:
        pytest.skip("no gitlab-ci-local: `python3 -m toolchain --only gitlab-ci-local` gets it where npm can")
    return found


@dataclass
class Repository:
    """A repository of its own, whose pipeline runs here.

    Attributes:
        folder: where it is.
        sandbox: what its jobs reach.
        service: GitLab's API, as far as comments go.
    """

    folder: Path
    sandbox: Sandbox
    service: Service
    program: str
    content: dict[str, Any] = field(default_factory=dict)

    def commit(self, **proxy: Any) -> None:
        """A commit in which the proxy of all clusters has these settings besides."""
        content = json.loads(json.dumps(self.content))
        content["proxies"]["corporate"] |= proxy
        (self.folder / "fleet.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        made = pipelines.files("gitlab", subject(self.folder / "fleet.yaml", "fleet.yaml", image="example/runner:1"))
        for path, text in made.items():
            (self.folder / path).write_text(text)
        self.git("add", "--all")
        self.git("-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--allow-empty", "-m", "x")

    def git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.folder, check=True, capture_output=True)

    def pipeline(self, source: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the pipeline that an event starts."""
        identity = self.sandbox.home.identity
        token = issue(identity.client_secret, "project_path:platform/fleet:ref_type:branch:ref:main", 3 * 3600)
        given = {"CI_PIPELINE_SOURCE": source, "CI_COMMIT_BRANCH": "main", "ARM_OIDC_TOKEN": token, **variables}
        (self.folder / ".gitlab-ci-local-variables.yml").write_text(yaml.safe_dump(given))
        return subprocess.run(
            [self.program, "--force-shell-executor", "--no-color"],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
        )

    @property
    def env(self) -> dict[str, str]:
        """What a runner of this project has: the sandbox, and no secret of a service principal."""
        without = ("ARM_CLIENT_SECRET", "AZURE_CLIENT_SECRET", "PULUMI_OPTION_CONFIG_FILE", "PYTHONPATH")
        env = {name: value for name, value in self.sandbox.variables.items() if name not in without}
        own = self.folder.parent
        return {
            **env,
            "PATH": f"{own / 'bin'}:{env['PATH']}",
            "AZURE_CONFIG_DIR": str(own / "azure"),
            "HOME": str(own / "home"),
            "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv")),
        }

    def writes(self) -> list[str]:
        """What was asked of Azure that changes something, by its activity log."""
        arm = Arm(ProxySettings(), self.sandbox.variables, lambda _audience: {})
        path = f"/subscriptions/{self.sandbox.home.identity.subscription_id}/{EVENTS}"
        return sorted(str(event["eventDataId"]) for event in arm.list(path, "2015-04-01"))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One of its own: others' gateways count against the subscription's limit, and their writes as writes."""
    with started(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(scope="module")
def repository(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    found = program()
    folder = tmp_path_factory.mktemp("gitlab")
    for name in ("bin", "home", "repository"):
        (folder / name).mkdir()
    if shutil.which("rsync") is None:
        (folder / "bin/rsync").write_text(COPIES_NOTHING)
        (folder / "bin/rsync").chmod(0o755)
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True)
    for name in filter(None, tracked.stdout.split("\0")):
        if not name.startswith(("tests/", "bench/", "pipelines/")) and (PROJECT / name).is_file():
            target = folder / "repository" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, target)
    with serving("gitlab") as service:
        made = Repository(folder / "repository", sandbox, service, found)
        made.git("init", "--quiet", "--initial-branch", "main")
        with (made.folder / ".git/info/exclude").open("a") as exclude:
            exclude.write(".gitlab-ci-local/\n.gitlab-ci-local-variables.yml\n")
        proxy, subscription = proxy_url(sandbox.home), sandbox.home.identity.subscription_id
        stack = yaml.safe_load((sandbox.home.root / "Pulumi.dev.yaml").read_text())["config"]
        made.content = {
            "name": "shops",
            "subscriptions": [subscription],
            "gateways": {"main": {"resourceGroup": "arc-dev", "location": "eastus"}},
            "proxies": {
                "corporate": {"httpUrl": proxy, "httpsUrl": proxy, "skipRange": ["10.96.0.0/16", "10.97.0.0/16"]}
            },
            "rings": [{"name": "first"}, {"name": "second"}],
            "defaults": {
                "subscriptionId": subscription,
                "resourceGroup": "arc-dev",
                "location": "eastus",
                "proxy": "corporate",
                "ring": "second",
            },
            "clusters": {"east": {"ring": "first"}, "west": {"existing": True}},
            "preflight": stack["arc-gateway:preflight"],
        }
        yield made


def said(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


def test_a_change_is_previewed_deployed_on_merge_and_stopped_by_the_pack(repository: Repository) -> None:
    change = {
        "CI_MERGE_REQUEST_IID": "7",
        "CI_PROJECT_ID": "42",
        "CI_API_V4_URL": repository.service.url,
        "GITLAB_TOKEN": repository.service.token,
    }
    repository.commit()
    before = repository.writes()
    plan = repository.pipeline("merge_request_event", **change)
    assert plan.returncode == 0, said(plan)
    assert "all write to Azure as" in said(plan) and "az by the driver's login, for each call" in said(plan)
    assert "shops-gateway-main" in repository.service.bodies[0]
    assert repository.writes() == before, "a preview writes nothing"

    up = repository.pipeline("push")
    assert up.returncode == 0, said(up)
    assert said(up).index("PASS  up-first") < said(up).index("PASS  up-second")
    deployed = repository.writes()
    assert len(deployed) > len(before)
    shown = repository.sandbox.json(
        "az", "connectedk8s", "show", "--name", "east", "--resource-group", "arc-dev", "--output", "json"
    )
    assert shown["gateway"]["enabled"] and shown["connectivityStatus"] == "Connected"

    repository.commit(terminatesTls=True)
    refused = repository.pipeline("merge_request_event", **change)
    assert refused.returncode != 0 and RULE in said(refused)
    assert len(repository.service.bodies) == 1 and RULE in repository.service.bodies[0], "one comment, renewed"
    stopped = repository.pipeline("push")
    assert stopped.returncode != 0 and RULE in said(stopped)
    assert "starting shell (up-second)" not in said(stopped)
    assert repository.writes() == deployed, "the pack stops a ring before any write"

    repository.commit()
    again = repository.pipeline("push")
    assert again.returncode == 0 and repository.writes() == deployed, said(again)
    drift = repository.pipeline("schedule")
    assert drift.returncode == 0, said(drift)
    texts = "".join(map(said, (plan, up, refused, stopped, again, drift)))
    assert repository.sandbox.home.identity.client_secret not in texts and repository.service.token not in texts
