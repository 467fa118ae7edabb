"""Microsoft's own Python clients, pointed at a local Azure and otherwise as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from azure.identity import ClientSecretCredential
from local_azure import LocalAzure


def credential(azure: LocalAzure, **other: str) -> ClientSecretCredential:
    identity = azure.identity
    values = {"tenant_id": identity.tenant_id, "client_id": identity.client_id, "client_secret": identity.client_secret}
    return ClientSecretCredential(
        **(values | other),
        authority=azure.url,
        disable_instance_discovery=True,
        connection_verify=azure.bundle,
    )


def management(azure: LocalAzure, kind: type[Any], **options: Any) -> Any:
    """A client of one of the azure-mgmt packages; the caller closes it."""
    return kind(
        credential(azure),
        azure.identity.subscription_id,
        base_url=azure.url,
        credential_scopes=[f"{azure.url}/.default"],
        connection_verify=azure.bundle,
        polling_interval=1,
        **options,
    )


@contextmanager
def clients(azure: LocalAzure) -> Iterator[Callable[..., Any]]:
    """Makes such clients, and closes them at the end."""
    made: list[Any] = []

    def make(kind: type[Any], **options: Any) -> Any:
        made.append(management(azure, kind, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
