"""The stack's configuration: what is accepted, and what every refusal says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components import settings
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
    assert isinstance(settings.proxy_args(loaded, "corporate")["https_url"], pulumi.Output)


def test_roots_are_texts_or_files(tmp_path: Path) -> None:
    file = tmp_path / "root.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n")
    loaded = load(tracked() | {"preflight": {"genuineRoots": [str(file)]}})
    assert loaded.preflight.genuine_roots == [file.read_text()]
    assert "No such file" in refusal(tracked() | {"preflight": {"genuineRoots": ["missing.pem"]}})
