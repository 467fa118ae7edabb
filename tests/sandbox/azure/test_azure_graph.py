"""Microsoft Graph as `az` and its extensions ask it: who a service principal is."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests
from local_azure import LocalAzure
from restricted import restricted

CUSTOM_LOCATIONS = "bc313c14-388c-4e7d-a58e-70017303ee3b"
HOST = {"Host": "graph.microsoft.com"}
NOBODY = "00000000-0000-0000-0000-00000000dead"


def ask(azure: LocalAzure, path: str, method: str = "GET", body: Any = None, **query: str) -> requests.Response:
    return azure.call(method, f"/v1.0{path}", body=body, params=query, headers=HOST)


def found(azure: LocalAzure, text: str) -> list[dict[str, Any]]:
    answer = ask(azure, "/servicePrincipals", **{"$filter": text})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["value"])


def test_an_application_is_found_by_each_of_its_names(azure: LocalAzure) -> None:
    caller = restricted(azure)
    name = f"sandbox-{caller.client_id[:8]}"
    for text in (
        f"appId eq '{caller.client_id}'",
        f"servicePrincipalNames/any(c:c eq '{caller.client_id.upper()}')",
        f"displayName eq '{name}'",
        f"startswith(displayName,'{name[:-1]}')",
        f"id eq '{caller.object_id}' and appId eq '{caller.client_id}'",
    ):
        (one,) = found(azure, text)
        assert (one["id"], one["appId"], one["displayName"]) == (caller.object_id, caller.client_id, name)
        assert one["servicePrincipalNames"] == [caller.client_id] and one["servicePrincipalType"] == "Application"
    for path in (f"/servicePrincipals/{caller.object_id}", f"/servicePrincipals(appId='{caller.client_id}')"):
        shown = ask(azure, path).json()
        assert (shown["id"], shown["appId"]) == (caller.object_id, caller.client_id)
        assert shown["@odata.context"].startswith("https://graph.microsoft.com/v1.0/$metadata#servicePrincipals")


def test_the_sandboxs_own_and_the_custom_locations_application_are_there(azure: LocalAzure) -> None:
    everybody = {one["appId"] for one in ask(azure, "/servicePrincipals").json()["value"]}
    assert {azure.identity.client_id, CUSTOM_LOCATIONS} <= everybody
    (one,) = found(azure, f"appId eq '{CUSTOM_LOCATIONS}'")
    assert one["displayName"] == "Custom Locations RP" and uuid.UUID(one["id"])
    assert found(azure, f"appId eq '{uuid.uuid4()}'") == []


def test_object_ids_are_resolved_and_strangers_are_left_out(azure: LocalAzure) -> None:
    caller = restricted(azure)
    body = {"ids": [caller.object_id.upper(), str(uuid.uuid4())], "types": ["user", "group", "servicePrincipal"]}
    (one,) = ask(azure, "/directoryObjects/getByIds", "POST", body).json()["value"]
    assert (one["@odata.type"], one["id"]) == ("#microsoft.graph.servicePrincipal", caller.object_id)
    assert ask(azure, "/directoryObjects/getByIds", "POST", {**body, "types": ["user"]}).json()["value"] == []
    assert ask(azure, f"/directoryObjects/{caller.object_id}").json()["id"] == caller.object_id


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "expected"),
    [
        ("GET", f"/servicePrincipals/{NOBODY}", {}, None, (404, "Request_ResourceNotFound")),
        ("GET", "/servicePrincipals", {"$filter": "colour eq 'red'"}, None, (400, "Request_UnsupportedQuery")),
        ("GET", "/me", {}, None, (400, "BadRequest")),
        ("GET", "/nowhere", {}, None, (400, "BadRequest")),
        ("POST", "/servicePrincipals", {}, {"appId": "a"}, (405, "Request_BadRequest")),
        ("POST", "/directoryObjects/getByIds", {}, {"ids": "all"}, (400, "InvalidRequestContent")),
    ],
)
def test_what_graph_refuses(
    azure: LocalAzure, method: str, path: str, query: dict[str, str], body: Any, expected: tuple[int, str]
) -> None:
    answer = ask(azure, path, method, body, **query)
    assert (answer.status_code, answer.json()["error"]["code"]) == expected and answer.json()["error"]["message"]


def test_users_and_groups_are_none_and_strangers_learn_nothing(azure: LocalAzure) -> None:
    for kind in ("users", "groups"):
        assert ask(azure, f"/{kind}", **{"$filter": "userPrincipalName eq 'a@b'"}).json()["value"] == []
    for header in (None, "Bearer nonsense"):
        answer = azure.call("GET", "/v1.0/servicePrincipals", headers={**HOST, "Authorization": header})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
