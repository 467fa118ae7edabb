"""Azure Resource Manager for the azure-native stand-in, on Azure's own client libraries.

The libraries take a third of a second to load, so they are imported when ARM is first spoken to: a preview of new
resources never is the occasion.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, cast

from sandbox.plugins.plugin import PluginError
from sandbox.plugins.values import Properties

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.exceptions import HttpResponseError
    from azure.core.pipeline import PipelineResponse
    from azure.core.rest import HttpRequest, HttpResponse
    from azure.mgmt.core import ARMPipelineClient

METADATA_VERSION = "2022-09-01"
#: Seconds between two looks at an operation whose answer says nothing of when to look again.
POLL = 1.0
#: Seconds that an operation may take when its resource sets no time; as with the real plugin.
PATIENCE = 2 * 60 * 60.0


@dataclass(frozen=True)
class Federation:
    """Where a pipeline's token comes from: given, in a file that is read once, or asked for at each need.

    Just so does the real plugin, which therefore cannot outlive a token that it was given.
    """

    token: str = ""
    path: str = ""
    request_url: str = ""
    request_token: str = ""

    def assertion(self) -> Callable[[], str]:
        """What gives the token."""
        if self.token:
            return lambda: self.token
        if self.path:
            try:
                text = Path(self.path).read_text().strip()
            except OSError as error:
                raise ArmError(f"failed to read OIDC token from {self.path}: {error.strerror}") from error
            return lambda: text
        if self.request_url and self.request_token:
            return self._ask
        raise ArmError("A OIDC token or request URL and token must be configured when authenticating with OIDC.")

    def _ask(self) -> str:
        from azure.core import PipelineClient
        from azure.core.rest import HttpRequest

        client = PipelineClient[HttpRequest, Any](self.request_url, policies=[], **_trust())
        request = HttpRequest(
            "GET",
            self.request_url,
            params={"audience": "api://AzureADTokenExchange"},
            headers={"Authorization": f"Bearer {self.request_token}"},
        )
        answer = client.send_request(request)
        answer.raise_for_status()
        return str(answer.json()["value"])


@dataclass(frozen=True)
class Account:
    """A service principal, and where Azure is.

    Attributes:
        federation: in place of a secret.
        metadata_host: host and port of a metadata service; "" for the public cloud.
    """

    subscription: str
    tenant: str
    client: str
    secret: str
    metadata_host: str
    federation: Federation | None = None


@dataclass(frozen=True)
class Cloud:
    """The addresses of a cloud."""

    resource_manager: str = "https://management.azure.com"
    login: str = "https://login.microsoftonline.com"
    audience: str = "https://management.azure.com"


class ArmError(PluginError):
    """ARM did not do what it was asked.

    Attributes:
        status: the status of its answer; 0 when there was none.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Unfinished(ArmError):
    """ARM took a request, and the operation that it started failed or was not awaited."""


