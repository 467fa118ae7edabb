"""What pods take from the API: ConfigMaps, Secrets and tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from sandbox.node.api import Api, ApiError, Away
from sandbox.node.expand import Missing
from sandbox.node.settings import Json

_PLURALS = {"configMap": "configmaps", "secret": "secrets"}

#: Seconds. Tokens are not renewed in running pods, so they outlive any sandbox that somebody works with.
TOKEN_LIFE = 365 * 24 * 3600


async def fetch(api: Api, namespace: str, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Json | None]:
    """The named ConfigMaps and Secrets (pairs of kind and name); None for one that is not there.

    Raises:
        Missing: the API server does not say.
    """

    async def one(kind: str, name: str) -> tuple[tuple[str, str], Json | None]:
        try:
            return (kind, name), await api.call("GET", f"/api/v1/namespaces/{namespace}/{_PLURALS[kind]}/{name}")
        except ApiError as error:
            if error.status != 404:
                raise Missing(f"{kind} {name}: {error}") from error
            return (kind, name), None
        except Away as error:
            raise Missing(f"{kind} {name}: the API server is away ({error})") from error

    return dict(await asyncio.gather(*(one(kind, name) for kind, name in names)))


async def tokens(api: Api, pod: Json, audiences: Iterable[str]) -> dict[str, str]:
    """A token of the pod's service account for each audience, bound to the pod.

    Raises:
        Missing: there is no such account, or the API server is away.
    """
    namespace, account = pod["metadata"]["namespace"], pod["spec"].get("serviceAccountName") or "default"
    bound = {"kind": "Pod", "apiVersion": "v1", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
    found = {}
    for audience in audiences:
        spec = {
            "audiences": [audience] if audience else [],
            "expirationSeconds": TOKEN_LIFE,
            "boundObjectRef": bound,
        }
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        try:
            path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
            answer = await api.call("POST", path, request)
        except (ApiError, *Away) as error:
            raise Missing(f"token of service account {account}: {error}") from error
        found[audience] = str(answer["status"]["token"])
    return found
