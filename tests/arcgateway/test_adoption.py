"""`arcgateway import`: the configuration that takes over what is there, and how it gets into a stack's file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from driver_world import World, world
from fleet_world import GATEWAY, OTHER_GATEWAY, OTHER_SUBSCRIPTION, SUBSCRIPTION, Azure, cluster_id

from arcgateway import adoption, cli, kubeconfig, status
from arcgateway.errors import Failure
from arcgateway.ids import ConnectedClusterId, GatewayId


def silent(_line: str) -> None:
    return


def looked(azure: Azure, *subscriptions: str) -> list[status.Status]:
    return status.clusters(azure, subscriptions or [SUBSCRIPTION], None, silent)


def adopted(*names: str, **contexts: str) -> adoption.Adoption:
    azure = Azure()
    azure.gateway()
    for name in names:
        azure.cluster(cluster_id(name), GATEWAY)
    found = {cluster_id(name): context for name, context in contexts.items()}
    made = adoption.adopt(looked(azure), GATEWAY, None)
    return adoption.Adoption(made.gateway, None, made.clusters, made.left_out, found)


def entry(**more: Any) -> dict[str, Any]:
    return {"existing": True, "resourceGroup": "rg", "location": "westeurope", **more}


def test_the_gateway_that_is_in_use_is_the_one() -> None:
    azure = Azure()
    azure.cluster(cluster_id("a"), OTHER_GATEWAY)
    there = [azure.gateway(), azure.gateway(GatewayId(SUBSCRIPTION, "net", "idle"))]
    assert adoption.chosen_gateway(None, looked(azure), there) == OTHER_GATEWAY, "of another subscription, and used"
    assert adoption.chosen_gateway(None, [], there[:1]) == GATEWAY
    assert adoption.chosen_gateway("GW", looked(azure), there) == GATEWAY
    assert adoption.chosen_gateway(str(OTHER_GATEWAY).upper(), looked(azure), there) == OTHER_GATEWAY


@pytest.mark.parametrize(
    ("wanted", "there", "words"),
    [
        (None, [], "nothing to adopt"),
        ("nope", [GATEWAY], "there is no gateway nope"),
        (None, [GATEWAY, OTHER_GATEWAY], "2 gateways to choose from"),
        ("gw", [GATEWAY, GatewayId(SUBSCRIPTION, "other", "gw")], "by its id where two have the same name"),
    ],
)
def test_a_gateway_that_is_not_clear(wanted: str | None, there: list[GatewayId], words: str) -> None:
    with pytest.raises(Failure, match=words):
        adoption.chosen_gateway(wanted, [], there)


def test_clusters_of_the_gateway_are_taken_and_the_others_named() -> None:
    azure = Azure()
    azure.cluster(cluster_id("whole"), GATEWAY)
    azure.cluster(cluster_id("half"), GATEWAY, enabled=False)
    azure.cluster(cluster_id("none"))
    azure.cluster(cluster_id("odd"), enabled=True)
    azure.cluster(cluster_id("far"), OTHER_GATEWAY)
    made = adoption.adopt(looked(azure), GATEWAY, None)
    assert made.configuration == {
        "arc-gateway:gateway": {"id": str(GATEWAY)},
        "arc-gateway:clusters": {"half": entry(), "whole": entry()},
    }
    why = {one.id.name: one.why for one in made.left_out}
    assert why.keys() == {"none", "odd", "far"}
    assert str(OTHER_GATEWAY) in why["far"]
    assert any("`pulumi up` completes it" in note for note in made.comments["half"])
    assert "left out: 3" in next(iter(made.notes(None, None)))


def test_names_that_two_clusters_have_and_another_subscription() -> None:
    azure = Azure()
    for id_ in (cluster_id("a", "one"), cluster_id("A", "two", OTHER_SUBSCRIPTION)):
        azure.cluster(id_, GATEWAY)
    made = adoption.adopt(looked(azure, SUBSCRIPTION, OTHER_SUBSCRIPTION), GATEWAY, None)
    assert made.configuration["arc-gateway:clusters"] == {
        "a-one": entry(name="a", resourceGroup="one"),
        "A-two": entry(name="A", resourceGroup="two", subscriptionId=OTHER_SUBSCRIPTION),
    }


def test_a_gateway_that_the_stack_is_to_own() -> None:
    azure = Azure()
    properties = {"allowedFeatures": ["Monitor"]}
    azure.gateway(tags={"team": "net"}, properties=properties)
    made = adoption.adopt([], GATEWAY, azure.get(str(GATEWAY), "x"))
    assert made.configuration == {
        "arc-gateway:gateway": {
            "name": "gw",
            "resourceGroup": "net",
            "location": "eastus",
            "allowedFeatures": ["Monitor"],
            "tags": {"team": "net"},
            "protect": True,
        }
    }
    outer, gateway = json.loads(made.import_file())["resources"]
    assert outer["component"] and outer["type"] == "arc-gateway:index:ArcGateway" and outer["logicalName"] == "gw"
    assert gateway["id"] == str(GATEWAY) and gateway["parent"] == outer["name"]
    assert any("pulumi import --file gw.json" in line for line in made.notes("prod", Path("gw.json")))


def test_the_file_for_a_new_stack() -> None:
    made = adoption.merged("", adopted("a", "b", a="ctx: 1"))
    assert made.splitlines() == [
        "config:",
        "  arc-gateway:gateway:",
        f"    id: {GATEWAY}",
        "  arc-gateway:clusters:",
        "    a:",
        "      existing: true",
        "      resourceGroup: rg",
        "      location: westeurope",
        "      kubeContext: 'ctx: 1'",
        "    b:",
        "      existing: true",
        "      resourceGroup: rg",
        "      location: westeurope",
        "      # kubeContext: no context of this machine's kubeconfig reaches it; name the one that does",
    ]


FULL = f"""\
# ours
encryptionsalt: v1:abc
config:
    azure-native:location: eastus   # stays
    arc-gateway:gateway:
        id: {str(GATEWAY).lower()}
    arc-gateway:clusters:
        # the first
        a: {{existing: true, resourceGroup: RG, location: westeurope, proxy: corporate}}
        other:
            resourceGroup: rg
            location: eastus
            tags: {{}}

    # what comes after
    arc-gateway:preflight:
        mode: warn
