"""Generated pipelines: by their published schemas, and by what must hold in all of them."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from pipeline_files import EXAMPLES, FLEET, OPTIONS, PROJECT, documents, example, published, subject

from arcgateway.errors import Failure
from arcgateway.fleet import pipeline_command, pipelines
from arcgateway.fleet.command import fleet

jsonschema = pytest.importorskip("jsonschema", reason="check-jsonschema brings the published schemas: `make toolchain`")

#: Inputs of the task that Pulumi's extension brings: pulumi/pulumi-az-pipelines-task, task.json 1.1.6 at 730e479.
PULUMI_TASK = {
    "azureSubscription",
    "command",
    "loginArgs",
    "args",
    "cwd",
    "stack",
    "versionSpec",
    "createStack",
    "createPrComment",
    "useThreadedPrComments",
}


def vendor(name: str) -> Any:
    """A schema as check-jsonschema carries it, from where it is published."""
    folder = resources.files("check_jsonschema").joinpath("builtin_schemas", "vendor")
    return json.loads(folder.joinpath(f"{name}.json").read_text())


def errors(schema: Any, document: Any) -> list[str]:
    kind = jsonschema.validators.validator_for(schema)
    return [f"{one.json_path}: {one.message[:200]}" for one in kind(schema).iter_errors(document)]


def test_the_examples_are_what_the_command_makes() -> None:
    made = {Path(engine) / path: text for engine in OPTIONS for path, text in example(engine).items()}
    there = {path.relative_to(EXAMPLES) for path in EXAMPLES.rglob("*") if path.is_file()} - {Path("README.md")}
    assert there == set(made)
    for path, text in made.items():
        assert (EXAMPLES / path).read_text() == text, f"{path}: run `make pipelines`"


def test_github_by_its_schema() -> None:
    workflow = yaml.safe_load(example("github")[".github/workflows/fleet.yaml"])
    # YAML 1.1 reads the key `on` as true.
    workflow["on"] = workflow.pop(True)
    assert errors(vendor("github-workflows"), workflow) == []


def test_github_by_actionlint(tmp_path: Path) -> None:
    search = f"{PROJECT / '.local/toolchain/bin'}:{Path(sys.executable).parent}"
    program = shutil.which("actionlint", path=search) or shutil.which("actionlint")
    if program is None:
        pytest.skip("no actionlint: `python3 -m toolchain --only actionlint` gets it")
    file = tmp_path / "fleet.yaml"
    file.write_text(example("github")[".github/workflows/fleet.yaml"])
    done = subprocess.run([program, "-no-color", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    # And it does look: an unknown event is found.
    file.write_text(file.read_text().replace("pull_request:", "pull_wish:"))
    assert subprocess.run([program, str(file)], capture_output=True).returncode == 1


def test_github_pins_every_action_by_commit() -> None:
    used = re.findall(r"uses: (\S+)(.*)", example("github")[".github/workflows/fleet.yaml"])
    assert {name.partition("@")[0] for name, _ in used} >= {"pulumi/actions", "azure/login", "actions/checkout"}
    for name, comment in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name) and re.fullmatch(r" # v\d+\.\d+\.\d+", comment)


def test_gitlab_by_its_schema() -> None:
    pipeline = yaml.safe_load(example("gitlab")[".gitlab-ci.yml"])
    assert errors(vendor("gitlab-ci"), pipeline) == []
    assert errors(vendor("gitlab-ci"), {**pipeline, "plan": {**pipeline["plan"], "when": "sometimes"}})


def test_azure_by_its_schema() -> None:
    """As Azure Pipelines does where Pulumi's extension is installed: its task is one of those that are known."""
    schema = copy.deepcopy(vendor("azure-pipelines"))
    task = schema["definitions"]["task"]
    task["properties"]["task"]["anyOf"].append({"enum": ["Pulumi@1"]})
    inputs = {"properties": {name: {} for name in PULUMI_TASK}, "additionalProperties": False, "required": ["stack"]}
    task["anyOf"].append({"properties": {"task": {"pattern": "^Pulumi@1$"}, "inputs": inputs}})
    pipeline = yaml.safe_load(example("azure")["azure-pipelines.yml"])
    assert errors(schema, pipeline) == []
    broken = copy.deepcopy(pipeline)
    broken["stages"][0]["jobs"][0]["steps"][-1]["condition"] = ["always()"]
    assert errors(schema, broken)
    broken = copy.deepcopy(pipeline)
    broken["stages"][0]["jobs"][0]["steps"][3]["inputs"]["version"] = "3"
    assert errors(schema, broken)


