"""Microsoft.HybridCompute private link scopes."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from sandbox.azure.core import Azure, Call, Shape, conform
from sandbox.azure.errors import invalid_content

if TYPE_CHECKING:
    from sandbox.azure.ids import Target
    from sandbox.azure.store import Json

_SHAPE: Shape = {"publicNetworkAccess": str}
ACCESS = ("Enabled", "Disabled", "SecuredByPerimeter")


def properties(azure: Azure, call: Call, target: Target, old: Json | None) -> Json:
    """The properties to store for a PUT or a PATCH.

    Raises:
        ArmError: a property is wrong.
    """
    given = call.properties
    before = old["properties"] if old else {}
    conform(given, _SHAPE, "properties")
    access = given.get("publicNetworkAccess") or before.get("publicNetworkAccess", "Disabled")
    if access not in ACCESS:
        raise invalid_content(f"'{access}' is none of {', '.join(ACCESS)}. Path 'properties.publicNetworkAccess'")
    return {
        "publicNetworkAccess": access,
        "privateLinkScopeId": before.get("privateLinkScopeId") or str(uuid.uuid4()),
        "privateEndpointConnections": before.get("privateEndpointConnections", []),
        "provisioningState": "Succeeded",
    }
