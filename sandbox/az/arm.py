"""Azure Resource Manager as the management libraries speak to it, long-running operations included."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from sandbox.az.errors import AzError, HttpError
from sandbox.az.profile import GRAPH, MANAGEMENT, Account, Profile
from sandbox.az.transport import RETRIES, Response, Transport

ENDPOINT = "https://management.azure.com"

#: The real pollers ask every 30 s where the service does not say; too slow to sit through here.
POLL_SECONDS = 1.0

_DONE = {"succeeded"}
_BROKEN = {"failed", "canceled"}

Resource = dict[str, Any]


class Arm:
    """Calls in the name of one account.

    Attributes:
        subscription: id of the account's subscription.
        tenant: id of its tenant.
    """

    def __init__(self, transport: Transport, profile: Profile, account: Account) -> None:
        self._transport, self._profile, self._account = transport, profile, account
        self.subscription = str(account["id"])
        self.tenant = str(account["tenantId"])
        # Azure joins the calls of one command in its logs by this id.
        self._correlation = str(uuid.uuid4())

    def get(self, path: str, version: str) -> Any:
        """The JSON at a path of ARM."""
        return json.loads(self.send("GET", path, version).body)

    def exists(self, path: str, version: str) -> bool:
        """Whether a HEAD finds it."""
        return self.send("HEAD", path, version, accept=(204, 200, 404)).status != 404

    def find(self, path: str, version: str) -> Resource | None:
        """The resource at a path, or None where ARM answers 404."""
        answer = self.send("GET", path, version, accept=(200, 404))
        return json.loads(answer.body) if answer.status == 200 else None

    def pages(self, path: str, version: str) -> list[Resource]:
        """All elements of a list, page after page."""
        found: list[Resource] = []
        page = self.get(path, version)
        while True:
            found += page["value"]
            if not page.get("nextLink"):
                return found
            page = json.loads(self._call("GET", page["nextLink"], None).body)

    def change(self, method: str, path: str, version: str, body: Any = None, wait: bool = True) -> Resource | None:
        """A PUT, PATCH or DELETE, followed to its end.

        Returns:
            the resource as it is in the end; None for a deletion.

        Raises:
            HttpError: the service refused.
            AzError: the operation ended as Failed or Canceled.
        """
        answer = self.send(method, path, version, body, accept=(200, 201, 202, 204))
        if wait and self._follow(answer) and method != "DELETE":
            return self.get(path, version)  # type: ignore[no-any-return]
        if not wait or method == "DELETE" or not answer.body:
            return None
        resource: Resource = json.loads(answer.body)
        while str(resource.get("properties", {}).get("provisioningState", "Succeeded")).lower() not in _DONE | _BROKEN:
            time.sleep(POLL_SECONDS)
            resource = self.get(path, version)
        return resource

    def send(
        self, method: str, path: str, version: str, body: Any = None, accept: tuple[int, ...] = (200,)
    ) -> Response:
        """One call to ARM.

        Raises:
            HttpError: any status but those in `accept`.
        """
        return self._call(method, f"{ENDPOINT}{path}{'&' if '?' in path else '?'}api-version={version}", body, accept)

    def post(self, url: str, body: Any = None) -> Response:
        """A call to a data plane, whose clients do not try again by themselves."""
        return self._call("POST", url, body, retries=0)

    def graph(self, path: str) -> Any:
        """A GET of Microsoft Graph."""
        return json.loads(self._call("GET", f"{GRAPH.rstrip('/')}{path}", None, resource=GRAPH).body)

    def metadata(self) -> Any:
        """The cloud's endpoints, which are public."""
        answer = self._transport.request("GET", f"{ENDPOINT}/metadata/endpoints?api-version=2022-09-01")
        if answer.status != 200:
            raise HttpError(answer.status, answer.reason, answer.body)
        return json.loads(answer.body)

    def _call(
        self,
        method: str,
        url: str,
        body: Any,
        accept: tuple[int, ...] = (200,),
        resource: str = MANAGEMENT,
        retries: int = RETRIES,
    ) -> Response:
        token, _ = self._profile.token(self._account, resource)
        headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "x-ms-client-request-id": self._correlation,
        }
        content = None if body is None else json.dumps(body).encode()
        if content is None and method in ("POST", "PUT"):
            content = b""
        answer = self._transport.request(method, url, headers, content, retries)
        if answer.status not in accept:
            raise HttpError(answer.status, answer.reason, answer.body)
        return answer

    def _follow(self, answer: Response) -> bool:
        """Wait for the operation that an answer names; whether there was one."""
        operation, location = answer.headers.get("azure-asyncoperation"), answer.headers.get("location")
        if not operation and not (location and answer.status == 202):
            return False
        while True:
            told = answer.headers.get("retry-after", "")
            time.sleep(float(told) if told.isdigit() else POLL_SECONDS)
            answer = self._call("GET", operation or location or "", None, accept=(200, 201, 202, 204))
            if not operation:
                if answer.status != 202:
                    return True
                continue
            state = json.loads(answer.body)
            if str(state["status"]).lower() in _DONE:
                return True
            if str(state["status"]).lower() in _BROKEN:
                error = state.get("error") or {
                    "code": state["status"],
                    "message": f"The operation ended as {state['status']}.",
                }
                raise AzError(
                    f"({error['code']}) {error['message']}\nCode: {error['code']}\nMessage: {error['message']}"
                )
