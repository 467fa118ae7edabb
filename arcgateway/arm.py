"""Reads, and in a few places writes, Azure Resource Manager: one request where `az` would cost a second of CPU.

azure-core and azure-identity are imported where they are first used, as that takes a quarter of a second.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from arcgateway.errors import Failure, ProxyRefusal
from arcgateway.proxy import ProxySettings

if TYPE_CHECKING:
    from azure.core import PipelineClient
    from azure.core.credentials import AccessToken, TokenCredential
    from azure.core.exceptions import ClientAuthenticationError
    from azure.core.rest import HttpRequest, HttpResponse

CLUSTERS = "2025-08-01-preview"
SETTINGS = "2025-02-19-preview"
GATEWAYS = "2024-07-31-preview"

#: Azure's code for a login of one tenant and a subscription of another.
WRONG_TENANT = "InvalidAuthenticationTokenTenant"
#: Azure's code for a token whose time is over.
EXPIRED_TOKEN = "ExpiredAuthenticationToken"  # noqa: S105

_METADATA_VERSION = "2022-09-01"
_SECONDS = 60
_STATUS = re.compile(r"HTTP Error: (\d{3})")


class Refused(Failure):
    """Azure has understood a request and does not do it.

    Attributes:
        resource_id: what the request was about.
        status: of HTTP.
        code: Azure's own code of the error, for example `AuthorizationFailed`; empty where it gave none.
    """

    def __init__(self, cause: str, mend: str, resource_id: str, status: int, code: str, **more: Any) -> None:
        super().__init__(cause, mend, **more)
        self.resource_id = resource_id
        self.status = status
        self.code = code

    @property
    def forbidden(self) -> bool:
        """Whether the caller lacks a right, and nothing else."""
        return self.status == 403

    @property
    def foreign(self) -> bool:
        """Whether the subscription belongs to another tenant than the caller's login."""
        return self.code == WRONG_TENANT


@dataclass(frozen=True)
class Cloud:
    """Where a cloud's Azure is.

    Attributes:
        name: as its metadata has it, for example `AzureCloud`.
        resource_manager: URL without a slash at its end.
        authority: URL of the login service, without the tenant.
        audience: what tokens for the Resource Manager are made for.
    """

    name: str
    resource_manager: str
    authority: str
    audience: str

    @property
    def public(self) -> bool:
        """Whether it is the public cloud, the only one with Arc gateways."""
        return self.name not in ("AzureUSGovernment", "AzureChinaCloud", "AzureGermanCloud")


PUBLIC_CLOUD = Cloud(
    "AzureCloud", "https://management.azure.com", "https://login.microsoftonline.com", "https://management.azure.com"
)


