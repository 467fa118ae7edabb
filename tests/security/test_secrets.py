"""A proxy's password and a service principal's secret: used everywhere, to be read nowhere.

The stack is deployed through a proxy that lets nobody in without the password, by an `az` that is not logged in. So
both secrets take all their ways. The tests run in order; each goes on from the last.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import argument_lists
import pytest
import yaml
from authenticating_proxy import AuthenticatingProxy, running
from running_sandbox import Sandbox

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

QUIET = ("--stack", "dev", "--non-interactive", "--color", "never")
PACK = ("--policy-pack", "policy")

#: Files of the sandbox in which a secret belongs: the clusters' own storage and their pods' volumes, where the agents
#: keep the proxy's URL as they do in life; what the local Azure knows its service principal by; and the login of `az`.
RIGHTFUL = ("etcd", "node-", "identity.json", "azure-cli")


@dataclass(repr=False)
class Deployment:
    """The stack's way into the sandbox, and what was seen while it was deployed."""

    sandbox: Sandbox
    proxy: AuthenticatingProxy
    record: Path
    temporary: Path
    configuration: Path
    said: str = ""
    arguments: frozenset[str] = frozenset()

    @property
    def forms(self) -> tuple[str, ...]:
        """All forms of both secrets."""
        secret = self.sandbox.home.identity.client_secret
        return *self.proxy.forms, secret, base64.b64encode(secret.encode()).decode()

    def pulumi(self, *arguments: str, fails: bool = False) -> str:
        """All that a command prints."""
        done = self.sandbox.run("pulumi", *arguments, check=False, timeout=600)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def configure(self, change: Any = lambda config: None) -> None:
        """Write the configuration anew, with the proxy's URL as a secret, which no argument holds."""
        document = yaml.safe_load((self.sandbox.home.root / "Pulumi.dev.yaml").read_text())
        change(document["config"])
        corporate = document["config"]["arc-gateway:proxies"]["corporate"]
        del corporate["httpUrl"], corporate["httpsUrl"]
        self.configuration.write_text(yaml.safe_dump(document))
        for key in ("httpUrl", "httpsUrl"):
            path = f"arc-gateway:proxies.corporate.{key}"
            self.sandbox.run(
                *("sh", "-c", f"printf %s \"$PROXY_URL\" | pulumi config set --stack dev --secret --path '{path}'"),
                PROXY_URL=self.proxy.url,
            )


