"""Names to addresses, and addresses to a connection, within the time of whoever asks."""

from __future__ import annotations

import asyncio
import socket
import threading
from asyncio import staggered
from collections.abc import Callable
from functools import partial

Addresses = list[tuple[str, int]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

#: Seconds after which the next address of a name is tried beside the ones before (RFC 8305).
NEXT_ADDRESS = 0.25


class Resolver:
    """Looks up each name once, whoever asks for it and however often.

    Each look-up has a thread of its own, which nobody waits for: asyncio's look-ups share a few threads, and its end
    waits for all of them, so that a silent name server would hold up the rest and outlast every limit.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], asyncio.Future[Addresses]] = {}

    async def addresses(self, host: str, port: int) -> Addresses:
        """Addresses and ports of a host, in the order in which they are to be tried.

        Raises:
            socket.gaierror: there are none.
        """
        if (host, port) not in self._known:
            self._known[host, port] = _in_a_thread(partial(_look_up, host, port))
        return await asyncio.shield(self._known[host, port])


async def connect(addresses: Addresses) -> Streams:
    """A connection to whichever address answers first.

    Raises:
        OSError: none does; the first one's reason.
    """
    attempts = [partial(asyncio.open_connection, host, port) for host, port in addresses]
    streams: Streams | None
    streams, _, problems = await staggered.staggered_race(attempts, NEXT_ADDRESS)
    if streams is None:
        raise next(problem for problem in problems if problem is not None)
    return streams


def _look_up(host: str, port: int) -> Addresses:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "no possible host name") from None
    return list(dict.fromkeys((str(address[0]), port) for *_, address in found))


def _in_a_thread(work: Callable[[], Addresses]) -> asyncio.Future[Addresses]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Addresses] = loop.create_future()

    def settle(result: Addresses | OSError) -> None:
        if future.done():
            return
        if isinstance(result, OSError):
            future.set_exception(result)
        else:
            future.set_result(result)

    def run() -> None:
        result: Addresses | OSError
        try:
            result = work()
        except OSError as error:
            result = error
        try:
            loop.call_soon_threadsafe(settle, result)
        except RuntimeError:
            return  # The loop is closed: whoever asked has given up.

    threading.Thread(target=run, name="resolver", daemon=True).start()
    return future