class Arm:
    """Azure Resource Manager for one caller; may be used from several threads.

    Args:
        traffic: through which proxies.
        env: where the cloud (ARM_METADATA_HOSTNAME), the credential (ARM_* or AZURE_*) and the trusted roots
            (REQUESTS_CA_BUNDLE, SSL_CERT_FILE) are read.
        cli_token: gives the answer of `az account get-access-token` for an audience; used where `env` holds no
            credential.
    """

    def __init__(
        self, traffic: ProxySettings, env: Mapping[str, str], cli_token: Callable[[str], Mapping[str, Any]]
    ) -> None:
        self._traffic = traffic
        self._env = env
        self._cli_token = cli_token
        self._lock = threading.Lock()
        self._opened: tuple[Cloud, PipelineClient[HttpRequest, HttpResponse]] | None = None

    @property
    def cloud(self) -> Cloud:
        """The cloud; its metadata is read once.

        Raises:
            Failure: the metadata service does not answer as one.
        """
        return self._open()[0]

    @property
    def caller(self) -> str:
        """The application id of the service principal that calls; empty where it is the login of `az`."""
        principal = self._setting("TENANT_ID") and (self._setting("CLIENT_SECRET") or self._federated())
        return self._setting("CLIENT_ID") if principal else ""

    def get(self, resource_id: str, api_version: str) -> dict[str, Any] | None:
        """A resource, or None where there is none.

        Raises:
            Failure: Azure cannot be reached, refuses, or answers with an error that lasts.
        """
        return self._send("GET", resource_id, api_version)

    def list(self, path: str, api_version: str) -> list[dict[str, Any]]:
        """All items of a collection, over all its pages.

        Raises:
            Failure: as `get` does; or there is no such collection, as its subscription or group is not there; or a
                page's `nextLink` leads to another host or round in a circle.
        """
        page = self._ask("GET", self._url(path), path, params={"api-version": api_version})
        items: list[dict[str, Any]] = list(page.get("value") or ())
        followed: set[str] = set()
        while link := str(page.get("nextLink") or ""):
            # The token goes along: a link to elsewhere must not be followed.
            if urlsplit(link).netloc != urlsplit(self.cloud.resource_manager).netloc or link in followed:
                raise Failure(
                    f"the list {path} goes on at {link[:200]}, which is no next page of {self.cloud.resource_manager}",
                    "check what answers for Azure Resource Manager here",
                )
            followed.add(link)
            page = self._ask("GET", link, path)
            items += page.get("value") or ()
        return items

    def put(self, resource_id: str, api_version: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Create or replace a resource. Raises `Failure` as `get` does."""
        return self._send("PUT", resource_id, api_version, body)

    def delete(self, resource_id: str, api_version: str) -> None:
        """Delete a resource; one that is not there is no error. Raises `Failure` as `get` does."""
        self._send("DELETE", resource_id, api_version)

    def _send(
        self, method: str, resource_id: str, api_version: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        url = self._url(resource_id)
        try:
            return self._ask(method, url, resource_id, params={"api-version": api_version}, json=body)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def _url(self, resource_id: str) -> str:
        return f"{self.cloud.resource_manager}{resource_id}"

    def _ask(self, method: str, url: str, resource_id: str, **content: Any) -> dict[str, Any]:
        from azure.core.exceptions import AzureError, ClientAuthenticationError
        from azure.core.rest import HttpRequest

        _, client = self._open()
        try:
            answer = client.send_request(HttpRequest(method, url, **content))
            if answer.status_code == 401 and _error(answer)[0] == EXPIRED_TOKEN:
                # Its time was not over, or a new one would have been got: it was revoked, or a clock is wrong.
                answer = self._log_in_again(client).send_request(HttpRequest(method, url, **content))
        except ClientAuthenticationError as error:
            raise _refused_login(error) from error
        except AzureError as error:
            raise _unreachable(url, error) from error
        if not 200 <= answer.status_code < 300:
            raise _refused(method, resource_id, answer)
        return dict(answer.json()) if answer.content else {}

    def _open(self) -> tuple[Cloud, PipelineClient[HttpRequest, HttpResponse]]:
        with self._lock:
            if self._opened is None:
                cloud = self._discover()
                self._opened = cloud, self._client(cloud.resource_manager, self._authentication(cloud))
            return self._opened

    def _log_in_again(
        self, used: PipelineClient[HttpRequest, HttpResponse]
    ) -> PipelineClient[HttpRequest, HttpResponse]:
        """A client with a token of its own, in place of the one that was used."""
        cloud, _ = self._open()
        with self._lock:
            assert self._opened is not None
            if self._opened[1] is used:
                self._opened = cloud, self._client(cloud.resource_manager, self._authentication(cloud))
            return self._opened[1]

    def _client(self, base: str, policies: Iterable[Any]) -> PipelineClient[HttpRequest, HttpResponse]:
        from azure.core import PipelineClient
        from azure.core.pipeline import policies as core

        from arcgateway import __version__

        return PipelineClient(
            base,
            policies=[
                core.UserAgentPolicy(base_user_agent=f"arc-gateway/{__version__}"),
                # Only a broken connection is tried again here. Azure's answers are for the caller, who has a deadline.
                core.RetryPolicy(retry_total=1, retry_status=0, retry_backoff_factor=0.5),
                *policies,
            ],
            transport=self._transport(base),
        )

    def _transport(self, base: str) -> Any:
        """A transport through the proxy that is right for this address, with the roots of the environment."""
        from azure.core.pipeline.transport import RequestsTransport

        from arcgateway import https

        bundle = self._env.get("REQUESTS_CA_BUNDLE") or self._env.get("SSL_CERT_FILE") or ""
        return RequestsTransport(
            session=https.session(bundle, self._proxies(base)),
            session_owner=True,
            use_env_settings=False,
            connection_timeout=20,
            read_timeout=_SECONDS,
        )

    def _proxies(self, url: str) -> Any:
        from requests.utils import get_environ_proxies

        parts = urlsplit(url)
        if not self._traffic:
            return get_environ_proxies(url) if parts.hostname not in ("localhost", "127.0.0.1", "::1") else {}
        proxy = self._traffic.route(parts.hostname or "", parts.port or 443)
        return {"https": proxy.url, "http": proxy.url} if proxy else {}

    def _discover(self) -> Cloud:
        host = self._env.get("ARM_METADATA_HOSTNAME") or self._env.get("ARM_METADATA_HOST")
        if not host:
            return PUBLIC_CLOUD
        from azure.core.exceptions import AzureError
        from azure.core.rest import HttpRequest

        url = f"https://{host}/metadata/endpoints"
        try:
            with self._client(f"https://{host}", ()) as client:
                answer = client.send_request(HttpRequest("GET", url, params={"api-version": _METADATA_VERSION}))
                answer.raise_for_status()
                return read_metadata(answer.json())
        except AzureError as error:
            raise _unreachable(url, error) from error
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise Failure(
                f"{host} (ARM_METADATA_HOSTNAME) does not answer as an Azure metadata service",
                "unset it for the public cloud, or name the right host",
            ) from error

    def _authentication(self, cloud: Cloud) -> Iterable[Any]:
        from azure.core.pipeline.policies import BearerTokenCredentialPolicy

        return [BearerTokenCredentialPolicy(self._credential(cloud), cloud.audience.rstrip("/") + "/.default")]

    def _credential(self, cloud: Cloud) -> TokenCredential:
        tenant, client, secret = (self._setting(name) for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"))
        options: dict[str, Any] = {
            "authority": cloud.authority,
            "transport": self._transport(cloud.authority),
            "disable_instance_discovery": cloud.authority != PUBLIC_CLOUD.authority,
        }
        if tenant and client and secret:
            from azure.identity import ClientSecretCredential

            return ClientSecretCredential(tenant, client, secret, **options)
        if tenant and client and self._federated():
            from azure.identity import ClientAssertionCredential

            return ClientAssertionCredential(tenant, client, self._assertion, **options)
        return _CliCredential(self._cli_token)

    def _federated(self) -> bool:
        return bool(self._token_file() or self._env.get("ARM_OIDC_TOKEN") or self._token_request()[0])

    def _assertion(self) -> str:
        """The token of the pipeline's own identity: given, in a file, or asked for as GitHub's runners serve it."""
        if self._env.get("ARM_OIDC_TOKEN"):
            return self._env["ARM_OIDC_TOKEN"]
        path = self._token_file()
        if path:
            return Path(path).read_text(encoding="utf-8").strip()
        from azure.core.rest import HttpRequest

        url, bearer = self._token_request()
        with self._client(url, ()) as client:
            request = HttpRequest(
                "GET",
                url,
                params={"audience": "api://AzureADTokenExchange"},
                headers={"Authorization": f"Bearer {bearer}"},
            )
            answer = client.send_request(request)
            answer.raise_for_status()
            return str(answer.json()["value"])

    def _token_file(self) -> str:
        return self._env.get("AZURE_FEDERATED_TOKEN_FILE") or self._env.get("ARM_OIDC_TOKEN_FILE_PATH") or ""

    def _token_request(self) -> tuple[str, str]:
        env = self._env
        return (
            env.get("ARM_OIDC_REQUEST_URL") or env.get("ACTIONS_ID_TOKEN_REQUEST_URL") or "",
            env.get("ARM_OIDC_REQUEST_TOKEN") or env.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN") or "",
        )

    def _setting(self, name: str) -> str:
        return self._env.get(f"ARM_{name}") or self._env.get(f"AZURE_{name}") or ""


class _CliCredential:
    """Tokens of the person who is logged in to `az`."""

    def __init__(self, cli_token: Callable[[str], Mapping[str, Any]]) -> None:
        self._cli_token = cli_token

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        from azure.core.credentials import AccessToken

        answer = self._cli_token(scopes[0].removesuffix("/.default"))
        return AccessToken(answer["accessToken"], int(answer.get("expires_on") or 0))


def read_metadata(document: Any) -> Cloud:
    """A cloud from its metadata document: one object, or a list of which the public cloud or the first counts.

    Raises:
        KeyError, TypeError, IndexError: the document is none.
    """
    if isinstance(document, list):
        document = next((entry for entry in document if entry.get("name") == "AzureCloud"), document[0])
    authentication = document["authentication"]
    manager = document["resourceManager"].rstrip("/")
    return Cloud(
        name=document.get("name", ""),
        resource_manager=manager,
        authority=authentication["loginEndpoint"].rstrip("/"),
        audience=(authentication.get("audiences") or [manager])[0],
    )


def _unreachable(url: str, error: Exception) -> Failure:
    host = urlsplit(url).hostname
    detail = " ".join(str(error).split())
    if "CERTIFICATE_VERIFY_FAILED" in detail:
        return Failure(
            f"the certificate that {host} presented is not trusted here",
            "put its root into the file of SSL_CERT_FILE; if a proxy re-signs TLS, have it exempt Azure",
        )
    if "Tunnel connection failed: 407" in detail:
        return ProxyRefusal(
            f"the enterprise proxy asks for credentials on the way to {host}, or refuses these",
            "mend the user and password of the proxy's URL (percent-encoded)",
        )
    return Failure(
        f"{host} cannot be reached ({detail[:200]})", "check the proxy and the network, and run again", transient=True
    )


def _refused_login(error: ClientAuthenticationError) -> Failure:
    first = " ".join(str(error).split())[:200]
    # MSAL tells the status of an outage in words alone.
    status = error.status_code or int((_STATUS.search(first) or ("", "0"))[1])
    if status == 429 or status >= 500:
        return Failure(
            f"no token for Azure ({first})", "the login service has an outage: run again later", transient=True
        )
    return Failure(
        f"no token for Azure ({first})", "run `az login`, or check ARM_TENANT_ID, ARM_CLIENT_ID and ARM_CLIENT_SECRET"
    )


def _error(answer: Any) -> tuple[str, str]:
    """Azure's code of an error, or "", and what it says."""
    try:
        error = answer.json()["error"]
        code = str(error.get("code") or "")
        return code, f"{code}: {error.get('message', '')}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", f"status {answer.status_code}"


def _refused(method: str, resource_id: str, answer: Any) -> Refused:
    code, detail = _error(answer)
    cause = f"Azure refused {method} {resource_id} ({detail[:300]})"
    status = int(answer.status_code)
    about = resource_id, status, code
    if code == WRONG_TENANT:
        return Refused(cause, "log in to the subscription's tenant (`az login --tenant`, ARM_TENANT_ID)", *about)
    if status == 404:
        return Refused(cause, "check the id, and that the caller's login sees its subscription", *about)
    if status == 401:
        login = "log in again (`az login`), or check ARM_TENANT_ID, ARM_CLIENT_ID and ARM_CLIENT_SECRET"
        return Refused(cause, f"{login}, and this machine's clock", *about)
    if status == 403:
        return Refused(cause, "grant the caller this action, for example with the role of GatewayOperatorRole", *about)
    if status in (408, 429) or status >= 500:
        after = answer.headers.get("Retry-After", "")
        wait = float(after) if after.isdigit() else None
        return Refused(cause, "run again later", *about, transient=True, retry_after=wait)
    return Refused(cause, "mend what it names and run again", *about)
