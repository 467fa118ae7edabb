"""Tokens for Azure: of a service principal, of a pipeline's own identity, or of the person logged in to `az`.

msal is imported where a token is asked for, as that takes a tenth of a second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from arcgateway.errors import Failure

if TYPE_CHECKING:
    from requests import Session

#: What names a file with a pipeline's token, the first that is set.
TOKEN_FILES = ("AZURE_FEDERATED_TOKEN_FILE", "ARM_OIDC_TOKEN_FILE_PATH")

#: What holds a credential in an environment; without all of these, a login is that of `az`.
CREDENTIAL = frozenset(
    (
        *(f"{prefix}_{name}" for prefix in ("ARM", "AZURE") for name in ("CLIENT_ID", "TENANT_ID", "CLIENT_SECRET")),
        "ARM_OIDC_TOKEN",
        *TOKEN_FILES,
    )
)

#: Of the public cloud: the one login service that can tell which others there are.
PUBLIC_AUTHORITY = "https://login.microsoftonline.com"

#: Errors of OAuth (RFC 6749, 4.1.2.1) that are none of the caller's; msal raises for answers of 500 and above.
_PASSING = ("server_error", "temporarily_unavailable")

#: What a pipeline's token has to be for, that Entra ID takes it as a login.
AUDIENCE = "api://AzureADTokenExchange"

#: Seconds before its end at which a token is no longer used.
_MARGIN = 300


def principal(env: Mapping[str, str]) -> str:
    """The application id of the service principal whose credential an environment holds; empty where it holds none."""
    return _setting(env, "CLIENT_ID") if _setting(env, "TENANT_ID") and _has_credential(env) else ""


@dataclass(frozen=True)
class _Token:
    text: str = field(repr=False)
    expires: float


class Login:
    """One caller's tokens for one audience; may be used from several threads.

    Args:
        env: where a credential (ARM_* or AZURE_*) is read.
        authority: URL of the login service, without the tenant.
        audience: what the tokens are for.
        open_session: gives the way to a URL.
        cli_token: gives the answer of `az account get-access-token` for an audience; used where `env` holds no
            credential.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        authority: str,
        audience: str,
        open_session: Callable[[str], Session],
        cli_token: Callable[[str], Mapping[str, Any]],
    ) -> None:
        self._env = env
        self._authority = authority
        self._audience = audience.rstrip("/")
        self._open_session = open_session
        self._cli_token = cli_token
        self._lock = threading.Lock()
        self._token: _Token | None = None

    def token(self) -> str:
        """A token that holds for some minutes.

        Raises:
            Failure: the login service cannot be reached, or gives none.
        """
        with self._lock:
            if self._token is None or self._token.expires - _MARGIN < time.time():
                self._token = self._of_principal() if principal(self._env) else self._of_az()
            return self._token.text

    def forget(self, token: str) -> None:
        """Not to use a token again, as Azure takes it no more."""
        with self._lock:
            if self._token is not None and self._token.text == token:
                self._token = None

    def _of_az(self) -> _Token:
        answer = self._cli_token(self._audience)
        return _Token(answer["accessToken"], float(answer.get("expires_on") or 0))

    def _of_principal(self) -> _Token:
        import msal
        from requests import RequestException

        from arcgateway import https

        secret = _setting(self._env, "CLIENT_SECRET")
        try:
            application = msal.ConfidentialClientApplication(
                principal(self._env),
                secret or {"client_assertion": self._assertion},
                authority=f"{self._authority}/{_setting(self._env, 'TENANT_ID')}",
                instance_discovery=None if self._authority == PUBLIC_AUTHORITY else False,
                http_client=self._open_session(self._authority),
            )
            answer = application.acquire_token_for_client([f"{self._audience}/.default"])
        except msal.exceptions.MsalServiceError as error:
            raise _refused(str(error), passes=True) from error
        except RequestException as error:
            raise https.unreachable(self._authority, error) from error
        except ValueError as error:
            raise _refused(str(error)) from error
        if "access_token" not in answer:
            detail = str(answer.get("error_description") or answer.get("error"))
            raise _refused(detail, passes=answer.get("error") in _PASSING)
        return _Token(answer["access_token"], time.time() + float(answer["expires_in"]))

    def _assertion(self) -> str:
        return federated_token(self._env, self._open_session)


