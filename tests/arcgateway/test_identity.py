"""Who writes to Azure: one identity, with tokens that last."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from driver_world import World

from arcgateway import identity, login
from arcgateway.errors import Failure

CLIENT, TENANT, OTHER = "app-1", "tenant-1", "app-2"
PIPELINE = {
    "ARM_USE_OIDC": "true",
    "ARM_CLIENT_ID": CLIENT,
    "ARM_TENANT_ID": TENANT,
    "ARM_SUBSCRIPTION_ID": "subscription-1",
}


def jwt(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


def az(client: str | None) -> Callable[[str], Mapping[str, Any]]:
    def token(_audience: str) -> Mapping[str, Any]:
        if client is None:
            raise Failure("az is not logged in", "run `az login`")
        return {"accessToken": jwt(appid=client, tid=TENANT)}

    return token


def wrong(env: Mapping[str, str], client: str | None, seconds: float = 3600) -> str:
    found = identity.parties(env, az(client))
    return "\n".join(map(str, identity.findings(found, env, seconds)))


TOKEN = {"ARM_OIDC_TOKEN": jwt(exp=time.time() + 7200)}


@pytest.mark.parametrize(
    ("env", "client", "words"),
    [
        (PIPELINE | TOKEN, CLIENT, ""),
        (PIPELINE | TOKEN, None, ""),
        (PIPELINE | TOKEN, OTHER, f"az by its own login as {OTHER}"),
        # azure-native goes by ARM_USE_OIDC alone, the driver by what there is.
        (PIPELINE | TOKEN | {"ARM_USE_OIDC": ""}, OTHER, f"azure-native by the login of az as {OTHER}"),
        # azure-native reads ARM_ variables alone.
        ({"AZURE_CLIENT_ID": CLIENT, "AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_SECRET": "s"}, OTHER, "not all that"),
        ({"ARM_CLIENT_ID": CLIENT, "ARM_TENANT_ID": TENANT, "ARM_CLIENT_SECRET": "s"}, CLIENT, ""),
        ({}, OTHER, ""),
        ({**PIPELINE, **TOKEN, "ARM_SUBSCRIPTION_ID": ""}, CLIENT, "ARM_SUBSCRIPTION_ID is not set"),
        (PIPELINE | {"ARM_OIDC_TOKEN": jwt(exp=0)}, CLIENT, "valid for 0 min"),
        (PIPELINE | {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}, CLIENT, ""),
    ],
    ids=[
        "one",
        "az by the driver",
        "another az",
        "without ARM_USE_OIDC",
        "AZURE variables alone",
        "a secret",
        "all by az",
        "no subscription",
        "an old token",
        "a token on request",
    ],
)
def test_who_writes(env: dict[str, str], client: str | None, words: str) -> None:
    said = wrong(env, client)
    assert words in said if words else said == ""


def test_a_token_has_to_outlast_the_run() -> None:
    assert wrong(PIPELINE | TOKEN, CLIENT, 3600) == ""
    assert "keeps one fresh" in wrong(PIPELINE | TOKEN, CLIENT, 4 * 3600)


def test_nobody_at_all_is_a_failure() -> None:
    with pytest.raises(Failure, match="not logged in"):
        identity.parties({}, az(None))


def test_azure_pipelines_give_a_token_that_is_kept_fresh(scene: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service is asked as Azure DevOps wants it, by a POST; the file has what it gave last."""
    monkeypatch.setattr(identity, "RENEWED_EVERY", 0.05)
    given = iter(f"token-{number}" for number in range(1000))
    monkeypatch.setattr(login.TokenService, "token", lambda _self, _opened: next(given))
    env = {
        **PIPELINE,
        "SYSTEM_OIDCREQUESTURI": "https://dev.azure.example/oidctoken",
        "SYSTEM_ACCESSTOKEN": "job",
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "connection",
        "ARM_OIDC_TOKEN": "stale",
    }
    with identity.kept_fresh(env, print) as made:
        file = Path(made["ARM_OIDC_TOKEN_FILE_PATH"])
        assert "ARM_OIDC_TOKEN" not in made and file.stat().st_mode & 0o077 == 0
        first = file.read_text()
        limit = time.monotonic() + 10
        while file.read_text() == first and time.monotonic() < limit:
            time.sleep(0.01)
        assert file.read_text() != first
    assert not file.exists()


def test_a_token_that_was_given_is_there_as_a_file_too() -> None:
    """For the state's backend, which knows files alone; azure-native and the driver keep to what was given."""
    with identity.kept_fresh(PIPELINE | TOKEN, print) as made:
        assert Path(made["AZURE_FEDERATED_TOKEN_FILE"]).read_text() == TOKEN["ARM_OIDC_TOKEN"]
        assert (made["AZURE_CLIENT_ID"], made["AZURE_TENANT_ID"]) == (CLIENT, TENANT)
        assert made["ARM_OIDC_TOKEN"] == TOKEN["ARM_OIDC_TOKEN"] and "ARM_OIDC_TOKEN_FILE_PATH" not in made


def test_elsewhere_the_environment_stays_as_it_is(tmp_path: Path) -> None:
    secret = {"ARM_CLIENT_ID": CLIENT, "ARM_TENANT_ID": TENANT, "ARM_CLIENT_SECRET": "s"}
    for env in ({}, secret, {**PIPELINE, "ARM_OIDC_TOKEN_FILE_PATH": str(tmp_path / "token")}):
        with identity.kept_fresh(env, print) as made:
            assert made == env


def test_the_command_is_run_and_its_status_given() -> None:
    assert identity.run([sys.executable, "-c", "raise SystemExit(3)"], {}) == 3
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert identity.run([sys.executable, "-c", kill], {}) == 128 + signal.SIGTERM
    with pytest.raises(Failure, match="cannot be started"):
        identity.run(["/nowhere/program"], {})


def test_the_command_says_what_is_wrong(scene: World) -> None:
    env = {"PATH": "/nowhere", "HOME": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-m", "arcgateway", "identity"], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and "az) is not on PATH" in done.stderr
