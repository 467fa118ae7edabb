"""The stack's configuration: what is accepted, and what every refusal says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pulumi
import pytest
import trustme
import yaml
from mock_engine import GATEWAY_ID, deploy

from arcgateway import stack_settings
from components import ArcGateway, arguments, settings, stack_schema
from components.cluster import ConnectedClusterArgs, GatewayAssociationArgs
from sandbox.home import PROJECT


def load(config: dict[str, Any], secret: tuple[str, ...] = ()) -> settings.Settings:
    texts = {
        f"arc-gateway:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in config.items()
    }
    pulumi.runtime.set_all_config(texts, [f"arc-gateway:{key}" for key in secret])
    return settings.load(pulumi.Config("arc-gateway"))


def tracked() -> dict[str, Any]:
    stack = yaml.safe_load((PROJECT / "Pulumi.dev.yaml").read_text())
    return {key.removeprefix("arc-gateway:"): value for key, value in stack["config"].items()}


def refusal(config: dict[str, Any]) -> str:
    with pytest.raises(settings.SettingsError) as caught:
        load(config)
    return str(caught.value)


def test_the_tracked_stack_is_valid() -> None:
    loaded = load(tracked())
    assert loaded.gateway.name == "gw-dev"
    assert loaded.clusters["west"].existing
    assert loaded.preflight.mode == "require"


def test_all_mistakes_come_in_one_message_with_their_keys() -> None:
    config = tracked()
    config["gateway"]["nmae"] = config["gateway"].pop("name")
    config["proxies"]["corporate"]["httpsUrl"] = "proxy.corp:3128"
    config["proxies"]["corporate"]["skipRange"] = ["10.96.0.0/99"]
    config["clusters"]["east"]["proxy"] = "corporat"
    config["clusters"]["west"]["existing"] = "perhaps"
    config["gatways"] = {}
    said = refusal(config)
    for key in (
        "arc-gateway:gateway.name",
        "arc-gateway:gateway.nmae",
        "arc-gateway:proxies.corporate.httpsUrl",
        "arc-gateway:proxies.corporate.skipRange",
        "arc-gateway:clusters.west.existing",
        "arc-gateway:gatways",
    ):
        assert key in said
    assert "nothing was changed" in said


def test_an_unknown_proxy_is_named_with_the_known_ones() -> None:
    config = tracked()
    config["clusters"]["east"]["proxy"] = "corporat"
    said = refusal(config)
    assert "clusters.east.proxy" in said
    assert "'corporat'" in said
    assert "corporate" in said


def test_an_unknown_scenario_is_named_with_the_known_ones() -> None:
    config = tracked() | {"allowlist": {"scenarios": ["container-insight"]}}
    assert "container-insights" in refusal(config)


@pytest.mark.parametrize("text", ["eastus", "[1]", "{"])
def test_a_key_that_is_no_map(text: str) -> None:
    assert "arc-gateway:gateway" in refusal(tracked() | {"gateway": text})


def test_no_gateway_at_all() -> None:
    assert "arc-gateway:gateway: is missing" in refusal({})


def test_no_password_in_a_refusal() -> None:
    config = tracked()
    config["proxies"]["corporate"]["httpsUrl"] = "http://arc:canary@proxy corp:3128"
    assert "canary" not in refusal(config)


def test_a_secret_key_makes_its_urls_secret() -> None:
    loaded = load(tracked(), secret=("proxies",))
    assert isinstance(arguments.proxy_args(loaded, "corporate")["https_url"], pulumi.Output)


def test_a_look_from_inside_the_clusters_is_asked_for() -> None:
    loaded = load(tracked() | {"preflight": {"inCluster": True, "image": "registry.corp/python:3.12"}})
    assert (loaded.preflight.in_cluster, loaded.preflight.image) == (True, "registry.corp/python:3.12")
    assert load(tracked()).preflight.in_cluster is False
    assert "preflight.image" in refusal(tracked() | {"preflight": {"image": "https://registry.corp/python"}})
    assert "preflight.namespace" in refusal(tracked() | {"preflight": {"namespace": "No_Where"}})


def test_roots_are_texts_or_files(tmp_path: Path) -> None:
    file = tmp_path / "root.pem"
    trustme.CA().cert_pem.write_to_path(file)
    loaded = load(tracked() | {"preflight": {"genuineRoots": [str(file)]}})
    assert loaded.preflight.genuine_roots == [file.read_text()]
    assert "No such file" in refusal(tracked() | {"preflight": {"genuineRoots": ["missing.pem"]}})


def test_exceptions_of_the_preflight_reach_proxies_and_clusters_alike() -> None:
    exceptions = {
        "*.monitoring.azure.com": {"counts": "ignore", "reason": "no insights here"},
        "a.corp": {"reason": "x"},
    }
    loaded = load(tracked() | {"preflight": {"exceptions": exceptions}})
    assert arguments.proxy_args(loaded, "corporate")["preflight_exceptions"] == {
        "*.monitoring.azure.com": {"counts": "ignore", "reason": "no insights here"},
        "a.corp": {"counts": "warn", "reason": "x"},
    }
    assert "preflight_exceptions" not in arguments.proxy_args(load(tracked()), "corporate")


@pytest.mark.parametrize(
    ("exceptions", "said"),
    [
        ({"a.corp": {}}, "preflight.exceptions.a.corp.reason: is missing"),
        ({"a.corp": {"reason": " "}}, "preflight.exceptions.a.corp.reason"),
        (
            {"a.corp": {"reason": "x", "counts": "no"}},
            "preflight.exceptions.a.corp.counts: has to be 'warn' or 'ignore'",
        ),
        ({"a.corp": {"reason": "x", "count": "warn"}}, "is not a setting of an exception: did you mean counts?"),
        ({"a corp": {"reason": "x"}}, "preflight.exceptions: 'a corp' is no host name"),
    ],
    ids=["no-reason", "blank-reason", "unknown-counts", "unknown-key", "no-host"],
)
def test_exceptions_that_cannot_be_used(exceptions: dict[str, Any], said: str) -> None:
    assert said in refusal(tracked() | {"preflight": {"exceptions": exceptions}})


ID = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/arc/providers"
CLUSTER_ID = f"{ID}/Microsoft.Kubernetes/connectedClusters/west"


def changed(path: str, value: Any) -> dict[str, Any]:
    """The tracked configuration with one value set; None removes it."""
    config = tracked()
    *above, last = path.split(".")
    place: Any = config
    for part in above:
        place = place.setdefault(part, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return config


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "gateway.resourceGruop",
            "arc",
            "is not a setting of a gateway of the stack's own: did you mean resourceGroup?",
        ),
        ("clusters.east.kubecontext", "x", "is not a setting of a cluster to onboard: did you mean kubeContext?"),
        ("clusters.west.infrastructure", "vsphere", "is not a setting of an existing cluster: remove it; known are"),
        ("proxies.corporate.zzz", 1, "is not a setting of a proxy: remove it; known are httpsUrl"),
        ("cluster", {}, "is not a setting: did you mean clusters?"),
        ("gateway.name", 7, "has to be a text: put it in quotes"),
        ("gateway.protect", "perhaps", "has to be true or false"),
        ("gateway.gatewayType", "Private", "has to be 'Public'"),
        ("clusters.east", "eastus", "has to be a map of settings"),
        ("clusters.east.resourceGroup", None, "is missing: add it"),
        ("clusters.east.onboardingTimeout", 0, "has to be greater than 0"),
        ("clusters.east.onboardingTimeout", "long", "has to be a whole number"),
        ("clusters.east.azureHybridBenefit", "Maybe", "has to be 'True', 'False' or 'NotApplicable'"),
        ("clusters.east.onUnreachable", "wait", "has to be 'fail', 'forget' or 'azure-only'"),
        ("clusters.east.subscriptionId", "mine", "has to match pattern"),
        ("clusters.west.existing", "perhaps", "has to be True"),
        ("proxies.corporate.skipRange", "10.0.0.0/8", "has to be a list"),
        ("proxies.corporate.skipRange", ["10.96.0.0/99"], "'10.96.0.0/99' in the skip range is no address range"),
        ("proxies.corporate.httpUrl", "proxy.corp:3128", "the proxy URL has no scheme: write http://HOST:PORT"),
        ("proxies.other", {}, "is missing: give the proxy's address here or in httpUrl"),
        ("drift", "never", "has to be 'require', 'warn' or 'off'"),
        ("gateway.name", "", "the name of a gateway: letters"),
        ("gateway.resourceGroup", "arc/dev", "the name of a resource group: letters"),
        ("gateway.location", "", "is empty: give a value, or remove the key"),
        ("clusters.east.location", "east/us", "'east/us' is no Azure region: give its name"),
        ("clusters.east.name", "a/b", "the name of a connected cluster: letters"),
        ("clusters.east.kubeContext", "", "is empty: give a value, or remove the key"),
        ("clusters.west.subscriptionId", "", "a GUID: 8, 4, 4, 4 and 12 hexadecimal digits"),
        ("clusters.a b", {"resourceGroup": "arc", "location": "eastus"}, "without it the key has to be the name of a"),
        ("proxies.other", {"httpsUrl": None}, "is missing: give the proxy's address here or in httpUrl"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_a_mistake_is_told_with_its_key_and_the_mend(path: str, value: Any, said: str) -> None:
    (line,) = refusal(changed(path, value)).splitlines()[1:]
    key, _, text = line.strip().removeprefix("arc-gateway:").partition(": ")
    assert key.startswith(path)
    assert said in text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"id": GATEWAY_ID.replace("gateways", "machines")}, "gateway.id: .* is not the id of an Arc gateway"),
        (
            {"id": GATEWAY_ID.replace("/subscriptions/", "/management/")},
            "gateway.id: .* is not the id of an Arc gateway",
        ),
        ({"stack": "prod"}, "gateway.stack: .*pattern"),
        ({"id": GATEWAY_ID, "name": "gw"}, "gateway.name: is not a setting of a gateway that is given by its id"),
        ({"stack": "a/b/c", "id": GATEWAY_ID}, "gateway.stack: is not a setting of a gateway that is given by its id"),
    ],
)
def test_a_gateway_has_one_form(given: dict[str, str], said: str) -> None:
    assert re.search(said, refusal(tracked() | {"gateway": given}))


@pytest.mark.parametrize(
    ("given", "name"), [({"id": GATEWAY_ID}, "gw"), ({"stack": "organization/network/prod"}, "prod")]
)
def test_a_gateway_of_somebody_elses(given: dict[str, str], name: str) -> None:
    assert arguments.gateway_name(load(tracked() | {"gateway": given})) == name


def test_an_adopted_gateway_needs_nothing_but_its_id() -> None:
    loaded = load(tracked() | {"gateway": {"id": GATEWAY_ID}})
    assert arguments.gateway_args(loaded) == {"existing_id": GATEWAY_ID}
    assert arguments.proxy_args(loaded, "corporate")["region"] == "eastus"


def test_a_gateway_of_another_stack_is_read_by_the_id_there() -> None:
    loaded = load(tracked() | {"gateway": {"stack": "organization/network/prod"}})

    def program() -> list[Any]:
        gateway = ArcGateway(arguments.gateway_name(loaded), arguments.gateway_args(loaded))
        return [gateway.id]

    world = deploy(program, **{"organization/network/prod": {"gateway": {"id": GATEWAY_ID}}})
    assert world.values == [GATEWAY_ID]
    (read,) = [made for made in world.made if made.typ == "azure-native:hybridcompute:Gateway"]
    assert read.resource_id == GATEWAY_ID


@pytest.mark.parametrize("outputs", [{}, {"gateway": "gw"}, {"gateway": {"endpoint": "x"}}])
def test_another_stack_without_a_gateway_is_told(outputs: Any) -> None:
    loaded = load(tracked() | {"gateway": {"stack": "organization/network/prod"}})
    with pytest.raises(settings.SettingsError, match="organization/network/prod has no output `gateway` with an `id`"):
        deploy(lambda: [ArcGateway("gw", arguments.gateway_args(loaded)).id], **{"organization/network/prod": outputs})


def test_a_cluster_is_named_once() -> None:
    config = tracked() | {"gateway": {"id": GATEWAY_ID}}
    config["clusters"] |= {
        "a": {"existing": True, "resourceGroup": "ARC", "name": "West"},
        "b": {"clusterId": CLUSTER_ID},
    }
    said = refusal(config)
    assert "clusters.b: is the same cluster as clusters.a" in said
    assert "clusters.west" not in said


def test_a_context_reaches_one_cluster() -> None:
    config = changed("clusters.west.kubeContext", "east")
    assert "clusters.west.kubeContext: is that of clusters.east, which is another cluster" in refusal(config)
    config["clusters"]["east"]["enabled"] = False
    load(config)


def test_an_existing_cluster_by_its_id() -> None:
    loaded = load(changed("clusters.west", {"clusterId": CLUSTER_ID, "kubeContext": "west"}))
    assert loaded.clusters["west"].existing
    said = refusal(changed("clusters.west", {"clusterId": CLUSTER_ID, "resourceGroup": "arc"}))
    assert "clusters.west.resourceGroup: is not a setting of an existing cluster that is given by its id" in said
    said = refusal(changed("clusters.west", {"clusterId": GATEWAY_ID}))
    assert "clusters.west.clusterId" in said
    assert "is not the id of a connected cluster" in said


PASSWORDS: Any = {
    "proxies.corporate.password": "s3cret-canary",
    "proxies.corporate.httpsUrl": "http://arc:s3cret-canary@proxy:3128",
    "clusters.east.configurationProtectedSettings": {"proxy": {"token": "s3cret-canary"}},
}


@pytest.mark.parametrize("path", PASSWORDS)
def test_a_password_in_plain_text_is_refused_and_a_secret_one_is_not(path: str) -> None:
    config = changed(path, PASSWORDS[path])
    if path.endswith("password"):
        config["proxies"]["corporate"]["username"] = "arc"
    said = refusal(config)
    assert f"{path}: is a secret in plain text" in said
    assert f"pulumi config set --secret --path 'arc-gateway:{path}" in said
    assert "canary" not in said
    load(config, secret=(path.split(".")[0],))


def test_a_password_goes_with_a_user_and_stands_in_one_place() -> None:
    alone = changed("proxies.corporate.password", "x")
    with pytest.raises(settings.SettingsError, match=r"proxies\.corporate\.password: the password has no user"):
        load(alone, secret=("proxies",))
    twice = changed("proxies.corporate.httpsUrl", "http://a:b@proxy:3128")
    twice["proxies"]["corporate"] |= {"username": "c", "password": "d"}
    with pytest.raises(settings.SettingsError, match="username is given besides"):
        load(twice, secret=("proxies",))


def test_contradictions_are_told_beside_other_mistakes() -> None:
    config = changed("clusters.east.proxy", "corporat")
    config["gateway"]["name"] = 7
    said = refusal(config)
    assert "gateway.name" in said
    assert "clusters.east.proxy" in said


@pytest.mark.parametrize("cluster", ["OnboardedCluster", "ExistingCluster", "ExistingClusterById"])
def test_every_setting_of_a_cluster_reaches_its_component(cluster: str) -> None:
    """By its name; the others are turned into arguments one by one."""
    component = ConnectedClusterArgs if cluster == "OnboardedCluster" else GatewayAssociationArgs
    fields = set(getattr(stack_settings, cluster).model_fields)
    assert fields - set(component.__annotations__) <= {"existing", "name", "resource_group", "proxy", "gateway"}


def test_settings_of_clusters_are_passed_on() -> None:
    config = changed("clusters.east.disableAutoUpgrade", True)
    config["clusters"]["east"] |= {"onboardingTimeout": 900, "enabled": False, "tags": {"team": "net"}}
    config["clusters"]["east"]["azureHybridBenefit"] = True
    config["drift"] = "require"
    proxies, gateway = {"corporate": Mock()}, Mock(id=GATEWAY_ID)
    args: Any = arguments.cluster_args(load(config), "east", gateway, proxies)  # type: ignore[arg-type]
    assert args["disable_auto_upgrade"] is True
    assert args["onboarding_timeout"] == 900
    assert args["azure_hybrid_benefit"] == "True"
    assert args["enabled"] is False
    assert args["tags"] == {"team": "net"}
    assert args["drift"] == "require"
    assert args["cluster_name"] == "east"
    assert args["proxy_https"] is proxies["corporate"].https_url
    assert "distribution_version" not in args


def test_protected_settings_are_secrets() -> None:
    protected = {"proxy": {"token": "canary"}}
    loaded = load(changed("clusters.east.configurationProtectedSettings", protected), secret=("clusters",))
    args: Any = arguments.cluster_args(loaded, "east", Mock(id=GATEWAY_ID), {"corporate": Mock()})
    assert isinstance(args["configuration_protected_settings"], pulumi.Output)


def test_the_schema_of_a_stacks_file_is_current() -> None:
    assert (PROJECT / stack_schema.FILE).read_text() == stack_schema.text(), "run `make schema`"


def test_the_schema_describes_every_setting() -> None:
    made = stack_schema.schema()
    keys = made["properties"]["config"]["properties"]
    assert set(keys) == {f"arc-gateway:{key}" for key in stack_settings.KEYS}
    for definition in made["$defs"].values():
        for name, field in definition["properties"].items():
            assert field["description"].endswith("."), name


def test_the_tracked_stack_names_its_schema() -> None:
    first = (PROJECT / "Pulumi.dev.yaml").read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={stack_schema.FILE}"
