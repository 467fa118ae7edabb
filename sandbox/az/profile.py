"""Who is logged in: what AZURE_CONFIG_DIR (default ~/.azure) holds between commands.

The files have the real client's names and are readable by their owner alone; secret and tokens have files of their own.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sandbox.az.errors import AzError, HttpError
from sandbox.az.transport import Transport

LOGIN = "https://login.microsoftonline.com"
MANAGEMENT = "https://management.core.windows.net/"
GRAPH = "https://graph.microsoft.com/"

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NOT_LOGGED_IN = "Please run 'az login' to setup account."

#: With a byte order mark, as the real client writes its files.
_ENCODING = "utf-8-sig"

#: A token with less left than this is not used again (MSAL's margin).
_MARGIN = 300

#: MSAL tries once more.
_RETRIES = 1

Account = dict[str, Any]


class Profile:
    """Accounts, the service principal's secret, and tokens."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._folder = Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")

    @property
    def folder(self) -> Path:
        """The configuration folder."""
        return self._folder

    def accounts(self) -> list[Account]:
        """All subscriptions that a login found."""
        found: list[Account] = self._read("azureProfile.json", {}).get("subscriptions", [])
        return found

    def account(self, wanted: str | None = None) -> Account:
        """A subscription by id or name, else the default one.

        Raises:
            AzError: nobody is logged in, or there is no such subscription.
        """
        accounts = self.accounts()
        if not accounts:
            raise AzError(NOT_LOGGED_IN)
        for account in accounts:
            if wanted.lower() in (account["id"].lower(), account["name"].lower()) if wanted else account["isDefault"]:
                return account
        if wanted:
            raise AzError(f"Subscription '{wanted}' not found. Check the spelling and casing and try again.")
        raise AzError("No subscription found. Run 'az account set' to select a subscription.")

    def login(self, client_id: str, secret: str, tenant: str, *, federated: bool = False) -> None:
        """Remember a service principal, once the login service has given it a token.

        The calls before the token are those of MSAL, which looks up the authority first.
        """
        authority = f"{LOGIN}/{tenant}/oauth2/v2.0/authorize"
        instance = urlencode({"api-version": "1.1", "authorization_endpoint": authority})
        for url in (
            f"{LOGIN}/common/discovery/instance?{instance}",
            f"{LOGIN}/{tenant}/v2.0/.well-known/openid-configuration",
        ):
            answer = self._transport.request("GET", url, retries=_RETRIES)
            if answer.status != 200:
                raise AzError(
                    _login_error(answer.body) or f"Unable to get authority configuration for {LOGIN}/{tenant}."
                )
        credential = {"client_assertion" if federated else "client_secret": secret}
        principal = {"client_id": client_id, "tenant": tenant, **credential}
        token, expires = self._ask(principal, MANAGEMENT)
        others = [one for one in self._principals() if (one["client_id"], one["tenant"]) != (client_id, tenant)]
        self._write("service_principal_entries.json", [*others, principal])
        self._write("msal_token_cache.json", {_key(principal, MANAGEMENT): [token, expires]})

    def keep(self, accounts: list[Account]) -> None:
        """Store the subscriptions of a login, or a change of the default one."""
        installation = self._read("azureProfile.json", {}).get("installationId") or str(uuid.uuid1())
        self._write("azureProfile.json", {"installationId": installation, "subscriptions": accounts})

    def logout(self) -> None:
        """Forget accounts, secrets and tokens."""
        for name in ("azureProfile.json", "service_principal_entries.json", "msal_token_cache.json"):
            (self._folder / name).unlink(missing_ok=True)

    def token(self, account: Account, resource: str = MANAGEMENT) -> tuple[str, int]:
        """An access token for a resource and when it expires (seconds since 1970), from the cache or anew."""
        for principal in self._principals():
            if principal["client_id"] == account["user"]["name"] and principal["tenant"] == account["tenantId"]:
                break
        else:
            raise AzError(NOT_LOGGED_IN)
        cache = self._read("msal_token_cache.json", {})
        token, expires = cache.get(_key(principal, resource), ("", 0))
        if expires - time.time() < _MARGIN:
            token, expires = self._ask(principal, resource)
            cache[_key(principal, resource)] = [token, expires]
            self._write("msal_token_cache.json", cache)
        return token, expires

    def _ask(self, principal: dict[str, str], resource: str) -> tuple[str, int]:
        form = {
            "grant_type": "client_credentials",
            "client_id": principal["client_id"],
            "scope": f"{resource}/.default",
        }
        if "client_secret" in principal:
            form["client_secret"] = principal["client_secret"]
        else:
            # As it was at the login: the real client, too, keeps it, and can do nothing once it has expired.
            form |= {"client_assertion_type": _ASSERTION, "client_assertion": principal["client_assertion"]}
        answer = self._transport.request(
            "POST",
            f"{LOGIN}/{principal['tenant']}/oauth2/v2.0/token",
            {"Content-Type": "application/x-www-form-urlencoded"},
            urlencode(form).encode(),
            _RETRIES,
        )
        if answer.status != 200:
            raise AzError(_login_error(answer.body) or HttpError(answer.status, answer.reason, answer.body).message)
        given = json.loads(answer.body)
        return str(given["access_token"]), int(time.time()) + int(given["expires_in"])

    def _principals(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self._read("service_principal_entries.json", [])
        return found

    def _read(self, name: str, default: Any) -> Any:
        try:
            return json.loads((self._folder / name).read_text(_ENCODING))
        except FileNotFoundError:
            return default
        except ValueError as problem:
            raise AzError(f"{self._folder / name} is no JSON: {problem}. Run 'az logout' and 'az login'.") from problem

    def _write(self, name: str, value: Any) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        aside = self._folder / f".{name}.{os.getpid()}"
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding=_ENCODING) as file:
            json.dump(value, file)
        aside.replace(self._folder / name)


def _key(principal: dict[str, str], resource: str) -> str:
    return f"{principal['client_id']} {principal['tenant']} {resource}"


def _login_error(body: bytes) -> str:
    try:
        return str(json.loads(body)["error_description"])
    except (ValueError, KeyError, TypeError):
        return ""
