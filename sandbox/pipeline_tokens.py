"""Tokens of a pipeline's own identity, as GitHub, GitLab and Azure Pipelines give them to jobs: what federation takes.

The local Entra ID trusts one issuer, the sandbox itself, for every application that it knows.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from dataclasses import dataclass

AUDIENCE = "api://AzureADTokenExchange"
ISSUER = "https://pipelines.sandbox.invalid"


@dataclass(frozen=True)
class Invalid(Exception):
    """A token that is not taken: Entra's code for it, and why."""

    code: str
    message: str


def issue(secret: str, subject: str, seconds: int, audience: str = AUDIENCE) -> str:
    """A token of a job.

    Args:
        secret: of the sandbox's own service principal, which its key is made of.
        subject: whose it is, `project_path:platform/fleet:ref_type:branch:ref:main` for example.
        seconds: for how long it is valid; not at all any more where it is negative.
        audience: what it is for.
    """
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": subject,
        "aud": audience,
        "iat": now,
        "nbf": now,
        "exp": now + seconds,
        "jti": str(uuid.uuid4()),
    }
    parts = [_encode(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "HS256"}, claims)]
    return ".".join((*parts, _encode(_signature(secret, ".".join(parts)))))


def check(secret: str, token: str) -> None:
    """See whether federation takes a token.

    Raises:
        Invalid: it does not.
    """
    try:
        head, body, signature = token.strip().split(".")
        good = hmac.compare_digest(_decode(signature), _signature(secret, f"{head}.{body}"))
        claims = json.loads(_decode(body))
    except ValueError:
        raise Invalid("AADSTS50027", "JWT token is invalid or malformed.") from None
    if not good or claims["iss"] != ISSUER:
        raise Invalid(
            "AADSTS700211",
            f"No matching federated identity record found for presented assertion issuer '{claims.get('iss')}'.",
        )
    if claims["aud"] != AUDIENCE:
        raise Invalid(
            "AADSTS700212",
            f"No matching federated identity record found for presented assertion audience '{claims['aud']}'.",
        )
    if claims["exp"] <= time.time():
        raise Invalid("AADSTS700024", "Client assertion is not within its valid time range.")


def _signature(secret: str, text: str) -> bytes:
    key = hashlib.sha256(b"pipeline token key " + secret.encode()).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