def test_deployments_by_their_schema() -> None:
    schema = published("deployment-settings.schema.json")
    files = example("deployments")
    settings = {path: documents(text)[0] for path, text in files.items() if path.endswith(".deploy.yaml")}
    assert len(settings) * 2 == len(files)
    for path, document in settings.items():
        assert errors(schema, document) == [], path
        assert path.replace(".deploy", "") in document["settings"]["gitHub"]["paths"]
    one = copy.deepcopy(next(iter(settings.values())))
    one["settings"]["operationContext"]["preRunCommand"] = "ls"
    assert errors(schema, one)


def test_stacks_of_the_operator_by_their_schema() -> None:
    """What no API server is needed for; tests of the operator ask a real one."""
    schema = published("pulumi.com_stacks.json")["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    objects = [one for text in example("operator").values() for one in documents(text)]
    made = [one for one in objects if one["kind"] == "Stack"]
    assert {one["metadata"]["name"] for one in made} == {stack.name for stack in subject().stacks}
    for one in made:
        assert errors(schema, one) == []


@pytest.mark.parametrize("engine", pipelines.ENGINES)
def test_the_pack_stands_in_every_pipeline(engine: str) -> None:
    """By the variable that is the option to every `pulumi`."""
    texts = {path: text for path, text in example(engine).items() if not re.fullmatch(r"Pulumi\.[\w-]+\.yaml", path)}
    for path, text in texts.items():
        for document in documents(text):
            if engine != "operator" or document["kind"] == "Stack":
                assert "PULUMI_OPTION_POLICY_PACK" in json.dumps(document), path
    assert not any("--no-policy" in text for text in texts.values())


@pytest.mark.parametrize("engine", pipelines.ENGINES)
def test_no_file_holds_a_secret_or_a_path_of_this_machine(engine: str) -> None:
    for text in example(engine).values():
        assert str(PROJECT) not in text and "OFFICES_PROXY_PASSWORD=" not in text
        assert "@{" not in text, "all of the template is filled in"


@pytest.mark.parametrize("engine", ["github", "azure", "gitlab"])
def test_rings_come_in_order_and_each_has_its_environment(engine: str) -> None:
    (text,) = example(engine).values()
    places = [text.index(f"fleet up {FLEET} --ring {ring}") for ring in ("canary", "early", "broad")]
    assert places == sorted(places)
    pipeline = yaml.safe_load(text)
    jobs = {"github": lambda: pipeline["jobs"], "gitlab": lambda: pipeline}.get(engine)
    if jobs is not None:
        assert jobs()["up-early"]["environment"] and jobs()["up-broad"]["environment"]
    if engine == "github":
        assert [pipeline["jobs"][f"up-{ring}"].get("needs") for ring in ("canary", "early", "broad")] == [
            None,
            "up-canary",
            "up-early",
        ]
    if engine == "azure":
        stages = {stage["stage"]: stage for stage in pipeline["stages"]}
        assert stages["up_broad"]["dependsOn"] == "up_early" and stages["up_early"]["dependsOn"] == "up_canary"
        assert stages["up_broad"]["jobs"][0]["environment"] == "retail-broad"


@pytest.mark.parametrize("engine", ["operator", "deployments"])
def test_later_rings_follow_branches_of_their_own(engine: str) -> None:
    """Engines without an order deploy each ring when its branch is moved on."""
    by_ring: dict[str, set[str]] = {}
    ring_of = {stack.name: stack.ring for stack in subject().stacks}
    for path, text in example(engine).items():
        for document in documents(text):
            if engine == "operator" and document["kind"] == "Stack":
                ring = document["metadata"]["labels"].get("arc-gateway/ring", "")
                by_ring.setdefault(ring, set()).add(document["spec"]["branch"])
            elif path.endswith(".deploy.yaml"):
                branch = document["settings"]["sourceContext"]["git"]["branch"].removeprefix("refs/heads/")
                by_ring.setdefault(ring_of[path.split(".")[1]], set()).add(branch)
    assert by_ring == {"": {"main"}, "canary": {"main"}, "early": {"fleet/early"}, "broad": {"fleet/broad"}}


def test_a_stack_of_the_operator_comes_after_what_it_needs() -> None:
    objects = [one for text in example("operator").values() for one in documents(text)]
    stacks = {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] == "Stack"}
    needs = {name: [one["name"] for one in spec.get("prerequisites", [])] for name, spec in stacks.items()}
    assert needs["retail-gateway-americas"] == []
    assert needs["retail-canary-eastus-1"][0] == "retail-gateway-americas"
    assert set(needs["retail-early-eastus-1"]) >= {"retail-gateway-americas", "retail-canary-westus2-1"}
    # The password is nowhere: the whole key that would hold it comes from a Secret.
    canary = stacks["retail-canary-eastus-1"]
    assert "arc-gateway:proxies" not in canary["config"] and "arc-gateway:proxies" in canary["secretsRef"]


