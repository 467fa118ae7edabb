"""What is left to do from what was seen: pure decisions, for every flag of the client and every state of helm."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arcgateway import connect_flags, driver_settings
from arcgateway.association import Seen, Step, left_behind, plan_associate, plan_connect, whole
from arcgateway.azure_cli import Change, Secret, _arguments, _flags
from arcgateway.driver_settings import DriverSettings
from arcgateway.errors import Failure
from arcgateway.ids import ConnectedClusterId
from arcgateway.kube import Agents, Release

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GATEWAY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.HybridCompute/gateways/gw"
SCOPE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.HybridCompute/privateLinkScopes/pls"
OID = "99999999-2222-3333-4444-555555555555"
CLUSTER = ConnectedClusterId(SUBSCRIPTION, "rg", "edge")
NAMED = {
    "ARC_SUBSCRIPTION_ID": SUBSCRIPTION,
    "ARC_RESOURCE_GROUP": "rg",
    "ARC_CLUSTER_NAME": "edge",
    "ARC_LOCATION": "eastus",
}


def wanted(**settings: str) -> DriverSettings:
    return driver_settings.read({**NAMED, **settings}, cluster_needed=True)


def agents(status: str = "deployed", *, identity: bool = True, **values: str) -> Agents:
    release = Release(status, {"global.gatewayEnabled": "False", "global.isProxyEnabled": "False", **values}, "record")
    return Agents(CLUSTER if identity else None, {"clusterconnect-agent": True}, release)


def seen(properties: dict[str, Any] | None = None, of: Agents | None = None, status: str = "Connected") -> Seen:
    body = {"connectivityStatus": status, "agentVersion": "1.36.1", **(properties or {})}
    resource = {"id": str(CLUSTER), "tags": {"pulumi-arc-gateway": "connected"}, "properties": body}
    return Seen(resource, None, of or agents())


def words(change: Change, verb: str) -> list[str]:
    """The arguments; those that travel in files as `@` and their content."""
    flags = _flags(change.flags, lambda flag: getattr(flag, verb))
    return [word if isinstance(word, str) else f"@{word.value}" for word in (*_arguments(change), *flags)]


def update(settings: DriverSettings, there: Seen) -> list[str]:
    """The arguments of the one update that the plan is."""
    (change,) = plan_connect(settings, there)
    assert isinstance(change, Change)
    return words(change, "update")


LOGGED = {"arcAgentryConfigurations": [{"feature": "logging", "settings": {"container_log_path": "/var/log"}}]}
#: (setting, properties that fulfil it, arguments of connect, arguments of update or None for another connect)
FLAGS = [
    ({"ARC_DISTRIBUTION": "k3s"}, {"distribution": "K3S"}, "--distribution k3s", "--distribution k3s"),
    (
        {"ARC_DISTRIBUTION_VERSION": "1.33"},
        {"distributionVersion": "1.33"},
        "--distribution-version 1.33",
        "--distribution-version 1.33",
    ),
    (
        {"ARC_AZURE_HYBRID_BENEFIT": "false"},
        {"azureHybridBenefit": "False"},
        "--azure-hybrid-benefit False",
        "--azure-hybrid-benefit False",
    ),
    (
        {"ARC_DISABLE_AUTO_UPGRADE": "true"},
        {"arcAgentProfile": {"agentAutoUpgrade": "Disabled"}},
        "--disable-auto-upgrade",
        "--auto-upgrade false",
    ),
    (
        {"ARC_CONTAINER_LOG_PATH": "/var/log"},
        LOGGED,
        "--container-log-path /var/log",
        "--container-log-path /var/log",
    ),
    (
        {"ARC_ENABLE_OIDC_ISSUER": "True"},
        {"oidcIssuerProfile": {"enabled": True}},
        "--enable-oidc-issuer true",
        "--enable-oidc-issuer true",
    ),
    (
        {"ARC_ENABLE_OIDC_ISSUER": "true", "ARC_SELF_HOSTED_ISSUER": "https://oidc.test/x"},
        {"oidcIssuerProfile": {"enabled": True, "selfHostedIssuerUrl": "https://oidc.test/x"}},
        "--enable-oidc-issuer true --self-hosted-issuer https://oidc.test/x",
        "--enable-oidc-issuer true --self-hosted-issuer https://oidc.test/x",
    ),
    (
        {"ARC_ENABLE_WORKLOAD_IDENTITY": "true"},
        {"securityProfile": {"workloadIdentity": {"enabled": True}}},
        "--enable-workload-identity true",
        "--enable-workload-identity true",
    ),
    ({"ARC_INFRASTRUCTURE": "vsphere"}, {"infrastructure": "vsphere"}, "--infrastructure vsphere", None),
    (
        {"ARC_ENABLE_PRIVATE_LINK": "true", "ARC_PRIVATE_LINK_SCOPE_ID": SCOPE},
        {"privateLinkState": "Enabled", "privateLinkScopeResourceId": SCOPE.upper()},
        f"--enable-private-link true --private-link-scope-resource-id {SCOPE}",
        None,
    ),
]
each_flag = pytest.mark.parametrize(("settings", "fulfilled", "connect", "later"), FLAGS)


@each_flag
def test_each_flag_is_told_at_connect_seen_and_changed(
    settings: dict[str, str], fulfilled: dict[str, Any], connect: str, later: str | None
) -> None:
    asked = wanted(**settings)
    assert " ".join(words(whole(asked, Seen(None, None)), "connect")).endswith(connect)
    assert plan_connect(asked, seen(fulfilled)) == ()
    if later is None:
        assert plan_connect(asked, seen()) == (Step.CONNECT,)
    else:
        assert " ".join(update(asked, seen())) == later


@each_flag
def test_what_is_not_asked_for_stays(
    settings: dict[str, str], fulfilled: dict[str, Any], connect: str, later: str | None
) -> None:
    assert plan_connect(wanted(), seen(fulfilled)) == ()


def test_every_flag_is_in_the_table_above() -> None:
    once = {flag.variable for flag in connect_flags.FLAGS if flag.way is connect_flags.Way.ONCE}
    assert {name for settings, *_ in FLAGS for name in settings} | once == set(connect_flags.BY_VARIABLE)


def test_what_counts_at_connect_alone_is_told_there_and_changes_nothing_later() -> None:
    asked = wanted(ARC_CUSTOM_LOCATIONS_OID=OID, ARC_ONBOARDING_TIMEOUT="900")
    assert words(whole(asked, Seen(None, None)), "connect")[-4:] == [
        "--custom-locations-oid",
        OID,
        "--onboarding-timeout",
        "900",
    ]
    assert plan_connect(asked, seen()) == ()


@pytest.mark.parametrize(
    ("setting", "on", "argument"),
    [
        (
            "ARC_DISABLE_AUTO_UPGRADE",
            {"arcAgentProfile": {"agentAutoUpgrade": "Disabled"}},
            ["--auto-upgrade", "true"],
        ),
        (
            "ARC_ENABLE_WORKLOAD_IDENTITY",
            {"securityProfile": {"workloadIdentity": {"enabled": True}}},
            ["--disable-workload-identity", "true"],
        ),
    ],
)
def test_what_is_on_can_be_turned_off(setting: str, on: dict[str, Any], argument: list[str]) -> None:
    asked = wanted(**{setting: "false"})
    assert update(asked, seen(on)) == argument
    assert plan_connect(asked, seen()) == () and words(whole(asked, Seen(None, None)), "connect")[2:] == []


def test_an_oidc_issuer_has_no_way_back_and_private_link_has() -> None:
    with pytest.raises(Failure, match=r"OIDC issuer of .* is on, and the client has no way to turn it off"):
        plan_connect(wanted(ARC_ENABLE_OIDC_ISSUER="false"), seen({"oidcIssuerProfile": {"enabled": True}}))
    linked = seen({"privateLinkState": "Enabled", "privateLinkScopeResourceId": SCOPE})
    off = wanted(ARC_ENABLE_PRIVATE_LINK="false")
    assert plan_connect(off, linked) == (Step.CONNECT,)
    # The client refuses a scope where private link is off.
    assert words(whole(off, linked), "connect")[-2:] == ["--enable-private-link", "false"]


def test_a_connect_on_a_connected_cluster_repeats_what_it_would_lose() -> None:
    there = seen(
        {
            **LOGGED,
            "distribution": "rke2",
            "oidcIssuerProfile": {"enabled": True},
            "azureHybridBenefit": "True",
        }
    )
    told = words(whole(wanted(ARC_INFRASTRUCTURE="vsphere"), there), "connect")
    assert " ".join(told[2:]) == (
        "--infrastructure vsphere --azure-hybrid-benefit True --container-log-path /var/log --enable-oidc-issuer true"
    )


def test_settings_are_told_with_all_that_the_client_would_drop() -> None:
    settings = {"ARC_CONFIGURATION_SETTINGS": json.dumps({"metrics": {"port": "9090"}})}
    proxied = agents(**{"global.isProxyEnabled": "True", "global.httpsProxy": "http://u:p@proxy.test:3128"})
    told = update(wanted(**settings, ARC_PROXY_HTTPS="http://proxy.test:3128"), seen(LOGGED))
    assert told[:2] == ["--proxy-https", "http://proxy.test:3128"]
    assert told[-4:] == ["--configuration-settings", "metrics.port=9090", "--container-log-path", "/var/log"]
    (change,) = plan_associate(wanted(**settings, ARC_GATEWAY_ID=GATEWAY), seen(of=proxied))
    # The proxy that nobody speaks of stays; its URL holds credentials and travels in a file.
    assert isinstance(change, Change)
    assert words(change, "update")[2:4] == ["--proxy-https", "@http://u:p@proxy.test:3128"]
    shown = {"arcAgentryConfigurations": [{"feature": "metrics", "settings": {"port": "9090"}}]}
    assert plan_connect(wanted(**settings), seen(shown)) == ()


def test_the_client_takes_settings_and_a_hybrid_benefit_only_with_something_else() -> None:
    settings = {"ARC_CONFIGURATION_SETTINGS": '{"metrics":{"port":"9090"}}'}
    disabled = {"arcAgentProfile": {"agentAutoUpgrade": "Disabled"}}
    assert update(wanted(**settings), seen(disabled))[-2:] == ["--auto-upgrade", "false"]
    assert update(wanted(**settings), seen())[-2:] == ["--auto-upgrade", "true"]
    benefit = {"ARC_AZURE_HYBRID_BENEFIT": "True"}
    assert update(wanted(**benefit), seen()) == ["--azure-hybrid-benefit", "True"]
    told = update(wanted(**benefit, ARC_GATEWAY_ID=GATEWAY), seen())
    assert "--gateway-resource-id" in told and told[-2:] == ["--auto-upgrade", "true"]


def test_protected_settings_travel_in_files_and_count_as_given_where_helm_has_them() -> None:
    asked = wanted(ARC_CONFIGURATION_PROTECTED_SETTINGS='{"relay":{"key":"c4nary"}}')
    (change,) = plan_connect(asked, seen())
    assert isinstance(change, Change) and "c4nary" not in repr(change) + repr(asked)
    files = [word for word in _arguments(change) if isinstance(word, Secret)]
    assert [file.value for file in files] == ["relay.key=c4nary"]
    assert plan_connect(asked, seen(of=agents(**{"relay.secretKey": "c4nary"}))) == ()


def test_words_that_az_would_take_for_files_travel_in_files() -> None:
    change = Change(tags={"owner": "@team", "mail": "a@b.test"}, configuration={"a.b": "@x"})
    assert words(change, "update") == ["--tags", "mail=a@b.test", "@owner=@team", "--configuration-settings", "@a.b=@x"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ARC_SELF_HOSTED_ISSUER": "https://x"}, "set ARC_ENABLE_OIDC_ISSUER"),
        ({"ARC_SELF_HOSTED_ISSUER": "http://x", "ARC_ENABLE_OIDC_ISSUER": "true"}, "is not an https:// URL"),
        ({"ARC_PRIVATE_LINK_SCOPE_ID": SCOPE}, "set ARC_ENABLE_PRIVATE_LINK"),
        ({"ARC_ENABLE_PRIVATE_LINK": "true"}, "set ARC_PRIVATE_LINK_SCOPE_ID"),
        ({"ARC_PRIVATE_LINK_SCOPE_ID": "pls", "ARC_ENABLE_PRIVATE_LINK": "true"}, "not the id of a private link scope"),
        (
            {"ARC_PRIVATE_LINK_SCOPE_ID": SCOPE, "ARC_ENABLE_PRIVATE_LINK": "true", "ARC_GATEWAY_ID": GATEWAY},
            "private link does not go together with a gateway",
        ),
        ({"ARC_AZURE_HYBRID_BENEFIT": "yes"}, "none of True, False, NotApplicable"),
        ({"ARC_ENABLE_WORKLOAD_IDENTITY": "1"}, "neither true nor false"),
        ({"ARC_ONBOARDING_TIMEOUT": "0"}, "a number of seconds above 0"),
        ({"ARC_CUSTOM_LOCATIONS_OID": "x"}, "an object id"),
        ({"ARC_PAUSED": "yes"}, "ARC_PAUSED: 'yes' is neither"),
        ({"ARC_CONFIGURATION_SETTINGS": "[1]"}, "no JSON object of features"),
        ({"ARC_CONFIGURATION_SETTINGS": '{"a":{"b":1}}'}, "a.b is no text"),
        ({"ARC_CONFIGURATION_SETTINGS": '{"a":{"b.c":"1"}}'}, "neither may hold"),
        ({"ARC_CONFIGURATION_SETTINGS": '{"logging":{"container_log_path":"x"}}'}, "an input of its own"),
        ({"ARC_CONFIGURATION_PROTECTED_SETTINGS": '{"proxy":{"https_proxy":"c4nary"}}'}, "an input of its own"),
        ({"ARC_CONFIGURATION_PROTECTED_SETTINGS": "c4nary"}, "no JSON object of features"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_done(settings: dict[str, str], said: str) -> None:
    with pytest.raises(Failure) as failure:
        wanted(**settings)
    assert said in str(failure.value) and "c4nary" not in str(failure.value)


REPAIRED = ["--auto-upgrade", "true"]


@pytest.mark.parametrize(
    ("status", "connectivity", "steps"),
    [
        ("deployed", "Connected", ()),
        ("failed", "Connected", "update"),
        ("failed", "Connecting", "update"),
        ("superseded", "Offline", "update"),
        ("uninstalling", "Connected", (Step.DISCONNECT, Step.CONNECT)),
    ],
)
def test_a_release_that_did_not_go_through_is_mended_in_place(status: str, connectivity: str, steps: Any) -> None:
    there = seen(of=agents(status), status=connectivity)
    if steps == "update":
        assert update(wanted(), there) == REPAIRED
        (change,) = plan_associate(wanted(ARC_GATEWAY_ID=GATEWAY), there)
        assert isinstance(change, Change) and change.gateway is not None
    else:
        assert plan_connect(wanted(), there) == steps


@pytest.mark.parametrize(
    ("status", "ready", "age", "watched", "left"),
    [
        ("pending-upgrade", True, 10, 0, False),
        ("pending-upgrade", True, 21, 0, True),
        # A clock that goes behind the one of helm's machine: then what was watched here counts.
        ("pending-upgrade", True, -3600, 10, False),
        ("pending-upgrade", True, -3600, 21, True),
        ("pending-upgrade", False, 599, 0, False),
        ("pending-rollback", False, 601, 0, True),
        ("pending-install", False, 1199, 0, False),
        ("pending-install", False, 1201, 0, True),
    ],
)
def test_a_helm_at_work_and_a_dead_one(status: str, ready: bool, age: float, watched: float, left: bool) -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    release = Release(status, {}, "record", now - timedelta(seconds=age))
    assert left_behind(Agents(CLUSTER, {"one": True, "two": ready}, release), now, watched) is left


def test_agents_that_do_not_say_whose_they_are() -> None:
    lost = agents("failed", identity=False)
    assert plan_connect(wanted(), seen(of=lost, status="Connecting")) == (Step.CLEAN_UP, Step.CONNECT)
    assert plan_connect(wanted(), Seen(None, None, lost)) == (Step.FORGET_RELEASE, Step.CONNECT)
    # With the record of their name, `connect` itself removes them first.
    assert plan_connect(wanted(), Seen(None, None, agents("uninstalling"))) == (Step.CONNECT,)
