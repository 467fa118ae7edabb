"""Reads, and in a few places writes, Azure Resource Manager: one request where `az` would cost a second of CPU."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from arcgateway import login
from arcgateway.errors import Failure
from arcgateway.proxy import ProxySettings

if TYPE_CHECKING:
    from requests import Response, Session

CLUSTERS = "2025-08-01-preview"
SETTINGS = "2025-02-19-preview"
GATEWAYS = "2024-07-31-preview"
GROUPS = "2024-03-01"

#: Azure's code for a login of one tenant and a subscription of another.
WRONG_TENANT = "InvalidAuthenticationTokenTenant"
_EXPIRED = "ExpiredAuthenticationToken"

_METADATA_VERSION = "2022-09-01"


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
    "AzureCloud", "https://management.azure.com", login.PUBLIC_AUTHORITY, "https://management.azure.com"
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
        self._opened: _Opened | None = None

    @property
    def cloud(self) -> Cloud:
        """The cloud; its metadata is read once.

        Raises:
            Failure: the metadata service does not answer as one.
        """
        return self._open().cloud

    @property
    def caller(self) -> str:
        """The application id of the service principal that calls; empty where it is the login of `az`."""
        return login.principal(self._env)

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
        opened = self._open()
        for last in (False, True):
            token = opened.login.token()
            answer = opened.request(method, url, headers={"Authorization": f"Bearer {token}"}, **content)
            if 200 <= answer.status_code < 300:
                return _document(answer, url)
            if last or _error(answer).get("code") != _EXPIRED:
                break
            opened.login.forget(token)
        raise _refused(method, resource_id, answer)

    def _open(self) -> _Opened:
        with self._lock:
            if self._opened is None:
                cloud = self._discover()
                access = login.Login(self._env, cloud.authority, cloud.audience, self._session, self._cli_token)
                self._opened = _Opened(cloud, self._session(cloud.resource_manager), access)
            return self._opened

    def _session(self, base: str) -> Session:
        return session(self._traffic, self._env, base)

    def _discover(self) -> Cloud:
        host = self._env.get("ARM_METADATA_HOSTNAME") or self._env.get("ARM_METADATA_HOST")
        if not host:
            return PUBLIC_CLOUD
        from requests import RequestException

        from arcgateway import https

        url = f"https://{host}/metadata/endpoints"
        try:
            with self._session(url) as session:
                answer = session.get(url, params={"api-version": _METADATA_VERSION})
                answer.raise_for_status()
        except RequestException as error:
            raise https.unreachable(url, error) from error
        try:
            return read_metadata(answer.json())
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise Failure(
                f"{host} (ARM_METADATA_HOSTNAME) does not answer as an Azure metadata service",
                "unset it for the public cloud, or name the right host",
            ) from error


def session(traffic: ProxySettings, env: Mapping[str, str], base: str) -> Session:
    """A session through the proxy that is right for an address, with the roots of the environment."""
    from arcgateway import https

    bundle = env.get("REQUESTS_CA_BUNDLE") or env.get("SSL_CERT_FILE") or ""
    return https.session(bundle, _proxies(traffic, base))


def _proxies(traffic: ProxySettings, url: str) -> Mapping[str, str]:
    from requests.utils import get_environ_proxies

    parts = urlsplit(url)
    if not traffic:
        return get_environ_proxies(url) if parts.hostname not in ("localhost", "127.0.0.1", "::1") else {}
    proxy = traffic.route(parts.hostname or "", parts.port or 443)
    return {"https": proxy.url, "http": proxy.url} if proxy else {}


@dataclass(frozen=True)
class _Opened:
    """A cloud, the way to it, and the caller's tokens for it."""

    cloud: Cloud
    session: Session
    login: login.Login

    def request(self, method: str, url: str, **content: Any) -> Response:
        """Make one request. Azure's answers are not tried again here: they are for the caller, who has a deadline."""
        from requests import RequestException

        from arcgateway import https

        try:
            return self.session.request(method, url, allow_redirects=False, **content)
        except RequestException as error:
            raise https.unreachable(url, error) from error


def read_metadata(document: Any) -> Cloud:
    """A cloud from its metadata document: one object, or a list of which the public cloud or the first counts.

    Raises:
        ValueError, KeyError, TypeError, IndexError, AttributeError: the document is none, or names an address without
            TLS, over which no token may go.
    """
    if isinstance(document, list):
        document = next((entry for entry in document if entry.get("name") == "AzureCloud"), document[0])
    authentication = document["authentication"]
    manager, authority = (url.rstrip("/") for url in (document["resourceManager"], authentication["loginEndpoint"]))
    if not (manager.startswith("https://") and authority.startswith("https://")):
        raise ValueError("an address without TLS")
    return Cloud(
        name=document.get("name", ""),
        resource_manager=manager,
        authority=authority,
        audience=(authentication.get("audiences") or [manager])[0],
    )


def _document(answer: Response, url: str) -> dict[str, Any]:
    if not answer.content:
        return {}
    try:
        return dict(answer.json())
    except (ValueError, TypeError):
        raise Failure(
            f"what answered for {urlsplit(url).hostname} is not Azure (its answer is no JSON)",
            "check what serves this address here: a proxy's own page, for example",
        ) from None


def _error(answer: Response) -> Mapping[str, Any]:
    """Azure's error; empty where the answer holds none."""
    try:
        return dict(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return {}


def _refused(method: str, resource_id: str, answer: Response) -> Refused:
    error = _error(answer)
    code = str(error.get("code") or "")
    detail = f"{code}: {error.get('message', '')}" if error else f"status {answer.status_code}"
    cause = f"Azure refused {method} {resource_id} ({detail[:300]})"
    status = answer.status_code
    about = resource_id, status, code
    if code == WRONG_TENANT:
        return Refused(cause, "log in to the subscription's tenant (`az login --tenant`, ARM_TENANT_ID)", *about)
    if status == 404:
        return Refused(cause, "check the id, and that the caller's login sees its subscription", *about)
    if status == 401:
        login_again = "log in again (`az login`), or check ARM_TENANT_ID, ARM_CLIENT_ID and ARM_CLIENT_SECRET"
        return Refused(cause, f"{login_again}, and this machine's clock", *about)
    if status == 403:
        return Refused(cause, "grant the caller this action, for example with the role of GatewayOperatorRole", *about)
    if status in (408, 429) or status >= 500:
        after = answer.headers.get("Retry-After", "")
        wait = float(after) if after.isdigit() else None
        return Refused(cause, "run again later", *about, transient=True, retry_after=wait)
    return Refused(cause, "mend what it names and run again", *about)
