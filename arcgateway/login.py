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

from arcgateway.errors import Failure

if TYPE_CHECKING:
    from requests import Session

#: Of the public cloud: the one login service that can tell which others there are.
PUBLIC_AUTHORITY = "https://login.microsoftonline.com"

#: Errors of OAuth (RFC 6749, 4.1.2.1) that are none of the caller's; msal raises for answers of 500 and above.
_PASSING = ("server_error", "temporarily_unavailable")

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
        """The token of the pipeline's own identity: given, in a file, or asked for as GitHub's runners serve it."""
        if given := self._env.get("ARM_OIDC_TOKEN"):
            return given
        if path := _token_file(self._env):
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise Failure(
                    f"the pipeline's token in {path} cannot be read ({error})",
                    "mend AZURE_FEDERATED_TOKEN_FILE or ARM_OIDC_TOKEN_FILE_PATH, which name it",
                ) from None
        return self._ask_pipeline(*_token_request(self._env))

    def _ask_pipeline(self, url: str, bearer: str) -> str:
        from requests import RequestException

        from arcgateway import https

        try:
            with self._open_session(url) as session:
                answer = session.get(
                    url,
                    params={"audience": "api://AzureADTokenExchange"},
                    headers={"Authorization": f"Bearer {bearer}"},
                )
                answer.raise_for_status()
        except RequestException as error:
            raise https.unreachable(url, error) from error
        try:
            return str(answer.json()["value"])
        except (ValueError, KeyError, TypeError):
            raise Failure(
                "the pipeline's token service (ARM_OIDC_REQUEST_URL, ACTIONS_ID_TOKEN_REQUEST_URL) gave no token",
                "allow the job to ask for one (on GitHub: `permissions: id-token: write`)",
            ) from None


def _refused(detail: str, *, passes: bool = False) -> Failure:
    cause = f"no token for Azure ({' '.join(detail.split())[:200]})"
    if passes:
        return Failure(cause, "the login service has an outage: run again later", transient=True)
    return Failure(cause, "run `az login`, or check ARM_TENANT_ID, ARM_CLIENT_ID and ARM_CLIENT_SECRET")


def _has_credential(env: Mapping[str, str]) -> bool:
    return bool(
        _setting(env, "CLIENT_SECRET") or env.get("ARM_OIDC_TOKEN") or _token_file(env) or _token_request(env)[0]
    )


def _token_file(env: Mapping[str, str]) -> str:
    return env.get("AZURE_FEDERATED_TOKEN_FILE") or env.get("ARM_OIDC_TOKEN_FILE_PATH") or ""


def _token_request(env: Mapping[str, str]) -> tuple[str, str]:
    return (
        env.get("ARM_OIDC_REQUEST_URL") or env.get("ACTIONS_ID_TOKEN_REQUEST_URL") or "",
        env.get("ARM_OIDC_REQUEST_TOKEN") or env.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN") or "",
    )


def _setting(env: Mapping[str, str], name: str) -> str:
    return env.get(f"ARM_{name}") or env.get(f"AZURE_{name}") or ""