class ArmClient:
    """Requests to ARM, each followed to its end."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._lock = Lock()
        self._cancelled = Event()
        self._waiting: set[Event] = set()

    def get(self, id: str, api_version: str) -> Properties | None:
        """A resource as it is; None when there is none."""
        response = self._send("GET", id, api_version)
        if response.http_response.status_code == 404:
            return None
        self._accept(response, "reading", id)
        return cast("Properties", response.http_response.json())

    def put(self, id: str, api_version: str, body: Properties, timeout: float) -> None:
        """Create or update a resource; returns when Azure is done.

        Raises:
            Unfinished: it was begun.
        """
        response = self._send("PUT", id, api_version, body)
        self._accept(response, "writing", id)
        self._follow(response, "writing", id, timeout)

    def delete(self, id: str, api_version: str, timeout: float) -> None:
        """Delete a resource; returns when it is gone."""
        response = self._send("DELETE", id, api_version)
        if response.http_response.status_code == 404:
            return
        self._accept(response, "deleting", id)
        self._follow(response, "deleting", id, timeout)

    def token(self, endpoint: str = "") -> str:
        """An access token for an endpoint, else for ARM."""
        from azure.core.exceptions import AzureError

        try:
            return self._credential.get_token(f"{endpoint or self._cloud.audience}/.default").token
        except AzureError as error:
            raise self._trouble(error, "getting a token", endpoint or self._cloud.audience) from error

    def cancel(self) -> None:
        """Stop awaiting whatever is awaited."""
        self._cancelled.set()
        with self._lock:
            for event in self._waiting:
                event.set()

    @cached_property
    def _cloud(self) -> Cloud:
        host = self._account.metadata_host
        if not host:
            return Cloud()
        from azure.core import PipelineClient
        from azure.core.exceptions import AzureError
        from azure.core.pipeline.policies import RetryPolicy
        from azure.core.rest import HttpRequest

        url = f"https://{host}/metadata/endpoints?api-version={METADATA_VERSION}"
        client = PipelineClient[HttpRequest, Any](f"https://{host}", policies=[RetryPolicy(retry_total=2)], **_trust())
        try:
            answer = client.send_request(HttpRequest("GET", url))
            answer.raise_for_status()
            found = answer.json()
            cloud = found if isinstance(found, dict) else found[0]
            signing = cloud["authentication"]
            return Cloud(
                cloud["resourceManager"].rstrip("/"), signing["loginEndpoint"].rstrip("/"), signing["audiences"][0]
            )
        except (AzureError, ValueError, LookupError, TypeError) as error:
            raise self._trouble(error, "asking for the addresses of Azure at", url) from error

    @cached_property
    def _credential(self) -> TokenCredential:
        from azure.identity import ClientAssertionCredential, ClientSecretCredential

        account = self._account
        kind: Any = ClientAssertionCredential if account.federation else ClientSecretCredential
        credential: TokenCredential = kind(
            account.tenant,
            account.client,
            account.federation.assertion() if account.federation else account.secret,
            authority=self._cloud.login,
            # A cloud of one's own is not among those that the public one vouches for.
            disable_instance_discovery=bool(account.metadata_host),
            **_trust(),
        )
        return credential

    @cached_property
    def _client(self) -> ARMPipelineClient[HttpRequest, HttpResponse]:
        from azure.core.pipeline.policies import (
            ContentDecodePolicy,
            RequestIdPolicy,
            RetryPolicy,
            UserAgentPolicy,
        )
        from azure.mgmt.core import ARMPipelineClient
        from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

        return ARMPipelineClient(
            self._cloud.resource_manager,
            policies=[
                RequestIdPolicy(),
                UserAgentPolicy("pulumi-azure-native-sandbox"),
                RetryPolicy(),
                ARMChallengeAuthenticationPolicy(self._credential, f"{self._cloud.audience}/.default"),
                ContentDecodePolicy(),
            ],
            **_trust(),
        )

    def _send(
        self, method: str, id: str, api_version: str, body: Properties | None = None
    ) -> PipelineResponse[HttpRequest, HttpResponse]:
        from azure.core.exceptions import AzureError
        from azure.core.rest import HttpRequest

        if self._cancelled.is_set():
            raise ArmError(f"{method} {id}: cancelled")
        with self._lock:  # made by the first of many threads
            client = self._client
        request = HttpRequest(
            method, client.format_url(id), params={"api-version": api_version}, json=body if method == "PUT" else None
        )
        try:
            answer: Any = client.send_request(request, _return_pipeline_response=True)
        except AzureError as error:
            raise self._trouble(error, method, id) from error
        return cast("PipelineResponse[HttpRequest, HttpResponse]", answer)

    def _accept(self, response: PipelineResponse[HttpRequest, HttpResponse], act: str, id: str) -> None:
        from azure.core.exceptions import HttpResponseError

        if response.http_response.status_code >= 400:
            raise self._trouble(HttpResponseError(response=response.http_response), act, id)

    def _follow(self, response: PipelineResponse[HttpRequest, HttpResponse], act: str, id: str, timeout: float) -> None:
        from azure.core.exceptions import AzureError
        from azure.core.polling import LROPoller
        from azure.mgmt.core.polling.arm_polling import ARMPolling

        done = Event()
        with self._lock:
            self._waiting.add(done)
        try:
            poller = LROPoller[None](self._client, response, lambda _: None, cast("Any", ARMPolling(timeout=POLL)))
            poller.add_done_callback(lambda _: done.set())
            if self._cancelled.is_set() or not done.wait(timeout or PATIENCE) or not poller.done():
                why = "cancelled" if self._cancelled.is_set() else f"not done after {timeout or PATIENCE:g} s"
                raise Unfinished(f"{act} {id}: {why}; Azure goes on with it, and a refresh shows what became of it")
            poller.result()
        except AzureError as error:
            trouble = self._trouble(error, act, id)
            raise Unfinished(str(trouble), trouble.status) from error
        finally:
            with self._lock:
                self._waiting.discard(done)

    def _trouble(self, error: Exception, act: str, subject: str) -> ArmError:
        """One sentence about an error: what was tried, on what, and what was answered."""
        from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

        match error:
            case ClientAuthenticationError() if error.response is None:
                login = self._cloud.login
                return ArmError(
                    f"{act} {subject}: {login} did not sign in client {self._account.client}: {error.message}"
                )
            case HttpResponseError() if error.response is not None:
                status = error.response.status_code or 0
                said = f"Azure answered {status}" if status >= 400 else "Azure began and then failed with"
                return ArmError(f"{act} {subject}: {said} {_answer(error)}", status)
            case _:
                return ArmError(f"{act} {subject}: {error}")


def _answer(error: HttpResponseError) -> str:
    """Code and message of an answer, with those of its details; its text where it has no such form."""
    if error.error is not None and error.error.code:
        parts = [error.error, *(error.error.details or [])]
        return "; ".join(f"{part.code}: {part.message}" for part in parts)
    text = error.response.text() if error.response is not None else ""
    try:
        found: Any = json.loads(text)
    except ValueError:
        return f"{error.reason}: {text[:500]}"
    reason = found.get("error", found) if isinstance(found, Mapping) else found
    return f"{error.reason}: {json.dumps(reason)[:500]}"


def _trust() -> dict[str, Any]:
    """Which roots to trust: those of the variable that the real plugin heeds, else of the one for Python, else all."""
    bundle = os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE")
    return {"connection_verify": bundle} if bundle else {}
