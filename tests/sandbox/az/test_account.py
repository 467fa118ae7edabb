"""Login as the real client does it, and what is left on disk."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from az_world import LOGIN, SUBSCRIPTION, TENANT, World


def test_login_asks_as_msal_and_the_subscription_client_do(outside: World) -> None:
    done = outside.az(*LOGIN)
    assert done.returncode == 0, done.stderr
    assert [(method, host, path.partition("?")[0]) for method, host, path, _ in outside.calls] == [
        ("GET", "login.microsoftonline.com", "/common/discovery/instance"),
        ("GET", "login.microsoftonline.com", f"/{TENANT}/v2.0/.well-known/openid-configuration"),
        ("POST", "login.microsoftonline.com", f"/{TENANT}/oauth2/v2.0/token"),
        ("GET", "management.azure.com", "/subscriptions"),
        ("GET", "management.azure.com", "/tenants"),
    ]
    assert "client_secret=s3cret" in outside.calls[2][3]
    [account] = json.loads(done.stdout)
    assert (account["id"], account["tenantId"], account["cloudName"]) == (SUBSCRIPTION, TENANT, "AzureCloud")
    assert account["user"] == {"name": "client", "type": "servicePrincipal"}


def test_secrets_lie_in_files_of_their_owner_alone(world: World) -> None:
    folder = Path(world.variables["AZURE_CONFIG_DIR"])
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {
        "azureProfile.json": 0o600,
        "msal_token_cache.json": 0o600,
        "service_principal_entries.json": 0o600,
    }
    profile = (folder / "azureProfile.json").read_bytes()
    assert b"s3cret" not in profile and profile.startswith(b"\xef\xbb\xbf{"), "the real client's files begin so"


def test_a_token_is_used_until_it_is_nearly_over(world: World) -> None:
    assert world.az("connectedk8s", "list").returncode == 0
    assert world.az("connectedk8s", "list").returncode == 0
    assert [host for _, host, _, _ in world.calls] == ["management.azure.com"] * 2
    cache = Path(world.variables["AZURE_CONFIG_DIR"]) / "msal_token_cache.json"
    cache.write_text(
        json.dumps({key: [token, 0] for key, (token, _) in json.loads(cache.read_text("utf-8-sig")).items()})
    )
    world.calls.clear()
    assert world.az("connectedk8s", "list").returncode == 0
    assert [host for _, host, _, _ in world.calls] == ["login.microsoftonline.com", "management.azure.com"]


def test_a_refused_login_says_why_and_leaves_nothing(outside: World) -> None:
    told = "AADSTS7000215: Invalid client secret provided."
    outside.answers["POST", "/token"] = [(401, {"error": "invalid_client", "error_description": told})]
    done = outside.az(*LOGIN)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"ERROR: {told}\n")
    assert outside.az("account", "show").returncode == 1


def test_account_commands(world: World) -> None:
    assert world.az("account", "show", "--query", "name", "-o", "tsv").stdout == "Test\n"
    assert world.az("account", "show").stdout.count("environmentName") == 1
    assert world.az("account", "set", "-s", "test").returncode == 0
    unknown = world.az("account", "set", "-s", "other")
    assert (unknown.returncode, "Subscription 'other' not found." in unknown.stderr) == (1, True)
    token = json.loads(world.az("account", "get-access-token", "--resource", "https://management.azure.com/").stdout)
    assert (token["accessToken"], token["tokenType"], token["subscription"]) == ("t0ken", "Bearer", SUBSCRIPTION)
    assert world.az("logout").returncode == 0
    assert world.az("account", "show").stderr == "ERROR: Please run 'az login' to setup account.\n"
    assert world.az("logout").returncode == 1


def test_versions_and_extensions(outside: World) -> None:
    versions = json.loads(outside.az("version").stdout)
    assert versions["extensions"]["connectedk8s"] == "1.11.2"
    assert versions["extensions"]["arcgateway"].startswith("1.0.")
    assert outside.az("--version").stdout.startswith(f"{'azure-cli':25}{versions['azure-cli']:>15}\n")
    assert outside.az("extension", "add", "--name", "arcgateway", "--yes").returncode == 0
    assert outside.az("extension", "add", "--name", "ssh").returncode == 1
    names = outside.az("extension", "list", "--query", "[].name", "-o", "tsv").stdout.split()
    assert names == ["arcgateway", "connectedk8s"]
    assert outside.calls == []


def test_trust_comes_from_the_bundle_alone(outside: World, tmp_path: Path) -> None:
    broken: tuple[tuple[dict[str, Any], str], ...] = (
        ({"REQUESTS_CA_BUNDLE": ""}, "Certificate verification failed for login.microsoftonline.com"),
        ({"REQUESTS_CA_BUNDLE": str(tmp_path / "none.pem")}, "none.pem (REQUESTS_CA_BUNDLE) can't be read"),
        (
            {"SANDBOX_PROXY_URL": "", "HTTPS_PROXY": "http://127.0.0.1:1"},
            "Failed to connect to login.microsoftonline.com",
        ),
    )
    for variables, told in broken:
        done = outside.az(*LOGIN, **variables)
        assert done.returncode == 1
        assert told in done.stderr
