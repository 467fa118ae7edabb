"""What no client of today asks for, or none that can be had: asked for over plain HTTP."""

from __future__ import annotations

from datetime import datetime

from local_azure import LocalAzure


def test_the_older_login_is_described_and_its_keys_are_listed(azure: LocalAzure) -> None:
    tenant, host = azure.identity.tenant_id, {"Host": "login.microsoftonline.com"}
    for version, issuer in (
        ("", f"https://sts.windows.net/{tenant}/"),
        ("/v2.0", f"https://login.microsoftonline.com/{tenant}/v2.0"),
    ):
        path = f"/{tenant}{version}/.well-known/openid-configuration"
        found = azure.call("GET", path, headers=host).json()
        root = f"https://login.microsoftonline.com/{tenant}"
        assert found["issuer"] == issuer and found["token_endpoint"] == f"{root}/oauth2{version}/token"
        assert found["jwks_uri"] == f"{root}/discovery{version}/keys"
        keys = azure.call("GET", f"/{tenant}/discovery{version}/keys", headers=host)
        assert (keys.status_code, keys.json()) == (200, {"keys": []})


def test_the_registry_says_which_protocol_it_speaks(azure: LocalAzure) -> None:
    answer = azure.call("GET", "/v2/", headers={"Host": "mcr.microsoft.com"})
    assert answer.status_code == 200 and answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


def test_the_controls_show_what_they_set(azure: LocalAzure) -> None:
    def now() -> datetime:
        return datetime.fromisoformat(azure.call("GET", "/sandbox/clock").json()["now"])

    before = now()
    azure.advance(3600)
    assert (now() - before).total_seconds() >= 3600
    azure.durations(gateway=7)
    shown = azure.call("GET", "/sandbox/durations").json()
    assert shown["microsoft.hybridcompute/gateways:create"] == shown["microsoft.hybridcompute/gateways:delete"] == 7