"""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "config:\n",
        "config: {}\n",
        "config:   # nothing yet\nsecretsprovider: passphrase\n",
        "encryptionsalt: v1:abc",
        "config:\n  a:b: c\n",
        'config:\n  a:b: |\n    a text\n    of lines\n  c:d:\n    - 1\n    - "2\n\n      3"\nencryptionsalt: x\n',
        "config:\n  a:b: >-\n    folded\n\nencryptionsalt: x\n",
        "config:\n  arc-gateway:clusters: {}\n  a:b: c\n",
        "config:\n  arc-gateway:clusters:\n  a:b: c\n",
        "config:\n  arc-gateway:clusters:\n",
        "---\nconfig:\n  a:b: c\n...\n",
        "config:\n  a:b:\n    secure: v1:xyz\n",
        FULL,
        FULL.replace("\n", "\r\n"),
    ],
)
def test_merging_adds_and_leaves_every_other_line(text: str) -> None:
    wanted = adopted("a", "b", "c", b="east")
    made = adoption.merged(text, wanted)
    assert adoption.merged(made, wanted) == made, "the second time there is nothing to do"
    before, after = (yaml.safe_load(one) or {} for one in (text, made))
    kept = [line for line in text.splitlines() if line.split("#")[0].strip() not in _EMPTY]
    rest = iter(made.splitlines())
    assert all(line in rest for line in kept), "every line is there, in its order"
    assert {key: value for key, value in after.items() if key != "config"} == {
        key: value for key, value in before.items() if key != "config"
    }
    settings = after["config"]
    assert settings["arc-gateway:clusters"].keys() >= {"a", "b", "c"}
    assert settings["arc-gateway:clusters"]["b"]["kubeContext"] == "east"
    assert settings["arc-gateway:gateway"]["id"].lower() == str(GATEWAY).lower()
    for key, value in (before.get("config") or {}).items():
        assert settings[key] == value or key == "arc-gateway:clusters"
    assert ("\r\n" in made) == ("\r\n" in text) and made.count("\n") == len(made.splitlines())
    assert made.count("arc-gateway:clusters:") == 1, "a key twice is no YAML for the engine"


_EMPTY = {"config:", "config: {}", "arc-gateway:clusters: {}", "arc-gateway:clusters:"}


def test_an_entry_under_another_key_is_the_same_cluster() -> None:
    text = "config:\n  arc-gateway:clusters:\n    first:\n      name: a\n" + "".join(
        f"      {key}: {value}\n" for key, value in (("existing", "true"), ("resourceGroup", "rg"))
    )
    text += "      location: westeurope\n      kubeContext: mine\n"
    made = yaml.safe_load(adoption.merged(text, adopted("a")))
    assert made["config"]["arc-gateway:clusters"].keys() == {"first"}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"arc-gateway:gateway": {"id": str(OTHER_GATEWAY)}}, "arc-gateway:gateway.id is"),
        ({"arc-gateway:gateway": {"name": "gw", "resourceGroup": "net"}}, "arc-gateway:gateway.id is null"),
        ({"arc-gateway:gateway": "gw"}, "no readable map"),
        ({"arc-gateway:clusters": {"a": entry(existing=False)}}, "clusters.a.existing is false and not true"),
        ({"arc-gateway:clusters": {"a": entry(resourceGroup="other")}}, r"clusters.a.resourceGroup is .other"),
        ({"arc-gateway:clusters": {"a": entry(kubeContext="west")}}, "clusters.a.kubeContext"),
        ({"arc-gateway:clusters": {"k": entry(name="A", location="eastus")}}, "clusters.k.location"),
        ({"arc-gateway:clusters": {"a": None, "secure": "v1:x"}}, "no readable map of clusters"),
        ({"arc-gateway:clusters": ["a"]}, "no readable map of clusters"),
    ],
)
def test_what_says_otherwise_is_left_as_it_is(config: dict[str, Any], words: str) -> None:
    with pytest.raises(Failure, match=words) as caught:
        adoption.merged(yaml.safe_dump({"config": config}), adopted("a", a="east"))
    assert "is left as it is" in caught.value.cause


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("config: [", "no YAML"),
        ("- 1\n", "no map"),
        ("config: 5\n", "no map"),
        ("{config: {a: b}}\n", "lines cannot be added"),
        ("config: {a: b}\n", "lines cannot be added"),
    ],
)
def test_a_file_that_cannot_be_changed(text: str, words: str) -> None:
    with pytest.raises(Failure, match=words):
        adoption.merged(text, adopted("a"))


def test_the_file_of_a_stack(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a" / "Pulumi.yaml").write_text("name: x\n")
    assert adoption.stack_file("org/x/dev", inner) == tmp_path / "a" / "Pulumi.dev.yaml"
    (tmp_path / "a" / "Pulumi.yaml").write_text("name: x\nstackConfigDir: stacks\n")
    assert adoption.stack_file("dev", inner) == tmp_path / "a" / "stacks" / "Pulumi.dev.yaml"


def test_contexts_are_found_by_asking(tmp_path: Path) -> None:
    with world(tmp_path) as scene:
        scene.associated()
        id_ = ConnectedClusterId(SUBSCRIPTION, "rg", "edge")
        assert kubeconfig.contexts(scene.env) == ["other", "edge"], "the current one first"
        assert contexts(scene, id_) == {id_: "other"}
        assert contexts(scene, cluster_id("elsewhere")) == {}
        heard: list[str] = []
        scene.change(unreachable=True)
        assert contexts(scene, id_, heard=heard) == {} and "context edge is passed over" in "".join(heard)
        scene.env["KUBECONFIG"] = str(tmp_path / "none")
        assert contexts(scene, id_, heard=heard) == {} and "no kubeconfig at" in heard[-1]


def contexts(scene: World, id_: ConnectedClusterId, heard: list[str] | None = None) -> dict[ConnectedClusterId, str]:
    azure = Azure()
    azure.cluster(id_, GATEWAY)
    made = adoption.adopt(looked(azure), GATEWAY, None)
    return dict(adoption.with_contexts(made, scene.env, (heard if heard is not None else []).append).contexts)


class Command:
    """The command in a project of its own, before an Azure with one associated cluster."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.azure, self.folder = Azure(), folder
        self.azure.gateway()
        self.azure.cluster(cluster_id("a"), GATEWAY)
        monkeypatch.setattr(cli, "_arm", lambda: self.azure)
        monkeypatch.chdir(folder)
        (folder / "Pulumi.yaml").write_text("name: fleet\n")
        self.file = folder / "Pulumi.prod.yaml"

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli._group, ["import", SUBSCRIPTION, "--no-contexts", *arguments])


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    return Command(tmp_path, monkeypatch)


