"""As much of the websocket protocol (RFC 6455) as it takes to see whether one is let through.

Sent by hand, as what counts here is what comes back when something on the way takes part, which libraries hide.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import ssl

from arcgateway.answers import Answer, Trouble, made_by_proxy
from arcgateway.tunnel import GRACE, Tunnel

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

#: Azure Relay's address for a listener, which is what the agents of cluster connect are; no such listener exists.
PATH = "/$hc/arcgateway-preflight?sb-hc-action=listen"

#: A ping without a payload. Its mask is a constant, as there is nothing to mask.
PING = b"\x89\x80\x00\x00\x00\x00"

#: What kinds of frames say, by their opcode.
_FRAMES = {0x8: "closed by the endpoint", 0xA: "a ping answered"}

#: Headers by which proxies are known that answer in an endpoint's place, or pass its answer on with TLS opened.
_PROXY_HEADERS = ("via", "x-squid-error", "x-cache", "proxy-authenticate", "proxy-connection")

#: What an endpoint says of itself to an upgrade that has reached it and that it does not grant.
REFUSALS = frozenset({401, 403, 404})


async def carried(tunnel: Tunnel, authority: str, *, public: bool) -> tuple[str, Answer]:
    """Ask for a websocket inside an endpoint's TLS, and see whether it is carried.

    Who has a public certificate for the name is the endpoint itself, and whatever it answers has come all the way:
    nobody on the way can change what is inside its TLS, only cut it. Under a root of the customer's own a proxy may
    have opened the TLS, so that a refusal counts only where it is not such a proxy's.

    Args:
        tunnel: with TLS to the endpoint.
        authority: its name, with its port where that is not 443.
        public: whether a public root vouched for it.

    Returns:
        What was seen, in words, and the endpoint's answer.

    Raises:
        Trouble: `websocket-blocked`.
    """
    request, key = upgrade(authority)
    try:
        answer = await tunnel.ask(request, "the upgrade to a websocket")
    except Trouble as trouble:
        raise Trouble("websocket-blocked", trouble.evidence) from None
    if accepted(answer, key):
        return f"websocket open, {await _pinged(tunnel)}", answer
    marks = proxy_marks(answer)
    if answer.status == 101 or not (public or (answer.status in REFUSALS and not marks)):
        by = f" ({marks})" if marks else ""
        raise Trouble(
            "websocket-blocked", f"answered {answer} to the upgrade to a websocket, which was not carried{by}"
        )
    return f"the upgrade to a websocket reached it, which answered {answer}", answer


async def _pinged(tunnel: Tunnel) -> str:
    try:
        await tunnel.write(PING)
        async with asyncio.timeout(GRACE):
            return _FRAMES.get((await tunnel.read() or b"\x88")[0] & 0x0F, "it speaks")
    except TimeoutError:
        return "quiet"
    except (OSError, ssl.SSLError) as error:
        raise Trouble("websocket-blocked", f"cut ({type(error).__name__}) once the websocket was open") from None


def upgrade(authority: str) -> tuple[bytes, str]:
    """A request for a websocket, and the key in it."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        f"GET {PATH} HTTP/1.1",
        f"Host: {authority}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        "User-Agent: arc-gateway-preflight",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode(), key


def accepted(answer: Answer, key: str) -> bool:
    """Whether an answer is that of who has read this key as a websocket's."""
    proof = base64.b64encode(hashlib.sha1((key + _MAGIC).encode(), usedforsecurity=False).digest()).decode()
    return answer.status == 101 and answer.headers.get("sec-websocket-accept") == proof


def proxy_marks(answer: Answer) -> str:
    """The headers by which a proxy shows itself in an answer that came inside an endpoint's TLS; empty for none."""
    marks = [f"{name}: {answer.headers[name][:80]}" for name in _PROXY_HEADERS if name in answer.headers]
    if made_by_proxy(answer) and "server" in answer.headers:
        marks.append(f"server: {answer.headers['server'][:80]}")
    return "; ".join(marks)