@pytest.fixture(scope="module")
def deployment(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("secrets")
    home = sandbox.home
    proxy = AuthenticatingProxy(home.port("authenticating"), home.port("router"), f"{secrets.token_hex(8)}/,@:%&\"$'")
    for name in ("tmp", "run", "azure-cli"):
        (folder / name).mkdir(mode=0o700)
    variables, record = argument_lists.recording(
        folder,
        {
            **sandbox.variables,
            "TMPDIR": str(folder / "tmp"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "AZURE_CONFIG_DIR": str(folder / "azure-cli"),
            "PULUMI_OPTION_CONFIG_FILE": str(folder / "Pulumi.dev.yaml"),
        },
    )
    found = Deployment(replace(sandbox, variables=variables), proxy, record, folder / "tmp", folder / "Pulumi.dev.yaml")
    with running(proxy), argument_lists.sampled() as seen:
        found.configure()
        found.said = found.pulumi("up", "--yes", *QUIET, *PACK)
        found.arguments = frozenset(seen)
        yield found
        found.pulumi("destroy", "--yes", *QUIET)
    found.arguments = frozenset(seen)
    nothing(found, "the argument list of a process, destroying included", (*seen, record.read_text()))


def nothing(deployment: Deployment, where: str, texts: Iterable[str]) -> None:
    """Fail where a secret stands in one of the texts, without telling it once more."""
    __tracebackhide__ = True
    for text in texts:
        for number, form in enumerate(deployment.forms):
            place = text.find(form)
            before = text[max(0, place - 80) : place]
            assert place < 0, f"form {number} of a secret stands in {where}, after {before!r}"


def files(root: Path, but: tuple[str, ...] = ()) -> Iterator[tuple[Path, str]]:
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and not str(path.relative_to(root)).startswith(but):
            yield path, path.read_bytes().decode("latin-1")


def test_the_secrets_were_needed(deployment: Deployment) -> None:
    names = {target.rpartition(":")[0] for target in deployment.proxy.served}
    assert {"management.azure.com", "login.microsoftonline.com"} <= names
    assert any(name.endswith(".gw.arc.azure.com") for name in names), "no agent came through the proxy"
    assert "logging the environment's service principal in" in deployment.said
    clusters = json.loads(deployment.pulumi("stack", "output", "clusters", "--json", "--stack", "dev"))
    assert all(cluster["gatewayEnabled"] for cluster in clusters.values())


def test_no_argument_list_holds_one(deployment: Deployment) -> None:
    recorded = deployment.record.read_text()
    assert {"az", "helm", "kubectl"} <= {line.split(" ")[0] for line in recorded.splitlines()}
    assert "--password @" in recorded and "--proxy-https @" in recorded
    nothing(deployment, "the argument list of a process", (*deployment.arguments, recorded))


def test_pulumi_shows_none(deployment: Deployment) -> None:
    shown = {
        "up": deployment.said,
        "preview": deployment.pulumi("preview", "--diff", *QUIET, *PACK),
        "preview --json": deployment.pulumi("preview", "--json", "--stack", "dev", "--non-interactive"),
        "stack export": deployment.pulumi("stack", "export", "--stack", "dev"),
        "stack output": deployment.pulumi("stack", "output", "--json", "--stack", "dev"),
        "config": deployment.pulumi("config", "--json", "--stack", "dev"),
        "the configuration": deployment.configuration.read_text(),
    }
    for where, text in shown.items():
        nothing(deployment, where, [text])


def test_a_secret_setting_makes_no_other_one_secret(deployment: Deployment) -> None:
    """The report of a driver that was given a secret is read field by field, none of which holds it."""
    output = deployment.pulumi("stack", "output", "--json", "--stack", "dev")
    assert "[secret]" not in output


def test_a_change_of_a_cluster_shows_none(deployment: Deployment) -> None:
    def tag(config: dict[str, Any]) -> None:
        config["arc-gateway:clusters"]["east"]["tags"] = {"team": "edge"}

    deployment.configure(tag)
    for more in ((), ("--diff",), ("--json",)):
        nothing(deployment, f"preview {more}", [deployment.pulumi("preview", *QUIET, *more)])
    deployment.configure()


def test_a_violated_policy_tells_none(deployment: Deployment) -> None:
    def violate(config: dict[str, Any]) -> None:
        config["arc-gateway:proxies"]["corporate"]["terminatesTls"] = True
        config["arc-gateway:clusters"]["east"]["enablePrivateLink"] = True

    deployment.configure(violate)
    said = deployment.pulumi("preview", *QUIET, *PACK, fails=True)
    deployment.configure()
    assert "mandatory" in said
    nothing(deployment, "a policy's message", [said])


def test_a_refused_password_is_not_told(deployment: Deployment) -> None:
    def widen(config: dict[str, Any]) -> None:
        config["arc-gateway:proxies"]["corporate"]["skipRange"].append("172.20.0.0/16")

    right = deployment.proxy.password
    deployment.configure(widen)
    deployment.proxy.password = f"another-{right}"
    try:
        said = deployment.pulumi("up", "--yes", *QUIET, *PACK, fails=True)
    finally:
        deployment.proxy.password = right
    deployment.configure()
    assert "407" in said, said
    nothing(deployment, "the message of a failure", [said])


def test_nothing_stays_behind(deployment: Deployment) -> None:
    """Neither in temporary folders, nor in a log, the stack's storage, or anything else but where it belongs."""
    assert not list(deployment.temporary.glob("arcgateway-*"))
    for root, but in ((deployment.temporary.parent, ()), (deployment.sandbox.home.root, RIGHTFUL)):
        for path, text in files(root, but):
            nothing(deployment, str(path), [text])


def test_the_passwords_characters_arrived(deployment: Deployment) -> None:
    """What the agents were given is the URL as it was declared; only its owner's cluster shows it."""
    values = deployment.sandbox.json(
        *("helm", "--kube-context", "west", "-n", "azure-arc-release", "get", "values", "azure-arc", "-o", "json")
    )
    assert values["global"]["httpsProxy"] == deployment.proxy.url


def test_a_rotated_password_reaches_all_clusters_and_the_old_one_is_not_needed_again(deployment: Deployment) -> None:
    """The proxy knows the new password alone from here on; the stack is destroyed with it."""
    deployment.proxy.password = f"rotated-{secrets.token_hex(8)}"
    deployment.configure()
    said = deployment.pulumi("up", "--yes", *QUIET, *PACK)
    nothing(deployment, "the output of the rotation", [said])
    for context in ("east", "west"):
        values = deployment.sandbox.json(
            *("helm", "--kube-context", context, "-n", "azure-arc-release", "get", "values", "azure-arc", "-o", "json")
        )
        assert values["global"]["httpsProxy"].replace("\\", "") == deployment.proxy.url
    deployment.pulumi("preview", "--expect-no-changes", *QUIET)
