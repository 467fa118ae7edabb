"""Microsoft Graph, as far as clients of ARM ask it: service principals, by their application's id and by their own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sandbox.azure import principals
from sandbox.azure.core import Azure, Call, Reply, expect
from sandbox.azure.routes import Routes
from sandbox.azure.store import Json

#: Applications of Microsoft's own that clients look up.
_KNOWN = {"bc313c14-388c-4e7d-a58e-70017303ee3b": "Custom Locations RP"}
_APP = re.compile(r"appId\s+eq\s+'([^']+)'|servicePrincipalNames/any\(c:c\s+eq\s+'([^']+)'\)", re.IGNORECASE)


def answer(azure: Azure, call: Call) -> Reply:
    """Answer a request to graph.microsoft.com.

    Raises:
        ArmError: the body is none.
    """
    found = ROUTES.find(tuple(segment for segment in call.path.split("/") if segment))
    handler = found[0].get(call.method) if found else None
    return handler(azure, call, found[1]) if found and handler else _missing(call)


def _listing(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    wanted = _APP.search(call.query.get("$filter", ""))
    application = (wanted[1] or wanted[2]).lower() if wanted else ""
    found = [one for one in _all(azure) if application in ("", one["appId"])]
    return Reply(200, {"@odata.context": f"{call.base}/v1.0/$metadata#servicePrincipals", "value": found})


def _one(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    for one in _all(azure):
        if one["id"] == params["id"].lower():
            return Reply(200, {"@odata.context": f"{call.base}/v1.0/$metadata#servicePrincipals/$entity", **one})
    return _missing(call)


def _by_ids(azure: Azure, call: Call, params: Mapping[str, str]) -> Reply:
    ids = expect(call.document.get("ids"), list, "ids")
    kind = "#microsoft.graph.servicePrincipal"
    found = [{"@odata.type": kind, **one} for one in _all(azure) if one["id"] in ids]
    return Reply(200, {"@odata.context": f"{call.base}/v1.0/$metadata#directoryObjects", "value": found})


def _missing(call: Call) -> Reply:
    message = f"Resource '{call.path[:200]}' does not exist, or one of the objects that it is asked for with does not."
    return Reply(404, {"error": {"code": "Request_ResourceNotFound", "message": message}})


def _all(azure: Azure) -> list[Json]:
    return [
        {
            "id": principals.object_id(application),
            "appId": application,
            "displayName": name,
            "servicePrincipalType": "Application",
            "servicePrincipalNames": [application],
        }
        for application, name in {**principals.names(azure), **_KNOWN}.items()
    ]


ROUTES = Routes(
    {
        "/v1.0/serviceprincipals": {"GET": _listing},
        "/v1.0/serviceprincipals/{id}": {"GET": _one},
        "/v1.0/directoryobjects/getbyids": {"POST": _by_ids},
    }
)