@dataclass(frozen=True)
class TokenService:
    """What gives a pipeline's job the token of its own identity, as often as it asks.

    Attributes:
        url: whom to ask; empty where the environment names nobody.
        bearer: by what the job is known there.
        method, parameters, answer: how that is asked for, and where in the answer the token is.
        mend: what a job lacks that gets none.
    """

    url: str
    bearer: str = field(repr=False)
    method: str
    parameters: Mapping[str, str]
    answer: str
    mend: str

    @property
    def asks_by_post(self) -> bool:
        """Whether it is one that azure-native cannot ask: it knows GitHub's way alone."""
        return bool(self.url) and self.method == "POST"

    def token(self, open_session: Callable[[str], Session]) -> str:
        """A token, made for this request.

        Raises:
            Failure: the service cannot be reached, or gives none.
        """
        from requests import RequestException

        from arcgateway import https

        try:
            with open_session(self.url) as session:
                answer = session.request(
                    self.method,
                    self.url,
                    params=dict(self.parameters),
                    headers={"Authorization": f"Bearer {self.bearer}"},
                    allow_redirects=False,
                )
                answer.raise_for_status()
        except RequestException as error:
            raise https.unreachable(self.url, error) from error
        try:
            return str(answer.json()[self.answer])
        except (ValueError, KeyError, TypeError):
            raise Failure(f"the pipeline's token service ({_host(self.url)}) gave no token", self.mend) from None


def token_service(env: Mapping[str, str]) -> TokenService:
    """The service that an environment names: GitHub's, or that of Azure Pipelines."""
    github = env.get("ARM_OIDC_REQUEST_URL") or env.get("ACTIONS_ID_TOKEN_REQUEST_URL") or ""
    connection = env.get("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID") or ""
    if not github and connection and (azure := env.get("SYSTEM_OIDCREQUESTURI")):
        return TokenService(
            azure,
            env.get("SYSTEM_ACCESSTOKEN") or "",
            "POST",
            {"api-version": "7.1", "serviceConnectionId": connection},
            "oidcToken",
            "give the step `SYSTEM_ACCESSTOKEN: $(System.AccessToken)`, and the service connection workload identity",
        )
    return TokenService(
        github,
        env.get("ARM_OIDC_REQUEST_TOKEN") or env.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN") or "",
        "GET",
        {"audience": AUDIENCE},
        "value",
        "allow the job to ask for one (on GitHub: `permissions: id-token: write`)",
    )


def federated_token(env: Mapping[str, str], open_session: Callable[[str], Session]) -> str:
    """The token of a pipeline's own identity: given, in a file, or asked for.

    Raises:
        Failure: the file cannot be read, or the pipeline's service gives none.
    """
    if given := env.get("ARM_OIDC_TOKEN"):
        return given
    if path := _token_file(env):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(
                f"the pipeline's token in {path} cannot be read ({error})",
                "mend AZURE_FEDERATED_TOKEN_FILE or ARM_OIDC_TOKEN_FILE_PATH, which name it",
            ) from None
    return token_service(env).token(open_session)


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def _refused(detail: str, *, passes: bool = False) -> Failure:
    cause = f"no token for Azure ({' '.join(detail.split())[:200]})"
    if passes:
        return Failure(cause, "the login service has an outage: run again later", transient=True)
    return Failure(cause, "run `az login`, or check ARM_TENANT_ID, ARM_CLIENT_ID and ARM_CLIENT_SECRET")


def _has_credential(env: Mapping[str, str]) -> bool:
    return bool(
        _setting(env, "CLIENT_SECRET") or env.get("ARM_OIDC_TOKEN") or _token_file(env) or token_service(env).url
    )


def _token_file(env: Mapping[str, str]) -> str:
    return next((path for name in TOKEN_FILES if (path := env.get(name))), "")


def _setting(env: Mapping[str, str], name: str) -> str:
    return env.get(f"ARM_{name}") or env.get(f"AZURE_{name}") or ""
