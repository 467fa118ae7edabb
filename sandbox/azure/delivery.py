"""Answers that do not go out at once and whole: the connection is reset, or the bytes come slowly."""

from __future__ import annotations

import asyncio
import socket
import struct

from aiohttp import web

from sandbox.azure.core import Delivery

#: Seconds between two pieces of a slow body.
_STEP = 0.1
#: Closing a socket with this drops what is unsent and sends RST instead of FIN.
_NO_LINGER = struct.pack("ii", 1, 0)


async def send(request: web.BaseRequest, response: web.Response, delivery: Delivery) -> web.StreamResponse:
    """Send a response as a delivery says, or not at all.

    Args:
        request: what is answered.
        response: the whole answer.
        delivery: how it goes out.
    """
    if delivery.reset:
        _reset(request)
        return response
    await asyncio.sleep(delivery.first_byte)
    body = response.body if isinstance(response.body, bytes) else b""
    if not body or request.method == "HEAD":
        return response
    slow = web.StreamResponse(status=response.status, headers=response.headers)
    slow.content_length = len(body)
    piece = max(1, int(delivery.rate * _STEP))
    try:
        await slow.prepare(request)
        for start in range(0, len(body), piece):
            await slow.write(body[start : start + piece])
            await asyncio.sleep(len(body[start : start + piece]) / delivery.rate)
        await slow.write_eof()
    except ConnectionError:
        pass  # The client has had enough.
    return slow


def _reset(request: web.BaseRequest) -> None:
    transport = request.transport
    if transport is not None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
