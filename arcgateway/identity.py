"""Who writes to Azure: azure-native, the driver and `az` each look for a login of their own, and all have to find one.

A pipeline whose `az` is somebody else than its azure-native passes every check of one and fails, or does too much, as
the other. So this is looked at before the first write, and with real tokens, not by what is configured alone.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from arcgateway import arm, login, workspace
from arcgateway.az_failures import NOT_LOGGED_IN
from arcgateway.errors import Failure
from arcgateway.proxy import ProxySettings

#: Seconds between two renewals of a token's file; the shortest-lived ones (GitHub, Azure Pipelines) last 5 to 10 min.
RENEWED_EVERY = 120.0

#: What azure-native takes for true.
_TRUE = ("true", "1")


@dataclass(frozen=True)
class Party:
    """One of those who write.

    Attributes:
        name: who.
        way: how it logs in, in words.
        client, tenant: as whom; empty where that is not known.
        until: when the token that it would log in with anew expires (seconds since 1970); None where it is renewed,
            or needs no renewal.
    """

    name: str
    way: str
    client: str
    tenant: str
    until: float | None = None

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "name": self.name,
            "way": self.way,
            "clientId": self.client or None,
            "tenantId": self.tenant or None,
            "validUntil": self.until,
        }


def azure_native(env: Mapping[str, str]) -> tuple[str, str]:
    """How the plugin logs in with this environment, in its own order, and the application id; empty for that of `az`.

    Its order is that of pulumi-azure-native 3 (provider/pkg/provider/auth_azidentity.go): certificate, secret, OIDC,
    managed identity, `az`. It reads ARM_ variables alone.
    """
    client = env.get("ARM_CLIENT_ID", "")
    if env.get("ARM_CLIENT_CERTIFICATE_PATH"):
        return "a certificate", client
    if env.get("ARM_CLIENT_SECRET"):
        return "a secret", client
    if env.get("ARM_USE_OIDC", "").lower() in _TRUE:
        return "a pipeline's token", client
    if env.get("ARM_USE_MSI", "").lower() in _TRUE:
        return "a managed identity", client
    return "az", ""


def parties(env: Mapping[str, str], cli_token: Callable[[str], Mapping[str, Any]]) -> list[Party]:
    """All who write, each as it would log in now.

    Args:
        env: the environment that all of them run in.
        cli_token: gives the answer of `az account get-access-token` for an audience.

    Raises:
        Failure: one of them cannot log in.
    """
    way, client = azure_native(env)
    tenant = env.get("ARM_TENANT_ID", "")
    az = _of_az(env, cli_token)
    driver = _of_driver(env, az)
    plugin = (
        Party("azure-native", f"the login of {way}", az.client, az.tenant)
        if way == "az"
        else Party("azure-native", way, client, tenant, _until(env) if way == "a pipeline's token" else None)
    )
    return [plugin, driver, az]


def without_credential(env: Mapping[str, str]) -> dict[str, str]:
    """An environment in which `az` is what it is by itself: the driver would log it in with the credential."""
    return {name: value for name, value in env.items() if name not in login.CREDENTIAL}


def findings(found: Sequence[Party], env: Mapping[str, str], longest: float) -> list[Failure]:
    """What is wrong with who writes.

    Args:
        found: all who write.
        env: their environment.
        longest: seconds that the run may take.
    """
    made: list[Failure] = []
    now = time.time()
    if len({(one.client.lower(), one.tenant.lower()) for one in found}) > 1:
        who = "; ".join(f"{one.name} by {one.way} as {one.client or 'nobody'} of {one.tenant or '?'}" for one in found)
        made.append(
            Failure(
                f"not all that write to Azure are one identity: {who}",
                "log `az` out where the environment has a credential (the driver logs it in for each call), or have "
                "ARM_CLIENT_ID, ARM_TENANT_ID and ARM_USE_OIDC name the one that `az` is",
            )
        )
    if env.get("ARM_USE_OIDC", "").lower() in _TRUE and not env.get("ARM_SUBSCRIPTION_ID"):
        made.append(Failure("ARM_SUBSCRIPTION_ID is not set, which azure-native asks for with OIDC", "set it"))
    for one in found:
        if one.until is not None and one.until < now + longest:
            left = max(0, round((one.until - now) / 60))
            made.append(
                Failure(
                    f"the token that {one.name} logs in with is valid for {left} min, and the run may take "
                    f"{longest / 3600:.0f} h",
                    "have the pipeline give a longer one (GitLab: the job's `timeout`), or run the command behind "
                    "`arcgateway identity --`, which keeps one fresh",
                )
            )
    return made


@contextmanager
def kept_fresh(env: Mapping[str, str], tell: Callable[[str], None]) -> Iterator[dict[str, str]]:
    """The environment for a command that may run for hours, where a pipeline's token is what it logs in with.

    A file with that token is kept beside the command, for those that can neither be given one nor ask for one: the
    state's backend and its key vault (AZURE_FEDERATED_TOKEN_FILE); and azure-native on Azure Pipelines, which reads it
    when it starts, as each stack's update has it do. Elsewhere nothing is added.
    """
    given = [name for name in ("ARM_CLIENT_SECRET", "AZURE_CLIENT_SECRET", *login.TOKEN_FILES) if env.get(name)]
    if given or not login.principal(env):
        yield dict(env)
        return
    service, opened = login.token_service(env), partial(arm.session, ProxySettings(), env)
    asked = service.url if service.asks_by_post or not env.get("ARM_OIDC_TOKEN") else ""
    ended = threading.Event()
    with workspace.folder() as folder:
        file = folder / "token"
        _put(file, service.token(opened) if asked else env["ARM_OIDC_TOKEN"])

        def renew() -> None:
            while not ended.wait(RENEWED_EVERY):
                try:
                    _put(file, service.token(opened))
                except Failure as failure:
                    tell(f"the pipeline's token was not renewed, and is tried again: {failure}")

        thread = threading.Thread(target=renew, name="token", daemon=True)
        made = {**env, "AZURE_FEDERATED_TOKEN_FILE": str(file)}
        made |= {"AZURE_CLIENT_ID": login.principal(env), "AZURE_TENANT_ID": _tenant(env)}
        if service.asks_by_post:
            made.pop("ARM_OIDC_TOKEN", None)
            made["ARM_OIDC_TOKEN_FILE_PATH"] = str(file)
        if asked:
            thread.start()
        try:
            yield made
        finally:
            ended.set()
            if asked:
                thread.join()


def run(command: Sequence[str], env: Mapping[str, str]) -> int:
    """Run a command to its end in an environment, and give its status; 128 and the signal's number where one ended it.

    Raises:
        Failure: it cannot be started.
    """
    try:
        process = subprocess.Popen(command, env=dict(env))
    except OSError as error:
        raise Failure(f"{command[0]} cannot be started ({error.strerror})", "name a command that can") from None
    while True:
        try:
            status = process.wait()
            return status if status >= 0 else 128 - status
        except KeyboardInterrupt:
            # The terminal has interrupted both: the command ends in its own way, and is waited for.
            continue


def _put(file: Path, text: str) -> None:
    aside = file.with_name(".token")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    aside.replace(file)


def _of_az(env: Mapping[str, str], cli_token: Callable[[str], Mapping[str, Any]]) -> Party:
    try:
        claims = _claims(str(cli_token(arm.PUBLIC_CLOUD.audience)["accessToken"]))
    except Failure as failure:
        client = login.principal(env)
        if NOT_LOGGED_IN not in failure.cause or not client:
            raise
        return Party("az", "the driver's login, for each call", client, _tenant(env), _until(env))
    client = str(claims.get("appid") or claims.get("upn") or claims.get("oid") or "")
    return Party("az", "its own login", client, str(claims.get("tid") or ""))


def _of_driver(env: Mapping[str, str], az: Party) -> Party:
    client = login.principal(env)
    if not client:
        return Party("the driver", "the login of az", az.client, az.tenant)
    secret = env.get("ARM_CLIENT_SECRET") or env.get("AZURE_CLIENT_SECRET")
    return Party("the driver", "a secret" if secret else "a pipeline's token", client, _tenant(env), _until(env))


def _tenant(env: Mapping[str, str]) -> str:
    return env.get("ARM_TENANT_ID") or env.get("AZURE_TENANT_ID") or ""


def _until(env: Mapping[str, str]) -> float | None:
    """When a token that stands in the environment expires; None for one that is renewed, or none."""
    if env.get("ARM_CLIENT_SECRET") or env.get("AZURE_CLIENT_SECRET") or not env.get("ARM_OIDC_TOKEN"):
        return None
    expires = _claims(env["ARM_OIDC_TOKEN"]).get("exp")
    return float(expires) if isinstance(expires, int | float) else None


def _claims(token: str) -> dict[str, Any]:
    """What a token says of itself; nothing for one that is no JWT. It is Azure that checks it."""
    try:
        body = token.split(".")[1]
        return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))
    except (ValueError, LookupError, TypeError):
        return {}