def test_the_command_prints_yaml_alone(command: Command) -> None:
    done = command.run()
    assert done.exit_code == 0, done.output
    assert yaml.safe_load(done.stdout)["config"]["arc-gateway:clusters"] == {"a": entry()}
    assert "pulumi preview" in done.stderr


def test_the_command_writes_into_a_stack(command: Command) -> None:
    command.file.write_text("encryptionsalt: v1:abc\n")
    command.file.chmod(0o640)
    done = command.run("--write", "prod", "--own-gateway", "gw.json")
    assert done.exit_code == 0 and done.stdout == ""
    written = yaml.safe_load(command.file.read_text())
    assert written["encryptionsalt"] == "v1:abc" and written["config"]["arc-gateway:gateway"]["protect"] is True
    assert command.file.stat().st_mode & 0o777 == 0o640
    assert "pulumi import --file gw.json --generate-code=false --stack prod" in done.stderr
    assert json.loads((command.folder / "gw.json").read_text())["resources"]
    assert "says so already" in command.run("--write", "prod", "--own-gateway", "gw.json").stderr
    assert sorted(path.name for path in command.folder.iterdir()) == ["Pulumi.prod.yaml", "Pulumi.yaml", "gw.json"]


def test_the_command_overwrites_nothing(command: Command) -> None:
    text = f"config:\n  arc-gateway:gateway:\n    id: {OTHER_GATEWAY}\n"
    command.file.write_text(text)
    done = command.run("--write", "prod")
    assert isinstance(done.exception, Failure) and command.file.read_text() == text


def test_no_project_and_no_gateway(command: Command) -> None:
    (command.folder / "Pulumi.yaml").unlink()
    if not any((place / "Pulumi.yaml").exists() for place in command.folder.parents):
        assert "no Pulumi.yaml" in str(command.run("--write", "prod").exception)
    del command.azure.resources[str(GATEWAY).lower()]
    assert f"there is no gateway {GATEWAY}, though clusters name it" in str(command.run().exception)
