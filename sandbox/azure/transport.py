"""HTTP below the calls: what cannot be read as a request is refused in ARM's shape, and what never ends is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from sandbox.azure.errors import ArmError, bad_request

#: ARM's own limit; a client that sends more gets 413.
MAX_BODY = 4 * 1024 * 1024
#: Bytes of an address and of a header's field.
MAX_ADDRESS, MAX_FIELD = 16 * 1024, 32 * 1024
#: Seconds within which a handshake, and the rest of a request's body, must have come.
PATIENCE = 30.0
#: For how many times that long a connection may bring no request: longer than any client's pause between two polls.
IDLE = 2.5


class Listener(web.Server):
    """A server for `loop.create_server` whose protocol errors have ARM's shape.

    Args:
        handler: answers a request.
        patience: seconds that the rest of a request is waited for; see PATIENCE and IDLE.
    """

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], patience: float) -> None:
        super().__init__(handler)
        self._patience = patience

    def __call__(self) -> web.RequestHandler:
        """The protocol of one connection."""
        return _Protocol(
            self,
            loop=self._loop,
            access_log=None,  # type: ignore[arg-type]  # as documented
            keepalive_timeout=IDLE * self._patience,
            lingering_time=self._patience / 3,
            max_line_size=MAX_ADDRESS,
            max_field_size=MAX_FIELD,
            # As ARM, which reads no compressed bodies; and nobody's kilobyte becomes a gigabyte.
            auto_decompress=False,
        )


class _Protocol(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no HTTP; the connection ends with it."""
        error = _refusal(exc)
        response = web.json_response(error.body, status=error.status)
        response.force_close()
        return response


def _refusal(problem: BaseException | None) -> ArmError:
    if not isinstance(problem, LineTooLong):
        return bad_request(
            "The request is no HTTP/1.1: its request line, a header or the framing of its body is not as RFC 9112 says"
        )
    _, limit, _ = problem.args
    if limit == MAX_ADDRESS:
        return ArmError(414, "UriTooLong", f"The address is too long: send at most {MAX_ADDRESS} bytes.")
    return ArmError(431, "RequestHeaderFieldsTooLarge", f"A header is too long: send at most {MAX_FIELD} bytes.")


async def read(request: web.BaseRequest, patience: float) -> bytes:
    """A request's body.

    Args:
        patience: seconds within which all of it must have come.

    Raises:
        ArmError: 413 for a body that is too long, 408 for one that does not end, 400 for one whose framing is wrong.
    """
    if not request.body_exists:
        return b""
    if request.content_length is None or request.content_length <= MAX_BODY:
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(patience):
                async for chunk in request.content.iter_any():
                    size += len(chunk)
                    if size > MAX_BODY:
                        break
                    chunks.append(chunk)
                else:
                    return b"".join(chunks)
        except TimeoutError:
            raise ArmError(
                408,
                "RequestTimeout",
                f"The request's body did not come to its end within {patience:g} s: send it again.",
            ) from None
        except (web.RequestPayloadError, ConnectionError):
            raise bad_request("The request's body ends early or is framed wrongly") from None
    raise ArmError(
        413,
        "RequestContentTooLarge",
        f"The request content size exceeds the maximum size of {MAX_BODY // 1024 // 1024} MB.",
    )
