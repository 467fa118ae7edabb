"""Service principals that may do only what roles give them, and the product's client for each."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests
from local_azure import LocalAzure

from arcgateway.arm import Arm
from arcgateway.proxy import ProxySettings

ROLES = "2022-04-01"
SECRET = "a secret of the test's own"
ONBOARDING = "34e09817-6cbe-4d01-b1a2-e0eac5743d41"
GATEWAY_MANAGER = "f6e92014-8af2-414d-9948-9b1abf559285"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
LOOK = ("Microsoft.Authorization/*/read",)


@dataclass(frozen=True)
class Restricted:
    """One service principal of a local Azure."""

    azure: LocalAzure
    client_id: str
    object_id: str

    def may(self, scope: str, *actions: str, but: Sequence[str] = ()) -> None:
        """Give it a custom role with these actions, less some, at a scope."""
        definition = f"{self.azure.subscription}/providers/Microsoft.Authorization/roleDefinitions/{uuid.uuid4()}"
        body = {
            "properties": {
                "roleName": definition[-36:],
                "assignableScopes": [self.azure.subscription],
                "permissions": [{"actions": actions, "notActions": but}],
            }
        }
        assert self.azure.call("PUT", definition, ROLES, body).status_code == 201
        self.assigned(scope, definition[-36:])

    def assigned(self, scope: str, role: str) -> None:
        """Assign a role to it at a scope."""
        roles = f"{self.azure.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        body = {"properties": {"principalId": self.object_id, "roleDefinitionId": roles}}
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        assert self.azure.call("PUT", path, ROLES, body).status_code == 201

    def call(self, method: str, path: str, version: str, body: Any = None) -> requests.Response:
        """A request to the Resource Manager in its name."""
        form = self.azure.credentials(client_id=self.client_id, client_secret=SECRET)
        login = f"{self.azure.url}/{self.azure.identity.tenant_id}/oauth2/v2.0/token"
        token = requests.post(login, data=form, verify=self.azure.bundle, timeout=20).json()["access_token"]
        return self.azure.call(method, path, version, body, headers={"Authorization": f"Bearer {token}"})

    @property
    def arm(self) -> Arm:
        """The product's client, logged in as this principal."""
        env = {
            "ARM_METADATA_HOSTNAME": f"localhost:{self.azure.port}",
            "ARM_TENANT_ID": self.azure.identity.tenant_id,
            "ARM_CLIENT_ID": self.client_id,
            "ARM_CLIENT_SECRET": SECRET,
            "REQUESTS_CA_BUNDLE": self.azure.bundle,
        }
        return Arm(ProxySettings(), env, _no_token)


def restricted(azure: LocalAzure) -> Restricted:
    """A new service principal, which may do nothing yet."""
    made = azure.call("POST", "/sandbox/principals", body={"secret": SECRET})
    assert made.status_code == 201, made.text
    return Restricted(azure, made.json()["clientId"], made.json()["objectId"])


def _no_token(audience: str) -> dict[str, Any]:
    raise AssertionError(audience)
