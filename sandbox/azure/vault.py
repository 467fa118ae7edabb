"""Azure Key Vault, as far as somebody has keys encrypt and decrypt: what Pulumi asks of it for a stack's secrets.

A key of any name is there, in any vault, and everybody who is logged in may use it. What it encrypts with is made of
the sandbox's own secret, so nothing is kept.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import time
from collections.abc import Callable

from sandbox.azure import tokens
from sandbox.azure.core import Azure, Call, Reply

AUDIENCE = "https://vault.azure.net"
ALGORITHM = "RSA-OAEP-256"
#: The bytes that a 2048-bit key encrypts with it at most.
LARGEST = 190
_NONCE = 12


def answer(azure: Azure, call: Call) -> Reply:
    """Answer a request to a vault."""
    caller = tokens.bearer(azure, call)
    if caller is None or caller[1] <= time.time() or caller[2].rstrip("/") != AUDIENCE:
        # Clients ask without a token first, to be told by whom it is to be.
        tenant = f"https://login.microsoftonline.com/{azure.identity.tenant_id}"
        challenge = f'Bearer authorization="{tenant}", resource="{AUDIENCE}"'
        refused = _problem(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
        refused.headers["WWW-Authenticate"] = challenge
        return refused
    segments = [segment for segment in call.path.split("/") if segment]
    verb = _VERBS.get(segments[-1]) if call.method == "POST" and segments else None
    if verb is None or len(segments) not in (3, 4) or segments[0] != "keys":
        return _problem(404, "NotFound", "The sandbox's vaults have keys that encrypt and decrypt, and nothing else.")
    name = segments[1]
    version = segments[2] if len(segments) == 4 else _version(call, name)
    try:
        body = json.loads(call.body)
        given, value = body["alg"], _unquoted(body["value"])
        if given != ALGORITHM:
            return _problem(400, "BadParameter", f"The sandbox's keys know {ALGORITHM}, and not {given}.")
        done = verb(_key(azure, call, name), value)
    except (ValueError, KeyError, TypeError, binascii.Error) as problem:
        return _problem(400, "BadParameter", f"Property value is not what this key takes: {problem}")
    return Reply(200, {"kid": f"{call.base}/keys/{name}/{version}", "value": _quoted(done)})


def _encrypt(key: bytes, value: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if len(value) > LARGEST:
        raise ValueError(f"{len(value)} bytes are more than {LARGEST}")
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, value, None)


def _decrypt(key: bytes, value: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(value[:_NONCE], value[_NONCE:], None)
    except InvalidTag:
        raise ValueError("it was not encrypted with this key") from None


_VERBS: dict[str, Callable[[bytes, bytes], bytes]] = {"encrypt": _encrypt, "decrypt": _decrypt}


def _key(azure: Azure, call: Call, name: str) -> bytes:
    return hashlib.sha256(f"{azure.identity.client_secret} {call.base} {name}".encode()).digest()


def _version(call: Call, name: str) -> str:
    return hashlib.sha256(f"{call.base} {name}".encode()).hexdigest()[:32]


def _problem(status: int, code: str, message: str) -> Reply:
    return Reply(status, {"error": {"code": code, "message": message}})


def _quoted(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _unquoted(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
