"""Who may log in: the sandbox's own service principal, which owns its subscription, and those that tests add.

One that was added may do what the roles assigned to it allow, and nothing before that.
"""

from __future__ import annotations

import uuid

from sandbox.azure.core import Azure

_KEY = "principals"


def add(azure: Azure, secret: str) -> str:
    """Make a service principal with a secret; gives its application id."""
    application = str(uuid.uuid4())
    azure.store.set(_KEY, {**azure.store.setting(_KEY, {}), application: secret})
    return application


def secret_of(azure: Azure, application: str) -> str | None:
    """The secret of a service principal, or None where there is no such one."""
    if owns(azure, application):
        return azure.identity.client_secret
    secret: str | None = azure.store.setting(_KEY, {}).get(application.lower())
    return secret


def names(azure: Azure) -> dict[str, str]:
    """What service principals are called, by their applications' ids: the sandbox's own first."""
    return {azure.identity.client_id: "sandbox"} | {
        one: f"principal-{one[:8]}" for one in azure.store.setting(_KEY, {})
    }


def owns(azure: Azure, application: str) -> bool:
    """Whether it is the sandbox's own, which may do anything."""
    return application.lower() == azure.identity.client_id


def object_id(application: str) -> str:
    """A service principal's object id: made from its application's id, so that every part agrees on it."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, application))