def test_every_command_in_a_pipeline_is_one_that_there_is() -> None:
    """The words of each call of ours parse as the command's own arguments."""
    texts = [text for engine in pipelines.ENGINES for text in example(engine).values()]
    called = {match for text in texts for match in re.findall(r"\.venv/bin/arcgateway fleet ([^\n|&]+)", text)}
    assert all(".venv/bin/arcgateway identity" in text for text in texts if "fleet up" in text)
    assert len({call.split()[0] for call in called}) == 4, called
    for call in called:
        verb, *words = call.replace('"$STACK"', "retail-canary-eastus-1").replace("2>", "").split()
        command = fleet.commands[verb]
        with command.make_context(verb, [*words], resilient_parsing=False):
            pass


@pytest.mark.parametrize(
    ("engine", "options", "words"),
    [
        ("operator", {}, "--image, --repository"),
        ("gitlab", {}, "--image"),
        ("operator", {"image": "a:1", "repository": "owner/name"}, "an address of git"),
        ("deployments", {**OPTIONS["deployments"], "repository": "https://git.example/x"}, "OWNER/NAME on GitHub"),
    ],
)
def test_what_an_engine_needs_is_asked_for(engine: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(Failure, match=re.escape(words)):
        pipelines.files(engine, subject(**options))


def test_the_command_writes_and_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    run = CliRunner().invoke
    ask = [FLEET, "--engine", "gitlab", "--image", "registry.example/i:1", "--output", str(tmp_path)]
    assert run(pipeline_command.pipeline, [*ask, "--check"]).exit_code == 2
    assert run(pipeline_command.pipeline, ask).exit_code == 0
    assert run(pipeline_command.pipeline, [*ask, "--check"]).exit_code == 0
    (tmp_path / ".gitlab-ci.yml").write_text("stages: []\n")
    stale = run(pipeline_command.pipeline, [*ask, "--check"])
    assert stale.exit_code == 2 and "run again without --check" in stale.output
    refused = run(pipeline_command.pipeline, [str(PROJECT / FLEET), *ask[1:]])
    assert refused.exit_code != 0 and "from the repository's root" in refused.output


def test_the_command_offers_the_engines_that_there_are() -> None:
    assert set(pipeline_command.ENGINES) == set(pipelines.ENGINES)


def test_the_pinned_engine_is_that_of_the_tool_chain() -> None:
    from toolchain.table import PULUMI

    assert pipelines.PULUMI == PULUMI
