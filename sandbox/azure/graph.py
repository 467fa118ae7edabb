"""Microsoft Graph, as far as clients of ARM ask it: service principals, by their application's id and by their own."""

from __future__ import annotations

import re

from sandbox.azure import principals
from sandbox.azure.core import Azure, Call, Reply, expect
from sandbox.azure.store import Json

#: Applications of Microsoft's own that clients look up.
_KNOWN = {"bc313c14-388c-4e7d-a58e-70017303ee3b": "Custom Locations RP"}
_APP = re.compile(r"appId\s+eq\s+'([^']+)'|servicePrincipalNames/any\(c:c\s+eq\s+'([^']+)'\)", re.IGNORECASE)
_LIST, _BY_IDS = "/v1.0/serviceprincipals", "/v1.0/directoryobjects/getbyids"


def answer(azure: Azure, call: Call) -> Reply:
    """Answer a request to graph.microsoft.com.

    Raises:
        ArmError: the body is no object.
    """
    path = call.path.rstrip("/").lower()
    if call.method == "GET" and path == _LIST:
        wanted = _APP.search(call.query.get("$filter", ""))
        application = (wanted[1] or wanted[2]).lower() if wanted else ""
        found = [one for one in _all(azure) if application in ("", one["appId"])]
        return Reply(200, {"@odata.context": f"{call.base}/v1.0/$metadata#servicePrincipals", "value": found})
    if call.method == "POST" and path == _BY_IDS:
        ids = expect(call.document.get("ids"), list, "ids")
        objects = [{"@odata.type": "#microsoft.graph.servicePrincipal", **one} for one in _all(azure)]
        found = [one for one in objects if one["id"] in ids]
        return Reply(200, {"@odata.context": f"{call.base}/v1.0/$metadata#directoryObjects", "value": found})
    if call.method == "GET" and path.startswith(f"{_LIST}/"):
        for one in _all(azure):
            if path == f"{_LIST}/{one['id']}":
                return Reply(200, {"@odata.context": f"{call.base}/v1.0/$metadata#servicePrincipals/$entity", **one})
    message = (
        f"Resource '{call.path[:200]}' does not exist or one of its queried reference-property objects are not present."
    )
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
