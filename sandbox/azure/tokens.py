"""Access tokens: made for a service principal, and read again when it calls."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.azure.core import Azure, Call, Principal, stamp
from sandbox.azure.errors import unauthenticated
from sandbox.azure.principals import object_id

#: Seconds that a token lives: an hour, as Entra's least. Tokens follow the machine's clock, as their clients do.
LIFE = 3599
_ARM = ("https://management.azure.com", "https://management.core.windows.net")

#: Tokens that were checked before, with the time when they expire.
_seen: dict[str, tuple[Principal, float, str]] = {}
_SEEN_AT_MOST = 1000


def issue(azure: Azure, audience: str, application: str) -> tuple[str, int]:
    """A token of an application for an audience, and the time when it was made."""
    identity = azure.identity
    now = int(time.time())
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{identity.tenant_id}/",
        "iat": now,
        "nbf": now,
        "exp": now + LIFE,
        "appid": application,
        "appidacr": "1",
        "idtyp": "app",
        "oid": object_id(application),
        "sub": object_id(application),
        "tid": identity.tenant_id,
        "uti": uuid.uuid4().hex[:22],
        # Opaque in life; here when it was made, finer than `iat`.
        "aio": f"{time.time():.6f}",
        "ver": "1.0",
    }
    return _sign(azure, claims), now


def principal_of(azure: Azure, call: Call) -> Principal:
    """Who calls ARM.

    Raises:
        ArmError: 401 for no token, and for one that is not ours, is too old, or is for something else.
    """
    header = call.headers.get("authorization", "")
    tenant = azure.identity.tenant_id
    if not header:
        raise unauthenticated(
            tenant, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
        )
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise unauthenticated(
            tenant,
            "AuthenticationFailedInvalidHeader",
            "Authentication failed. The 'Authorization' header is provided in an invalid format.",
        )
    known = bearer(azure, call)
    if known is None:
        raise unauthenticated(tenant, "InvalidAuthenticationToken", "The access token is invalid.")
    principal, expires, audience = known
    if expires <= time.time():
        raise unauthenticated(
            tenant,
            "ExpiredAuthenticationToken",
            f"The access token expiry UTC time '{stamp(expires)}' is earlier than current UTC time "
            f"'{stamp(time.time())}'.",
        )
    if audience.rstrip("/") not in _ARM and not audience.startswith(("https://localhost:", "https://127.0.0.1:")):
        raise unauthenticated(
            tenant,
            "InvalidAuthenticationTokenAudience",
            f"The access token has been obtained for wrong audience or resource '{audience}'. It should exactly match "
            "with one of the allowed audiences 'https://management.core.windows.net/','https://management.azure.com/'.",
        )
    return principal


def made(header: str) -> float | None:
    """When the token of an Authorization header was made; None where it is none of ours."""
    try:
        return float(json.loads(_decode(header.split(".")[1]))["aio"])
    except (ValueError, LookupError, TypeError):
        return None


def bearer(azure: Azure, call: Call) -> tuple[Principal, float, str] | None:
    """Who a call's token is of, when it expires and for which audience it is; None for none that is ours."""
    token = call.headers.get("authorization", "").partition(" ")[2].strip()
    return _seen.get(token) or (_check(azure, token) if token else None)


def _key(azure: Azure) -> bytes:
    return hashlib.sha256(b"token key " + azure.identity.client_secret.encode()).digest()


def _sign(azure: Azure, claims: Mapping[str, Any]) -> str:
    parts = [_encode(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "HS256"}, claims)]
    signature = hmac.new(_key(azure), ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join((*parts, _encode(signature)))


def _check(azure: Azure, token: str) -> tuple[Principal, float, str] | None:
    try:
        head, body, signature = token.split(".")
        good = hmac.new(_key(azure), f"{head}.{body}".encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(_decode(signature), good):
            return None
        claims = json.loads(_decode(body))
    except ValueError:
        return None
    if len(_seen) >= _SEEN_AT_MOST:
        _seen.clear()
    _seen[token] = (Principal(claims["appid"], claims["oid"]), float(claims["exp"]), claims["aud"])
    return _seen[token]


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
