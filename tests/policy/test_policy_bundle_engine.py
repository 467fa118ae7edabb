"""The pack's settings, and the pack as a folder of its own, under the real engine."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sysconfig
import tarfile
import threading
import venv
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from bundle import bundle
from engine_runs import LIMIT, PROJECT, PYTHON, Project

CANARY = "hunter2-canary"
PROGRAM = f"""\
import pulumi

proxy = {{"httpsUrl": pulumi.Output.secret("http://u:{CANARY}@proxy:3128"), "terminatesTls": True}}
pulumi.ComponentResource("arc-gateway:index:ProxySettings", "corporate", proxy)
"""
RULE = "no-tls-terminating-proxies"
EXEMPTION = {"resource": "corp*", "reason": "ticket 4711", "expires": "2999-12-31"}
URN = "urn:pulumi:dev::refused::arc-gateway:index:ProxySettings::corporate"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    settings = yaml.safe_dump({"name": "refused", "runtime": PYTHON})
    return Project.made(tmp_path / "project", {"Pulumi.yaml": settings, "__main__.py": PROGRAM})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The pack's folder as in a checkout, with an environment that has the packages and not this project."""
    checkout = tmp_path / "checkout"
    made = checkout / "dist" / "policy"
    bundle(made)
    shutil.copyfile(PROJECT / ".gitignore", checkout / ".gitignore")
    venv.create(made / "venv")
    # A folder that a `.pth` file adds has its own `.pth` files left alone, the editable project's among them.
    site = sysconfig.get_path("purelib", vars={"base": str(made / "venv"), "platbase": str(made / "venv")})
    Path(site, "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return made


def preview(project: Project, pack: Path, config: Mapping[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    return run(project, pack, config, "preview")


def run(
    project: Project, pack: Path, config: Mapping[str, Any] | None, *command: str
) -> subprocess.CompletedProcess[str]:
    file = project.folder.parent / "policies.json"
    file.write_text(json.dumps(config or {}))
    done = project.pulumi(*command, "--policy-pack", str(pack), "--policy-pack-config", str(file))
    assert CANARY not in done.stdout + done.stderr
    return done


def test_an_exemption_lets_pass_and_is_reported(project: Project) -> None:
    config = {RULE: {"exemptions": [EXEMPTION]}}
    done = run(project, PROJECT / "policy", config, "up", "--yes")
    assert done.returncode == 0, done.stdout
    report = "is exempt from no-tls-terminating-proxies until 2999-12-31: ticket 4711"
    assert done.stdout.count(report) == 2, "once in the preview, once in the update"
    assert "arc-gateway-stack-advice" in done.stdout
    assert "sets nothing" not in done.stdout

    expired = preview(project, PROJECT / "policy", {RULE: {"exemptions": [{**EXEMPTION, "expires": "2020-02-29"}]}})
    assert expired.returncode != 0
    assert "Its exemption expired: 2020-02-29 was the last day." in expired.stdout


def test_what_is_deployed_is_judged_without_the_program(project: Project) -> None:
    assert project.pulumi("up", "--yes", "--skip-preview").returncode == 0
    (project.folder / "__main__.py").unlink()
    done = project.pulumi("policy", "analyze", "--policy-pack", str(PROJECT / "policy"))
    assert done.returncode != 0
    assert "corporate (arc-gateway:index:ProxySettings), property terminatesTls" in done.stdout
    assert CANARY not in done.stdout + done.stderr


def test_the_engine_refuses_exemptions_that_are_none(project: Project) -> None:
    shapes: dict[str, dict[str, Any]] = {
        "no-private-endpoints": {**EXEMPTION, "resource": "*"},
        RULE: {**EXEMPTION, "expires": "2999-02-30"},
        "least-privilege": {key: EXEMPTION[key] for key in ("resource", "expires")},
        "arc-gateway-advice": {**EXEMPTION, "until": "forever"},
    }
    done = preview(project, PROJECT / "policy", {policy: {"exemptions": [one]} for policy, one in shapes.items()})
    said = done.stdout + done.stderr
    assert done.returncode != 0
    for policy, problem in (
        ("no-private-endpoints", "exemptions.0.resource"),
        (RULE, "exemptions.0.expires"),
        ("least-privilege", "reason is required"),
        ("arc-gateway-advice", "until is not allowed"),
    ):
        assert any(policy in line and problem in line for line in said.splitlines()), said


def test_pulumis_own_exceptions_work_as_well(project: Project) -> None:
    exception = {"reason": "ticket 4711", "match": [{"policies": [RULE], "targets": [URN]}]}
    done = preview(project, PROJECT / "policy", {"version": 2, "exceptions": {"one": exception}})
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_folder_works_with_its_own_environment(project: Project, folder: Path) -> None:
    done = preview(project, folder)
    assert done.returncode != 0
    assert "corporate (arc-gateway:index:ProxySettings), property terminatesTls" in done.stdout

    (folder / "pack.toml").write_text('profle = "ga"\n')
    misspelt = preview(project, folder)
    said = misspelt.stdout + misspelt.stderr
    assert misspelt.returncode != 0
    assert "policy pack arc-gateway: pack.toml: 'profle' sets nothing; the keys are" in said
    assert "Traceback" not in said

    (folder / "pack.toml").write_text('profile = "best"\n')
    wrong = preview(project, folder)
    assert wrong.returncode != 0
    assert "profile must be one of the following" in wrong.stdout + wrong.stderr


#: A pack of one rule, whose remedy changes a text beside a secret.
REMEDYING = """\
from datetime import date

from arc_policies.pack import policies_of
from arc_policies.rule import Check, Finding, Grade, Level, Remedy, Rule
from pulumi_policy import PolicyPack

TOKENS = frozenset({"arc-gateway:index:proxysettings"})


def wrong(subject, settings):
    if subject.node.get("terminatesTls").on:
        yield Finding("wrong", ("terminatesTls",), "is on", "Switch it off.")


def switch_off(token, props, settings):
    props["terminatesTls"] = False
    return True


PolicyPack("arc-gateway", policies_of((Rule(
    name="switched-off",
    description="Nothing is on.",
    why="It is a test.",
    grades={"wrong": Grade("on", Level.MANDATORY, Level.MANDATORY, "test", date(2026, 8, 20))},
    checks=(Check("on", "what is on", wrong, TOKENS, grades=("wrong",)),),
    remedies=(Remedy("switches it off", switch_off, TOKENS),),
),)))
"""


def test_a_remedy_is_made_and_listed_and_leaves_secrets_secret(project: Project, folder: Path) -> None:
    (folder / "__main__.py").write_text(REMEDYING)
    up = ("up", "--yes", "--skip-preview")
    assert run(project, folder, None, *up).returncode != 0, "mandatory until it is set to remediate"

    exempt = {"switched-off": {"enforcementLevel": "remediate", "exemptions": [EXEMPTION]}}
    assert "[remediate]" not in run(project, folder, exempt, *up).stdout

    done = run(project, folder, {"switched-off": "remediate"}, *up)
    assert done.returncode == 0, done.stdout
    assert "[remediate]  switched-off" in done.stdout
    state = project.pulumi("stack", "export").stdout
    (inputs,) = (one["inputs"] for one in json.loads(state)["deployment"]["resources"] if one["urn"] == URN)
    assert inputs["terminatesTls"] is False
    assert "ciphertext" in inputs["httpsUrl"]
    assert CANARY not in state


@pytest.fixture
def service() -> Iterator[tuple[str, dict[str, bytes]]]:
    """As much of Pulumi's service as a publication asks of it: its address, and what was sent there by path."""
    sent: dict[str, bytes] = {}

    class Service(BaseHTTPRequestHandler):
        def answer(self) -> None:
            sent[self.path] = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            replies: dict[str, Any] = {
                "/api/user": {"githubLogin": "me", "organizations": [{"githubLogin": "acme"}]},
                "/api/orgs/acme/policypacks": {"version": 1, "uploadURI": f"{address}/upload"},
            }
            content = json.dumps(replies.get(self.path, {})).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield address, sent
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_folder_can_be_published(project: Project, folder: Path, service: tuple[str, dict[str, bytes]]) -> None:
    address, sent = service
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = subprocess.run(
        ["pulumi", "policy", "publish", "acme", "--non-interactive"],
        executable=shutil.which("pulumi", path=project.variables["PATH"]),
        cwd=folder,
        env={**project.variables, "PULUMI_BACKEND_URL": address, "PULUMI_ACCESS_TOKEN": "for tests"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    described = json.loads(sent["/api/orgs/acme/policypacks"])
    assert (described["name"], described["versionTag"], described["runtime"]) == ("arc-gateway", "0.1.0", "python")
    assert RULE in [policy["name"] for policy in described["policies"]]
    with tarfile.open(fileobj=io.BytesIO(sent["/upload"])) as archive:
        packed = {member.name: archive.extractfile(member) for member in archive}
        found = {name.removeprefix("package/"): file.read() for name, file in packed.items() if file}
    assert found == {name: content for name, content in files.items() if not name.startswith("venv/")}
