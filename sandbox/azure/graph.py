"""Microsoft Graph, as `az` asks it: who the tenant's service principals are, by application, name or object id."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from sandbox.azure import principals, tokens
from sandbox.azure.core import Azure, Call, Reply, conform, stamp
from sandbox.azure.errors import ArmError, unauthenticated
from sandbox.azure.routes import Routes
from sandbox.azure.store import Json

#: What a `$filter` of service principals may say: a clause, and whether it holds for a principal.
_CLAUSES: tuple[tuple[re.Pattern[str], Callable[[Json, str], bool]], ...] = tuple(
    (re.compile(rf"\s*{pattern}\s*", re.IGNORECASE), holds)
    for pattern, holds in (
        (r"appId\s+eq\s+'([^']*)'", lambda one, text: one["appId"] == text.lower()),
        (
            r"servicePrincipalNames/any\(\w+:\s*\w+\s+eq\s+'([^']*)'\)",
            lambda one, text: text.lower() in one["servicePrincipalNames"],
        ),
        (r"displayName\s+eq\s+'([^']*)'", lambda one, text: one["displayName"].lower() == text.lower()),
        (
            r"startswith\(displayName,\s*'([^']*)'\)",
            lambda one, text: one["displayName"].lower().startswith(text.lower()),
        ),
        (r"id\s+eq\s+'([^']*)'", lambda one, text: one["id"] == text.lower()),
    )
)
_KEYED = re.compile(r"servicePrincipals\(appId='([^']*)'\)", re.IGNORECASE)
_TYPE = "#microsoft.graph.servicePrincipal"


def answer(azure: Azure, call: Call) -> Reply:
    """Answer a request to graph.microsoft.com.

    Raises:
        ArmError: in Graph's codes, which have the shape of ARM's errors.
    """
    known = tokens.bearer(azure, call)
    if known is None or known[1] <= time.time():
        message = "Access token is empty, has expired or is none of this tenant."
        raise unauthenticated(azure.identity.tenant_id, "InvalidAuthenticationToken", message)
    segments = tuple(segment for segment in unquote(call.path).split("/") if segment)
    keyed = _KEYED.fullmatch(segments[-1]) if segments else None
    if keyed and call.method == "GET":
        return _one(azure, call, lambda one: bool(one["appId"] == keyed[1].lower()), keyed[1])
    found = ROUTES.find(segments)
    if found is None:
        raise ArmError(
            400, "BadRequest", f"Resource not found for the segment '{segments[-1][:80] if segments else ''}'."
        )
    verbs, params = found
    if call.method not in verbs:
        raise ArmError(405, "Request_BadRequest", f"The sandbox's Graph is only read: {call.method} is not supported.")
    return verbs[call.method](azure, call, params)


def _list(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    found = _principals(azure)
    text = call.query.get("$filter", "")
    for clause in re.split(r"\s+and\s+", text, flags=re.IGNORECASE) if text.strip() else ():
        for pattern, holds in _CLAUSES:
            if match := pattern.fullmatch(clause):
                found = [one for one in found if holds(one, match[1])]
                break
        else:
            raise ArmError(400, "Request_UnsupportedQuery", f"The '$filter' clause '{clause[:80]}' cannot be read.")
    return _collection(call, "servicePrincipals", found)


def _get(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    return _one(azure, call, lambda one: bool(one["id"] == params["id"].lower()), params["id"])


def _get_object(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    reply = _get(azure, call, params)
    return Reply(200, {**reply.body, "@odata.type": _TYPE})


def _by_ids(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    conform(call.document, {"ids": [str], "types": [str]}, "")
    wanted = {identifier.lower() for identifier in call.document.get("ids") or ()}
    kinds = [kind.lower() for kind in call.document.get("types") or ("servicePrincipal",)]
    asked = not {"serviceprincipal", "directoryobject"}.isdisjoint(kinds)
    found = [{"@odata.type": _TYPE, **one} for one in _principals(azure) if asked and one["id"] in wanted]
    return _collection(call, "directoryObjects", found)


def _nobody(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    """Users and groups: the sandbox's tenant has none."""
    return _collection(call, call.path.rsplit("/", 1)[1][:40], [])


def _me(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    raise ArmError(400, "BadRequest", "/me request is only valid with delegated authentication flow.")


def _one(azure: Azure, call: Call, is_it: Callable[[Json], bool], name: str) -> Reply:
    for one in _principals(azure):
        if is_it(one):
            return Reply(200, {"@odata.context": f"{call.base}/v1.0/$metadata#servicePrincipals/$entity", **one})
    raise ArmError(
        404,
        "Request_ResourceNotFound",
        f"Resource '{name[:60]}' does not exist or one of its queried reference-property objects are not present.",
    )


def _collection(call: Call, name: str, items: list[Json]) -> Reply:
    return Reply(200, {"@odata.context": f"{call.base}/v1.0/$metadata#{name}", "value": items})


def _principals(azure: Azure) -> list[Json]:
    created = stamp(0)
    fixed: dict[str, Any] = {
        "deletedDateTime": None,
        "accountEnabled": True,
        "appOwnerOrganizationId": azure.identity.tenant_id,
        "createdDateTime": created,
        "servicePrincipalType": "Application",
        "signInAudience": "AzureADMyOrg",
        "tags": [],
    }
    return [
        {
            "id": principals.object_id(application),
            **fixed,
            "appId": application,
            "appDisplayName": name,
            "displayName": name,
            "servicePrincipalNames": [application],
        }
        for application, name in principals.names(azure).items()
    ]


ROUTES = Routes(
    {
        "/v1.0/serviceprincipals": {"GET": _list},
        "/v1.0/serviceprincipals/{id}": {"GET": _get},
        "/v1.0/directoryobjects/{id}": {"GET": _get_object},
        "/v1.0/directoryobjects/getbyids": {"POST": _by_ids},
        "/v1.0/users": {"GET": _nobody},
        "/v1.0/groups": {"GET": _nobody},
        "/v1.0/me": {"GET": _me},
    }
)
